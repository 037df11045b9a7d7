// Texts of one shape have one analysis: for every case, with every constant in it replaced by
// others of every form, with comments and casts put in. What shape.h promises the cache.

#include <gtest/gtest.h>

#include <map>

#include "protocol/postgres/sql/cases_testing.h"
#include "protocol/postgres/sql/shape.h"

namespace sallyport::postgres::sql {
namespace {

constexpr std::string_view kConstants[] = {"''",
                                           "'x'",
                                           "'it''s'",
                                           R"('a\b')",
                                           R"('\')",
                                           "'--'",
                                           "'/* x */'",
                                           "'$$'",
                                           "';'",
                                           "'\xc3\xa4'",
                                           "'a\nb'",
                                           R"(E'a\'b')",
                                           R"(e'\x41')",
                                           R"(E'\\')",
                                           R"(U&'\0061')",
                                           "U&'d!0061' UESCAPE '!'",
                                           "$$x$$",
                                           "$tag$it's$tag$",
                                           "$t$$$$t$",
                                           "N'x'",
                                           "B'101'",
                                           "X'1F'",
                                           "'a'\n'b'",
                                           "'a' 'b'",
                                           "'off'",
                                           "'binary'",
                                           "'search_path'",
                                           "'public.t'",
                                           "'select 1'",
                                           "'credentials'",
                                           "0",
                                           "1",
                                           "7",
                                           "007",
                                           "999999999",
                                           "2147483647",
                                           "2147483648",
                                           "99999999999999999999",
                                           "1.5",
                                           ".5",
                                           "1.",
                                           "1e10",
                                           "1.5e-3",
                                           "0x1F",
                                           "0b11",
                                           "0o17",
                                           "1_000",
                                           "-1",
                                           "+1",
                                           "- 1",
                                           "-.5",
                                           "(1)",
                                           "NULL",
                                           "TRUE",
                                           "$1",
                                           "$2",
                                           "'1'::int",
                                           "'x'::text",
                                           "CAST('1' AS int)",
                                           "int '1'",
                                           "mood 'x'",
                                           "interval '1 day'",
                                           "interval '1' hour",
                                           "date '2020-01-01'",
                                           "'x'::regclass",
                                           "1::float",
                                           "1::float(3)",
                                           "1::float(30)",
                                           "1::float(60)",
                                           "1::numeric(10)",
                                           "current_date",
                                           "f(1)",
                                           "1 /* c */",
                                           "'x' -- c\n",
                                           "1, 2",
                                           "'x', 'y', 'z'",
                                           "(select 1)",
                                           "array[1]",
                                           "\"x\"",
                                           "x"};

struct Piece {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// Plain strings and numbers, as far as they are easily found; what is missed is not replaced.
std::vector<Piece> constants_in(std::string_view sql) {
  std::vector<Piece> pieces;
  const auto part_of_name = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '"';
  };
  for (std::size_t i = 0; i < sql.size(); ++i) {
    if (sql[i] == '"') {
      i = std::min(sql.find('"', i + 1), sql.size() - 1);
    } else if (sql[i] == '\'') {
      const std::size_t end = std::min(sql.find('\'', i + 1), sql.size() - 1);
      pieces.push_back({i, end + 1});
      i = end;
    } else if (std::isdigit(static_cast<unsigned char>(sql[i])) != 0 &&
               (i == 0 || !part_of_name(sql[i - 1]))) {
      std::size_t end = i;
      while (end < sql.size() && std::isdigit(static_cast<unsigned char>(sql[end])) != 0) ++end;
      pieces.push_back({i, end});
      i = end - 1;
    }
  }
  return pieces;
}

class SqlShapeDifferential : public testing::Test {
 protected:
  void SetUp() override {
    auto made = Parser::make();
    ASSERT_TRUE(made) << made.error().detail;
    parser_ = std::move(*made);
  }

  /// What the cache would use of an analysis; empty: it is not kept.
  std::string kept(std::string_view sql) {
    auto made = analyse(*parser_, sql);
    if (!made || !may_be_kept(*made)) return "";
    made->statements.front().offset = 0;
    made->statements.front().length = 0;
    return to_string(*made);
  }

  /// Every text of a shape is kept with the same analysis, or none is.
  void expect_like_others(const std::string& sql) {
    const auto shape = shape_of(sql);
    if (!shape) return;
    ++shaped_;
    const std::string analysis = kept(sql);
    const auto [entry, added] = by_shape_.try_emplace(*shape, sql, analysis);
    if (!added) ++compared_;
    EXPECT_EQ(entry->second.second, analysis)
        << "shape: " << *shape << "\none:   " << entry->second.first << "\nother: " << sql;
  }

  std::unique_ptr<Parser> parser_;
  std::map<std::string, std::pair<std::string, std::string>> by_shape_;
  int shaped_ = 0;
  int compared_ = 0;
};

std::vector<Case> corpus() {
  std::vector<Case> all = all_analysis_cases();
  for (const auto* name : {"actions.txt", "constants.txt"}) {
    const auto some = cases_of(name);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

TEST_F(SqlShapeDifferential, WhateverTheConstants) {
  const auto cases = corpus();
  EXPECT_GE(cases.size(), 600u);
  for (const Case& one : cases) {
    expect_like_others(one.sql);
    for (const Piece& piece : constants_in(one.sql)) {
      for (const std::string_view constant : kConstants) {
        std::string sql = one.sql;
        sql.replace(piece.begin, piece.end - piece.begin, constant);
        expect_like_others(sql);
      }
    }
    if (HasFatalFailure() || HasNonfatalFailure()) FAIL() << one.where;
  }
  EXPECT_GE(shaped_, 10'000);
  EXPECT_GE(compared_, 3'000);
}

TEST_F(SqlShapeDifferential, WhateverTheSpace) {
  constexpr std::string_view spaces[] = {"  ",      "\n", "\t",       "\r\n",
                                         "\f",      "\v", "/**/",     " /* x */ ",
                                         " -- x\n", "",   "\xc2\xa0", "\xe2\x80\x8b"};
  for (const Case& one : corpus()) {
    expect_like_others(one.sql);
    int left = 6;  // the first spaces will do
    for (std::size_t i = 0; i < one.sql.size() && left > 0; ++i) {
      if (one.sql[i] != ' ') continue;
      --left;
      for (const std::string_view space : spaces) {
        std::string sql = one.sql;
        sql.replace(i, 1, space);
        expect_like_others(sql);
      }
    }
    if (HasNonfatalFailure()) FAIL() << one.where;
  }
  EXPECT_GE(compared_, 3'000);
}

TEST_F(SqlShapeDifferential, WhereverAQuoteIsPut) {
  // A quote moves all that is a string and all that is not.
  constexpr std::string_view marks[] = {"'", "\"", "$$", "--", "/*", "*/", ";", "\\", "E'", "U&'"};
  for (const Case& one : corpus()) {
    expect_like_others(one.sql);
    for (std::size_t i = 0; i <= one.sql.size(); i += 1 + one.sql.size() / 24) {
      for (const std::string_view mark : marks) {
        std::string sql = one.sql;
        sql.insert(i, mark);
        expect_like_others(sql);
      }
    }
    if (HasNonfatalFailure()) FAIL() << one.where;
  }
  EXPECT_GE(shaped_, 1'000);
}

}  // namespace
}  // namespace sallyport::postgres::sql

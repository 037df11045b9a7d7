#include "protocol/postgres/sql/parser.h"

#include <gtest/gtest.h>

#include <thread>

namespace sallyport::postgres::sql {
namespace {

std::unique_ptr<Parser> parser(const ParserLimits& limits = {}) {
  auto made = Parser::make(limits);
  EXPECT_TRUE(made) << made.error().detail;
  return std::move(*made);
}

std::string repeated(std::string_view piece, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += piece;
  return all;
}

/// The promise after every bomb: the next statement is parsed as if nothing had happened.
void expect_works(Parser& p) {
  auto parsed = p.parse("select a from b where c = 1");
  ASSERT_TRUE(parsed) << parsed.error().detail;
  EXPECT_FALSE(parsed->rejected);
  EXPECT_NE(parsed->tree.find(R"("relname":"b")"), std::string_view::npos);
}

TEST(SqlParser, GivesTheTreeAsJson) {
  auto p = parser();
  expect_works(*p);
  EXPECT_EQ(p->resets(), 0u);
}

TEST(SqlParser, SaysInPostgresWordsWhatIsWrongAndWhere) {
  auto p = parser();
  auto parsed = p->parse("select from where");
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->rejected);
  EXPECT_EQ(parsed->message, "syntax error at or near \"where\"");
  EXPECT_EQ(parsed->position, 13u);
  parsed = p->parse("selekt 1");
  EXPECT_EQ(parsed->message, "syntax error at or near \"selekt\"");
  EXPECT_EQ(parsed->position, 1u);
  expect_works(*p);
}

TEST(SqlParser, CountsPositionsInCharactersNotBytes) {
  auto p = parser();
  auto parsed = p->parse("select 'äöü' frm frm");
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->rejected);
  EXPECT_EQ(parsed->position, 18u);
}

TEST(SqlParser, RefusesTextThatCannotBeRead) {
  auto p = parser();
  EXPECT_EQ(p->parse(std::string_view("select 1\0;drop table x", 22)).error().code,
            Errc::malformed);
  EXPECT_EQ(p->parse("select '\xff'").error().code, Errc::malformed);
  EXPECT_EQ(p->parse("select '" + std::string(2 << 20, 'x') + "'").error().code, Errc::too_large);
  expect_works(*p);
}

TEST(SqlParser, SurvivesBombs) {
  auto p = parser();
  const std::string bombs[] = {
      "select 1" + repeated("+1", 100'000),
      "select " + repeated("(", 10'000) + "1" + repeated(")", 10'000),
      repeated("select (", 5'000) + "select 1" + repeated(")", 5'000),
      repeated("select * from (", 5'000) + "select 1" + repeated(") q", 5'000),
      "select " + repeated("not ", 100'000) + "true",
      "select " + repeated("- ", 100'000) + "1",
      "select " + repeated("array[", 20'000) + "1" + repeated("]", 20'000),
      "select " + repeated("f(", 20'000) + "1" + repeated(")", 20'000),
      "select 1" + repeated(" union select 1", 20'000),
      "select " + repeated("case when true then ", 20'000) + "1" + repeated(" end", 20'000),
      "select a" + repeated("[1]", 100'000),
      "select a" + repeated("::text", 100'000),
      repeated("explain ", 100'000) + "select 1",
      "select " + repeated("/*", 100'000),
      "select 1 from a" + repeated(" join a on true", 20'000),
      "select 1 from " + repeated("(a cross join ", 20'000) + "a" + repeated(")", 20'000),
      repeated("with a as (", 10'000) + "select 1" + repeated(") select 1", 10'000),
      repeated("create schema s ", 1'000) + "create table t (a int)",
      "select " + repeated("1,", 400'000) + "1",
      repeated(";", 500'000),
      repeated("select 1;", 50'000),
      "select '" + repeated("''", 400'000) + "'",
      "select \"" + std::string(1'000'000, 'x') + "\"",
      "insert into t values " + repeated("(1,2,3),", 100'000) + "(1,2,3)",
      "select 1 where a = 1" + repeated(" or a = 1", 90'000),
  };
  for (const auto& bomb : bombs) {
    SCOPED_TRACE(bomb.substr(0, 40));
    (void)p->parse(bomb);  // a tree, a complaint or an error: but the process lives
    expect_works(*p);
  }
}

TEST(SqlParser, DeepNestingIsAnErrorAndNotATree) {
  auto p = parser();
  auto parsed = p->parse("select 1" + repeated("+1", 100'000));
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Errc::too_large);
  EXPECT_EQ(parsed.error().detail, "the statement cannot be analysed: nested too deeply");
  EXPECT_EQ(p->resets(), 1u);
}

TEST(SqlParser, WhatTheGrammarCannotNestIsNoSyntaxError) {
  auto p = parser();
  for (const std::string& bomb :
       {"select " + repeated("(", 10'000) + "1" + repeated(")", 10'000),
        repeated("select * from (", 5'000) + "select 1" + repeated(") q", 5'000)}) {
    auto parsed = p->parse(bomb);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code, Errc::too_large);
    EXPECT_EQ(parsed.error().detail, "the statement cannot be analysed: nested too deeply");
    expect_works(*p);
  }
}

TEST(SqlParser, StopsWhenItTakesTooLong) {
  auto p = parser({.cpu_ms_max = 100});
  const auto started = std::chrono::steady_clock::now();
  auto parsed = p->parse("select " + repeated("/*", 100'000));
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().detail, "the statement cannot be analysed: it takes too long");
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(20));
  expect_works(*p);
}

TEST(SqlParser, GivesMemoryBack) {
  auto p = parser();
  const std::size_t before = p->memory_bytes();
  ASSERT_TRUE(p->parse("select " + repeated("a,", 400'000) + "a"));
  EXPECT_EQ(p->memory_bytes(), before);
  expect_works(*p);
}

TEST(SqlParser, StopsAtTheMemoryLimit) {
  auto p = parser({.memory_bytes_max = std::size_t{130} << 20});
  auto parsed = p->parse("select " + repeated("a,", 500'000) + "a");
  EXPECT_TRUE(!parsed || parsed->rejected);
  expect_works(*p);
}

TEST(SqlParser, EveryThreadHasItsOwn) {
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      auto p = parser();
      const std::string mine = "select a from relation_" + std::to_string(t);
      const std::string expected = "\"relname\":\"relation_" + std::to_string(t) + "\"";
      for (int i = 0; i < 300; ++i) {
        if (i % 100 == 50) (void)p->parse("select 1" + repeated("+1", 50'000));
        if (i % 3 == 0) (void)p->parse("select from where");
        auto parsed = p->parse(mine);
        if (parsed && parsed->tree.find(expected) != std::string_view::npos) ++good;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 4 * 300);
}

}  // namespace
}  // namespace sallyport::postgres::sql

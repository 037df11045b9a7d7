#include "protocol/postgres/sql/actions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>

#include "protocol/postgres/sql/cases_testing.h"
#include "protocol/postgres/sql/routines.h"

namespace sallyport::postgres::sql {
namespace {

/// "search_path app, public; server 15"
Place place_of(std::string_view heading) {
  Place place{.connection = "c", .database = "d", .search_path = {}};
  const std::size_t semicolon = heading.find("; server ");
  EXPECT_TRUE(heading.starts_with("search_path ") && semicolon != std::string_view::npos);
  std::string_view names = heading.substr(12, semicolon - 12);
  while (!names.empty() && names != "(empty)") {
    const std::size_t comma = std::min(names.find(", "), names.size());
    place.search_path.emplace_back(names.substr(0, comma));
    names.remove_prefix(std::min(comma + 2, names.size()));
  }
  const std::string_view major = heading.substr(semicolon + 9);
  std::from_chars(major.data(), major.data() + major.size(), place.server_major);
  return place;
}

std::string text_of(const Decidable& decidable) {
  if (decidable.actions.empty()) return "refused: " + decidable.why_not;
  std::string text = decidable.context.kind;
  if (decidable.read_only) text += " read_only";
  if (decidable.context.has_where) text += " where";
  if (decidable.context.dynamic_sql) text += " dynamic";
  if (decidable.context.multi) text += " multi";
  for (const Action& action : decidable.actions) {
    text += " | " + action.name + " " + action.resource.type + "::" + action.resource.id;
  }
  return text;
}

class SqlActions : public testing::Test {
 protected:
  void SetUp() override {
    auto made = Parser::make();
    ASSERT_TRUE(made) << made.error().detail;
    parser_ = std::move(*made);
  }

  Analysis analysis(std::string_view sql) {
    auto made = analyse(*parser_, sql);
    EXPECT_TRUE(made) << sql << ": " << made.error().detail;
    return made ? std::move(*made) : Analysis{.understood = false, .why_not = "failed"};
  }
  Decidable decide(std::string_view sql) {
    return decidable(analysis(sql), sql, {.connection = "c", .database = "d", .server_major = 15});
  }

  std::unique_ptr<Parser> parser_;
};

TEST_F(SqlActions, AreWhatThePoliciesShouldBeAsked) {
  const auto cases = cases_of("actions.txt");
  EXPECT_GE(cases.size(), 140u);
  for (const Case& one : cases) {
    EXPECT_EQ(text_of(decidable(analysis(one.sql), one.sql, place_of(one.heading))), one.expected)
        << one.where << ": " << one.sql;
  }
}

TEST_F(SqlActions, AreNoneForWhatIsNotUnderstood) {
  int refused = 0;
  for (const Case& one : all_analysis_cases()) {
    const Analysis made = analysis(one.sql);
    const bool understood =
        made.understood &&
        std::ranges::all_of(made.statements, [](const Statement& s) { return s.understood; });
    const Decidable decidable = decide(one.sql);
    EXPECT_EQ(decidable.actions.empty(), !decidable.why_not.empty()) << one.where;
    if (understood) continue;
    ++refused;
    EXPECT_TRUE(decidable.actions.empty()) << one.where << ": " << one.sql;
    EXPECT_FALSE(decidable.read_only) << one.where;
    EXPECT_EQ(decidable.context.kind, "") << one.where;
  }
  EXPECT_GE(refused, 30);
}

/// Where names alone are decided on, DDL in a text changes no decision; another search_path does.
TEST_F(SqlActions, OfSeveralStatementsAreDecidedTogetherUnlessThatCouldTurnOutOtherwise) {
  const auto why_not = [&](std::string_view sql, bool path_may_return) {
    return decidable(analysis(sql), sql,
                     {.connection = "c",
                      .database = "d",
                      .server_major = 15,
                      .path_may_return = path_may_return})
        .why_not;
  };
  for (const std::string_view sql :
       {"create table t (a int); insert into t values (1)", "set work_mem = '1MB'; select * from t",
        "select f(); select * from t", "do 'begin end'; select * from t",
        "drop table t; create table t (a int)"}) {
    EXPECT_EQ(why_not(sql, false), "") << sql;
    EXPECT_NE(why_definitions_matter(analysis(sql)), "") << sql;
  }
  for (const std::string_view sql :
       {"set search_path = app; select * from t", "set role bob; select 1",
        "select set_config('search_path', 'app', false); select * from t", "reset all; select 1",
        "execute p; select * from t", "set session authorization bob; select * from t"}) {
    EXPECT_NE(why_not(sql, false), "") << sql;
  }
  EXPECT_EQ(why_definitions_matter(analysis("select 1; select * from t; drop table t")), "");
  EXPECT_EQ(why_not("rollback; select * from t", false), "");
  EXPECT_NE(why_not("rollback; select * from t", true), "");
  EXPECT_EQ(why_not("rollback; select * from app.t", true), "");
}

/// What a statement that is sent before its record is durable must not contain, at any depth.
std::string harm_in(const Statement& statement) {
  for (const auto& use : statement.relations) {
    if (use.use != Use::select) return std::string(to_string(use.use)) + " " + use.name.to_string();
  }
  for (const auto& use : statement.routines) {
    if (!is_harmless(use.routine_class)) return "calls " + use.name.to_string();
  }
  if (!statement.objects.empty()) return "objects";
  if (!statement.settings.empty()) return "settings";
  if (statement.dynamic_sql) return "dynamic SQL";
  if (statement.copy == CopyEnd::file || statement.copy == CopyEnd::program) return "files";
  if (statement.transaction_read_only == false) return "read write";
  for (const auto& nested : statement.nested) {
    if (auto harm = harm_in(nested); !harm.empty()) return harm;
  }
  return "";
}

TEST_F(SqlActions, OfReadOnlyStatementsAreReads) {
  int read_only = 0;
  std::vector<Case> cases = all_analysis_cases();
  const auto more = cases_of("actions.txt");
  cases.insert(cases.end(), more.begin(), more.end());
  for (const Case& one : cases) {
    const Analysis made = analysis(one.sql);
    for (const Statement& statement : made.statements) {
      if (statement.read_only) {
        EXPECT_EQ(harm_in(statement), "") << one.where << ": " << one.sql;
      }
    }
    const Decidable decidable = decide(one.sql);
    if (!decidable.read_only) continue;
    ++read_only;
    for (const Action& action : decidable.actions) {
      EXPECT_TRUE(action.name == "sql:select" || action.name == "connect")
          << one.where << ": " << action.name;
    }
    for (const Statement& statement : made.statements) {
      EXPECT_EQ(harm_in(statement), "") << one.where << ": " << one.sql;
    }
  }
  EXPECT_GE(read_only, 150);
}

TEST_F(SqlActions, NoNameOfAClientPassesForAPath) {
  const auto actions = decide(R"(select * from "a/b"."c", "a"."b/c", "a"."b%2Fc")").actions;
  ASSERT_EQ(actions.size(), 3u);
  EXPECT_EQ(actions[0].resource.id, "c/d/a%2Fb/c");
  EXPECT_EQ(actions[1].resource.id, "c/d/a/b%252Fc");
  EXPECT_EQ(actions[2].resource.id, "c/d/a/b%2Fc");
}

TEST_F(SqlActions, AreTheSameHoweverOftenATableIsNamed) {
  EXPECT_EQ(decide("select * from t, t a, public.t b, (select * from t) c").actions.size(), 1u);
}

TEST_F(SqlActions, SayWhichTextWasDecided) {
  const auto one = decide("select a from t where b = 1");
  const auto same = decide("select a  from t where b = 2");
  const auto other = decide("select a from t where c = 1");
  EXPECT_EQ(one.context.fingerprint, same.context.fingerprint);
  EXPECT_NE(one.context.hash, same.context.hash);
  EXPECT_NE(one.context.fingerprint, other.context.fingerprint);
  EXPECT_EQ(one.context.hash.size(), 64u);
}

TEST_F(SqlActions, SettingsThatSteerReadingAreKept) {
  for (const auto* name : {"client_encoding", "standard_conforming_strings", "backslash_quote"}) {
    EXPECT_TRUE(is_pinned_setting(name)) << name;
    EXPECT_FALSE(is_harmless_setting(name)) << name;
    EXPECT_TRUE(breaks_pin({.name = name, .value = "x"})) << name;
    EXPECT_TRUE(breaks_pin({.name = name})) << name;
    EXPECT_FALSE(breaks_pin({.name = name, .reset = true})) << name;
  }
  for (const auto* name : {"search_path", "role", "session_authorization", "row_security",
                           "default_transaction_read_only", "transaction_read_only",
                           "session_replication_role", "log_statement", "my.own"}) {
    EXPECT_FALSE(is_harmless_setting(name)) << name;
    EXPECT_FALSE(is_pinned_setting(name)) << name;
  }
}

TEST_F(SqlActions, TellWhatMayChangeNames) {
  const auto of = [this](std::string_view sql) { return analysis(sql).statements.at(0); };
  for (const auto* sql :
       {"set search_path = a", "do 'begin end'", "call p()", "select f()", "execute p",
        "create table t ()", "drop table t", "discard all", "select * into x from t",
        "alter table a rename to b", "explain analyze select f()", "prepare p as select f()"}) {
    EXPECT_TRUE(may_change_names(of(sql))) << sql;
  }
  for (const auto* sql : {"select lower(a) from t", "insert into t values (1)", "begin", "commit",
                          "select pg_sleep(1)", "fetch c", "copy t from stdin"}) {
    EXPECT_FALSE(may_change_names(of(sql))) << sql;
  }
  EXPECT_TRUE(runs_unseen_code(of("select app.f()")));
  EXPECT_FALSE(runs_unseen_code(of("set search_path = a")));
}

}  // namespace
}  // namespace sallyport::postgres::sql

// What the planner might run for a statement, without its text naming it.

#include "protocol/postgres/sql/planning.h"

#include <gtest/gtest.h>

#include "protocol/postgres/sql/catalog_testing.h"

namespace sallyport::postgres::sql {
namespace {

using catalog::RelationKind;
using catalog::TypeKind;

constexpr catalog::Oid spring = 30001;  // somebody's own

catalog::Contents contents() {
  catalog::Contents all;
  all.database = "shop";
  all.server_major = 15;
  all.schemas = {{11, "pg_catalog"}, {2200, "public"}};
  all.types = {
      {.oid = 23, .schema = 11, .name = "int4"},
      {.oid = 25, .schema = 11, .name = "text"},
      {.oid = 21001, .schema = 2200, .name = "mood", .kind = TypeKind::enumeration},
      {.oid = 21002, .schema = 2200, .name = "sprung", .kind = TypeKind::domain, .base = 25},
      {.oid = 21003, .schema = 2200, .name = "short", .kind = TypeKind::domain, .base = 25},
      {.oid = 21004, .schema = 2200, .name = "_sprung", .element = 21002},
      {.oid = 21005, .schema = 2200, .name = "money2", .input = 31001},
      {.oid = 21006, .schema = 2200, .name = "pair", .kind = TypeKind::composite}};
  const catalog::Column id{.name = "id", .type = 23, .number = 1};
  const auto table = [&](catalog::Oid oid, std::string_view name, catalog::Oid type = 25,
                         RelationKind kind = RelationKind::table) -> catalog::Relation& {
    all.relations.push_back({.oid = oid,
                             .schema = 2200,
                             .name = name,
                             .kind = kind,
                             .columns = {id, {.name = "c", .type = type, .number = 2}}});
    return all.relations.back();
  };
  table(20001, "plain");
  table(20002, "checked");
  table(20003, "seen", 25, RelationKind::view);
  table(20004, "filtered").row_security = true;
  table(20005, "foreign", 25, RelationKind::foreign_table);
  table(20006, "moods", 21001);
  table(20007, "domains", 21002);
  table(20008, "shorts", 21003);
  table(20009, "arrays", 21004);
  table(20010, "own_c", 21005);
  table(20011, "pairs", 21006);
  all.runs = {{20002, spring}, {21002, spring}};
  all.functions = {{.oid = spring, .schema = 2200, .name = "spring", .language = "plpgsql"},
                   {.oid = 31001, .schema = 2200, .name = "money2_in", .language = "c"}};
  all.operators = {
      {.oid = 32001, .schema = 2200, .name = "<<<", .left = 23, .right = 25, .function = spring},
      {.oid = 32002,
       .schema = 2200,
       .name = "<",
       .left = 21001,
       .right = 21001,
       .function = spring}};
  return all;
}

class PlanningRuns : public CatalogTest {
 protected:
  PlanningRuns() : CatalogTest(contents()) {}
  std::string why(std::string_view sql, std::vector<catalog::Oid> types = {}) {
    auto result = runs_in_planning(*parser_, sql, *catalog_,
                                   {.path = {"public"}, .temporary = {"mine"}}, types);
    return result ? *result : "error: " + result.error().detail;
  }
};

TEST_F(PlanningRuns, NothingForTablesAndTheServersOwn) {
  for (const std::string_view sql :
       {"delete from plain where id between 1 and 3 and c like 'a%'",
        "update plain set c = upper(c) || now()::text where id in (1, 2)",
        "insert into plain select id, c from plain where c = $1",
        "select * from shorts where c = 'x'", "delete from own_c where id = 1"}) {
    EXPECT_EQ(why(sql, {25}), "") << sql;
  }
}

TEST_F(PlanningRuns, WhatTheTextNames) {
  for (const std::string_view sql :
       {"delete from plain where id < spring(5)", "select (p).spring from plain p",
        "select p.spring from plain p", "delete from plain where 5 <<< 'x'",
        "select 'x'::sprung from plain", "select cast('x' as public.sprung[]) from plain",
        "select row(1, 'x')::pair from plain", "select null::plain from plain"}) {
    EXPECT_NE(why(sql), "") << sql;
  }
}

TEST_F(PlanningRuns, WhatTheTextDoesNotName) {
  for (const std::string_view table : {"checked", "seen", "filtered", "foreign", "domains",
                                       "arrays", "pairs", "mine", "pg_temp.plain", "nowhere"}) {
    const std::string sql = "delete from " + std::string(table) + " where id = 1";
    EXPECT_NE(why(sql), "") << sql;
    EXPECT_NE(why("with x as (select 1 from " + std::string(table) + ") delete from plain"), "")
        << table;
  }
  // BETWEEN and ORDER BY are its `<`.
  EXPECT_NE(why("delete from moods where c between 'a' and 'b'"), "");
  EXPECT_NE(why("delete from plain where id = $1", {21002}), "") << "a parameter of a domain";
  auto with_cast = contents();
  with_cast.casts = {{.source = 23, .target = 21003, .function = spring}};
  make(with_cast);
  EXPECT_EQ(why("delete from plain where id = 1"), "") << "no value of that type comes up";
  EXPECT_NE(why("insert into shorts values (1, 2)"), "");
}

TEST_F(PlanningRuns, MoreThanOneTable) {
  auto inherited = contents();
  inherited.inheritance = {{.child = 20002, .parent = 20001}};
  make(inherited);
  EXPECT_NE(why("delete from plain where id = 1"), "");
}

}  // namespace
}  // namespace sallyport::postgres::sql

#include "protocol/postgres/sql/rewrite.h"

#include <gtest/gtest.h>

#include <memory>

#include "protocol/postgres/sql/canonical.h"
#include "protocol/postgres/sql/tokens.h"
#include "protocol/postgres/sql/tree.h"

namespace sallyport::postgres::sql {
namespace {

using catalog::Catalog;
using catalog::RelationKind;

constexpr catalog::Oid customers = 20001;
constexpr catalog::Oid orders = 20002;
constexpr catalog::Oid filtered = 20003;

std::shared_ptr<const Catalog> shop() {
  catalog::Contents all;
  all.database = "shop";
  all.server_major = 15;
  all.schemas = {{11, "pg_catalog"}, {2200, "public"}};
  const auto type = [&](catalog::Oid oid, std::string_view name) {
    all.types.push_back({.oid = oid, .schema = 11, .name = name});
  };
  type(23, "int4");
  type(25, "text");
  type(1043, "varchar");
  const auto relation = [&](catalog::Oid oid, std::string_view name, RelationKind kind,
                            std::vector<catalog::Column> columns,
                            std::string_view definition = "") {
    all.relations.push_back({.oid = oid,
                             .schema = 2200,
                             .name = name,
                             .kind = kind,
                             .columns = std::move(columns),
                             .definition = definition});
  };
  const catalog::Column id{.name = "id", .type = 23, .number = 1};
  const catalog::Column email{.name = "email", .type = 25, .number = 3};
  relation(customers, "customers", RelationKind::table, {id, email});
  relation(orders, "orders", RelationKind::table,
           {id, {.name = "customer_id", .type = 23, .number = 2}});
  relation(filtered, "filtered", RelationKind::table, {id});
  relation(20004, "v", RelationKind::view, {id, {.name = "mail", .type = 25, .number = 2}},
           " SELECT c.id,\n    c.email AS mail\n   FROM public.customers c;");
  relation(20005, "plain_view", RelationKind::view, {id}, " SELECT id FROM public.orders;");
  relation(20006, "m", RelationKind::materialized_view, {id}, " SELECT id FROM public.customers;");
  relation(20007, "remote", RelationKind::foreign_table, {id});
  all.functions.push_back({.oid = 30001,
                           .schema = 2200,
                           .name = "mails",
                           .language = "sql",
                           .body = "select email from customers"});
  all.functions.push_back(
      {.oid = 30002, .schema = 2200, .name = "plus", .language = "sql", .body = "select 1 + 1"});
  all.functions.push_back({.oid = 30003, .schema = 2200, .name = "code", .language = "plpgsql"});
  auto made = Catalog::make(std::move(all), 1);
  EXPECT_TRUE(made) << made.error().detail;
  return *made;
}

class Rewrite : public testing::Test {
 protected:
  Rewrite() : parser_(std::move(*Parser::make())), catalog_(shop()) {}

  Rewriting of(std::string_view sql) {
    const Protection masked{.masked = {{3, {mask::Kind::null}, "pii.email"}}};
    const Protection rows{.filters = {"id > 7"}};
    auto result =
        rewrite(*parser_, sql, *catalog_, {.path = {"public"}}, [&](const catalog::Relation& r) {
          return r.oid == customers ? &masked : r.oid == filtered ? &rows : nullptr;
        });
    EXPECT_TRUE(result) << sql << ": " << result.error().detail;
    return result ? *result : Rewriting{};
  }
  void becomes(std::string_view sql, std::string_view wanted) {
    const Rewriting made = of(sql);
    EXPECT_EQ(made.refused, "") << sql;
    EXPECT_EQ(made.sql, wanted);
    EXPECT_TRUE(made.changed) << sql;
  }
  void unchanged(std::string_view sql) {
    const Rewriting made = of(sql);
    EXPECT_EQ(made.refused, "") << sql;
    EXPECT_EQ(made.sql, sql);
    EXPECT_FALSE(made.changed) << sql;
  }
  void refused(std::string_view sql) {
    const Rewriting made = of(sql);
    EXPECT_NE(made.refused, "") << sql << "\n became " << made.sql;
  }

  std::unique_ptr<Parser> parser_;
  std::shared_ptr<const Catalog> catalog_;
};

#define SUBQUERY \
  R"((SELECT "id", CAST(NULL AS "pg_catalog"."text") AS "email" FROM "public"."customers"))"

TEST_F(Rewrite, PutsASubqueryInTheRelationsPlace) {
  becomes("select * from customers", "select * from " SUBQUERY R"( AS "customers")");
  becomes("select c.email from customers c where c.id = 1",
          "select c.email from " SUBQUERY " c where c.id = 1");
  becomes("select a from customers as c(a, b)", "select a from " SUBQUERY " as c(a, b)");
  becomes("select 1 from public . \"customers\" /* x */ * , orders",
          "select 1 from " SUBQUERY R"( AS "customers" , orders)");
  becomes("table customers", "SELECT * FROM " SUBQUERY R"( AS "customers")");
  becomes("select 'from customers', * from customers;",
          "select 'from customers', * from " SUBQUERY R"( AS "customers";)");
}

TEST_F(Rewrite, KeepsOnlyAndSystemColumns) {
  const std::string only =
      R"((SELECT "id", CAST(NULL AS "pg_catalog"."text") AS "email" FROM ONLY "public"."customers") AS "customers")";
  becomes("select * from only customers", "select * from " + only);
  becomes("select * from only (customers)", "select * from " + only);
  becomes(
      "select ctid, id from customers",
      R"(select ctid, id from (SELECT "id", CAST(NULL AS "pg_catalog"."text") AS "email", ctid AS "ctid" FROM "public"."customers") AS "customers")");
  refused("select ctid, * from customers");
}

TEST_F(Rewrite, ReplacesEveryReferenceAndNoCte) {
  becomes("with customers as (select 1) select * from customers, public.customers c",
          "with customers as (select 1) select * from customers, " SUBQUERY " c");
  becomes("select 1 from orders where exists (select from customers where id = customer_id)",
          "select 1 from orders where exists (select from " SUBQUERY
          R"( AS "customers" where id = customer_id))");
  becomes("prepare p as select * from customers c", "prepare p as select * from " SUBQUERY " c");
  becomes("explain select * from customers c", "explain select * from " SUBQUERY " c");
  becomes("declare x cursor for select * from customers c",
          "declare x cursor for select * from " SUBQUERY " c");
  becomes("select * from customers c for update", "select * from " SUBQUERY " c for update");
  becomes("select public.customers.email from public.customers",
          "select customers.email from " SUBQUERY R"( AS "customers")");
}

TEST_F(Rewrite, CopiesAQueryInsteadOfTheTable) {
  becomes(
      "copy customers to stdout with (format csv)",
      R"(copy (SELECT "id", "email" FROM (SELECT "id", CAST(NULL AS "pg_catalog"."text") AS "email" FROM ONLY "public"."customers") AS "customers") to stdout with (format csv))");
  becomes(
      "copy customers (email) to stdout",
      R"(copy (SELECT "email" FROM (SELECT "id", CAST(NULL AS "pg_catalog"."text") AS "email" FROM ONLY "public"."customers") AS "customers") to stdout)");
  becomes("copy (select * from customers c) to stdout",
          "copy (select * from " SUBQUERY " c) to stdout");
  unchanged("copy customers from stdin");
  unchanged("copy orders to stdout");
}

TEST_F(Rewrite, LooksThroughViews) {
  becomes("select mail from v",
          R"(select mail from (SELECT "id", "mail" FROM ( SELECT c.id,
    c.email AS mail
   FROM )" SUBQUERY R"( c) AS "v"("id", "mail")) AS "v")");
  unchanged("select * from plain_view");
  unchanged("select * from m");  // what it stores is classified by itself
  refused("select * from remote");
}

TEST_F(Rewrite, FiltersRowsBehindAFence) {
  becomes("select * from filtered f",
          R"(select * from (SELECT "id" FROM "public"."filtered" WHERE (id > 7) OFFSET 0) f)");
  refused("update filtered set id = 1 where id = 2");
  refused("delete from filtered where id = 2");
  unchanged("insert into filtered values (1)");
}

TEST_F(Rewrite, LetsValuesInAndNotOut) {
  unchanged("insert into customers (id, email) values (1, 'x')");
  unchanged("insert into customers (id, email) values (1, 'x') returning id");
  unchanged("update customers set email = $1 where id = $2");
  unchanged(
      "insert into customers values (1, 'x') on conflict (id) do update set email = "
      "excluded.email");
  unchanged("delete from customers where id = 1");
  for (const auto* sql : {
           "insert into customers values (1, 'x') returning *",
           "insert into customers values (1, 'x') returning email",
           "insert into customers values (1, 'x') returning customers",
           "insert into customers as c values (1, 'x') returning row_to_json(c)",
           "insert into customers values (1, 'x') returning (customers).email",
           "insert into customers values (1, 'x') on conflict do nothing",
           "insert into customers values (1, 'x') on conflict (email) do nothing",
           "insert into customers values (1, 'x') on conflict (id) do update set id = "
           "length(customers.email)",
           "update customers set id = length(email)",
           "update customers set id = 1 where email like 'a%'",
           "update customers excluded set id = length(excluded.email)",
           "delete from customers where email = 'x'",
           "delete from customers c where c::text like '%x%'",
           "delete from customers using orders natural join orders o where true",
           "merge into customers c using orders o on c.email = 'x' when matched then do nothing",
           "with d as (delete from customers where id = 1 returning *) select * from d",
       }) {
    refused(sql);
  }
}

TEST_F(Rewrite, RefusesToWriteMaskedValues) {
  refused("insert into orders select id, length(email) from customers");
  refused("create table t as select * from customers");
  refused("select email into t from customers");
  refused("update orders set id = length(c.email) from customers c");
  refused("insert into orders select a from customers c(x, a)");
  becomes("insert into orders select id from customers c",
          "insert into orders select id from " SUBQUERY " c");
}

TEST_F(Rewrite, RefusesToChangeRowsThatAreFilteredAway) {
  refused("update filtered set id = 8");
  refused("delete from filtered");
  refused("insert into filtered values (1) on conflict (id) do update set id = 8");
  refused("truncate filtered");
  refused("truncate orders, filtered cascade");
  unchanged("insert into filtered values (9)");
  unchanged("truncate customers");
}

TEST_F(Rewrite, RefusesWhatItCannotLookInto) {
  for (const auto* sql : {
           "select * from customers tablesample system (10)",
           "select * from nowhere",
           "select mails()",
           "select code()",
           "select unknown_function()",
           "select query_to_xml('select 1', true, true, '')",
           "select lo_get(1)",
           "select * from pg_stats",
           "select query from pg_stat_activity",
           "select current_setting('sallyport.mask_key')",
           "select current_setting('SallyPort.mask_key', true)",
           "select current_setting('sally' || 'port.mask_key')",
           "select ('sallyport.mask_key'::text).current_setting",
           "show sallyport.mask_key",
           "set sallyport.mask_key = 'x'",
           "do $$ begin end $$",
           "create view w as select * from customers",
           "create function f() returns int language sql as 'select 1'",
           "create table t (like customers)",
           "create table t () inherits (customers)",
           "create table t (id int references customers (id))",
           "alter table customers rename to c",
           "alter table customers add x int",
           "create index on customers (id)",
           "explain analyze select * from customers",
           "listen x",
           "copy customers to '/tmp/x'",
           "update v set mail = 'x'",
       }) {
    refused(sql);
  }
  unchanged("select plus()");
  unchanged("select current_setting('server_version')");
  unchanged("select relname from pg_class");
  unchanged("select * from pg_statistic_ext");
  unchanged("select nextval('s')");
}

TEST_F(Rewrite, SaysWhatIsUnknownSoThatTheCatalogCanBeReadAgain) {
  EXPECT_TRUE(of("select * from nowhere").unknown_name);
  EXPECT_TRUE(of("select nobodys()").unknown_name);
  EXPECT_FALSE(of("select mails()").unknown_name);
}

TEST_F(Rewrite, NamesTheMaskedColumnsThatItReached) {
  const std::vector<ColumnOrigin> email{{customers, 3}};
  EXPECT_EQ(of("select * from customers").masked, email);
  EXPECT_EQ(of("select * from v").masked, email);
  EXPECT_EQ(of("select * from orders").masked, std::vector<ColumnOrigin>{});
}

TEST(SqlNameSpan, IsFoundAmongAnyTokens) {
  const auto text_of = [](std::string_view sql) {
    const auto span = name_span(sql, sql.find("t1"));
    return span ? std::string(sql.substr(span->begin, span->end - span->begin)) : "none";
  };
  EXPECT_EQ(text_of("select '-- t', $$ ' $$ from t1 x"), "t1");
  EXPECT_EQ(text_of("select /* /* ' */ */ 1 from t1.\"a\"\"b\" -- x\n . c where"),
            "t1.\"a\"\"b\" -- x\n . c");
  EXPECT_EQ(text_of("select E'\\'' from ONLY ( t1 ) x"), "ONLY ( t1 )");
  EXPECT_EQ(text_of("from only t1"), "only t1");
  EXPECT_EQ(text_of("from t1*"), "t1*");
}

}  // namespace
}  // namespace sallyport::postgres::sql

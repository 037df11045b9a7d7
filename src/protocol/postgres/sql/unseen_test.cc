// Code of the database's own, GROUP BY of keys, and words without a grammar: as rewriting uses
// them.

#include "protocol/postgres/sql/unseen.h"

#include <gtest/gtest.h>

#include "protocol/postgres/sql/catalog_testing.h"
#include "protocol/postgres/sql/tokens.h"

namespace sallyport::postgres::sql {
namespace {

constexpr catalog::Oid customers = 20001;

catalog::Contents contents() {
  catalog::Contents all;
  all.database = "shop";
  all.server_major = 15;
  all.schemas = {{11, "pg_catalog"}, {2200, "public"}};
  all.types = {{.oid = 23, .schema = 11, .name = "int4"},
               {.oid = 25, .schema = 11, .name = "text"},
               {.oid = 2279, .schema = 11, .name = "trigger"}};
  const catalog::Column id{.name = "id", .type = 23, .number = 1, .in_primary_key = true};
  const catalog::Column name{.name = "name", .type = 25, .number = 2};
  const catalog::Column email{.name = "email", .type = 25, .number = 3};
  all.relations = {
      {.oid = customers, .schema = 2200, .name = "customers", .columns = {id, name, email}},
      {.oid = 20002, .schema = 2200, .name = "orders", .columns = {id, name}},
      {.oid = 20003, .schema = 2200, .name = "audited", .columns = {id, name}}};
  const auto function = [&](catalog::Oid oid, std::string_view called, std::string_view language,
                            std::string_view body) {
    all.functions.push_back(
        {.oid = oid, .schema = 2200, .name = called, .language = language, .body = body});
  };
  function(30001, "reads", "sql", "select email from customers limit 1");
  function(30002, "plain", "sql", "select name from orders limit 1");
  function(30003, "calls", "plpgsql", "begin return (select reads()); end");
  function(30004, "computes", "plpgsql", "declare x int := 1; begin x := x + 1; return x; end");
  function(30005, "dynamic", "plpgsql", "begin execute 'select 1'; end");
  function(30006, "named", "plpgsql", "begin return (select count(*) from \"customers\"); end");
  function(30007, "python", "plpython3u", "return 1");
  function(30008, "escaped", "plpgsql", "begin return (select 1 from U&\"customers\"); end");
  function(30009, "asks", "plpgsql", "begin return pg_read_file('x'); end");
  function(30010, "passes_on", "plpgsql", "begin insert into orders select new.*; return new; end");
  function(30011, "stamps", "plpgsql", "begin new.name := 'x'; return new; end");
  all.triggers = {{.relation = 20003, .name = "t", .function = 30001, .type = 7}};
  return all;
}

class UnseenCode : public CatalogTest {
 protected:
  UnseenCode() : CatalogTest(contents()) {}
  Rewriting of(std::string_view sql) {
    const Protection masked{.masked = {{3, {mask::Kind::null}, "pii.email"}}};
    auto result =
        rewrite(*parser_, sql, *catalog_, {.path = {"public"}},
                [&](const catalog::Relation& r) { return r.oid == customers ? &masked : nullptr; });
    EXPECT_TRUE(result) << sql;
    return result ? *result : Rewriting{};
  }
};

TEST_F(UnseenCode, MayRunWhereItReadsNothingMasked) {
  for (const std::string_view sql :
       {"select plain()", "select computes()", "insert into orders values (1, plain())"}) {
    EXPECT_EQ(of(sql).refused, "") << sql;
  }
}

TEST_F(UnseenCode, MayNotRunWhereItReadsSomethingMaskedOrCannotBeRead) {
  for (const std::string_view sql :
       {"select reads()", "select calls()", "select dynamic()", "select named()", "select python()",
        "select escaped()", "select asks()", "select id from orders where reads() like 'a%'",
        "insert into audited values (1, 'x')"}) {
    EXPECT_NE(of(sql).refused, "") << sql;
  }
}

TEST_F(UnseenCode, OfATriggerMaySetColumnsButNotPassRowsOn) {
  catalog::Contents all = contents();
  all.triggers = {{.relation = customers, .name = "t", .function = 30011, .type = 7}};
  make(std::move(all));
  EXPECT_EQ(of("insert into customers values (1, 'x', 'y')").refused, "");
  all = contents();
  all.triggers = {{.relation = customers, .name = "t", .function = 30010, .type = 7}};
  make(std::move(all));
  EXPECT_NE(of("insert into customers values (1, 'x', 'y')").refused, "");
  EXPECT_EQ(of("delete from customers where id = 1").refused, "");  // it is for inserts
}

TEST_F(UnseenCode, GroupByOfAKeyNamesTheColumnsThatTheServerWouldTakeAsGrouped) {
  const Rewriting made = of("select c.id, c.name, count(*) from customers c group by c.id");
  EXPECT_EQ(made.refused, "");
  EXPECT_NE(made.sql.find(R"(group by "c"."name")"), std::string::npos) << made.sql;
  // Of what is not replaced the server knows the key itself.
  EXPECT_EQ(of("select o.id, o.name from orders o group by o.id").sql,
            "select o.id, o.name from orders o group by o.id");
}

TEST(WordsOf, FoldsNamesAndKeepsWhatIsQuotedApart) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(words_of("Select \"A\"\"b\" , x.Y"), (Words{"select", "A\"b", ",", "x", ".", "y"}));
  EXPECT_EQ(words_of("'customers' || $$customers$$ -- customers"), (Words{"'", "|", "|", "'"}));
  EXPECT_EQ(words_of("/* customers */ a"), (Words{"a"}));
  EXPECT_EQ(words_of(""), Words{});
  EXPECT_FALSE(words_of("select U&\"\\0061\""));
}

}  // namespace
}  // namespace sallyport::postgres::sql

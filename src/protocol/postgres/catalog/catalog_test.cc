#include "protocol/postgres/catalog/catalog.h"

#include <gtest/gtest.h>

namespace sallyport::postgres::catalog {
namespace {

Contents small() {
  Contents all{.database = "shop", .database_oid = 16400, .server_major = 15};
  all.schemas = {{11, "pg_catalog"}, {2200, "public"}, {20000, "hr"}};
  all.relations = {
      {.oid = 20001,
       .schema = 2200,
       .name = "customers",
       .row_type = 20002,
       .columns = {{.name = "email", .type = 25, .number = 3}, {.name = "id", .number = 1}}},
      {.oid = 20003, .schema = 20000, .name = "customers"},
      {.oid = 1259, .schema = 11, .name = "pg_class"},
      {.oid = 20005, .schema = 2200, .name = "pg_class"},
  };
  all.functions = {{.oid = 20010, .schema = 2200, .name = "lower", .language = "sql"},
                   {.oid = 870, .schema = 11, .name = "lower"}};
  return all;
}

std::shared_ptr<const Catalog> made(Contents contents) {
  auto catalog = Catalog::make(std::move(contents), 1);
  EXPECT_TRUE(catalog) << catalog.error().detail;
  return catalog ? *catalog : nullptr;
}

TEST(Catalog, FindsRelationsAlongThePath) {
  const auto catalog = made(small());
  EXPECT_EQ(catalog->relation("", "customers", {"public", "hr"})->oid, 20001u);
  EXPECT_EQ(catalog->relation("", "customers", {"hr", "public"})->oid, 20003u);
  EXPECT_EQ(catalog->relation("", "customers", {"nowhere"}), nullptr);
  EXPECT_EQ(catalog->relation("hr", "customers", {"public"})->oid, 20003u);
  EXPECT_EQ(catalog->relation("", "customers", {}), nullptr);
}

TEST(Catalog, LooksIntoPgCatalogFirstUnlessThePathSaysWhere) {
  const auto catalog = made(small());
  EXPECT_EQ(catalog->relation("", "pg_class", {"public"})->oid, 1259u);
  EXPECT_EQ(catalog->relation("", "pg_class", {"public", "pg_catalog"})->oid, 20005u);
}

TEST(Catalog, GivesEveryFunctionThatACallCouldMean) {
  const auto catalog = made(small());
  EXPECT_EQ(catalog->functions("", "lower", {"public"}).size(), 2u);
  EXPECT_EQ(catalog->functions("", "lower", {}).size(), 1u);
  EXPECT_EQ(catalog->functions("public", "lower", {}).size(), 1u);
}

TEST(Catalog, KeepsItsOwnTexts) {
  std::shared_ptr<const Catalog> catalog;
  {
    std::string name = "a_relation_with_a_long_name";
    Contents all = small();
    all.relations[0].name = name;
    catalog = made(std::move(all));
    name.assign(name.size(), 'x');
  }
  EXPECT_EQ(catalog->relation(20001)->name, "a_relation_with_a_long_name");
  EXPECT_EQ(catalog->relation_of_row_type(20002)->oid, 20001u);
  EXPECT_EQ(catalog->relation(20001)->column(std::int16_t{3})->name, "email");
  EXPECT_EQ(catalog->relation(20001)->column("id")->number, 1);
  EXPECT_EQ(catalog->name_of(*catalog->relation(20001)), "public.a_relation_with_a_long_name");
}

TEST(Catalog, FollowsInheritanceBothWaysAndThroughCycles) {
  Contents all = small();
  all.inheritance = {{.child = 20003, .parent = 20001}, {.child = 20005, .parent = 20003}};
  const auto catalog = made(all);
  EXPECT_EQ(catalog->descendants(20001).size(), 2u);
  EXPECT_EQ(catalog->ancestors(20005).size(), 2u);
  EXPECT_TRUE(catalog->descendants(20005).empty());
  // No server makes one, but what a server says is not to be trusted.
  all.inheritance.push_back({.child = 20001, .parent = 20005});
  EXPECT_EQ(made(all)->descendants(20001).size(), 2u);
}

TEST(Catalog, RefusesWhatContradictsItself) {
  Contents twice = small();
  twice.relations[1].oid = 20001;
  EXPECT_FALSE(Catalog::make(twice, 1));
  Contents nowhere = small();
  nowhere.relations[1].schema = 99;
  EXPECT_FALSE(Catalog::make(nowhere, 1));
}

TEST(Catalog, HasTheDigestOfWhatItSays) {
  EXPECT_EQ(made(small())->digest(), made(small())->digest());
  Contents renamed = small();
  renamed.relations[0].columns[0].name = "mail";
  EXPECT_NE(made(renamed)->digest(), made(small())->digest());
  Contents redefined = small();
  redefined.functions[0].body = "select 2";
  EXPECT_NE(made(redefined)->digest(), made(small())->digest());
}

TEST(Function, KnowsHowManyArgumentsItTakes) {
  Function f{.defaults = 1, .arguments = {{.type = 25}, {.type = 23}, {.type = 23, .mode = 'o'}}};
  EXPECT_FALSE(f.takes(0));
  EXPECT_TRUE(f.takes(1));
  EXPECT_TRUE(f.takes(2));
  EXPECT_FALSE(f.takes(3));
  f.variadic = 25;
  EXPECT_TRUE(f.takes(9));
}

// 100,000 tables of 20 columns: what one costs, so that the limit in the configuration can be
// given in bytes and understood in tables.
TEST(Catalog, ATableOfTwentyColumnsCostsLessThanAKilobyte) {
  constexpr std::size_t tables = 10'000;
  Contents all = small();
  std::vector<std::string> names(tables);
  std::vector<std::string> columns(20);
  for (std::size_t i = 0; i < 20; ++i) columns[i] = "column_number_" + std::to_string(i);
  for (std::size_t i = 0; i < tables; ++i) {
    names[i] = "a_table_with_a_usual_name_" + std::to_string(i);
    Relation relation{.oid = static_cast<Oid>(100'000 + i),
                      .schema = 2200,
                      .name = names[i],
                      .row_type = static_cast<Oid>(500'000 + i)};
    for (std::size_t c = 0; c < 20; ++c) {
      relation.columns.push_back(
          {.name = columns[c], .type = 25, .number = static_cast<std::int16_t>(c + 1)});
    }
    all.relations.push_back(std::move(relation));
  }
  const auto catalog = made(std::move(all));
  const std::size_t each = catalog->bytes() / tables;
  EXPECT_LT(each, 1024u);
  RecordProperty("bytes_per_table", static_cast<int>(each));
  std::printf("bytes per table of 20 columns: %zu\n", each);
}

}  // namespace
}  // namespace sallyport::postgres::catalog

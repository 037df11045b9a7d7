#include "protocol/postgres/sql/shape.h"

#include <gtest/gtest.h>

namespace sallyport::postgres::sql {
namespace {

std::string shape(std::string_view sql) {
  return shape_of(sql).value_or("none");
}

TEST(SqlShape, ReplacesConstantsAndSpace) {
  EXPECT_EQ(shape("select a from t where b = 15 and c = 'it''s'"),
            "select a from t where b = 0 and c = '?'");
  EXPECT_EQ(shape("  select\n\ta\r\nfrom t  "), "select a from t");
  EXPECT_EQ(shape("select 'a\\', '--', '/*', ';', '$$', '\xc3\xa4'"),
            "select '?', '?', '?', '?', '?', '?'");
}

TEST(SqlShape, KeepsWhatIsNoConstant) {
  EXPECT_EQ(shape("select $1, \"A b\", t.a1, x[2]"), "select $1, \"A b\", t.a1, x[0]");
  EXPECT_EQ(shape("select -5 - -5, a<-5"), "select -0 - -0, a<-0");
  EXPECT_NE(shape("select $1"), shape("select $2"));
  EXPECT_NE(shape("select a from T"), shape("select a from t"));
  EXPECT_NE(shape("select a -1"), shape("select a - 1"));
  EXPECT_NE(shape("in (1, 2)"), shape("in (1, 2, 3)"));
}

TEST(SqlShape, IsNoneInAnyDoubt) {
  for (const auto* sql : {"select 1 -- x",     "select /* x */ 1",    "select E'a'",
                          "select e'\\''",     "select U&'a'",        "select B'1'",
                          "select X'1F'",      "select N'a'",         "select $$a$$",
                          "select $x$a$x$",    "select 'a' 'b'",      "select 'a'\n'b'",
                          "select 'a",         "select \"a",          "select \"a\"\"b\"",
                          "select U&\"a\"",    "select 1.5",          "select .5e1",
                          "select 1e5",        "select 0x1F",         "select 1_000",
                          "select 2147483648", "select a$b",          "select \\x",
                          "select \x0b 1",     "select \x0c 1",       "select \xc3\xa4 from t",
                          "select $",          "select $a",           "select '\xff'",
                          "select float(5)",   "select 1::FLOAT (30)"}) {
    EXPECT_EQ(shape_of(sql), std::nullopt) << sql;
  }
  EXPECT_EQ(shape_of(std::string_view("select '\0'", 10)), std::nullopt);
  EXPECT_EQ(shape_of("select '" + std::string(70'000, 'x') + "'"), std::nullopt);
}

class SqlShapeCache : public testing::Test {
 protected:
  void SetUp() override {
    auto made = Parser::make();
    ASSERT_TRUE(made) << made.error().detail;
    parser_ = std::move(*made);
  }
  std::shared_ptr<const Analysis> ask(ShapeCache& cache, std::string_view sql) {
    auto made = cache.analyse(*parser_, sql);
    EXPECT_TRUE(made) << sql;
    return made ? *made : nullptr;
  }
  std::unique_ptr<Parser> parser_;
};

TEST_F(SqlShapeCache, ParsesAShapeOnce) {
  ShapeCache cache;
  const auto first = ask(cache, "select a from t where b = 1");
  EXPECT_EQ(ask(cache, "select a from t where b = 22"), first);
  EXPECT_NE(ask(cache, "select a from s where b = 1"), first);
  EXPECT_EQ(cache.hits(), 1u);
  EXPECT_EQ(cache.misses(), 2u);
  EXPECT_EQ(cache.size(), 2u);
}

TEST_F(SqlShapeCache, KeepsNothingThatDependsOnConstantsOrIsRare) {
  ShapeCache cache;
  for (const auto* sql :
       {"set search_path = 'a'", "copy t to stdout (format 'csv')",
        "explain (analyze 'off') select 1", "select nextval('s')", "select 'customers'::regclass",
        "select lo_get(1)", "select f('x')", "select current_setting('x')", "fetch 5 from c",
        "select 1; select 2", "selekt 1", "select set_config('role', 'x', false)", "do 'begin end'",
        "create table t (a int)", "load 'x'", "listen c", "select 1.5", ""}) {
    (void)ask(cache, sql);
    EXPECT_EQ(cache.size(), 0u) << sql;
  }
}

TEST_F(SqlShapeCache, ForgetsWhatWasUsedLongestAgo) {
  ShapeCache cache(2);
  const auto a = ask(cache, "select a");
  (void)ask(cache, "select b");
  EXPECT_EQ(ask(cache, "select a"), a);
  (void)ask(cache, "select c");
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(ask(cache, "select a"), a);
  const auto misses = cache.misses();
  (void)ask(cache, "select b");
  EXPECT_EQ(cache.misses(), misses + 1);
}

TEST_F(SqlShapeCache, IsBoundedInBytes) {
  ShapeCache cache(1000, 64 << 10);
  for (int i = 0; i < 500; ++i) (void)ask(cache, "select a from t" + std::to_string(i));
  EXPECT_GT(cache.size(), 10u);
  EXPECT_LT(cache.size(), 200u);
  std::string wide = "select a";
  for (int i = 0; i < 1000; ++i) wide += ", a";
  const auto size = cache.size();
  (void)ask(cache, wide + " from t");
  EXPECT_EQ(cache.size(), size);
}

}  // namespace
}  // namespace sallyport::postgres::sql

#include "protocol/postgres/sql/lineage.h"

#include <gtest/gtest.h>

#include "protocol/postgres/sql/cases_testing.h"
#include "protocol/postgres/sql/lineage_testing.h"

namespace sallyport::postgres::sql {
namespace {

class SqlLineage : public testing::Test {
 protected:
  void SetUp() override {
    auto made = Parser::make();
    ASSERT_TRUE(made) << made.error().detail;
    parser_ = std::move(*made);
    catalog_ = shop_catalog();
    ASSERT_NE(catalog_, nullptr);
    tracer_ = std::make_unique<Tracer>(*parser_, catalog_);
  }

  std::vector<Lineage> trace(std::string_view sql) {
    auto made = tracer_->trace(sql, {.path = {"public"}, .temporary = {"scratch"}});
    EXPECT_TRUE(made) << sql << ": " << made.error().detail;
    return made ? *std::move(made) : std::vector<Lineage>{};
  }

  std::unique_ptr<Parser> parser_;
  std::shared_ptr<const Catalog> catalog_;
  std::unique_ptr<Tracer> tracer_;
};

TEST_F(SqlLineage, FollowsEveryColumn) {
  const auto cases = cases_of("lineage.txt");
  EXPECT_GE(cases.size(), 100u);
  for (const Case& one : cases) {
    const auto made = trace(one.sql);
    EXPECT_EQ(made.size(), 1u) << one.where;
    if (made.size() != 1) continue;
    EXPECT_EQ(to_string(made[0], *catalog_), one.expected) << one.where << ": " << one.sql;
  }
}

}  // namespace
}  // namespace sallyport::postgres::sql

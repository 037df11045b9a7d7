#include "protocol/postgres/plan.h"

#include <gtest/gtest.h>

namespace sallyport::postgres {
namespace {

TEST(PlanSummary, SaysRowsAndTablesAndNoValue) {
  // As PostgreSQL 15 says it.
  const std::string_view plan = R"plan([{"Plan": {"Node Type": "ModifyTable",
      "Operation": "Delete", "Relation Name": "orders", "Plan Rows": 0, "Plan Width": 0,
      "Plans": [{"Node Type": "Seq Scan", "Relation Name": "orders", "Plan Rows": 17,
      "Filter": "(secret = 'hunter2'::text)"}]}}])plan";
  EXPECT_EQ(plan_summary(plan).value(), "about 17 rows: Delete on orders, Seq Scan on orders");
  EXPECT_EQ(plan_summary(R"([{"Plan": {"Node Type": "Result", "Plan Rows": 1}}])").value(),
            "about 1 rows");
}

TEST(PlanSummary, ListsTheFirstTables) {
  std::string plans;
  for (int i = 0; i < 20; ++i) {
    plans += (i == 0 ? "" : ",") + std::string(R"({"Node Type":"Seq Scan","Relation Name":"t)") +
             std::to_string(i) + R"("})";
  }
  const auto summary =
      plan_summary(R"([{"Plan":{"Node Type":"Append","Plan Rows":5e6,"Plans":[)" + plans + "]}}]");
  ASSERT_TRUE(summary);
  EXPECT_TRUE(summary->starts_with("about 5000000 rows: Seq Scan on t0, Seq Scan on t1"));
  EXPECT_TRUE(summary->ends_with("Seq Scan on t7, and 12 more")) << *summary;
}

TEST(PlanSummary, RefusesWhatIsNoPlan) {
  for (const std::string_view bad : {"", "[]", "{}", "[{}]", R"([{"Plan"])", "[1]", "null"}) {
    EXPECT_FALSE(plan_summary(bad)) << bad;
  }
  EXPECT_FALSE(plan_summary(std::string(plan_bytes_max + 1, ' ')));
}

}  // namespace
}  // namespace sallyport::postgres

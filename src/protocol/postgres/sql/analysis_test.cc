#include "protocol/postgres/sql/analysis.h"

#include <gtest/gtest.h>

#include "protocol/postgres/sql/cases_testing.h"

namespace sallyport::postgres::sql {
namespace {

class SqlAnalysis : public testing::Test {
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

  void expect_as_written(const std::string& file, std::size_t at_least) {
    const auto cases = cases_of(file);
    EXPECT_GE(cases.size(), at_least);
    for (const Case& one : cases) {
      EXPECT_EQ(to_string(analysis(one.sql)), one.expected) << one.where << ": " << one.sql;
    }
  }

  std::unique_ptr<Parser> parser_;
};

TEST_F(SqlAnalysis, SeesWhatQueriesRead) {
  expect_as_written("queries.txt", 90);
}
TEST_F(SqlAnalysis, SeesEveryCall) {
  expect_as_written("calls.txt", 65);
}
TEST_F(SqlAnalysis, SeesWhatIsChangedAndWhatIsReadForIt) {
  expect_as_written("changes.txt", 45);
}
TEST_F(SqlAnalysis, SeesWhatUtilitiesDo) {
  expect_as_written("utility.txt", 105);
}
TEST_F(SqlAnalysis, SeesWhatDefinitionsNameOrRefusesThem) {
  expect_as_written("definitions.txt", 130);
}

TEST_F(SqlAnalysis, KeepsNothingOfWhatItDoesNotUnderstand) {
  const auto made = analysis("select a from t where set_config('role', 'x', false) = b");
  ASSERT_EQ(made.statements.size(), 1u);
  const Statement& statement = made.statements[0];
  EXPECT_FALSE(statement.understood);
  EXPECT_FALSE(statement.why_not.empty());
  EXPECT_EQ(statement, (Statement{.kind = "select",
                                  .length = statement.length,
                                  .understood = false,
                                  .why_not = statement.why_not}));
}

TEST_F(SqlAnalysis, SaysWhereEachStatementIs) {
  const std::string_view sql = "select 1;  delete from t ; select 2";
  const auto made = analysis(sql);
  ASSERT_EQ(made.statements.size(), 3u);
  const Statement& second = made.statements[1];
  EXPECT_NE(sql.substr(second.offset, second.length).find("delete from t"), std::string::npos);
}

TEST_F(SqlAnalysis, SaysWhereTheSyntaxIsWrong) {
  const auto made = analysis("select 1; selekt");
  EXPECT_FALSE(made.understood);
  EXPECT_TRUE(made.statements.empty());
  EXPECT_EQ(made.error_position, 11u);
}

TEST_F(SqlAnalysis, RefusesWhatCostsTooMuchToResolve) {
  // Every column could be of any of the relations.
  std::string columns = "a";
  std::string relations = "t";
  for (int i = 0; i < 5000; ++i) {
    columns += ",a";
    relations += ",t";
  }
  const auto made = analysis("select " + columns + " from " + relations);
  ASSERT_EQ(made.statements.size(), 1u);
  EXPECT_FALSE(made.statements[0].understood);
  EXPECT_EQ(made.statements[0].why_not, "it names too many things");
}

TEST_F(SqlAnalysis, RefusesWhatFindsTooMuchToKeep) {
  const auto of = [this](int columns) {
    std::string sql = "select a";
    for (int i = 0; i < columns; ++i) sql += ",a";
    return analysis(sql + " from t").statements.at(0).understood;
  };
  EXPECT_TRUE(of(20'000));
  EXPECT_FALSE(of(100'000));
}

TEST_F(SqlAnalysis, LocksEachRelationOnceHoweverManyQueriesLockIt) {
  std::string sql = "select a from t for update";
  for (int i = 0; i < 20; ++i) sql = "select * from (" + sql + ") x for update";
  const auto made = analysis(sql);
  ASSERT_EQ(made.statements.size(), 1u);
  EXPECT_EQ(made.statements[0].relations.size(), 2u);
}

TEST_F(SqlAnalysis, ManyLocksInOneStatementAreNoBomb) {
  std::string sql = "(select a from t for update)";
  for (int i = 0; i < 900; ++i) sql += " union all (select a from t for update)";
  EXPECT_TRUE(analysis(sql).understood);
}

TEST_F(SqlAnalysis, DeepNestingIsNoBomb) {
  std::string open;
  std::string close;
  for (int i = 0; i < 400; ++i) {
    open += "(select * from ";
    close += ") x";
  }
  (void)analyse(*parser_, "select * from " + open + "t" + close);
  std::string parts = "select (a)";
  for (int i = 0; i < 800; ++i) parts = parts + ".b";
  (void)analyse(*parser_, parts);
  EXPECT_EQ(to_string(analysis("select 1")), "select read_only");
}

}  // namespace
}  // namespace sallyport::postgres::sql

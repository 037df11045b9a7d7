#include "protocol/postgres/guarded_errors.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sallyport::postgres {
namespace {

std::string of(const std::vector<std::pair<char, std::string>>& told, char code) {
  const auto found = std::ranges::find(told, code, &std::pair<char, std::string>::first);
  return found == told.end() ? "" : found->second;
}

ErrorFields raised(std::string_view sqlstate) {
  return {{'S', "ERROR"},
          {'V', "ERROR"},
          {'C', sqlstate},
          {'M', "message canary"},
          {'D', "detail canary"},
          {'H', "hint canary"},
          {'P', "7"},
          {'p', "3"},
          {'q', "query canary"},
          {'W', "where canary"},
          {'s', "schema canary"},
          {'t', "table canary"},
          {'c', "column canary"},
          {'d', "type canary"},
          {'n', "constraint canary"},
          {'F', "file"},
          {'L', "1"},
          {'R', "routine"}};
}

TEST(GuardedErrors, TellNoFieldThatCanCarryAValue) {
  for (const std::string_view sqlstate : {"23505", "23503", "23514", "22P02", "22012", "P0001",
                                          "XX000", "40001", "42P01", "21000", "ZZ999"}) {
    for (const bool writes : {false, true}) {
      for (const auto& [code, text] : told_error(raised(sqlstate), writes)) {
        EXPECT_NE(std::string_view("SVCMHR").find(code), std::string_view::npos)
            << sqlstate << code;
      }
    }
  }
}

TEST(GuardedErrors, SayInTheirOwnWordsOnlyWhatTheStatementItselfSays) {
  EXPECT_EQ(of(told_error(raised("42P01"), true), 'M'), "message canary");
  EXPECT_EQ(of(told_error(raised("42P01"), false), 'H'), "hint canary");
  EXPECT_EQ(of(told_error(raised("42P01"), true), 'H'), "");
  // Of a constant in a statement that reads; in one that writes it may be of a row.
  EXPECT_EQ(of(told_error(raised("22P02"), false), 'M'), "message canary");
  for (const std::string_view sqlstate :
       {"23505", "22P02", "22012", "21000", "P0001", "40001", "XX000"}) {
    const auto told = told_error(raised(sqlstate), true);
    EXPECT_EQ(of(told, 'M').find("canary"), std::string::npos) << sqlstate;
    EXPECT_NE(of(told, 'M'), "") << sqlstate;
    EXPECT_NE(of(told, 'H').find("details are left out"), std::string::npos) << sqlstate;
  }
}

TEST(GuardedErrors, KeepTheStatesThatClientsActOnAndNoMadeUpOnes) {
  EXPECT_EQ(of(told_error(raised("23505"), true), 'C'), "23505");
  EXPECT_EQ(of(told_error(raised("40001"), true), 'C'), "40001");
  EXPECT_EQ(of(told_error(raised("P0002"), true), 'C'), "P0001");
  EXPECT_EQ(of(told_error(raised("58030"), true), 'C'), "58000");
  for (const std::string_view sqlstate : {"A1B2C", "ZZZZZ", "2350", "23505x", "235o5", ""}) {
    EXPECT_EQ(of(told_error(raised(sqlstate), true), 'C'), "XX000") << sqlstate;
  }
}

TEST(GuardedErrors, LetDriversTellAPlanThatBecameOld) {
  ErrorFields fields = raised("0A000");
  EXPECT_EQ(of(told_error(fields, false), 'R'), "");
  fields.back().second = "RevalidateCachedQuery";
  EXPECT_EQ(of(told_error(fields, false), 'R'), "RevalidateCachedQuery");
}

TEST(GuardedErrors, OfNoticesOnlyWarningsOfTransactionsAreTold) {
  const auto notice = [](std::string_view severity, std::string_view sqlstate) {
    return told_notice(
        {{'S', severity}, {'V', severity}, {'C', sqlstate}, {'M', "m"}, {'D', "canary"}});
  };
  EXPECT_FALSE(notice("NOTICE", "25001"));
  EXPECT_FALSE(notice("WARNING", "01000"));
  EXPECT_FALSE(notice("INFO", "00000"));
  const auto told = notice("WARNING", "25001");
  ASSERT_TRUE(told);
  EXPECT_EQ(of(*told, 'M'), "m");
  EXPECT_EQ(of(*told, 'D'), "");
}

}  // namespace
}  // namespace sallyport::postgres

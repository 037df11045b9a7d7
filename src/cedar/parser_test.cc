#include "cedar/parser.h"

#include <gtest/gtest.h>

#include "cedar/authorize.h"

namespace sallyport::cedar {
namespace {

std::string problem(std::string_view text) {
  const auto set = PolicySet::parse("f.cedar", text);
  return set ? "accepted" : set.error().detail;
}

std::string in_condition(const std::string& condition) {
  return problem("permit (principal, action, resource) when { " + condition + " };");
}

TEST(CedarParser, AnErrorSaysLineAndColumn) {
  EXPECT_TRUE(problem("permit (principal, action, resource)\n\n  whn { true };")
                  .starts_with("f.cedar:3:3: "));
  EXPECT_TRUE(problem("permit (principal, action, resource) when { \"\u00e9\u00e9\" == } ;")
                  .starts_with("f.cedar:1:53: "));
  EXPECT_TRUE(problem("permit (principal == ?resource, action, resource);")
                  .starts_with("f.cedar:1:22: the slot"));
}

TEST(CedarParser, RefusesWhatTheLanguageRefuses) {
  for (const char* const condition : {"!-1",
                                      "-!1",
                                      "!!!!!true",
                                      "principal.if",
                                      "{if: 1} == 1",
                                      "{a: 1, \"a\": 2} == 1",
                                      "isIpv4(ip(\"a\"))",
                                      "[1].contains()",
                                      "[1].foo(1)",
                                      "-(9223372036854775808) == 1",
                                      "1 < 2 < 3",
                                      "principal has \"a\".b",
                                      "\"a\rb\" == \"a\"",
                                      "\"\\x80\" == \"a\"",
                                      "\"\\*\" == \"a\"",
                                      "a",
                                      "1 / 2 == 1",
                                      "1 % 2 == 1",
                                      "",
                                      "true && if true then true else false",
                                      "principal[a]",
                                      "User::{a: 1}",
                                      "__cedar == 1",
                                      "principal = 1",
                                      "'a'",
                                      "principal.ip(\"x\")",
                                      "\"\\u{D800}\" == 1",
                                      "\"\\u{}\" == 1",
                                      "principal == ?principal",
                                      "\"open",
                                      "User\"alice\" == principal",
                                      "N::User\"alice\" == principal",
                                      "User:: == principal",
                                      "principal is User::\"a\"",
                                      "principal is User::"}) {
    EXPECT_NE(in_condition(condition), "accepted") << condition;
  }
}

TEST(CedarParser, AnEntityHasColonsBeforeItsId) {
  EXPECT_NE(problem("permit (principal == User\"a\", action, resource);"), "accepted");
  EXPECT_NE(problem("permit (principal, action == Action\"a\", resource);"), "accepted");
  EXPECT_NE(problem("permit (principal is User::\"a\", action, resource);"), "accepted");
  EXPECT_EQ(problem("permit (principal == N::User::\"a\", action, resource);"), "accepted");
}

TEST(CedarParser, DepthAndSizeAreBounded) {
  EXPECT_EQ(in_condition(std::string(200, '(') + "true" + std::string(200, ')')), "accepted");
  EXPECT_NE(in_condition(std::string(100'000, '(') + "true").find("deep"), std::string::npos);
  std::string sum = "1";
  for (int i = 0; i < 5'000; ++i) sum += "+1";
  EXPECT_NE(in_condition(sum + " == 1").find("deep"), std::string::npos);
  EXPECT_NE(problem(std::string(policy_bytes_max + 1, ' ')), "accepted");
}

}  // namespace
}  // namespace sallyport::cedar

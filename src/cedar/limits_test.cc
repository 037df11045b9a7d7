// Deep nesting and huge inputs of every kind are refused with an error that says what is too much,
// and what is just allowed is.

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "cedar/authorize.h"
#include "cedar/format.h"
#include "cedar/json.h"
#include "cedar/policy_json.h"
#include "cedar/validate.h"

namespace sallyport::cedar {
namespace {

std::string times(std::size_t count, std::string_view text) {
  std::string all;
  all.reserve(count * text.size());
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

std::string when(const std::string& condition) {
  return "permit (principal, action, resource) when { " + condition + " };";
}

constexpr std::size_t deep = 100'000;

/// The error, of at most a few lines whatever the input was.
template <class T>
std::string problem(const Result<T>& result) {
  if (result) return "accepted";
  EXPECT_LT(result.error().detail.size(), 2'000u);
  return result.error().detail;
}

void expect_deep(const std::string& text) {
  SCOPED_TRACE(text.substr(0, 80));
  const std::string said = problem(PolicySet::parse("a.cedar", text));
  EXPECT_NE(said.find("a.cedar:1:"), std::string::npos) << said;
  EXPECT_NE(said.find("deep"), std::string::npos) << said;
  EXPECT_FALSE(format_policies("a.cedar", text));
}

TEST(Limits, PoliciesThatNestTooDeeplyAreRefusedWithTheirPlace) {
  expect_deep(when(times(deep, "(") + "true" + times(deep, ")")));
  expect_deep(when(times(deep, "[") + times(deep, "]") + ".isEmpty()"));
  expect_deep(when(times(deep, "{a: ") + "1" + times(deep, "}") + " has a"));
  expect_deep(when(times(deep, "if true then ") + "true" + times(deep, " else true")));
  expect_deep(when(times(deep, "[1].contains(") + "1" + times(deep, ")")));
  expect_deep(when("context" + times(deep, ".a")));
  expect_deep(when("1" + times(deep, " + 1") + " == 2"));
}

TEST(Limits, WhatIsJustAllowedIsReadCheckedAskedAndWritten) {
  const std::size_t allowed = 200;
  for (const std::string& condition :
       {times(allowed, "(") + "true" + times(allowed, ")"),
        times(allowed, "if true then ") + "true" + times(allowed, " else true"),
        "true" + times(2'000, " && true"), "1" + times(allowed, " + 1") + " == 201"}) {
    SCOPED_TRACE(condition.substr(0, 40));
    const auto set = PolicySet::parse("a.cedar", when(condition));
    ASSERT_TRUE(set) << set.error().detail;
    EXPECT_TRUE(format_policies("a.cedar", when(condition)));
    EXPECT_FALSE(to_json(*set).empty());
    const auto schema =
        Schema::parse("s", "entity A; action x appliesTo {principal: A, resource: A};");
    ASSERT_TRUE(schema);
    EXPECT_TRUE(validate(*set, *schema).ok());
    Arena arena;
    const Request request{arena.uid("A", "a"), arena.uid("Action", "x"), arena.uid("A", "a"),
                          arena.record({})};
    EXPECT_TRUE(set->authorize(request, Entities()).allowed);
  }
}

TEST(Limits, UnaryOperatorsAreAtMostFour) {
  EXPECT_NE(problem(PolicySet::parse("a.cedar", when(times(deep, "!") + "true"))), "accepted");
  EXPECT_NE(problem(PolicySet::parse("a.cedar", when(times(deep, "-") + "1 == 1"))), "accepted");
}

TEST(Limits, TooManyPoliciesAndTooLargeATextAreRefused) {
  EXPECT_NE(problem(PolicySet::parse(
                        "a.cedar", times(policies_max + 1, "permit(principal,action,resource);\n")))
                .find("20000 policies"),
            std::string::npos);
  EXPECT_NE(
      problem(PolicySet::parse("a.cedar", std::string(policy_bytes_max + 1, ' '))).find("bytes"),
      std::string::npos);
}

TEST(Limits, JsonPoliciesThatNestTooDeeplyAreRefused) {
  const std::string head = R"({"effect":"permit","principal":{"op":"All"},"action":{"op":"All"},)"
                           R"("resource":{"op":"All"},"conditions":[{"kind":"when","body":)";
  for (const auto& [open, inner, close] :
       {std::tuple{R"({"!":{"arg":)", R"({"Value":true})", "}}"},
        std::tuple{R"({"Set":[)", "", "]}"}, std::tuple{R"({"Value":[)", "", "]}"},
        std::tuple{R"({"&&":{"right":{"Value":true},"left":)", R"({"Value":true})", "}}"}}) {
    const std::string text = head + times(deep, open) + inner + times(deep, close) + "}]}";
    SCOPED_TRACE(open);
    EXPECT_NE(problem(PolicySet::parse({{"a.json", text}})).find("deep"), std::string::npos)
        << problem(PolicySet::parse({{"a.json", text}}));
  }
  EXPECT_NE(problem(PolicySet::parse({{"a.json", times(deep, "[")}})), "accepted");
}

TEST(Limits, SchemasThatNestTooDeeplyAreRefused) {
  for (const std::string& type : {times(deep, "Set<") + "Long" + times(deep, ">"),
                                  times(deep, "{a: ") + "Long" + times(deep, "}")}) {
    const std::string said =
        problem(Schema::parse("a.cedarschema", "entity A = {x: " + type + "};"));
    EXPECT_NE(said.find("a.cedarschema:1:"), std::string::npos) << said;
    EXPECT_NE(said.find("deep"), std::string::npos) << said;
  }
  const std::string json = R"({"":{"actions":{},"entityTypes":{"A":{"shape":{"type":"Record",)"
                           R"("attributes":{"x":)" +
                           times(deep, R"({"type":"Set","element":)") + R"({"type":"Long"})" +
                           times(deep, "}") + "}}}}}}";
  EXPECT_NE(problem(Schema::parse_json("a.json", json)).find("deep"), std::string::npos)
      << problem(Schema::parse_json("a.json", json));
}

TEST(Limits, TypesThatGrowWithoutEndAreRefused) {
  // Each is twice as large as the one before: 2^40 types if they were written out.
  std::string text = "type T0 = {a: Long};";
  for (int i = 1; i <= 40; ++i) {
    const std::string before = "T" + std::to_string(i - 1);
    text += "type T" + std::to_string(i) + " = {a: " + before + ", b: " + before + "};";
  }
  const auto start = std::chrono::steady_clock::now();
  EXPECT_NE(problem(Schema::parse("a.cedarschema", text + "entity A = T40;")), "accepted");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::minutes(1));
  EXPECT_NE(problem(Schema::parse("a.cedarschema", "type T = {a: U}; type U = {a: T};")),
            "accepted");
  EXPECT_NE(
      problem(Schema::parse("a.cedarschema", std::string(schema_bytes_max + 1, ' '))).find("bytes"),
      std::string::npos);
}

TEST(Limits, EntitiesThatNestTooDeeplyOrAreTooManyAreRefused) {
  Arena arena;
  const std::string nested = times(deep, R"({"a":)") + "1" + times(deep, "}");
  EXPECT_NE(problem(value_from_json(nested, arena)).find("deep"), std::string::npos)
      << problem(value_from_json(nested, arena));
  EXPECT_NE(problem(value_from_json(times(deep, "[") + times(deep, "]"), arena)), "accepted");
  const std::string inside =
      R"([{"uid":{"type":"A","id":"a"},"parents":[],"attrs":)" + nested + "}]";
  EXPECT_NE(problem(entities_from_json(inside)), "accepted");
  // A chain of ancestors: each has all before it.
  std::string chain = "[";
  for (std::size_t i = 0; i < 2'000; ++i) {
    chain += R"({"uid":{"type":"A","id":")" + std::to_string(i) +
             R"("},"attrs":{},"parents":[{"type":"A","id":")" + std::to_string(i + 1) + "\"}]},";
  }
  chain.back() = ']';
  EXPECT_NE(problem(entities_from_json(chain)).find("500"), std::string::npos)
      << problem(entities_from_json(chain));
  std::string cycle =
      R"([{"uid":{"type":"A","id":"a"},"attrs":{},"parents":[{"type":"A","id":"b"}]},)"
      R"({"uid":{"type":"A","id":"b"},"attrs":{},"parents":[{"type":"A","id":"a"}]}])";
  EXPECT_NE(problem(entities_from_json(cycle)), "accepted");
}

TEST(Limits, AnEvaluationThatIsAllowedIsBounded) {
  // A pattern that makes a careless matcher try every split.
  const std::string text = std::string(20'000, 'a');
  const auto set =
      PolicySet::parse("a.cedar", when("context.t like \"" + times(30, "*a") + "*b\""));
  ASSERT_TRUE(set);
  Arena arena;
  const Field fields[] = {{"t", Value::borrow(text)}};
  const Request request{arena.uid("A", "a"), arena.uid("Action", "x"), arena.uid("A", "a"),
                        arena.record(fields)};
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(set->authorize(request, Entities()).allowed);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::minutes(1));
}

}  // namespace
}  // namespace sallyport::cedar

#include "cedar/policy_json.h"

#include <gtest/gtest.h>

namespace sallyport::cedar {
namespace {

constexpr std::string_view head =
    R"("effect":"permit","principal":{"op":"All"},"action":{"op":"All"},"resource":{"op":"All"})";

Result<PolicySet> read(std::string_view json) {
  return PolicySet::parse({{"f.json", std::string(json)}});
}

std::string problem(std::string_view json) {
  const auto set = read(json);
  return set ? "accepted" : set.error().detail;
}

std::string with_body(std::string_view body) {
  return "{" + std::string(head) + R"(,"conditions":[{"kind":"when","body":)" + std::string(body) +
         "}]}";
}

/// As text, after a way through JSON.
std::string through_json(std::string_view text) {
  const auto set = PolicySet::parse("f.cedar", text);
  EXPECT_TRUE(set) << set.error().detail;
  if (!set) return {};
  const Policy& policy = set->policies().empty() ? set->templates()[0] : set->policies()[0];
  const std::string json = "{\"" +
                           std::string(policy.is_template() ? "templates" : "staticPolicies") +
                           "\":{\"p\":" + to_json(policy, set->program()) + "}}";
  const auto back = read(json);
  EXPECT_TRUE(back) << back.error().detail << "\n" << json;
  if (!back) return {};
  const Policy& read_back = back->policies().empty() ? back->templates()[0] : back->policies()[0];
  EXPECT_EQ(to_json(read_back, back->program()), to_json(policy, set->program()));
  return to_text(read_back, back->program());
}

TEST(CedarPolicyJson, EveryFormSurvivesTheWayThroughJsonAndBackToText) {
  for (const char* const policy : {
           "permit (principal, action, resource);",
           "@a(\"x\")\n@b(\"\")\nforbid (principal == A::\"x\", action == Action::\"a\", resource "
           "in "
           "B::\"\\\"\");",
           "permit (principal is N::A, action in Action::\"a\", resource is A in B::\"b\");",
           "permit (principal, action in [Action::\"a\", N::Action::\"b\"], resource);",
           "permit (principal == ?principal, action, resource is A in ?resource);",
       }) {
    EXPECT_EQ(through_json(policy), policy);
  }
  for (const char* const condition : {
           "true && false && (true && false)",
           "true || false && true || !(true || false)",
           "if principal == resource then 1 == 2 else if true then false else true",
           "1 + 2 - (3 - 4) * -5 * (6 + 7) < -(8)",
           "-context.a == -9223372036854775808",
           "(1 < 2) == (2 >= 1) && 1 != 2 && 1 > 0 && 1 <= 1",
           "principal in [A::\"x\", resource] && principal is N::A in B::\"b\"",
           "context has a && context has \"a b\" && context has a.b.c && context.a[\"if\"].b == 1",
           "context.s like \"a*\\*b\\n*\" && [1, 1, \"a\"].contains({a: 1, \"b c\": [true]})",
           "principal.hasTag(\"x\") && principal.getTag(context.t) == \"y\"",
           "ip(\"1.2.3.4\").isInRange(ip(\"1.2.3.0/24\")) && !ip(\"bad\").isIpv4()",
           "datetime(\"2024-01-01\").offset(duration(\"1h\")).toTime().toHours() > 3",
           "[].isEmpty() && context.a.containsAll([1]) && context.b.containsAny([2])",
           "decimal(\"1.0\").lessThan(decimal(\"2.0\"))",
       }) {
    const std::string policy =
        std::string("permit (principal, action, resource) when { ") + condition + " };";
    EXPECT_EQ(through_json(policy), policy);
  }
}

TEST(CedarPolicyJson, ValuesAreReadAsWhatTheyStandFor) {
  const auto set = read(with_body(
      R"({"Value":[1,{"a":{"__entity":{"type":"A","id":"x"}},"b":{"__extn":{"fn":"ip","arg":"1.2.3.4"}}},"s",true]})"));
  ASSERT_TRUE(set) << set.error().detail;
  EXPECT_EQ(to_text(set->policies()[0], set->program()),
            "permit (principal, action, resource) when { [1, {a: A::\"x\", b: ip(\"1.2.3.4\")}, "
            "\"s\", true] };");
}

TEST(CedarPolicyJson, AnAttributeThatNeedsQuotesInAPathIsWrittenStepByStep) {
  const auto set = read(with_body(R"({"has":{"left":{"Var":"context"},"attr":["a b","if"]}})"));
  ASSERT_TRUE(set);
  EXPECT_EQ(to_text(set->policies()[0], set->program()),
            "permit (principal, action, resource) when { (context has \"a b\" && context[\"a b\"] "
            "has \"if\") };");
}

TEST(CedarPolicyJson, IsReadStrictly) {
  EXPECT_EQ(problem("{" + std::string(head) + ",\"conditions\":[]}"), "accepted");
  for (const std::string& json : {
           "{" + std::string(head) + "}",
           "{" + std::string(head) + ",\"conditions\":[],\"more\":1}",
           "{" + std::string(head) + ",\"conditions\":[],\"annotations\":{\"a b\":\"c\"}}",
           "{" + std::string(head) + ",\"conditions\":[],\"effect\":\"permit\"}",
           std::string(R"({"effect":"Permit","conditions":[]})"),
           std::string("[]"),
           std::string("{"),
       }) {
    EXPECT_NE(problem(json), "accepted") << json;
  }
  for (const char* const body :
       {"{}", "1", "{\"Value\":null}", "{\"Value\":1.5}", "{\"Value\":9223372036854775808}",
        "{\"Var\":\"foo\"}", "{\"Slot\":\"?principal\"}", "{\"foo\":[]}", "{\"Unknown\":{}}",
        R"({"Value":1,"Var":"principal"})", R"({"==":{"left":{"Value":1}}})",
        R"({"==":{"left":{"Value":1},"right":{"Value":1},"x":1}})",
        R"({"like":{"left":{"Var":"context"},"pattern":"a*"}})",
        R"({"has":{"left":{"Var":"context"},"attr":[]}})",
        R"({"is":{"left":{"Var":"principal"},"entity_type":"a b"}})",
        R"({"Value":{"__entity":{"type":"A"}}})", R"({"Value":{"__extn":{"fn":"f","arg":1}}})",
        R"({"Record":{"a":{"Value":1},"a":{"Value":2}}})", R"({"Value":{"__entity":1,"b":2}})"}) {
    EXPECT_NE(problem(with_body(body)), "accepted") << body;
  }
}

TEST(CedarPolicyJson, AnErrorSaysThePath) {
  EXPECT_EQ(
      problem(R"({"staticPolicies":{"p":)" +
              with_body(R"({"!":{"arg":{"==":{"left":{"Var":"x"},"right":{"Value":1}}}}})") + "}}"),
      "f.json: staticPolicies/p/conditions/!/==/Var: \"x\" is not a variable");
}

TEST(CedarPolicyJson, DepthAndSizeAreBounded) {
  std::string deep;
  std::string close;
  for (int i = 0; i < 100'000; ++i) {
    deep += R"({"!":{"arg":)";
    close += "}}";
  }
  EXPECT_NE(problem(with_body(deep + "{\"Value\":true}" + close)), "accepted");
  // Each asks for the one inside twice: 2^60 questions.
  std::string twice = "{\"Var\":\"context\"}";
  for (int i = 0; i < 60; ++i) {
    twice = R"({"if-then-else":{"if":{"has":{"left":)" + twice +
            R"(,"attr":["a","b"]}},"then":{"Var":"context"},"else":{"Var":"context"}}})";
  }
  EXPECT_NE(problem(with_body(twice)).find("looks at more than"), std::string::npos);
  EXPECT_NE(problem(std::string(policy_bytes_max + 1, ' ')), "accepted");
}

TEST(CedarTemplates, ALinkFillsTheSlots) {
  const std::string text =
      "@id(\"t\") permit (principal in ?principal, action, resource == ?resource);"
      "@id(\"s\") forbid (principal, action, resource) when { false };";
  const auto set = PolicySet::parse({{"f.cedar", text}}, Ids::from_annotation,
                                    {{"t", "one", UidText{"User", "a"}, UidText{"Doc", "d"}},
                                     {"t", "two", UidText{"User", "b"}, UidText{"Doc", "d"}}});
  ASSERT_TRUE(set) << set.error().detail;
  EXPECT_EQ(set->templates().size(), 1u);
  ASSERT_EQ(set->policies().size(), 3u);
  Arena arena;
  const auto ask = [&](std::string_view user, std::string_view doc) {
    const Answer answer = set->authorize({arena.uid("User", user), arena.uid("Action", "view"),
                                          arena.uid("Doc", doc), arena.record({})},
                                         Entities());
    return answer.allowed ? answer.reasons.front()->id : "denied";
  };
  EXPECT_EQ(ask("a", "d"), "one");
  EXPECT_EQ(ask("b", "d"), "two");
  EXPECT_EQ(ask("c", "d"), "denied");
  EXPECT_EQ(ask("a", "e"), "denied");
  EXPECT_EQ(set->find("two")->template_id, "t");
}

TEST(CedarTemplates, LinksThatDoNotFitAreRefused) {
  const auto link_problem = [](TemplateLink link) {
    const auto set =
        PolicySet::parse({{"f.cedar",
                           "@id(\"t\") permit (principal == ?principal, action, resource);"
                           "@id(\"s\") permit (principal, action, resource);"}},
                         Ids::from_annotation, {std::move(link)});
    return set ? "accepted" : set.error().detail;
  };
  const UidText user{"User", "a"};
  EXPECT_EQ(link_problem({"t", "l", user, {}}), "accepted");
  for (const TemplateLink& link :
       {TemplateLink{"t", "l", {}, {}}, TemplateLink{"t", "l", user, user},
        TemplateLink{"x", "l", user, {}}, TemplateLink{"s", "l", {}, {}},
        TemplateLink{"t", "s", user, {}}, TemplateLink{"t", "t", user, {}}}) {
    EXPECT_NE(link_problem(link), "accepted") << link.template_id << " " << link.id;
  }
}

TEST(CedarTemplates, ASetWithLinksSurvivesTheWayThroughJson) {
  const auto set = PolicySet::parse(
      {{"f.cedar",
        "@id(\"t\") permit (principal == ?principal, action, resource in ?resource);"
        "@id(\"s\") permit (principal, action, resource);"}},
      Ids::from_annotation, {{"t", "l", UidText{"User", "a"}, UidText{"Doc", "d"}}});
  ASSERT_TRUE(set) << set.error().detail;
  const auto back = read(to_json(*set));
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_EQ(to_json(*back), to_json(*set));
  EXPECT_EQ(back->policies().size(), 2u);
  EXPECT_EQ(back->templates().size(), 1u);
}

}  // namespace
}  // namespace sallyport::cedar

#include "cedar/context_paths.h"

#include <gtest/gtest.h>

namespace sallyport::cedar {
namespace {

/// "auth.acr tags? *": what is read, with ? for presence alone and * for the whole context.
std::string paths_of(std::string_view conditions) {
  auto set = PolicySet::parse("test.cedar", conditions);
  EXPECT_TRUE(set) << set.error().detail;
  if (!set) return "no policies";
  std::string text;
  for (const ContextPath& path : context_paths(*set)) {
    if (!text.empty()) text += " ";
    for (std::size_t i = 0; i < path.names.size(); ++i) {
      if (i > 0) text += ".";
      text += path.names[i];
    }
    if (path.names.empty()) text += "*";
    if (path.presence) text += "?";
  }
  return text;
}

std::string when(std::string_view condition) {
  return paths_of("permit (principal, action, resource) when { " + std::string(condition) + " };");
}

TEST(ContextPaths, AreThoseOfAllConditions) {
  EXPECT_EQ(when("true"), "");
  EXPECT_EQ(when("principal.context == resource.a.b"), "");
  EXPECT_EQ(when("context.a"), "a");
  EXPECT_EQ(when("context[\"a b\"].c"), "a b.c");
  EXPECT_EQ(when("context.b.c && context.a == 1 && context.a == 2"), "a b.c");
  EXPECT_EQ(paths_of("permit (principal, action, resource) when { context.a } unless { context.b };"
                     "forbid (principal, action, resource) unless { context.c };"),
            "a b c");
}

TEST(ContextPaths, AreFoundWhereNoEvaluationComes) {
  EXPECT_EQ(when("false && context.a"), "a");
  EXPECT_EQ(when("if true then context.a else context.b"), "a b");
  EXPECT_EQ(when("[1, context.a].contains(context.b)"), "a b");
  EXPECT_EQ(when("{x: context.a}.x == ip(\"::1\")"), "a");
  EXPECT_EQ(when("context.a.isInRange(context.b) && -context.c < 1 && !(context.d)"), "a b c d");
  EXPECT_EQ(when("context.a like \"x*\" && context.b is User && context.c in context.d"),
            "a b c d");
  EXPECT_EQ(when("principal.hasTag(context.a) && context.b.getTag(\"t\") == context.c.isEmpty()"),
            "a b c");
}

TEST(ContextPaths, TellPresenceFromValue) {
  EXPECT_EQ(when("context has a"), "a?");
  EXPECT_EQ(when("context has a && context.a"), "a a?");
  EXPECT_EQ(when("context has a.b"), "a? a.b?");
  EXPECT_EQ(when("context.a has b"), "a.b?");
  EXPECT_EQ(when("context.subject.email like \"*@a\""), "subject.email");
}

TEST(ContextPaths, SeeEveryOtherUseOfTheContextAsAUseOfAllOfIt) {
  EXPECT_EQ(when("context == {a: 1}"), "*");
  EXPECT_EQ(when("(if principal has a then context else context).b"), "*");
  EXPECT_EQ(when("[context].contains({a: 1})"), "*");
  EXPECT_EQ(when("{c: context}.c.now < 3"), "*");
}

TEST(ContextPaths, OfATemplateCountOnceItIsLinked) {
  const std::string text =
      R"(@id("t") permit (principal == ?principal, action, resource) when { context.a };)";
  EXPECT_EQ(paths_of(text), "");
  auto linked =
      PolicySet::parse({{"t.cedar", text}}, Ids::from_annotation,
                       {{.template_id = "t", .id = "l", .principal = UidText{"User", "alice"}}});
  ASSERT_TRUE(linked) << linked.error().detail;
  EXPECT_EQ(context_paths(*linked).size(), 1u);
}

TEST(ContextPaths, LeadToValues) {
  Arena arena;
  const Field inner[] = {{"b", Value::number(7)}, {"who", arena.entity("User", "alice")}};
  const Field outer[] = {{"a", arena.record(inner)}};
  const Value context = arena.record(outer);
  EXPECT_EQ(value_at(context, {{"a", "b"}}), Value::number(7));
  EXPECT_EQ(value_at(context, {{"a", "who", "email"}}), arena.entity("User", "alice"));
  EXPECT_EQ(value_at(context, {{}}), context);
  EXPECT_FALSE(value_at(context, {{"a", "c"}}));
  EXPECT_FALSE(value_at(context, {{"c", "d"}}));
}

}  // namespace
}  // namespace sallyport::cedar

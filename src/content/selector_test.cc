#include "content/selector.h"

#include <gmock/gmock.h>

#include "content/json_path.h"

namespace sallyport::content {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(JsonPath, TakesNamesWildcardsAndAnywhere) {
  EXPECT_EQ(*parse_json_path("$"), std::vector<JsonPathStep>{});
  EXPECT_EQ(*parse_json_path("$.a-b[*]..['c d']..*[\"e\\\"f\"].\xc3\xa9"),
            (std::vector<JsonPathStep>{{false, "a-b"},
                                       {false, std::nullopt},
                                       {true, "c d"},
                                       {true, std::nullopt},
                                       {false, "e\"f"},
                                       {false, "\xc3\xa9"}}));
}

TEST(JsonPath, RefusesWhatIsOutsideTheSubsetAndSaysWhere) {
  for (const char* path :
       {"", "a", "$a", "$.", "$..", "$...a", "$[0]", "$[1:2]", "$[?@.a]", "$['a", "$['a'", "$['a\\",
        "$['a\\n']", "$.a b", "$[a]", "$[]", "$.a.", "$.\xff"}) {
    const auto steps = parse_json_path(path);
    ASSERT_FALSE(steps) << path;
    EXPECT_THAT(steps.error().detail, HasSubstr("path '")) << path;
  }
  EXPECT_THAT(parse_json_path("$.list[0].x").error().detail,
              HasSubstr("character 8: only [*] and ['name']"));
  EXPECT_FALSE(parse_json_path("$." + std::string(path_bytes_max, 'a')));
}

TEST(Selector, KnowsAllClassesOfAValue) {
  SelectorBuilder builder;
  for (const PathRule& rule : std::vector<PathRule>{{"$..email", {"pii.email"}},
                                                    {"$.users[*].*", {"hr"}},
                                                    {"$.users[*].email", {"b", "a"}}}) {
    ASSERT_TRUE(builder.add(rule));
  }
  const auto selector = *builder.build();
  const auto user = selector->element(selector->member(selector->root(), "users"));
  const auto classes = [&](Selector::Node node) {
    return selector->labels()[selector->label(node)];
  };
  EXPECT_THAT(classes(selector->member(user, "email")), ElementsAre("a", "b", "hr", "pii.email"));
  EXPECT_THAT(classes(selector->member(user, "name")), ElementsAre("hr"));
  EXPECT_THAT(classes(selector->element(selector->member(user, "name"))), ElementsAre("hr"))
      << "an array passes it on";
  EXPECT_THAT(classes(selector->member(selector->root(), "email")), ElementsAre("pii.email"));
  EXPECT_THAT(selector->classes(), ElementsAre("a", "b", "hr", "pii.email"));
}

TEST(Selector, EndsWhereNothingMoreIsClassified) {
  SelectorBuilder builder;
  ASSERT_TRUE(builder.add({"$.a.b", {"x"}}));
  const auto selector = *builder.build();
  EXPECT_EQ(selector->member(selector->root(), "c"), Selector::nothing);
  EXPECT_EQ(selector->element(selector->root()), Selector::nothing);
  EXPECT_TRUE((*SelectorBuilder().build())->empty());
}

TEST(Selector, HasALimitOfCombinations) {
  SelectorBuilder builder;
  // Every subset of what was anywhere above is another node.
  for (int i = 0; i < 16; ++i) {
    ASSERT_TRUE(builder.add({fmt::format("$..n{}..n{}..z", i, i), {"x"}}));
  }
  const auto made = builder.build();
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::too_large);
}

}  // namespace
}  // namespace sallyport::content

#include "mask/mask.h"

#include <gtest/gtest.h>

#include <vector>

namespace sallyport::mask {
namespace {

Mask of(std::vector<std::string> classifications, Rules rules = {}) {
  return mask_of(classifications, rules);
}

TEST(Mask, WithoutARuleKeepsTheShapeOfWhatHasOneAndNothingElse) {
  EXPECT_EQ(of({"pii.email"}), (Mask{Kind::partial, Shape::email}));
  EXPECT_EQ(of({"pci.card"}), (Mask{Kind::partial, Shape::card}));
  EXPECT_EQ(of({"pii.name"}), (Mask{Kind::redact, Shape::text}));
  EXPECT_EQ(of({}), (Mask{Kind::null, Shape::text}));
}

TEST(Mask, TheRuleOfTheNearestClassHolds) {
  const Rules rules{{"pii", Kind::null}, {"pii.email", Kind::hash}};
  EXPECT_EQ(of({"pii.email"}, rules).kind, Kind::hash);
  EXPECT_EQ(of({"pii.email.work"}, rules).kind, Kind::hash);
  EXPECT_EQ(of({"pii.name"}, rules).kind, Kind::null);
  EXPECT_EQ(of({"piirate.name"}, rules).kind, Kind::redact);
}

TEST(Mask, OfSeveralClassesTheStrictestHolds) {
  EXPECT_EQ(of({"pii.email", "secret"}).kind, Kind::redact);
  EXPECT_EQ(of({"a", "b"}, {{"a", Kind::null}, {"b", Kind::partial}}).kind, Kind::null);
  EXPECT_EQ(of({"pii.email", "pci.card"}).kind, Kind::redact) << "two shapes show too much";
}

TEST(Mask, EveryKindHasItsName) {
  for (const auto name : {"partial", "round", "year", "hash", "redact", "null"}) {
    ASSERT_TRUE(kind_of(name));
    EXPECT_EQ(to_string(*kind_of(name)), name);
  }
  EXPECT_FALSE(kind_of("none"));
}

}  // namespace
}  // namespace sallyport::mask

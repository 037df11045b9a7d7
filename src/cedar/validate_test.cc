#include "cedar/validate.h"

#include <gtest/gtest.h>

namespace sallyport::cedar {
namespace {

constexpr std::string_view schema_text = R"(
  type Place = {city: String, zip?: String};
  entity Group;
  entity User in [Group] = {
    name: String, age: Long, boss?: User, home?: Place, work: Place, friends: Set<User>,
    score: decimal, born: datetime
  } tags String;
  entity Robot = {name: String};
  entity Doc in [Folder] = {owner: User, public: Bool};
  entity Folder in [Folder];
  entity Color enum ["red", "green"];
  action read;
  action view, list in read appliesTo {
    principal: [User, Robot], resource: [Doc, Folder],
    context: {ip: ipaddr, mfa: Bool, age?: duration, color: Color}
  };
  action edit appliesTo {principal: User, resource: Doc, context: {reason?: String}};
  action nothing;
  namespace N { action view appliesTo {principal: User, resource: Doc}; }
)";

const Schema& schema() {
  static const Schema made = [] {
    // N::view would hide view: only other names may be used in namespaces.
    std::string text(schema_text);
    text.replace(text.find("{ action view"), 13, "{ action look");
    auto schema = Schema::parse("schema", text);
    EXPECT_TRUE(schema) << schema.error().detail;
    return *schema;
  }();
  return made;
}

Validation validated(std::string_view policies) {
  const auto set = PolicySet::parse("f.cedar", policies);
  EXPECT_TRUE(set) << set.error().detail;
  return set ? validate(*set, schema()) : Validation();
}

std::string on_edit(std::string_view condition) {
  return "permit (principal, action == Action::\"edit\", resource) when { " +
         std::string(condition) + " };";
}

/// What is wrong with a condition on users who edit documents.
std::string problem(std::string_view condition) {
  const Validation found = validated(on_edit(condition));
  if (found.ok()) return "valid";
  return found.errors.front().message +
         (found.errors.front().hint.empty() ? "" : " | " + found.errors.front().hint);
}

TEST(CedarValidate, AcceptsWhatIsTypedRight) {
  for (const char* const condition : {
           "principal.name == \"a\" && principal.age + 1 > 2",
           "principal in Group::\"g\" || principal == User::\"u\"",
           "principal has boss && principal.boss.age > 3",
           "principal has boss.home.zip && principal.boss.home.zip like \"1*\"",
           "if principal has home then principal.home.city == \"a\" else false",
           "if principal has boss then principal.boss == principal else true",
           "principal.friends.contains(principal) && [principal].containsAny(principal.friends)",
           "principal.hasTag(\"x\") && principal.getTag(\"x\") == \"y\"",
           "context has reason && context.reason == \"why\"",
           "principal.score.lessThan(decimal(\"1.5\"))",
           "principal.born < datetime(\"2000-01-01\") && principal.born.toTime() < "
           "duration(\"1h\")",
           "resource in Folder::\"f\" && resource is Doc && resource.owner == principal",
           "{a: 1, b: {c: true}}.b.c",
           "[1, 2].isEmpty()",
           "action == Action::\"edit\"",
           "Color::\"red\" == Color::\"green\"",
           // What is never evaluated is never wrong.
           "false && principal.nonsense",
           "true || 1 + \"a\" == 2",
           "if principal is Robot then principal.nonsense else true",
           "principal == Robot::\"r\" && principal.nonsense",
           "action in Action::\"read\" && principal.nonsense",
           "1 == \"a\" || true",
       }) {
    EXPECT_EQ(problem(condition), "valid") << condition;
  }
}

TEST(CedarValidate, SaysWhatIsWrongAndWhatMayBeMeant) {
  const std::pair<const char*, const char*> cases[] = {
      {"principal.nam == \"a\"", "User has no attribute \"nam\" | did you mean name?"},
      {"context.reson == \"a\"", "this record has no attribute \"reson\" | did you mean reason?"},
      {"principal.boss.age > 3",
       "attribute \"boss\" may be absent | check it before: x has boss && x.boss ..."},
      {"principal.hasTag(\"x\") && principal.getTag(\"y\") == \"y\"",
       "this tag may be absent | check it before: x.hasTag(t) && x.getTag(t) ..."},
      {"resource.hasTag(\"x\") || resource.getTag(\"x\") == \"y\"",
       "this tag may be absent | check it before: x.hasTag(t) && x.getTag(t) ..."},
      {"principal in Grop::\"g\"", "the schema has no entity type Grop | did you mean Group?"},
      {"principal is Usr", "the schema has no entity type Usr | did you mean User?"},
      {"action == Action::\"edti\"", "the schema has no action \"edti\" | did you mean \"edit\"?"},
      {"action == Action::\"look\"",
       "the schema has no action Action::\"look\" | did you mean N::Action::\"look\"?"},
      {"context.reason == 1 || Color::\"rad\" == Color::\"red\"",
       "Color has no entity \"rad\" | did you mean \"red\"?"},
      {"principal.age", "Bool is expected here, this is Long"},
      {"principal.age == \"1\"", "values of these types are never equal: Long and String"},
      {"principal.age < \"1\"", "Long is expected here, this is String"},
      {"principal.name < \"1\"", "Long, datetime or duration is expected here, this is String"},
      {"principal.score < decimal(\"1.0\")",
       "Long, datetime or duration is expected here, this is decimal | decimals are compared with "
       ".lessThan() and the like"},
      {"principal.name + \"x\" == \"y\"",
       "Long is expected here, this is String | texts cannot be joined; compare them with == or "
       "like"},
      {"principal.name.contains(\"x\")",
       "a set is expected here, this is String | for a part of a text, use like"},
      {"principal.friends.contains(1)",
       "a set of the first never contains the second: User and Long"},
      {"principal.name in Group::\"g\"",
       "an entity is expected here, this is String | for a part of a text, use like"},
      {"[] == [1]", "an empty set has no type | to ask whether a set is empty, use .isEmpty()"},
      {"[1, \"a\"].contains(1)", "the elements of a set have one type, these are Long and String"},
      {"[User::\"a\", Group::\"b\"].contains(User::\"a\")",
       "the elements of a set have one type, these are User and Group | entities of different "
       "types cannot be mixed here"},
      {"(if principal.age > 1 then principal else resource) == principal",
       "the branches of this `if` have no common type: User and Doc | entities of different types "
       "cannot be mixed here"},
      {"principal.work == {city: \"a\", zip: \"b\"}",
       "values of these types are never equal: {city: String, zip?: String} and {city: String, "
       "zip: String} | an attribute is optional in only one of the records"},
      {"ip(principal.name) == ip(\"1.2.3.4\")", "ip is made of a text in quotes only"},
      {"principal.born.toDate(1) == principal.born", "toDate takes 1 argument, not 2"},
      {"principal.work == {city: \"a\"}",
       "values of these types are never equal: {city: String, zip?: String} and {city: String} | "
       "the records do not have the same attributes"},
      {"principal like \"a*\"",
       "String is expected here, this is User | for the type of an entity, use is"},
      {"principal.age has x", "an entity or a record is expected here, this is Long"},
  };
  for (const auto& [condition, wanted] : cases) {
    EXPECT_EQ(problem(condition), wanted) << condition;
  }
  EXPECT_NE(problem("ip(\"1.2.3\") == ip(\"1.2.3.4\")"), "valid");
}

TEST(CedarValidate, ShowsThePlace) {
  const Validation found = validated(
      "permit (principal, action, resource);\n"
      "@id(\"b\") forbid (principal is User, action == Action::\"edit\", resource)\n"
      "  unless { principal.frends.contains(principal) };\n");
  ASSERT_EQ(found.errors.size(), 1u);
  EXPECT_EQ(found.errors[0].to_string(),
            "f.cedar:3:22: policy \"policy1\": User has no attribute \"frends\"\n"
            "  3 |   unless { principal.frends.contains(principal) };\n"
            "    |                      ^^^^^^\n"
            "  hint: did you mean friends?");
}

TEST(CedarValidate, SaysInWhichRequestsWhereNotInAll) {
  const Validation found = validated(
      "permit (principal, action, resource is Doc) when { "
      "principal.age > 3 };");
  ASSERT_EQ(found.errors.size(), 1u);
  EXPECT_EQ(found.errors[0].message, "Robot has no attribute \"age\"");
  EXPECT_EQ(found.errors[0].hint, "this is when Robot does list on Doc");
}

TEST(CedarValidate, PoliciesThatNeverApplyAreWarnedOf) {
  const std::pair<const char*, Finding::Kind> cases[] = {
      {"permit (principal, action == Action::\"nothing\", resource);", Finding::Kind::inapplicable},
      {"permit (principal is Robot, action == Action::\"edit\", resource);",
       Finding::Kind::inapplicable},
      {"permit (principal == Group::\"g\", action, resource);", Finding::Kind::inapplicable},
      {"permit (principal, action, resource) when { false };", Finding::Kind::impossible},
      {"permit (principal, action == Action::\"edit\", resource) when { resource is Folder };",
       Finding::Kind::impossible},
  };
  for (const auto& [policy, kind] : cases) {
    const Validation found = validated(policy);
    EXPECT_TRUE(found.ok()) << policy;
    ASSERT_EQ(found.warnings.size(), 1u) << policy;
    EXPECT_EQ(found.warnings[0].kind, kind) << policy;
  }
  EXPECT_TRUE(validated("permit (principal, action, resource);").warnings.empty());
}

TEST(CedarValidate, HeadsAreChecked) {
  for (const char* const policy : {
           "permit (principal is Usr, action, resource);",
           "permit (principal in Grop::\"g\", action, resource);",
           "permit (principal is User in Grop::\"g\", action, resource);",
           "permit (principal, action == Action::\"vew\", resource);",
           "permit (principal, action in [Action::\"view\", Action::\"vew\"], resource);",
           "permit (principal, action in [], resource);",
           "permit (principal, action in [Action::\"view\", N::Action::\"look\"], resource);",
           "permit (principal, action, resource == Color::\"blue\");",
       }) {
    EXPECT_FALSE(validated(policy).ok()) << policy;
  }
}

TEST(CedarValidate, TemplatesAreCheckedForAllThatTheirSlotsMayBe) {
  EXPECT_TRUE(validated("permit (principal in ?principal, action, resource == ?resource);").ok());
  EXPECT_TRUE(validated("permit (principal is User in ?principal, action, resource) when { "
                        "principal.age > 3 };")
                  .ok());
  EXPECT_FALSE(
      validated("permit (principal == ?principal, action, resource) when { principal.age > 3 };")
          .ok());
}

TEST(CedarValidate, TextsThatChangeTheDirectionOfReadingAreWarnedOf) {
  const Validation found = validated(on_edit("principal.name == \"a\u202e\""));
  ASSERT_EQ(found.warnings.size(), 1u);
  EXPECT_EQ(found.warnings[0].kind, Finding::Kind::misleading);
}

TEST(CedarValidate, FindingsAreBounded) {
  std::string policies;
  for (std::size_t i = 0; i < findings_max + 10; ++i) {
    policies += "permit (principal is X" + std::to_string(i) + ", action, resource);";
  }
  EXPECT_EQ(validated(policies).errors.size(), findings_max);
}

}  // namespace
}  // namespace sallyport::cedar

#include "cedar/schema.h"

#include <gtest/gtest.h>

namespace sallyport::cedar {
namespace {

std::string problem(std::string_view text) {
  const auto schema = Schema::parse("f.cedarschema", text);
  return schema ? "accepted" : schema.error().detail;
}

std::string json_problem(std::string_view json) {
  const auto schema = Schema::parse_json("f.json", json);
  return schema ? "accepted" : schema.error().detail;
}

TEST(CedarSchema, AcceptsWhatTheLanguageAccepts) {
  for (const char* const text : {
           "",
           "entity Bool; entity B = {x: Bool};",
           "entity A = {\"true\": Long, \"\": Long};",
           "entity A in [];",
           "entity A in B; entity B in A;",
           "entity A enum [\"a\", \"a\"];",
           "entity A = {a: Action}; action x;",
           "action a attributes {};",
           "@a(\"x\") @b entity A = {@c d: Long};",
           "type A = {}; entity A; action x appliesTo {principal: A, resource: A, context: A,};",
           "namespace N {action a;} action b in [N::Action::\"a\"];",
           "namespace X {action y; action z in [y, \"y\", Action::\"y\", X::Action::\"y\"];}",
           "namespace X::Y {} namespace X {}",
           "entity principal; action a appliesTo {principal: principal, resource: principal};",
           "entity A = {a: __cedar::datetime, b: duration, c: Set<{d?: ipaddr}>} tags Set<String>;",
       }) {
    EXPECT_EQ(problem(text), "accepted") << text;
  }
}

TEST(CedarSchema, RefusesWhatTheLanguageRefuses) {
  for (const char* const text : {
           "entity __cedar;",
           "entity Action;",
           "type Bool = String;",
           "entity true;",
           "entity A = {in: Long};",
           "namespace __cedar {}",
           "namespace a::__cedar {}",
           "entity A in Action; action x;",
           "entity A = {a: Action};",
           "action x appliesTo {principal: Action, resource: Action};",
           "entity A; action x appliesTo {principal: A, resource: A, context: A};",
           "entity A; action x appliesTo {principal: A, resource: []};",
           "entity A; action x appliesTo {principal: [A,], resource: A};",
           "entity A; action x appliesTo {principal: A};",
           "entity A; action x appliesTo {principal: A, principal: A, resource: A};",
           "entity A; action x appliesTo {};",
           "entity A; action x appliesTo {principal: A, resource: A, context: __cedar::Bool};",
           "action x in [];",
           "action x in x;",
           "action x in A::\"y\";",
           "entity A in [A,];",
           "namespace N {} namespace N {}",
           "namespace N {entity A;} entity A;",
           "namespace N {type A = Long;} entity A;",
           "namespace N {action a;} action a;",
           "type A = {x: B}; type B = {y: A};",
           "type A = Boolean;",
           "type A = __cedar::Boolean;",
           "namespace N {entity E;} namespace M {entity G in E;}",
           "@a @a entity A;",
           "entity A enum [];",
           "entity A enum [\"a\"] tags Long;",
           "entity A, A;",
           "action \"a\", a;",
           "entity A = {a: Set};",
           "entity A = {a: Long, a: Long};",
       }) {
    EXPECT_NE(problem(text), "accepted") << text;
  }
}

TEST(CedarSchema, AnErrorShowsThePlaceAndTheNearestName) {
  EXPECT_EQ(problem("entity User;\nentity Doc in [Usr];"),
            "f.cedarschema:2:16: there is no entity type Usr (hint: did you mean User?)\n"
            "  2 | entity Doc in [Usr];\n"
            "    |                ^^^");
}

TEST(CedarSchema, NamesAreLookedForInTheirNamespaceFirst) {
  const auto schema = Schema::parse("f", R"(
      namespace N { entity ipaddr; entity B = {x: ipaddr, y: __cedar::ipaddr}; }
      entity C = {x: ipaddr};)");
  ASSERT_TRUE(schema) << schema.error().detail;
  EXPECT_EQ(schema->entity("N::B")->shape.to_string(), "{x: N::ipaddr, y: ipaddr}");
  EXPECT_EQ(schema->entity("C")->shape.to_string(), "{x: ipaddr}");
}

TEST(CedarSchema, HierarchiesAreClosed) {
  const auto schema = Schema::parse("f", R"(
      entity A in B; entity B in C; entity C; entity X in X;
      action read; action list in read; action peek in list;)");
  ASSERT_TRUE(schema) << schema.error().detail;
  EXPECT_TRUE(schema->may_be_in("A", "C"));
  EXPECT_TRUE(schema->may_be_in("A", "A"));
  EXPECT_FALSE(schema->may_be_in("C", "A"));
  EXPECT_TRUE(schema->may_be_in("Action", "Action"));
  EXPECT_FALSE(schema->may_be_in("Action", "A"));
  EXPECT_TRUE(schema->action("Action", "peek")->is_in("Action", "read"));
  EXPECT_FALSE(schema->action("Action", "read")->is_in("Action", "peek"));
}

TEST(CedarSchema, TheJsonFormSaysTheSame) {
  const auto schema = Schema::parse_json("f", R"({
    "N": {
      "annotations": {"doc": "x"},
      "commonTypes": {"T": {"type": "Record", "attributes": {
        "a": {"type": "Long", "required": false},
        "b": {"type": "Set", "element": {"type": "EntityOrCommon", "name": "User"}}}}},
      "entityTypes": {
        "User": {"memberOfTypes": ["Group"], "shape": {"type": "T"}, "tags": {"type": "String"}},
        "Group": {},
        "Color": {"enum": ["red", "green"]}},
      "actions": {
        "read": {},
        "view": {"memberOf": [{"id": "read"}],
          "appliesTo": {"principalTypes": ["User"], "resourceTypes": ["N::Group"],
            "context": {"type": "Record", "attributes": {
              "ip": {"type": "Extension", "name": "ipaddr"},
              "who": {"type": "Entity", "name": "User"}}}}}}
    }})");
  ASSERT_TRUE(schema) << schema.error().detail;
  EXPECT_EQ(schema->entity("N::User")->shape.to_string(), "{a?: Long, b: Set<N::User>}");
  EXPECT_EQ(schema->entity("N::User")->tags->to_string(), "String");
  EXPECT_EQ(schema->entity("N::Color")->ids, (std::vector<std::string>{"red", "green"}));
  const ActionType* const view = schema->action("N::Action", "view");
  ASSERT_NE(view, nullptr);
  EXPECT_TRUE(view->is_in("N::Action", "read"));
  EXPECT_EQ(view->context.to_string(), "{ip: ipaddr, who: N::User}");
}

TEST(CedarSchema, TheJsonFormIsReadStrictly) {
  const auto entity = [](std::string_view json) {
    return json_problem(R"({"": {"actions": {}, "entityTypes": {"A": )" + std::string(json) +
                        "}}}");
  };
  EXPECT_EQ(entity("{}"), "accepted");
  EXPECT_EQ(entity(R"({"shape": {"type": "Record", "attributes": {"x": {"type": "Lon"}}}})"),
            "f.json: \"\"/entityTypes/A/shape/attributes/x: there is no type Lon (hint: did you "
            "mean Long?)");
  for (const char* const json :
       {"[]", "{\"members\": []}", "{\"enum\": []}", "{\"enum\": [\"a\"], \"memberOfTypes\": []}",
        "{\"shape\": {\"type\": \"String\"}}", "{\"shape\": {\"type\": \"Record\"}}",
        R"({"shape": {"type": "Record", "attributes": {}, "additionalAttributes": true}})",
        R"({"shape": {"type": "Record", "attributes": {"x": {"type": "Long", "element": {}}}}})",
        R"({"tags": {"type": "Set"}})", R"({"tags": {"type": "Extension", "name": "ip"}})",
        R"({"tags": {"type": "Entity", "name": "A B"}})", R"({"tags": {"type": "Long"},
           "tags": {"type": "Long"}})",
        "null"}) {
    EXPECT_NE(entity(json), "accepted") << json;
  }
  EXPECT_NE(json_problem("{\"\": {\"actions\": {}}}"), "accepted");
  EXPECT_NE(json_problem("[]"), "accepted");
  EXPECT_NE(json_problem("{"), "accepted");
}

TEST(CedarSchema, SizesAreBounded) {
  EXPECT_NE(problem(std::string(schema_bytes_max + 1, ' ')), "accepted");
  std::string deep = "type T = ";
  for (int i = 0; i < 1'000; ++i) deep += "Set<";
  EXPECT_NE(problem(deep).find("deep"), std::string::npos);
  // Each type has the one before twice: 2^40 of them, were they all written out.
  std::string wide = "type T0 = Long;";
  for (int i = 1; i <= 40; ++i) {
    wide += "type T" + std::to_string(i) + " = {a: T" + std::to_string(i - 1) + ", b: T" +
            std::to_string(i - 1) + "};";
  }
  EXPECT_NE(problem(wide).find("too large"), std::string::npos);
  std::string chain = "entity E0;";
  for (int i = 1; i < 5'000; ++i) {
    chain += "entity E" + std::to_string(i) + " in E" + std::to_string(i - 1) + ";";
  }
  EXPECT_NE(problem(chain).find("too large"), std::string::npos);
}

}  // namespace
}  // namespace sallyport::cedar

#include "cedar/conform.h"

#include <gtest/gtest.h>

#include "cedar/json.h"

namespace sallyport::cedar {
namespace {

const Schema& schema() {
  static const Schema made = *Schema::parse("schema", R"(
      entity Team in [Company]; entity Company;
      entity User in [Team] = {name: String, age?: Long, friends: Set<User>, color?: Color}
        tags Set<String>;
      entity Color enum ["red", "green"];
      action read; action view in read appliesTo {
        principal: User, resource: [Color, Team], context: {ip: ipaddr, x?: {a: decimal}, c?: Color}
      };)");
  return made;
}

std::string entity_problem(std::string_view json) {
  auto entities = entities_from_json("[" + std::string(json) + "]", &schema());
  if (!entities) return entities.error().detail;
  return misfit(*entities, schema()).value_or("fits");
}

std::string user(std::string_view more) {
  return R"({"uid": {"type": "User", "id": "u"}, )" + std::string(more) + "}";
}

TEST(CedarConform, AnEntityIsWhatTheSchemaSays) {
  EXPECT_EQ(entity_problem(user(R"("attrs": {"name": "n", "friends": []}, "parents": [])")),
            "fits");
  EXPECT_EQ(entity_problem(user(R"("attrs": {"name": "n", "age": 3,
      "friends": [{"type": "User", "id": "v"}], "color": {"type": "Color", "id": "red"}},
      "parents": [{"type": "Team", "id": "t"}, {"type": "Company", "id": "c"}],
      "tags": {"a": ["x"]})")),
            "fits");
}

TEST(CedarConform, WhatIsNotIsNamed) {
  const auto with = [](std::string_view attributes, std::string_view more = R"("parents": [])") {
    return entity_problem(
        user(R"("attrs": {)" + std::string(attributes) + "}, " + std::string(more)));
  };
  EXPECT_EQ(with(R"("name": "n")"), "User::\"u\": \"friends\" is missing");
  EXPECT_EQ(with(R"("name": 1, "friends": [])"),
            "User::\"u\": \"name\": String is expected, not long");
  EXPECT_EQ(with(R"("name": "n", "friends": [], "nick": "x")"),
            "User::\"u\": \"nick\" is not an attribute here");
  EXPECT_EQ(with(R"("name": "n", "friends": [], "aaa": "x")"),
            "User::\"u\": \"aaa\" is not an attribute here");
  EXPECT_EQ(with(R"("name": "n", "friends": [{"type": "Team", "id": "v"}])"),
            "User::\"u\": \"friends\": User is expected, not Team");
  EXPECT_EQ(with(R"("name": "n", "friends": [], "color": {"type": "Color", "id": "blue"})"),
            "User::\"u\": \"color\": Color has no entity \"blue\"");
  EXPECT_EQ(with(R"("name": "n", "friends": [])", R"("parents": [{"type": "User", "id": "v"}])"),
            "User::\"u\": entities of type User are not in a User");
  EXPECT_EQ(with(R"("name": "n", "friends": [])", R"("parents": [], "tags": {"a": ["x", 1]})"),
            "User::\"u\": \"a\": String is expected, not long");
  EXPECT_EQ(entity_problem(R"({"uid": {"type": "Robot", "id": "r"}, "attrs": {}, "parents": []})"),
            "Robot::\"r\": the schema has no entity type Robot");
  EXPECT_EQ(entity_problem(R"({"uid": {"type": "Color", "id": "x"}, "attrs": {}, "parents": []})"),
            "Color::\"x\": Color has no entity \"x\"");
  EXPECT_EQ(entity_problem(R"({"uid": {"type": "Team", "id": "x"}, "attrs": {}, "parents": [],
                               "tags": {"a": ["x"]}})"),
            "Team::\"x\": entities of type Team have no tags");
}

TEST(CedarConform, AnActionIsExactlyAsDeclared) {
  EntityBuilder builder;
  Arena& arena = builder.arena();
  const EntityUid* const parent = arena.uid("Action", "other");
  builder.add(arena.uid("Action", "view"), std::span(&parent, 1), {});
  const auto entities = builder.finish();
  ASSERT_TRUE(entities);
  EXPECT_EQ(misfit(*entities, schema()),
            "Action::\"view\": the schema declares this action otherwise");
  EntityBuilder declared;
  schema().add_actions(declared);
  EXPECT_EQ(misfit(*declared.finish(), schema()), std::nullopt);
}

TEST(CedarConform, ARequestIsWhatItsActionIsFor) {
  Arena arena;
  const auto ask = [&](const EntityUid* principal, std::string_view action,
                       const EntityUid* resource, std::string_view context) {
    const Request request{
        principal, arena.uid("Action", action), resource,
        *value_from_json(context, arena, &schema().action("Action", "view")->context)};
    return misfit(request, schema()).value_or("fits");
  };
  const EntityUid* const alice = arena.uid("User", "alice");
  const EntityUid* const red = arena.uid("Color", "red");
  EXPECT_EQ(ask(alice, "view", red, R"({"ip": "10.0.0.1"})"), "fits");
  EXPECT_EQ(ask(alice, "view", red, R"({"ip": "10.0.0.1", "x": {"a": "1.5"}})"), "fits");
  EXPECT_EQ(ask(alice, "look", red, R"({"ip": "10.0.0.1"})"),
            "the schema has no action Action::\"look\"");
  EXPECT_EQ(ask(red, "view", red, R"({"ip": "10.0.0.1"})"),
            "the action is not for principals of type Color");
  EXPECT_EQ(ask(alice, "view", alice, R"({"ip": "10.0.0.1"})"),
            "the action is not for resources of type User");
  EXPECT_EQ(ask(alice, "read", red, R"({"ip": "10.0.0.1"})"),
            "the action is not for principals of type User");
  EXPECT_EQ(ask(alice, "view", arena.uid("Color", "x"), R"({"ip": "10.0.0.1"})"),
            "Color has no entity \"x\"");
  EXPECT_EQ(ask(alice, "view", red, "{}"), "the context: \"ip\" is missing");
  EXPECT_EQ(ask(alice, "view", red, R"({"ip": "10.0.0.1", "x": {}})"),
            "the context: \"x\": \"a\" is missing");
  EXPECT_EQ(ask(alice, "view", red, R"({"ip": "10.0.0.1", "c": {"type": "Color", "id": "x"}})"),
            "the context: \"c\": Color has no entity \"x\"");
}

}  // namespace
}  // namespace sallyport::cedar

// Every operator, as conditions with a known outcome: true, false, or an evaluation error.

#include "cedar/evaluate.h"

#include <gtest/gtest.h>

#include "cedar/authorize.h"
#include "cedar/json.h"

namespace sallyport::cedar {
namespace {

constexpr std::string_view entities_json = R"([
  {"uid": {"type": "User", "id": "alice"}, "parents": [{"type": "Group", "id": "staff"}],
   "attrs": {"name": "Alice", "age": 30, "manager": {"__entity": {"type": "User", "id": "bob"}},
             "roles": ["a", "b"], "address": {"city": "Bonn", "geo": {"lat": 1}}, "": 1},
   "tags": {"team": "red", "level": 5}},
  {"uid": {"type": "User", "id": "bob"}, "parents": [], "attrs": {}},
  {"uid": {"type": "Group", "id": "staff"}, "parents": [{"type": "Group", "id": "all"}],
   "attrs": {}},
  {"uid": {"type": "Group", "id": "all"}, "parents": [], "attrs": {}}
])";

enum Outcome { no, yes, error };

Outcome outcome(std::string_view condition) {
  const auto set = PolicySet::parse(
      "t", "permit (principal, action, resource) when { " + std::string(condition) + " };");
  EXPECT_TRUE(set) << condition << ": " << set.error().detail;
  static const auto entities = entities_from_json(entities_json);
  EXPECT_TRUE(entities) << entities.error().detail;
  Arena arena;
  const auto context = value_from_json(R"({"n": 1, "s": "text", "r": {"x": [1, 2]}})", arena);
  if (!set || !entities || !context) return error;
  const Answer answer = set->authorize(
      {arena.uid("User", "alice"), arena.uid("Action", "view"), arena.uid("Doc", "d"), *context},
      *entities);
  if (!answer.errors.empty()) {
    EXPECT_FALSE(answer.allowed);
    return error;
  }
  return answer.allowed ? yes : no;
}

struct Row {
  const char* condition;
  Outcome expected;
};

void check(std::initializer_list<Row> rows) {
  for (const Row& row : rows) EXPECT_EQ(outcome(row.condition), row.expected) << row.condition;
}

TEST(Evaluate, Junctions) {
  check({
      {"true && true", yes},
      {"true && false", no},
      {"false && (1 + true == 1)", no},
      {"true && 1", error},
      {"1 && true", error},
      {"false || true", yes},
      {"false || false", no},
      {"true || (1 + true == 1)", yes},
      {"false || 1", error},
      {"1 || true", error},
      {"true && true && false && (1 < \"a\")", no},
      {"false || false || true || (1 < \"a\")", yes},
      {"1", error},
      {"\"true\"", error},
      {"!true", no},
      {"!!true", yes},
      {"!1", error},
      {"!!!!false", no},
  });
}

TEST(Evaluate, Choices) {
  check({
      {"if true then true else 1 < \"a\"", yes},
      {"if false then 1 < \"a\" else true", yes},
      {"if 1 then true else true", error},
      {"if true then 1 else true", error},
      {"(if principal.age > 20 then \"x\" else 2) == \"x\"", yes},
  });
}

TEST(Evaluate, Equality) {
  check({
      {"1 == 1", yes},
      {"1 != 1", no},
      {"1 == \"1\"", no},
      {"1 != \"1\"", yes},
      {"true == 1", no},
      {"[1, 2] == [2, 1]", yes},
      {"[1, 1, 2] == [2, 1]", yes},
      {"[1] == [1, 2]", no},
      {"[] == {}", no},
      {"{a: 1, b: 2} == {b: 2, a: 1}", yes},
      {"{a: 1} == {a: 1, b: 2}", no},
      {"[[1], {a: 1}, \"x\"] == [{\"a\": 1}, \"x\", [1, 1]]", yes},
      {"User::\"alice\" == principal", yes},
      {"User::\"alice\" == Group::\"alice\"", no},
      {"User::\"x\" == Ns::User::\"x\"", no},
      {"\"a\" == \"A\"", no},
      {"principal.nope == 1", error},
      {"1 == principal.nope", error},
  });
}

TEST(Evaluate, Order) {
  check({
      {"1 < 2", yes},
      {"2 < 1", no},
      {"2 <= 2", yes},
      {"3 > 2", yes},
      {"2 >= 3", no},
      {"1 < \"2\"", error},
      {"\"a\" < \"b\"", error},
      {"true < false", error},
      {"principal < principal", error},
      {"datetime(\"2024-01-01\") < datetime(\"2024-01-02\")", yes},
      {"datetime(\"2024-01-01\") >= datetime(\"2024-01-02\")", no},
      {"duration(\"1h\") > duration(\"59m\")", yes},
      {"duration(\"60m\") <= duration(\"1h\")", yes},
      {"duration(\"1h\") < datetime(\"2024-01-01\")", error},
      {"1 < duration(\"1h\")", error},
      {"decimal(\"1.0\") < decimal(\"2.0\")", error},
  });
}

TEST(Evaluate, Arithmetic) {
  check({
      {"1 + 2 == 3", yes},
      {"1 - 2 == -1", yes},
      {"2 * 3 == 6", yes},
      {"1 + 2 * 3 == 7", yes},
      {"10 - 3 - 2 == 5", yes},
      {"-principal.age == -30", yes},
      {"9223372036854775807 + 1 == 0", error},
      {"-9223372036854775808 - 1 == 0", error},
      {"-9223372036854775808 == -9223372036854775807 - 1", yes},
      {"--9223372036854775808 == 0", error},
      {"4611686018427387904 * 2 == 0", error},
      {"-4611686018427387904 * 2 == -9223372036854775808", yes},
      {"-9223372036854775808 * -1 == 0", error},
      {"1 + \"1\" == 2", error},
      {"-true", error},
  });
}

TEST(Evaluate, Membership) {
  check({
      {"principal in principal", yes},
      {"principal in Group::\"staff\"", yes},
      {"principal in Group::\"all\"", yes},
      {"principal in Group::\"none\"", no},
      {"principal in User::\"bob\"", no},
      {"Group::\"staff\" in Group::\"all\"", yes},
      {"Group::\"all\" in Group::\"staff\"", no},
      {"User::\"ghost\" in User::\"ghost\"", yes},
      {"User::\"ghost\" in Group::\"all\"", no},
      {"principal in [Group::\"none\", Group::\"all\"]", yes},
      {"principal in []", no},
      {"principal in [Group::\"all\", 1]", error},
      {"principal in 1", error},
      {"1 in Group::\"all\"", error},
      {"principal is User", yes},
      {"principal is Group", no},
      {"principal is Ns::User", no},
      {"1 is User", error},
      {"principal is User in Group::\"all\"", yes},
      {"principal is Group in 1", no},
      {"principal is User in 1", error},
      {"action is Action", yes},
  });
}

TEST(Evaluate, AttributesAndTags) {
  check({
      {"principal.name == \"Alice\"", yes},
      {"principal[\"name\"] == \"Alice\"", yes},
      {"principal[\"\"] == 1", yes},
      {"principal.address.geo.lat == 1", yes},
      {"principal.manager has name", no},
      {"principal.nope == 1", error},
      {"User::\"ghost\".name == \"x\"", error},
      {"User::\"ghost\" has name", no},
      {"principal has name", yes},
      {"principal has \"name\"", yes},
      {"principal has address.geo.lat", yes},
      {"principal has address.geo.lng", no},
      {"principal has nope.geo.lat", no},
      {"principal has name.x", error},
      {"principal has manager.name", no},
      {"1 has x", error},
      {"1.x == 1", error},
      {"{a: {b: 1}}.a.b == 1", yes},
      {"{a: 1} has a", yes},
      {"{a: 1} has b", no},
      {"{a: 1}.b == 1", error},
      {"context.r.x.contains(2)", yes},
      {"context has s && context.s == \"text\"", yes},
      {"principal.hasTag(\"team\")", yes},
      {"principal.hasTag(\"nope\")", no},
      {"principal.hasTag(1)", error},
      {"User::\"ghost\".hasTag(\"team\")", no},
      {"principal.getTag(\"team\") == \"red\"", yes},
      {"principal.getTag(\"nope\") == \"red\"", error},
      {"User::\"ghost\".getTag(\"team\") == 1", error},
      {"{team: 1}.hasTag(\"team\")", error},
      {"principal has team", no},
  });
}

TEST(Evaluate, Sets) {
  check({
      {"[1, 2].contains(1)", yes},
      {"[1, 2].contains(\"1\")", no},
      {"[[1]].contains([1, 1])", yes},
      {"1.contains(1)", error},
      {"[1, 2, 3].containsAll([3, 1])", yes},
      {"[1].containsAll([1, 2])", no},
      {"[1].containsAll([])", yes},
      {"[1].containsAll(1)", error},
      {"[1, 2].containsAny([2, 9])", yes},
      {"[1, 2].containsAny([9])", no},
      {"[1].containsAny([])", no},
      {"1.containsAny([1])", error},
      {"[].isEmpty()", yes},
      {"[1].isEmpty()", no},
      {"{}.isEmpty()", error},
      {"[principal.age, 1] == [1, 30]", yes},
      {"[principal.nope].isEmpty()", error},
      {"{a: principal.nope} has a", error},
      {"principal.roles == [\"b\", \"a\"]", yes},
  });
}

TEST(Evaluate, Patterns) {
  check({
      {"\"hello\" like \"hello\"", yes},
      {"\"hello\" like \"h*o\"", yes},
      {"\"hello\" like \"*\"", yes},
      {"\"\" like \"*\"", yes},
      {"\"\" like \"\"", yes},
      {"\"a\" like \"\"", no},
      {"\"hello\" like \"h*l\"", no},
      {"\"hello\" like \"*ell*\"", yes},
      {"\"aXbXc\" like \"a*X*c\"", yes},
      {"\"ab\" like \"ab*b\"", no},
      {"\"abab\" like \"*ab*ab\"", yes},
      {"\"aba\" like \"ab*ba\"", no},
      {"\"a*b\" like \"a\\*b\"", yes},
      {"\"axb\" like \"a\\*b\"", no},
      {"\"a\\\\b\" like \"a\\\\*\"", yes},
      {"\"\\u{1f600}!\" like \"\\u{1f600}*\"", yes},
      {"\"a\\nb\" like \"a*b\"", yes},
      {"1 like \"*\"", error},
      {"principal like \"*\"", error},
  });
}

TEST(Evaluate, ManyStarsDoNotTakeForever) {
  const std::string text(2'000, 'a');
  std::string pattern;
  for (int i = 0; i < 500; ++i) pattern += "a*";
  EXPECT_EQ(outcome("\"" + text + "\" like \"" + pattern + "b\""), no);
}

TEST(Evaluate, Strings) {
  check({
      {"\"\\x41\" == \"A\"", yes},
      {"\"\\u{41}\" == \"A\"", yes},
      {"\"\\u{0_0_41}\" == \"A\"", yes},
      {"\"\\'\" == \"'\"", yes},
      {"\"\\\"\" == \"\\u{22}\"", yes},
      {"\"\\0\" == \"\"", no},
      {"\"\\t\" == \"\t\"", yes},
      {"\"\u00e9\" == \"\\u{e9}\"", yes},
      {"\"e\u0301\" == \"\u00e9\"", no},
  });
}

TEST(Evaluate, Addresses) {
  check({
      {"ip(\"10.0.0.1\") == ip(\"10.0.0.1\")", yes},
      {"ip(\"10.0.0.1\") == ip(\"10.0.0.1/32\")", yes},
      {"ip(\"10.0.0.1/8\") == ip(\"10.0.0.0/8\")", no},
      {"ip(\"::1\") == ip(\"0:0:0:0:0:0:0:1\")", yes},
      {"ip(\"10.1.2.3\").isInRange(ip(\"10.0.0.0/8\"))", yes},
      {"ip(\"10.1.2.3\").isInRange(ip(\"10.1.2.3/7\"))", yes},
      {"ip(\"10.0.0.0/7\").isInRange(ip(\"10.0.0.0/8\"))", no},
      {"ip(\"11.1.2.3\").isInRange(ip(\"10.0.0.0/8\"))", no},
      {"ip(\"1.2.3.4\").isInRange(ip(\"0.0.0.0/0\"))", yes},
      {"ip(\"1.2.3.4\").isInRange(ip(\"::/0\"))", no},
      {"ip(\"2001:db8::5\").isInRange(ip(\"2001:db8::/33\"))", yes},
      {"ip(\"127.0.0.1\").isLoopback()", yes},
      {"ip(\"127.0.0.0/8\").isLoopback()", yes},
      {"ip(\"127.0.0.0/7\").isLoopback()", no},
      {"ip(\"::1\").isLoopback()", yes},
      {"ip(\"::1/127\").isLoopback()", no},
      {"ip(\"224.1.1.1\").isMulticast()", yes},
      {"ip(\"224.0.0.0/3\").isMulticast()", no},
      {"ip(\"ff02::1\").isMulticast()", yes},
      {"ip(\"ff00::/7\").isMulticast()", no},
      {"ip(\"::1\").isIpv4()", no},
      {"ip(\"::1\").isIpv6()", yes},
      {"ip(\"1.2.3\").isIpv4()", error},
      {"ip(\"01.2.3.4\").isIpv4()", error},
      {"ip(\"1.2.3.256\").isIpv4()", error},
      {"ip(\"1.2.3.4/33\").isIpv4()", error},
      {"ip(\"1.2.3.4/08\").isIpv4()", error},
      {"ip(\"1.2.3.4/\").isIpv4()", error},
      {"ip(\"1.2.3.4/-1\").isIpv4()", error},
      {"ip(\"::ffff:1.2.3.4\").isIpv6()", error},
      {"ip(\"1::2::3\").isIpv6()", error},
      {"ip(\"::1/129\").isIpv6()", error},
      {"ip(\" 1.2.3.4\").isIpv4()", error},
      {"ip(1).isIpv4()", error},
      {"ip(\"1.2.3.4\", \"x\").isIpv4()", error},
      {"ip(\"1.2.3.4\").isIpv4(1)", error},
      {"\"1.2.3.4\".isIpv4()", error},
      {"false && ip(\"nonsense\").isIpv4()", no},
  });
}

TEST(Evaluate, Decimals) {
  check({
      {"decimal(\"1.5\") == decimal(\"1.5000\")", yes},
      {"decimal(\"-0.0\") == decimal(\"0.0\")", yes},
      {"decimal(\"1.5\").lessThan(decimal(\"1.6\"))", yes},
      {"decimal(\"-1.5\").lessThan(decimal(\"-1.6\"))", no},
      {"decimal(\"1.5\").lessThanOrEqual(decimal(\"1.5\"))", yes},
      {"decimal(\"1.5\").greaterThan(decimal(\"1.4999\"))", yes},
      {"decimal(\"1.5\").greaterThanOrEqual(decimal(\"1.5001\"))", no},
      {"decimal(\"922337203685477.5807\") == decimal(\"922337203685477.5807\")", yes},
      {"decimal(\"-922337203685477.5808\") == decimal(\"-922337203685477.5808\")", yes},
      {"decimal(\"922337203685477.5808\") == 1", error},
      {"decimal(\"99999999999999999999999999.0\") == 1", error},
      {"decimal(\"1.23456\") == 1", error},
      {"decimal(\"1\") == 1", error},
      {"decimal(\"1.\") == 1", error},
      {"decimal(\".5\") == 1", error},
      {"decimal(\"+1.5\") == 1", error},
      {"decimal(\"1e5\") == 1", error},
      {"decimal(\"-\") == 1", error},
      {"decimal(\"\") == 1", error},
      {"decimal(\"1.5\").lessThan(1)", error},
  });
}

TEST(Evaluate, Times) {
  check({
      {"datetime(\"1970-01-01\") == datetime(\"1970-01-01T00:00:00Z\")", yes},
      {"datetime(\"2024-02-29\") == datetime(\"2024-02-29T00:00:00.000Z\")", yes},
      {"datetime(\"2024-01-01T01:00:00+0100\") == datetime(\"2024-01-01\")", yes},
      {"datetime(\"2023-12-31T23:30:00-0030\") == datetime(\"2024-01-01\")", yes},
      {"datetime(\"0000-01-01\") < datetime(\"9999-12-31\")", yes},
      {"datetime(\"2023-02-29\") == 1", error},
      {"datetime(\"2024-13-01\") == 1", error},
      {"datetime(\"2024-1-1\") == 1", error},
      {"datetime(\"2024-01-01T24:00:00Z\") == 1", error},
      {"datetime(\"2024-01-01T00:00:60Z\") == 1", error},
      {"datetime(\"2024-01-01T00:00:00\") == 1", error},
      {"datetime(\"2024-01-01T00:00:00.0Z\") == 1", error},
      {"datetime(\"2024-01-01T00:00:00+2400\") == 1", error},
      {"datetime(\"2024-01-01T00:00:00+0060\") == 1", error},
      {"datetime(\"2024-01-01Z\") == 1", error},
      {"datetime(\"2024-01-01T00:00:00z\") == 1", error},
      {"datetime(\"2024-01-01\").offset(duration(\"1d\")) == datetime(\"2024-01-02\")", yes},
      {"datetime(\"2024-01-01\").offset(duration(\"9223372036854775807ms\")) == 1", error},
      {"datetime(\"2024-01-02\").durationSince(datetime(\"2024-01-01\")) == duration(\"24h\")",
       yes},
      {"datetime(\"2024-01-01T13:14:15Z\").toDate() == datetime(\"2024-01-01\")", yes},
      {"datetime(\"1969-12-31T13:14:15Z\").toDate() == datetime(\"1969-12-31\")", yes},
      {"datetime(\"1969-12-31T13:00:00Z\").toTime() == duration(\"13h\")", yes},
      {"datetime(\"1970-01-01\").offset(duration(\"-9223372036854775808ms\")).toDate() == 1",
       error},
      {"duration(\"1d2h3m4s5ms\").toMilliseconds() == 93784005", yes},
      {"duration(\"-1500ms\").toSeconds() == -1", yes},
      {"duration(\"90s\").toMinutes() == 1", yes},
      {"duration(\"-25h\").toDays() == -1", yes},
      {"duration(\"49h\").toHours() == 49", yes},
      {"duration(\"-9223372036854775808ms\") < duration(\"0ms\")", yes},
      {"duration(\"9223372036854775808ms\") == 1", error},
      {"duration(\"106751991168d\") == 1", error},
      {"duration(\"1h1d\") == 1", error},
      {"duration(\"1h1h\") == 1", error},
      {"duration(\"\") == 1", error},
      {"duration(\"-\") == 1", error},
      {"duration(\"1\") == 1", error},
      {"duration(\"1.5h\") == 1", error},
      {"duration(\"--1h\") == 1", error},
      {"duration(\"1h-1m\") == 1", error},
      {"duration(\"1ms1s\") == 1", error},
      {"duration(\"00001h\") == duration(\"1h\")", yes},
      {"duration(\"1h\").offset(duration(\"1h\")) == 1", error},
      {"duration(\"1h\") + duration(\"1h\") == 1", error},
  });
}

}  // namespace
}  // namespace sallyport::cedar

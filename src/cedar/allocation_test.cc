// That answering allocates nothing once a Scratch is warm, and that it finds the same policies as
// looking at all of them would. Counts what the whole test program allocates.

#include <gtest/gtest.h>

#include "base/count_allocations.h"
#include "cedar/authorize.h"
#include "cedar/extension.h"

namespace sallyport::cedar {
namespace {

// Every way of naming a principal, an action and a resource in a head, and every kind of value.
constexpr std::string_view policies_text = R"(
  @id("all") permit (principal, action, resource) when { context.mfa };
  @id("user") permit (principal == User::"alice", action, resource);
  @id("other-user") permit (principal == User::"bob", action, resource);
  @id("group") permit (principal in Group::"all", action, resource);
  @id("other-group") permit (principal in Group::"none", action, resource);
  @id("type") permit (principal is User, action, resource);
  @id("other-type") permit (principal is Robot, action, resource);
  @id("type-in") permit (principal is User in Group::"all", action, resource is Doc in Folder::"f");
  @id("action") permit (principal, action == Action::"view", resource);
  @id("actions") permit (principal, action in [Action::"read", Action::"view"], resource);
  @id("other-action") permit (principal, action == Action::"edit", resource);
  @id("doc") permit (principal, action, resource == Doc::"d");
  @id("folder") permit (principal, action in Action::"read", resource in Folder::"f");
  @id("other-folder") permit (principal, action, resource in Folder::"g");
  @id("doc-type") permit (principal, action, resource is Doc);
  @id("values") permit (principal, action, resource) when {
    {a: 1 + context.n, b: [context.n, 2]}.b.contains(context.n) &&
    [principal, resource].contains(principal) && context.ip.isInRange(ip("10.0.0.0/8")) &&
    context.at < datetime("2030-01-01") && context.name like "a*c" &&
    principal.hasTag("team") && principal.getTag("team") == "blue" &&
    resource.owner == principal && resource has owner.level && resource.owner.level > 3 &&
    [Folder::"x", Folder::"f"].containsAny([Folder::"f"]) && resource in [Folder::"f", Folder::"x"]
  };
  @id("never") forbid (principal, action, resource) unless { context.mfa };
)";

class Allocations : public testing::Test {
 protected:
  void SetUp() override {
    auto parsed =
        PolicySet::parse({{"test.cedar", std::string(policies_text)}}, Ids::from_annotation);
    ASSERT_TRUE(parsed) << parsed.error().detail;
    policies = std::move(*parsed);
    EntityBuilder builder;
    Arena& made = builder.arena();
    const EntityUid* const read = made.uid("Action", "read");
    const EntityUid* const all = made.uid("Group", "all");
    const EntityUid* const staff = made.uid("Group", "staff");
    const EntityUid* const folder = made.uid("Folder", "f");
    const Field level[] = {{"level", Value::number(4)}};
    const Field team[] = {{"team", Value::borrow("blue")}};
    const Field owner[] = {{"owner", made.entity("User", "alice")}};
    builder.add(read, {}, {});
    builder.add(made.uid("Action", "view"), std::span(&read, 1), {});
    builder.add(staff, std::span(&all, 1), {});
    builder.add(made.uid("User", "alice"), std::span(&staff, 1), made.record(level),
                made.record(team));
    builder.add(made.uid("Doc", "d"), std::span(&folder, 1), made.record(owner));
    auto finished = builder.finish();
    ASSERT_TRUE(finished);
    entities = std::move(*finished);
    const Field context[] = {{"mfa", Value::boolean(true)},
                             {"n", Value::number(7)},
                             {"name", Value::borrow("abc")},
                             {"at", Value::datetime(1'700'000'000'000)},
                             {"ip", arena.ip(*parse_ip("10.1.2.3"))}};
    request = {arena.uid("User", "alice"), arena.uid("Action", "view"), arena.uid("Doc", "d"),
               arena.record(context)};
  }

  Arena arena;
  PolicySet policies;
  Entities entities;
  Request request;
};

TEST_F(Allocations, AnsweringAllocatesNothing) {
  Scratch scratch;
  ASSERT_TRUE(policies.authorize(request, entities, scratch).allowed);
  const std::uint64_t before = allocations.count.load();
  std::uint64_t allowed = 0;
  for (int i = 0; i < 1'000; ++i) {
    allowed += policies.authorize(request, entities, scratch).allowed ? 1 : 0;
  }
  const std::uint64_t after = allocations.count.load();
  EXPECT_EQ(after - before, 0u);
  EXPECT_EQ(allowed, 1'000u);
  delete new int(1);
  EXPECT_EQ(allocations.count.load() - after, 1u) << "the count does not count";
}

TEST_F(Allocations, TheIndexFindsWhatLookingAtAllPoliciesFinds) {
  const Answer answer = policies.authorize(request, entities);
  std::vector<std::string> reasons;
  for (const Policy* const policy : answer.reasons) reasons.push_back(policy->id);
  EXPECT_EQ(reasons, (std::vector<std::string>{"all", "user", "group", "type", "type-in", "action",
                                               "actions", "doc", "folder", "doc-type", "values"}));
  EXPECT_TRUE(answer.errors.empty());
}

}  // namespace
}  // namespace sallyport::cedar

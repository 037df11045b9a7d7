// What is held for an approval, where it is sent, and what an approval changes.

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "policy/policies.h"

namespace sallyport::policy {
namespace {

using namespace std::chrono_literals;
using Names = std::vector<std::string>;

constexpr WallTime now{std::chrono::sys_days{std::chrono::year{2026} / 11 / 24}};

// As in the starter policies.
constexpr std::string_view migrations = R"(
@id("ci-ddl") @approvers("dba") @quorum("2") @ttl("30m") @mode("statement")
permit (principal in Group::"ci", action in Action::"sql:ddl", resource in Database::"shop/shop")
when {
  context has approval && context.approval.kind == "statement" &&
  context.approval.boundHash == context.stmt.hash && context.approval.quorum >= 2 &&
  context.now < context.approval.expires
};
)";

constexpr std::string_view windows = R"(
@id("writes-in-a-window") @approvers("lead, sre") @ttl("1h") @mode("window") @alert("page:x")
permit (principal in Group::"dev", action in Action::"sql:write", resource in Connection::"shop")
when { context has approval && context.approval.quorum >= 1 && context.now < context.approval.expires };
)";

Result<std::shared_ptr<const Policies>> made(std::string_view text) {
  return Policies::make({{"test.cedar", std::string(text)}},
                        {{.name = "shop", .protocol = "postgres", .env = "prod"}});
}

std::shared_ptr<const Policies> make(std::string_view text) {
  auto policies = made(text);
  EXPECT_TRUE(policies) << policies.error().detail;
  return policies ? *policies : nullptr;
}

Session session_of(std::string group, IdentityKind kind = IdentityKind::user) {
  Session session;
  session.id = "s1";
  session.connection = "shop";
  session.database = "shop";
  session.chain.identities = {
      {.kind = kind, .id = "x", .issuer = "i", .groups = {std::move(group)}}};
  session.authentication.authenticated_at = now - 5min;
  session.source_ip = "10.1.2.3";
  return session;
}

Command on(std::string action, std::string table = "orders", std::string hash = "h1") {
  Command command;
  command.kind = "query";
  command.actions = {{std::move(action), {"Table", "shop/shop/public/" + table}}};
  command.context = SqlContext{.kind = "x", .fingerprint = "f", .hash = std::move(hash)};
  return command;
}

TEST(Hold, LacksOnlyAnApprovalAndSaysWhoGivesIt) {
  const auto policies = make(migrations);
  const Session ci = session_of("ci", IdentityKind::workload);
  const Decision decision = policies->decide(ci, on("sql:alter"), now);
  EXPECT_EQ(decision.verdict, Verdict::hold);
  ASSERT_TRUE(decision.hold);
  EXPECT_EQ(decision.hold->kind, "statement");
  ASSERT_EQ(decision.hold->routes.size(), 1u);
  const Route& route = decision.hold->routes[0];
  EXPECT_EQ(route.policy, "ci-ddl");
  EXPECT_EQ(route.approvers, Names{"dba"});
  EXPECT_EQ(route.quorum, 2u);
  EXPECT_EQ(route.ttl, 30min);
  EXPECT_EQ(decision.reason,
            "Workload \"x\" may not sql:alter on Table \"shop/shop/public/orders\" without an "
            "approval by 2 of dba");
  // What was answered without one is still what is recorded.
  ASSERT_EQ(decision.answers.size(), 1u);
  EXPECT_FALSE(decision.answers[0].allowed);
  EXPECT_TRUE(decision.answers[0].policies.empty());
}

TEST(Hold, IsNotWhatNoApprovalWouldAllow) {
  const auto policies = make(migrations);
  const auto verdict = [&](const Session& session, const Command& command) {
    const Decision decision = policies->decide(session, command, now);
    EXPECT_EQ(decision.hold.has_value(), decision.verdict == Verdict::hold);
    return decision.verdict;
  };
  const Session ci = session_of("ci", IdentityKind::workload);
  EXPECT_EQ(verdict(ci, on("sql:drop")), Verdict::hold);
  EXPECT_EQ(verdict(ci, on("sql:select")), Verdict::deny);
  EXPECT_EQ(verdict(session_of("dev"), on("sql:drop")), Verdict::deny);
  // Both of one command: what is denied is denied, whatever anybody approves.
  Command both = on("sql:drop");
  both.actions.push_back(on("sql:select").actions[0]);
  EXPECT_EQ(verdict(ci, both), Verdict::deny);
  // Without a hash an approval could not be bound to anything.
  EXPECT_EQ(verdict(ci, on("sql:drop", "orders", "")), Verdict::deny);
}

TEST(Hold, ForbidsThatAnApprovalLiftsAreHeld) {
  const auto policies = make(R"(
      @id("all") permit (principal, action, resource);
      @id("truncate-needs-two-eyes") @approvers("dba")
      forbid (principal, action == Action::"sql:truncate", resource)
      unless { context has approval && context.approval.boundHash == context.stmt.hash };
      @id("never") forbid (principal, action == Action::"sql:truncate", resource == Table::"shop/shop/public/audit");)");
  const Decision decision = policies->decide(session_of("dev"), on("sql:truncate"), now);
  ASSERT_EQ(decision.verdict, Verdict::hold) << decision.reason;
  EXPECT_EQ(decision.hold->routes[0].policy, "truncate-needs-two-eyes");
  EXPECT_EQ(decision.answers[0].policies, Names{"truncate-needs-two-eyes"});
  EXPECT_EQ(policies->decide(session_of("dev"), on("sql:truncate", "audit"), now).verdict,
            Verdict::deny);
}

TEST(Hold, AWindowIsForMoreThanOneStatementAndNeverForDdl) {
  const auto policies = make(windows);
  const Decision decision = policies->decide(session_of("dev"), on("sql:update"), now);
  ASSERT_EQ(decision.verdict, Verdict::hold);
  EXPECT_EQ(decision.hold->kind, "window");
  EXPECT_EQ(decision.hold->routes[0].approvers, (Names{"lead", "sre"}));
  EXPECT_EQ(decision.hold->routes[0].alert, "page:x");
  EXPECT_NE(decision.reason.find("1 of lead or sre"), std::string::npos) << decision.reason;

  const auto lists = make(R"(
      @id("l") @approvers("dba") @mode("list") permit (principal, action in Action::"sql:any", resource)
      when { context has approval && context.approval.kind == "list" &&
             context.approval.boundHash == context.stmt.hash };)");
  EXPECT_EQ(lists->decide(session_of("dev"), on("sql:drop"), now).hold->kind, "list");
  const auto any_kind = make(R"(
      @id("l") @approvers("dba") @mode("list") permit (principal, action in Action::"sql:any", resource)
      when { context has approval && context.approval.boundHash == context.stmt.hash };)");
  EXPECT_EQ(any_kind->decide(session_of("dev"), on("sql:drop"), now).hold->kind, "list");

  const auto only_windows = make(R"(
      @id("w") @approvers("dba") @mode("window") permit (principal, action, resource)
      when { context has approval && context.approval.kind == "window" };)");
  EXPECT_EQ(only_windows->decide(session_of("dev"), on("sql:update"), now).verdict, Verdict::hold);
  EXPECT_EQ(only_windows->decide(session_of("dev"), on("sql:drop"), now).verdict, Verdict::deny);
  Command set = on("sql:update");
  set.actions = {{"sql:set", {"Database", "shop/shop"}}};
  EXPECT_EQ(only_windows->decide(session_of("dev"), set, now).verdict, Verdict::deny);
}

TEST(Hold, EveryPolicyThatAsksIsAWayToGo) {
  const auto policies = make(std::string(migrations) + R"(
      @id("dba-also-asks") @approvers("security") forbid (principal, action == Action::"sql:drop", resource)
      unless { context has approval && context.approval.quorum >= 3 };)");
  const Decision decision =
      policies->decide(session_of("ci", IdentityKind::workload), on("sql:drop"), now);
  ASSERT_EQ(decision.verdict, Verdict::hold);
  ASSERT_EQ(decision.hold->routes.size(), 2u);
  EXPECT_NE(decision.reason.find("2 of dba and 1 of security"), std::string::npos);
}

TEST(Hold, NobodyToAskIsDenied) {
  const auto policies = make(R"(
      permit (principal, action, resource) when { context has approval };)");
  ASSERT_EQ(policies->warnings().size(), 1u);
  EXPECT_NE(policies->warnings()[0].message.find("nobody is named"), std::string::npos);
  EXPECT_EQ(policies->decide(session_of("dev"), on("sql:update"), now).verdict, Verdict::deny);
}

TEST(Hold, OneIdentityOfTheChainThatMayNotIsEnoughToDeny) {
  const auto policies = make(std::string(windows) + R"(
      permit (principal is Agent, action == Action::"act_for", resource);)");
  Session session = session_of("dev");
  session.chain.identities.push_back(
      {.kind = IdentityKind::agent, .id = "bot", .groups = {}, .attested = true});
  EXPECT_EQ(policies->decide(session, on("sql:update"), now).verdict, Verdict::deny);
  session.chain.identities[1].groups = {"dev"};
  EXPECT_EQ(policies->decide(session, on("sql:update"), now).verdict, Verdict::hold);
}

TEST(Hold, AnEvaluationErrorIsNeverHeld) {
  const auto policies = make(std::string(windows) + R"(
      forbid (principal, action, resource)
      when { context has approval && context.approval.quorum + 9223372036854775807 > 0 };)");
  EXPECT_EQ(policies->decide(session_of("dev"), on("sql:update"), now).verdict, Verdict::deny);
}

// ---- with an approval ----

Approval approval() {
  return {.id = "a1",
          .kind = "statement",
          .quorum = 2,
          .approvers = {"dana", "dora"},
          .bound_hash = "h1",
          .expires = now + 30min};
}

TEST(Approval, AllowsWhatItIsFor) {
  const auto policies = make(migrations);
  const Session ci = session_of("ci", IdentityKind::workload);
  cedar::Scratch scratch;
  const auto verdict = [&](auto change, const Command& command = on("sql:alter")) {
    Approval given = approval();
    change(given);
    const Decision decision = policies->decide(ci, command, now, scratch, &given);
    EXPECT_FALSE(decision.hold);
    return decision.verdict;
  };
  EXPECT_EQ(verdict([](Approval&) {}), Verdict::allow);
  EXPECT_EQ(verdict([](Approval& given) { given.quorum = 1; }), Verdict::deny);
  EXPECT_EQ(verdict([](Approval& given) { given.kind = "window"; }), Verdict::deny);
  EXPECT_EQ(verdict([](Approval& given) { given.bound_hash = "h2"; }), Verdict::deny);
  EXPECT_EQ(verdict([](Approval& given) { given.expires = now; }), Verdict::deny);
  EXPECT_EQ(verdict([](Approval&) {}, on("sql:alter", "orders", "h2")), Verdict::deny);
  EXPECT_EQ(verdict([](Approval&) {}, on("sql:select")), Verdict::deny);
}

// ---- annotations ----

std::string refusal_of(std::string_view annotations, std::string_view condition) {
  const auto policies = made(fmt::format("{}\npermit (principal, action, resource) when {{ {} }};",
                                         annotations, condition));
  return policies ? "accepted" : policies.error().detail;
}

TEST(Routes, WhatCannotRouteAsMeantIsRefused) {
  constexpr std::string_view asks = "context has approval";
  EXPECT_EQ(refusal_of("@approvers(\"dba\") @quorum(\"2\")", asks), "accepted");
  EXPECT_EQ(refusal_of("@approvers(\"dba\")\n@quorum(\"two\")", asks),
            "test.cedar:2:1: policy \"policy0\": @quorum is a number from 1 to 100\n"
            "  2 | @quorum(\"two\")\n"
            "    | ^^^^^^^^^^^^^^");
  for (const std::string_view annotation :
       {"@quorum(\"0\")", "@quorum(\"101\")", "@quorum(\"-1\")", "@quorum", "@ttl(\"soon\")",
        "@ttl(\"0s\")", "@ttl(\"31d\")", "@mode(\"often\")", "@mode", "@approvers(\"\")",
        "@approvers(\"a,,b\")", "@review(\"later\")"}) {
    EXPECT_NE(refusal_of(annotation, asks), "accepted") << annotation;
  }
}

TEST(Routes, AnAnnotationDoesNotProtectAndIsNotTakenForIt) {
  for (const std::string_view annotation :
       {"@approvers(\"dba\")", "@quorum(\"2\")", "@ttl(\"5m\")", "@mode(\"statement\")"}) {
    const std::string refusal = refusal_of(annotation, "true");
    EXPECT_NE(refusal.find("does not look at context.approval"), std::string::npos) << refusal;
  }
  EXPECT_EQ(refusal_of("@alert(\"page\") @review(\"24h\") @owner(\"me\")", "true"), "accepted");
}

TEST(Routes, AMisspeltAnnotationIsPointedOut) {
  const auto policies = make(R"(@approver("dba") permit (principal, action, resource);)");
  ASSERT_EQ(policies->warnings().size(), 1u);
  EXPECT_EQ(policies->warnings()[0].hint, "did you mean approvers?");
}

}  // namespace
}  // namespace sallyport::policy

#include "ledger/payloads.h"

#include <gtest/gtest.h>

#include "ledger/json_writer.h"

namespace sallyport::ledger {
namespace {

Session a_session() {
  Session session;
  session.id = "abc";
  session.protocol = "postgres";
  session.connection = "shop";
  session.database = "app";
  session.chain.identities.push_back({.kind = IdentityKind::user,
                                      .id = "alice",
                                      .issuer = "i",
                                      .subject = "s",
                                      .groups = {"support", "eu"}});
  session.chain.identities.push_back(
      {.kind = IdentityKind::agent, .id = "copilot", .owner = "alice", .attested = true});
  session.authentication.method = "ticket";
  session.authentication.scopes = {"db"};
  session.authentication.expires_at = WallTime(std::chrono::microseconds(77));
  session.source_ip = "127.0.0.1";
  session.source_port = 65535;
  session.tls = true;
  session.claimed = {{"application_name", "psql"}};
  return session;
}

Command a_command() {
  Command command;
  command.kind = "query";
  command.text = "select '\x01\"\\\n' -- \xc3\xa9 \xff";
  command.parameters = {{.value = "1"}, {.value = std::nullopt}, {.value = "AA==", .binary = true}};
  command.actions = {{.name = "sql:select", .resource = {.type = "Table", .id = "shop/app/t"}}};
  command.context = SqlContext{.kind = "select", .fingerprint = "f", .hash = "h", .multi = true};
  command.read_only = true;
  return command;
}

Decision a_decision() {
  Decision decision;
  decision.verdict = Verdict::hold;
  decision.policy_epoch = 18446744073709551615U;
  decision.answers = {{.principal = "User::\"alice\"",
                       .action = a_command().actions[0],
                       .allowed = false,
                       .policies = {"p1", "p2"},
                       .errors = {"e"}}};
  decision.hold = Hold{.kind = "statement",
                       .routes = {{.policy = "p1",
                                   .approvers = {"dba", "sre"},
                                   .quorum = 2,
                                   .ttl = std::chrono::minutes(30),
                                   .alert = "page:security"}}};
  decision.approval = "apr_1";
  return decision;
}

TEST(Payloads, ASessionComesBack) {
  const auto back = parse_session_start("abc", session_start_payload(a_session()));
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_EQ(back->chain.to_string(), a_session().chain.to_string());
  ASSERT_EQ(back->chain.identities.size(), 2U);
  EXPECT_EQ(back->chain.identities[0].groups, a_session().chain.identities[0].groups);
  EXPECT_TRUE(back->chain.identities[1].attested);
  EXPECT_EQ(back->authentication.scopes, a_session().authentication.scopes);
  EXPECT_EQ(back->authentication.expires_at, a_session().authentication.expires_at);
  EXPECT_EQ(back->source_port, 65535);
  EXPECT_EQ(back->claimed, a_session().claimed);
}

TEST(Payloads, WhatAJobIsAndWhyASessionBreaksTheGlassComesBack) {
  Session session = a_session();
  session.break_glass = true;
  session.ticket = "INC-1";
  session.purpose = "an outage";
  session.chain.identities[0].job = {{"repoId", "1"}, {"ref", "refs/heads/main"}};
  const auto back = parse_session_start("abc", session_start_payload(session));
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_TRUE(back->break_glass);
  EXPECT_EQ(back->ticket, "INC-1");
  EXPECT_EQ(back->purpose, "an outage");
  EXPECT_EQ(back->chain.identities[0].job, session.chain.identities[0].job);
  EXPECT_FALSE(parse_session_start("abc", session_start_payload(a_session()))->break_glass);
}

TEST(Payloads, ACommandComesBackAndStaysValidUtf8) {
  const std::string payload = command_payload(a_session(), a_command(), a_decision());
  EXPECT_TRUE(is_utf8(payload));
  for (const char c : payload) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
  const auto back = parse_command(payload);
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_EQ(back->command.text, "select '\x01\"\\\n' -- \xc3\xa9 \xef\xbf\xbd");
  ASSERT_EQ(back->command.parameters.size(), 3U);
  EXPECT_FALSE(back->command.parameters[1].value);
  EXPECT_TRUE(back->command.parameters[2].binary);
  EXPECT_EQ(back->command.actions, a_command().actions);
  EXPECT_TRUE(std::get<SqlContext>(back->command.context).multi);
  EXPECT_EQ(back->decision.verdict, Verdict::hold);
  EXPECT_EQ(back->decision.policy_epoch, 18446744073709551615U);
  EXPECT_EQ(back->decision.answers[0].policies, a_decision().answers[0].policies);
  EXPECT_EQ(back->decision.approval, "apr_1");
  ASSERT_TRUE(back->decision.hold);
  EXPECT_EQ(back->decision.hold->kind, "statement");
  ASSERT_EQ(back->decision.hold->routes.size(), 1U);
  const Route& route = back->decision.hold->routes[0];
  EXPECT_EQ(route.approvers, (std::vector<std::string>{"dba", "sre"}));
  EXPECT_EQ(route.quorum, 2U);
  EXPECT_EQ(route.ttl, std::chrono::minutes(30));
  EXPECT_EQ(route.alert, "page:security");
}

TEST(Payloads, ARefusalAndAnOutcomeComeBack) {
  Refusal refusal{.kind = Refusal::Kind::not_analysed, .reason = "r", .policy = "p", .hint = "h"};
  const auto refused =
      parse_refusal(refusal_payload(a_session(), a_command(), a_decision(), refusal));
  ASSERT_TRUE(refused) << refused.error().detail;
  EXPECT_EQ(refused->refusal.kind, Refusal::Kind::not_analysed);
  EXPECT_EQ(refused->refusal.policy, "p");
  EXPECT_EQ(refused->refusal.request, "");
  refusal.request = "apr_1";
  refusal.kind = Refusal::Kind::approval;
  const auto held = parse_refusal(refusal_payload(a_session(), a_command(), a_decision(), refusal));
  ASSERT_TRUE(held) << held.error().detail;
  EXPECT_EQ(held->refusal.request, "apr_1");
  EXPECT_EQ(held->refusal.kind, Refusal::Kind::approval);
  const auto outcome = parse_outcome(
      outcome_payload(7, {.failed = true, .error = "42501", .rows = 3, .detected = {{"email", 2}}},
                      std::chrono::seconds(1)));
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->command_sequence, 7U);
  EXPECT_EQ(outcome->outcome.rows, 3U);
  EXPECT_EQ(outcome->outcome.detected, (std::map<std::string, std::uint64_t>{{"email", 2}}));
  EXPECT_EQ(outcome->duration, std::chrono::seconds(1));
}

TEST(Payloads, AnEndALoginAndAChangeComeBack) {
  const auto end =
      parse_session_end(session_end_payload(a_session(), {.reason = "client", .commands = 4}));
  ASSERT_TRUE(end);
  EXPECT_EQ(end->commands, 4U);
  const auto login = parse_login_refused(login_refused_payload({.user = "bob", .source_port = 9}));
  ASSERT_TRUE(login);
  EXPECT_EQ(login->user, "bob");
  const auto change = parse_admin_change(admin_change_payload({.who = "dana", .action = "a"}));
  ASSERT_TRUE(change);
  EXPECT_EQ(change->who, "dana");
}

TEST(Payloads, WhatIsMissingOrMistypedIsMalformed) {
  for (const char* bad : {"", "[]", "{}", "{\"command\":\"x\"}", "{\"command\":-1}"}) {
    EXPECT_FALSE(parse_outcome(bad)) << bad;
    EXPECT_FALSE(parse_command(bad)) << bad;
    EXPECT_FALSE(parse_session_start("s", bad)) << bad;
  }
}

TEST(JsonString, EscapesControlsAndRepairsUtf8) {
  std::string text;
  append_json_string(text, std::string_view("a\0\x1b\x7f\xc0\xaf\xed\xa0\x80", 9));
  EXPECT_EQ(text, "\"a\\u0000\\u001b\\u007f\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\"");
}

}  // namespace
}  // namespace sallyport::ledger

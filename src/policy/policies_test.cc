#include "policy/policies.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/resource_id.h"

namespace sallyport::policy {
namespace {

using namespace std::chrono_literals;

constexpr WallTime now{std::chrono::sys_days{std::chrono::year{2026} / 11 / 24}};

std::filesystem::path starter_folder() {
  return std::filesystem::path(__FILE__).parent_path() / "../../policies";
}

std::string file_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

ConnectionFacts shop_facts() {
  return {.name = "shop",
          .protocol = "postgres",
          .env = "demo",
          .tags = {{"team", "retail"}},
          .resource_groups = {"prod"},
          .classification = {{"*.customers.email", "pii.email"}, {"*.customers.card", "pci"}}};
}

std::shared_ptr<const Policies> make(std::string text) {
  auto made = Policies::make({{"test.cedar", std::move(text)}}, {shop_facts()});
  EXPECT_TRUE(made) << made.error().detail;
  return made ? *made : nullptr;
}

std::string refusal_of(std::string text) {
  auto made = Policies::make({{"test.cedar", std::move(text)}}, {shop_facts()});
  return made ? "accepted" : made.error().detail;
}

std::shared_ptr<const Policies> starter() {
  std::vector<cedar::PolicyText> texts;
  for (const auto& entry : std::filesystem::directory_iterator(starter_folder())) {
    if (entry.path().extension() == ".cedar") {
      texts.push_back({entry.path().filename().string(), file_text(entry.path())});
    }
  }
  auto made = Policies::make(texts, {shop_facts()});
  EXPECT_TRUE(made) << made.error().detail;
  return *made;
}

Identity user(std::string id, std::vector<std::string> groups) {
  return {.kind = IdentityKind::user, .id = std::move(id), .groups = std::move(groups)};
}

Identity copilot() {
  return {.kind = IdentityKind::agent, .id = "support-copilot", .attested = true};
}

Session session_of(std::vector<Identity> chain) {
  Session session;
  session.id = "s1";
  session.protocol = "postgres";
  session.connection = "shop";
  session.database = "shop";
  session.chain.identities = std::move(chain);
  session.authentication.method = "jwt";
  session.authentication.authenticated_at = now - 5min;
  session.source_ip = "10.1.2.3";
  return session;
}

Session alice() {
  return session_of({user("alice", {"support"})});
}
Session alice_via_copilot() {
  Session session = session_of({user("alice", {"support"}), copilot()});
  session.authentication.scopes = {"db:read"};
  return session;
}

Command command(std::vector<Action> actions) {
  Command command;
  command.kind = "query";
  command.actions = std::move(actions);
  command.context = SqlContext{.kind = "select", .fingerprint = "f", .hash = "h"};
  return command;
}

Command on_table(std::string action, std::string table, std::string schema = "public") {
  return command({{std::move(action), {"Table", resource_id({"shop", "shop", schema, table})}}});
}

Command connect() {
  return command({{"connect", {"Connection", "shop"}}});
}

bool allows(const Policies& policies, const Session& session, const Command& command) {
  return policies.decide(session, command, now).verdict == Verdict::allow;
}

/// The policies that the first no names.
std::vector<std::string> forbidden_by(const Policies& policies, const Session& session,
                                      const Command& command) {
  const Decision decision = policies.decide(session, command, now);
  EXPECT_EQ(decision.verdict, Verdict::deny);
  return decision.refused() == nullptr ? std::vector<std::string>() : decision.refused()->policies;
}

using Names = std::vector<std::string>;

// ---- the starter policies ----

TEST(StarterPolicies, SupportReadsCustomersOrdersAndTheCatalog) {
  const auto policies = starter();
  EXPECT_TRUE(allows(*policies, alice(), connect()));
  EXPECT_TRUE(allows(*policies, alice(), on_table("sql:select", "customers")));
  EXPECT_TRUE(allows(*policies, alice(), on_table("sql:select", "orders")));
  EXPECT_TRUE(allows(*policies, alice(), on_table("sql:select", "pg_class", "pg_catalog")));
  EXPECT_TRUE(allows(*policies, alice(), on_table("sql:select", "tables", "information_schema")));
  EXPECT_TRUE(allows(*policies, alice(),
                     command({{"sql:select", {"Column", "shop/shop/public/customers/email"}}})));
  EXPECT_TRUE(allows(*policies, alice(), command({{"connect", {"Database", "shop/shop"}}})));
}

TEST(StarterPolicies, ARefusalNamesThePolicyThatMadeIt) {
  const auto policies = starter();
  EXPECT_EQ(forbidden_by(*policies, alice(), on_table("sql:delete", "customers")),
            Names{"support-is-read-only"});
  EXPECT_EQ(forbidden_by(*policies, alice(), on_table("sql:select", "credentials")),
            Names{"credentials-are-dba-only"});
  EXPECT_EQ(forbidden_by(*policies, alice(), on_table("sql:select", "pg_authid", "pg_catalog")),
            Names{"catalog-secrets-are-dba-only"});
  EXPECT_EQ(
      forbidden_by(*policies, alice(), on_table("sql:select", "pg_stat_activity", "pg_catalog")),
      Names{"activity-is-for-operators"});
  EXPECT_EQ(forbidden_by(*policies, alice(), on_table("sql:select", "other_table")), Names{});
}

TEST(StarterPolicies, DevelopersAreRefusedAtTheDoorWithAReason) {
  const auto policies = starter();
  const Session bob = session_of({user("bob", {"developers"})});
  const Decision decision = policies->decide(bob, connect(), now);
  EXPECT_EQ(decision.verdict, Verdict::deny);
  EXPECT_EQ(decision.reason,
            "User \"bob\" may not connect to Connection \"shop\": no policy permits it");
}

TEST(StarterPolicies, ADbaMayDoEverything) {
  const auto policies = starter();
  const Session dana = session_of({user("dana", {"dba"})});
  EXPECT_TRUE(allows(*policies, dana, connect()));
  for (const char* const action : {"sql:select", "sql:insert", "sql:update", "sql:delete",
                                   "sql:truncate", "sql:create", "sql:alter", "sql:drop"}) {
    EXPECT_TRUE(allows(*policies, dana, on_table(action, "credentials"))) << action;
  }
  EXPECT_TRUE(allows(*policies, dana, command({{"sql:grant", {"Database", "shop/shop"}}})));
  EXPECT_TRUE(allows(*policies, dana, command({{"sql:call", {"Routine", "shop/shop/public/f"}}})));
  EXPECT_TRUE(allows(*policies, dana,
                     command({{"reveal", {"Column", "shop/shop/public/credentials/secret"}}})));
}

TEST(StarterPolicies, AnSreReadsOrdersAndStatisticsOnly) {
  const auto policies = starter();
  const Session sam = session_of({user("sam", {"sre"})});
  EXPECT_TRUE(allows(*policies, sam, connect()));
  EXPECT_TRUE(allows(*policies, sam, on_table("sql:select", "orders")));
  EXPECT_TRUE(allows(*policies, sam, on_table("sql:select", "pg_stat_activity", "pg_catalog")));
  EXPECT_FALSE(allows(*policies, sam, on_table("sql:select", "customers")));
  EXPECT_FALSE(allows(*policies, sam, on_table("sql:select", "pg_stats", "pg_catalog")));
  EXPECT_FALSE(allows(*policies, sam, on_table("sql:update", "orders")));
}

TEST(StarterPolicies, TheCopilotReadsForSupportWithinItsScope) {
  const auto policies = starter();
  const Session session = alice_via_copilot();
  EXPECT_TRUE(allows(*policies, session, connect()));
  EXPECT_TRUE(allows(*policies, session, on_table("sql:select", "customers")));
  EXPECT_FALSE(allows(*policies, session, on_table("sql:select", "credentials")));
  EXPECT_FALSE(allows(*policies, session, on_table("sql:delete", "customers")));

  Session unscoped = session;
  unscoped.authentication.scopes = {};
  EXPECT_FALSE(allows(*policies, unscoped, on_table("sql:select", "customers")));
  Session unattested = session;
  unattested.chain.identities[1].attested = false;
  EXPECT_EQ(forbidden_by(*policies, unattested, on_table("sql:select", "customers")),
            Names{"no-unattested-agent"});
}

TEST(StarterPolicies, TheCopilotGainsNothingFromWhomItActsFor) {
  const auto policies = starter();
  Session session = session_of({user("dana", {"dba"}), copilot()});
  session.authentication.scopes = {"db:read"};
  EXPECT_FALSE(allows(*policies, session, connect()));
  session.chain.identities[0].groups = {"dba", "support"};
  EXPECT_TRUE(allows(*policies, session, on_table("sql:select", "customers")));
  EXPECT_FALSE(allows(*policies, session, on_table("sql:select", "credentials")));
  EXPECT_FALSE(allows(*policies, session, on_table("sql:update", "customers")));
}

TEST(StarterPolicies, SwitchedOffUsersAndDynamicSqlAreRefused) {
  const auto policies = starter();
  Session gone = alice();
  gone.chain.identities[0].active = false;
  EXPECT_EQ(forbidden_by(*policies, gone, connect()), Names{"inactive-user"});
  Command dynamic = on_table("sql:select", "customers");
  std::get<SqlContext>(dynamic.context).dynamic_sql = true;
  EXPECT_EQ(forbidden_by(*policies, alice(), dynamic), Names{"dynamic-sql-is-dba-only"});
}

TEST(StarterPolicies, OnlyADbaSessionMayWrite) {
  const auto policies = starter();
  EXPECT_FALSE(policies->may_write(alice()));
  EXPECT_FALSE(policies->may_write(alice_via_copilot()));
  EXPECT_FALSE(policies->may_write(session_of({user("sam", {"sre"})})));
  EXPECT_FALSE(policies->may_write(session_of({user("bob", {"developers"})})));
  EXPECT_TRUE(policies->may_write(session_of({user("dana", {"dba"})})));
  EXPECT_FALSE(policies->may_write(session_of({user("dana", {"dba"}), copilot()})));
}

// ---- deciding ----

TEST(Policies, EveryIdentityOfTheChainAnswersForEveryAction) {
  const auto policies = make("permit (principal, action, resource);");
  Command two = on_table("sql:select", "customers");
  two.actions.push_back({"sql:select", {"Table", "shop/shop/public/orders"}});
  const Decision decision = policies->decide(alice_via_copilot(), two, now);
  EXPECT_EQ(decision.verdict, Verdict::allow);
  EXPECT_EQ(decision.policy_epoch, policies->epoch());
  ASSERT_EQ(decision.answers.size(), 5u);
  EXPECT_EQ(decision.answers[0].principal, "Agent::\"support-copilot\"");
  EXPECT_EQ(decision.answers[0].action, (Action{"act_for", {"User", "alice"}}));
  EXPECT_EQ(decision.answers[1].principal, "User::\"alice\"");
  EXPECT_EQ(decision.answers[2].principal, "Agent::\"support-copilot\"");
  EXPECT_EQ(decision.answers[1].policies, Names{"policy0"});
  EXPECT_TRUE(decision.reason.empty());
}

TEST(Policies, OneNoInTheChainDenies) {
  const auto policies = make(R"(
      permit (principal is User, action, resource);
      permit (principal, action == Action::"act_for", resource);)");
  EXPECT_TRUE(allows(*policies, alice(), on_table("sql:select", "customers")));
  const Decision decision =
      policies->decide(alice_via_copilot(), on_table("sql:select", "customers"), now);
  EXPECT_EQ(decision.verdict, Verdict::deny);
  EXPECT_EQ(decision.reason,
            "Agent \"support-copilot\" may not sql:select on Table "
            "\"shop/shop/public/customers\": no policy permits it");
}

TEST(Policies, AnAgentThatMayNotActForTheSubjectIsRefused) {
  const auto policies = make(R"(
      permit (principal, action, resource);
      @id("no-delegation") forbid (principal, action == Action::"act_for", resource);)");
  EXPECT_TRUE(allows(*policies, alice(), on_table("sql:select", "customers")));
  const Decision decision =
      policies->decide(alice_via_copilot(), on_table("sql:select", "customers"), now);
  EXPECT_EQ(decision.reason,
            "Agent \"support-copilot\" may not act for User \"alice\": policy \"no-delegation\" "
            "forbids it");
}

TEST(Policies, APolicyThatCannotBeEvaluatedDenies) {
  const auto policies = make(R"(
      permit (principal, action, resource);
      @id("broken") forbid (principal, action, resource)
      when { 9223372036854775807 + context.delegation.depth + 1 > 0 };)");
  const Decision decision = policies->decide(alice(), on_table("sql:select", "customers"), now);
  EXPECT_EQ(decision.verdict, Verdict::deny);
  ASSERT_EQ(decision.answers.size(), 1u);
  EXPECT_FALSE(decision.answers[0].allowed);
  ASSERT_EQ(decision.answers[0].errors.size(), 1u);
  EXPECT_NE(decision.reason.find("\"broken\" could not be evaluated"), std::string::npos);
}

TEST(Policies, ACommandWithoutActionsIsDenied) {
  const auto policies = make("permit (principal, action, resource);");
  const Decision decision = policies->decide(alice(), command({}), now);
  EXPECT_EQ(decision.verdict, Verdict::deny);
  EXPECT_FALSE(decision.reason.empty());
}

TEST(Policies, WhatIsNotModelledIsDenied) {
  const auto policies = make("permit (principal, action, resource);");
  const auto denied = [&](Action action) {
    return !allows(*policies, alice(), command({std::move(action)}));
  };
  EXPECT_FALSE(denied({"sql:select", {"Table", "shop/shop/public/customers"}}));
  EXPECT_TRUE(denied({"sql:explode", {"Table", "shop/shop/public/customers"}}));
  EXPECT_TRUE(denied({"sql:any", {"Table", "shop/shop/public/customers"}}));
  EXPECT_TRUE(denied({"sql:select", {"Database", "shop/shop"}}));
  EXPECT_TRUE(denied({"sql:select", {"Spaceship", "shop/shop/public/customers"}}));
  EXPECT_TRUE(denied({"act_for", {"User", "alice"}}));
}

TEST(Policies, AnIdThatDoesNotFitItsTypeIsDenied) {
  const auto policies = make("permit (principal, action, resource);");
  for (const char* const id : {"", "shop", "shop/shop/public", "shop/shop/public/a/b",
                               "other/shop/public/customers", "/shop/public/customers"}) {
    EXPECT_FALSE(allows(*policies, alice(), command({{"sql:select", {"Table", id}}}))) << id;
  }
}

TEST(Policies, ASqlActionWithoutItsStatementIsDenied) {
  const auto policies = make("permit (principal, action, resource);");
  Command bare = on_table("sql:select", "customers");
  bare.context = {};
  EXPECT_FALSE(allows(*policies, alice(), bare));
  Command bare_connect = connect();
  bare_connect.context = {};
  EXPECT_TRUE(allows(*policies, alice(), bare_connect));
}

TEST(Policies, EveryKindOfIdentityAndResourceConformsToTheSchema) {
  const auto policies = make("permit (principal, action, resource);");
  Identity agent = copilot();
  agent.groups = {"agents"};
  agent.owner = "alice";
  const Identity workload{.kind = IdentityKind::workload,
                          .id = "ci",
                          .issuer = "https://ci.example",
                          .groups = {"deployers"}};
  for (const auto& chain :
       {std::vector{user("alice", {"support", "a"})},
        std::vector{user("alice", {"support"}), agent}, std::vector{workload}}) {
    const Session session = session_of(chain);
    EXPECT_TRUE(allows(*policies, session, connect()));
    EXPECT_TRUE(allows(*policies, session, on_table("sql:select", "customers")));
    EXPECT_TRUE(allows(*policies, session,
                       command({{"reveal", {"Column", "shop/shop/public/customers/email"}},
                                {"unfilter", {"RowFilter", "shop/shop/public/customers/f"}},
                                {"sql:call", {"Routine", "shop/shop/public/f"}},
                                {"sql:create", {"DbSchema", "shop/shop/public"}},
                                {"sql:grant", {"Database", "shop/shop"}}})));
  }
}

TEST(Policies, SessionsThatMakeNoSenseAreDenied) {
  const auto policies = make("permit (principal, action, resource);");
  const auto denied = [&](auto change) {
    Session session = alice_via_copilot();
    change(session);
    return !allows(*policies, session, on_table("sql:select", "customers"));
  };
  EXPECT_FALSE(denied([](Session&) {}));
  EXPECT_TRUE(denied([](Session& session) { session.chain.identities.clear(); }));
  EXPECT_TRUE(denied([](Session& session) { session.tenant = "other"; }));
  EXPECT_TRUE(denied([](Session& session) { session.connection = "unknown"; }));
  EXPECT_TRUE(denied([](Session& session) { session.source_ip = "nonsense"; }));
  EXPECT_TRUE(denied([](Session& session) { session.source_ip = ""; }));
  EXPECT_TRUE(denied([](Session& session) { session.chain.identities[1].id = ""; }));
  EXPECT_TRUE(denied(
      [](Session& session) { session.chain.identities.push_back(session.chain.identities[1]); }));
  EXPECT_TRUE(denied([](Session& session) {
    session.chain.identities[1] = user("carol", {});  // a user does not act for a user
  }));
  EXPECT_TRUE(
      denied([](Session& session) { session.chain.identities.resize(chain_max + 1, copilot()); }));
}

TEST(Policies, ANameWithASlashDoesNotReachAnotherTable) {
  const auto policies = make(R"(
      permit (principal, action, resource in Table::"shop/shop/public/customers");)");
  EXPECT_TRUE(allows(*policies, alice(), on_table("sql:select", "customers")));
  EXPECT_FALSE(allows(
      *policies, alice(),
      command(
          {{"sql:select", {"Table", resource_id({"shop", "shop", "public/customers", "x"})}}})));
  EXPECT_FALSE(allows(*policies, alice(), on_table("sql:select", "customers/x")));
}

TEST(Policies, ResourcesHaveTheAncestorsTheirIdImplies) {
  const Command column = command({{"sql:select", {"Column", "shop/shop/public/customers/email"}}});
  for (const char* const head :
       {"resource in Table::\"shop/shop/public/customers\"",
        "resource in DbSchema::\"shop/shop/public\"", "resource in Database::\"shop/shop\"",
        "resource in Connection::\"shop\"", "resource in ResourceGroup::\"prod\"",
        "resource in Tenant::\"default\"", "resource in Classification::\"pii.email\"",
        "resource in Classification::\"pii\"", "resource is Column in Classification::\"pii\""}) {
    const auto policies = make(std::string("permit (principal, action, ") + head + ");");
    EXPECT_TRUE(allows(*policies, alice(), column)) << head;
  }
  for (const char* const head :
       {"resource in Classification::\"pci\"", "resource in Table::\"shop/shop/public/orders\"",
        "resource in Connection::\"other\"", "resource in Group::\"support\""}) {
    const auto policies = make(std::string("permit (principal, action, ") + head + ");");
    EXPECT_FALSE(allows(*policies, alice(), column)) << head;
  }
}

TEST(Policies, TheContextSaysWhatTheSessionIs) {
  Session session = alice_via_copilot();
  session.authentication.acr = "phr";
  session.authentication.sender_bound = true;
  session.source_ip = "::ffff:10.1.2.3";
  Command statement = on_table("sql:select", "customers");
  std::get<SqlContext>(statement.context).has_where = true;
  for (const char* const condition :
       {"context.now == datetime(\"2026-11-24\")", "context.srcIp == ip(\"10.1.2.3\")",
        "context.auth.method == \"jwt\" && context.auth.acr == \"phr\"",
        "context.auth.mfaAge == duration(\"5m\")",
        "context.auth.senderBound && !context.auth.deviceManaged",
        "context.session.id == \"s1\" && !context.session.breakGlass",
        "context.delegation.present && context.delegation.depth == 1",
        "context.delegation has subject && context.delegation.subject == User::\"alice\"",
        "context.delegation.actors == [Agent::\"support-copilot\"]",
        "context.delegation.scopes == [\"db:read\"]",
        "context.stmt.kind == \"select\" && context.stmt.hasWhere && !context.stmt.multi",
        "context.stmt.fingerprint == \"f\" && context.stmt.hash == \"h\"",
        "!context.stmt.readOnlyTx && !context.stmt.dynamicSql", "!(context has approval)",
        "principal.tenant == Tenant::\"default\"", "!(principal is User) || principal.active",
        "!(principal is Agent) || (principal.attested && !(principal has owner))",
        "Connection::\"shop\".protocol == \"postgres\" && Connection::\"shop\".env == \"demo\"",
        "Connection::\"shop\".hasTag(\"team\") && "
        "Connection::\"shop\".getTag(\"team\") == \"retail\""}) {
    const auto policies = make(std::string("permit (principal, action == Action::\"act_for\", "
                                           "resource); permit (principal, action == "
                                           "Action::\"sql:select\", resource) when { ") +
                               condition + " };");
    const Decision decision = policies->decide(session, statement, now);
    EXPECT_EQ(decision.verdict, Verdict::allow) << condition << ": " << decision.reason;
  }
}

TEST(Policies, ALoginOfUnknownOrFutureTimeIsNeverFresh) {
  const auto policies = make(
      "permit (principal, action, resource) when { context.auth.mfaAge <= duration(\"15m\") };");
  Session session = alice();
  EXPECT_TRUE(allows(*policies, session, connect()));
  session.authentication.authenticated_at = {};
  EXPECT_FALSE(allows(*policies, session, connect()));
  session.authentication.authenticated_at = now + 10min;
  EXPECT_FALSE(allows(*policies, session, connect()));
  session.authentication.authenticated_at = now + 30s;
  EXPECT_TRUE(allows(*policies, session, connect()));
}

// ---- may_write ----

TEST(Policies, MayWriteLooksAtHeadsOnly) {
  const auto may = [](const char* policy) { return make(policy)->may_write(alice()); };
  EXPECT_FALSE(may("permit (principal, action in Action::\"sql:read\", resource);"));
  EXPECT_FALSE(may("permit (principal, action == Action::\"connect\", resource);"));
  EXPECT_FALSE(may("permit (principal == User::\"bob\", action, resource);"));
  EXPECT_FALSE(may("permit (principal, action, resource in Connection::\"other\");"));
  EXPECT_FALSE(may("permit (principal, action, resource == Table::\"other/a/b/c\");"));
  EXPECT_FALSE(may("permit (principal, action, resource is RowFilter);"));
  EXPECT_FALSE(may("permit (principal, action, resource in ResourceGroup::\"staging\");"));
  EXPECT_FALSE(may("forbid (principal, action, resource);"));
  EXPECT_TRUE(may("permit (principal, action, resource);"));
  EXPECT_TRUE(may("permit (principal, action, resource) when { false };"));
  EXPECT_TRUE(may("permit (principal, action == Action::\"sql:call\", resource);"));
  EXPECT_TRUE(
      may("permit (principal in Group::\"support\", action in [Action::\"sql:read\", "
          "Action::\"sql:ddl\"], resource);"));
  EXPECT_TRUE(may("permit (principal, action, resource in ResourceGroup::\"prod\");"));
  EXPECT_TRUE(may("permit (principal, action, resource in DbSchema::\"shop/shop/public\");"));
  EXPECT_TRUE(may("permit (principal, action, resource in Classification::\"pii\");"));
}

// ---- loading ----

TEST(Policies, WhatTheSchemaDoesNotKnowIsRefusedWithAHint) {
  EXPECT_EQ(
      refusal_of("\n@id(\"x\") permit (principal, action == Action::\"sql:selct\", resource);"),
      "test.cedar:2:39: policy \"x\": the schema has no action \"sql:selct\"\n"
      "  2 | @id(\"x\") permit (principal, action == Action::\"sql:selct\", resource);\n"
      "    |                                       ^^^^^^^^^^^^^^^^^^^\n"
      "  hint: did you mean \"sql:select\"?");
  EXPECT_NE(refusal_of("permit (principal, action, resource in Tabel::\"a\");")
                .find("did you mean Table?"),
            std::string::npos);
  EXPECT_NE(refusal_of("permit (principal is Robot, action, resource);"), "accepted");
}

TEST(Policies, OneErrorRefusesTheSetWholeAndAllErrorsAreSaid) {
  const std::string refusal = refusal_of(R"(
      permit (principal, action, resource);
      forbid (principal, action in Action::"sql:any", resource) when { context.stmt.haswhere };
      forbid (principal, action, resource) when { context.stmt.hasWhere };
      forbid (principal is Agent, action, resource) unless { principal.owner == resource };)");
  EXPECT_NE(refusal.find("test.cedar:3:"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("did you mean hasWhere?"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("test.cedar:4:"), std::string::npos) << refusal;
  EXPECT_NE(refusal.find("attribute \"owner\" may be absent"), std::string::npos) << refusal;
}

TEST(Policies, WhatCanNeverApplyIsLoadedWithAWarning) {
  const auto policies = make(
      "permit (principal is Workload, action == Action::\"act_for\", "
      "resource is Table);");
  ASSERT_EQ(policies->warnings().size(), 1u);
  EXPECT_EQ(policies->warnings()[0].kind, cedar::Finding::Kind::inapplicable);
}

TEST(StarterPolicies, HaveNoWarnings) {
  const auto policies = starter();
  for (const cedar::Finding& warning : policies->warnings()) {
    ADD_FAILURE() << warning.to_string();
  }
}

TEST(Policies, ASyntaxErrorSaysWhere) {
  EXPECT_EQ(refusal_of("permit (principal, action, resource)\nwhen { true"),
            "test.cedar:2:12: expected '}', found the end of the text\n"
            "  2 | when { true\n"
            "    |            ^");
}

TEST(Policies, TwoPoliciesOfOneIdAreRefused) {
  EXPECT_NE(refusal_of("@id(\"a\") permit (principal, action, resource); @id(\"a\") forbid "
                       "(principal, action, resource);")
                .find("\"a\" is used twice"),
            std::string::npos);
}

TEST(Policies, TheEpochNamesTheContents) {
  const auto a = make("permit (principal, action, resource);");
  const auto b = make("permit (principal, action, resource);");
  const auto c = make("permit (principal, action, resource) when { true };");
  EXPECT_EQ(a->epoch(), b->epoch());
  EXPECT_NE(a->epoch(), c->epoch());
}

TEST(Policies, TemplatesAreLinkedByAJsonFile) {
  const std::string text =
      "@id(\"read\") permit (principal in ?principal, action in "
      "Action::\"sql:read\", resource in ?resource);";
  const auto links = [](std::string_view type) {
    return R"({"templateLinks":[{"templateId":"read","newId":"support-orders","values":{
        "?principal":{"type":")" +
           std::string(type) + R"(","id":"support"},
        "?resource":{"type":"Table","id":"shop/shop/public/orders"}}}]})";
  };
  auto made = Policies::make({{"a.cedar", text}, {"b.cedar.json", links("Group")}}, {shop_facts()});
  ASSERT_TRUE(made) << made.error().detail;
  EXPECT_TRUE((*made)->warnings().empty());
  const Decision decision = (*made)->decide(alice(), on_table("sql:select", "orders"), now);
  EXPECT_EQ(decision.verdict, Verdict::allow);
  EXPECT_EQ(decision.answers[0].policies, Names{"support-orders"});
  EXPECT_FALSE(allows(**made, alice(), on_table("sql:select", "customers")));
  EXPECT_FALSE(
      Policies::make({{"a.cedar", text}, {"b.cedar.json", links("Grup")}}, {shop_facts()}));
  const auto unlinked = make(text);
  ASSERT_EQ(unlinked->warnings().size(), 1u);
  EXPECT_EQ(unlinked->warnings()[0].kind, cedar::Finding::Kind::unlinked);
}

TEST(ClassificationRule, MatchesFromTheRight) {
  ConnectionFacts facts;
  const auto found = [&](std::string pattern) {
    facts.classification = {{std::move(pattern), "pii"}};
    return !facts.classifications("app", "public", "customers", "email").empty();
  };
  EXPECT_TRUE(found("app.public.customers.email"));
  EXPECT_TRUE(found("public.customers.email"));
  EXPECT_TRUE(found("customers.email"));
  EXPECT_TRUE(found("*.customers.email"));
  EXPECT_TRUE(found("*.*.*.email"));
  EXPECT_TRUE(found("public.*.email"));
  EXPECT_FALSE(found("other.customers.email"));
  EXPECT_FALSE(found("customers.emai"));
  EXPECT_FALSE(found("customers.Email"));
}

TEST(ClassificationRule, RulesThatCannotMatchAreRefused) {
  EXPECT_TRUE(check_rule({"*.customers.email", "pii.email"}));
  for (const char* const pattern : {"", "email", "a..b", ".a.b", "a.b.", "a.b.c.d.e"}) {
    EXPECT_FALSE(check_rule({pattern, "pii"})) << pattern;
  }
  EXPECT_FALSE(check_rule({"a.b", ""}));
  EXPECT_FALSE(check_rule({"a.b", "pii..email"}));
}

}  // namespace
}  // namespace sallyport::policy

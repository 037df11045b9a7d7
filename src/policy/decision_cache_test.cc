#include "policy/decision_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

#include <fmt/format.h>

#include "policy/decision_key.h"

namespace sallyport::policy {
namespace {

using namespace std::chrono_literals;

constexpr WallTime now{std::chrono::sys_days{std::chrono::year{2026} / 11 / 24}};

std::shared_ptr<const Policies> make(std::string text) {
  auto made = Policies::make({{"test.cedar", std::move(text)}},
                             {{.name = "shop",
                               .protocol = "postgres",
                               .env = "prod",
                               .classification = {{"*.customers.email", "pii.email"}}},
                              {.name = "other", .protocol = "postgres", .env = "test"}});
  EXPECT_TRUE(made) << made.error().detail;
  return made ? *made : nullptr;
}

Session session_of(std::vector<Identity> chain) {
  Session session;
  session.id = "s1";
  session.connection = "shop";
  session.chain.identities = std::move(chain);
  session.authentication.method = "jwt";
  session.authentication.authenticated_at = now - 5min;
  session.source_ip = "10.1.2.3";
  return session;
}

Identity user(std::string id, std::vector<std::string> groups) {
  return {.kind = IdentityKind::user, .id = std::move(id), .groups = std::move(groups)};
}

Session alice() {
  return session_of({user("alice", {"support"})});
}

Command select(std::string column = "email") {
  Command command;
  command.kind = "query";
  command.actions = {{"sql:select", {"Table", "shop/shop/public/customers"}},
                     {"sql:select", {"Column", "shop/shop/public/customers/" + column}}};
  command.context = SqlContext{.kind = "select", .fingerprint = "f", .hash = "h"};
  return command;
}

/// All of it, so that two are equal when their texts are.
std::string text_of(const Decision& decision) {
  std::string text = fmt::format("{} {} {}\n", to_string(decision.verdict), decision.policy_epoch,
                                 decision.reason);
  for (const Answer& answer : decision.answers) {
    text += fmt::format("{} {} {} {} {}", answer.principal, answer.action.name,
                        answer.action.resource.type, answer.action.resource.id, answer.allowed);
    for (const std::string& policy : answer.policies) text += " by " + policy;
    for (const std::string& error : answer.errors) text += " error " + error;
    text += "\n";
  }
  return text;
}

std::string policy(std::string_view effect, std::string_view condition) {
  return fmt::format("{} (principal, action, resource) when {{ {} }};\n", effect, condition);
}

// ---- the property: from the cache or not, the decision is the same ----

// All that the policies may read and that stays the same from one command to the next.
constexpr std::string_view lasting[] = {
    "true",
    "false",
    R"(context.auth.method == "jwt")",
    R"(context.auth.acr == "high")",
    "context.auth.senderBound",
    "context.auth.deviceManaged",
    R"(context.srcIp.isInRange(ip("10.0.0.0/8")))",
    R"(context.session.id == "s1")",
    "context.session.breakGlass",
    R"(context.session has ticket && context.session.ticket == "T-1")",
    "context.delegation.present",
    "context.delegation.depth > 1",
    R"(context.delegation.scopes.contains("db:read"))",
    R"(context.delegation has subject && context.delegation.subject == User::"alice")",
    R"(context.delegation has subject && context.delegation.subject in Group::"support")",
    "context.delegation has subject && context.delegation.subject.active",
    R"(context.delegation has subject && context.delegation.subject.email like "*@a.test")",
    R"(context.delegation.actors.contains(Agent::"copilot"))",
    "[context.delegation, context.delegation].contains(context.delegation)",
    R"(principal in Group::"support")",
    "principal is User && principal.active",
    R"(principal is User && principal.email like "*@a.test")",
    "principal is Agent && principal.attested",
    R"(principal is Agent && principal has owner && principal.owner == User::"alice")",
    R"(principal is Workload && principal.issuer == "ci")",
    R"(resource in Classification::"pii")",
    R"(resource in Table::"shop/shop/public/customers")",
    R"(action in Action::"sql:read")",
    "context has stmt && context.stmt.hasWhere",
    "context has stmt && context.stmt.readOnlyTx",
    "context has stmt && context.stmt.dynamicSql",
    R"(context has stmt && context.stmt.fingerprint == "f1")",
    R"(context has stmt && ["select", "update"].contains(context.stmt.kind))",
    // Fails for those with an agent.
    "context.delegation.depth + 9223372036854775807 > 0",
};

// What is new with every command.
constexpr std::string_view fleeting[] = {
    R"(context.now > datetime("2026-11-24T00:00:01Z"))",
    R"(context.auth.mfaAge < duration("10m"))",
    R"(context has stmt && context.stmt.hash == "h1")",
    "context has stmt && context.stmt has estRows && context.stmt.estRows > 3",
    "context has approval && context.approval.quorum > 1",
    R"((if principal is User then context else context).auth.acr == "high")",
    R"({all: context}.all.auth.acr == "high")",
    // It may never come to the time: that it is read is enough.
    R"(false && context.now > datetime("2026-11-24T00:00:01Z"))",
};

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : engine_(seed) {}

  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(engine_);
  }
  bool one_in(std::size_t count) { return below(count) == 0; }
  template <class List>
  auto of(const List& list) {
    return *(std::begin(list) + static_cast<std::ptrdiff_t>(below(std::size(list))));
  }
  std::string text(std::initializer_list<std::string_view> list) { return std::string(of(list)); }

 private:
  std::mt19937_64 engine_;
};

// Heads that some commands of some chains are covered by.
constexpr std::string_view heads[] = {
    "principal, action, resource",
    R"(principal in Group::"support", action, resource)",
    R"(principal is User in Group::"dba", action, resource)",
    "principal is Agent, action, resource",
    R"(principal == User::"alice", action, resource)",
    R"(principal in Tenant::"default", action, resource)",
    R"(principal in Agent::"copilot", action, resource)",
    R"(principal, action == Action::"act_for", resource)",
    R"(principal, action in Action::"sql:write", resource)",
    R"(principal is User, action in [Action::"connect", Action::"sql:select"], resource)",
};

enum class New : std::uint8_t { nothing, sometimes, always };

std::string random_policies(Chance& chance, New what) {
  std::string text;
  const std::size_t count = 1 + chance.below(6);
  for (std::size_t i = 0; i < count; ++i) {
    const bool is_new = what != New::nothing && i == 0;
    text += fmt::format("@id(\"p{}\")\n{} ({}) when {{ {} }};\n", i,
                        chance.one_in(3) ? "forbid" : "permit",
                        is_new && what == New::always ? heads[0] : chance.of(heads),
                        is_new ? chance.of(fleeting) : chance.of(lasting));
  }
  return text;
}

Identity random_identity(Chance& chance, bool first) {
  Identity identity;
  identity.kind = first && !chance.one_in(4) ? IdentityKind::user
                  : chance.one_in(3)         ? IdentityKind::workload
                                             : IdentityKind::agent;
  identity.id = chance.text({"alice", "bob", "copilot"});
  identity.issuer = chance.text({"ci", "idp"});
  identity.email = chance.text({"x@a.test", "x@b.test"});
  identity.active = !chance.one_in(4);
  identity.attested = chance.one_in(2);
  if (chance.one_in(2)) identity.owner = chance.text({"alice", "bob"});
  if (chance.one_in(2)) identity.groups.push_back("support");
  if (chance.one_in(4)) identity.groups.push_back("dba");
  return identity;
}

Session random_session(Chance& chance) {
  Session session = session_of({random_identity(chance, true)});
  while (chance.one_in(3)) session.chain.identities.push_back(random_identity(chance, false));
  session.id = chance.text({"s1", "s2"});
  if (chance.one_in(20)) session.connection = chance.text({"other", "none"});
  if (chance.one_in(30)) session.tenant = "elsewhere";
  session.source_ip = chance.text({"10.1.2.3", "::ffff:10.1.2.3", "192.0.2.1"});
  if (chance.one_in(30)) session.source_ip = "no address";
  Authentication& authentication = session.authentication;
  authentication.method = chance.text({"jwt", "ticket"});
  authentication.acr = chance.text({"", "high"});
  authentication.sender_bound = chance.one_in(2);
  authentication.device_managed = chance.one_in(2);
  if (chance.one_in(2)) authentication.scopes.push_back("db:read");
  authentication.authenticated_at = now - std::chrono::minutes(chance.below(20));
  return session;
}

Command random_command(Chance& chance) {
  Command command;
  const std::size_t count = chance.one_in(20) ? 0 : 1 + chance.below(3);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string table = "shop/shop/public/" + chance.text({"customers", "orders"});
    switch (chance.below(5)) {
      case 0:
        command.actions.push_back({"connect", {"Connection", "shop"}});
        break;
      case 1:
        command.actions.push_back({"sql:select", {"Column", table + "/email"}});
        break;
      case 2:
        command.actions.push_back({chance.text({"sql:nonsense", "sql:set"}), {"Table", table}});
        break;
      default:
        command.actions.push_back({chance.text({"sql:select", "sql:update"}), {"Table", table}});
    }
  }
  if (!chance.one_in(5)) {
    command.context = SqlContext{.kind = chance.text({"select", "update"}),
                                 .fingerprint = chance.text({"f1", "f2"}),
                                 .hash = chance.text({"h1", "h2"}),
                                 .has_where = chance.one_in(2),
                                 .read_only_transaction = chance.one_in(2),
                                 .multi = chance.one_in(2),
                                 .dynamic_sql = chance.one_in(4)};
  }
  return command;
}

TEST(DecisionCache, DecidesAsThePoliciesDo) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  Chance chance(seed);
  DecisionCache cache(200);  // one cache for all: sets follow each other as after reloads
  std::uint64_t compared = 0;
  for (int round = 0; round < 60; ++round) {
    const New what = round % 10 == 9   ? New::always
                     : round % 10 >= 6 ? New::sometimes
                                       : New::nothing;
    const std::string text = random_policies(chance, what);
    const auto policies = make(text);
    ASSERT_NE(policies, nullptr) << text;
    // Few of each, so that they meet again; each of them a little different from another.
    std::vector<Session> sessions;
    std::vector<Command> commands;
    for (int i = 0; i < 12; ++i) sessions.push_back(random_session(chance));
    for (int i = 0; i < 6; ++i) {
      Session near = sessions[chance.below(12)];
      near.chain.identities.front().groups = {chance.text({"support", "dba"})};
      sessions.push_back(std::move(near));
    }
    for (int i = 0; i < 8; ++i) commands.push_back(random_command(chance));
    const std::uint64_t hits = cache.hits();
    for (int i = 0; i < 400; ++i) {
      const Session& session = chance.of(sessions);
      const Command& command = commands[chance.below(commands.size())];
      const WallTime at = now + std::chrono::seconds(chance.below(1200));
      const auto decision = cache.decide(policies, session, command, at);
      ASSERT_EQ(text_of(*decision), text_of(policies->decide(session, command, at))) << text;
      ++compared;
    }
    if (what == New::always) {
      ASSERT_EQ(cache.hits(), hits) << text;
      ASSERT_EQ(cache.size(), 0u) << text;
    }
  }
  EXPECT_EQ(cache.hits() + cache.misses(), compared);
  EXPECT_GT(cache.hits(), compared / 10);
}

// ---- what is never kept ----

TEST(DecisionCache, KeepsNothingWhileAPolicyReadsWhatIsAlwaysNew) {
  for (const std::string_view condition : fleeting) {
    // In a policy that changes nothing: that it may be for the command is enough.
    for (const std::string& text :
         {policy("permit", condition),
          policy("permit", "true") +
              "forbid (principal in Group::\"support\", action, resource in " +
              fmt::format("Connection::\"other\") unless {{ {} }};", condition)}) {
      const auto policies = make(text);
      ASSERT_NE(policies, nullptr) << text;
      DecisionCache cache;
      for (int i = 0; i < 3; ++i) (void)cache.decide(policies, alice(), select(), now);
      EXPECT_EQ(cache.hits(), 0u) << text;
      EXPECT_EQ(cache.size(), 0u) << text;
    }
  }
}

TEST(DecisionCache, KeepsWhatPoliciesForOthersDoNotDecide) {
  for (const std::string_view head :
       {R"(principal in Group::"sre-oncall", action, resource)",
        R"(principal is User in Group::"sre-oncall", action, resource)",
        R"(principal == User::"bob", action, resource)", "principal is Agent, action, resource",
        R"(principal, action in Action::"sql:ddl", resource)",
        R"(principal, action == Action::"act_for", resource)"}) {
    const std::string text =
        policy("permit", "true") + fmt::format("forbid ({}) when {{ {} }};", head, fleeting[0]);
    const auto policies = make(text);
    ASSERT_NE(policies, nullptr) << text;
    DecisionCache cache;
    for (int i = 0; i < 3; ++i) (void)cache.decide(policies, alice(), select(), now);
    EXPECT_EQ(cache.hits(), 2u) << text;
  }
  // Whoever it is for.
  const auto policies =
      make(policy("permit", "true") + R"(forbid (principal in Group::"dba", action, resource))" +
           fmt::format(" when {{ {} }};", fleeting[0]));
  DecisionCache cache;
  const Session dana = session_of({user("dana", {"staff", "dba"})});
  EXPECT_EQ(cache.decide(policies, dana, select(), now)->verdict, Verdict::allow);
  EXPECT_EQ(cache.decide(policies, dana, select(), now + 2s)->verdict, Verdict::deny);
}

TEST(DecisionCache, LetsTimePassAndHashesDiffer) {
  DecisionCache cache;
  const auto timed = make(policy("permit", fleeting[0]));
  EXPECT_EQ(cache.decide(timed, alice(), select(), now)->verdict, Verdict::deny);
  EXPECT_EQ(cache.decide(timed, alice(), select(), now + 2s)->verdict, Verdict::allow);
  const auto fresh = make(policy("permit", fleeting[1]));
  EXPECT_EQ(cache.decide(fresh, alice(), select(), now)->verdict, Verdict::allow);
  EXPECT_EQ(cache.decide(fresh, alice(), select(), now + 1h)->verdict, Verdict::deny);
  const auto bound = make(policy("permit", fleeting[2]));
  Command command = select();
  EXPECT_EQ(cache.decide(bound, alice(), command, now)->verdict, Verdict::deny);
  std::get<SqlContext>(command.context).hash = "h1";
  EXPECT_EQ(cache.decide(bound, alice(), command, now)->verdict, Verdict::allow);
}

TEST(DecisionCache, KeepsNoErrorAndNothingThatNoPolicyMade) {
  DecisionCache cache;
  const auto policies = make(policy("permit", "true"));
  Session session = alice();
  session.source_ip = "no address";
  (void)cache.decide(policies, session, select(), now);
  session = alice();
  session.tenant = "elsewhere";
  (void)cache.decide(policies, session, select(), now);
  (void)cache.decide(policies, session_of({}), select(), now);
  Command command = select();
  command.actions[0].name = "sql:nonsense";
  (void)cache.decide(policies, alice(), command, now);
  command.actions.clear();
  (void)cache.decide(policies, alice(), command, now);
  EXPECT_EQ(cache.size(), 0u);
  const auto failing = make(policy("permit", "context.delegation.depth - 1 < 0 || true") +
                            policy("permit",
                                   "context.delegation.depth - 9223372036854775807 - 2 "
                                   "< 0"));
  const auto decision = cache.decide(failing, alice(), select(), now);
  EXPECT_FALSE(decision->answers.front().errors.empty());
  EXPECT_EQ(cache.size(), 0u);
  // A good address is no excuse for a bad one.
  (void)cache.decide(policies, alice(), select(), now);
  EXPECT_EQ(cache.size(), 1u);
  session = alice();
  session.source_ip = "no address";
  EXPECT_EQ(cache.decide(policies, session, select(), now)->verdict, Verdict::deny);
}

TEST(DecisionCache, KeepsNoKeyThatIsTooLarge) {
  DecisionCache cache;
  const auto policies = make(policy("permit", "true"));
  const Command large = select(std::string(key_bytes_max, 'x'));
  EXPECT_EQ(cache.decide(policies, alice(), large, now)->verdict, Verdict::allow);
  EXPECT_EQ(cache.size(), 0u);
  Session crowded = alice();
  for (std::size_t i = 0; i < groups_max; ++i) {
    crowded.chain.identities[0].groups.push_back(fmt::format("group-{}", i));
  }
  crowded.chain.identities[0].groups.pop_back();
  EXPECT_EQ(cache.decide(policies, crowded, select(), now)->verdict, Verdict::allow);
  EXPECT_EQ(cache.size(), 0u);
}

// ---- what a key tells apart ----

/// Whether the second question is answered with the first one's answer.
bool same_entry(const std::shared_ptr<const Policies>& policies, const Session& session,
                const Command& command, const Session& then, const Command& next) {
  DecisionCache cache;
  (void)cache.decide(policies, session, command, now);
  EXPECT_EQ(cache.size(), 1u);
  (void)cache.decide(policies, then, next, now + 1h);
  return cache.hits() == 1;
}

TEST(DecisionCache, TellsChainsApart) {
  const auto policies = make(policy("permit", "true"));
  Session base = session_of({user("alice", {"support", "dba"}),
                             {.kind = IdentityKind::agent, .id = "copilot", .attested = true}});
  const std::vector<std::function<void(std::vector<Identity>&)>> changes = {
      [](auto& chain) { chain[0].id = "bob"; },
      [](auto& chain) { chain[0].kind = IdentityKind::workload; },
      [](auto& chain) { chain[0].issuer = "ci"; },
      [](auto& chain) { chain[0].subject = "other"; },
      [](auto& chain) { chain[0].email = "a@b"; },
      [](auto& chain) { chain[0].groups.pop_back(); },
      [](auto& chain) { chain[0].groups = {"supportdba"}; },
      [](auto& chain) { chain[0].groups = {"supportd", "ba"}; },
      [](auto& chain) { chain[0].groups.push_back("sre"); },
      [](auto& chain) { std::swap(chain[0].groups, chain[1].groups); },
      [](auto& chain) { chain[0].active = false; },
      [](auto& chain) { chain[1].active = false; },
      [](auto& chain) { chain[1].attested = false; },
      [](auto& chain) { chain[1].owner = "alice"; },
      [](auto& chain) { chain.pop_back(); },
      [](auto& chain) { chain.push_back({.kind = IdentityKind::agent, .id = "second"}); },
      [](auto& chain) { std::swap(chain[0].id, chain[1].id); },
      [](auto& chain) { std::swap(chain[0], chain[1]); },
  };
  EXPECT_TRUE(same_entry(policies, base, select(), base, select()));
  for (std::size_t i = 0; i < changes.size(); ++i) {
    Session changed = base;
    changes[i](changed.chain.identities);
    EXPECT_FALSE(same_entry(policies, base, select(), changed, select())) << "change " << i;
  }
}

TEST(DecisionCache, TellsCommandsApart) {
  const auto policies = make(policy("permit", "true"));
  const Command base = select();
  const std::vector<std::function<void(Command&)>> changes = {
      [](Command& command) { command.actions[0].name = "sql:update"; },
      [](Command& command) { command.actions[0].resource.id = "shop/shop/public/orders"; },
      [](Command& command) { command.actions[0].resource = command.actions[1].resource; },
      [](Command& command) { command.actions.pop_back(); },
      [](Command& command) { command.actions.push_back(command.actions[0]); },
      [](Command& command) { std::swap(command.actions[0], command.actions[1]); },
      [](Command& command) { command.context = {}; },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    Command changed = base;
    changes[i](changed);
    EXPECT_FALSE(same_entry(policies, alice(), base, alice(), changed)) << "change " << i;
  }
  Session elsewhere = alice();
  elsewhere.connection = "other";
  EXPECT_FALSE(same_entry(policies, alice(), base, elsewhere, base));
}

TEST(DecisionCache, LooksAtWhatThePoliciesReadOfTheContext) {
  struct Case {
    std::string_view condition;
    std::function<void(Session&, SqlContext&)> change;
  };
  const Case cases[] = {
      {R"(context.auth.method == "x")",
       [](Session& session, SqlContext&) { session.authentication.method = "ticket"; }},
      {R"(context.auth.acr == "x")",
       [](Session& session, SqlContext&) { session.authentication.acr = "high"; }},
      {"context.auth.senderBound",
       [](Session& session, SqlContext&) { session.authentication.sender_bound = true; }},
      {"context.auth.deviceManaged",
       [](Session& session, SqlContext&) { session.authentication.device_managed = true; }},
      {R"(context.delegation.scopes.contains("x"))",
       [](Session& session, SqlContext&) { session.authentication.scopes = {"x"}; }},
      {R"(context.srcIp.isInRange(ip("10.0.0.0/8")))",
       [](Session& session, SqlContext&) { session.source_ip = "192.0.2.1"; }},
      {R"(context.session.id == "x")", [](Session& session, SqlContext&) { session.id = "s2"; }},
      {R"(context has stmt && context.stmt.kind == "x")",
       [](Session&, SqlContext& sql) { sql.kind = "update"; }},
      {R"(context has stmt && context.stmt.fingerprint == "x")",
       [](Session&, SqlContext& sql) { sql.fingerprint = "g"; }},
      {"context has stmt && context.stmt.hasWhere",
       [](Session&, SqlContext& sql) { sql.has_where = true; }},
      {"context has stmt && context.stmt.readOnlyTx",
       [](Session&, SqlContext& sql) { sql.read_only_transaction = true; }},
      {"context has stmt && context.stmt.multi",
       [](Session&, SqlContext& sql) { sql.multi = true; }},
      {"context has stmt && context.stmt.dynamicSql",
       [](Session&, SqlContext& sql) { sql.dynamic_sql = true; }},
  };
  const auto indifferent = make(policy("permit", "true"));
  for (const Case& item : cases) {
    Session session = alice();
    Command command = select();
    item.change(session, std::get<SqlContext>(command.context));
    const auto reading = make(policy("permit", item.condition));
    EXPECT_FALSE(same_entry(reading, alice(), select(), session, command)) << item.condition;
    EXPECT_TRUE(same_entry(indifferent, alice(), select(), session, command)) << item.condition;
  }
}

// ---- the cache itself ----

TEST(DecisionCache, StartsOverWithOtherPolicies) {
  DecisionCache cache;
  const auto open = make(policy("permit", "true"));
  const auto shut = make(policy("forbid", "true"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(cache.decide(open, alice(), select(), now)->verdict, Verdict::allow);
    EXPECT_EQ(cache.decide(shut, alice(), select(), now)->verdict, Verdict::deny);
  }
  EXPECT_EQ(cache.hits(), 0u);
  EXPECT_EQ(cache.size(), 1u);
  // The same texts are the same epoch, and still another set.
  const auto again = make(policy("forbid", "true"));
  EXPECT_EQ(again->epoch(), shut->epoch());
  (void)cache.decide(again, alice(), select(), now);
  EXPECT_EQ(cache.hits(), 0u);
}

TEST(DecisionCache, NeverTakesNewPoliciesForOldOnesThatAreGone) {
  DecisionCache cache;
  for (int i = 0; i < 50; ++i) {
    const auto policies = make(policy(i % 2 == 0 ? "permit" : "forbid", "true"));
    EXPECT_EQ(cache.decide(policies, alice(), select(), now)->verdict,
              i % 2 == 0 ? Verdict::allow : Verdict::deny);
  }
}

TEST(DecisionCache, ForgetsWhatWasUsedLongestAgo) {
  DecisionCache cache(2);
  const auto policies = make(policy("permit", "true"));
  const auto hit = [&](std::string column) {
    const std::uint64_t before = cache.hits();
    (void)cache.decide(policies, alice(), select(std::move(column)), now);
    return cache.hits() > before;
  };
  EXPECT_FALSE(hit("a"));
  EXPECT_FALSE(hit("b"));
  EXPECT_TRUE(hit("a"));
  EXPECT_FALSE(hit("c"));  // b goes
  EXPECT_TRUE(hit("a"));
  EXPECT_FALSE(hit("b"));
  EXPECT_EQ(cache.size(), 2u);
}

TEST(DecisionCache, IsBoundedInBytes) {
  DecisionCache cache(1'000'000, 64 << 10);
  const auto policies = make(policy("permit", "true"));
  for (int i = 0; i < 1'000; ++i) {
    (void)cache.decide(policies, alice(), select(fmt::format("column{}", i)), now);
  }
  EXPECT_GT(cache.size(), 10u);
  EXPECT_LT(cache.size(), 200u);
}

}  // namespace
}  // namespace sallyport::policy

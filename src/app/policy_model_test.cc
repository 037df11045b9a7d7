// The 53 scenarios of the product's policy model, each with a real token: minted by an issuer's
// key, verified by the authenticator, and turned into the chain and the context that the policies
// see. The model is not part of the tree ($SALLYPORT_SHARED); without it this says so and passes.

#include <gtest/gtest.h>
#include <simdjson.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <span>

#include "cedar/conform.h"
#include "cedar/json.h"
#include "identity/authenticator.h"
#include "identity/test_support.h"
#include "net/reactor.h"
#include "policy/context.h"
#include "policy/policies.h"

namespace sallyport::app {
namespace {

using namespace std::chrono_literals;
using identity::CredentialError;
using identity::testing::claims;

namespace dom = simdjson::dom;
namespace fs = std::filesystem;

constexpr WallTime now{std::chrono::sys_days{std::chrono::year{2026} / 11 / 24} + 10h};

/// What becomes of the token itself.
enum class Token : std::uint8_t { good, too_deep, of_no_issuer, spliced, deactivated };

struct Scenario {
  std::string_view id;
  std::size_t first;  // of its requests, counted from 1
  Verdict verdict;
  std::string_view name;
  Token token = Token::good;
};

constexpr Verdict allow = Verdict::allow, hold = Verdict::hold, deny = Verdict::deny;

constexpr Scenario scenarios[]{
    {"S01", 1, allow, "support reads customers"},
    {"S02", 2, deny, "support reads another table"},
    {"S03", 5, deny, "support deletes"},
    {"S04", 8, deny, "support reads outside a read-only transaction"},
    {"S05", 11, allow, "a column that is not personal is revealed"},
    {"S06", 12, deny, "personal data stays masked"},
    {"S07", 15, allow, "fraud reveals with a ticket"},
    {"S08", 16, deny, "fraud without a ticket"},
    {"S09", 19, allow, "the copilot reads for alice"},
    {"S10", 22, deny, "the copilot without the scope"},
    {"S11", 31, deny, "the copilot reads a whole table"},
    {"S12", 40, deny, "the copilot with a token that is not bound to it"},
    {"S13", 49, deny, "the copilot for a user who lacks the right"},
    {"S14", 58, deny, "the user may reveal, the agent may not"},
    {"S15", 67, deny, "the agent alone"},
    {"S16", 70, deny, "a chain spliced from another user's token", Token::spliced},
    {"S17", 79, deny, "an agent that nobody vouches for"},
    {"S18", 88, deny, "four actors", Token::too_deep},
    {"S19", 97, deny, "dynamic SQL"},
    {"S20", 100, deny, "a user of another tenant", Token::of_no_issuer},
    {"S21", 103, deny, "a user who is deactivated", Token::deactivated},
    {"S22", 106, hold, "CI alters a table"},
    {"S23", 108, allow, "CI alters a table, approved by two"},
    {"S24", 109, deny, "approved was another statement"},
    {"S25", 110, deny, "approved by one of two"},
    {"S26", 111, deny, "approved too long ago"},
    {"S27", 112, deny, "CI reads"},
    {"S28", 115, deny, "CI of another branch"},
    {"S29", 118, allow, "break-glass"},
    {"S30", 119, deny, "break-glass without a ticket"},
    {"S31", 122, deny, "break-glass without a phishing-resistant login"},
    {"S32", 125, deny, "break-glass by an agent"},
    {"S33", 134, deny, "break-glass is not for DDL"},
    {"S34", 137, allow, "a developer reads a pod"},
    {"S35", 138, deny, "a developer reads a Secret"},
    {"S36", 141, hold, "exec into a pod"},
    {"S37", 143, allow, "exec within a window"},
    {"S38", 144, deny, "exec by an agent within the user's window"},
    {"S39", 153, allow, "a refund by an admin"},
    {"S40", 154, deny, "a refund from elsewhere"},
    {"S41", 157, deny, "a refund from a device that is not managed"},
    {"S42", 160, deny, "a refund by an agent"},
    {"S43", 169, allow, "a tool call by the copilot"},
    {"S44", 172, deny, "a tool call outside the fence"},
    {"S45", 181, deny, "a tool that changed"},
    {"S46", 190, hold, "a destructive tool"},
    {"S47", 196, allow, "a destructive tool, approved"},
    {"S48", 199, deny, "approved were other arguments"},
    {"S49", 202, allow, "a database administrator approves"},
    {"S50", 203, deny, "an approval of one's own request"},
    {"S51", 204, deny, "a risk too high for that approver"},
    {"S52", 205, deny, "an approval long after the login"},
    {"S53", 206, allow, "support connects"},
};

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string json_text(std::string_view text) {
  return '"' + std::string(text) + '"';
}

class PolicyModel : public testing::Test {
 protected:
  void SetUp() override {
    const char* const shared = std::getenv("SALLYPORT_SHARED");
    const fs::path folder = fs::path(shared == nullptr ? "../shared" : shared) / "policy-model";
    if (!fs::exists(folder)) GTEST_SKIP() << folder << " is not here";
    const std::string text = read(folder / "model.cedar");
    schema = cedar::Schema::parse("schema", policy::builtin_schema()).value();
    set = cedar::PolicySet::parse({{"model.cedar", text}}).value();
    entities = cedar::entities_from_json(read(folder / "model.entities.json"), &schema).value();
    policies = policy::Policies::make({{"model.cedar", text}},
                                      {{.name = "pg-prod",
                                        .protocol = "postgres",
                                        .env = "prod",
                                        .resource_groups = {"prod", "support-data"},
                                        .classification = {{"*.customers.email", "pii.email"}}}},
                                      "acme")
                   .value();
    document = parser.load((folder / "model.requests.json").string());
    for (const dom::element item : document["requests"].get_array()) requests.push_back(item);
    ASSERT_EQ(requests.size(), 206u);
    clock.wall = now;
    const auto agent = [](std::string id, bool attested) {
      return identity::AgentOptions{.client_id = std::move(id), .attested = attested};
    };
    auto people = identity::testing::issuer_options(key);
    people.agents = {agent("support-copilot", true), agent("rogue", false), agent("a", true),
                     agent("b", true), agent("c", true)};
    auto jobs = identity::testing::issuer_options(key);
    jobs.agents.clear();
    const auto job = [](std::string name, std::string ref) {
      return identity::WorkloadRule{.name = std::move(name),
                                    .when = {{"repository_id", {"456789"}},
                                             {"ref", {std::move(ref)}},
                                             {"environment", {"production"}}},
                                    .groups = {"ci-migrators"},
                                    .owner = "dana"};
    };
    jobs.workloads = {job("gh:456789", "refs/heads/main"),
                      job("gh:456789:feature", "refs/heads/x")};
    for_people = identity::Authenticator::create({people}, clock, fetcher).value();
    for_jobs = identity::Authenticator::create({jobs}, clock, fetcher).value();
  }

  static std::string_view text(dom::element item, std::string_view a, std::string_view b) {
    return item[a][b];
  }
  static bool hypothetical(dom::element item) {
    std::string_view id;
    return item["context"]["approval"]["id"].get(id) == simdjson::SUCCESS && id == "?";
  }

  /// A token that says of who asks what the scenario says of them.
  std::string mint(dom::element item) {
    const dom::element context = item["context"];
    const std::string_view subject = text(item, "principal", "id");
    const std::string_view type = text(item, "principal", "type");
    std::map<std::string, std::string> changes{{"sub", json_text(subject)},
                                               {"exp", std::to_string(epoch + 300)},
                                               {"iat", std::to_string(epoch)}};
    std::string_view age = context["auth"]["mfaAge"]["__extn"]["arg"];
    const std::int64_t unit = age.back() == 'h' ? 3600 : 60;
    changes["auth_time"] = std::to_string(epoch - unit * std::atoll(std::string(age).c_str()));
    changes["acr"] = json_text(std::string_view(context["auth"]["acr"]));
    if (bool(context["auth"]["senderBound"])) {
      changes["cnf"] = R"({"x5t#S256":")" + to_base64url(certificate) + "\"}";
    }
    std::string scopes;
    for (const dom::element scope : context["delegation"]["scopes"].get_array()) {
      scopes += (scopes.empty() ? "" : " ") + std::string(std::string_view(scope));
    }
    changes["scope"] = json_text(scopes);
    std::string act, last;
    for (const dom::element actor : context["delegation"]["actors"].get_array()) {
      last = std::string_view(actor["__entity"]["id"]);
      act = R"({"sub":)" + json_text(last) + (act.empty() ? "" : R"(,"act":)" + act) + "}";
    }
    changes["act"] = act;
    if (!last.empty()) changes["client_id"] = json_text(last);
    if (type == "Agent") changes["client_id"] = json_text(subject);
    if (type == "Workload") {
      changes["repository_id"] = json_text("456789");
      changes["environment"] = json_text("production");
      changes["ref"] = json_text(subject.ends_with("feature") ? "refs/heads/x" : "refs/heads/main");
    }
    std::string groups;
    for (const std::string& group : model_groups(type, subject)) {
      groups += (groups.empty() ? "" : ",") + json_text(group);
    }
    if (type == "User") changes["groups"] = "[" + groups + "]";
    return key.sign_jwt("at+jwt", claims(changes));
  }

  std::vector<std::string> model_groups(std::string_view type, std::string_view id) const {
    cedar::Arena arena;
    std::vector<std::string> groups;
    const cedar::Entity* const entity = entities.find(*arena.uid(type, id));
    if (entity == nullptr) return groups;
    for (const cedar::EntityUid* const parent : entity->ancestors) {
      if (parent->type == "Group") groups.emplace_back(parent->id);
    }
    return groups;
  }

  identity::CredentialResult<identity::Credential> verify(std::string token, bool job) {
    return reactor->run_to_end(
        (job ? for_jobs : for_people)
            ->verify_token(std::move(token), {.client_certificate_sha256 = certificate}));
  }

  Session session_of(identity::Credential credential, dom::element item) {
    Session session{.id = "s1",
                    .tenant = "acme",
                    .protocol = "postgres",
                    .connection = "pg-prod",
                    .database = "app",
                    .chain = std::move(credential.chain),
                    .authentication = std::move(credential.authentication)};
    const dom::element context = item["context"];
    session.source_ip = std::string_view(context["srcIp"]["__extn"]["arg"]);
    session.break_glass = bool(context["session"]["breakGlass"]);
    std::string_view ticket;
    if (context["session"]["ticket"].get(ticket) == simdjson::SUCCESS) session.ticket = ticket;
    // No claim of a token says these.
    session.authentication.device_managed = bool(context["auth"]["deviceManaged"]);
    session.authentication.method = std::string_view(context["auth"]["method"]);
    return session;
  }

  /// One request as the model has it, but of what the token says.
  bool answer(dom::element item, const Session& session, const Identity& who) {
    cedar::Arena arena;
    const auto uid = [&](std::string_view part) {
      return arena.uid(text(item, part, "type"), text(item, part, "id"));
    };
    EXPECT_EQ(cedar_type(who.kind), text(item, "principal", "type"));
    EXPECT_EQ(who.id, text(item, "principal", "id"));
    std::vector<std::string> groups = who.groups;
    std::vector<std::string> wanted = model_groups(cedar_type(who.kind), who.id);
    std::ranges::sort(groups);
    std::ranges::sort(wanted);
    EXPECT_EQ(groups, wanted);
    cedar::Request request{uid("principal"), uid("action"), uid("resource"), {}};
    const cedar::ActionType* const action = schema.action("Action", request.action->id);
    const auto given =
        cedar::value_from_json(simdjson::to_string(item["context"]), arena, &action->context);
    const auto base = policy::session_context(session, now, arena);
    if (!given || !base) {
      ADD_FAILURE() << "no context";
      return false;
    }
    std::vector<cedar::Field> fields;
    for (const cedar::Field& field : given->as_record()) {
      const cedar::Value of_token = base->field(field.name);
      if (of_token) EXPECT_EQ(cedar::to_string(of_token), cedar::to_string(field.value));
      fields.push_back({field.name, of_token ? of_token : field.value});
    }
    request.context = arena.record(fields);
    EXPECT_EQ(cedar::misfit(request, schema), std::nullopt);
    const bool allowed = set.authorize(request, entities).allowed;
    EXPECT_EQ(allowed, std::string_view(item["decision"]) == "allow");
    return allowed;
  }

  /// Allowed by all legs as it is, or with an approval that nobody has given yet.
  Verdict verdict(std::span<const dom::element> items, const Session& session) {
    Verdict found = deny;
    for (std::size_t i = 0; i < items.size();) {
      bool all = true;
      std::size_t leg = 0;
      const std::size_t round = i;
      for (; i < items.size() && same_round(items[round], items[i]); ++i, ++leg) {
        // The subject, each agent, and each agent once more: whether it may act for the subject.
        const bool act_for = text(items[i], "action", "id") == "act_for";
        const auto& all_of_them = session.chain.identities;
        const Identity& who = act_for
                                  ? all_of_them[1]
                                  : all_of_them[std::min<std::size_t>(leg, all_of_them.size() - 1)];
        all = answer(items[i], session, who) && all;
      }
      if (all && round == 0 && !hypothetical(items[0])) return allow;
      if (all) found = hold;
    }
    return found;
  }
  static bool same_round(dom::element a, dom::element b) {
    const auto approval = [](dom::element item) {
      dom::element found;
      return item["context"]["approval"].get(found) == simdjson::SUCCESS
                 ? simdjson::to_string(found)
                 : std::string();
    };
    return approval(a) == approval(b);
  }

  /// The same through the decision of a gateway, where it has that protocol.
  std::optional<Verdict> decided(dom::element item, const Session& session) {
    const std::string_view type = text(item, "resource", "type");
    if (type != "Table" && type != "Column" && type != "Connection" && type != "ApprovalRequest") {
      return std::nullopt;
    }
    Command command;
    command.kind = "query";
    command.actions = {{std::string(text(item, "action", "id")),
                        {std::string(type), std::string(text(item, "resource", "id"))}}};
    const dom::element context = item["context"];
    dom::element part;
    if (context["stmt"].get(part) == simdjson::SUCCESS) {
      command.context = SqlContext{.kind = std::string(std::string_view(part["kind"])),
                                   .fingerprint = "fp",
                                   .hash = std::string(std::string_view(part["hash"])),
                                   .has_where = bool(part["hasWhere"]),
                                   .read_only_transaction = bool(part["readOnlyTx"]),
                                   .multi = bool(part["multi"]),
                                   .dynamic_sql = bool(part["dynamicSql"])};
    }
    if (type == "ApprovalRequest") {
      const bool own = text(item, "resource", "id") == "ar2";
      command.context = VoteContext{
          .requester = {.id = own ? "dana" : "bob", .issuer = "i"}, .target = "x", .risk = 80};
    }
    cedar::Scratch scratch;
    if (context["approval"].get(part) != simdjson::SUCCESS || hypothetical(item)) {
      return policies->decide(session, command, now, scratch).verdict;
    }
    const auto expires = std::string_view(part["expires"]["__extn"]["arg"]);
    const Approval approval{
        .id = "ap1",
        .kind = std::string(std::string_view(part["kind"])),
        .quorum = static_cast<std::uint32_t>(std::int64_t(part["quorum"])),
        .approvers = {"dana"},
        .bound_hash = std::string(std::string_view(part["boundHash"])),
        .expires = now + (expires.find("10:10") != std::string_view::npos ? 600s : -1s)};
    return policies->decide(session, command, now, scratch, &approval).verdict;
  }

  void run(const Scenario& scenario, std::size_t end) {
    const std::span<const dom::element> items =
        std::span(requests).subspan(scenario.first - 1, end - scenario.first);
    const bool job = text(items[0], "principal", "type") == "Workload";
    std::string token = mint(items[0]);
    if (scenario.token == Token::too_deep) {
      return refused(verify(token, job), CredentialError::Kind::delegation);
    }
    if (scenario.token == Token::of_no_issuer) {
      token = key.sign_jwt("at+jwt", claims({{"iss", R"("https://globex.example.com")"}}));
      return refused(verify(token, job), CredentialError::Kind::unknown_issuer);
    }
    auto credential = verify(token, job);
    ASSERT_TRUE(credential) << credential.error().detail;
    Session session = session_of(std::move(*credential), items[0]);
    if (scenario.token == Token::deactivated) session.chain.identities[0].active = false;
    if (scenario.token == Token::spliced) {
      // What the model supposes cannot even be said: the subject is whom the token is of. Denied
      // as it is, and another user's payload under this signature is no token.
      const std::string other =
          key.sign_jwt("at+jwt", claims({{"act", R"({"sub":"support-copilot"})"}}));
      const std::size_t dot = token.find('.'), dots = token.rfind('.');
      refused(verify(token.substr(0, dot) + other.substr(dot, other.rfind('.') - dot) +
                         token.substr(dots),
                     job),
              CredentialError::Kind::signature);
    } else {
      EXPECT_EQ(verdict(items, session), scenario.verdict);
    }
    if (const auto by_gateway = decided(items[0], session)) {
      EXPECT_EQ(*by_gateway, scenario.verdict);
      ++through_the_gateway;
    }
  }
  static void refused(const identity::CredentialResult<identity::Credential>& result,
                      CredentialError::Kind kind) {
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().kind, kind) << result.error().detail;
  }

  static constexpr std::int64_t epoch =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  const Digest certificate = sha256(as_bytes("the client's certificate"));
  cedar::Schema schema;
  cedar::PolicySet set;
  cedar::Entities entities;
  std::shared_ptr<const policy::Policies> policies;
  dom::parser parser;
  dom::element document;
  std::vector<dom::element> requests;
  identity::testing::FixedClock clock;
  identity::testing::MapFetcher fetcher;
  identity::SigningKey key = identity::SigningKey::generate();
  std::unique_ptr<net::Reactor> reactor = net::Reactor::make().value();
  std::unique_ptr<identity::Authenticator> for_people, for_jobs;
  std::size_t through_the_gateway = 0;
};

TEST_F(PolicyModel, EveryScenarioIsDecidedForAChainThatATokenProved) {
  std::size_t number = 0;
  for (const Scenario& scenario : scenarios) {
    SCOPED_TRACE(std::string(scenario.id) + " " + std::string(scenario.name));
    ++number;
    const std::size_t end =
        number < std::size(scenarios) ? scenarios[number].first : requests.size() + 1;
    run(scenario, end);
  }
  EXPECT_EQ(number, 53u);
  std::cout << number << " scenarios of the model, " << through_the_gateway
            << " of them by the gateway's own decision as well\n";
}

}  // namespace
}  // namespace sallyport::app

#include "cli/policy_suite.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include "base/numbers.h"
#include "cedar/extension.h"
#include "cedar/hint.h"
#include "cedar/parser.h"
#include "cli/policy_files.h"
#include "core/resource_id.h"

namespace sallyport::cli {
namespace {

namespace fs = std::filesystem;

using Columns = std::vector<std::string>;

/// One case, as it is written.
struct Case {
  int line = 0;
  std::string name;
  Session session;
  std::string sql;
  std::optional<Action> action;
  bool has_where = false;
  WallTime now;
  std::optional<Approval> approval;  // of this command unless it has a hash of its own
  std::optional<Verdict> expected;
  std::vector<std::string> because;
  std::vector<std::string> approvers;  // groups that a hold is to ask
  Columns masked;                      // ids of columns that this chain may not see as they are
  Columns revealed;                    // and of those it may
};

struct Suite {
  std::vector<policy::ConnectionFacts> connections;
  std::map<std::string, Identity> who;
  std::vector<Case> cases;
};

std::unexpected<Error> wrong(const fs::path& file, const YAML::Mark& mark, std::string_view what) {
  return fail(Errc::invalid,
              fmt::format("{}:{}:{}: {}", file.string(), mark.line + 1, mark.column + 1, what));
}

class Reader {
 public:
  Reader(fs::path file, WallTime now) : file_(std::move(file)), now_(now) {}

  Result<Suite> read(const YAML::Node& root) {
    if (auto checked = keys(root, {"connections", "who", "tests"}); !checked) return fail(checked);
    if (auto read = connections(root["connections"]); !read) return fail(read);
    if (auto read = who(root["who"]); !read) return fail(read);
    if (!root["tests"] || !root["tests"].IsSequence()) {
      return wrong(file_, root.Mark(), "tests: a list is expected");
    }
    for (const YAML::Node& node : root["tests"]) {
      if (suite_.cases.size() >= suite_cases_max) {
        return wrong(file_, node.Mark(), fmt::format("more than {} tests", suite_cases_max));
      }
      if (auto read = one_case(node); !read) return fail(read);
    }
    return std::move(suite_);
  }

 private:
  Result<void> keys(const YAML::Node& node, const std::vector<std::string_view>& known) {
    if (!node.IsMap()) return wrong(file_, node.Mark(), "keys and values are expected");
    for (const auto& member : node) {
      const std::string key = member.first.as<std::string>("");
      if (std::ranges::find(known, key) != known.end()) continue;
      const std::string hint = cedar::did_you_mean(key, known);
      return wrong(file_, member.first.Mark(),
                   fmt::format("\"{}\" is not a key here{}", key,
                               hint.empty() ? "" : " (hint: " + hint + ")"));
    }
    return ok();
  }

  Result<std::string> text(const YAML::Node& node, std::string_view what) {
    if (node && node.IsScalar()) return node.Scalar();
    return wrong(file_, node.Mark(), fmt::format("{}: a text is expected", what));
  }

  /// One text, or a list of them; nothing where the key is not given.
  Result<std::vector<std::string>> texts(const YAML::Node& node, std::string_view what) {
    std::vector<std::string> all;
    if (!node) return all;
    if (node.IsScalar()) return std::vector<std::string>{node.Scalar()};
    if (!node.IsSequence())
      return wrong(file_, node.Mark(), fmt::format("{}: a list is expected", what));
    for (const YAML::Node& item : node) {
      auto one = text(item, what);
      if (!one) return fail(one);
      all.push_back(std::move(*one));
    }
    return all;
  }

  Result<bool> flag(const YAML::Node& node, bool otherwise) {
    if (!node) return otherwise;
    bool value = false;
    if (YAML::convert<bool>::decode(node, value)) return value;
    return wrong(file_, node.Mark(), "true or false is expected");
  }

  Result<std::map<std::string, std::string>> pairs(const YAML::Node& node, std::string_view what) {
    std::map<std::string, std::string> all;
    if (!node) return all;
    if (!node.IsMap()) {
      return wrong(file_, node.Mark(), fmt::format("{}: keys and values are expected", what));
    }
    for (const auto& member : node) {
      auto value = text(member.second, what);
      if (!value) return fail(value);
      all[member.first.as<std::string>("")] = std::move(*value);
    }
    return all;
  }

  Result<void> connections(const YAML::Node& node) {
    if (!node) return ok();
    if (!node.IsMap()) return wrong(file_, node.Mark(), "connections: names are expected");
    for (const auto& member : node) {
      const YAML::Node& facts = member.second;
      auto checked = keys(facts, {"protocol", "env", "tags", "resource_groups", "classification"});
      if (!checked) return checked;
      policy::ConnectionFacts made{.name = member.first.as<std::string>(""),
                                   .protocol = facts["protocol"].as<std::string>("postgres"),
                                   .env = facts["env"].as<std::string>("")};
      auto tags = pairs(facts["tags"], "tags");
      if (!tags) return fail(tags);
      made.tags = std::move(*tags);
      auto groups = texts(facts["resource_groups"], "resource_groups");
      if (!groups) return fail(groups);
      made.resource_groups = std::move(*groups);
      auto rules = pairs(facts["classification"], "classification");
      if (!rules) return fail(rules);
      for (const auto& [pattern, label] : *rules) made.classification.push_back({pattern, label});
      suite_.connections.push_back(std::move(made));
    }
    return ok();
  }

  Result<void> who(const YAML::Node& node) {
    if (!node) return ok();
    if (!node.IsMap()) return wrong(file_, node.Mark(), "who: names are expected");
    for (const auto& member : node) {
      const std::string name = member.first.as<std::string>("");
      auto identity = this->identity(name, member.second);
      if (!identity) return fail(identity);
      suite_.who[name] = std::move(*identity);
    }
    return ok();
  }

  Result<Identity> identity(const std::string& name, const YAML::Node& node) {
    auto checked = keys(
        node, {"kind", "id", "groups", "active", "email", "owner", "attested", "issuer", "job"});
    if (!checked) return fail(checked);
    Identity made{.id = node["id"].as<std::string>(name)};
    const std::string kind = node["kind"].as<std::string>("user");
    if (kind == "agent") {
      made.kind = IdentityKind::agent;
    } else if (kind == "workload") {
      made.kind = IdentityKind::workload;
    } else if (kind != "user") {
      return wrong(file_, node["kind"].Mark(), "kind is user, agent or workload");
    }
    auto groups = texts(node["groups"], "groups");
    if (!groups) return fail(groups);
    made.groups = std::move(*groups);
    made.email = node["email"].as<std::string>("");
    made.owner = node["owner"].as<std::string>("");
    made.issuer = node["issuer"].as<std::string>("");
    auto job = pairs(node["job"], "job");
    if (!job) return fail(job);
    made.job = std::move(*job);
    auto active = flag(node["active"], true);
    if (!active) return fail(active);
    made.active = *active;
    auto attested = flag(node["attested"], true);
    if (!attested) return fail(attested);
    made.attested = *attested;
    return made;
  }

  /// Of those named under `who`. Where nobody is, a name is a user, or an agent, without groups.
  Result<Identity> known(const std::string& name, IdentityKind otherwise, const YAML::Node& node) {
    const auto at = suite_.who.find(name);
    if (at != suite_.who.end()) return at->second;
    if (suite_.who.empty()) return Identity{.kind = otherwise, .id = name, .attested = true};
    std::vector<std::string_view> names;
    for (const auto& [known, identity] : suite_.who) names.push_back(known);
    const std::string hint = cedar::did_you_mean(name, names);
    return wrong(file_, node.Mark(),
                 fmt::format("\"{}\" is not under who{}", name,
                             hint.empty() ? "" : " (hint: " + hint + ")"));
  }

  Result<void> one_case(const YAML::Node& node) {
    auto checked =
        keys(node, {"name",         "as",          "groups",  "via",       "scopes",
                    "from",         "at",          "acr",     "mfa_age",   "device_managed",
                    "sender_bound", "break_glass", "ticket",  "purpose",   "connection",
                    "database",     "sql",         "action",  "resource",  "where",
                    "approval",     "expect",      "because", "approvers", "masked",
                    "revealed"});
    if (!checked) return checked;
    Case made{.line = node.Mark().line + 1, .now = now_};
    made.name = node["name"].as<std::string>("");
    if (auto read = time(node, made); !read) return read;
    if (auto read = session(node, made); !read) return read;
    if (auto read = circumstances(node, made.session); !read) return read;
    if (auto read = approval(node["approval"], made); !read) return read;
    if (auto read = question(node, made); !read) return read;
    if (auto read = expectation(node, made); !read) return read;
    suite_.cases.push_back(std::move(made));
    return ok();
  }

  Result<void> time(const YAML::Node& node, Case& made) {
    if (!node["at"]) return ok();
    const auto at = cedar::parse_datetime(node["at"].as<std::string>(""));
    if (!at) return wrong(file_, node["at"].Mark(), "at: such as 2026-11-24T22:30:00Z");
    made.now = WallTime(std::chrono::milliseconds(*at));
    return ok();
  }

  Result<void> circumstances(const YAML::Node& node, Session& session) {
    session.authentication.acr = node["acr"].as<std::string>("");
    session.ticket = node["ticket"].as<std::string>("");
    session.purpose = node["purpose"].as<std::string>("");
    for (auto [key, value] : {std::pair{"device_managed", &session.authentication.device_managed},
                              std::pair{"sender_bound", &session.authentication.sender_bound},
                              std::pair{"break_glass", &session.break_glass}}) {
      auto read = flag(node[key], false);
      if (!read) return fail(read);
      *value = *read;
    }
    return ok();
  }

  /// As if people had said yes: to this command, a minute ago.
  Result<void> approval(const YAML::Node& node, Case& made) {
    if (!node) return ok();
    if (auto checked = keys(node, {"kind", "quorum", "hash", "expires_in"}); !checked) {
      return checked;
    }
    Approval given{.id = "test", .kind = node["kind"].as<std::string>("statement")};
    const auto quorum = parse_number<std::uint32_t>(node["quorum"].as<std::string>("1"));
    if (!quorum) return wrong(file_, node["quorum"].Mark(), "quorum: how many people said yes");
    given.quorum = *quorum;
    given.bound_hash = node["hash"].as<std::string>("");
    const auto left = cedar::parse_duration(node["expires_in"].as<std::string>("10m"));
    if (!left) {
      return wrong(file_, node["expires_in"].Mark(), "expires_in: such as 10m, or -1m if it has");
    }
    given.expires = made.now + std::chrono::milliseconds(*left);
    made.approval = std::move(given);
    return ok();
  }

  Result<void> session(const YAML::Node& node, Case& made) {
    auto as = text(node["as"], "as");
    if (!as) return fail(as);
    auto via = texts(node["via"], "via");
    if (!via) return fail(via);
    auto more_groups = texts(node["groups"], "groups");
    if (!more_groups) return fail(more_groups);
    auto scopes = texts(node["scopes"], "scopes");
    if (!scopes) return fail(scopes);

    Session& session = made.session;
    session.id = "test";
    auto subject = known(*as, IdentityKind::user, node["as"]);
    if (!subject) return fail(subject);
    session.chain.identities.push_back(std::move(*subject));
    auto& groups = session.chain.identities.front().groups;
    groups.insert(groups.end(), more_groups->begin(), more_groups->end());
    for (const std::string& agent : *via) {
      auto identity = known(agent, IdentityKind::agent, node["via"]);
      if (!identity) return fail(identity);
      session.chain.identities.push_back(std::move(*identity));
    }
    session.source_ip = node["from"].as<std::string>("127.0.0.1");
    session.started_at = made.now;
    session.authentication = {.method = "test", .authenticated_at = made.now, .scopes = *scopes};
    if (node["mfa_age"]) {
      const auto age = cedar::parse_duration(node["mfa_age"].as<std::string>(""));
      if (!age) return wrong(file_, node["mfa_age"].Mark(), "mfa_age: such as 5m or 2h");
      session.authentication.authenticated_at = made.now - std::chrono::milliseconds(*age);
    }
    return connection(node, session);
  }

  Result<void> connection(const YAML::Node& node, Session& session) {
    if (!node["connection"] && suite_.connections.size() != 1) {
      return wrong(file_, node.Mark(), "connection: which of them?");
    }
    session.connection = node["connection"].as<std::string>(
        suite_.connections.empty() ? "" : suite_.connections.front().name);
    const auto at =
        std::ranges::find(suite_.connections, session.connection, &policy::ConnectionFacts::name);
    if (at == suite_.connections.end()) {
      return wrong(file_, node.Mark(),
                   fmt::format("there is no connection \"{}\" in this file", session.connection));
    }
    session.protocol = at->protocol;
    session.database = node["database"].as<std::string>(session.connection);
    return ok();
  }

  Result<void> question(const YAML::Node& node, Case& made) {
    made.sql = node["sql"].as<std::string>("");
    auto where = flag(node["where"], false);
    if (!where) return fail(where);
    made.has_where = *where;
    if (!node["action"]) {
      return node["resource"] ? wrong(file_, node["resource"].Mark(), "resource needs action")
                              : ok();
    }
    if (!made.sql.empty()) return wrong(file_, node["sql"].Mark(), "either sql or action");
    auto name = text(node["action"], "action");
    if (!name) return fail(name);
    made.action = Action{*name, {"Connection", resource_id({made.session.connection})}};
    if (node["resource"]) {
      auto uid = cedar::parse_uid(node["resource"].as<std::string>(""));
      if (!uid) return wrong(file_, node["resource"].Mark(), uid.error().detail);
      made.action->resource = {std::move(uid->type), std::move(uid->id)};
    }
    return ok();
  }

  Result<void> expectation(const YAML::Node& node, Case& made) {
    for (auto [key, columns] :
         {std::pair{"masked", &made.masked}, std::pair{"revealed", &made.revealed}}) {
      auto ids = texts(node[key], key);
      if (!ids) return fail(ids);
      *columns = std::move(*ids);
    }
    for (auto [key, names] :
         {std::pair{"because", &made.because}, std::pair{"approvers", &made.approvers}}) {
      auto read = texts(node[key], key);
      if (!read) return fail(read);
      *names = std::move(*read);
    }
    const bool asks = made.action || !made.sql.empty();
    const std::string expected = node["expect"].as<std::string>("");
    if (expected == "allow") {
      made.expected = Verdict::allow;
    } else if (expected == "deny") {
      made.expected = Verdict::deny;
    } else if (expected == "hold") {
      made.expected = Verdict::hold;
    } else if (asks || node["expect"]) {
      return wrong(file_, node["expect"] ? node["expect"].Mark() : node.Mark(),
                   "expect is allow, deny or hold");
    }
    if (!made.approvers.empty() && made.expected != Verdict::hold) {
      return wrong(file_, node["approvers"].Mark(), "approvers needs `expect: hold`");
    }
    if (asks != made.expected.has_value()) {
      return wrong(file_, node.Mark(), "what is asked? (hint: give sql, or action and resource)");
    }
    if (!asks && made.masked.empty() && made.revealed.empty()) {
      return wrong(file_, node.Mark(), "nothing is expected here");
    }
    return ok();
  }

  fs::path file_;
  WallTime now_;
  Suite suite_;
};

/// Asks the policies what a case says, and compares.
class Run {
 public:
  Run(const policy::Policies& policies, const PolicyTools& tools, std::string file,
      SuiteResult& into)
      : policies_(policies), tools_(tools), file_(std::move(file)), into_(into) {}

  void run(const Case& test) {
    const std::size_t failed = into_.failures.size();
    if (test.expected) ask(test);
    for (const std::string& column : test.masked) reveal(test, column, false);
    for (const std::string& column : test.revealed) reveal(test, column, true);
    if (into_.failures.size() == failed) ++into_.passed;
  }

 private:
  void failure(const Case& test, std::string why) {
    into_.failures.push_back({file_, test.line, test.name, std::move(why)});
  }

  Result<Command> command_of(const Case& test) const {
    Command command;
    if (!test.sql.empty()) {
      if (!tools_.analyse) return fail(Errc::invalid, "SQL cannot be tested here");
      auto analysed = tools_.analyse(test.session.connection, test.session.database, test.sql);
      if (!analysed) return analysed;
      command = std::move(*analysed);
    } else {
      command.kind = "test";
      command.actions.push_back(*test.action);
      command.context = context_of(test.action->name, test.has_where);
    }
    if (auto* const sql = std::get_if<SqlContext>(&command.context)) {
      sql->read_only_transaction = !policies_.may_write(test.session);
    }
    return command;
  }

  Decision decide(const Case& test, const Command& command) {
    std::optional<Approval> approval = test.approval;
    if (approval && approval->bound_hash.empty() && approval->kind == "statement") {
      approval->bound_hash = approval_hash(command.context);
    }
    Decision decision = policies_.decide(test.session, command, test.now, scratch_,
                                         approval ? &*approval : nullptr);
    for (const Answer& answer : decision.answers) {
      into_.decided.insert(answer.policies.begin(), answer.policies.end());
    }
    if (decision.hold) {
      for (const Route& route : decision.hold->routes) into_.decided.insert(route.policy);
    }
    return decision;
  }

  void ask(const Case& test) {
    const auto command = command_of(test);
    // A statement that cannot be analysed is denied.
    const Decision decision =
        command ? decide(test, *command)
                : Decision{.reason = "it cannot be analysed: " + command.error().detail};
    if (decision.verdict != *test.expected) {
      return failure(test, fmt::format("{} was expected, this is {}{}{}", to_string(*test.expected),
                                       to_string(decision.verdict),
                                       decision.reason.empty() ? "" : ": ", decision.reason));
    }
    because(test, decision);
    if (!test.approvers.empty()) approvers(test, *decision.hold);
  }

  void approvers(const Case& test, const Hold& hold) {
    std::set<std::string> asked;
    for (const Route& route : hold.routes) {
      asked.insert(route.approvers.begin(), route.approvers.end());
    }
    if (asked == std::set<std::string>(test.approvers.begin(), test.approvers.end())) return;
    failure(test, fmt::format("an approval by {} was expected to be asked for, it is by {}",
                              fmt::join(test.approvers, ", "), fmt::join(asked, ", ")));
  }

  /// The policies that are to be the reason: of the first no, or of all that said yes; of a hold
  /// those that ask for the approval, too.
  void because(const Case& test, const Decision& decision) {
    std::set<std::string> reasons;
    const Answer* const refused = decision.refused();
    for (const Answer& answer : decision.answers) {
      if (refused != nullptr && &answer != refused) continue;
      reasons.insert(answer.policies.begin(), answer.policies.end());
    }
    if (decision.hold) {
      for (const Route& route : decision.hold->routes) reasons.insert(route.policy);
    }
    for (const std::string& wanted : test.because) {
      if (reasons.contains(wanted)) continue;
      failure(test, fmt::format("because of \"{}\" was expected, the reasons are: {}", wanted,
                                reasons.empty() ? "none, no policy permits it"
                                                : fmt::format("{}", fmt::join(reasons, ", "))));
    }
  }

  void reveal(const Case& test, const std::string& column, bool wanted) {
    Command command;
    command.kind = "test";
    command.actions.push_back({"reveal", {"Column", column}});
    command.context = SqlContext{.kind = "select"};
    const Decision decision = decide(test, command);
    const bool revealed = decision.verdict == Verdict::allow;
    if (revealed == wanted) return;
    failure(test, fmt::format("{} was expected to be {}, it is {}{}{}", column,
                              wanted ? "revealed" : "masked", revealed ? "revealed" : "masked",
                              decision.reason.empty() ? "" : ": ", decision.reason));
  }

  const policy::Policies& policies_;
  const PolicyTools& tools_;
  std::string file_;
  SuiteResult& into_;
  cedar::Scratch scratch_;
};

Result<Suite> read_suite(const fs::path& path, WallTime now) {
  std::error_code problem;
  const auto size = fs::file_size(path, problem);
  if (problem) return fail(Errc::io, path.string() + ": " + problem.message());
  if (size > suite_bytes_max) {
    return fail(Errc::too_large,
                fmt::format("{}: larger than {} bytes", path.string(), suite_bytes_max));
  }
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad()) return fail(Errc::io, path.string() + ": cannot be read");
  try {
    return Reader(path, now).read(YAML::Load(text));
  } catch (const YAML::Exception& error) {
    return wrong(path, error.mark.is_null() ? YAML::Mark() : error.mark, error.msg);
  }
}

Result<std::vector<fs::path>> suites_of(const fs::path& folder) {
  std::error_code problem;
  std::vector<fs::path> files;
  for (fs::directory_iterator at(folder, problem), end; !problem && at != end;
       at.increment(problem)) {
    if (at->path().filename().string().ends_with(".test.yaml")) files.push_back(at->path());
  }
  if (problem) return fail(Errc::io, folder.string() + ": " + problem.message());
  if (files.empty()) {
    return fail(Errc::invalid, folder.string() + ": there is no *.test.yaml file here");
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

std::string CaseFailure::to_string() const {
  return fmt::format("{}:{}: {}{}{}", file, line, name, name.empty() ? "" : ": ", why);
}

std::vector<std::string> SuiteResult::undecided() const {
  std::vector<std::string> ids;
  std::ranges::set_difference(policies, decided, std::back_inserter(ids));
  return ids;
}

Result<SuiteResult> run_policy_suites(const fs::path& folder, const PolicyTools& tools,
                                      WallTime now) {
  auto files = suites_of(folder);
  if (!files) return fail(files);
  auto texts = read_policies(folder);
  if (!texts) return fail(texts);
  SuiteResult result;
  for (const fs::path& file : *files) {
    auto suite = read_suite(file, now);
    if (!suite) return fail(suite);
    auto policies = policy::Policies::make(*texts, suite->connections);
    if (!policies) return fail(policies);
    for (const cedar::Policy& policy : (*policies)->set().policies()) {
      result.policies.insert(policy.id);
    }
    Run run(**policies, tools, file.string(), result);
    for (const Case& test : suite->cases) run.run(test);
  }
  return result;
}

}  // namespace sallyport::cli

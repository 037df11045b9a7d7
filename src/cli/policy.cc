#include "cli/policy.h"

#include <iostream>
#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/json.hpp>

#include "base/clock.h"
#include "cedar/parser.h"
#include "cli/policy_files.h"
#include "cli/policy_format.h"
#include "cli/policy_suite.h"
#include "core/resource_id.h"

namespace sallyport::cli {
namespace {

namespace json = boost::json;

constexpr int exit_denied = 1;
constexpr int exit_invalid = 2;
constexpr int exit_held = 3;

Result<PolicyTools::Configured> configured(const PolicyQuestion& question,
                                           const PolicyTools& tools) {
  if (!question.config.empty()) {
    if (!tools.configured) return fail(Errc::invalid, "--config cannot be used here");
    return tools.configured(question.config);
  }
  return PolicyTools::Configured{.connections = {{.name = question.connection,
                                                  .protocol = question.protocol,
                                                  .env = question.environment,
                                                  .resource_groups = question.resource_groups}},
                                 .policies = "policies"};
}

Session session_of(const PolicyQuestion& question, WallTime now) {
  Session session;
  session.id = "explain";
  session.tenant = question.tenant;
  session.protocol = question.protocol;
  session.connection = question.connection;
  session.database = question.database.empty() ? question.connection : question.database;
  session.source_ip = question.source_ip;
  session.started_at = now;
  session.authentication = {
      .method = "explain", .authenticated_at = now, .scopes = question.scopes};
  session.chain.identities.push_back(
      {.kind = IdentityKind::user, .id = question.user, .groups = question.groups});
  for (const std::string& agent : question.agents) {
    session.chain.identities.push_back({.kind = IdentityKind::agent,
                                        .id = agent,
                                        .groups = question.agent_groups,
                                        .attested = true});
  }
  return session;
}

Result<Command> command_of(const PolicyQuestion& question, const PolicyTools& tools,
                           const std::string& database) {
  if (!question.sql.empty()) {
    if (!tools.analyse) return fail(Errc::invalid, "SQL cannot be explained here");
    return tools.analyse(question.connection, database, question.sql);
  }
  Command command;
  command.kind = "explain";
  Action action{question.action, {"Connection", resource_id({question.connection})}};
  if (action.name.empty()) {
    return fail(Errc::invalid, "what is asked? (hint: give SQL, or --action and --resource)");
  }
  if (!question.resource.empty()) {
    auto uid = cedar::parse_uid(question.resource);
    if (!uid) return fail(uid, "--resource");
    action.resource = {std::move(uid->type), std::move(uid->id)};
  } else if (action.name != "connect") {
    return fail(Errc::invalid, "--action " + action.name + " needs --resource");
  }
  command.context = context_of(action.name, question.has_where);
  command.actions.push_back(std::move(action));
  return command;
}

/// "support-is-read-only (policies/20-shop.cedar:81:1)".
std::string located(const policy::Policies& policies, const std::string& id) {
  const cedar::Policy* const found = policies.set().find(id);
  return found == nullptr
             ? id
             : fmt::format("{} ({}:{}:{})", id, found->file, found->line, found->column);
}

json::object to_json(const Answer& answer) {
  return {
      {"principal", answer.principal},
      {"action", answer.action.name},
      {"resource", answer.action.resource.type + "::" + cedar::quoted(answer.action.resource.id)},
      {"allowed", answer.allowed},
      {"policies", json::value_from(answer.policies)},
      {"errors", json::value_from(answer.errors)}};
}

json::object to_json(const Hold& hold) {
  json::array routes;
  for (const Route& route : hold.routes) {
    routes.push_back(json::object{{"policy", route.policy},
                                  {"approvers", json::value_from(route.approvers)},
                                  {"quorum", route.quorum},
                                  {"ttl_s", route.ttl.count()},
                                  {"mode", route.mode},
                                  {"alert", route.alert},
                                  {"review", route.review}});
  }
  return {{"kind", hold.kind}, {"routes", std::move(routes)}};
}

[[noreturn]] void stop(const Error& error, bool as_json) {
  if (as_json) {
    std::cout << json::serialize(json::object{{"error", error.detail}}) << "\n";
  } else {
    std::cerr << error.detail << "\n";
  }
  throw CLI::RuntimeError(exit_invalid);
}

void run_check(const std::filesystem::path& folder, bool as_json) {
  const auto policies = check_policies(folder);
  if (!policies) stop(policies.error(), as_json);
  const std::size_t count = (*policies)->set().policies().size();
  std::vector<std::string> warnings;
  for (const auto& warning : (*policies)->warnings()) warnings.push_back(warning.to_string());
  if (as_json) {
    std::cout << json::serialize(json::object{{"ok", true},
                                              {"policies", count},
                                              {"warnings", json::value_from(warnings)},
                                              {"epoch", (*policies)->epoch()}})
              << "\n";
    return;
  }
  for (const std::string& warning : warnings) std::cout << "warning: " << warning << "\n";
  std::cout << fmt::format("{}: {} policies, {}\n", folder.string(), count,
                           warnings.empty() ? "all good" : "no error");
}

void run_format(const std::vector<std::filesystem::path>& paths, bool only_check, bool as_json) {
  auto files = policy_files(paths);
  if (!files) stop(files.error(), as_json);
  const auto changed = format_policy_files(*files, only_check);
  if (!changed) stop(changed.error(), as_json);
  json::array names;
  for (const auto& file : *changed) {
    names.emplace_back(file.string());
    if (as_json) continue;
    std::cout << file.string() << (only_check ? ": not formatted\n" : ": formatted\n");
  }
  if (as_json) {
    std::cout << json::serialize(json::object{{"files", files->size()},
                                              {"written", !only_check},
                                              {"changed", std::move(names)}})
              << "\n";
  }
  if (only_check && !changed->empty()) throw CLI::RuntimeError(exit_denied);
}

json::object to_json(const SuiteResult& result) {
  json::array failures;
  for (const CaseFailure& failure : result.failures) {
    failures.push_back(json::object{{"file", failure.file},
                                    {"line", failure.line},
                                    {"name", failure.name},
                                    {"why", failure.why}});
  }
  return {{"passed", result.passed},
          {"failures", std::move(failures)},
          {"untested", json::value_from(result.undecided())}};
}

void run_test(const std::filesystem::path& folder, const PolicyTools& tools, bool as_json) {
  const auto result = run_policy_suites(folder, tools, system_clock().now());
  if (!result) stop(result.error(), as_json);
  if (as_json) {
    std::cout << json::serialize(to_json(*result)) << "\n";
  } else {
    for (const CaseFailure& failure : result->failures) {
      std::cout << "FAILED " << failure.to_string() << "\n";
    }
    const auto untested = result->undecided();
    if (!untested.empty()) {
      std::cout << fmt::format("no test reaches: {}\n", fmt::join(untested, ", "));
    }
    std::cout << fmt::format("{} passed, {} failed\n", result->passed, result->failures.size());
  }
  if (!result->failures.empty()) throw CLI::RuntimeError(exit_denied);
}

void run_explain(const PolicyQuestion& question, const PolicyTools& tools, bool as_json) {
  const auto explanation = explain_policy(question, tools, system_clock().now());
  if (!explanation) stop(explanation.error(), as_json);
  std::cout << (as_json ? to_json(*explanation) + "\n" : to_text(*explanation));
  const Verdict verdict = explanation->decision.verdict;
  if (verdict == Verdict::hold) throw CLI::RuntimeError(exit_held);
  if (verdict != Verdict::allow) throw CLI::RuntimeError(exit_denied);
}

void add_check(CLI::App& parent) {
  struct Options {
    std::filesystem::path folder = "policies";
    bool as_json = false;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const check = parent.add_subcommand(
      "check", "Read all policies of a folder and say what is wrong, with file:line:column");
  check->add_option("DIR", options->folder, "The folder (default: policies)");
  check->add_flag("--json", options->as_json, "Print JSON");
  check->footer(
      "Examples:\n"
      "  sallyport policy check policies\n"
      "  sallyport policy check --json /etc/sallyport/policies\n"
      "Exit code: 0 all good, 2 something is wrong");
  check->callback([options] { run_check(options->folder, options->as_json); });
}

void add_format(CLI::App& parent) {
  struct Options {
    std::vector<std::filesystem::path> paths{"policies"};
    bool only_check = false;
    bool as_json = false;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* const format = parent.add_subcommand(
      "format", "Lay out policies in the one way; words and comments stay as they are");
  format->add_option("PATH", options->paths, "Files and folders (default: policies)");
  format->add_flag("--check", options->only_check, "Change nothing; say what would change");
  format->add_flag("--json", options->as_json, "Print JSON");
  format->footer(
      "Examples:\n"
      "  sallyport policy format policies\n"
      "  sallyport policy format --check policies/20-shop.cedar\n"
      "Exit code: 0 done, 1 something would change (--check), 2 no policies");
  format->callback(
      [options] { run_format(options->paths, options->only_check, options->as_json); });
}

void add_test(CLI::App& parent, PolicyTools tools) {
  struct Options {
    std::filesystem::path folder = "policies";
    PolicyTools tools;
    bool as_json = false;
  };
  const auto options = std::make_shared<Options>();
  options->tools = std::move(tools);
  CLI::App* const test =
      parent.add_subcommand("test", "Run the *.test.yaml files of a folder against its policies");
  test->add_option("DIR", options->folder, "The folder (default: policies)");
  test->add_flag("--json", options->as_json, "Print JSON");
  test->footer(
      "Examples:\n"
      "  sallyport policy test policies\n"
      "  sallyport policy test --json policies\n"
      "A file beside the policies, such as policies/shop.test.yaml:\n"
      "  connections: {shop: {env: prod}}\n"
      "  tests:\n"
      "    - {as: alice, groups: support, sql: select * from orders, expect: allow}\n"
      "Exit code: 0 all passed, 1 some failed, 2 the policies or a file are wrong");
  test->callback([options] { run_test(options->folder, options->tools, options->as_json); });
}

void add_who(CLI::App& explain, PolicyQuestion& question) {
  explain.add_option("--as", question.user, "The user's id")->required();
  explain.add_option("--group", question.groups,
                     "A group of the user; may be repeated (default: as the built-in issuer says)");
  explain.add_option("--agent", question.agents,
                     "An agent that acts for the user, nearest first; may be repeated");
  explain.add_option("--agent-group", question.agent_groups, "A group of the agents");
  explain.add_option("--scope", question.scopes, "A scope of the credential; may be repeated");
  explain.add_option("--from", question.source_ip, "The client's address (default: 127.0.0.1)");
  explain.add_option("--tenant", question.tenant, "The tenant (default: default)");
}

void add_what(CLI::App& explain, PolicyQuestion& question, const PolicyTools& tools) {
  explain.add_option("--connection", question.connection, "The connection")->required();
  explain.add_option("--database", question.database, "The database (default: as the connection)");
  explain.add_option("--protocol", question.protocol, "The connection's protocol");
  explain.add_option("--env", question.environment, "The connection's env");
  explain.add_option("--resource-group", question.resource_groups,
                     "A resource group of the connection; may be repeated");
  explain.add_option("--action", question.action, "The action, such as sql:select");
  explain.add_option("--resource", question.resource,
                     "The resource, such as 'Table::\"shop/shop/public/customers\"'");
  explain.add_flag("--where", question.has_where, "The statement has a WHERE");
  if (tools.analyse) explain.add_option("SQL", question.sql, "Instead of action and resource");
  if (tools.configured) {
    explain.add_option("--config", question.config, "Take connections and policies from this file");
  }
}

void add_explain(CLI::App& parent, PolicyTools tools) {
  struct Options {
    PolicyQuestion question;
    PolicyTools tools;
    bool as_json = false;
  };
  const auto options = std::make_shared<Options>();
  options->tools = std::move(tools);
  CLI::App* const explain = parent.add_subcommand(
      "explain", "Say what would be decided, for each identity, and by which policies");
  explain->add_option("--policies", options->question.policies,
                      "The folder (default: of --config, else policies)");
  add_who(*explain, options->question);
  add_what(*explain, options->question, options->tools);
  explain->add_flag("--json", options->as_json, "Print JSON");
  explain->footer(
      "Examples:\n"
      "  sallyport policy explain --as bob --group developers --connection shop --action connect\n"
      "  sallyport policy explain --as alice --group support --connection shop \\\n"
      "    --action sql:delete --resource 'Table::\"shop/shop/public/customers\"'\n"
      "  sallyport policy explain --config gateway.yaml --as alice --agent support-copilot \\\n"
      "    --scope db:read --connection shop \"select email from customers\"\n"
      "Exit code: 0 allowed, 1 denied, 2 the policies or the question are wrong, 3 held for an "
      "approval");
  explain->callback(
      [options] { run_explain(options->question, options->tools, options->as_json); });
}

}  // namespace

CommandContext context_of(std::string_view action, bool has_where) {
  const auto sql = [&](std::string_view kind) {
    return SqlContext{.kind = std::string(kind), .hash = "of the command", .has_where = has_where};
  };
  if (action.starts_with("sql:")) return sql(action.substr(4));
  if (action == "reveal" || action == "unfilter" || action == "unlimited") return sql("select");
  if (action.starts_with("http:")) return HttpContext{.hash = "of the command"};
  return {};
}

Result<std::shared_ptr<const policy::Policies>> check_policies(
    const std::filesystem::path& folder) {
  auto texts = read_policies(folder);
  if (!texts) return fail(texts);
  return policy::Policies::make(*texts, {});
}

Result<Explanation> explain_policy(const PolicyQuestion& question, const PolicyTools& tools,
                                   WallTime now) {
  auto given = configured(question, tools);
  if (!given) return fail(given);
  auto texts = read_policies(question.policies.empty() ? given->policies : question.policies);
  if (!texts) return fail(texts);
  auto policies = policy::Policies::make(*texts, std::move(given->connections), question.tenant);
  if (!policies) return fail(policies);
  Session session = session_of(question, now);
  if (const auto known = given->groups.find(question.user);
      question.groups.empty() && known != given->groups.end()) {
    session.chain.identities.front().groups = known->second;
  }
  auto command = command_of(question, tools, session.database);
  if (!command) return fail(command);
  const bool may_write = (*policies)->may_write(session);
  if (auto* const sql = std::get_if<SqlContext>(&command->context)) {
    sql->read_only_transaction = !may_write;
  }
  return Explanation{(*policies)->decide(session, *command, now), may_write, *policies};
}

std::string to_text(const Explanation& explanation) {
  const Decision& decision = explanation.decision;
  std::string text = fmt::format("{}{}{}\n", to_string(decision.verdict),
                                 decision.reason.empty() ? "" : ": ", decision.reason);
  for (const Answer& answer : decision.answers) {
    text += fmt::format("  {:3} {} {} {}::{}\n", answer.allowed ? "yes" : "no", answer.principal,
                        answer.action.name, answer.action.resource.type,
                        cedar::quoted(answer.action.resource.id));
    for (const std::string& id : answer.policies) {
      text += "        " + located(*explanation.policies, id) + "\n";
    }
    for (const std::string& error : answer.errors) text += "        error: " + error + "\n";
    if (answer.policies.empty() && answer.errors.empty()) text += "        no policy permits it\n";
  }
  if (decision.hold) {
    for (const Route& route : decision.hold->routes) {
      text += fmt::format("  asks for an approval of kind {} by {}, which holds for {} s: {}\n",
                          decision.hold->kind, policy::who_approves(route), route.ttl.count(),
                          located(*explanation.policies, route.policy));
    }
  }
  text += explanation.may_write
              ? "  sessions of this chain may write where a policy says so\n"
              : "  no policy lets this chain write here: its sessions are read-only\n";
  return text;
}

std::string to_json(const Explanation& explanation) {
  json::array answers;
  for (const Answer& answer : explanation.decision.answers) answers.push_back(to_json(answer));
  json::value hold;
  if (explanation.decision.hold) hold = to_json(*explanation.decision.hold);
  return json::serialize(json::object{{"verdict", to_string(explanation.decision.verdict)},
                                      {"hold", std::move(hold)},
                                      {"reason", explanation.decision.reason},
                                      {"answers", std::move(answers)},
                                      {"may_write", explanation.may_write},
                                      {"epoch", explanation.decision.policy_epoch}});
}

void add_policy(CLI::App& app, PolicyTools tools) {
  CLI::App* const policy =
      app.add_subcommand("policy", "Check, test and format policies, explain decisions");
  policy->require_subcommand(1);
  add_check(*policy);
  add_format(*policy);
  add_test(*policy, tools);
  add_explain(*policy, std::move(tools));
}

}  // namespace sallyport::cli

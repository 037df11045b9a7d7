#pragma once
// `sallyport policy`: check a folder of policies, format it, run its tests, and explain a decision.

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/result.h"
#include "core/model.h"
#include "policy/policies.h"

namespace sallyport::cli {

/// What only the rest of the program can do, passed in by who wires it.
struct PolicyTools {
  /// What a SQL text would do on a connection. Without it `explain` takes an action and a resource
  /// but no SQL.
  std::function<Result<Command>(const std::string& connection, const std::string& database,
                                const std::string& sql)>
      analyse;
  /// What a configuration file says of policies. Without it there is no --config.
  struct Configured {
    std::vector<policy::ConnectionFacts> connections;
    std::filesystem::path policies;
    std::map<std::string, std::vector<std::string>> groups;  // of the built-in issuer's users
  };
  std::function<Result<Configured>(const std::filesystem::path& config)> configured;
};

/// What is asked of `explain`.
struct PolicyQuestion {
  std::filesystem::path policies;  // empty: as the configuration says, else "policies"
  std::filesystem::path config;    // empty: the connection has the facts below
  std::string tenant = "default";
  std::string user;
  std::vector<std::string> groups;
  std::vector<std::string> agents;        // nearest to the user first; attested
  std::vector<std::string> agent_groups;  // of every agent
  std::vector<std::string> scopes;
  std::string connection;
  std::string database;  // empty: called as the connection
  std::string protocol = "postgres";
  std::string environment;
  std::vector<std::string> resource_groups;
  std::string action;
  std::string resource;  // Table::"..."; empty with connect: the connection
  std::string sql;       // instead of action and resource
  std::string source_ip = "127.0.0.1";
  bool has_where = false;
};

struct Explanation {
  Decision decision;
  bool may_write = false;
  std::shared_ptr<const policy::Policies> policies;
};

/// Reads and checks a folder; fails with the first error's file:line:column.
Result<std::shared_ptr<const policy::Policies>> check_policies(const std::filesystem::path& folder);

Result<Explanation> explain_policy(const PolicyQuestion& question, const PolicyTools& tools,
                                   WallTime now);

/// What policies may know of a command with this action, where there is no text to say it.
CommandContext context_of(std::string_view action, bool has_where);

/// For people, and for programs.
std::string to_text(const Explanation& explanation);
std::string to_json(const Explanation& explanation);

/// Adds `policy check`, `format`, `test` and `explain`. Exit codes: 0 yes, 1 the answer is deny or
/// a test failed, 2 something is wrong with the policies or the question.
void add_policy(CLI::App& app, PolicyTools tools = {});

}  // namespace sallyport::cli

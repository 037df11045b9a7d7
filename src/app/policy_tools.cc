#include "app/policy_tools.h"

#include "protocol/postgres/sql/actions.h"
#include "protocol/postgres/sql/analysis.h"

namespace sallyport::app {
namespace {

namespace sql = postgres::sql;

/// As a session would ask it, with the usual search_path.
Result<Command> analyse(const std::string& connection, const std::string& database,
                        const std::string& text) {
  auto parser = sql::Parser::make();
  if (!parser) return fail(parser);
  auto analysis = sql::analyse(**parser, text);
  if (!analysis) return fail(analysis);
  if (!analysis->understood) return fail(Errc::invalid, analysis->why_not);
  sql::Decidable decidable =
      sql::decidable(*analysis, text, {.connection = connection, .database = database});
  if (decidable.actions.empty()) return fail(Errc::invalid, decidable.why_not);
  Command command;
  command.kind = "query";
  command.text = text;
  command.actions = std::move(decidable.actions);
  command.context = std::move(decidable.context);
  command.read_only = decidable.read_only;
  return command;
}

Result<cli::PolicyTools::Configured> configured(const std::filesystem::path& file) {
  ConfigResult config = load_config(file);
  if (!config) return fail(Errc::invalid, to_string(config.error()));
  cli::PolicyTools::Configured configured{.connections = connection_facts(*config),
                                          .policies = config->policies};
  if (config->builtin_issuer) {
    for (const BuiltinUser& user : config->builtin_issuer->users) {
      configured.groups[user.name] = user.groups;
    }
  }
  return configured;
}

}  // namespace

cli::PolicyTools policy_tools() {
  return {.analyse = analyse, .configured = configured};
}

std::vector<policy::ConnectionFacts> connection_facts(const Config& config) {
  std::vector<policy::ConnectionFacts> facts;
  for (const ConnectionConfig& connection : config.connections) {
    facts.push_back({.name = connection.name,
                     .protocol = connection.protocol,
                     .env = connection.env,
                     .tags = connection.tags,
                     .resource_groups = connection.resource_groups,
                     .classification = connection.classification,
                     .masks = connection.masks,
                     .row_filters = connection.row_filters,
                     .answer_limits = connection.answer_limits});
  }
  return facts;
}

}  // namespace sallyport::app

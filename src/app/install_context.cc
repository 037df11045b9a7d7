#include "app/install_context.h"

#include <fmt/format.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "app/config.h"
#include "protocol/postgres/context.h"

namespace sallyport::app {
namespace {

struct Arguments {
  std::string config;
  std::string connection;
};

void run(const Arguments& arguments) {
  const ConfigResult config = load_config(arguments.config);
  if (!config) {
    fmt::print(stderr, "{}", to_string(config.error()));
    throw CLI::RuntimeError(2);
  }
  const ConnectionConfig* const connection = config->connection(arguments.connection);
  if (connection == nullptr || connection->context_key.value.empty()) {
    fmt::print(stderr,
               "{}\nadd  pass_identity: {{key: \"file:context.key\"}}  to it, with a key of "
               "`openssl rand -hex 32`\n",
               connection == nullptr
                   ? "there is no connection '" + arguments.connection + "' in the configuration"
                   : "connections." + arguments.connection + " passes no identity on");
    throw CLI::RuntimeError(2);
  }
  fmt::print("{}", postgres::install_context_sql(
                       {.id = connection->context_key_id, .key = connection->context_key.value}));
}

}  // namespace

void add_install_context(CLI::App& app) {
  CLI::App* const postgres = app.add_subcommand("postgres", "For targets that are PostgreSQL");
  postgres->require_subcommand(1);
  CLI::App* const command = postgres->add_subcommand(
      "install-context", "Print the SQL by which a target knows who a session is for");
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("--config", arguments->config, "The gateway's configuration")
      ->required()
      ->type_name("FILE");
  command->add_option("--connection", arguments->connection, "The connection, with pass_identity")
      ->required();
  command->footer(
      "Example:\n"
      "  sallyport postgres install-context --config sallyport.yaml --connection shop |\n"
      "    psql -X -v ON_ERROR_STOP=1 -h db.internal -U postgres shop");
  command->callback([arguments] { run(*arguments); });
}

}  // namespace sallyport::app

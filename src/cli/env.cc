#include "cli/env.h"

#include <fmt/format.h>
#include <boost/json.hpp>

#include <memory>

#include "cli/client.h"

namespace sallyport::cli {

void add_env(CLI::App& app) {
  struct Arguments {
    ClientOptions options;
    StatedOptions stated;
    std::string connection;
  };
  auto* command = app.add_subcommand("env", "Print PG* variables for a connection");
  auto arguments = std::make_shared<Arguments>();
  arguments->options.add_to(*command);
  arguments->stated.add_to(*command);
  command->add_option("NAME", arguments->connection, "the connection")->required();
  command->footer(
      "The password in it is a ticket: it starts sessions for at most 15 minutes.\n\n"
      "Examples:\n"
      "  eval \"$(sallyport env shop)\" && pg_dump --schema-only\n"
      "  sallyport env shop --json");
  command->callback([arguments] {
    auto ticket = fetch_ticket(arguments->options, arguments->connection, arguments->stated);
    if (!ticket) give_up(ticket.error());
    boost::json::object object;
    for (const auto& [name, value] : libpq_environment(*ticket)) {
      if (arguments->options.json) {
        object[name] = value;
      } else {
        fmt::print("export {}={}\n", name, shell_quote(value));
      }
    }
    if (arguments->options.json) fmt::print("{}\n", boost::json::serialize(object));
  });
}

}  // namespace sallyport::cli

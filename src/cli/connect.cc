#include "cli/connect.h"

#include <fmt/format.h>
#include <unistd.h>
#include <boost/json.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <memory>

#include "cli/client.h"

namespace sallyport::cli {
namespace {

struct Arguments {
  ClientOptions options;
  StatedOptions stated;
  std::string connection;
  std::vector<std::string> rest;
  bool print = false;
};

/// Becomes psql; returns only if that fails.
Error become_psql(const Ticket& ticket, std::vector<std::string> rest) {
  // What the caller's environment says of another server must not reach this one.
  for (const char* name : {"PGHOSTADDR", "PGSERVICE", "PGPASSFILE", "PGOPTIONS", "PGREQUIREAUTH"}) {
    ::unsetenv(name);
  }
  for (const auto& [name, value] : libpq_environment(ticket)) {
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  rest.insert(rest.begin(), "psql");
  std::vector<char*> arguments;
  for (auto& argument : rest) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  ::execvp("psql", arguments.data());
  if (errno == ENOENT) {
    return {
        Errc::unavailable,
        "psql is not installed; `sallyport connect NAME --print` gives a DSN for other clients"};
  }
  return {Errc::unavailable, std::string("psql cannot be started: ") + std::strerror(errno)};
}

void run(const Arguments& arguments) {
  auto ticket = fetch_ticket(arguments.options, arguments.connection, arguments.stated);
  if (!ticket) give_up(ticket.error());
  if (arguments.print || arguments.options.json) {
    const std::string url = libpq_url(*ticket);
    if (arguments.options.json) {
      fmt::print("{}\n", boost::json::serialize(boost::json::object{
                             {"dsn", url}, {"expires_at", ticket->expires_at}}));
    } else {
      fmt::print("{}\n", url);
    }
    return;
  }
  give_up(become_psql(*ticket, arguments.rest));
}

}  // namespace

void add_connect(CLI::App& app) {
  auto* command = app.add_subcommand("connect", "Start psql on a connection");
  auto arguments = std::make_shared<Arguments>();
  arguments->options.add_to(*command);
  arguments->stated.add_to(*command);
  command->add_option("NAME", arguments->connection, "the connection")->required();
  command->add_flag("--print", arguments->print, "print a DSN instead; it holds a ticket");
  command->add_option("ARGS", arguments->rest, "after --: arguments of psql");
  command->footer(
      "Examples:\n"
      "  sallyport connect shop\n"
      "  sallyport connect shop -- -c 'select 1'\n"
      "  sallyport connect shop --break-glass --ticket INC-4711 --reason 'orders are stuck'\n"
      "  psycopg.connect(subprocess.check_output(['sallyport','connect','shop','--print']))");
  command->callback([arguments] { run(*arguments); });
}

}  // namespace sallyport::cli

#include "cli/ticket.h"

#include <fmt/format.h>
#include <boost/json.hpp>

#include <memory>

#include "cli/client.h"

namespace sallyport::cli {

void add_ticket(CLI::App& app) {
  struct Arguments {
    ClientOptions options;
    StatedOptions stated;
    std::string connection;
  };
  auto* command = app.add_subcommand("ticket", "Get a short-lived password for a connection");
  auto arguments = std::make_shared<Arguments>();
  arguments->options.add_to(*command);
  arguments->stated.add_to(*command);
  command->add_option("NAME", arguments->connection, "the connection")->required();
  command->footer(
      "A ticket starts sessions for at most 15 minutes; a session may last longer.\n\n"
      "Examples:\n"
      "  sallyport ticket shop\n"
      "  PGPASSWORD=$(sallyport ticket shop) psql -h gateway.example.com -p 6432 -U alice shop");
  command->callback([arguments] {
    auto ticket = fetch_ticket(arguments->options, arguments->connection, arguments->stated);
    if (!ticket) give_up(ticket.error());
    if (!arguments->options.json) {
      fmt::print("{}\n", ticket->text);
      return;
    }
    fmt::print("{}\n",
               boost::json::serialize(boost::json::object{{"ticket", ticket->text},
                                                          {"user", ticket->user},
                                                          {"connection", ticket->connection},
                                                          {"host", ticket->host},
                                                          {"port", ticket->port},
                                                          {"database", ticket->database},
                                                          {"expires_at", ticket->expires_at}}));
  });
}

}  // namespace sallyport::cli

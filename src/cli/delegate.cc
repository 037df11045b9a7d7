#include "cli/delegate.h"

#include <fmt/format.h>
#include <boost/json.hpp>
#include <charconv>
#include <memory>
#include <string>

#include "cli/client.h"
#include "http/message.h"

namespace sallyport::cli {
namespace {

constexpr std::string_view kPath = "/api/v1/delegations";

struct Give {
  ClientOptions options;
  std::string agent;
  std::string connection;
  std::string time;
  std::string reason;
};

/// "90", "90s", "30m", "2h", "1d" in seconds.
Result<std::int64_t> seconds_of(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const std::int64_t factor = unit.empty() || unit == "s" ? 1
                              : unit == "m"               ? 60
                              : unit == "h"               ? 3600
                              : unit == "d"               ? 86'400
                                                          : 0;
  if (error != std::errc() || factor == 0 || number <= 0 || number > 1'000'000) {
    return fail(Errc::invalid, "'" + text + "' is no time; say 30m, 2h or 1d");
  }
  return number * factor;
}

void give(const Give& asked) {
  auto seconds = seconds_of(asked.time);
  if (!seconds) give_up(seconds.error());
  auto client = Client::open(asked.options);
  if (!client) give_up(client.error());
  auto made = client->post(
      kPath, boost::json::serialize(boost::json::object{{"agent", asked.agent},
                                                        {"connection", asked.connection},
                                                        {"for_s", *seconds},
                                                        {"reason", asked.reason}}));
  if (!made) give_up(made.error());
  if (asked.options.json) {
    fmt::print("{}\n", as_json(*made));
    return;
  }
  const auto text = [&](std::string_view name) { return made->text(name).value_or("?"); };
  fmt::print("{}\n{} may act for you on {} until {}.\n", text("id"), text("agent"),
             text("connection"), text("expires_at"));
  const auto* may = made->member("may_connect");
  if (may != nullptr && may->boolean() == false) {
    fmt::print(stderr, "note: the policies do not let {} connect to {} for you now\n",
               text("agent"), text("connection"));
  }
}

void list(const ClientOptions& options) {
  auto client = Client::open(options);
  if (!client) give_up(client.error());
  auto answer = client->get(kPath);
  if (!answer) give_up(answer.error());
  if (options.json) {
    fmt::print("{}\n", as_json(*answer));
    return;
  }
  const auto* all = answer->member("delegations");
  if (all == nullptr || all->array() == nullptr) return;
  if (all->array()->empty()) fmt::print("There are no delegations.\n");
  for (const auto& one : *all->array()) {
    const auto text = [&](std::string_view name) { return one.text(name).value_or(""); };
    fmt::print("{:<28}  {:<8}  {} for {} on {} until {}{}{}\n", text("id"), text("state"),
               text("agent"), text("user"), text("connection"), text("expires_at"),
               text("reason").empty() ? "" : ": ", text("reason"));
  }
}

void revoke(const ClientOptions& options, const std::string& id) {
  auto client = Client::open(options);
  if (!client) give_up(client.error());
  auto gone = client->remove(std::string(kPath) + "/" + http::url_encode(id));
  if (!gone) give_up(gone.error());
  if (options.json) {
    fmt::print("{}\n", as_json(*gone));
  } else {
    fmt::print("{} is revoked; what the agent had open on it has ended.\n", id);
  }
}

void add_delegations(CLI::App& app) {
  struct Arguments {
    ClientOptions options;
    std::string id;
  };
  auto arguments = std::make_shared<Arguments>();
  auto* command = app.add_subcommand("delegations", "See and take back what you delegated");
  command->require_subcommand(1);
  auto* listing = command->add_subcommand("list", "What you gave; for an agent, what it got");
  arguments->options.add_to(*listing);
  listing->callback([arguments] { list(arguments->options); });
  auto* revoking = command->add_subcommand("revoke", "End one, and all that is open on it");
  arguments->options.add_to(*revoking);
  revoking->add_option("ID", arguments->id, "as `list` shows it")->required();
  revoking->callback([arguments] { revoke(arguments->options, arguments->id); });
  command->footer(
      "Examples:\n"
      "  sallyport delegations list\n"
      "  sallyport delegations list --json | jq '.delegations[] | select(.state == \"active\")'\n"
      "  sallyport delegations revoke dlg_0123456789abcdef01234567");
}

}  // namespace

void add_delegate(CLI::App& app) {
  auto* command = app.add_subcommand("delegate", "Let an agent act for you, for a while");
  auto asked = std::make_shared<Give>();
  asked->options.add_to(*command);
  command->add_option("AGENT", asked->agent, "the agent, by its id here")->required();
  command->add_option("--connection", asked->connection, "the only connection it may use")
      ->required()
      ->type_name("NAME");
  command->add_option("--for", asked->time, "how long: 30m, 2h; at most 24h")
      ->required()
      ->type_name("TIME");
  command->add_option("--reason", asked->reason, "what for, on the record");
  command->footer(
      "The agent gets no more than both of you may, and uses its own token with the id that is\n"
      "printed. What you hold ends with it: a logout at your issuer ends the delegation too.\n\n"
      "Examples:\n"
      "  sallyport delegate support-copilot --connection shop --for 2h --reason 'ticket 4711'\n"
      "  sallyport delegations list\n"
      "  sallyport delegations revoke ID");
  command->callback([asked] { give(*asked); });
  add_delegations(app);
}

}  // namespace sallyport::cli

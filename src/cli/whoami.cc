#include "cli/whoami.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "cli/client.h"

namespace sallyport::cli {
namespace {

void print_identity(const identity::Json& identity) {
  const auto text = [&](std::string_view name) { return identity.text(name).value_or(""); };
  fmt::print("{} {}", text("kind"), text("id"));
  if (!text("name").empty()) fmt::print(" ({})", text("name"));
  fmt::print("\n  issuer  {}\n", text("issuer"));
  const auto* groups = identity.member("groups");
  const auto all = groups == nullptr ? std::nullopt : groups->strings();
  if (all && !all->empty()) fmt::print("  groups  {}\n", fmt::join(*all, ", "));
}

void run(const ClientOptions& options) {
  auto client = Client::open(options);
  if (!client) give_up(client.error());
  auto who = client->get("/api/v1/whoami");
  if (!who) give_up(who.error());
  if (options.json) {
    fmt::print("{}\n", as_json(*who));
    return;
  }
  const auto* chain = who->member("chain");
  if (chain != nullptr && chain->array() != nullptr) {
    for (const auto& identity : *chain->array()) print_identity(identity);
  }
  if (const auto* how = who->member("authentication")) {
    fmt::print("  until   {}\n", how->text("expires_at").value_or("?"));
  }
}

}  // namespace

void add_whoami(CLI::App& app) {
  auto* command = app.add_subcommand("whoami", "Show who the gateway takes you for");
  auto options = std::make_shared<ClientOptions>();
  options->add_to(*command);
  command->footer("Examples:\n  sallyport whoami\n  sallyport whoami --json | jq .chain");
  command->callback([options] { run(*options); });
}

}  // namespace sallyport::cli

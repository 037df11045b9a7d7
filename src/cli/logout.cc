#include "cli/logout.h"

#include <fmt/format.h>

#include <memory>

#include "cli/client.h"
#include "cli/client_state.h"

namespace sallyport::cli {

void add_logout(CLI::App& app) {
  auto* command = app.add_subcommand("logout", "Forget the saved tokens");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "print JSON");
  command->footer(
      "Tickets that were made before stay good until they expire, which is at most 15 minutes.\n\n"
      "Example:\n  sallyport logout");
  command->callback([json] {
    auto path = state_path();
    if (!path) give_up(path.error());
    auto removed = remove_state(*path);
    if (!removed) give_up(removed.error());
    if (*json) {
      fmt::print("{{\"logged_out\":{}}}\n", *removed);
    } else {
      fmt::print("{}\n", *removed ? "Logged out." : "Nobody was logged in.");
    }
  });
}

}  // namespace sallyport::cli

#include "cli/login.h"

#include <spawn.h>
#include <sys/wait.h>

#include <fmt/format.h>
#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "cli/client.h"
#include "cli/client_oauth.h"

extern char** environ;

namespace sallyport::cli {
namespace {

/// Opens a browser if there is a desktop to open it on. The address is printed anyway.
void open_browser(const std::string& url) {
  if (std::getenv("DISPLAY") == nullptr && std::getenv("WAYLAND_DISPLAY") == nullptr) return;
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", 1 /* O_WRONLY */, 0);
  posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", 1, 0);
  std::string program = "xdg-open";
  std::string argument = url;
  char* const arguments[] = {program.data(), argument.data(), nullptr};
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, program.c_str(), &quiet, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&quiet);
  if (failed == 0) std::thread([child] { ::waitpid(child, nullptr, 0); }).detach();
}

Result<ClientState> log_in(const LoginPlace& place, bool device) {
  if (device) {
    return login_by_device(place, [](const auto& url, const auto& code, const auto& whole) {
      fmt::print(stderr, "Open {} on any machine and enter the code\n\n    {}\n\n", url, code);
      if (!whole.empty()) fmt::print(stderr, "or open {}\n", whole);
    });
  }
  return login_by_browser(place, system_random(), [](const std::string& url) {
    fmt::print(stderr,
               "Open this address to log in (it is opened for you where possible):\n\n{}\n\n", url);
    open_browser(url);
  });
}

void run(const ClientOptions& options, bool device, const std::vector<std::string>& scopes) {
  std::string gateway = options.gateway;
  const auto environment = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  auto path = state_path();
  if (!path) give_up(path.error());
  std::string ca_file = options.ca_file.empty() ? environment("SALLYPORT_CA") : options.ca_file;
  if (gateway.empty()) gateway = environment("SALLYPORT_GATEWAY");
  if (auto saved = load_state(*path); gateway.empty() && saved && *saved) {
    gateway = (*saved)->gateway;
    if (ca_file.empty()) ca_file = (*saved)->ca_file;
  }
  if (gateway.empty()) give_up(Error(Errc::invalid, "which gateway? give --gateway URL"));
  while (gateway.ends_with('/')) gateway.pop_back();
  if (!ca_file.empty()) ca_file = std::filesystem::absolute(ca_file).string();

  auto place = find_login_place(gateway, ca_file);
  if (!place) give_up(place.error());
  place->more_scopes = scopes;
  auto state = log_in(*place, device);
  if (!state) give_up(state.error());
  if (auto saved = save_state(*path, *state); !saved) give_up(saved.error());

  auto client = Client::open({.gateway = gateway, .ca_file = ca_file});
  if (!client) give_up(client.error());
  auto who = client->get("/api/v1/whoami");
  if (!who) give_up(who.error());
  const auto name = who->text("name").value_or("?");
  if (options.json) {
    fmt::print("{}\n",
               boost::json::serialize(boost::json::object{{"name", name}, {"gateway", gateway}}));
  } else {
    fmt::print("Logged in to {} as {}.\n", gateway, name);
  }
}

}  // namespace

void add_login(CLI::App& app) {
  struct Arguments {
    ClientOptions options;
    bool device = false;
    std::vector<std::string> scopes;
  };
  auto* command = app.add_subcommand("login", "Log in to a gateway");
  auto arguments = std::make_shared<Arguments>();
  arguments->options.add_to(*command);
  command->add_flag("--device", arguments->device,
                    "show a code to enter in a browser on another machine");
  command->add_option("--scope", arguments->scopes,
                      "ask the issuer for this scope too, to hand on to agents; may be repeated");
  command->footer(
      "Examples:\n"
      "  sallyport login --gateway https://gateway.example.com:8443\n"
      "  sallyport login --gateway https://127.0.0.1:8443 --ca ca.pem\n"
      "  sallyport login --device        on a machine without a browser\n\n"
      "Without a person: set SALLYPORT_GATEWAY and SALLYPORT_TOKEN and do not log in.\n"
      "The tokens are kept in $XDG_STATE_HOME/sallyport/login.json, readable by you only.");
  command->callback([arguments] { run(arguments->options, arguments->device, arguments->scopes); });
}

}  // namespace sallyport::cli

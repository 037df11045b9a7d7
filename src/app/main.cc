// sallyport: the one binary. This is the list of what it can do.

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <exception>

#include "app/check.h"
#include "app/completion.h"
#include "app/demo.h"
#include "app/install_context.h"
#include "app/policy_tools.h"
#include "app/serve.h"
#include "app/version.h"
#include "cli/approvals.h"
#include "cli/classify.h"
#include "cli/connect.h"
#include "cli/delegate.h"
#include "cli/env.h"
#include "cli/http.h"
#include "cli/ledger.h"
#include "cli/login.h"
#include "cli/logout.h"
#include "cli/policy.h"
#include "cli/sessions.h"
#include "cli/ticket.h"
#include "cli/whoami.h"

namespace {

constexpr int usage_error = 2;
constexpr int cli11_errors_from =
    100;  // CLI11's own exit codes; scripts want one for "wrong usage"

int run(int argc, char** argv) {
  using namespace sallyport;
  CLI::App app{"Sallyport: every command of people and agents decided, recorded, then sent",
               "sallyport"};
  app.set_version_flag("--version",
                       fmt::format("sallyport {} ({})", app::version(), app::commit()));
  app.require_subcommand(1);
  app::add_serve(app);
  app::add_demo(app);
  app::add_check(app);
  app::add_install_context(app);
  cli::add_login(app);
  cli::add_logout(app);
  cli::add_whoami(app);
  cli::add_connect(app);
  cli::add_classify(app);
  cli::add_env(app);
  cli::add_ticket(app);
  cli::add_http(app);
  cli::add_approvals(app);
  cli::add_delegate(app);
  cli::add_sessions(app);
  cli::add_ledger(app);
  cli::add_policy(app, app::policy_tools());
  app::add_completion(app);
  const auto known = app.get_subcommands([](CLI::App*) { return true; });
  if (argc > 1 && argv[1][0] != '-' &&
      std::ranges::none_of(known, [&](const CLI::App* one) { return one->check_name(argv[1]); })) {
    fmt::print(stderr, "sallyport: there is no command '{}' (try sallyport --help)\n", argv[1]);
    return usage_error;
  }
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& problem) {
    const int code = app.exit(problem);
    return code >= cli11_errors_from ? usage_error : code;
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& problem) {
    fmt::print(stderr, "sallyport: {}\n", problem.what());
    return 1;
  }
}

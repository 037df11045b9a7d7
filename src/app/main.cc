// sallyport: the one binary. This is the list of what it can do.

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <exception>

#include "app/check.h"
#include "app/completion.h"
#include "app/version.h"

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
  app::add_check(app);
  app::add_completion(app);
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

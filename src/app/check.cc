#include "app/check.h"

#include <fmt/format.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "app/config.h"

namespace sallyport::app {

void add_check(CLI::App& app) {
  CLI::App* check = app.add_subcommand("check", "Check a configuration file, and do nothing else");
  const auto file = std::make_shared<std::string>();
  check->add_option("--config", *file, "The configuration file")->required()->type_name("FILE");
  check->callback([file] {
    const ConfigResult config = load_config(*file);
    if (!config) {
      fmt::print(stderr, "{}", to_string(config.error()));
      throw CLI::RuntimeError(2);
    }
    for (const Problem& warning : config->warnings) {
      fmt::print(stderr, "warning: {}\n", warning.to_string());
    }
    fmt::print("{}: ok, {} connections\n", *file, config->connections.size());
  });
}

}  // namespace sallyport::app

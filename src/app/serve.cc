#include "app/serve.h"

#include <fmt/format.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "app/config.h"
#include "app/main_loop.h"
#include "app/version.h"
#include "base/log.h"

namespace sallyport::app {
namespace {

constexpr int bad_configuration = 2;

int serve(const std::string& file, const std::string& reactor) {
  const Gateway::Load load = [file, reactor] {
    ConfigResult config = load_config(file);
    if (config && !reactor.empty()) config->reactor = *net::parse_backend(reactor);
    return config;
  };
  ConfigResult config = load();
  if (!config) {
    fmt::print(stderr, "{}", to_string(config.error()));
    return bad_configuration;
  }
  log::configure(config->log_level, config->log_format);
  for (const Problem& warning : config->warnings) {
    log::warn("configuration", {{"problem", warning.to_string()}});
  }
  MainLoop loop;
  loop.reactor = config->reactor;
  loop.start = [&]() -> Result<std::unique_ptr<Gateway>> {
    if (auto made = make_private_folder(config->data); !made) return fail(made);
    return Gateway::start(std::move(*config), load);
  };
  loop.ready = [](Gateway& gateway) {
    const Config& is = gateway.config();
    log::info("ready", {{"version", version()},
                        {"commit", commit()},
                        {"connections", is.connections.size()},
                        {"postgres", is.postgres ? is.postgres->port : 0},
                        {"admin", is.admin ? is.admin->port : 0}});
    return ok();
  };
  if (auto ended = loop.run(); !ended) {
    fmt::print(stderr, "sallyport: {}\n", ended.error().detail);
    return ended.error().code == Errc::invalid ? bad_configuration : 1;
  }
  return 0;
}

}  // namespace

void add_serve(CLI::App& app) {
  CLI::App* command = app.add_subcommand("serve", "Run the gateway");
  const auto file = std::make_shared<std::string>();
  command->add_option("--config", *file, "The configuration file")->required()->type_name("FILE");
  const auto reactor = std::make_shared<std::string>();
  add_reactor_option(*command, *reactor);
  command->callback([file, reactor] {
    if (const int code = serve(*file, *reactor); code != 0) throw CLI::RuntimeError(code);
  });
}

}  // namespace sallyport::app

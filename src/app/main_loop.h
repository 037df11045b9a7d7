#pragma once
// The main thread of a gateway: its reactor, its signals, from start to a clean end.

#include <CLI/App.hpp>
#include <functional>
#include <memory>
#include <string>

#include "app/gateway.h"
#include "base/result.h"
#include "net/backend.h"

namespace sallyport::app {

struct MainLoop {
  /// Runs with the signals already caught: a Ctrl-C meanwhile is obeyed as soon as it returns.
  std::function<Result<std::unique_ptr<Gateway>>()> start;
  /// What the loops run on.
  net::Backend reactor = net::Backend::automatic;
  /// After everything listens.
  std::function<Result<void>(Gateway&)> ready;

  /// Returns after a SIGTERM or SIGINT, when everything has ended.
  Result<void> run();
};

/// `--reactor`, for the commands that run a gateway.
void add_reactor_option(CLI::App& command, std::string& into);

/// The data folder, made for us alone if it is not there.
Result<void> make_private_folder(const std::filesystem::path& folder);

}  // namespace sallyport::app

#include "app/main_loop.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/Validators.hpp>
#include <csignal>

#include "net/process_signals.h"
#include "net/reactor.h"

namespace sallyport::app {
namespace {

/// Every session is two descriptors, and the usual soft limit is 1024.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Result<void> MainLoop::run() {
  raise_descriptor_limit();
  signal(SIGPIPE, SIG_IGN);
  auto loop = net::Reactor::make(reactor);
  if (!loop) {
    return fail(Errc::invalid, loop.error().detail + "; --reactor auto takes epoll then");
  }
  Gateway* running = nullptr;
  auto signals = net::ProcessSignals::watch({SIGTERM, SIGINT, SIGHUP}, (*loop)->poster(),
                                            [&running](int number) {
                                              if (running != nullptr) running->on_signal(number);
                                            });
  if (!signals) return fail(signals);
  auto gateway = start();
  if (!gateway) return fail(gateway);
  running = gateway->get();
  if (auto told = ready(**gateway); !told) return fail(told);
  (*loop)->run_to_end(running->run());
  return ok();
}

void add_reactor_option(CLI::App& command, std::string& into) {
  command
      .add_option("--reactor", into,
                  "What the loops run on: io_uring, epoll, or auto: io_uring where it works "
                  "(default: the configuration's `reactor`)")
      ->type_name("NAME")
      ->check(CLI::IsMember({"auto", "io_uring", "epoll"}));
}

Result<void> make_private_folder(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::is_directory(folder, error)) return ok();
  fs::create_directories(folder, error);
  if (!error) fs::permissions(folder, fs::perms::owner_all, error);
  if (error) return fail(Errc::io, fmt::format("{}: {}", folder.string(), error.message()));
  return ok();
}

}  // namespace sallyport::app

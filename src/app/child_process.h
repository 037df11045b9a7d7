#pragma once
// A child process that does not outlive this one: another program, run as an unprivileged user if
// we are root, in a process group of its own so that Ctrl-C reaches only us.

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <vector>

#include "base/result.h"

namespace sallyport::app {

struct ChildOptions {
  std::vector<std::string> command;      // an absolute path, then its arguments
  std::vector<std::string> environment;  // "NAME=value"; nothing is inherited
  std::filesystem::path log_file;        // stdout and stderr are appended
  uid_t uid = 0;                         // 0: as we are
  gid_t gid = 0;
  int parent_death_signal = 15;  // what it gets when we die
};

/// Start it on the main thread: the kernel counts the death of the thread that forked as ours.
class ChildProcess {
 public:
  static Result<ChildProcess> start(const ChildOptions& options);
  /// Kills it if it still runs.
  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  /// Its exit status (128 + signal if it was killed). Fails with timeout.
  Result<int> wait(std::chrono::milliseconds limit);
  /// Sends one signal after the other, waiting `limit` after each, and SIGKILL at the end.
  void stop(std::initializer_list<int> signals, std::chrono::milliseconds limit);

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}

  pid_t pid_ = -1;
  int status_ = 0;
};

}  // namespace sallyport::app

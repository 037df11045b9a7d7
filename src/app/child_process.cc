#include "app/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>

namespace sallyport::app {
namespace {

constexpr int not_started = 127;  // what a shell says too

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

/// After fork, with perhaps other threads in the parent: system calls only.
[[noreturn]] void become(const ChildOptions& options, char* const* command, char* const* variables,
                         int log, pid_t parent) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  setpgid(0, 0);
  if (options.uid != 0) {
    if (setgroups(0, nullptr) != 0 || setresgid(options.gid, options.gid, options.gid) != 0 ||
        setresuid(options.uid, options.uid, options.uid) != 0) {
      _exit(not_started);
    }
  }
  // After the change of user, which clears it; and the parent may have died in between.
  prctl(PR_SET_PDEATHSIG, options.parent_death_signal);
  if (getppid() != parent) _exit(not_started);
  const int null = open("/dev/null", O_RDONLY);
  if (null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) _exit(not_started);
  if (chdir("/") != 0) _exit(not_started);
  close_range(3, ~0U, 0);
  execve(command[0], command, variables);
  _exit(not_started);
}

}  // namespace

Result<ChildProcess> ChildProcess::start(const ChildOptions& options) {
  const std::vector<char*> command = pointers(options.command);
  const std::vector<char*> variables = pointers(options.environment);
  const int log = open(options.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) {
    return fail(Errc::io, fmt::format("{}: {}", options.log_file.string(), std::strerror(errno)));
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) become(options, command.data(), variables.data(), log, parent);
  const int problem = errno;
  close(log);
  if (pid < 0) return fail(Errc::io, fmt::format("fork: {}", std::strerror(problem)));
  return ChildProcess(pid);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), status_(other.status_) {}

ChildProcess::~ChildProcess() {
  stop({}, {});
}

bool ChildProcess::running() {
  if (pid_ < 0) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return true;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  pid_ = -1;
  return false;
}

Result<int> ChildProcess::wait(std::chrono::milliseconds limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (running()) {
    if (std::chrono::steady_clock::now() >= until) {
      return fail(Errc::timeout, "the child still runs");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return status_;
}

void ChildProcess::stop(std::initializer_list<int> signals, std::chrono::milliseconds limit) {
  for (const int signal : signals) {
    if (!running()) return;
    kill(pid_, signal);
    if (wait(limit)) return;
  }
  if (!running()) return;
  kill(pid_, SIGKILL);
  static_cast<void>(wait(std::chrono::seconds(10)));
}

}  // namespace sallyport::app

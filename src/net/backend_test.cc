#include "net/backend.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "net/reactor.h"

namespace sallyport::net {
namespace {

/// As a container's seccomp profile does: the system call fails with EPERM from here on.
bool forbid(unsigned call) {
  std::array<sock_filter, 4> program{
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog filter{.len = program.size(), .filter = program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/// In a process of its own, where `call` is forbidden. 0: epoll was chosen, with a reason, and
/// runs; and asking for io_uring fails.
int choose_without(unsigned call) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!forbid(call)) ::_exit(10);
    const auto choice = choose_backend(Backend::automatic);
    if (!choice || choice->backend != Backend::epoll) ::_exit(11);
    if (choice->why.find("io_uring") == std::string::npos) ::_exit(12);
    if (choose_backend(Backend::io_uring)) ::_exit(13);
    auto reactor = Reactor::make();
    if (!reactor || (*reactor)->backend_name() != "epoll") ::_exit(14);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Backend, AForbiddenIoUringMeansEpollWithAReason) {
  EXPECT_EQ(choose_without(SYS_io_uring_setup), 0);
  EXPECT_EQ(choose_without(SYS_io_uring_register), 0);
  EXPECT_EQ(choose_without(SYS_io_uring_enter), 0);
}

TEST(Backend, AutomaticIsWhatTheProbeSays) {
  const auto choice = choose_backend(Backend::automatic);
  ASSERT_TRUE(choice.has_value());
  const Result<void> probed = probe_uring();
  EXPECT_EQ(choice->backend, probed ? Backend::io_uring : Backend::epoll);
  EXPECT_EQ(choice->why, probed ? "" : probed.error().detail);
  EXPECT_EQ(choose_backend(Backend::epoll)->backend, Backend::epoll);
  EXPECT_EQ(choose_backend(Backend::epoll)->why, "");
}

TEST(Backend, HasTheWordsOfTheConfiguration) {
  for (const Backend backend : {Backend::automatic, Backend::io_uring, Backend::epoll}) {
    EXPECT_EQ(parse_backend(to_string(backend)), backend);
  }
  EXPECT_EQ(parse_backend("select"), std::nullopt);
}

}  // namespace
}  // namespace sallyport::net

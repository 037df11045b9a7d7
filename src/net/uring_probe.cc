// Whether io_uring does here what the kernel half of the reactor asks of it: found out by doing it,
// on a ring and sockets of its own. A kernel, a sandbox or a seccomp profile may forbid io_uring as
// a whole, know it without an operation, or accept an operation and fail it.
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <string_view>

#include "net/backend.h"
#include "net/kernel.h"
#include "net/uring.h"

namespace sallyport::net {
namespace {

constexpr unsigned probe_buffers = 2;
constexpr std::chrono::seconds patience{2};

struct Answer final : UringOperation {
  int result = -ETIME;  // of the first completion
  unsigned flags = 0;
  unsigned completions = 0;

  void done(int got, unsigned with) override {
    if (completions++ > 0) return;
    result = got;
    flags = with;
  }
};
using AnswerPtr = std::shared_ptr<Answer>;

template <class Prepare>
AnswerPtr ask(Uring& uring, Prepare prepare) {
  auto answer = std::make_shared<Answer>();
  uring.request(*answer, answer, prepare);
  return answer;
}

Result<void> await(Uring& uring, const Answer& answer) {
  const SteadyTime end = std::chrono::steady_clock::now() + patience;
  while (answer.completions == 0 && std::chrono::steady_clock::now() < end) {
    if (auto waited = uring.try_wait(end); !waited) return waited;
  }
  return ok();
}

/// Waits for the operation's first completion, which must give `expected` (or, if that is negative,
/// any result that is no error) with these flags.
Result<void> expect(Uring& uring, std::string_view what, const Answer& answer, int expected,
                    unsigned flags) {
  if (auto waited = await(uring, answer); !waited) return waited;
  const bool good = expected < 0 ? answer.result >= 0 : answer.result == expected;
  if (good && (answer.flags & flags) == flags) return ok();
  if (answer.result < 0) return fail_errno(Errc::unavailable, what, -answer.result);
  return fail(Errc::unavailable, std::string(what) + ": not as it should be");
}

Result<void> expect_end(Uring& uring, std::string_view what, Answer& answer) {
  if (answer.completions == 0) return ok();  // what did not begin to work is not asked to end
  uring.cancel(answer);
  const SteadyTime end = std::chrono::steady_clock::now() + patience;
  while (answer.in_flight() && std::chrono::steady_clock::now() < end) {
    if (auto waited = uring.try_wait(end); !waited) return waited;
  }
  if (!answer.in_flight()) return ok();
  return fail(Errc::unavailable, std::string(what) + " cannot be cancelled");
}

struct Pair {
  Descriptor a;
  Descriptor b;
};

Result<Pair> connected_pair() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) {
    return fail_errno(Errc::unavailable, "socketpair", errno);
  }
  return Pair{Descriptor(fds[0]), Descriptor(fds[1])};
}

Result<void> probe_streams(Uring& uring) {
  auto pair = connected_pair();
  if (!pair) return fail(pair);
  const auto receiving = ask(uring, [&](io_uring_sqe* entry) {
    io_uring_prep_recv_multishot(entry, pair->a.get(), nullptr, 0, 0);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = 0;
  });
  const auto sending = ask(uring, [&](io_uring_sqe* entry) {
    io_uring_prep_send(entry, pair->b.get(), "x", 1, MSG_NOSIGNAL | MSG_WAITALL);
  });
  auto sent = expect(uring, "send", *sending, 1, 0);
  auto received =
      expect(uring, "multishot receive", *receiving, 1, IORING_CQE_F_MORE | IORING_CQE_F_BUFFER);
  auto ended = expect_end(uring, "multishot receive", *receiving);
  if (!sent) return sent;
  return received ? ended : received;
}

Result<void> probe_accept(Uring& uring) {
  const Descriptor listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Descriptor client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};  // a name that the kernel makes up
  address.sun_family = AF_UNIX;
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listening.get(), any, sizeof address.sun_family) != 0 ||
      ::listen(listening.get(), 1) != 0 || ::getsockname(listening.get(), any, &size) != 0 ||
      ::connect(client.get(), any, size) != 0) {
    return fail_errno(Errc::unavailable, "a socket to try io_uring with", errno);
  }
  const auto accepting = ask(uring, [&](io_uring_sqe* entry) {
    io_uring_prep_multishot_accept(entry, listening.get(), nullptr, nullptr, SOCK_CLOEXEC);
  });
  auto accepted = expect(uring, "multishot accept", *accepting, -1, IORING_CQE_F_MORE);
  const Descriptor server(accepting->result);
  auto ended = expect_end(uring, "multishot accept", *accepting);
  return accepted ? ended : accepted;
}

Result<void> probe_wake(Uring& uring) {
  const Descriptor event(::eventfd(1, EFD_CLOEXEC));
  if (!event) return fail_errno(Errc::unavailable, "eventfd", errno);
  const auto polling =
      ask(uring, [&](io_uring_sqe* entry) { io_uring_prep_poll_add(entry, event.get(), POLLIN); });
  if (auto polled = expect(uring, "poll", *polling, POLLIN, 0); !polled) return polled;
  std::uint64_t count = 0;
  const auto reading = ask(uring, [&](io_uring_sqe* entry) {
    io_uring_prep_read(entry, event.get(), &count, sizeof count, 0);
  });
  auto read = expect(uring, "read", *reading, sizeof count, 0);
  auto ended = expect_end(uring, "read", *reading);
  return read ? ended : read;
}

}  // namespace

Result<void> probe_uring() {
  // On the heap and never freed where an operation does not end: the kernel may still use it.
  auto uring = std::make_unique<Uring>();
  if (auto started = uring->start(probe_buffers); !started) return started;
  for (Result<void> (*const probe)(Uring&) : {probe_streams, probe_accept, probe_wake}) {
    if (auto done = probe(*uring); !done) {
      if (uring->busy()) static_cast<void>(uring.release());
      return fail(done, "io_uring");
    }
  }
  return ok();
}

}  // namespace sallyport::net

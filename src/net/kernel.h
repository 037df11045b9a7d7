#pragma once
// Kernel: what a reactor and its streams ask of the operating system. Two of them, epoll and
// io_uring, and inside net/ only. Everything is told through the callbacks below, from inside
// wait(), and a callback only marks and schedules: no coroutine runs while events are handed out.

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "net/descriptor.h"
#include "net/stream.h"

namespace sallyport::net {

class SocketEvents {
 public:
  virtual ~SocketEvents() = default;
  /// receive() may have something now.
  virtual void receivable() = 0;
  /// The send() that was not done at once is.
  virtual void sent(Result<void> outcome) = 0;
};

/// A connected stream socket. Closes when it is destroyed.
class Socket {
 public:
  virtual ~Socket() = default;

  /// Data, an end or an error; or nullopt, and receivable() follows.
  virtual std::optional<Result<Chunk>> receive() = 0;
  /// All of `data` is with the kernel, or an error; or nullopt, and sent() follows. One at a time.
  virtual std::optional<Result<void>> send(Bytes data) = 0;
  /// Forgets a send that is not done: its data is about to go. Nothing may be sent any more.
  virtual void abandon_send() = 0;
  /// Nothing was taken from the kernel that was not read, and no end was seen.
  virtual bool quiet() const = 0;
  /// What goes without waiting.
  virtual void send_last(Bytes data) = 0;
};

/// A listening socket. Closes when it is destroyed.
class Acceptor {
 public:
  virtual ~Acceptor() = default;
  /// A descriptor (non-blocking), a negative errno; or nullopt, and a call of `acceptable` follows.
  virtual std::optional<int> accept() = 0;
};

/// Calls once when a connecting socket is connected or has failed. Destroying it ends that.
class Connecting {
 public:
  virtual ~Connecting() = default;
};

class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual std::string_view name() const = 0;

  /// Waits for events until then, for ever without it, not at all if it has passed; hands out all
  /// there are.
  virtual void wait(std::optional<SteadyTime> until) = 0;

  virtual Result<std::unique_ptr<Socket>> adopt(Descriptor socket, SocketEvents& events) = 0;
  virtual Result<std::unique_ptr<Acceptor>> listen(Descriptor socket,
                                                   std::function<void()> acceptable) = 0;
  virtual Result<std::unique_ptr<Connecting>> connecting(int socket,
                                                         std::function<void()> done) = 0;
};

/// `wake_fd` is an eventfd that ends wait() when another thread has written to it.
Result<std::unique_ptr<Kernel>> make_epoll_kernel(int wake_fd);
/// unavailable: the machine has none (before Linux 6.1), or forbids it.
Result<std::unique_ptr<Kernel>> make_uring_kernel(int wake_fd);

/// "doing: what the system says of this errno"
std::unexpected<Error> fail_errno(Errc code, std::string_view doing, int error);

}  // namespace sallyport::net

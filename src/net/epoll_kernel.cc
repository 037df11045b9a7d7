// The level-triggered epoll kernel. A socket is registered once for input; epoll_ctl is called
// again only while a send is short, or when input waits and nobody reads (back-pressure).
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <utility>

#include "base/check.h"
#include "net/kernel.h"
#include "net/reactor.h"

namespace sallyport::net {
namespace {

constexpr std::uint32_t broken_events = EPOLLERR | EPOLLHUP;
constexpr std::size_t events_per_wait = 256;
constexpr std::size_t discard_bytes_max = 1024 * 1024;

/// A registered descriptor.
class Watched {
 public:
  Watched(int epoll, int fd) : epoll_(epoll), fd_(fd) {}
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  virtual ~Watched() { set_interest(0); }

  virtual void on_events(std::uint32_t events) = 0;

  int fd() const { return fd_; }
  std::uint32_t interest() const { return interest_; }
  /// False with errno set if the kernel refuses.
  bool set_interest(std::uint32_t events) {
    if (events == interest_) return true;
    const int operation = interest_ == 0 ? EPOLL_CTL_ADD
                          : events == 0  ? EPOLL_CTL_DEL
                                         : EPOLL_CTL_MOD;
    epoll_event event{.events = events, .data = {.ptr = this}};
    if (::epoll_ctl(epoll_, operation, fd_, &event) != 0) return false;
    interest_ = events;
    return true;
  }

 private:
  int epoll_;
  int fd_;
  std::uint32_t interest_ = 0;
};

/// Input that is there and not wanted would end every wait: the second such event in a row
/// disarms it, want() arms it again.
class InputReadiness {
 public:
  bool take() { return std::exchange(ready_, false); }
  bool want(Watched& watched) { return watched.set_interest(watched.interest() | EPOLLIN); }
  void on_events(Watched& watched, std::uint32_t events) {
    if (!std::exchange(ready_, true)) return;
    // EPOLLERR and EPOLLHUP come unasked: only a descriptor that is not registered is silent.
    const bool silence = (events & broken_events) != 0;
    watched.set_interest(silence ? 0 : watched.interest() & ~std::uint32_t{EPOLLIN});
  }

 private:
  bool ready_ = false;
};

class EpollSocket final : public Socket, private Watched {
 public:
  EpollSocket(int epoll, Descriptor socket, SocketEvents& events)
      : Watched(epoll, socket.get()), events_(events), socket_(std::move(socket)) {}
  ~EpollSocket() override {
    set_interest(0);
    // Input that is still unread would turn the close into a reset, and a reset may take away what
    // the peer has not read yet: the error message that says why we close.
    ::recv(fd(), nullptr, discard_bytes_max, MSG_TRUNC | MSG_DONTWAIT);
  }

  bool start() { return input_.want(*this); }

  std::optional<Result<Chunk>> receive() override {
    if (ended_) return fail(Errc::closed, "the peer has closed");
    if (input_.take()) {
      if (auto got = receive_now()) return got;
    }
    if (!input_.want(*this)) return fail_errno(Errc::io, "epoll_ctl", errno);
    return std::nullopt;
  }

  std::optional<Result<void>> send(Bytes data) override {
    unsent_ = data;
    auto done = send_on();
    if (!done && !set_interest(interest() | EPOLLOUT)) {
      return fail_errno(Errc::io, "epoll_ctl", errno);
    }
    return done;
  }

  bool quiet() const override { return !ended_; }

  void abandon_send() override {
    unsent_ = {};
    set_interest(interest() & ~std::uint32_t{EPOLLOUT});
  }

  void send_last(Bytes data) override {
    if (unsent_.empty()) ::send(fd(), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }

 private:
  std::optional<Result<Chunk>> receive_now() {
    BufferPool& pool = Reactor::current().buffers();
    std::byte* const buffer = pool.take();
    ssize_t size;
    do {
      size = ::recv(fd(), buffer, BufferPool::buffer_bytes, MSG_DONTWAIT);
    } while (size < 0 && errno == EINTR);
    if (size > 0) return Chunk(pool, buffer, static_cast<std::size_t>(size));
    const int error = errno;
    pool.give_back(buffer);
    if (size < 0 && (error == EAGAIN || error == EWOULDBLOCK)) return std::nullopt;
    ended_ = true;
    set_interest(interest() & ~std::uint32_t{EPOLLIN});
    if (size == 0) return fail(Errc::closed, "the peer has closed");
    return fail_errno(Errc::closed, "recv", error);
  }

  std::optional<Result<void>> send_on() {
    while (!unsent_.empty()) {
      const ssize_t size =
          ::send(fd(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (size >= 0) {
        unsent_ = unsent_.subspan(static_cast<std::size_t>(size));
        continue;
      }
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return std::nullopt;
      unsent_ = {};
      return fail_errno(Errc::closed, "send", errno);
    }
    return ok();
  }

  void on_events(std::uint32_t events) override {
    if (!unsent_.empty() && (events & (EPOLLOUT | broken_events)) != 0) {
      if (auto done = send_on()) {
        set_interest(interest() & ~std::uint32_t{EPOLLOUT});
        events_.sent(std::move(*done));
      }
    }
    if ((events & (EPOLLIN | broken_events)) != 0) {
      input_.on_events(*this, events);
      events_.receivable();
    }
  }

  SocketEvents& events_;
  Descriptor socket_;
  InputReadiness input_;
  Bytes unsent_;
  bool ended_ = false;
};

class EpollAcceptor final : public Acceptor, private Watched {
 public:
  EpollAcceptor(int epoll, Descriptor socket, std::function<void()> acceptable)
      : Watched(epoll, socket.get()),
        socket_(std::move(socket)),
        acceptable_(std::move(acceptable)) {}
  ~EpollAcceptor() override { set_interest(0); }

  bool start() { return input_.want(*this); }

  std::optional<int> accept() override {
    if (input_.take()) {
      const int client = ::accept4(fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (client >= 0) return client;
      if (errno != EAGAIN && errno != EWOULDBLOCK) return -errno;
    }
    if (!input_.want(*this)) return -errno;
    return std::nullopt;
  }

 private:
  void on_events(std::uint32_t events) override {
    input_.on_events(*this, events);
    acceptable_();
  }

  Descriptor socket_;
  InputReadiness input_;
  std::function<void()> acceptable_;
};

class EpollConnecting final : public Connecting, private Watched {
 public:
  EpollConnecting(int epoll, int socket, std::function<void()> done)
      : Watched(epoll, socket), done_(std::move(done)) {}

  bool start() { return set_interest(EPOLLOUT); }

 private:
  void on_events(std::uint32_t /*events*/) override {
    set_interest(0);
    done_();
  }

  std::function<void()> done_;
};

/// The eventfd: reading it is all there is to do.
class Waker final : public Watched {
 public:
  using Watched::Watched;
  void on_events(std::uint32_t /*events*/) override {
    std::uint64_t count = 0;
    const ssize_t size = ::read(fd(), &count, sizeof count);
    SALLYPORT_CHECK(size == sizeof count || errno == EAGAIN);
  }
};

class EpollKernel final : public Kernel {
 public:
  EpollKernel(Descriptor epoll, int wake_fd)
      : epoll_(std::move(epoll)), waker_(epoll_.get(), wake_fd) {}

  bool start() { return waker_.set_interest(EPOLLIN); }

  std::string_view name() const override { return "epoll"; }

  void wait(std::optional<SteadyTime> until) override {
    const int count =
        ::epoll_wait(epoll_.get(), events_.data(), events_.size(), milliseconds_until(until));
    SALLYPORT_CHECK(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; ++i) {
      static_cast<Watched*>(events_[static_cast<std::size_t>(i)].data.ptr)
          ->on_events(events_[static_cast<std::size_t>(i)].events);
    }
  }

  Result<std::unique_ptr<Socket>> adopt(Descriptor socket, SocketEvents& events) override {
    return started<Socket>(std::make_unique<EpollSocket>(epoll_.get(), std::move(socket), events));
  }
  Result<std::unique_ptr<Acceptor>> listen(Descriptor socket,
                                           std::function<void()> acceptable) override {
    return started<Acceptor>(
        std::make_unique<EpollAcceptor>(epoll_.get(), std::move(socket), std::move(acceptable)));
  }
  Result<std::unique_ptr<Connecting>> connecting(int socket, std::function<void()> done) override {
    return started<Connecting>(
        std::make_unique<EpollConnecting>(epoll_.get(), socket, std::move(done)));
  }

 private:
  template <class Base, class Made>
  static Result<std::unique_ptr<Base>> started(std::unique_ptr<Made> made) {
    if (!made->start()) return fail_errno(Errc::io, "epoll_ctl", errno);
    return made;
  }

  // Rounded up: waking before a timer is due would spin.
  static int milliseconds_until(std::optional<SteadyTime> until) {
    if (!until) return -1;
    if (*until == SteadyTime::min()) return 0;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(*until - std::chrono::steady_clock::now());
    constexpr std::chrono::milliseconds longest = std::chrono::hours(1);
    return static_cast<int>(std::clamp(left, std::chrono::milliseconds(0), longest).count());
  }

  Descriptor epoll_;
  Waker waker_;
  std::array<epoll_event, events_per_wait> events_{};
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_epoll_kernel(int wake_fd) {
  Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail_errno(Errc::io, "epoll_create1", errno);
  auto kernel = std::make_unique<EpollKernel>(std::move(epoll), wake_fd);
  if (!kernel->start()) return fail_errno(Errc::io, "epoll_ctl", errno);
  return kernel;
}

}  // namespace sallyport::net

// The io_uring kernel. Everything that is asked for in one turn of the loop goes to the kernel in
// one system call, together with the wait. Receives and accepts are multishot: one request serves a
// socket for its life, and takes a buffer of the worker's ring only when data is there.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <deque>
#include <utility>

#include "net/kernel.h"
#include "net/reactor.h"
#include "net/uring.h"
#include "net/uring_socket.h"

namespace sallyport::net {
namespace {

class AcceptOperation final : public UringOperation {
 public:
  explicit AcceptOperation(std::function<void()> acceptable) : acceptable_(std::move(acceptable)) {}

  std::optional<int> take() {
    if (accepted_.empty()) return std::nullopt;
    const int accepted = accepted_.front();
    accepted_.pop_front();
    return accepted;
  }
  void detach() {
    acceptable_ = nullptr;
    while (const auto accepted = take()) {
      if (*accepted >= 0) Descriptor(*accepted).reset();
    }
  }

 private:
  void done(int result, unsigned /*flags*/) override {
    if (acceptable_) {
      accepted_.push_back(result);
      acceptable_();
    } else if (result >= 0) {
      Descriptor(result).reset();
    }
  }

  std::function<void()> acceptable_;  // null once the acceptor is gone
  std::deque<int> accepted_;          // descriptors and negative errnos
};

class UringAcceptor final : public Acceptor {
 public:
  UringAcceptor(Uring& uring, Descriptor socket, std::function<void()> acceptable)
      : uring_(uring),
        socket_(std::move(socket)),
        accepting_(std::make_shared<AcceptOperation>(std::move(acceptable))) {}
  ~UringAcceptor() override {
    accepting_->detach();
    uring_.cancel(*accepting_);
    // Ends the listening at once, although the request in flight keeps the socket open.
    ::shutdown(socket_.get(), SHUT_RDWR);
  }

  std::optional<int> accept() override {
    if (auto accepted = accepting_->take()) return accepted;
    if (!accepting_->in_flight()) {
      uring_.request(*accepting_, accepting_, [this](io_uring_sqe* entry) {
        io_uring_prep_multishot_accept(entry, socket_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      });
    }
    return std::nullopt;
  }

 private:
  Uring& uring_;
  Descriptor socket_;
  std::shared_ptr<AcceptOperation> accepting_;
};

class PollOperation final : public UringOperation {
 public:
  explicit PollOperation(std::function<void()> ready) : ready_(std::move(ready)) {}
  void detach() { ready_ = nullptr; }

 private:
  void done(int /*result*/, unsigned /*flags*/) override {
    if (ready_) ready_();
  }
  std::function<void()> ready_;
};

class UringConnecting final : public Connecting {
 public:
  UringConnecting(Uring& uring, int socket, std::function<void()> done)
      : uring_(uring), polling_(std::make_shared<PollOperation>(std::move(done))) {
    uring_.request(*polling_, polling_, [socket](io_uring_sqe* entry) {
      io_uring_prep_poll_add(entry, socket, POLLOUT);
    });
  }
  ~UringConnecting() override {
    polling_->detach();
    uring_.cancel(*polling_);
  }

 private:
  Uring& uring_;
  std::shared_ptr<PollOperation> polling_;
};

/// A read of the eventfd that is always in flight: being woken costs no system call of its own.
class WakeOperation final : public UringOperation {
 public:
  void arm(Uring& uring, int wake_fd, std::shared_ptr<void> owner) {
    uring.request(*this, std::move(owner), [&](io_uring_sqe* entry) {
      io_uring_prep_read(entry, wake_fd, &count_, sizeof count_, 0);
    });
  }

 private:
  void done(int /*result*/, unsigned /*flags*/) override {}
  std::uint64_t count_ = 0;
};

/// io_uring would give O_NONBLOCK descriptors their EAGAIN instead of waiting.
Result<void> make_blocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0) {
    return fail_errno(Errc::io, "fcntl", errno);
  }
  return ok();
}

class UringKernel final : public Kernel {
 public:
  explicit UringKernel(int wake_fd) : wake_fd_(wake_fd) {}
  ~UringKernel() override { uring_.cancel(*wake_); }

  Result<void> start() {
    if (auto started = uring_.start(); !started) return started;
    return make_blocking(wake_fd_);
  }

  std::string_view name() const override { return "io_uring"; }

  void wait(std::optional<SteadyTime> until) override {
    if (!wake_->in_flight()) wake_->arm(uring_, wake_fd_, wake_);
    uring_.wait(until);
  }

  Result<std::unique_ptr<Socket>> adopt(Descriptor socket, SocketEvents& events) override {
    if (auto blocking = make_blocking(socket.get()); !blocking) return fail(blocking);
    return make_uring_socket(uring_, std::move(socket), events);
  }
  Result<std::unique_ptr<Acceptor>> listen(Descriptor socket,
                                           std::function<void()> acceptable) override {
    if (auto blocking = make_blocking(socket.get()); !blocking) return fail(blocking);
    return std::make_unique<UringAcceptor>(uring_, std::move(socket), std::move(acceptable));
  }
  Result<std::unique_ptr<Connecting>> connecting(int socket, std::function<void()> done) override {
    return std::make_unique<UringConnecting>(uring_, socket, std::move(done));
  }

 private:
  int wake_fd_;
  Uring uring_;
  std::shared_ptr<WakeOperation> wake_ = std::make_shared<WakeOperation>();
};

}  // namespace

Result<std::unique_ptr<Kernel>> make_uring_kernel(int wake_fd) {
  auto kernel = std::make_unique<UringKernel>(wake_fd);
  if (auto started = kernel->start(); !started) return fail(started);
  return kernel;
}

}  // namespace sallyport::net

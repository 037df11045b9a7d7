// The io_uring kernel. Everything that is asked for in one turn of the loop goes to the kernel in
// one system call, together with the wait. Receives take a buffer from a ring only when data is
// there. They are single-shot: a socket that nobody reads receives nothing, which is the
// back-pressure that multishot receive lacks.
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "base/check.h"
#include "net/kernel.h"
#include "net/reactor.h"

namespace sallyport::net {
namespace {

constexpr unsigned submissions = 1024;
constexpr unsigned completions = 8192;
constexpr unsigned ring_buffers = 256;  // 4 MiB a worker, once all have been used
constexpr std::size_t discard_bytes_max = 1024 * 1024;

class UringKernel;

/// One request at a time in flight. Kept alive by the kernel's half of it until it completes.
class Operation : public std::enable_shared_from_this<Operation> {
 public:
  virtual ~Operation() = default;
  virtual void done(int result, unsigned flags) = 0;

  bool in_flight() const { return keep_ != nullptr; }

 private:
  friend UringKernel;
  std::shared_ptr<Operation> keep_;
};

class UringKernel final : public Kernel {
 public:
  explicit UringKernel(int wake_fd) : wake_fd_(wake_fd) {}
  ~UringKernel() override;

  Result<void> start();

  std::string_view name() const override { return "io_uring"; }
  void wait(std::optional<SteadyTime> until) override;
  Result<std::unique_ptr<Socket>> adopt(Descriptor socket, SocketEvents& events) override;
  Result<std::unique_ptr<Acceptor>> listen(Descriptor socket,
                                           std::function<void()> acceptable) override;
  Result<std::unique_ptr<Connecting>> connecting(int socket, std::function<void()> done) override;

  /// The caller fills in the request. Nothing is submitted before the loop waits.
  io_uring_sqe* request(Operation& operation) {
    SALLYPORT_CHECK(!operation.in_flight());
    io_uring_sqe* const entry = next_entry();
    operation.keep_ = operation.shared_from_this();
    ++in_flight_;
    return entry;
  }
  void cancel(Operation& operation) {
    if (!operation.in_flight()) return;
    io_uring_sqe* const entry = next_entry();
    io_uring_prep_cancel(entry, &operation, 0);
    io_uring_sqe_set_data(entry, nullptr);
  }

  /// Puts the ring's buffer into a Chunk and another one into its place. Empty if the pool has
  /// none.
  Chunk take_buffer(unsigned id, std::size_t size) {
    BufferPool& pool = Reactor::current().buffers();
    std::byte* const fresh = pool.take();
    if (!fresh) return {};
    std::byte* const received = std::exchange(buffers_[id], fresh);
    provide(id);
    return Chunk(pool, received, size);
  }
  void provide(unsigned id) {
    io_uring_buf_ring_add(ring_of_buffers_, buffers_[id], BufferPool::buffer_bytes,
                          static_cast<unsigned short>(id), io_uring_buf_ring_mask(ring_buffers), 0);
    io_uring_buf_ring_advance(ring_of_buffers_, 1);
  }

  /// Copies of what is being sent: the caller's bytes may go before the kernel is done with them.
  BufferPool& send_buffers() { return send_buffers_; }

 private:
  class Wake;

  io_uring_sqe* next_entry() {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    while (!entry) {
      io_uring_submit(&ring_);
      entry = io_uring_get_sqe(&ring_);
    }
    return entry;
  }
  void hand_out();
  void arm_wake();
  bool set_up_buffers();

  int wake_fd_;
  io_uring ring_{};
  bool ring_made_ = false;
  io_uring_buf_ring* ring_of_buffers_ = nullptr;
  std::array<std::byte*, ring_buffers> buffers_{};
  BufferPool send_buffers_{static_cast<std::size_t>(-1)};
  std::shared_ptr<Wake> wake_;
  std::size_t in_flight_ = 0;
};

class UringKernel::Wake final : public Operation {
 public:
  explicit Wake(int fd) : fd_(fd) {}
  void done(int /*result*/, unsigned /*flags*/) override {
    std::uint64_t count = 0;
    const ssize_t size = ::read(fd_, &count, sizeof count);
    SALLYPORT_CHECK(size == sizeof count || errno == EAGAIN);
  }

 private:
  int fd_;
};

class ReceiveOperation final : public Operation {
 public:
  ReceiveOperation(UringKernel& kernel, SocketEvents& events) : kernel_(kernel), events_(&events) {}

  std::optional<Result<Chunk>> receive(int fd) {
    if (held_) {
      received_ = kernel_.take_buffer(held_->id, held_->size);
      SALLYPORT_CHECK(!received_.empty());
      held_.reset();
    }
    if (!received_.empty()) return std::exchange(received_, {});
    if (ended_) return std::unexpected(*ended_);
    if (!in_flight()) arm(fd);
    return std::nullopt;
  }

  void detach() {
    events_ = nullptr;
    received_ = {};
    if (held_) kernel_.provide(std::exchange(held_, std::nullopt)->id);
  }

 private:
  struct Held {
    unsigned id;
    std::size_t size;
  };

  void arm(int fd) {
    io_uring_sqe* const entry = kernel_.request(*this);
    io_uring_prep_recv(entry, fd, nullptr, BufferPool::buffer_bytes, 0);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->ioprio |= IORING_RECVSEND_POLL_FIRST;
    entry->buf_group = 0;
    io_uring_sqe_set_data(entry, this);
  }

  void done(int result, unsigned flags) override {
    const bool has_buffer = (flags & IORING_CQE_F_BUFFER) != 0;
    const unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;
    if (has_buffer && (result <= 0 || !events_)) {
      kernel_.provide(id);
    } else if (has_buffer) {
      received_ = kernel_.take_buffer(id, static_cast<std::size_t>(result));
      if (received_.empty()) held_ = {id, static_cast<std::size_t>(result)};
    }
    if (!events_) return;
    if (result == 0) {
      ended_ = Error(Errc::closed, "the peer has closed");
    } else if (result < 0 && result != -ENOBUFS && result != -EINTR && result != -EAGAIN) {
      ended_ = fail_errno(Errc::closed, "recv", -result).error();
    }
    events_->receivable();  // without data it asks again
  }

  UringKernel& kernel_;
  SocketEvents* events_;  // null once the socket is gone
  Chunk received_;
  std::optional<Held> held_;  // received while the pool was exhausted
  std::optional<Error> ended_;
};

class SendOperation final : public Operation {
 public:
  SendOperation(UringKernel& kernel, SocketEvents& events, int fd)
      : kernel_(kernel), events_(&events), fd_(fd) {}

  void send(Bytes data) {
    unsent_ = data;
    send_piece();
  }
  void detach() {
    events_ = nullptr;
    unsent_ = {};
  }
  void abandon() {
    detach();
    kernel_.cancel(*this);
  }

 private:
  void send_piece() {
    piece_ = kernel_.send_buffers().copy(unsent_);
    submit(piece_.bytes());
  }

  void submit(Bytes piece) {
    io_uring_sqe* const entry = kernel_.request(*this);
    io_uring_prep_send(entry, fd_, piece.data(), piece.size(), MSG_NOSIGNAL | MSG_WAITALL);
    io_uring_sqe_set_data(entry, this);
  }

  void done(int result, unsigned /*flags*/) override {
    piece_ = {};
    if (!events_) return;
    if (result < 0 && result != -EINTR && result != -EAGAIN) {
      unsent_ = {};
      events_->sent(fail_errno(Errc::closed, "send", -result));
      return;
    }
    unsent_ = unsent_.subspan(static_cast<std::size_t>(std::max(result, 0)));
    if (unsent_.empty()) {
      events_->sent(ok());
    } else {
      send_piece();
    }
  }

  UringKernel& kernel_;
  SocketEvents* events_;  // null once nobody waits
  int fd_;
  Bytes unsent_;
  Chunk piece_;  // what the kernel reads from
};

class UringSocket final : public Socket {
 public:
  UringSocket(UringKernel& kernel, Descriptor socket, SocketEvents& events)
      : kernel_(kernel),
        socket_(std::move(socket)),
        receiving_(std::make_shared<ReceiveOperation>(kernel, events)),
        sending_(std::make_shared<SendOperation>(kernel, events, socket_.get())) {}

  // The kernel keeps the socket open for requests in flight, so closing is told by shutdown(). As
  // with epoll, unread input must not turn it into a reset.
  ~UringSocket() override {
    ::recv(socket_.get(), nullptr, discard_bytes_max, MSG_TRUNC | MSG_DONTWAIT);
    if (receiving_->in_flight() || sending_->in_flight()) {
      ::shutdown(socket_.get(), SHUT_RDWR);
      kernel_.cancel(*receiving_);
    }
    receiving_->detach();
    sending_->abandon();
  }

  std::optional<Result<Chunk>> receive() override { return receiving_->receive(socket_.get()); }

  std::optional<Result<void>> send(Bytes data) override {
    sending_->send(data);
    return std::nullopt;
  }
  void abandon_send() override { sending_->abandon(); }
  void send_last(Bytes data) override {
    if (sending_->in_flight()) return;
    ::send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }

 private:
  UringKernel& kernel_;
  Descriptor socket_;
  std::shared_ptr<ReceiveOperation> receiving_;
  std::shared_ptr<SendOperation> sending_;
};

class AcceptOperation final : public Operation {
 public:
  explicit AcceptOperation(std::function<void()> acceptable) : acceptable_(std::move(acceptable)) {}

  std::optional<int> take() { return std::exchange(accepted_, std::nullopt); }
  void detach() {
    acceptable_ = nullptr;
    if (accepted_ && *accepted_ >= 0) Descriptor(*accepted_).reset();
    accepted_.reset();
  }

 private:
  void done(int result, unsigned /*flags*/) override {
    if (acceptable_) {
      accepted_ = result;
      acceptable_();
    } else if (result >= 0) {
      Descriptor(result).reset();
    }
  }

  std::function<void()> acceptable_;  // null once the acceptor is gone
  std::optional<int> accepted_;       // a descriptor or a negative errno
};

class UringAcceptor final : public Acceptor {
 public:
  UringAcceptor(UringKernel& kernel, Descriptor socket, std::function<void()> acceptable)
      : kernel_(kernel),
        socket_(std::move(socket)),
        accepting_(std::make_shared<AcceptOperation>(std::move(acceptable))) {}
  ~UringAcceptor() override {
    // Ends the listening at once, although the request in flight keeps the socket open.
    ::shutdown(socket_.get(), SHUT_RDWR);
    kernel_.cancel(*accepting_);
    accepting_->detach();
  }

  std::optional<int> accept() override {
    if (auto accepted = accepting_->take()) return accepted;
    if (!accepting_->in_flight()) {
      io_uring_sqe* const entry = kernel_.request(*accepting_);
      io_uring_prep_accept(entry, socket_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      io_uring_sqe_set_data(entry, accepting_.get());
    }
    return std::nullopt;
  }

 private:
  UringKernel& kernel_;
  Descriptor socket_;
  std::shared_ptr<AcceptOperation> accepting_;
};

class PollOperation final : public Operation {
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
  UringConnecting(UringKernel& kernel, int socket, std::function<void()> done)
      : kernel_(kernel), polling_(std::make_shared<PollOperation>(std::move(done))) {
    io_uring_sqe* const entry = kernel_.request(*polling_);
    io_uring_prep_poll_add(entry, socket, POLLOUT);
    io_uring_sqe_set_data(entry, polling_.get());
  }
  ~UringConnecting() override {
    polling_->detach();
    kernel_.cancel(*polling_);
  }

 private:
  UringKernel& kernel_;
  std::shared_ptr<PollOperation> polling_;
};

/// io_uring would give O_NONBLOCK sockets their EAGAIN instead of waiting.
Result<void> make_blocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0) {
    return fail_errno(Errc::io, "fcntl", errno);
  }
  return ok();
}

Result<void> UringKernel::start() {
  io_uring_params parameters{};
  parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                     IORING_SETUP_COOP_TASKRUN | IORING_SETUP_CQSIZE;
  parameters.cq_entries = completions;
  if (const int made = io_uring_queue_init_params(submissions, &ring_, &parameters); made < 0) {
    return fail_errno(Errc::unavailable, "io_uring", -made);
  }
  ring_made_ = true;
  io_uring_register_ring_fd(&ring_);  // saves a lookup per call; works without
  if (!set_up_buffers()) return fail(Errc::unavailable, "io_uring: no buffer rings");
  wake_ = std::make_shared<Wake>(wake_fd_);
  arm_wake();
  return ok();
}

bool UringKernel::set_up_buffers() {
  constexpr std::size_t page = 4096;
  constexpr std::size_t bytes = ring_buffers * sizeof(io_uring_buf);
  void* const memory = std::aligned_alloc(page, (bytes + page - 1) / page * page);
  if (!memory) return false;
  std::memset(memory, 0, bytes);
  ring_of_buffers_ = static_cast<io_uring_buf_ring*>(memory);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uint64_t>(memory);
  registration.ring_entries = ring_buffers;
  if (io_uring_register_buf_ring(&ring_, &registration, 0) != 0) return false;
  io_uring_buf_ring_init(ring_of_buffers_);
  for (unsigned id = 0; id < ring_buffers; ++id) {
    buffers_[id] = new std::byte[BufferPool::buffer_bytes];
    provide(id);
  }
  return true;
}

// Every stream and listener has gone and has cancelled what it asked for; what is left is to hear
// that the kernel no longer uses our memory.
UringKernel::~UringKernel() {
  if (wake_) {
    Operation& waking = *std::exchange(wake_, nullptr);
    cancel(waking);
  }
  while (in_flight_ > 0) {
    const int submitted = io_uring_submit_and_wait(&ring_, 1);
    SALLYPORT_CHECK(submitted >= 0 || submitted == -EINTR);
    hand_out();
  }
  if (ring_made_) io_uring_queue_exit(&ring_);
  std::free(ring_of_buffers_);
  for (std::byte* const buffer : buffers_) delete[] buffer;
}

void UringKernel::arm_wake() {
  io_uring_sqe* const entry = request(*wake_);
  io_uring_prep_poll_add(entry, wake_fd_, POLLIN);
  io_uring_sqe_set_data(entry, wake_.get());
}

void UringKernel::wait(std::optional<SteadyTime> until) {
  int waited = 0;
  const auto left = until && *until != SteadyTime::min() ? *until - std::chrono::steady_clock::now()
                                                         : std::chrono::nanoseconds(0);
  if (!until) {
    waited = io_uring_submit_and_wait(&ring_, 1);
  } else if (left.count() <= 0) {
    waited = io_uring_submit_and_get_events(&ring_);
  } else {
    const auto nanoseconds = std::chrono::nanoseconds(left).count();
    __kernel_timespec time{.tv_sec = nanoseconds / 1'000'000'000,
                           .tv_nsec = nanoseconds % 1'000'000'000};
    io_uring_cqe* first = nullptr;
    waited = io_uring_submit_and_wait_timeout(&ring_, &first, 1, &time, nullptr);
  }
  SALLYPORT_CHECK(waited >= 0 || waited == -EINTR || waited == -ETIME || waited == -EAGAIN ||
                  waited == -EBUSY);
  hand_out();
  if (!wake_->in_flight()) arm_wake();
}

void UringKernel::hand_out() {
  io_uring_cqe* completion = nullptr;
  while (io_uring_peek_cqe(&ring_, &completion) == 0) {
    auto* const operation = static_cast<Operation*>(io_uring_cqe_get_data(completion));
    const int result = completion->res;
    const unsigned flags = completion->flags;
    io_uring_cqe_seen(&ring_, completion);
    if (!operation) continue;  // a cancellation: what it cancelled answers itself
    --in_flight_;
    const std::shared_ptr<Operation> kept = std::exchange(operation->keep_, nullptr);
    kept->done(result, flags);
  }
}

Result<std::unique_ptr<Socket>> UringKernel::adopt(Descriptor socket, SocketEvents& events) {
  if (auto blocking = make_blocking(socket.get()); !blocking) return fail(blocking);
  return std::make_unique<UringSocket>(*this, std::move(socket), events);
}

Result<std::unique_ptr<Acceptor>> UringKernel::listen(Descriptor socket,
                                                      std::function<void()> acceptable) {
  if (auto blocking = make_blocking(socket.get()); !blocking) return fail(blocking);
  return std::make_unique<UringAcceptor>(*this, std::move(socket), std::move(acceptable));
}

Result<std::unique_ptr<Connecting>> UringKernel::connecting(int socket,
                                                            std::function<void()> done) {
  return std::make_unique<UringConnecting>(*this, socket, std::move(done));
}

}  // namespace

Result<std::unique_ptr<Kernel>> make_uring_kernel(int wake_fd) {
  auto kernel = std::make_unique<UringKernel>(wake_fd);
  if (auto started = kernel->start(); !started) return fail(started);
  return kernel;
}

}  // namespace sallyport::net

#include "net/uring_socket.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/metrics.h"
#include "net/reactor.h"

namespace sallyport::net {
namespace {

constexpr std::size_t discard_bytes_max = 1024 * 1024;

metrics::Counter& buffers_exhausted() {
  static metrics::Counter& counter = metrics::counter(
      "sallyport_reactor_buffers_exhausted_total",
      "Times that io_uring had no receive buffer left within one turn, and had to ask again.");
  return counter;
}

/// Multishot: asked for once, it brings data as that comes, read or not. So it is cancelled when
/// too much waits to be read, and asked for again when little does.
class ReceiveOperation final : public UringOperation {
 public:
  ReceiveOperation(Uring& uring, SocketEvents& events, int fd)
      : uring_(uring), events_(&events), fd_(fd) {}

  std::optional<Result<Chunk>> receive(const std::shared_ptr<void>& owner) {
    Chunk next = take();
    const bool more = !ended_ && !in_flight() && queued_bytes_ <= limit(receive_again_bytes);
    if (more) arm(owner);
    if (!next.empty()) return next;
    if (ended_) return std::unexpected(*ended_);
    return std::nullopt;
  }

  bool quiet() const { return first_.empty() && !ended_; }

  void detach() {
    events_ = nullptr;
    first_ = {};
    more_.clear();
    uring_.cancel(*this);
  }

 private:
  void arm(const std::shared_ptr<void>& owner) {
    cancelled_ = false;
    // Before a cancellation is heard, one turn can bring many buffers: not where they are scarce.
    const bool once = Reactor::current().buffers().scarce();
    uring_.request(*this, owner, [this, once](io_uring_sqe* entry) {
      if (once) {
        io_uring_prep_recv(entry, fd_, nullptr, BufferPool::buffer_bytes, 0);
      } else {
        io_uring_prep_recv_multishot(entry, fd_, nullptr, 0, 0);
      }
      entry->flags |= IOSQE_BUFFER_SELECT;
      entry->buf_group = 0;
    });
  }

  /// Where many buffers are in use, a socket that is not read gets no second one.
  static std::size_t limit(std::size_t bytes) {
    return Reactor::current().buffers().scarce() ? 0 : bytes;
  }

  void done(int result, unsigned flags) override {
    if ((flags & IORING_CQE_F_BUFFER) != 0) {
      const unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;
      if (result > 0 && events_) {
        put(id, static_cast<std::size_t>(result));
      } else {
        uring_.provide(id);
      }
    }
    if (!events_) return;
    if (result == 0) {
      ended_ = Error(Errc::closed, "the peer has closed");
    } else if (result == -ENOBUFS) {
      buffers_exhausted().add();
    } else if (result < 0 && result != -ECANCELED && result != -EINTR && result != -EAGAIN) {
      ended_ = fail_errno(Errc::closed, "recv", -result).error();
    }
    if (in_flight() && !cancelled_ && queued_bytes_ > limit(receive_queue_bytes_max)) {
      cancelled_ = true;
      uring_.cancel(*this);
    }
    events_->receivable();  // without data it asks again
  }

  // What comes in small pieces while nobody reads does not get a buffer for each.
  void put(unsigned id, std::size_t size) {
    queued_bytes_ += size;
    if (first_.empty()) {
      first_ = uring_.take_buffer(id, size);
      return;
    }
    Chunk& last = more_.empty() ? first_ : more_.back();
    if (last.append(uring_.buffer(id, size))) {
      uring_.provide(id);
    } else {
      more_.push_back(uring_.take_buffer(id, size));
    }
  }

  Chunk take() {
    Chunk next = std::exchange(first_, {});
    queued_bytes_ -= next.bytes().size();
    if (!more_.empty()) {
      first_ = std::move(more_.front());
      more_.erase(more_.begin());
      if (more_.empty()) std::vector<Chunk>().swap(more_);
    }
    return next;
  }

  Uring& uring_;
  SocketEvents* events_;  // null once the socket is gone
  int fd_;
  bool cancelled_ = false;
  Chunk first_;              // the oldest that was received and not read
  std::vector<Chunk> more_;  // what came after it
  std::size_t queued_bytes_ = 0;
  std::optional<Error> ended_;
};

/// Sends from the caller's memory: an abandoned one is over before its data may go.
class SendOperation final : public UringOperation {
 public:
  SendOperation(Uring& uring, SocketEvents& events, int fd)
      : uring_(uring), events_(&events), fd_(fd) {}

  void send(Bytes data, std::shared_ptr<void> owner) {
    unsent_ = data;
    submit(std::move(owner));
  }
  void abandon() {
    events_ = nullptr;
    uring_.cancel_now(*this);
  }

 private:
  void submit(std::shared_ptr<void> owner) {
    owner_ = owner;
    uring_.request(*this, std::move(owner), [this](io_uring_sqe* entry) {
      io_uring_prep_send(entry, fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_WAITALL);
    });
  }

  void done(int result, unsigned /*flags*/) override {
    if (!events_) return;
    if (result < 0 && result != -EINTR && result != -EAGAIN) {
      events_->sent(fail_errno(Errc::closed, "send", -result));
      return;
    }
    unsent_ = unsent_.subspan(static_cast<std::size_t>(std::max(result, 0)));
    if (unsent_.empty()) {
      events_->sent(ok());
    } else {
      submit(owner_.lock());
    }
  }

  Uring& uring_;
  SocketEvents* events_;  // null once nobody waits
  int fd_;
  Bytes unsent_;
  std::weak_ptr<void> owner_;
};

/// What the kernel may use after the socket has gone.
struct Operations {
  Operations(Uring& uring, SocketEvents& events, int fd)
      : receiving(uring, events, fd), sending(uring, events, fd) {}
  ReceiveOperation receiving;
  SendOperation sending;
};

class UringSocket final : public Socket {
 public:
  UringSocket(Uring& uring, Descriptor socket, SocketEvents& events)
      : socket_(std::move(socket)),
        operations_(std::make_shared<Operations>(uring, events, socket_.get())) {}

  // The kernel keeps the socket open for requests in flight, so closing is told by shutdown(). As
  // with epoll, unread input must not turn it into a reset.
  ~UringSocket() override {
    ::recv(socket_.get(), nullptr, discard_bytes_max, MSG_TRUNC | MSG_DONTWAIT);
    operations_->receiving.detach();
    operations_->sending.abandon();
    if (operations_->receiving.in_flight()) ::shutdown(socket_.get(), SHUT_RDWR);
  }

  std::optional<Result<Chunk>> receive() override {
    return operations_->receiving.receive(operations_);
  }
  std::optional<Result<void>> send(Bytes data) override {
    operations_->sending.send(data, operations_);
    return std::nullopt;
  }
  bool quiet() const override { return operations_->receiving.quiet(); }
  void abandon_send() override { operations_->sending.abandon(); }
  void send_last(Bytes data) override {
    if (operations_->sending.in_flight()) return;
    ::send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }

 private:
  Descriptor socket_;
  std::shared_ptr<Operations> operations_;
};

}  // namespace

std::unique_ptr<Socket> make_uring_socket(Uring& uring, Descriptor socket, SocketEvents& events) {
  return std::make_unique<UringSocket>(uring, std::move(socket), events);
}

}  // namespace sallyport::net

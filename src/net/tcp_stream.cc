#include "net/tcp_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "base/check.h"
#include "net/address.h"
#include "net/kernel.h"
#include "net/reactor.h"
#include "net/stream_deadline.h"

namespace sallyport::net {
namespace {

constexpr int keepalive_idle_s = 60;
constexpr int keepalive_interval_s = 10;
constexpr int keepalive_probes = 6;

class TcpStream final : public Stream, private SocketEvents {
 public:
  TcpStream(Reactor& reactor, Endpoint peer)
      : reactor_(reactor),
        peer_(std::move(peer)),
        read_deadline_(reactor, readable_),
        write_deadline_(reactor, written_) {}

  Result<void> start(Descriptor socket) {
    descriptor_ = socket.get();
    auto adopted = reactor_.kernel().adopt(std::move(socket), *this);
    if (!adopted) return fail(adopted);
    socket_ = std::move(*adopted);
    return ok();
  }

  Task<Result<Chunk>> read() override {
    const InFlight reading(reading_);
    for (;;) {
      if (!socket_) co_return fail(Errc::closed, "closed on this side");
      if (read_deadline_.passed()) co_return fail(Errc::timeout, "read deadline passed");
      if (auto received = socket_->receive()) co_return std::move(*received);
      co_await readable_.wait();
    }
  }

  Task<Result<void>> write(Bytes data) override {
    const InFlight writing(writing_);
    if (!socket_ || write_broken_) co_return fail(Errc::closed, "closed on this side");
    if (write_deadline_.passed()) co_return fail(Errc::timeout, "write deadline passed");
    if (data.empty()) co_return ok();
    outcome_.reset();
    if (auto done = socket_->send(data)) co_return std::move(*done);
    const AbandonUnlessSent abandon(*this);
    for (;;) {
      co_await written_.wait();
      if (outcome_) co_return *std::exchange(outcome_, std::nullopt);
      if (!socket_) co_return fail(Errc::closed, "closed on this side");
      if (write_deadline_.passed()) co_return fail(Errc::timeout, "write deadline passed");
    }
  }

  void write_last(Bytes data) override {
    if (socket_ && !writing_ && !write_broken_) socket_->send_last(data);
  }

  void set_read_deadline(std::optional<SteadyTime> deadline) override {
    read_deadline_.set(deadline);
  }
  void set_write_deadline(std::optional<SteadyTime> deadline) override {
    write_deadline_.set(deadline);
  }

  bool peer_gone() const override {
    if (!socket_) return true;
    pollfd one{.fd = descriptor_, .events = POLLRDHUP, .revents = 0};
    return poll(&one, 1, 0) == 1;
  }

  bool quiet() const override {
    if (!socket_ || !socket_->quiet()) return false;
    pollfd one{.fd = descriptor_, .events = POLLIN | POLLRDHUP, .revents = 0};
    return poll(&one, 1, 0) == 0;
  }

  void close() override {
    socket_.reset();
    readable_.notify();
    written_.notify();
  }

  Endpoint peer() const override { return peer_; }

 private:
  class InFlight {
   public:
    explicit InFlight(bool& flag) : flag_(flag) {
      SALLYPORT_CHECK(!flag_);
      flag_ = true;
    }
    InFlight(const InFlight&) = delete;
    ~InFlight() { flag_ = false; }

   private:
    bool& flag_;
  };

  // A message that went out in part ends the stream: what follows it would be read as its rest.
  class AbandonUnlessSent {
   public:
    explicit AbandonUnlessSent(TcpStream& stream) : stream_(stream) { stream.sending_ = true; }
    AbandonUnlessSent(const AbandonUnlessSent&) = delete;
    ~AbandonUnlessSent() {
      if (!std::exchange(stream_.sending_, false)) return;
      stream_.write_broken_ = true;
      if (stream_.socket_) stream_.socket_->abandon_send();
    }

   private:
    TcpStream& stream_;
  };

  void receivable() override { readable_.notify(); }
  void sent(Result<void> outcome) override {
    sending_ = false;
    outcome_ = std::move(outcome);
    written_.notify();
  }

  Reactor& reactor_;
  Endpoint peer_;
  int descriptor_ = -1;             // the socket's
  std::unique_ptr<Socket> socket_;  // null when closed
  Signal readable_;
  Signal written_;
  StreamDeadline read_deadline_;
  StreamDeadline write_deadline_;
  std::optional<Result<void>> outcome_;  // of the write in flight
  bool reading_ = false;
  bool writing_ = false;
  bool sending_ = false;  // the kernel half has a send that is not done
  bool write_broken_ = false;
};

void set_option(int socket, int level, int option, int value) {
  // Only tuning: a socket that does not know the option works without it.
  ::setsockopt(socket, level, option, &value, sizeof value);
}

}  // namespace

Result<std::unique_ptr<Stream>> make_tcp_stream(Descriptor socket) {
  const int fd = socket.get();
  SocketAddress peer;
  peer.size = sizeof peer.storage;
  if (::getpeername(fd, peer.get(), &peer.size) != 0) {
    return fail_errno(Errc::closed, "getpeername", errno);
  }
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_idle_s);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, keepalive_interval_s);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, keepalive_probes);
  auto stream = std::make_unique<TcpStream>(Reactor::current(), to_endpoint(peer));
  if (auto started = stream->start(std::move(socket)); !started) return fail(started);
  return stream;
}

}  // namespace sallyport::net

#include "net/listener.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "net/address.h"
#include "net/kernel.h"
#include "net/reactor.h"
#include "net/signal.h"
#include "net/tcp_stream.h"

namespace sallyport::net {
namespace {

constexpr int backlog = 4096;
constexpr std::chrono::milliseconds pause_when_out_of_resources{100};

bool out_of_resources(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/// Failures of one client that is gone already; accept(2) says to go on.
bool of_one_client(int error) {
  switch (error) {
    case ECONNABORTED:
    case EINTR:
    case EPERM:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EOPNOTSUPP:
    case ETIMEDOUT:
      return true;
    default:
      return false;
  }
}

class TcpListener final : public Listener {
 public:
  TcpListener(Reactor& reactor, std::uint16_t port) : reactor_(reactor), port_(port) {}

  Result<void> start(Descriptor socket) {
    auto listening = reactor_.kernel().listen(std::move(socket), [this] { acceptable_.notify(); });
    if (!listening) return fail(listening);
    acceptor_ = std::move(*listening);
    return ok();
  }

  Task<Result<std::unique_ptr<Stream>>> accept() override {
    for (;;) {
      if (!acceptor_) co_return fail(Errc::closed, "the listener is closed");
      const std::optional<int> accepted = acceptor_->accept();
      if (!accepted) {
        co_await acceptable_.wait();
      } else if (*accepted >= 0) {
        auto stream = make_tcp_stream(Descriptor(*accepted));
        if (stream) co_return std::move(*stream);
      } else if (out_of_resources(-*accepted)) {
        log::warn("cannot accept clients for now",
                  {{"error", std::generic_category().message(-*accepted)}});
        co_await pause();
      } else if (!of_one_client(-*accepted)) {
        co_return fail_errno(Errc::io, "accept", -*accepted);
      }
    }
  }

  void close() override {
    acceptor_.reset();
    acceptable_.notify();
  }

  std::uint16_t port() const override { return port_; }

 private:
  // Not to be ended by the next client, only by close().
  Task<void> pause() {
    const SteadyTime until = reactor_.now() + pause_when_out_of_resources;
    while (acceptor_ && co_await acceptable_.wait_until(until)) {
    }
  }

  Reactor& reactor_;
  std::uint16_t port_;
  std::unique_ptr<Acceptor> acceptor_;  // null when closed
  Signal acceptable_;
};

}  // namespace

Result<std::unique_ptr<Listener>> Listener::bind(const Endpoint& endpoint) {
  auto address = to_address(endpoint);
  if (!address) return fail(Errc::invalid, "not a numeric address: " + endpoint.ip);
  Descriptor socket(
      ::socket(address->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket) return fail_errno(Errc::io, "socket", errno);
  const int on = 1;
  const int off = 0;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (address->family() == AF_INET6) {
    ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  if (::bind(socket.get(), address->get(), address->size) != 0) {
    return fail_errno(Errc::io, "bind " + endpoint.ip, errno);
  }
  if (::listen(socket.get(), backlog) != 0) return fail_errno(Errc::io, "listen", errno);
  if (::getsockname(socket.get(), address->get(), &address->size) != 0) {
    return fail_errno(Errc::io, "getsockname", errno);
  }
  auto listener = std::make_unique<TcpListener>(Reactor::current(), to_endpoint(*address).port);
  if (auto started = listener->start(std::move(socket)); !started) return fail(started);
  return listener;
}

}  // namespace sallyport::net

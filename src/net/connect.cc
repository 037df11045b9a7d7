#include "net/connect.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "net/address.h"
#include "net/helpers.h"
#include "net/kernel.h"
#include "net/reactor.h"
#include "net/signal.h"
#include "net/tcp_stream.h"

namespace sallyport::net {
namespace {

using Addresses = std::vector<SocketAddress>;
constexpr std::size_t addresses_max = 16;

Result<Addresses> resolve_blocking(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int problem = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (problem != 0) {
    return fail(Errc::unavailable, fmt::format("resolving {}: {}", host, ::gai_strerror(problem)));
  }
  Addresses addresses;
  for (const addrinfo* at = found; at && addresses.size() < addresses_max; at = at->ai_next) {
    SocketAddress& address = addresses.emplace_back();
    std::memcpy(&address.storage, at->ai_addr, at->ai_addrlen);
    address.size = at->ai_addrlen;
  }
  ::freeaddrinfo(found);
  return addresses;
}

Task<Result<Addresses>> resolve(std::string host, std::uint16_t port, SteadyTime deadline) {
  if (const auto numeric = to_address({host, port})) co_return Addresses{*numeric};
  if (host.find('\0') != std::string::npos) co_return fail(Errc::invalid, "NUL in a host name");
  Handover<Result<Addresses>> answer;
  const bool taken = run_on_helper(
      [giver = answer.giver(), host, port] { giver.give(resolve_blocking(host, port)); });
  if (!taken) co_return fail(Errc::unavailable, "too many names are being resolved");
  auto resolved = co_await answer.wait_until(deadline);
  if (!resolved) co_return fail(Errc::timeout, "resolving " + host);
  co_return std::move(*resolved);
}

Task<Result<std::unique_ptr<Stream>>> connect_one(SocketAddress address, SteadyTime deadline) {
  Descriptor socket(
      ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket) co_return fail_errno(Errc::io, "socket", errno);
  if (::connect(socket.get(), address.get(), address.size) != 0) {
    if (errno != EINPROGRESS) co_return fail_errno(Errc::unavailable, "connect", errno);
    Signal done;
    bool finished = false;
    auto connecting = Reactor::current().kernel().connecting(socket.get(), [&] {
      finished = true;
      done.notify();
    });
    if (!connecting) co_return fail(connecting);
    while (!finished) {
      if (!co_await done.wait_until(deadline)) co_return fail(Errc::timeout, "connect");
    }
    int problem = 0;
    socklen_t size = sizeof problem;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &problem, &size);
    if (problem != 0) co_return fail_errno(Errc::unavailable, "connect", problem);
  }
  co_return make_tcp_stream(std::move(socket));
}

}  // namespace

Task<Result<std::unique_ptr<Stream>>> connect(std::string host, std::uint16_t port,
                                              SteadyTime deadline) {
  auto addresses = co_await resolve(host, port, deadline);
  if (!addresses) co_return fail(addresses);
  Error last(Errc::unavailable, "no address");
  for (std::size_t i = 0; i < addresses->size(); ++i) {
    // An address that does not answer leaves time for the others.
    const SteadyTime now = std::chrono::steady_clock::now();
    const auto left = static_cast<long>(addresses->size() - i);
    if (deadline <= now) {
      last = Error(Errc::timeout, "deadline passed");
      break;
    }
    auto stream = co_await connect_one((*addresses)[i], now + (deadline - now) / left);
    if (stream) co_return std::move(*stream);
    last = std::move(stream.error());
  }
  co_return fail(last.code, fmt::format("connecting to {}:{}: {}", host, port, last.detail));
}

}  // namespace sallyport::net

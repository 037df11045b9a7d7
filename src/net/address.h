#pragma once
// Socket addresses. Inside net/ only.

#include <sys/socket.h>

#include <optional>

#include "base/result.h"
#include "net/stream.h"

namespace sallyport::net {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

/// nullopt: `endpoint.ip` is no numeric address.
std::optional<SocketAddress> to_address(const Endpoint& endpoint);
/// IPv4-mapped IPv6 comes out as IPv4.
Endpoint to_endpoint(const SocketAddress& address);

}  // namespace sallyport::net

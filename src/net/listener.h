#pragma once
// Listener: accepts TCP connections on one worker. Every worker binds its own (SO_REUSEPORT) and
// the kernel spreads the clients.

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "net/stream.h"
#include "net/task.h"

namespace sallyport::net {

class Listener {
 public:
  /// Binds and listens on the current reactor. `endpoint.ip` is numeric, IPv4 or IPv6 ("::" takes
  /// both); port 0 lets the kernel choose. invalid: not an address; io: the kernel said no.
  static Result<std::unique_ptr<Listener>> bind(const Endpoint& endpoint);

  virtual ~Listener() = default;

  /// The next client. One at a time. Running out of descriptors or memory is waited out, not
  /// reported. Fails with closed after close(), with io if the socket is broken.
  virtual Task<Result<std::unique_ptr<Stream>>> accept() = 0;

  /// Ends a pending accept with closed and frees the port.
  virtual void close() = 0;

  virtual std::uint16_t port() const = 0;
};

}  // namespace sallyport::net

#pragma once
// TCP as a Stream. Inside net/ only: clients come from a Listener, servers from connect().

#include <memory>

#include "base/result.h"
#include "net/descriptor.h"
#include "net/stream.h"

namespace sallyport::net {

/// `socket` is connected and non-blocking. Sets TCP_NODELAY and keepalive.
Result<std::unique_ptr<Stream>> make_tcp_stream(Descriptor socket);

}  // namespace sallyport::net

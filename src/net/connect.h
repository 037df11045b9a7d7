#pragma once
// connect(): a TCP connection to a host by name or address.

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "net/stream.h"
#include "net/task.h"

namespace sallyport::net {

/// Tries the addresses of `host` in the resolver's order. `deadline` covers the resolving too.
/// unavailable: no such name, or no address answers; timeout: the deadline passed.
Task<Result<std::unique_ptr<Stream>>> connect(std::string host, std::uint16_t port,
                                              SteadyTime deadline);

}  // namespace sallyport::net

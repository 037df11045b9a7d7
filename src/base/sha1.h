#pragma once
// SHA-1, which WebSocket's handshake needs and nothing else may use.

#include <array>
#include <cstddef>

#include "base/bytes.h"

namespace sallyport {

std::array<std::byte, 20> sha1(Bytes data);

}  // namespace sallyport

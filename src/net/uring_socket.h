#pragma once
// The connected socket of the io_uring kernel. Inside net/ only.

#include <memory>

#include "net/kernel.h"
#include "net/uring.h"

namespace sallyport::net {

/// Above the first the socket receives no more; below the second it goes on.
constexpr std::size_t receive_queue_bytes_max = 64 * 1024;
constexpr std::size_t receive_again_bytes = 16 * 1024;

/// `socket` must be blocking: io_uring would give O_NONBLOCK ones their EAGAIN.
std::unique_ptr<Socket> make_uring_socket(Uring& uring, Descriptor socket, SocketEvents& events);

}  // namespace sallyport::net

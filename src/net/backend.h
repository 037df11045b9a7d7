#pragma once
// Backend: which kernel interface the reactors of this process run on. Chosen once, at start.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sallyport::net {

/// automatic: io_uring where everything we ask of it works, else epoll.
enum class Backend : std::uint8_t { automatic, io_uring, epoll };

/// "auto", "io_uring" or "epoll": the words of the configuration and of --reactor.
std::optional<Backend> parse_backend(std::string_view word);
std::string_view to_string(Backend backend);

struct BackendChoice {
  Backend backend = Backend::epoll;  // never automatic
  std::string why;                   // epoll was not asked for: what io_uring lacks here
};

/// unavailable if io_uring is asked for and does not work here. Tries out io_uring at its first
/// call, with sockets of its own, and remembers the answer.
Result<BackendChoice> choose_backend(Backend wanted);

/// Inside net/ and its tests: tries every io_uring operation that we use.
Result<void> probe_uring();

}  // namespace sallyport::net

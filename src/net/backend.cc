#include "net/backend.h"

namespace sallyport::net {

std::optional<Backend> parse_backend(std::string_view word) {
  for (const Backend backend : {Backend::automatic, Backend::io_uring, Backend::epoll}) {
    if (word == to_string(backend)) return backend;
  }
  return std::nullopt;
}

std::string_view to_string(Backend backend) {
  switch (backend) {
    case Backend::automatic:
      return "auto";
    case Backend::io_uring:
      return "io_uring";
    case Backend::epoll:
      return "epoll";
  }
  return "";
}

Result<BackendChoice> choose_backend(Backend wanted) {
  if (wanted == Backend::epoll) return BackendChoice{};
  static const Result<void> probed = probe_uring();
  if (probed) return BackendChoice{.backend = Backend::io_uring, .why = ""};
  if (wanted == Backend::io_uring) return fail(probed.error().code, probed.error().detail);
  return BackendChoice{.backend = Backend::epoll, .why = probed.error().detail};
}

}  // namespace sallyport::net

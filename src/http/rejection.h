#pragma once
// Why the codec will not read on. The connection that carried the bytes is lost: after an error
// nobody can say where the next message would begin.

#include <expected>
#include <string>
#include <utility>

namespace sallyport::http {

struct Rejection {
  int status = 400;    // what a client is told; meaningless for what a server sent
  std::string reason;  // short, fixed text; never holds bytes of the message

  bool operator==(const Rejection&) const = default;
};

template <class T>
using Decoded = std::expected<T, Rejection>;

inline std::unexpected<Rejection> reject(int status, std::string reason) {
  return std::unexpected(Rejection{status, std::move(reason)});
}

template <class T>
std::unexpected<Rejection> reject(Decoded<T>& rejected) {
  return std::unexpected(std::move(rejected.error()));
}

}  // namespace sallyport::http

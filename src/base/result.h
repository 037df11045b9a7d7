#pragma once
// Result<T>: how every fallible function in Sallyport reports failure.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace sallyport {

enum class Errc : std::uint8_t {
  closed,       // the peer went away, or the stream was closed on this side
  timeout,      // a deadline passed
  malformed,    // bytes that break the rules of their format
  too_large,    // above a limit
  unavailable,  // something needed cannot be reached or does not answer as it should
  invalid,      // configuration or arguments that make no sense; detail says where
  denied,       // a credential or a peer that is not acceptable
  io,           // the operating system said no: disk, file, socket
};

std::string_view to_string(Errc code);

/// What went wrong, for the operator's log. Never shown to a client as is.
struct Error {
  Error(Errc code, std::string detail) : code(code), detail(std::move(detail)) {}

  Errc code;
  std::string detail;
};

template <class T>
using Result = std::expected<T, Error>;

/// Starts a failure: `return fail(Errc::malformed, "length 3 is below 4");`
inline std::unexpected<Error> fail(Errc code, std::string detail) {
  return std::unexpected<Error>(Error(code, std::move(detail)));
}

/// Passes a failure on: `if (!row) co_return fail(row);`
template <class T>
std::unexpected<Error> fail(Result<T>& failed) {
  return std::unexpected<Error>(std::move(failed.error()));
}

/// Passes a failure on and says what was being done: `fail(row, "reading the row")`.
template <class T>
std::unexpected<Error> fail(Result<T>& failed, std::string_view doing) {
  failed.error().detail.insert(0, std::string(doing) + ": ");
  return std::unexpected<Error>(std::move(failed.error()));
}

/// Ends a fallible function that has nothing to return: `co_return ok();`
inline Result<void> ok() {
  return {};
}

}  // namespace sallyport

#pragma once
// The one strict parser for numbers that come as text. No sign, space, prefix or leftover
// passes, and what does not fit is a failure, never a wrapped value.

#include <charconv>
#include <concepts>
#include <string_view>

#include "base/result.h"

namespace sallyport {

/// Decimal digits only (a leading '-' too where T is signed), all of `text`.
template <std::integral T>
Result<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value, 10);
  if (problem == std::errc::result_out_of_range) {
    return fail(Errc::too_large, "number out of range");
  }
  if (problem != std::errc{} || end != text.data() + text.size()) {
    return fail(Errc::malformed, "not a number");
  }
  return value;
}

}  // namespace sallyport

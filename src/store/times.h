#pragma once
// Times as the store keeps them: microseconds since 1970. Inside store/ only.

#include <chrono>
#include <cstdint>
#include <variant>

#include "base/clock.h"
#include "store/database.h"

namespace sallyport::store {

inline std::int64_t us(WallTime time) {
  return time.time_since_epoch().count();
}

/// NULL is 1970.
inline WallTime time_of(const Value& value) {
  const auto* const number = std::get_if<std::int64_t>(&value);
  return WallTime(std::chrono::microseconds(number == nullptr ? 0 : *number));
}

}  // namespace sallyport::store

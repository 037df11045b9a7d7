#pragma once
// Clock and Random: passed in everywhere, so that a test can move time and fail a source.

#include <chrono>
#include <cstddef>
#include <span>
#include <string>

namespace sallyport {

using WallTime = std::chrono::sys_time<std::chrono::microseconds>;
using SteadyTime = std::chrono::steady_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime now() const = 0;
  virtual SteadyTime steady() const = 0;
};

/// The machine's clocks.
const Clock& system_clock();

/// "2026-11-24T10:00:00.123456Z"
std::string to_iso8601(WallTime time);

class Random {
 public:
  virtual ~Random() = default;
  /// Fills all of `into` with unpredictable bytes. A source that cannot do so aborts the process:
  /// keys made of anything less would be worse than no gateway.
  virtual void fill(std::span<std::byte> into) = 0;
};

/// The kernel's source. Safe from any thread.
Random& system_random();

/// `bytes` random bytes as lower-case hex, for ids.
std::string random_hex(Random& random, std::size_t bytes);

}  // namespace sallyport

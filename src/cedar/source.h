#pragma once
// A text that is being read, and positions in it: every syntax error names file, line and column.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace sallyport::cedar {

/// Line and column count from 1; a column is a character (code point), not a byte.
struct Position {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

inline Position position_of(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  Position at;
  at.line = 1 + static_cast<std::uint32_t>(std::ranges::count(before, '\n'));
  for (const char c : before.substr(line_start)) {
    if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) ++at.column;
  }
  return at;
}

/// std::ranges::contains, which the distribution's library does not have yet.
template <class Range, class T, class Projection>
bool holds(const Range& range, const T& value, Projection projection) {
  return std::ranges::find(range, value, projection) != std::ranges::end(range);
}

/// "file:3:14: what"
inline std::string located(std::string_view file, std::string_view text, std::size_t offset,
                           std::string_view what) {
  const Position at = position_of(text, offset);
  return fmt::format("{}:{}:{}: {}", file, at.line, at.column, what);
}

}  // namespace sallyport::cedar

#pragma once
// A text that is being read, and positions in it: every error names file, line and column, and
// shows the line with the place underlined.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace sallyport::cedar {

/// Line and column count from 1; a column is a character (code point), not a byte.
struct Position {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

/// Bytes of a text, from `begin` up to `end`.
struct Span {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

Position position_of(std::string_view text, std::size_t offset);

/// The positions of offsets that only grow, in one pass over the text.
class LineCounter {
 public:
  explicit LineCounter(std::string_view text) : text_(text) {}
  Position at(std::size_t offset);

 private:
  std::string_view text_;
  std::size_t done_ = 0;
  Position position_;
};

/// std::ranges::contains, which the distribution's library does not have yet.
template <class Range, class T, class Projection>
bool holds(const Range& range, const T& value, Projection projection) {
  return std::ranges::find(range, value, projection) != std::ranges::end(range);
}

/// "file:3:14: what"
std::string located(std::string_view file, std::string_view text, std::size_t offset,
                    std::string_view what);

/// The line that the span starts in, with the span underlined as far as the line goes:
///     3 | when { context.stmt.haswhere }
///       |                     ^^^^^^^^
/// Nothing for an empty text. A long line is cut to what is around the span.
std::string underlined(std::string_view text, Span span);

}  // namespace sallyport::cedar

#pragma once
// LineReader: lines that end in CR LF and in nothing else, from bytes in any pieces.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "http/rejection.h"

namespace sallyport::http {

class LineReader {
 public:
  /// Takes bytes from the front of `input` up to the end of the line, and gives the line without
  /// CR LF; the view lives until the next call. nullopt: all of `input` was taken and more is
  /// needed. A bare CR or LF, NUL and other controls are refused with 400 at their byte, a line
  /// above `bytes_max` with `status_if_long`.
  Decoded<std::optional<std::string_view>> take(Bytes& input, std::size_t bytes_max,
                                                int status_if_long);

  /// True if no byte of a line has been taken since the last one ended.
  bool between_lines() const { return complete_ || (line_.empty() && !after_cr_); }

 private:
  std::string line_;
  bool after_cr_ = false;
  bool complete_ = false;
};

}  // namespace sallyport::http

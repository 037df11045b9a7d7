#pragma once
// BodyReader: the content of a body, in place, from bytes in any pieces (RFC 9112 sections 6, 7).

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "http/line.h"
#include "http/rejection.h"

namespace sallyport::http {

class BodyReader {
 public:
  enum class Trailers : std::uint8_t { refused, discarded };

  static BodyReader of_length(std::uint64_t length) { return {State::content, length, length}; }
  /// Chunk extensions are refused: nothing uses them, and readers disagree about where they end.
  static BodyReader chunked(std::uint64_t bytes_max, Trailers trailers);
  static BodyReader until_close(std::uint64_t bytes_max) {
    return {State::until_close, bytes_max, bytes_max};
  }

  /// The next piece of content, taken from the front of `input` and pointing into it. Empty when
  /// all of `input` was taken or the body is done(). Above the limit: 413.
  Decoded<Bytes> take(Bytes& input);

  /// True when the last byte of the body was taken; never for until_close.
  bool done() const { return state_ == State::done; }
  bool ends_at_close() const { return state_ == State::until_close; }

 private:
  enum class State : std::uint8_t {
    content,
    chunk_size,
    chunk,
    chunk_end,
    trailer,
    until_close,
    done
  };

  BodyReader(State state, std::uint64_t left, std::uint64_t budget)
      : state_(left == 0 && state == State::content ? State::done : state),
        left_(left),
        budget_(budget) {}

  Bytes take_content(Bytes& input);
  Decoded<void> take_line(Bytes& input);
  Decoded<void> end_of_size_line(std::string_view line);
  Decoded<void> end_of_trailer_line(std::string_view line);

  State state_;
  Trailers trailers_ = Trailers::refused;
  std::uint64_t left_ = 0;    // bytes of content before the next change of state
  std::uint64_t budget_ = 0;  // bytes of content still allowed
  std::size_t trailer_bytes_left_ = std::size_t{8} * 1024;
  LineReader line_;
};

}  // namespace sallyport::http

#pragma once
// What comes before a body: the first line, the header section, and what they say about where the
// body ends (RFC 9112 sections 5 and 6). Requests and responses share it.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "http/line.h"
#include "http/message.h"
#include "http/rejection.h"

namespace sallyport::http {

struct HeadLimits {
  std::size_t first_line_bytes_max = std::size_t{8} * 1024;  // else 414
  std::size_t header_bytes_max = std::size_t{32} * 1024;     // all lines together, else 431
  std::size_t headers_max = 100;                             // else 431
};

class HeadReader {
 public:
  explicit HeadReader(HeadLimits limits) : limits_(limits) {}

  /// Takes bytes from the front of `input`; true when the empty line that ends the section was
  /// among them, false when all of `input` was taken and more is needed.
  Decoded<bool> take(Bytes& input);

  /// True if no byte has been taken yet.
  bool untouched() const { return !has_first_line_ && line_.between_lines(); }

  std::string first_line;
  Headers headers;

 private:
  Decoded<void> add_header(std::string_view line);

  HeadLimits limits_;
  LineReader line_;
  std::size_t header_bytes_ = 0;
  bool has_first_line_ = false;
};

/// "Name: value" as one header; refuses folding, a space before the colon, and names that are none.
Decoded<Header> parse_header(std::string_view line);

/// Refuses a second one of those fields that different readers would take differently.
Decoded<void> refuse_repeated(const Headers& headers);

struct Framing {
  enum class Kind : std::uint8_t { unsaid, length, chunked };
  Kind kind = Kind::unsaid;
  std::uint64_t length = 0;
};

/// What Content-Length and Transfer-Encoding say; both together, or either in doubt, is refused.
Decoded<Framing> framing_of(const Headers& headers);

/// What Connection says. It may name only what is about the connection: a client that could name
/// any field there could have it dropped on the way.
struct ConnectionOptions {
  bool close = false;
  bool keep_alive = false;
  bool upgrade = false;
};
Decoded<ConnectionOptions> connection_of(const Headers& headers);

}  // namespace sallyport::http

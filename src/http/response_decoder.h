#pragma once
// ResponseDecoder: one HTTP/1.x response from bytes in any pieces, without I/O (RFC 9112). A target
// is trusted no more than a client: what is ambiguous is malformed.

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "http/body.h"
#include "http/head.h"
#include "http/message.h"
#include "http/rejection.h"

namespace sallyport::http {

struct ResponseLimits {
  HeadLimits head;
  std::uint64_t body_bytes_max = std::uint64_t{16} << 20;
  std::size_t interim_max = 8;  // 1xx responses before the final one
};

class ResponseDecoder {
 public:
  /// `to_head`: the response answers a HEAD request and so has no body, whatever it says.
  explicit ResponseDecoder(bool to_head = false, ResponseLimits limits = {});

  /// Takes bytes from the front of `input` up to the end of the response, and gives it. nullopt:
  /// all of `input` was taken and more is needed, or at_end() must say that there is no more.
  /// Interim responses (1xx) are skipped; 101 is malformed: nobody asked for an upgrade.
  Result<std::optional<Response>> take(Bytes& input);

  /// The peer has closed: gives the response whose body ends there; malformed if the response is
  /// not whole.
  Result<Response> at_end();

  /// Whether the connection may be used again; asked once the response was given.
  bool reusable() const { return reusable_; }

 private:
  Decoded<std::optional<Response>> take_checked(Bytes& input);
  Decoded<void> begin_body();
  Decoded<void> read_status_line();
  Decoded<void> read_framing();

  bool to_head_;
  ResponseLimits limits_;
  HeadReader head_;
  std::optional<BodyReader> body_;
  Response response_;
  std::size_t interim_left_;
  bool old_version_ = false;  // HTTP/1.0
  bool reusable_ = false;
  std::optional<Rejection> rejected_;
};

}  // namespace sallyport::http

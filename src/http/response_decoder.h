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

/// What comes before the body of a response.
struct ResponseHead {
  enum class Body : std::uint8_t { none, length, chunked, until_close };
  int status = 200;
  Headers headers;
  Body body = Body::none;
  std::uint64_t length = 0;  // as Content-Length says, also where there is no body
  bool says_length = false;
  bool websocket = false;  // with 101: the connection is one from here on
  bool reusable = false;   // the connection may be used again once the body was taken

  /// 413 if it is known to be larger.
  Decoded<BodyReader> reader(std::uint64_t bytes_max) const;
};

/// For who streams bodies: the head of the final response as soon as it is whole.
class ResponseHeadDecoder {
 public:
  /// `to_head`: as below. Interim responses are skipped.
  explicit ResponseHeadDecoder(bool to_head, HeadLimits limits = {}, std::size_t interim_max = 8)
      : to_head_(to_head), limits_(limits), head_(limits), interim_left_(interim_max) {}
  /// An answer with 101 and "Upgrade: websocket" is final, for it was asked for.
  void expect_websocket() { websocket_ = true; }

  Decoded<std::optional<ResponseHead>> take(Bytes& input);

 private:
  Decoded<ResponseHead> read() const;

  bool to_head_;
  bool websocket_ = false;
  HeadLimits limits_;
  HeadReader head_;
  std::size_t interim_left_;
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

  ResponseLimits limits_;
  ResponseHeadDecoder head_;
  std::optional<BodyReader> body_;
  Response response_;
  bool reusable_ = false;
  std::optional<Rejection> rejected_;
};

}  // namespace sallyport::http

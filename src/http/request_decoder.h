#pragma once
// RequestDecoder: HTTP/1.1 requests from bytes in any pieces, without I/O (RFC 9112). Whatever two
// readers could understand differently is refused, never repaired; after a refusal the connection
// must be closed. Only HTTP/1.1 is spoken: older versions have other rules for where a body ends.

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "http/body.h"
#include "http/head.h"
#include "http/message.h"
#include "http/rejection.h"

namespace sallyport::http {

struct RequestLimits {
  HeadLimits head;
  std::uint64_t body_bytes_max = std::uint64_t{1} << 20;  // else 413
};

/// What comes before the body of a request.
struct RequestHead {
  Request request;  // without its body
  Framing framing;
  bool keep_alive = true;       // whether the connection may carry another request after this one
  bool wants_continue = false;  // the client waits for "100 Continue" before it sends the body
  bool websocket = false;       // it asks for one

  bool has_body() const { return framing.kind == Framing::Kind::chunked || framing.length > 0; }
  /// 413 if it is known to be larger.
  Decoded<BodyReader> body(std::uint64_t bytes_max) const;
};

/// What requests of every version are held to: 400 and 501, and 417.
Decoded<void> check_method(std::string_view method);
Decoded<void> read_expectation(RequestHead& head);

/// The same for who streams bodies: the head is given as soon as it is whole, and what is left in
/// `input` is for its BodyReader.
class RequestHeadDecoder {
 public:
  explicit RequestHeadDecoder(HeadLimits limits = {}) : limits_(limits), head_(limits) {}

  /// As RequestDecoder::take(), but for the body.
  Decoded<std::optional<RequestHead>> take(Bytes& input);
  /// True between heads: nothing of the next one has been taken.
  bool idle() const { return head_.untouched(); }

 private:
  HeadLimits limits_;
  HeadReader head_;
};

class RequestDecoder {
 public:
  explicit RequestDecoder(RequestLimits limits = {});

  /// Takes bytes from the front of `input` up to the end of one request, and gives that request;
  /// what is left in `input` belongs to the next one. nullopt: all of `input` was taken and more is
  /// needed. Rejections: 400, 413 body, 414 request line, 417 Expect, 431 header section, 501
  /// method or transfer coding, 505 version. After a rejection every call gives it again.
  Decoded<std::optional<Request>> take(Bytes& input);

  /// True between requests: nothing of the next one has been taken.
  bool idle() const { return !body_ && head_.idle(); }
  /// True once the header section of the current request was whole.
  bool in_body() const { return body_.has_value(); }
  /// True if the client of the current request waits for "100 Continue" before it sends the body.
  bool wants_continue() const { return body_ && wants_continue_; }
  /// Whether the connection may carry another request after the one last given.
  bool keep_alive() const { return keep_alive_; }

 private:
  Decoded<std::optional<Request>> take_checked(Bytes& input);

  RequestLimits limits_;
  RequestHeadDecoder head_;
  std::optional<BodyReader> body_;  // from the end of the header section on
  Request request_;
  bool wants_continue_ = false;
  bool keep_alive_ = true;
  std::optional<Rejection> rejected_;
};

}  // namespace sallyport::http

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

class RequestDecoder {
 public:
  explicit RequestDecoder(RequestLimits limits = {});

  /// Takes bytes from the front of `input` up to the end of one request, and gives that request;
  /// what is left in `input` belongs to the next one. nullopt: all of `input` was taken and more is
  /// needed. Rejections: 400, 413 body, 414 request line, 417 Expect, 431 header section, 501
  /// method or transfer coding, 505 version. After a rejection every call gives it again.
  Decoded<std::optional<Request>> take(Bytes& input);

  /// True between requests: nothing of the next one has been taken.
  bool idle() const { return !body_ && head_.untouched(); }
  /// True once the header section of the current request was whole.
  bool in_body() const { return body_.has_value(); }
  /// True if the client of the current request waits for "100 Continue" before it sends the body.
  bool wants_continue() const { return body_ && wants_continue_; }
  /// Whether the connection may carry another request after the one last given.
  bool keep_alive() const { return keep_alive_; }

 private:
  Decoded<std::optional<Request>> take_checked(Bytes& input);
  Decoded<void> begin_body();
  Decoded<void> read_request_line();
  Decoded<void> read_host(const std::optional<std::string>& authority);
  Decoded<void> read_expectation();

  RequestLimits limits_;
  HeadReader head_;
  std::optional<BodyReader> body_;  // from the end of the header section on
  Request request_;
  bool wants_continue_ = false;
  bool keep_alive_ = true;
  std::optional<Rejection> rejected_;
};

}  // namespace sallyport::http

#pragma once
// Channel: where one request comes from and its answer goes. A connection of HTTP/1.1 is one, and
// so is each stream of HTTP/2: what is decided, sent and released is the same for both. Inside of
// this room only.

#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "http/encoder.h"
#include "http/message.h"
#include "http/rejection.h"
#include "net/task.h"

namespace sallyport::web {

using net::Task;

/// One read and one flush may be in flight at the same time.
class Channel {
 public:
  virtual ~Channel() = default;

  /// Before anything of the body is read: 413 if it is known to be larger.
  virtual http::Decoded<void> limit_body(std::uint64_t bytes_max) = 0;
  /// The last of the request's body was read.
  virtual bool body_done() const = 0;
  /// The next piece of the body, in place until the next call; empty at its end. 408 when nothing
  /// comes until the deadline.
  virtual Task<http::Decoded<Bytes>> read(SteadyTime deadline) = 0;
  /// The one who waits in read() waits no longer.
  virtual void stop_reading() = 0;
  /// The client may wait for that before it sends the body (RFC 9110 section 10.1.1). False if it
  /// has left.
  virtual Task<bool> tell_to_continue() = 0;

  /// An answer of our own, as a whole. What is left of the request is dropped.
  virtual Task<void> respond(http::Response response) = 0;
  /// As respond(), for what is no request that we take: nothing more of it is read.
  virtual Task<void> refuse(const http::Rejection& rejection) = 0;

  /// An answer in pieces, gathered until flush(): a head, its body, and the end of it. Fails where
  /// the head cannot be said.
  virtual Result<void> head(const http::Response& response, http::BodyForm form) = 0;
  virtual void body(std::string_view piece) = 0;
  virtual void finish() = 0;
  /// 101, gathered as a head is: read() gives whatever comes from here on, and body() goes out as
  /// it is.
  virtual Result<void> switch_to_websocket(const http::Headers& headers) = 0;
  /// False if the client has left.
  virtual Task<bool> flush() = 0;
  /// After an answer with head(): what is left of the request is dropped.
  virtual Task<void> drop_rest() = 0;

  /// The client sees that the answer broke off. Idempotent.
  virtual void abort() = 0;
  /// The client has left, as far as is known.
  virtual bool gone() const = 0;
};

}  // namespace sallyport::web

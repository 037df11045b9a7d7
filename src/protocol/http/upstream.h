#pragma once
// Upstream: the gateway's own connection to a target. There is no way to send it bytes as such: the
// head of a decided request goes out as its Permit holds it, with what the gateway itself adds, and
// its body in pieces under the same Permit.

#include <memory>
#include <string>
#include <string_view>

#include "guard/guard.h"
#include "http/body.h"
#include "http/response_decoder.h"
#include "net/stream.h"
#include "protocol/http/options.h"

namespace sallyport::web {

using net::Task;

class Upstream {
 public:
  /// Connects, with TLS where the target has it, under the Permit of a session.
  static Task<Result<std::unique_ptr<Upstream>>> open(const Permit& session,
                                                      std::shared_ptr<const Target> target,
                                                      SteadyTime deadline);
  /// Over a stream that is connected already: for tests.
  static std::unique_ptr<Upstream> over(const Permit& session, std::shared_ptr<const Target> target,
                                        std::unique_ptr<net::Stream> stream);

  /// The head that was decided, then the target's credential and `own`, header lines that the
  /// gateway has made. A request without a body is complete with it.
  Task<Result<void>> send_head(const Permit& command, std::string_view own);
  /// A piece of the body, not empty; in a chunk of its own where the head says so.
  Task<Result<void>> send_body(const Permit& command, Bytes piece, bool chunked);
  Task<Result<void>> end_body(const Permit& command, bool chunked);

  /// The head of the answer. Fails with malformed on bytes that are none.
  Task<Result<http::ResponseHead>> head(bool to_head, bool websocket = false);
  /// Whatever comes after a head with 101, in place until the next call, by the deadline.
  Task<Result<Bytes>> next_raw(SteadyTime deadline);
  /// That wait ends by then.
  void wait_until(SteadyTime deadline) { stream_->set_read_deadline(deadline); }
  /// The next piece of its body, in place until the next call; empty at its end.
  Task<Result<Bytes>> next(http::BodyReader& body);

  /// No byte came since the request was sent: if the target has closed, it may never have seen it.
  bool nothing_received() const { return nothing_received_; }
  /// What came is used up, and nothing else came.
  bool quiet() const { return input_.empty() && stream_->quiet(); }
  const Target& target() const { return *target_; }
  const std::shared_ptr<const Target>& shared_target() const { return target_; }
  SteadyTime opened_at() const { return opened_at_; }
  /// Whatever waits for it fails with closed.
  void close() { stream_->close(); }

 private:
  Upstream(std::shared_ptr<const Target> target, std::unique_ptr<net::Stream> stream);
  Task<Result<void>> receive(SteadyTime deadline);
  Task<Result<void>> receive();
  Task<Result<void>> write(std::string_view bytes);

  std::shared_ptr<const Target> target_;
  std::unique_ptr<net::Stream> stream_;
  SteadyTime opened_at_;
  net::Chunk chunk_;
  Bytes input_;  // of chunk_, not used yet
  std::string out_;
  bool nothing_received_ = true;
};

}  // namespace sallyport::web

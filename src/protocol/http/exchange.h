#pragma once
// Exchange: one request on the road, from who asks to the end of the answer, whichever version of
// HTTP brought it. Inside of this room only.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "approval/request.h"
#include "http/request_decoder.h"
#include "net/signal.h"
#include "protocol/http/adapter.h"
#include "protocol/http/analyse.h"
#include "protocol/http/channel.h"
#include "protocol/http/masking.h"
#include "protocol/http/problem.h"
#include "protocol/http/routing.h"

namespace sallyport::web {

class Conversation;
struct Opened;

class Exchange {
 public:
  /// All must outlive it. The conversation knows it until it goes.
  Exchange(Conversation& conversation, Channel& channel, const http::RequestHead& head,
           Route route);
  Exchange(const Exchange&) = delete;
  ~Exchange();

  /// To the end of the answer.
  Task<void> run();
  /// Whatever is under way fails.
  void end(std::string_view why);
  /// Whose request it is; null until that is known, and once it is over.
  const Opened* opened() const { return opened_; }
  const Channel* channel() const { return &channel_; }
  /// False of a WebSocket that could not be opened any more: nobody decides about its messages.
  bool may_stay_open();

 private:
  // exchange.cc
  Task<void> decide_and_forward();
  Task<std::expected<Permit, Refusal>> authorize(Command command);
  Task<void> forward();
  Task<void> over(Upstream& upstream);
  std::chrono::nanoseconds patience(const Target& target, std::uint64_t bytes,
                                    std::chrono::nanoseconds waited) const;
  Task<void> end_body(Upstream& upstream);
  Task<void> send_body(Upstream& upstream);
  Task<void> relay(Upstream& upstream);
  Task<void> relay_body(Upstream& upstream, const http::ResponseHead& head);
  Task<void> relay_masked(Upstream& upstream, const http::ResponseHead& head,
                          content::BodyMasker masker);
  std::string own_fields();
  Task<bool> release();
  std::uint64_t answer_bytes_max() const;
  bool settle(std::string error);
  http::Response failed() const;
  std::optional<http::Response> masks_for(Command& command);
  Task<void> respond(http::Response response);
  void finished() const;
  void leave();

  // websocket.cc
  Result<void> switch_protocols(const http::ResponseHead& head);
  Task<void> relay_websocket(Upstream& upstream, const http::ResponseHead& head);
  Task<void> from_client(Upstream& upstream);
  Task<void> from_target(Upstream& upstream);
  bool expired() const;
  SteadyTime websocket_deadline() const;

  // holding.cc
  Task<std::expected<Permit, Refusal>> hold(HeldCommand held);
  Task<std::expected<Permit, Refusal>> wait_for(HeldCommand held, approval::Request request,
                                                std::chrono::seconds wait);
  Task<bool> read_held_body();

  Guard& guard() const;
  Adapter& adapter() const;

  Conversation& conversation_;
  Channel& channel_;
  const std::shared_ptr<const Options> options_;  // those of the adapter when the request came
  const http::RequestHead& head_;
  const Route route_;
  const SteadyTime began_;
  Opened* opened_ = nullptr;
  std::string ended_;             // why, once it is
  Upstream* upstream_ = nullptr;  // while the request is on it
  net::Signal changed_;           // for who waits for people
  std::optional<Permit> permit_;
  std::string held_body_;  // read before it was decided
  bool body_held_ = false;
  bool body_sent_ = false;      // all of it, to the target
  int status_ = 0;              // of what the client got, or 0
  std::uint64_t released_ = 0;  // bytes of the target's body
  bool answered_ = false;       // some of the target's answer went to the client
  bool settled_ = false;
  bool reusable_ = false;                    // the target's connection
  std::optional<Error> failure_;             // of the target
  bool unrecorded_ = false;                  // that is why it failed
  bool leaked_ = false;                      // its credential was in what it said
  bool unmaskable_ = false;                  // that is why it failed
  std::optional<http::Rejection> rejected_;  // the client's body
  std::string websocket_key_;                // ours, to the target
  std::uint64_t messages_ = 0;               // of a WebSocket, both ways
  std::uint16_t close_code_ = 0;             // why the gateway ends it
  Masks masks_;
  std::shared_ptr<mask::Masker> detectors_;
  content::Masked masked_fields_;  // what was done to the answer's header, ...
  content::Masked masked_;         // ... and to its body
};

}  // namespace sallyport::web

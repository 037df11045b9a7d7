#pragma once
// Conversation: one client's connection, from its first request to its last. Inside of this room
// only.

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "approval/request.h"
#include "base/metrics.h"
#include "http/encoder.h"
#include "http/request_decoder.h"
#include "net/signal.h"
#include "protocol/http/adapter.h"
#include "protocol/http/analyse.h"
#include "protocol/http/masking.h"
#include "protocol/http/problem.h"
#include "protocol/http/routing.h"

namespace sallyport::web {

/// A session that was opened: one chain on one connection, over this client's connection.
struct Opened {
  Session session;
  Digest token{};  // of the bearer token, to know it again
  std::shared_ptr<const Target> target;
  std::optional<Permit> permit;  // the session's own
  std::optional<policy::DecisionCache::Fixed> fixed;
  std::string assertion;  // of this session, until then
  WallTime assertion_until{};
  std::uint64_t commands = 0;
  std::uint64_t refused = 0;
  std::optional<metrics::InFlight> counted;
};

class Conversation {
 public:
  /// All must outlive it.
  Conversation(Adapter& adapter, net::Stream& client, bool tls);
  Conversation(const Conversation&) = delete;
  ~Conversation();

  Task<void> run();

  /// Whatever is under way fails.
  void end(std::string_view why);
  void end_if_revoked(bool policies);
  /// Ends it now if it waits for a request, and after this one if not.
  void drain();

 private:
  /// One request, and how far it is.
  struct Exchange {
    const http::RequestHead& head;
    Route route;
    Opened* opened = nullptr;
    std::optional<Permit> permit;
    std::string held_body;   // read before it was decided
    bool body_sent = false;  // all of it, to the target
    bool body_held = false;
    SteadyTime began{};
    int status = 0;              // of what the client got, or 0
    std::uint64_t released = 0;  // bytes of the target's body
    bool answered = false;       // some of the target's answer went to the client
    bool settled = false;
    bool closes = true;                       // the client's connection, as the answer said
    bool reusable = false;                    // the target's connection
    std::optional<Error> failure;             // of the target
    bool unrecorded = false;                  // that is why it failed
    bool leaked = false;                      // its credential was in what it said
    std::optional<http::Rejection> rejected;  // the client's body
    Masks masks;
    std::shared_ptr<mask::Masker> detectors;
    content::Masked masked_fields;  // what was done to the answer's header, ...
    content::Masked masked;         // ... and to its body
    bool unmaskable = false;        // that is why it failed
  };

  // conversation.cc
  Task<std::optional<http::RequestHead>> receive_head();
  Task<bool> read_client(SteadyTime deadline);
  /// True if the connection goes on.
  Task<bool> answer(const http::RequestHead& head);
  Task<http::Response> own_page(const http::RequestHead& head, OwnPage page);
  Task<bool> respond(http::Response response, const http::RequestHead& head);
  Task<void> refuse_bytes(const http::Rejection& rejection);
  Task<bool> write_client(std::string_view bytes);
  Task<bool> tell_to_continue();
  Task<bool> drop_body();
  Task<void> linger();
  void finished(const Exchange& exchange);

  // session.cc
  Task<std::expected<Opened*, http::Response>> session_for(const http::RequestHead& head,
                                                           const Route& route);
  Task<std::expected<identity::Credential, http::Response>> authenticate(std::string token,
                                                                         const Route& route);
  void close_session(Opened& opened, std::string_view why, std::string_view detail);
  void close_sessions(std::string_view why);

  // exchange.cc
  Task<bool> exchange(Exchange& exchange);
  Task<std::expected<Permit, Refusal>> authorize(Exchange& exchange, Command command);
  Task<bool> forward(Exchange& exchange);
  Task<void> over(Exchange& exchange, Upstream& upstream);
  std::chrono::nanoseconds patience(const Target& target, std::uint64_t bytes,
                                    std::chrono::nanoseconds waited) const;
  Task<void> end_body(Exchange& exchange, Upstream& upstream);
  Task<void> send_body(Exchange& exchange, Upstream& upstream);
  Task<void> relay(Exchange& exchange, Upstream& upstream);
  Task<void> relay_body(Exchange& exchange, Upstream& upstream, const http::ResponseHead& head,
                        std::string out);
  std::string own_fields(Exchange& exchange);
  Task<void> relay_masked(Exchange& exchange, Upstream& upstream, const http::ResponseHead& head,
                          std::string out, content::BodyMasker masker);
  Task<bool> release(Exchange& exchange, std::string& out);
  std::uint64_t answer_bytes_max(const Exchange& exchange) const;
  bool settle(Exchange& exchange, std::string error);
  http::Response failed(const Exchange& exchange) const;
  std::optional<http::Response> masks_for(Exchange& exchange, Command& command);

  // holding.cc
  Task<std::expected<Permit, Refusal>> hold(Exchange& exchange, HeldCommand held);
  Task<std::expected<Permit, Refusal>> wait_for(Exchange& exchange, HeldCommand held,
                                                approval::Request request,
                                                std::chrono::seconds wait);
  Task<bool> read_held_body(Exchange& exchange);

  Guard& guard() { return adapter_.shared_.guard; }

  Adapter& adapter_;
  std::shared_ptr<const Options> options_;  // those of the adapter when the request came
  net::Stream& client_;
  const bool tls_;
  const std::string source_ip_;
  http::RequestHeadDecoder decoder_;
  net::Chunk chunk_;
  Bytes input_;                           // of chunk_, not used yet
  std::optional<http::BodyReader> body_;  // of the request
  bool continue_owed_ = false;            // the client waits for "100 Continue"
  bool waiting_ = false;                  // for a request
  std::string ended_;                     // why, once it is
  std::list<std::unique_ptr<Opened>> sessions_;
  Upstream* upstream_ = nullptr;  // while a request is on it
  Opened* active_ = nullptr;      // whose request is under way
  net::Signal changed_;           // for who waits for people
};

}  // namespace sallyport::web

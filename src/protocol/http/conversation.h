#pragma once
// Conversation: one client's connection, whichever version of HTTP it speaks: the sessions over it,
// and the requests that are under way. Inside of this room only.

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/metrics.h"
#include "http/request_decoder.h"
#include "net/signal.h"
#include "protocol/http/adapter.h"
#include "protocol/http/channel.h"
#include "protocol/http/routing.h"

namespace sallyport::web {

class Exchange;

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
  std::size_t requests = 0;    // under way
  std::string closing;         // why it takes no further one, and closes after the last
  std::string closing_detail;  // in more words
};

class Conversation {
 public:
  /// All must outlive it.
  Conversation(Adapter& adapter, net::Stream& client, bool tls);
  Conversation(const Conversation&) = delete;
  virtual ~Conversation();

  /// Until either side closes.
  virtual Task<void> run() = 0;
  /// No further request: ends now if none is under way, and after those that are if not.
  virtual void drain() = 0;
  /// Whatever is under way fails.
  virtual void end(std::string_view why);
  void end_if_revoked(bool policies);

 protected:
  friend class Exchange;

  /// One request, from its head to the end of its answer.
  Task<void> serve(const http::RequestHead& head, Channel& channel);
  /// Its client gave a request up.
  void left(const Channel& channel);
  void close_sessions(std::string_view why);
  Guard& guard() const { return adapter_.shared_.guard; }
  bool draining() const { return adapter_.draining_; }

  Adapter& adapter_;
  std::shared_ptr<const Options> options_;  // those of the adapter when the last request came
  net::Stream& client_;
  const bool tls_;
  const std::string source_ip_;
  std::string ended_;  // why, once it is

 private:
  // conversation.cc
  Task<http::Response> own_page(const http::RequestHead& head, OwnPage page);

  // session.cc
  Task<std::expected<Opened*, http::Response>> session_for(const http::RequestHead& head,
                                                           const Route& route);
  Task<std::expected<Opened*, http::Response>> open_session(std::string token, const Digest& digest,
                                                            const http::RequestHead& head,
                                                            const Route& route);
  Task<std::expected<identity::Credential, http::Response>> authenticate(std::string token,
                                                                         const Route& route);
  Opened* find_session(const Digest& token, const Route& route);
  /// Not while a request of it is under way: close_after() is for that.
  void close_session(Opened& opened, std::string_view why, std::string_view detail);
  void close_after(Opened& opened, std::string_view why, std::string_view detail);

  std::list<std::unique_ptr<Opened>> sessions_;
  net::AsyncMutex opening_;
  std::list<Exchange*> exchanges_;
};

/// RFC 9110 section 5.6.7
std::string http_date(WallTime now);
void count_rejection(const http::Rejection& rejection, std::string_view source);

}  // namespace sallyport::web

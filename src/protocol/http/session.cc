// Who asks: a bearer token, and the session of that chain on that connection. A client that goes on
// with the same token is not asked again; whether the token is still good is asked of the guard, at
// every request.

#include <algorithm>

#include "base/crypto.h"
#include "base/log.h"
#include "core/resource_id.h"
#include "net/reactor.h"
#include "protocol/http/conversation.h"
#include "protocol/http/fields.h"
#include "protocol/http/problem.h"

namespace sallyport::web {
namespace {

constexpr std::size_t sessions_max = 16;  // over one connection: another proxy may be in front
constexpr std::size_t claimed_bytes_max = 200;
constexpr std::string_view ticket_begins = "spt_";

struct Metrics {
  metrics::Gauge& open =
      metrics::gauge("sallyport_sessions_open", "Sessions that are open.", {{"protocol", "http"}});
  metrics::Counter& started = metrics::counter(
      "sallyport_sessions_total", "Sessions that were started.", {{"protocol", "http"}});
};

Metrics& counters() {
  static Metrics metrics;
  return metrics;
}

}  // namespace

Task<std::expected<Opened*, http::Response>> Conversation::session_for(
    const http::RequestHead& head, const Route& route) {
  const std::string token(bearer(head.request.headers));
  if (token.empty()) {
    co_return std::unexpected(
        unauthorized(route.resource, "", "no bearer token in the Authorization header",
                     "`sallyport ticket " + route.target->connection +
                         "` makes one for people; programs find the issuer in resource_metadata"));
  }
  const Digest digest = sha256(as_bytes(token));
  if (Opened* const known = find_session(digest, route)) co_return known;
  // Requests that come at the same time with the same token have one session.
  const auto one_at_a_time = co_await opening_.lock();
  if (Opened* const known = find_session(digest, route)) co_return known;
  co_return co_await open_session(token, digest, head, route);
}

Opened* Conversation::find_session(const Digest& token, const Route& route) {
  for (const auto& opened : sessions_) {
    const bool same = opened->token == token && opened->target == route.target;
    if (same && opened->closing.empty()) return opened.get();
  }
  return nullptr;
}

Task<std::expected<Opened*, http::Response>> Conversation::open_session(
    std::string token, const Digest& digest, const http::RequestHead& head, const Route& route) {
  if (sessions_.size() >= sessions_max) {
    const auto idle = std::ranges::find_if(
        sessions_, [](const std::unique_ptr<Opened>& each) { return each->requests == 0; });
    if (idle == sessions_.end()) {
      co_return std::unexpected(problem(429, "sessions", "Too many sessions",
                                        "this connection has requests of too many tokens under way",
                                        "use another connection"));
    }
    close_session(**idle, "client", "too many over one connection");
  }
  auto credential = co_await authenticate(std::move(token), route);
  if (!credential) co_return std::unexpected(std::move(credential.error()));

  auto opened = std::make_unique<Opened>();
  opened->token = digest;
  opened->target = route.target;
  Session& session = opened->session;
  session.id = random_hex(adapter_.shared_.random, 12);
  session.protocol = "http";
  session.connection = route.target->connection;
  session.chain = std::move(credential->chain);
  session.authentication = std::move(credential->authentication);
  session.break_glass = credential->stated.break_glass;
  session.ticket = std::move(credential->stated.ticket);
  session.purpose = std::move(credential->stated.purpose);
  session.source_ip = source_ip_;
  session.source_port = client_.peer().port;
  session.tls = tls_;
  session.started_at = guard().clock().now();
  if (const auto agent = head.request.headers.get("User-Agent")) {
    session.claimed["user_agent"] = agent->substr(0, claimed_bytes_max);
  }
  Command connect;
  connect.kind = "connect";
  connect.text = "connect to " + session.connection;
  connect.actions = {{.name = "connect",
                      .resource = {.type = "Connection", .id = resource_id({session.connection})}}};
  auto permit = co_await guard().open(session, std::move(connect));
  if (!permit) {
    log::info("session refused", {{"session", session.id},
                                  {"user", session.chain.to_string()},
                                  {"connection", session.connection},
                                  {"reason", permit.error().reason}});
    guard().close(session, {.reason = "refused", .detail = permit.error().reason, .refused = 1});
    if (permit.error().kind == Refusal::Kind::session) {
      co_return std::unexpected(unauthorized(route.resource, "invalid_token", permit.error().reason,
                                             permit.error().hint));
    }
    co_return std::unexpected(refused(permit.error(), *options_));
  }
  counters().started.add();
  opened->counted.emplace(counters().open);
  opened->permit.emplace(std::move(*permit));
  opened->fixed.emplace(adapter_.decisions_, session);
  log::info("session opened", {{"session", session.id},
                               {"user", session.chain.to_string()},
                               {"connection", session.connection},
                               {"source", session.source_ip},
                               {"method", session.authentication.method}});
  co_return sessions_.emplace_back(std::move(opened)).get();
}

Task<std::expected<identity::Credential, http::Response>> Conversation::authenticate(
    std::string token, const Route& route) {
  const bool ticket = token.starts_with(ticket_begins);
  identity::CredentialError error;
  if (ticket) {
    auto redeemed = adapter_.shared_.tickets.redeem_text(token, route.target->connection);
    if (redeemed) co_return std::move(*redeemed);
    error.detail = redeemed.error().detail;
    error.message = "the ticket is not valid for this connection";
    error.hint = "get one with `sallyport ticket " + route.target->connection + "`";
  } else {
    auto verified = co_await adapter_.shared_.authenticator.verify_token(std::move(token));
    if (verified) co_return std::move(*verified);
    error = std::move(verified.error());
  }
  guard().login_refused({.protocol = "http",
                         .connection = route.target->connection,
                         .user = "",
                         .method = ticket ? "ticket" : "jwt",
                         .reason = error.detail,
                         .source_ip = source_ip_,
                         .source_port = client_.peer().port,
                         .tls = tls_});
  if (error.kind == identity::CredentialError::Kind::unavailable) {
    co_return std::unexpected(
        problem(503, "unavailable", "Unavailable", error.message, error.hint));
  }
  co_return std::unexpected(
      unauthorized(route.resource, "invalid_token", error.message, error.hint));
}

void Conversation::close_session(Opened& opened, std::string_view why, std::string_view detail) {
  const Session& session = opened.session;
  if (opened.permit) (void)guard().settle(std::move(*opened.permit), {.tag = "DISCONNECT"});
  const auto duration = std::chrono::duration_cast<std::chrono::microseconds>(
      guard().clock().now() - session.started_at);
  guard().close(session, {.reason = std::string(why),
                          .detail = std::string(detail),
                          .commands = opened.commands,
                          .refused = opened.refused,
                          .duration = duration});
  log::info("session closed", {{"session", session.id},
                               {"user", session.chain.to_string()},
                               {"connection", session.connection},
                               {"reason", why},
                               {"commands", opened.commands},
                               {"refused", opened.refused}});
  std::erase_if(sessions_, [&](const auto& each) { return each.get() == &opened; });
}

void Conversation::close_after(Opened& opened, std::string_view why, std::string_view detail) {
  if (opened.requests == 0) return close_session(opened, why, detail);
  if (!opened.closing.empty()) return;
  opened.closing = why;
  opened.closing_detail = detail;
}

void Conversation::close_sessions(std::string_view why) {
  while (!sessions_.empty()) close_session(*sessions_.front(), why, "");
}

}  // namespace sallyport::web

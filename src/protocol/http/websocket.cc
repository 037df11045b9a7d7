// A request that became a WebSocket: its messages, both ways, each read whole and written anew,
// until a side closes or the session ends.

#include "http/websocket.h"

#include "base/log.h"
#include "http/text.h"
#include "net/both.h"
#include "net/reactor.h"
#include "protocol/http/conversation.h"
#include "protocol/http/exchange.h"
#include "protocol/http/fields.h"
#include "protocol/http/leaks.h"

namespace sallyport::web {
namespace {

using http::WebSocketMessage;
using http::WebSocketReader;
using Kind = WebSocketMessage::Kind;

/// For the other side's close frame.
constexpr std::chrono::seconds close_s_max{5};

/// The one of the client's that the target chose.
bool was_offered(const http::Headers& offered, std::string_view chosen) {
  for (const auto& [name, value] : offered.all) {
    if (!http::equal_ignoring_case(name, "Sec-WebSocket-Protocol")) continue;
    for (std::string_view rest = value; !rest.empty();) {
      const auto comma = rest.find(',');
      if (http::trim(rest.substr(0, comma)) == chosen) return true;
      rest = comma == rest.npos ? std::string_view() : rest.substr(comma + 1);
    }
  }
  return false;
}

}  // namespace

/// The target's answer holds, and is passed on. Extensions are not: nobody offered one to it.
Result<void> Exchange::switch_protocols(const http::ResponseHead& head) {
  const auto accept = head.headers.get("Sec-WebSocket-Accept").value_or("");
  if (accept != http::websocket_accept(websocket_key_)) {
    return fail(Errc::malformed, "HTTP response: bad Sec-WebSocket-Accept");
  }
  if (head.headers.get("Sec-WebSocket-Extensions")) {
    return fail(Errc::malformed, "HTTP response: an extension that nobody offered");
  }
  const auto protocol = head.headers.get("Sec-WebSocket-Protocol");
  if (protocol && !was_offered(head_.request.headers, *protocol)) {
    return fail(Errc::malformed, "HTTP response: a subprotocol that nobody offered");
  }
  http::Headers fields = response_fields(head, route_);
  if (Leaks(route_.target->secrets).in(fields)) {
    leaked_ = true;
    return fail(Errc::denied, "its answer holds its own credential");
  }
  if (const auto key = head_.request.headers.get("Sec-WebSocket-Key")) {
    fields.add("Sec-WebSocket-Accept", http::websocket_accept(*key));
  }
  return channel_.switch_to_websocket(fields);
}

Task<void> Exchange::relay_websocket(Upstream& upstream, const http::ResponseHead& head) {
  auto switched = switch_protocols(head);
  if (!switched) {
    failure_ = std::move(switched.error());
    co_return;
  }
  status_ = 101;
  const bool told = co_await release();
  if (!told) co_return;
  (void)co_await net::both(from_client(upstream), from_target(upstream));
  if (!ended_.empty()) failure_ = Error(Errc::closed, "ended: " + ended_);
  if (failure_) co_return;
  (void)settle("");
  channel_.finish();
  const bool flushed = co_await channel_.flush();
  if (!flushed) channel_.abort();
}

bool Exchange::may_stay_open() {
  if (!head_.websocket || !permit_) return true;
  Command command = permit_->command();
  const auto decision =
      guard().safeguards(opened_->session, command.context, command.actions, nullptr);
  if (decision->verdict == Verdict::deny) return false;
  const auto& targets = adapter().options_->targets;
  const auto now = targets.find(route_.target->connection);
  if (now == targets.end() || now->second->masking.detect != mask::Mode::off) return false;
  if (now->second->masking.idle()) return true;
  Route route = route_;
  route.target = now->second;
  command.safeguards.clear();
  const auto masks = masks_of(guard(), opened_->session, route, &adapter().decisions_, command);
  return masks && command.safeguards.empty();
}

bool Exchange::expired() const {
  const WallTime expires = opened_->session.authentication.expires_at;
  return expires != WallTime{} && expires <= guard().clock().now();
}

/// Nobody decides about its messages, so it is not open longer than what opened it is good for.
SteadyTime Exchange::websocket_deadline() const {
  const SteadyTime now = net::Reactor::current().now();
  const SteadyTime idle = now + route_.target->websocket_idle_s_max;
  const WallTime expires = opened_->session.authentication.expires_at;
  if (expires == WallTime{}) return idle;
  return std::min(idle, now + (expires - guard().clock().now()));
}

Task<void> Exchange::from_client(Upstream& upstream) {
  net::Reactor& reactor = net::Reactor::current();
  WebSocketReader reader(WebSocketReader::From::client, route_.target->websocket_message_bytes_max);
  std::string out;
  while (true) {
    auto piece = co_await channel_.read(websocket_deadline());
    if (!piece && expired()) close_code_ = 1008;
    if (!piece || piece->empty()) break;  // it has left, or the target's side is over
    Bytes input = *piece;
    while (!input.empty()) {
      auto message = reader.take(input);
      if (!message) {
        log::debug("WebSocket message refused",
                   {{"session", opened_->session.id}, {"reason", message.error().reason}});
        count_rejection({400, message.error().reason}, conversation_.source_ip_);
        close_code_ = static_cast<std::uint16_t>(message.error().status);
        co_return upstream.close();
      }
      if (!*message) break;
      ++messages_;
      std::array<std::byte, 4> mask{};
      adapter().shared_.random.fill(mask);
      http::append_websocket_frame(out, (*message)->kind, (*message)->content, mask);
      auto sent = co_await upstream.send_body(*permit_, as_bytes(out), false);
      out.clear();
      if (!sent) co_return upstream.close();
      if ((*message)->kind == Kind::close) {
        co_return upstream.wait_until(reactor.now() + close_s_max);
      }
    }
  }
  upstream.close();
}

Task<void> Exchange::from_target(Upstream& upstream) {
  WebSocketReader reader(WebSocketReader::From::server, route_.target->websocket_message_bytes_max);
  std::string out;
  for (bool open = true; open;) {
    auto piece = co_await upstream.next_raw(websocket_deadline());
    if (!piece && expired()) close_code_ = 1008;
    if (!piece) break;
    Bytes input = *piece;
    while (open && !input.empty()) {
      auto message = reader.take(input);
      if (!message) {
        failure_ = Error(Errc::malformed, "WebSocket: " + message.error().reason);
        close_code_ = 1011;
        open = false;
        break;
      }
      if (!*message) break;
      std::string safe;
      Leaks leaks(route_.target->secrets);
      if (!leaks.take((*message)->content, safe)) {
        leaked_ = true;
        failure_ = Error(Errc::denied, "its answer holds its own credential");
        close_code_ = 1011;
        open = false;
        break;
      }
      leaks.finish(safe);
      ++messages_;
      released_ += safe.size();
      http::append_websocket_frame(out, (*message)->kind, safe, std::nullopt);
      open = (*message)->kind != Kind::close;
    }
    if (out.empty()) continue;
    channel_.body(out);
    out.clear();
    const bool sent = co_await release();
    if (!sent) break;
  }
  upstream.close();
  if (ended_.empty() && close_code_ != 0) {
    http::append_websocket_frame(
        out, Kind::close, http::websocket_close(close_code_, "ended by the gateway"), std::nullopt);
    channel_.body(out);
    (void)co_await channel_.flush();
  }
  channel_.stop_reading();
}

}  // namespace sallyport::web

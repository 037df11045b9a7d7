#include "protocol/http/conversation.h"

#include <fmt/chrono.h>

#include "base/log.h"
#include "net/reactor.h"

namespace sallyport::web {
namespace {

constexpr std::chrono::seconds linger_s_max{10};
constexpr std::chrono::seconds linger_silence_s_max{2};
constexpr std::uint64_t dropped_bytes_max = std::uint64_t{64} * 1024;

/// RFC 9110 section 5.6.7
std::string http_date(WallTime now) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT",
                     fmt::gmtime(static_cast<std::time_t>(seconds.count())));
}

void count(const std::string& connection, int status, std::chrono::nanoseconds took) {
  const std::string shown = status == 0 ? "none" : std::to_string(status / 100) + "xx";
  metrics::counter("sallyport_http_requests_total",
                   "HTTP requests by connection and class of the status that the client got.",
                   {{"connection", connection}, {"status", shown}})
      .add();
  metrics::histogram("sallyport_http_request_seconds",
                     "From the head of an HTTP request to the end of its answer.",
                     {{"connection", connection}})
      .observe(std::chrono::duration<double>(took).count());
}

void count_rejection(int status) {
  metrics::counter("sallyport_http_rejected_requests_total",
                   "Bytes of HTTP clients that broke its rules, were ambiguous or too large.",
                   {{"status", std::to_string(status)}})
      .add();
}

}  // namespace

Conversation::Conversation(Adapter& adapter, net::Stream& client, bool tls)
    : adapter_(adapter),
      options_(adapter.options_),
      client_(client),
      tls_(tls),
      source_ip_(client.peer().ip),
      decoder_(options_->head) {}

Conversation::~Conversation() {
  close_sessions("error");  // what run() has not closed broke off
}

Task<void> Conversation::run() {
  while (ended_.empty()) {
    auto head = co_await receive_head();
    if (!head) break;
    const bool goes_on = co_await answer(*head);
    if (!goes_on) break;
  }
  close_sessions(ended_.empty() ? "client" : ended_);
}

void Conversation::end(std::string_view why) {
  if (ended_.empty()) ended_ = why;
  client_.close();
  if (upstream_ != nullptr) upstream_->close();
  changed_.notify();
}

void Conversation::drain() {
  if (waiting_ && decoder_.idle()) end("shutdown");
}

void Conversation::end_if_revoked(bool policies) {
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    Opened& opened = **at++;
    auto why = policies ? guard().must_end(opened.session) : guard().revoked(opened.session);
    if (!why) continue;
    metrics::counter("sallyport_sessions_revoked_total",
                     "Open sessions that were ended because their right to be connected was gone.",
                     {{"protocol", "http"}})
        .add();
    // A request of its own that is under way ends with it; others' go on.
    if (&opened == active_) {
      end("revoked");
    } else {
      close_session(opened, "revoked", *why);
    }
  }
}

/// The head of the next request; nullopt when the connection is to end.
Task<std::optional<http::RequestHead>> Conversation::receive_head() {
  net::Reactor& reactor = net::Reactor::current();
  bool began = false;
  SteadyTime deadline = reactor.now() + options_->idle_s_max;
  while (true) {
    auto taken = decoder_.take(input_);
    if (!taken) {
      co_await refuse_bytes(taken.error());
      co_return std::nullopt;
    }
    if (*taken) co_return std::move(**taken);
    if (decoder_.idle() && adapter_.draining_) co_return std::nullopt;
    if (!decoder_.idle() && !began) {
      began = true;
      deadline = reactor.now() + options_->head_s_max;
    }
    waiting_ = true;
    const bool more = co_await read_client(deadline);
    waiting_ = false;
    if (more) continue;
    if (began && ended_.empty() && reactor.now() >= deadline) {
      co_await refuse_bytes({408, "the request took too long"});
    }
    co_return std::nullopt;
  }
}

Task<bool> Conversation::read_client(SteadyTime deadline) {
  chunk_ = net::Chunk();  // who waits owns no buffer
  input_ = {};
  client_.set_read_deadline(deadline);
  auto chunk = co_await client_.read();
  if (!chunk) co_return false;
  chunk_ = std::move(*chunk);
  input_ = chunk_.bytes();
  co_return true;
}

Task<bool> Conversation::answer(const http::RequestHead& head) {
  options_ = adapter_.options_;
  body_.reset();
  continue_owed_ = head.wants_continue;
  auto found = route(*options_, head.request.headers.get("Host").value_or(""), head.request.path);
  auto body = head.body(found ? found->target->request_bytes_max : dropped_bytes_max);
  if (!body) {
    co_await refuse_bytes(body.error());
    co_return false;
  }
  body_ = *body;
  // Whoever sends it means another server: nothing more of it is read.
  if (!found && found.error().page == Own::misdirected) {
    co_await refuse_bytes({421, "no connection of this gateway has that host name"});
    co_return false;
  }
  if (!found) {
    auto response = co_await own_page(head, std::move(found.error()));
    co_return co_await respond(std::move(response), head);
  }
  Exchange made{.head = head, .route = std::move(*found), .began = guard().clock().steady()};
  const bool goes_on = co_await exchange(made);
  finished(made);
  co_return goes_on&& ended_.empty();
}

void Conversation::finished(const Exchange& exchange) {
  const auto took = guard().clock().steady() - exchange.began;
  count(exchange.route.target->connection, exchange.status, took);
  log::debug("http request",
             {{"session", exchange.opened == nullptr ? "" : exchange.opened->session.id},
              {"connection", exchange.route.target->connection},
              {"method", exchange.head.request.method},
              {"path", exchange.route.path},
              {"status", exchange.status},
              {"bytes", exchange.released},
              {"us", std::chrono::duration_cast<std::chrono::microseconds>(took).count()},
              {"source", source_ip_}});
}

Task<http::Response> Conversation::own_page(const http::RequestHead& head, OwnPage page) {
  const auto& method = head.request.method;
  switch (page.page) {
    case Own::metadata:
      if (method == "GET" || method == "HEAD")
        co_return resource_metadata(page.resource, *options_);
      break;
    case Own::keys:
      if (method == "GET" || method == "HEAD") {
        co_return http::Response::json(200, adapter_.shared_.assertions.keys());
      }
      break;
    case Own::nothing:
    case Own::misdirected:
      co_return problem(404, "path", "Nothing is here",
                        "there is no such connection that you may use",
                        "paths begin with /c/NAME/, the connection's name");
  }
  auto response = problem(405, "method", "Not with this method", "this page can only be read");
  response.headers.add("Allow", "GET, HEAD");
  co_return response;
}

/// Sends an answer of our own, and what is left of the request is read and dropped. True if the
/// connection goes on.
Task<bool> Conversation::respond(http::Response response, const http::RequestHead& head) {
  // A client that still waits may send its body or not: nobody could tell what comes next.
  const bool short_body = body_->done() || (head.framing.kind == http::Framing::Kind::length &&
                                            head.framing.length <= dropped_bytes_max);
  bool goes_on = head.keep_alive && short_body && (!continue_owed_ || body_->done()) &&
                 !adapter_.draining_ && ended_.empty();
  response.headers.add("Date", http_date(guard().clock().now()));
  response.headers.add("X-Content-Type-Options", "nosniff");
  auto bytes =
      http::encode(response, {.to_head = head.request.method == "HEAD", .close = !goes_on});
  if (!bytes) {
    log::error("answer cannot be sent", {{"detail", bytes.error().detail}});
    bytes = http::encode(problem(500, "internal", "Internal error", "the gateway's log says more"),
                         {.close = true});
    goes_on = false;
  }
  const bool sent = co_await write_client(*bytes);
  if (!sent) co_return false;
  if (goes_on) co_return co_await drop_body();
  co_await linger();
  co_return false;
}

/// Answers what is no request that we take: nobody knows where the next one would begin.
Task<void> Conversation::refuse_bytes(const http::Rejection& rejection) {
  count_rejection(rejection.status);
  log::debug("http request rejected",
             {{"status", rejection.status}, {"reason", rejection.reason}, {"source", source_ip_}});
  auto response =
      problem(rejection.status, "request", "Not a request that is served here", rejection.reason);
  response.headers.add("Date", http_date(guard().clock().now()));
  auto bytes = http::encode(response, {.close = true});
  if (!bytes) co_return;
  const bool sent = co_await write_client(*bytes);
  if (sent) co_await linger();
}

Task<bool> Conversation::write_client(std::string_view bytes) {
  client_.set_write_deadline(net::Reactor::current().now() + options_->write_s_max);
  auto written = co_await client_.write(as_bytes(bytes));
  co_return written.has_value();
}

/// The client may wait for that before it sends its body (RFC 9110 section 10.1.1).
Task<bool> Conversation::tell_to_continue() {
  if (!std::exchange(continue_owed_, false)) co_return true;
  co_return co_await write_client("HTTP/1.1 100 Continue\r\n\r\n");
}

Task<bool> Conversation::drop_body() {
  const SteadyTime deadline = net::Reactor::current().now() + options_->body_s_max;
  while (!body_->done()) {
    auto piece = body_->take(input_);
    if (!piece) co_return false;
    if (!piece->empty() || body_->done()) continue;
    const bool more = co_await read_client(deadline);
    if (!more) co_return false;
  }
  co_return true;
}

/// Closing while the client still sends would reset the connection, and a client that sends all of
/// its body first would never see the answer. What it sends meanwhile is dropped.
Task<void> Conversation::linger() {
  net::Reactor& reactor = net::Reactor::current();
  const SteadyTime deadline = reactor.now() + linger_s_max;
  while (ended_.empty()) {
    const bool more =
        co_await read_client(std::min(deadline, reactor.now() + linger_silence_s_max));
    if (!more) co_return;
  }
}

}  // namespace sallyport::web

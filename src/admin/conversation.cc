#include "admin/conversation.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"
#include "http/text.h"

namespace sallyport::admin {
namespace {

constexpr std::size_t linger_bytes_max = std::size_t{256} * 1024;

struct Field {
  const char* name;
  const char* value;
};

/// What every answer says unless its handler said otherwise: a browser is to run, frame, guess and
/// keep nothing of it.
constexpr std::array<Field, 6> security_fields{{
    {"Cache-Control", "no-store"},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
}};

/// RFC 9110 section 5.6.7
std::string http_date(WallTime now) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT",
                     fmt::gmtime(static_cast<std::time_t>(seconds.count())));
}

std::string_view host_name(std::string_view host) {
  const auto bracket = host.find(']');
  return host.substr(0, host.find(':', bracket == host.npos ? 0 : bracket));
}

/// Methods and routes are few and fixed, so the labels are bounded.
void count_request(const std::string& method, const std::string& route, int status,
                   std::chrono::nanoseconds took) {
  const std::string shown = route.empty() ? "none" : route;
  metrics::counter("sallyport_admin_requests_total", "Answered requests of the admin port.",
                   {{"method", method}, {"route", shown}, {"status", std::to_string(status)}})
      .add();
  metrics::histogram("sallyport_admin_request_seconds",
                     "From the last byte of a request to its answer.", {{"route", shown}})
      .observe(std::chrono::duration<double>(took).count());
}

void count_refusal(int status) {
  metrics::counter("sallyport_admin_refused_requests_total",
                   "Requests of the admin port that broke the rules of HTTP or a limit.",
                   {{"status", std::to_string(status)}})
      .add();
}

}  // namespace

Server::Conversation::Conversation(Server& server, Client& client)
    : server_(server),
      client_(client),
      stream_(*client.stream),
      decoder_(server.options_.request),
      phase_began_(net::Reactor::current().now()) {}

net::Task<void> Server::Conversation::run() {
  while (!server_.stopping_) {
    auto request = co_await receive();
    if (!request) co_return;
    const bool goes_on = co_await answer(std::move(*request));
    if (!goes_on) co_return;
  }
}

/// The next request; nullopt when the connection is to end.
net::Task<std::optional<http::Request>> Server::Conversation::receive() {
  phase_ = Phase::idle;
  phase_began_ = net::Reactor::current().now();
  continued_ = false;
  while (true) {
    auto taken = decoder_.take(input_);
    if (!taken) {
      co_await refuse(taken.error().status, taken.error().reason);
      co_return std::nullopt;
    }
    if (*taken) {
      client_.state = Client::State::answering;
      co_return std::move(**taken);
    }
    client_.state = decoder_.idle() ? Client::State::waiting : Client::State::receiving;
    const bool more = co_await read_more();
    if (!more) co_return std::nullopt;
  }
}

/// Waits for bytes within the deadline of what is being received.
net::Task<bool> Server::Conversation::read_more() {
  const auto phase = decoder_.idle()      ? Phase::idle
                     : decoder_.in_body() ? Phase::body
                                          : Phase::header;
  if (phase != phase_) {
    phase_ = phase;
    phase_began_ = net::Reactor::current().now();
  }
  if (decoder_.wants_continue() && !continued_) {
    continued_ = true;
    stream_.set_write_deadline(phase_began_ + server_.options_.write_max);
    auto written = co_await stream_.write(as_bytes("HTTP/1.1 100 Continue\r\n\r\n"));
    if (!written) co_return false;
  }
  chunk_ = net::Chunk();  // a connection that waits owns no buffer
  input_ = {};
  stream_.set_read_deadline(read_deadline());
  auto chunk = co_await stream_.read();
  if (!chunk) {
    const bool late = chunk.error().code == Errc::timeout && phase_ != Phase::idle;
    if (late) co_await refuse(408, "the request took too long");
    co_return false;
  }
  chunk_ = std::move(*chunk);
  input_ = chunk_.bytes();
  co_return true;
}

SteadyTime Server::Conversation::read_deadline() const {
  switch (phase_) {
    case Phase::header:
      return phase_began_ + server_.options_.header_max;
    case Phase::body:
      return phase_began_ + server_.options_.body_max;
    case Phase::idle:
      break;
  }
  return phase_began_ + server_.options_.idle_max;
}

/// True if the connection goes on.
net::Task<bool> Server::Conversation::answer(http::Request request) {
  const auto began = server_.clock_.steady();
  if (input_.empty()) chunk_ = net::Chunk();
  if (!serves_host(request)) {
    co_await refuse(421, "this server does not have that name");
    co_return false;
  }
  request.client_ip = stream_.peer().ip;
  request.tls = server_.options_.tls != nullptr;
  const auto match = server_.router_.match(request.method, request.path);
  const std::string method = request.method;
  const std::string path = request.path;
  auto response = co_await respond(match, std::move(request));

  const int status = response.status;
  const auto bytes = response.body.size();
  const bool goes_on = decoder_.keep_alive() && !server_.stopping_;
  const auto took = server_.clock_.steady() - began;
  // Counted before it is sent: who has seen an answer finds it in the metrics.
  count_request(method, match.route, status, took);
  // The query is not logged: it may carry codes and tokens.
  log::debug("admin request",
             {{"method", method},
              {"path", path},
              {"status", status},
              {"bytes", bytes},
              {"us", std::chrono::duration_cast<std::chrono::microseconds>(took).count()},
              {"client", stream_.peer().ip}});
  const bool sent =
      co_await send(std::move(response), {.to_head = method == "HEAD", .close = !goes_on});
  co_return sent&& goes_on;
}

net::Task<http::Response> Server::Conversation::respond(const Router::Match& match,
                                                        http::Request request) {
  if (match.handler) co_return co_await (*match.handler)(std::move(request));
  if (match.route.empty()) co_return http::Response::text(404, "nothing is here\n");
  http::Response response;
  response.status = 204;
  if (request.method != "OPTIONS") response = http::Response::text(405, "not with this method\n");
  response.headers.add("Allow", match.allow);
  co_return response;
}

/// Answers what is not a request that we take, and gives the client time to read why.
net::Task<void> Server::Conversation::refuse(int status, std::string reason) {
  client_.state = Client::State::receiving;
  count_refusal(status);
  log::debug("admin request refused",
             {{"status", status}, {"reason", reason}, {"client", stream_.peer().ip}});
  const bool sent = co_await send(http::Response::text(status, reason + "\n"), {.close = true});
  if (sent) co_await linger();
}

net::Task<bool> Server::Conversation::send(http::Response response, http::ResponseForm form) {
  for (const auto& [name, value] : security_fields) {
    if (!response.headers.get(name)) response.headers.add(name, value);
  }
  response.headers.add("Date", http_date(server_.clock_.now()));
  auto bytes = http::encode(response, form);
  if (!bytes) {
    log::error("admin response cannot be sent", {{"error", bytes.error().detail}});
    form.close = true;
    bytes = http::encode(http::Response::text(500, "internal error\n"), form);
  }
  stream_.set_write_deadline(net::Reactor::current().now() + server_.options_.write_max);
  auto written = co_await stream_.write(as_bytes(*bytes));
  co_return written.has_value();
}

/// Closing while the client still sends would reset the connection, and the client might never see
/// the answer. What it sends meanwhile is dropped.
net::Task<void> Server::Conversation::linger() {
  stream_.set_read_deadline(net::Reactor::current().now() + server_.options_.linger_max);
  std::size_t dropped = 0;
  while (dropped < linger_bytes_max && !server_.stopping_) {
    auto chunk = co_await stream_.read();
    if (!chunk) co_return;
    dropped += chunk->bytes().size();
  }
}

bool Server::Conversation::serves_host(const http::Request& request) const {
  const auto& hosts = server_.options_.hosts;
  if (hosts.empty()) return true;
  const auto name = host_name(request.headers.get("Host").value_or(""));
  return std::ranges::any_of(
      hosts, [&](const std::string& host) { return http::equal_ignoring_case(host, name); });
}

}  // namespace sallyport::admin

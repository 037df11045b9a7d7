#include "protocol/http/http1.h"

#include "base/log.h"
#include "net/reactor.h"
#include "protocol/http/problem.h"

namespace sallyport::web {
namespace {

constexpr std::chrono::seconds linger_s_max{10};
constexpr std::chrono::seconds linger_silence_s_max{2};
constexpr std::uint64_t dropped_bytes_max = std::uint64_t{64} * 1024;
/// What of an answer is gathered before it is sent; more than that at once is not kept.
constexpr std::size_t kept_bytes_max = std::size_t{32} * 1024;

}  // namespace

Http1::Http1(Adapter& adapter, net::Stream& client, bool tls)
    : Conversation(adapter, client, tls), decoder_(options_->head) {}

Task<void> Http1::run() {
  while (ended_.empty() && goes_on_) {
    auto head = co_await receive_head();
    if (!head) break;
    body_.reset();
    out_.clear();
    head_ = &*head;
    continue_owed_ = head->wants_continue;
    goes_on_ = false;
    co_await serve(*head, *this);
    head_ = nullptr;
  }
  close_sessions(ended_.empty() ? "client" : ended_);
}

void Http1::drain() {
  if (waiting_ && decoder_.idle()) end("shutdown");
}

/// The head of the next request; nullopt when the connection is to end.
Task<std::optional<http::RequestHead>> Http1::receive_head() {
  net::Reactor& reactor = net::Reactor::current();
  bool began = false;
  SteadyTime deadline = reactor.now() + options_->idle_s_max;
  while (true) {
    auto taken = decoder_.take(input_);
    if (!taken) {
      co_await refuse(taken.error());
      co_return std::nullopt;
    }
    if (*taken) co_return std::move(**taken);
    if (decoder_.idle() && draining()) co_return std::nullopt;
    if (!decoder_.idle() && !began) {
      began = true;
      deadline = reactor.now() + options_->head_s_max;
    }
    waiting_ = true;
    const bool more = co_await receive(deadline);
    waiting_ = false;
    if (more) continue;
    if (began && ended_.empty() && reactor.now() >= deadline) {
      co_await refuse({408, "the request took too long"});
    }
    co_return std::nullopt;
  }
}

Task<bool> Http1::receive(SteadyTime deadline) {
  chunk_ = net::Chunk();  // who waits owns no buffer
  input_ = {};
  client_.set_read_deadline(deadline);
  auto chunk = co_await client_.read();
  if (!chunk) co_return false;
  chunk_ = std::move(*chunk);
  input_ = chunk_.bytes();
  co_return true;
}

http::Decoded<void> Http1::limit_body(std::uint64_t bytes_max) {
  auto reader = head_->body(bytes_max);
  if (!reader) return reject(reader);
  body_ = *reader;
  return {};
}

Task<http::Decoded<Bytes>> Http1::read(SteadyTime deadline) {
  while (!body_->done()) {
    auto piece = body_->take(input_);
    if (!piece || !piece->empty()) co_return piece;
    if (body_->done()) break;
    const bool more = co_await receive(deadline);
    if (!more) co_return http::reject(408, "the body does not come, or too slowly");
  }
  co_return Bytes{};
}

void Http1::stop_reading() {
  client_.set_read_deadline(SteadyTime::min());
}

/// Sends an answer of our own, and what is left of the request is read and dropped.
Task<void> Http1::respond(http::Response response) {
  // A client that still waits may send its body or not: nobody could tell what comes next.
  const bool short_body = body_->done() || (head_->framing.kind == http::Framing::Kind::length &&
                                            head_->framing.length <= dropped_bytes_max);
  goes_on_ = head_->keep_alive && short_body && (!continue_owed_ || body_->done()) && !draining() &&
             ended_.empty();
  response.headers.add("Date", http_date(guard().clock().now()));
  response.headers.add("X-Content-Type-Options", "nosniff");
  auto bytes =
      http::encode(response, {.to_head = head_->request.method == "HEAD", .close = !goes_on_});
  if (!bytes) {
    log::error("answer cannot be sent", {{"detail", bytes.error().detail}});
    bytes = http::encode(problem(500, "internal", "Internal error", "the gateway's log says more"),
                         {.close = true});
    goes_on_ = false;
  }
  const bool sent = co_await write(*bytes);
  if (!sent) {
    goes_on_ = false;
    co_return;
  }
  if (goes_on_) {
    goes_on_ = co_await drop_body();
  } else {
    co_await linger();
  }
}

/// Nobody knows where the next request would begin.
Task<void> Http1::refuse(const http::Rejection& rejection) {
  count_rejection(rejection, source_ip_);
  goes_on_ = false;
  auto response =
      problem(rejection.status, "request", "Not a request that is served here", rejection.reason);
  response.headers.add("Date", http_date(guard().clock().now()));
  auto bytes = http::encode(response, {.close = true});
  if (!bytes) co_return;
  const bool sent = co_await write(*bytes);
  if (sent) co_await linger();
}

Task<bool> Http1::write(std::string_view bytes) {
  client_.set_write_deadline(net::Reactor::current().now() + options_->write_s_max);
  auto written = co_await client_.write(as_bytes(bytes));
  co_return written.has_value();
}

Task<bool> Http1::tell_to_continue() {
  if (!std::exchange(continue_owed_, false)) co_return true;
  co_return co_await write("HTTP/1.1 100 Continue\r\n\r\n");
}

Result<void> Http1::head(const http::Response& response, http::BodyForm form) {
  goes_on_ = head_->keep_alive && body_->done() && !draining();
  auto bytes = http::encode_head(response, form, !goes_on_);
  if (!bytes) return fail(bytes);
  out_ += *bytes;
  chunked_ = form.kind == http::BodyForm::Kind::chunked;
  return ok();
}

Result<void> Http1::switch_to_websocket(const http::Headers& headers) {
  auto bytes = http::encode_switch(headers);
  if (!bytes) return fail(bytes);
  out_ += *bytes;
  goes_on_ = false;
  chunked_ = false;
  body_ = http::BodyReader::until_close(std::numeric_limits<std::uint64_t>::max());
  return ok();
}

void Http1::body(std::string_view piece) {
  if (chunked_) {
    http::append_chunk(out_, piece);
  } else {
    out_ += piece;
  }
}

void Http1::finish() {
  if (chunked_) out_ += http::last_chunk;
}

Task<bool> Http1::flush() {
  if (out_.empty()) co_return true;
  const bool written = co_await write(out_);
  out_.clear();
  if (out_.capacity() > kept_bytes_max) std::string().swap(out_);
  co_return written;
}

Task<void> Http1::drop_rest() {
  // Unread bytes would reset the connection, and the client might never see the answer.
  if (!goes_on_ && !body_->done() && ended_.empty()) co_await linger();
}

void Http1::abort() {
  goes_on_ = false;
  client_.close();
}

bool Http1::gone() const {
  return !ended_.empty() || client_.peer_gone();
}

Task<bool> Http1::drop_body() {
  const SteadyTime deadline = net::Reactor::current().now() + options_->body_s_max;
  while (!body_->done()) {
    auto piece = co_await read(deadline);
    if (!piece) co_return false;
  }
  co_return true;
}

/// Closing while the client still sends would reset the connection, and a client that sends all of
/// its body first would never see the answer. What it sends meanwhile is dropped.
Task<void> Http1::linger() {
  net::Reactor& reactor = net::Reactor::current();
  const SteadyTime deadline = reactor.now() + linger_s_max;
  while (ended_.empty()) {
    const bool more = co_await receive(std::min(deadline, reactor.now() + linger_silence_s_max));
    if (!more) co_return;
  }
}

}  // namespace sallyport::web

#include "protocol/http/http2.h"

#include "base/counted.h"
#include "base/log.h"
#include "http/h2_fields.h"
#include "net/both.h"
#include "net/reactor.h"
#include "protocol/http/exchange.h"
#include "protocol/http/problem.h"

namespace sallyport::web {
namespace {

/// Of an answer that a client does not take: more is not read from the target.
constexpr std::size_t waiting_bytes_max = std::size_t{64} * 1024;
constexpr std::chrono::seconds end_s_max{1};
constexpr std::size_t write_bytes_max = std::size_t{64} * 1024;
constexpr std::size_t kept_bytes_max = std::size_t{16} * 1024;

http::H2Limits limits_of(const Options& options) {
  http::H2Limits limits;
  limits.streams_max = options.streams_max;
  limits.head = options.head;
  return limits;
}

}  // namespace

/// One request, and its answer.
class Http2::Stream final : public Channel {
 public:
  Stream(Http2& of, std::int32_t id, http::Decoded<http::RequestHead> request)
      : of_(of),
        id_(id),
        request_(std::move(request)),
        continue_owed_(request_ && request_->wants_continue) {}
  ~Stream() override {
    const std::size_t kept = given_.size() + received_.size();
    if (kept > 0) of_.session_.consumed(id_, kept);
  }

  const http::Decoded<http::RequestHead>& request() const { return request_; }

  http::Decoded<void> limit_body(std::uint64_t bytes_max) override {
    bytes_left_ = bytes_max;
    if (request_->framing.length > bytes_max) return http::reject(413, "body too large");
    return {};
  }
  bool body_done() const override { return ended_ && received_.empty() && !trailers_; }

  Task<http::Decoded<Bytes>> read(SteadyTime deadline) override {
    consume();
    while (!stopped_) {
      if (trailers_) co_return http::reject(400, "trailer fields are refused");
      if (!received_.empty()) {
        if (received_.size() > bytes_left_) co_return http::reject(413, "body too large");
        bytes_left_ -= received_.size();
        given_ = std::exchange(received_, {});
        co_return Bytes(given_);
      }
      if (ended_) co_return Bytes{};
      if (left_) break;
      const bool told = co_await changed_.wait_until(deadline);
      if (!told && net::Reactor::current().now() >= deadline) break;
    }
    co_return http::reject(408, "the body does not come, or too slowly");
  }
  void stop_reading() override {
    stopped_ = true;
    changed_.notify();
  }
  Task<bool> tell_to_continue() override {
    if (std::exchange(continue_owed_, false)) {
      of_.session_.answer(id_, {{":status", "100"}}, true);
      of_.tell_writer();
    }
    co_return !gone();
  }

  Task<void> respond(http::Response response) override {
    body_.clear();  // of an answer that was begun and not sent
    response.headers.add("Date", http_date(of_.guard().clock().now()));
    response.headers.add("X-Content-Type-Options", "nosniff");
    const bool bodiless = response.status == 204 || response.status == 304;
    const bool to_head = request_ && request_->request.method == "HEAD";
    auto said =
        head(response, {bodiless ? http::BodyForm::Kind::none : http::BodyForm::Kind::length,
                        response.body.size()});
    if (!said) {
      log::error("answer cannot be sent", {{"detail", said.error().detail}});
      co_return abort();
    }
    if (!to_head && !response.body.empty()) body(response.body);
    finish();
    (void)co_await flush();
  }
  Task<void> refuse(const http::Rejection& rejection) override {
    count_rejection(rejection, of_.source_ip_);
    co_await respond(problem(rejection.status, "request", "Not a request that is served here",
                             rejection.reason));
  }

  Result<void> head(const http::Response& response, http::BodyForm form) override {
    auto fields = http::fields_of(response, form);
    if (!fields) return fail(fields);
    head_ = *std::move(fields);
    return ok();
  }
  Result<void> switch_to_websocket(const http::Headers& /*headers*/) override {
    return fail(Errc::invalid, "no stream of HTTP/2 asks for it");
  }
  void body(std::string_view piece) override { body_ += piece; }
  void finish() override { finished_ = true; }
  Task<bool> flush() override {
    say_head(finished_ && body_.empty());
    if (!body_.empty()) of_.session_.give(id_, body_);
    body_.clear();
    if (finished_) of_.session_.finish(id_);
    of_.tell_writer();
    if (of_.session_.waiting(id_) > waiting_bytes_max) {
      co_await taken([this] { return of_.session_.waiting(id_) == 0; });
    }
    co_return !gone();
  }
  Task<void> drop_rest() override { co_return; }

  void abort() override {
    if (closed_) return;
    of_.session_.reset(id_, http::H2Error::internal);
    of_.tell_writer();
  }
  bool gone() const override { return left_ || !of_.ended_.empty(); }

  /// Not before the client has taken the answer, or let it be.
  Task<void> over() {
    if (!finished_) co_return abort();
    co_await taken([this] { return of_.session_.finished(id_); });
    // What is left of the request is not wanted (RFC 9113 section 8.1), but its end may be under
    // way, and clients are surprised by a reset just then.
    const SteadyTime deadline = net::Reactor::current().now() + end_s_max;
    while (!ended_ && !closed_ && co_await changed_.wait_until(deadline)) {
    }
    if (closed_) co_return;
    of_.session_.reset(id_, http::H2Error::none);
    of_.tell_writer();
  }

  void received(Bytes piece) {
    if (stopped_) return of_.session_.consumed(id_, piece.size());
    received_.insert(received_.end(), piece.begin(), piece.end());
    changed_.notify();
  }
  void trailers() {
    trailers_ = true;
    changed_.notify();
  }
  void ended() {
    ended_ = true;
    changed_.notify();
  }
  void closed(bool in_order) {
    closed_ = true;
    left_ = !finished_ || !in_order;
    changed_.notify();
    if (left_) of_.left(*this);
  }
  void written() { changed_.notify(); }

 private:
  /// Until it is `done`, or the client takes nothing for too long.
  Task<void> taken(std::function<bool()> done) {
    net::Reactor& reactor = net::Reactor::current();
    std::size_t before = of_.session_.waiting(id_);
    SteadyTime deadline = reactor.now() + of_.options_->write_s_max;
    while (!gone() && !done()) {
      (void)co_await changed_.wait_until(deadline);
      const std::size_t now = of_.session_.waiting(id_);
      if (now != before) {
        before = now;
        deadline = reactor.now() + of_.options_->write_s_max;
      } else if (reactor.now() >= deadline) {
        co_return abort();
      }
    }
  }
  /// An answer without a body ends with its head.
  void say_head(bool ends) {
    if (head_.empty()) return;
    of_.session_.answer(id_, std::exchange(head_, {}), ends);
  }
  void consume() {
    if (given_.empty()) return;
    of_.session_.consumed(id_, given_.size());
    given_.clear();
    of_.tell_writer();
  }

  Http2& of_;
  const std::int32_t id_;
  const http::Decoded<http::RequestHead> request_;
  std::vector<http::Header> head_;  // of the answer, gathered until flush()
  std::string body_;                // the same
  ByteVector received_;             // of the body, within the stream's window
  ByteVector given_;                // the piece that is in use
  std::uint64_t bytes_left_ = 0;
  net::Signal changed_;
  bool continue_owed_;     // the client waits for it
  bool trailers_ = false;  // came
  bool ended_ = false;     // nothing more comes
  bool stopped_ = false;   // nothing more is wanted
  bool finished_ = false;  // the answer, as far as it is ours to say
  bool closed_ = false;    // both ways
  bool left_ = false;      // before the answer was taken
};

Http2::Http2(Adapter& adapter, net::Stream& client, bool tls)
    : Conversation(adapter, client, tls),
      session_(limits_of(*options_), *this) {}

Http2::~Http2() = default;

Task<void> Http2::run() {
  (void)co_await net::both(read_all(), write_all());
  end("client");
  while (group_.sweep() > 0) co_await served_.wait();
  close_sessions(ended_);
}

void Http2::drain() {
  session_.go_away();
  tell_writer();
}

void Http2::end(std::string_view why) {
  Conversation::end(why);
  tell_writer();
}

Task<void> Http2::read_all() {
  net::Reactor& reactor = net::Reactor::current();
  client_.set_read_deadline(reactor.now() + options_->idle_s_max);
  while (ended_.empty() && !session_.over()) {
    auto chunk = co_await client_.read();
    if (!chunk) {
      if (chunk.error().code == Errc::timeout && serving_ == 0) session_.go_away();
      break;
    }
    auto taken = session_.receive(chunk->bytes(), reactor.now());
    *chunk = net::Chunk();
    start_streams();
    tell_writer();
    if (taken) continue;
    count_rejection({taken.error().code == Errc::too_large ? 429 : 400, taken.error().detail},
                    source_ip_);
    break;
  }
  read_over_ = true;
  tell_writer();
}

Task<void> Http2::write_all() {
  net::Reactor& reactor = net::Reactor::current();
  while (true) {
    session_.produce(out_, write_bytes_max);
    if (out_.empty()) {
      if (read_over_ || session_.over() || !ended_.empty()) break;
      co_await to_write_.wait();
      continue;
    }
    client_.set_write_deadline(reactor.now() + options_->write_s_max);
    auto written = co_await client_.write(as_bytes(out_));
    out_.clear();
    if (out_.capacity() > kept_bytes_max) std::string().swap(out_);
    if (!written) break;
    for (const auto& [id, stream] : streams_) stream->written();
  }
  client_.close();  // the one who reads ends, too
}

void Http2::start_streams() {
  for (auto& stream : std::exchange(new_, {})) group_.start(serve_stream(std::move(stream)));
}

Task<void> Http2::serve_stream(std::shared_ptr<Stream> stream) {
  client_.set_read_deadline(std::nullopt);
  {
    const Counted count(serving_);
    try {
      if (stream->request()) {
        co_await serve(*stream->request(), *stream);
      } else {
        co_await stream->refuse(stream->request().error());
      }
      co_await stream->over();
    } catch (const std::exception& broken) {
      log::error("request failed", {{"detail", broken.what()}, {"source", source_ip_}});
      stream->abort();
    }
  }
  if (serving_ == 0) {
    client_.set_read_deadline(net::Reactor::current().now() + options_->idle_s_max);
  }
  served_.notify();
  tell_writer();
}

void Http2::on_head(std::int32_t id, std::vector<http::Header> fields, bool too_large, bool ended) {
  // A stream that its client has reset is served for a moment longer, and counts.
  if (serving_ + new_.size() >= std::size_t{2} * options_->streams_max) {
    return session_.reset(id, http::H2Error::refused_stream);
  }
  auto read = too_large ? http::reject(431, "header section too large")
                        : http::read_request_fields(std::move(fields), ended, options_->head);
  auto stream = std::make_shared<Stream>(*this, id, std::move(read));
  streams_[id] = stream;
  new_.push_back(std::move(stream));
}

void Http2::on_trailers(std::int32_t id) {
  if (Stream* const stream = find(id)) stream->trailers();
}

void Http2::on_data(std::int32_t id, Bytes piece) {
  if (Stream* const stream = find(id)) {
    stream->received(piece);
  } else {
    session_.consumed(id, piece.size());
  }
}

void Http2::on_end(std::int32_t id) {
  if (Stream* const stream = find(id)) stream->ended();
}

void Http2::on_closed(std::int32_t id, std::uint32_t error) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  const auto stream = std::move(found->second);
  streams_.erase(found);
  stream->closed(error == static_cast<std::uint32_t>(http::H2Error::none));
}

Http2::Stream* Http2::find(std::int32_t id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.get();
}

}  // namespace sallyport::web

// One request on the road: decided, recorded, sent, and its answer released when its record is
// safe.

#include "protocol/http/exchange.h"

#include <algorithm>

#include "base/log.h"
#include "content/media_type.h"
#include "http/text.h"
#include "net/both.h"
#include "net/reactor.h"
#include "protocol/http/conversation.h"
#include "protocol/http/leaks.h"

namespace sallyport::web {
namespace {

bool is_chunked(const http::RequestHead& head) {
  return head.framing.kind == http::Framing::Kind::chunked;
}

/// The series of one connection.
struct Counts {
  std::array<metrics::Counter*, 6> requests{};  // by class of status; none is 0
  metrics::Histogram* seconds = nullptr;

  explicit Counts(const std::string& connection)
      : seconds(&metrics::histogram("sallyport_http_request_seconds",
                                    "From the head of an HTTP request to the end of its answer.",
                                    {{"connection", connection}})) {
    for (std::size_t i = 0; i < requests.size(); ++i) {
      requests[i] = &metrics::counter(
          "sallyport_http_requests_total",
          "HTTP requests by connection and class of the status that the client got.",
          {{"connection", connection}, {"status", i == 0 ? "none" : std::to_string(i) + "xx"}});
    }
  }
};

void count(const std::string& connection, int status, std::chrono::nanoseconds took) {
  // One for each name of the configuration.
  static thread_local std::map<std::string, Counts> all;
  const Counts& counts = all.try_emplace(connection, connection).first->second;
  counts.requests.at(static_cast<std::size_t>(status / 100))->add();
  counts.seconds->observe(std::chrono::duration<double>(took).count());
}

metrics::Counter& target_failed() {
  static metrics::Counter& counter = metrics::counter(
      "sallyport_target_failures_total",
      "Sessions that ended because their target could not be reached.", {{"protocol", "http"}});
  return counter;
}

metrics::Counter& not_masked() {
  static metrics::Counter& counter =
      metrics::counter("sallyport_http_unmaskable_answers_total",
                       "Answers that were refused because they could not be masked.");
  return counter;
}

}  // namespace

Exchange::Exchange(Conversation& conversation, Channel& channel, const http::RequestHead& head,
                   Route route)
    : conversation_(conversation),
      channel_(channel),
      options_(conversation.options_),
      head_(head),
      route_(std::move(route)),
      began_(guard().clock().steady()) {
  conversation_.exchanges_.push_back(this);
}

Exchange::~Exchange() {
  std::erase(conversation_.exchanges_, this);
  leave();
}

Guard& Exchange::guard() const {
  return conversation_.guard();
}

Adapter& Exchange::adapter() const {
  return conversation_.adapter_;
}

void Exchange::end(std::string_view why) {
  if (ended_.empty()) ended_ = why;
  channel_.abort();
  if (upstream_ != nullptr) upstream_->close();
  changed_.notify();
}

Task<void> Exchange::run() {
  co_await decide_and_forward();
  finished();
}

/// The session need not wait for it any longer.
void Exchange::leave() {
  Opened* const opened = std::exchange(opened_, nullptr);
  if (opened == nullptr || --opened->requests > 0 || opened->closing.empty()) return;
  conversation_.close_session(*opened, opened->closing, opened->closing_detail);
}

Task<void> Exchange::respond(http::Response response) {
  status_ = response.status;
  co_await channel_.respond(std::move(response));
}

Task<void> Exchange::decide_and_forward() {
  auto opened = co_await conversation_.session_for(head_, route_);
  if (!opened) co_return co_await respond(std::move(opened.error()));
  opened_ = *opened;
  ++opened_->requests;
  auto command =
      analyse(head_, route_, {.ip = conversation_.source_ip_, .tls = conversation_.tls_});
  if (!command) {
    co_return co_await respond(
        problem(400, "request", "Not a request that is served here", command.error().detail));
  }
  if (auto unknown = masks_for(*command)) {
    ++opened_->refused;
    co_return co_await respond(std::move(*unknown));
  }
  auto permit = co_await authorize(std::move(*command));
  if (!permit) {
    ++opened_->refused;
    auto response = refused(permit.error(), *options_);
    if (permit.error().kind == Refusal::Kind::session) {
      response = unauthorized(route_.resource, "invalid_token", permit.error().reason,
                              permit.error().hint);
      conversation_.close_after(*opened_, "expired", permit.error().reason);
      leave();
    }
    co_return co_await respond(std::move(response));
  }
  ++opened_->commands;
  permit_.emplace(std::move(*permit));
  co_await forward();
}

void Exchange::finished() const {
  const auto took = guard().clock().steady() - began_;
  count(route_.target->connection, status_, took);
  log::debug("http request",
             {{"session", opened_ == nullptr ? "" : opened_->session.id},
              {"connection", route_.target->connection},
              {"method", head_.request.method},
              {"path", route_.path},
              {"status", status_},
              {"bytes", released_},
              {"us", std::chrono::duration_cast<std::chrono::microseconds>(took).count()},
              {"source", conversation_.source_ip_}});
}

/// Which operation it is and what of its answer is masked; or why it is none.
std::optional<http::Response> Exchange::masks_for(Command& command) {
  const Masking& masking = route_.target->masking;
  if (masking.idle()) return std::nullopt;
  detectors_ = adapter().detectors_of(masking);
  const Session& session = opened_->session;
  auto masks = masks_of(guard(), session, route_, &adapter().decisions_, command);
  if (!masks) {
    return refused(guard().refuse(session, command,
                                  {.kind = Refusal::Kind::not_analysed,
                                   .reason = masks.error().detail,
                                   .policy = "",
                                   .hint = "only what the document describes is let through"}),
                   *options_);
  }
  masks_ = *std::move(masks);
  const bool hides = !command.safeguards.empty() || masking.detect == mask::Mode::mask;
  if (hides && asks_for_sameness(head_.request)) {
    return refused(
        guard().refuse(
            session, command,
            {.kind = Refusal::Kind::not_analysed,
             .reason = "an entity tag would tell whether a guess of what is masked is right",
             .policy = "",
             .hint = "without If-Match and If-None-Match; \"*\" is let through"}),
        *options_);
  }
  // What stands in a message is not known; where it may have to be masked, none is let through.
  if (head_.websocket && (hides || masking.detect != mask::Mode::off)) {
    return refused(
        guard().refuse(
            session, command,
            {.kind = Refusal::Kind::not_analysed,
             .reason = "messages of a WebSocket cannot be masked, and are to be",
             .policy = "",
             .hint = "who may `http:reveal` all of it may open one where `detect` is off"}),
        *options_);
  }
  const content::Operation* const operation = masks_.operation;
  if (operation == nullptr || !operation->request_bytes_max) return std::nullopt;
  const http::RequestHead& head = head_;
  if (!is_chunked(head) && head.framing.length <= *operation->request_bytes_max) {
    return std::nullopt;
  }
  const std::string reason = "a body of " + operation->id + " has at most " +
                             std::to_string(*operation->request_bytes_max) + " bytes";
  (void)guard().refuse(
      session, command,
      {.kind = Refusal::Kind::not_analysed, .reason = reason, .policy = "", .hint = ""});
  return problem(is_chunked(head) ? 411 : 413, "request", "The body is too large", reason,
                 is_chunked(head) ? "say its length with Content-Length" : "");
}

Task<std::expected<Permit, Refusal>> Exchange::authorize(Command command) {
  std::optional<HeldCommand> held;
  auto permit = co_await guard().authorize(opened_->session, std::move(command),
                                           &adapter().decisions_, &held);
  if (!held) co_return permit;
  co_return co_await hold(std::move(*held));
}

/// Sends the request and relays the answer.
Task<void> Exchange::forward() {
  for (const bool again : {false, true}) {
    auto taken = co_await adapter().pool_.take(*opened_->permit, route_.target, again);
    if (!taken) {
      failure_ = std::move(taken.error());
      break;
    }
    // While this waited for the disk and for the target, nobody could have closed what is now sent.
    if (!ended_.empty()) {
      failure_ = Error(Errc::closed, "ended before it was sent: " + ended_);
      break;
    }
    Upstream& upstream = *taken->upstream;
    upstream_ = &upstream;
    failure_.reset();
    co_await over(upstream);
    upstream_ = nullptr;
    // A kept connection may be closed just when it is used. What changes something may have been
    // seen for all that, and is not said twice.
    const bool unseen = failure_ && failure_->code == Errc::closed && taken->used_before &&
                        upstream.nothing_received();
    const bool once_more = unseen && permit_ && permit_->command().read_only && !head_.has_body() &&
                           ended_.empty() && !again;
    if (once_more) continue;
    const bool reusable = reusable_ && !failure_ && body_sent_;
    if (reusable) adapter().pool_.give_back(std::move(taken->upstream));
    break;
  }
  if (rejected_) {
    (void)settle("the body was refused: " + rejected_->reason);
    if (answered_) co_return channel_.abort();
    status_ = rejected_->status;
    co_return co_await channel_.refuse(*rejected_);
  }
  if (!failure_) co_return co_await channel_.drop_rest();

  const std::string detail = failure_->detail;
  (void)settle((unmaskable_ ? "masking: " : "target: ") + detail);
  if (!ended_.empty()) co_return;
  (unmaskable_ ? not_masked() : target_failed()).add();
  log::warn(unmaskable_ ? "answer refused: it cannot be masked" : "target failed",
            {{"session", opened_->session.id},
             {"connection", route_.target->connection},
             {"detail", detail}});
  if (leaked_) {
    guard().alert(opened_->session, "a target showed the gateway's credential",
                  route_.target->connection + ": the answer was withheld");
  }
  if (answered_) co_return channel_.abort();  // the client sees an answer that ends too soon
  co_await respond(failed());
}

Task<void> Exchange::over(Upstream& upstream) {
  auto sent = co_await upstream.send_head(*permit_, own_fields());
  if (!sent) {
    failure_ = std::move(sent.error());
    co_return;
  }
  // What the head told the target to be in chunks needs its end, even if nothing is left to come.
  if (channel_.body_done() && !body_held_ && !is_chunked(head_)) {
    body_sent_ = true;
    co_return co_await relay(upstream);
  }
  // Before the answer may come: a stream takes one write at a time.
  if (!body_held_ && !co_await channel_.tell_to_continue()) {
    failure_ = Error(Errc::closed, "the client has left");
    co_return upstream.close();
  }
  (void)co_await net::both(send_body(upstream), relay(upstream));
}

/// Who asks, for the target, and where the request is in the ledger.
std::string Exchange::own_fields() {
  Opened& opened = *opened_;
  std::string fields = "Sallyport-Request: " + opened.session.id + "/" +
                       std::to_string(permit_->sequence()) + "\r\n";
  if (head_.websocket) {
    std::array<std::byte, 16> key{};
    adapter().shared_.random.fill(key);
    websocket_key_ = to_base64(key);
    fields += "Sec-WebSocket-Key: " + websocket_key_ + "\r\n";
  }
  const std::string& audience = opened.target->audience;
  if (audience.empty()) return fields;
  const WallTime now = guard().clock().now();
  if (now + Assertions::renewed_before >= opened.assertion_until) {
    opened.assertion =
        adapter().shared_.assertions.make(opened.session, options_->public_url, audience, now);
    opened.assertion_until = now + Assertions::lifetime;
  }
  return fields + "Sallyport-Assertion: " + opened.assertion + "\r\n";
}

/// How long the client may still be waited for, who sent so many bytes in the time `waited`.
std::chrono::nanoseconds Exchange::patience(const Target& target, std::uint64_t bytes,
                                            std::chrono::nanoseconds waited) const {
  const std::chrono::nanoseconds most = options_->body_s_max;
  if (target.request_bytes_per_s_min == 0) return most;
  const std::chrono::seconds earned(bytes / target.request_bytes_per_s_min);
  return std::min(most, most + earned - waited);
}

/// The client's body, as it comes. Ends early if the answer does.
Task<void> Exchange::send_body(Upstream& upstream) {
  const bool chunked = is_chunked(head_);
  if (body_held_) {
    if (!held_body_.empty()) {
      auto sent = co_await upstream.send_body(*permit_, as_bytes(held_body_), chunked);
      if (!sent) co_return;
    }
    if (permit_) co_await end_body(upstream);
    co_return;
  }
  net::Reactor& reactor = net::Reactor::current();
  std::uint64_t came = 0;
  std::chrono::nanoseconds waited{0};
  while (!channel_.body_done()) {
    const SteadyTime before = reactor.now();
    auto piece = co_await channel_.read(before + patience(upstream.target(), came, waited));
    waited += reactor.now() - before;
    if (settled_ || failure_) co_return;  // the answer is over
    if (!piece) {
      rejected_ = piece.error();
      co_return upstream.close();
    }
    if (piece->empty()) break;
    came += piece->size();
    // Whoever reads the answer sees why it cannot be sent.
    auto sent = co_await upstream.send_body(*permit_, *piece, chunked);
    if (!sent) co_return;
  }
  if (permit_) co_await end_body(upstream);
}

Task<void> Exchange::end_body(Upstream& upstream) {
  auto ended = co_await upstream.end_body(*permit_, is_chunked(head_));
  body_sent_ = ended.has_value();
}

/// The target's answer, released when the record of the request is safe.
Task<void> Exchange::relay(Upstream& upstream) {
  // Whoever still passes the client's body on is to stop when this is over.
  struct Stop {
    Exchange& self;
    Upstream& upstream;
    ~Stop() {
      if (self.body_sent_) return;
      upstream.close();
      self.channel_.stop_reading();
    }
  } const stop{*this, upstream};
  const bool to_head = head_.request.method == "HEAD";
  auto head = co_await upstream.head(to_head, head_.websocket);
  if (!head) {
    failure_ = std::move(head.error());
    co_return;
  }
  auto recorded = co_await guard().recorded(*permit_);
  if (!recorded) {
    unrecorded_ = true;
    failure_ = Error(Errc::io, "not recorded: " + recorded.error().detail);
    co_return;
  }
  if (head->websocket) co_return co_await relay_websocket(upstream, *head);
  using Body = http::ResponseHead::Body;
  using Kind = http::BodyForm::Kind;
  const Masking& masking = route_.target->masking;
  std::optional<content::BodyMasker> masker;
  bool other_body = false;  // than the target's
  if (!masking.idle()) {
    auto made = masker_of(masking, masks_, *head, detectors_.get());
    other_body = !made || *made;
    if (made) masker = *std::move(made);
    if (!made && head->body != Body::none) {
      unmaskable_ = true;
      failure_ = std::move(made.error());
      co_return;
    }
  }
  http::BodyForm form{Kind::none, 0};
  if (other_body) {
    if (head->body != Body::none) form.kind = Kind::chunked;
  } else if (head->body == Body::length || (to_head && head->says_length)) {
    form = {Kind::length, head->length};
  } else if (head->body != Body::none) {
    form.kind = Kind::chunked;
  }
  http::Response response{.status = head->status, .headers = response_fields(*head, route_)};
  if (Leaks(route_.target->secrets).in(response.headers)) {
    leaked_ = true;
    failure_ = Error(Errc::denied, "its answer holds its own credential");
    co_return;
  }
  if (other_body) {
    std::erase_if(response.headers.all, [](const http::Header& header) {
      return content::BodyMasker::stale_header(http::lower(header.name));
    });
  }
  if (detectors_ != nullptr) {
    mask_fields(response.headers, *detectors_, masked_fields_);
  }
  auto said = channel_.head(response, form);
  if (!said) {
    failure_ = Error(Errc::malformed, "HTTP response: " + said.error().detail);
    co_return;
  }
  status_ = head->status;
  reusable_ = head->reusable;
  if (masker && head->body != Body::none) {
    co_return co_await relay_masked(upstream, *head, *std::move(masker));
  }
  // Events may be long in coming, and a client waits for the head to know that they will.
  const auto type = content::parse_media_type(head->headers.get("Content-Type").value_or(""));
  if (type && type->essence == "text/event-stream") {
    const bool sent = co_await release();
    if (!sent) co_return;
  }
  co_await relay_body(upstream, *head);
}

std::uint64_t Exchange::answer_bytes_max() const {
  const std::uint64_t most = route_.target->response_bytes_max;
  const content::Operation* const operation = masks_.operation;
  if (operation == nullptr) return most;
  return std::min(most, operation->response_bytes_max.value_or(most));
}

/// What the mask leaves of a body, as it comes. Where it fails the client sees no end of it.
Task<void> Exchange::relay_masked(Upstream& upstream, const http::ResponseHead& head,
                                  content::BodyMasker masker) {
  auto body = head.reader(answer_bytes_max());
  if (!body) {
    failure_ = Error(Errc::too_large, "HTTP response: " + body.error().reason);
    co_return;
  }
  Leaks leaks(route_.target->secrets);
  for (bool last = false; !last;) {
    auto piece = co_await upstream.next(*body);
    if (!piece) {
      failure_ = std::move(piece.error());
      co_return;
    }
    last = piece->empty() || (body->done() && !body->ends_at_close());
    for (bool taken = false; !taken;) {
      ByteVector masked;
      auto all = masker.feed(*piece, masked);
      taken = all && *all;
      auto done = all ? ok() : Result<void>(std::unexpected(all.error()));
      if (taken && last) done = masker.finish(masked);
      masked_ = masker.masked();
      if (!done) {
        unmaskable_ = true;
        failure_ = std::move(done.error());
        co_return;
      }
      std::string safe;
      if (!leaks.take(as_text(masked), safe)) {
        leaked_ = true;
        failure_ = Error(Errc::denied, "its answer holds its own credential");
        co_return;
      }
      if (taken && last) leaks.finish(safe);
      released_ += safe.size();
      if (!safe.empty()) channel_.body(safe);
      if (taken && last) {
        // The client sees the end only after that is recorded.
        if (!settle("")) {
          unrecorded_ = true;
          failure_ = Error(Errc::io, "not recorded");
          co_return;
        }
        channel_.finish();
      } else if (safe.empty()) {
        continue;  // also with the head: until something of the body is known to be fine
      }
      const bool released = co_await release();
      if (!released) co_return;
    }
  }
}

/// False if the client has left.
Task<bool> Exchange::release() {
  answered_ = true;
  const bool written = co_await channel_.flush();
  if (written) co_return true;
  reusable_ = false;
  // Before the end wakes who passes its body on: that is not why it ended.
  if (!settled_) failure_ = Error(Errc::closed, "the client has left");
  end("client");
  co_return false;
}

Task<void> Exchange::relay_body(Upstream& upstream, const http::ResponseHead& head) {
  auto body = head.reader(answer_bytes_max());
  if (!body) {
    failure_ = Error(Errc::too_large, "HTTP response: " + body.error().reason);
    co_return;
  }
  Leaks leaks(route_.target->secrets);
  std::string released;
  while (true) {
    auto piece = co_await upstream.next(*body);
    if (!piece) {
      failure_ = std::move(piece.error());
      co_return;
    }
    const bool last = piece->empty() || (body->done() && !body->ends_at_close());
    released.clear();
    if (!leaks.take(as_text(*piece), released)) {
      leaked_ = true;
      failure_ = Error(Errc::denied, "its answer holds its own credential");
      co_return;
    }
    if (last) leaks.finish(released);
    released_ += released.size();
    if (!released.empty()) channel_.body(released);
    // The client sees the end only after that is recorded.
    if (last && !settle("")) {
      unrecorded_ = true;
      failure_ = Error(Errc::io, "not recorded");
      co_return;
    }
    if (last) {
      channel_.finish();
    } else if (released.empty()) {
      continue;  // also with the head: until something of the body may go out
    }
    const bool sent = co_await release();
    if (!sent || last) co_return;
  }
}

/// How it ended, for the ledger; once. False if that could not be recorded.
bool Exchange::settle(std::string error) {
  if (!permit_ || settled_) return true;
  settled_ = true;
  content::Masked masked = masked_fields_;
  masked.add(masked_);
  Outcome outcome{.failed = !error.empty(),
                  .error = std::move(error),
                  .tag = status_ == 0 ? "" : std::to_string(status_),
                  .rows = messages_,
                  .bytes = released_,
                  .masked_fields = masked.fields};
  const bool masks = route_.target->masking.detect == mask::Mode::mask;
  for (std::size_t i = 0; i < masked.found.size(); ++i) {
    const std::uint64_t count = masked.found[i];
    if (count == 0) continue;
    outcome.detected[std::string(mask::detectors()[i].name)] = count;
    if (masks) outcome.masked_fields += count;
  }
  if (masked.withheld > 0) outcome.detected["withheld"] = masked.withheld;
  auto settled = guard().settle(std::move(*permit_), outcome);
  permit_.reset();
  if (!settled) log::error("outcome not recorded", {{"detail", settled.error().detail}});
  return settled.has_value();
}

http::Response Exchange::failed() const {
  const std::string& name = route_.target->connection;
  if (unrecorded_) {
    return problem(503, "not-recorded", "It cannot be recorded",
                   "no answer leaves without its record", "try again later");
  }
  if (unmaskable_) {
    return problem(502, "masking", "The answer cannot be masked", failure_->detail,
                   "who may `http:reveal` all of it gets it as it is");
  }
  if (failure_->code == Errc::timeout) {
    return problem(504, "target", "The target is slow",
                   "the target of connection " + name + " did not answer in time",
                   "session " + opened_->session.id + " in the gateway's log");
  }
  return problem(502, "target", "The target failed",
                 "the target of connection " + name + " cannot be reached, or its answer is none",
                 "session " + opened_->session.id + " in the gateway's log has the reason");
}

}  // namespace sallyport::web

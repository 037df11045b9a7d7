// One request on the road: decided, recorded, sent, and its answer released when its record is
// safe.

#include <algorithm>

#include "base/log.h"
#include "http/text.h"
#include "net/both.h"
#include "net/reactor.h"
#include "protocol/http/conversation.h"
#include "protocol/http/leaks.h"

namespace sallyport::web {
namespace {

/// What of an answer is gathered before it is sent; more than that at once is not copied twice.
constexpr std::size_t gathered_bytes_max = std::size_t{32} * 1024;

bool is_chunked(const http::RequestHead& head) {
  return head.framing.kind == http::Framing::Kind::chunked;
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

Task<bool> Conversation::exchange(Exchange& exchange) {
  const http::RequestHead& head = exchange.head;
  auto opened = co_await session_for(head, exchange.route);
  if (!opened) {
    exchange.status = opened.error().status;
    co_return co_await respond(std::move(opened.error()), head);
  }
  exchange.opened = *opened;
  struct Active {
    Opened*& of;
    explicit Active(Opened*& active, Opened* opened_now) : of(active) { of = opened_now; }
    ~Active() { of = nullptr; }
  } const active(active_, *opened);

  auto command = analyse(head, exchange.route, {.ip = source_ip_, .tls = tls_});
  if (!command) {
    exchange.status = 400;
    co_return co_await respond(
        problem(400, "request", "Not a request that is served here", command.error().detail), head);
  }
  if (auto unknown = masks_for(exchange, *command)) {
    ++exchange.opened->refused;
    exchange.status = unknown->status;
    co_return co_await respond(std::move(*unknown), head);
  }
  auto permit = co_await authorize(exchange, std::move(*command));
  if (!permit) {
    ++exchange.opened->refused;
    auto response = refused(permit.error(), *options_);
    if (permit.error().kind == Refusal::Kind::session) {
      response = unauthorized(exchange.route.resource, "invalid_token", permit.error().reason,
                              permit.error().hint);
      close_session(*exchange.opened, "expired", permit.error().reason);
      exchange.opened = nullptr;
    }
    exchange.status = response.status;
    co_return co_await respond(std::move(response), head);
  }
  ++exchange.opened->commands;
  exchange.permit.emplace(std::move(*permit));
  co_return co_await forward(exchange);
}

/// Which operation it is and what of its answer is masked; or why it is none.
std::optional<http::Response> Conversation::masks_for(Exchange& exchange, Command& command) {
  const Masking& masking = exchange.route.target->masking;
  if (masking.idle()) return std::nullopt;
  exchange.detectors = adapter_.detectors_of(masking);
  const Session& session = exchange.opened->session;
  auto masks = masks_of(guard(), session, exchange.route, &adapter_.decisions_, command);
  if (!masks) {
    return refused(guard().refuse(session, command,
                                  {.kind = Refusal::Kind::not_analysed,
                                   .reason = masks.error().detail,
                                   .policy = "",
                                   .hint = "only what the document describes is let through"}),
                   *options_);
  }
  exchange.masks = *std::move(masks);
  const bool hides = !command.safeguards.empty() || masking.detect == mask::Mode::mask;
  if (hides && asks_for_sameness(exchange.head.request)) {
    return refused(
        guard().refuse(
            session, command,
            {.kind = Refusal::Kind::not_analysed,
             .reason = "an entity tag would tell whether a guess of what is masked is right",
             .policy = "",
             .hint = "without If-Match and If-None-Match; \"*\" is let through"}),
        *options_);
  }
  const content::Operation* const operation = exchange.masks.operation;
  if (operation == nullptr || !operation->request_bytes_max) return std::nullopt;
  const http::RequestHead& head = exchange.head;
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

Task<std::expected<Permit, Refusal>> Conversation::authorize(Exchange& exchange, Command command) {
  std::optional<HeldCommand> held;
  auto permit = co_await guard().authorize(exchange.opened->session, std::move(command),
                                           &adapter_.decisions_, &held);
  if (!held) co_return permit;
  co_return co_await hold(exchange, std::move(*held));
}

/// Sends the request and relays the answer. True if the client's connection goes on.
Task<bool> Conversation::forward(Exchange& exchange) {
  const http::RequestHead& head = exchange.head;
  for (const bool again : {false, true}) {
    auto taken =
        co_await adapter_.pool_.take(*exchange.opened->permit, exchange.route.target, again);
    if (!taken) {
      exchange.failure = std::move(taken.error());
      break;
    }
    // While this waited for the disk and for the target, nobody could have closed what is now sent.
    if (!ended_.empty()) {
      exchange.failure = Error(Errc::closed, "ended before it was sent: " + ended_);
      break;
    }
    Upstream& upstream = *taken->upstream;
    upstream_ = &upstream;
    exchange.failure.reset();
    co_await over(exchange, upstream);
    upstream_ = nullptr;
    // A kept connection may be closed just when it is used. What changes something may have been
    // seen for all that, and is not said twice.
    const bool unseen = exchange.failure && exchange.failure->code == Errc::closed &&
                        taken->used_before && upstream.nothing_received();
    const bool once_more = unseen && exchange.permit && exchange.permit->command().read_only &&
                           !head.has_body() && ended_.empty() && !again;
    if (once_more) continue;
    const bool reusable = exchange.reusable && !exchange.failure && exchange.body_sent;
    if (reusable) adapter_.pool_.give_back(std::move(taken->upstream));
    break;
  }
  if (exchange.rejected) {
    (void)settle(exchange, "the body was refused: " + exchange.rejected->reason);
    if (!exchange.answered) {
      exchange.status = exchange.rejected->status;
      co_await refuse_bytes(*exchange.rejected);
    }
    co_return false;
  }
  if (!exchange.failure) {
    // Unread bytes would reset the connection, and the client might never see the answer.
    if (exchange.closes && !body_->done() && ended_.empty()) co_await linger();
    co_return !exchange.closes;
  }

  const std::string detail = exchange.failure->detail;
  (void)settle(exchange, (exchange.unmaskable ? "masking: " : "target: ") + detail);
  if (!ended_.empty()) co_return false;
  (exchange.unmaskable ? not_masked() : target_failed()).add();
  log::warn(exchange.unmaskable ? "answer refused: it cannot be masked" : "target failed",
            {{"session", exchange.opened->session.id},
             {"connection", exchange.route.target->connection},
             {"detail", detail}});
  if (exchange.leaked) {
    guard().alert(exchange.opened->session, "a target showed the gateway's credential",
                  exchange.route.target->connection + ": the answer was withheld");
  }
  if (exchange.answered) co_return false;  // the client sees an answer that ends too soon
  auto response = failed(exchange);
  exchange.status = response.status;
  co_return co_await respond(std::move(response), head);
}

Task<void> Conversation::over(Exchange& exchange, Upstream& upstream) {
  auto sent = co_await upstream.send_head(*exchange.permit, own_fields(exchange));
  if (!sent) {
    exchange.failure = std::move(sent.error());
    co_return;
  }
  if (body_->done() && !exchange.body_held) {
    exchange.body_sent = true;
    co_return co_await relay(exchange, upstream);
  }
  // Before the answer may come: a stream takes one write at a time.
  if (!exchange.body_held && !co_await tell_to_continue()) {
    exchange.failure = Error(Errc::closed, "the client has left");
    co_return upstream.close();
  }
  (void)co_await net::both(send_body(exchange, upstream), relay(exchange, upstream));
}

/// Who asks, for the target, and where the request is in the ledger.
std::string Conversation::own_fields(Exchange& exchange) {
  Opened& opened = *exchange.opened;
  std::string fields = "Sallyport-Request: " + opened.session.id + "/" +
                       std::to_string(exchange.permit->sequence()) + "\r\n";
  const std::string& audience = opened.target->audience;
  if (audience.empty()) return fields;
  const WallTime now = guard().clock().now();
  if (now + Assertions::renewed_before >= opened.assertion_until) {
    opened.assertion =
        adapter_.shared_.assertions.make(opened.session, options_->public_url, audience, now);
    opened.assertion_until = now + Assertions::lifetime;
  }
  return fields + "Sallyport-Assertion: " + opened.assertion + "\r\n";
}

/// How long the client may still be waited for, who sent so many bytes in the time `waited`.
std::chrono::nanoseconds Conversation::patience(const Target& target, std::uint64_t bytes,
                                                std::chrono::nanoseconds waited) const {
  const std::chrono::nanoseconds most = options_->body_s_max;
  if (target.request_bytes_per_s_min == 0) return most;
  const std::chrono::seconds earned(bytes / target.request_bytes_per_s_min);
  return std::min(most, most + earned - waited);
}

/// The client's body, as it comes. Ends early if the answer does.
Task<void> Conversation::send_body(Exchange& exchange, Upstream& upstream) {
  const bool chunked = is_chunked(exchange.head);
  if (exchange.body_held) {
    if (!exchange.held_body.empty()) {
      auto sent =
          co_await upstream.send_body(*exchange.permit, as_bytes(exchange.held_body), chunked);
      if (!sent) co_return;
    }
    if (exchange.permit) co_await end_body(exchange, upstream);
    co_return;
  }
  net::Reactor& reactor = net::Reactor::current();
  std::uint64_t came = input_.size();
  std::chrono::nanoseconds waited{0};
  while (!body_->done()) {
    if (exchange.settled || exchange.failure) co_return;  // the answer is over
    auto piece = body_->take(input_);
    if (!piece) {
      exchange.rejected = piece.error();
      co_return upstream.close();
    }
    if (!piece->empty()) {
      // Whoever reads the answer sees why it cannot be sent.
      auto sent = co_await upstream.send_body(*exchange.permit, *piece, chunked);
      if (!sent) co_return;
      continue;
    }
    if (body_->done()) break;
    const SteadyTime before = reactor.now();
    const bool more = co_await read_client(before + patience(upstream.target(), came, waited));
    waited += reactor.now() - before;
    came += input_.size();
    if (exchange.settled || exchange.failure) co_return;  // the answer is over
    if (!more) {
      exchange.rejected = http::Rejection{408, "the body does not come, or too slowly"};
      co_return upstream.close();
    }
  }
  if (exchange.permit) co_await end_body(exchange, upstream);
}

Task<void> Conversation::end_body(Exchange& exchange, Upstream& upstream) {
  auto ended = co_await upstream.end_body(*exchange.permit, is_chunked(exchange.head));
  exchange.body_sent = ended.has_value();
}

/// The target's answer, released when the record of the request is safe.
Task<void> Conversation::relay(Exchange& exchange, Upstream& upstream) {
  // Whoever still passes the client's body on is to stop when this is over.
  struct Stop {
    Conversation& self;
    const Exchange& exchange;
    Upstream& upstream;
    ~Stop() {
      if (exchange.body_sent) return;
      upstream.close();
      self.client_.set_read_deadline(SteadyTime::min());
    }
  } const stop{*this, exchange, upstream};
  const bool to_head = exchange.head.request.method == "HEAD";
  auto head = co_await upstream.head(to_head);
  if (!head) {
    exchange.failure = std::move(head.error());
    co_return;
  }
  auto recorded = co_await guard().recorded(*exchange.permit);
  if (!recorded) {
    exchange.unrecorded = true;
    exchange.failure = Error(Errc::io, "not recorded: " + recorded.error().detail);
    co_return;
  }
  using Body = http::ResponseHead::Body;
  using Kind = http::BodyForm::Kind;
  const Masking& masking = exchange.route.target->masking;
  std::optional<content::BodyMasker> masker;
  bool other_body = false;  // than the target's
  if (!masking.idle()) {
    auto made = masker_of(masking, exchange.masks, *head, exchange.detectors.get());
    other_body = !made || *made;
    if (made) masker = *std::move(made);
    if (!made && head->body != Body::none) {
      exchange.unmaskable = true;
      exchange.failure = std::move(made.error());
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
  http::Response response{.status = head->status,
                          .headers = response_fields(*head, exchange.route)};
  if (Leaks(exchange.route.target->secrets).in(response.headers)) {
    exchange.leaked = true;
    exchange.failure = Error(Errc::denied, "its answer holds its own credential");
    co_return;
  }
  if (other_body) {
    std::erase_if(response.headers.all, [](const http::Header& header) {
      return content::BodyMasker::stale_header(http::lower(header.name));
    });
  }
  if (exchange.detectors != nullptr) {
    mask_fields(response.headers, *exchange.detectors, exchange.masked_fields);
  }
  exchange.closes = !exchange.head.keep_alive || !body_->done() || adapter_.draining_;
  auto out = http::encode_head(response, form, exchange.closes);
  if (!out) {
    exchange.failure = Error(Errc::malformed, "HTTP response: " + out.error().detail);
    co_return;
  }
  exchange.status = head->status;
  exchange.reusable = head->reusable;
  if (masker && head->body != Body::none) {
    co_return co_await relay_masked(exchange, upstream, *head, std::move(*out), *std::move(masker));
  }
  co_await relay_body(exchange, upstream, *head, std::move(*out));
}

std::uint64_t Conversation::answer_bytes_max(const Exchange& exchange) const {
  const std::uint64_t most = exchange.route.target->response_bytes_max;
  const content::Operation* const operation = exchange.masks.operation;
  if (operation == nullptr) return most;
  return std::min(most, operation->response_bytes_max.value_or(most));
}

/// What the mask leaves of a body, as it comes. Where it fails the client sees no end of it.
Task<void> Conversation::relay_masked(Exchange& exchange, Upstream& upstream,
                                      const http::ResponseHead& head, std::string out,
                                      content::BodyMasker masker) {
  auto body = head.reader(answer_bytes_max(exchange));
  if (!body) {
    exchange.failure = Error(Errc::too_large, "HTTP response: " + body.error().reason);
    co_return;
  }
  Leaks leaks(exchange.route.target->secrets);
  for (bool last = false; !last;) {
    auto piece = co_await upstream.next(*body);
    if (!piece) {
      exchange.failure = std::move(piece.error());
      co_return;
    }
    last = piece->empty() || (body->done() && !body->ends_at_close());
    for (bool taken = false; !taken;) {
      ByteVector masked;
      auto all = masker.feed(*piece, masked);
      taken = all && *all;
      auto done = all ? ok() : Result<void>(std::unexpected(all.error()));
      if (taken && last) done = masker.finish(masked);
      exchange.masked = masker.masked();
      if (!done) {
        exchange.unmaskable = true;
        exchange.failure = std::move(done.error());
        co_return;
      }
      std::string safe;
      if (!leaks.take(as_text(masked), safe)) {
        exchange.leaked = true;
        exchange.failure = Error(Errc::denied, "its answer holds its own credential");
        co_return;
      }
      if (taken && last) leaks.finish(safe);
      exchange.released += safe.size();
      if (!safe.empty()) http::append_chunk(out, safe);
      if (taken && last) {
        out += http::last_chunk;
        // The client sees the end only after that is recorded.
        if (!settle(exchange, "")) {
          exchange.unrecorded = true;
          exchange.failure = Error(Errc::io, "not recorded");
          co_return;
        }
      } else if (safe.empty()) {
        continue;  // also with the head: until something of the body is known to be fine
      }
      const bool released = co_await release(exchange, out);
      if (!released) co_return;
    }
  }
}

/// False if the client has left.
Task<bool> Conversation::release(Exchange& exchange, std::string& out) {
  exchange.answered = true;
  const bool written = co_await write_client(out);
  out.clear();
  if (out.capacity() > gathered_bytes_max) std::string().swap(out);
  if (written) co_return true;
  exchange.reusable = false;
  // Before the end wakes who passes its body on: that is not why it ended.
  if (!exchange.settled) exchange.failure = Error(Errc::closed, "the client has left");
  end("client");
  co_return false;
}

Task<void> Conversation::relay_body(Exchange& exchange, Upstream& upstream,
                                    const http::ResponseHead& head, std::string out) {
  auto body = head.reader(answer_bytes_max(exchange));
  if (!body) {
    exchange.failure = Error(Errc::too_large, "HTTP response: " + body.error().reason);
    co_return;
  }
  const bool chunked = head.body == http::ResponseHead::Body::chunked ||
                       head.body == http::ResponseHead::Body::until_close;
  Leaks leaks(exchange.route.target->secrets);
  std::string released;
  while (true) {
    auto piece = co_await upstream.next(*body);
    if (!piece) {
      exchange.failure = std::move(piece.error());
      co_return;
    }
    const bool last = piece->empty() || (body->done() && !body->ends_at_close());
    released.clear();
    if (!leaks.take(as_text(*piece), released)) {
      exchange.leaked = true;
      exchange.failure = Error(Errc::denied, "its answer holds its own credential");
      co_return;
    }
    if (last) leaks.finish(released);
    exchange.released += released.size();
    if (!released.empty() && chunked) {
      http::append_chunk(out, released);
    } else {
      out += released;
    }
    if (last && chunked) out += http::last_chunk;
    // The client sees the end only after that is recorded.
    if (last && !settle(exchange, "")) {
      exchange.unrecorded = true;
      exchange.failure = Error(Errc::io, "not recorded");
      co_return;
    }
    if (out.empty()) continue;
    const bool sent = co_await release(exchange, out);
    if (!sent || last) co_return;
  }
}

/// How it ended, for the ledger; once. False if that could not be recorded.
bool Conversation::settle(Exchange& exchange, std::string error) {
  if (!exchange.permit || exchange.settled) return true;
  exchange.settled = true;
  content::Masked masked = exchange.masked_fields;
  masked.add(exchange.masked);
  Outcome outcome{.failed = !error.empty(),
                  .error = std::move(error),
                  .tag = exchange.status == 0 ? "" : std::to_string(exchange.status),
                  .bytes = exchange.released,
                  .masked_fields = masked.fields};
  const bool masks = exchange.route.target->masking.detect == mask::Mode::mask;
  for (std::size_t i = 0; i < masked.found.size(); ++i) {
    const std::uint64_t count = masked.found[i];
    if (count == 0) continue;
    outcome.detected[std::string(mask::detectors()[i].name)] = count;
    if (masks) outcome.masked_fields += count;
  }
  if (masked.withheld > 0) outcome.detected["withheld"] = masked.withheld;
  auto settled = guard().settle(std::move(*exchange.permit), outcome);
  exchange.permit.reset();
  if (!settled) log::error("outcome not recorded", {{"detail", settled.error().detail}});
  return settled.has_value();
}

http::Response Conversation::failed(const Exchange& exchange) const {
  const std::string& name = exchange.route.target->connection;
  if (exchange.unrecorded) {
    return problem(503, "not-recorded", "It cannot be recorded",
                   "no answer leaves without its record", "try again later");
  }
  if (exchange.unmaskable) {
    return problem(502, "masking", "The answer cannot be masked", exchange.failure->detail,
                   "who may `http:reveal` all of it gets it as it is");
  }
  if (exchange.failure->code == Errc::timeout) {
    return problem(504, "target", "The target is slow",
                   "the target of connection " + name + " did not answer in time",
                   "session " + exchange.opened->session.id + " in the gateway's log");
  }
  return problem(502, "target", "The target failed",
                 "the target of connection " + name + " cannot be reached, or its answer is none",
                 "session " + exchange.opened->session.id + " in the gateway's log has the reason");
}

}  // namespace sallyport::web

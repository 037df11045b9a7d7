// A request that lacks an approval. The client is told at once where to get it, and comes again; or
// it waits, if it asked to. What is approved is the whole request, so its body is read first.

#include <algorithm>
#include <array>

#include "approval/desk.h"
#include "http/text.h"
#include "net/reactor.h"
#include "protocol/http/conversation.h"
#include "protocol/http/exchange.h"
#include "protocol/http/fields.h"

namespace sallyport::web {
namespace {

// A client may leave without a word.
constexpr std::chrono::seconds look_at_client{1};
// Another node may have changed the request, which tells nobody here.
constexpr std::chrono::seconds look_at_store{15};

Refusal without_approval(const HeldCommand& held, std::string request, std::string reason,
                         std::string hint) {
  return {.kind = Refusal::Kind::approval,
          .reason = std::move(reason),
          .policy = held.decision.hold ? held.decision.hold->routes.front().policy : "",
          .hint = std::move(hint),
          .request = std::move(request)};
}

std::string how_to(const approval::Request& request) {
  return "`sallyport approvals show " + request.id + "`";
}

/// Fields that change from one attempt to the next, or how the answer looks, and not what is done.
bool is_neutral(std::string_view name) {
  static constexpr std::array<std::string_view, 16> neutral{"accept",
                                                            "accept-charset",
                                                            "accept-encoding",
                                                            "accept-language",
                                                            "baggage",
                                                            "cache-control",
                                                            "date",
                                                            "dnt",
                                                            "host",
                                                            "pragma",
                                                            "priority",
                                                            "referer",
                                                            "traceparent",
                                                            "tracestate",
                                                            "user-agent",
                                                            "x-request-id"};
  static constexpr std::array<std::string_view, 3> beginnings{"sec-ch-", "sec-fetch-",
                                                              "x-forwarded-"};
  return std::ranges::find(neutral, name) != neutral.end() ||
         std::ranges::any_of(beginnings, [&](auto one) { return name.starts_with(one); });
}

/// What people see of a field; of the others only that it is the same.
bool is_shown(std::string_view name) {
  return name.starts_with("content-") || name.starts_with("if-");
}

/// What else decides what the request does: the hash has the rest.
std::vector<std::string> bound_of(const http::Request& request, const Route& route) {
  std::vector<std::string> bound{"target: " + route.target->authority};
  for (const auto& [name, value] : request_fields(request, route, {}).all) {
    const std::string key = http::lower(name);
    if (is_neutral(key)) continue;
    bound.push_back(key + ": " +
                    (is_shown(key) ? value : "sha256 " + to_hex(sha256(as_bytes(value)))));
  }
  bound.push_back("query: " + to_hex(sha256(as_bytes(request.query))));
  return bound;
}

}  // namespace

Task<std::expected<Permit, Refusal>> Exchange::hold(HeldCommand held) {
  const Session& session = opened_->session;
  if (head_.has_body()) {
    const bool whole = co_await read_held_body();
    if (!whole) {
      co_return std::unexpected(guard().refuse(
          session, held,
          without_approval(held, "", "its body is too large for people to approve, or did not come",
                           "at most " + std::to_string(options_->held_bytes_max) + " bytes")));
    }
    Command command = std::move(held.command);
    add_body(command, held_body_);
    // Decided once more, now that all of it is known.
    std::optional<HeldCommand> again;
    auto permit =
        co_await guard().authorize(session, std::move(command), &adapter().decisions_, &again);
    if (!again) co_return permit;
    held = std::move(*again);
  }
  auto request = guard().approvals()->ask(session, held.command, *held.decision.hold,
                                          bound_of(head_.request, route_));
  if (!request) {
    co_return std::unexpected(guard().refuse(
        session, held,
        without_approval(held, "", "approval cannot be asked for: " + request.error().detail,
                         "try again later")));
  }
  const std::chrono::seconds wanted{preferred_wait_s(head_.request.headers)};
  co_return co_await wait_for(std::move(held), std::move(*request),
                              std::min(wanted, options_->approval_s_max));
}

Task<std::expected<Permit, Refusal>> Exchange::wait_for(HeldCommand held, approval::Request request,
                                                        std::chrono::seconds wait) {
  approval::Desk& desk = *guard().approvals();
  const Session& session = opened_->session;
  net::Reactor& reactor = net::Reactor::current();
  // The watch may outlive this conversation in another thread's hands.
  const auto alive = std::make_shared<Exchange*>(this);
  const auto watch =
      desk.watch(request.id, reactor.poster(), [weak = std::weak_ptr<Exchange*>(alive)] {
        if (const auto found = weak.lock()) (*found)->changed_.notify();
      });
  if (!watch) {
    co_return std::unexpected(
        guard().refuse(session, held,
                       without_approval(held, request.id, "too many wait for this approval already",
                                        "send it again once it is approved")));
  }
  const SteadyTime deadline = reactor.now() + wait;
  SteadyTime look_again{};
  for (bool told = true; true;) {
    if (told || reactor.now() >= look_again || guard().clock().now() >= request.ends_at) {
      look_again = reactor.now() + look_at_store;
      auto found = desk.find(request.id);
      if (!found || !*found) {
        co_return std::unexpected(guard().refuse(
            session, held,
            without_approval(held, request.id, "the request for approval cannot be read",
                             "try again later")));
      }
      request = std::move(**found);
    }
    // Before an approval is used for somebody who is not there any more: whoever asks again finds
    // it.
    const bool gone = !ended_.empty() || channel_.gone();
    if (!gone && request.state == approval::State::approved) {
      co_return co_await guard().authorize_approved(session, std::move(held.command), request);
    }
    if (!gone && request.state != approval::State::pending) {
      const std::string who = request.closed_by.empty() ? "" : " by " + request.closed_by;
      co_return std::unexpected(
          guard().refuse(session, held,
                         without_approval(held, request.id,
                                          "the request for approval is " +
                                              std::string(approval::to_string(request.state)) + who,
                                          how_to(request) + " says more")));
    }
    if (gone || reactor.now() >= deadline) {
      co_return std::unexpected(guard().refuse(
          session, held,
          without_approval(held, request.id, "waiting for approval: " + held.decision.reason,
                           "send it again once it is approved (" + how_to(request) +
                               "), or with \"Prefer: wait=60\" to wait for it")));
    }
    told = co_await changed_.wait_until(std::min(deadline, reactor.now() + look_at_client));
  }
}

/// The whole body into memory; false if it is too large or breaks off.
Task<bool> Exchange::read_held_body() {
  if (head_.framing.length > options_->held_bytes_max) co_return false;
  const bool told = co_await channel_.tell_to_continue();
  if (!told) co_return false;
  const SteadyTime deadline = net::Reactor::current().now() + options_->body_s_max;
  while (!channel_.body_done()) {
    auto piece = co_await channel_.read(deadline);
    if (!piece || held_body_.size() + piece->size() > options_->held_bytes_max) co_return false;
    held_body_ += as_text(*piece);
  }
  body_held_ = true;
  co_return true;
}

}  // namespace sallyport::web

// A request that lacks an approval. The client is told at once where to get it, and comes again; or
// it waits, if it asked to. What is approved is the whole request, so its body is read first.

#include "approval/desk.h"
#include "net/reactor.h"
#include "protocol/http/conversation.h"

namespace sallyport::web {
namespace {

// The clock that ends a request is not ours alone, and a client may leave without a word.
constexpr std::chrono::seconds look_again{1};

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

/// What else decides what the request does: the hash has the rest.
std::vector<std::string> bound_of(const http::Request& request, const Target& target) {
  std::vector<std::string> bound{"target: " + target.authority};
  for (const std::string_view name : {"Content-Type", "Content-Encoding", "If-Match"}) {
    if (const auto value = request.headers.get(name)) {
      bound.push_back(std::string(name) + ": " + std::string(*value));
    }
  }
  bound.push_back("query: " + to_hex(sha256(as_bytes(request.query))));
  return bound;
}

}  // namespace

Task<std::expected<Permit, Refusal>> Conversation::hold(Exchange& exchange, HeldCommand held) {
  const Session& session = exchange.opened->session;
  if (exchange.head.has_body()) {
    const bool whole = co_await read_held_body(exchange);
    if (!whole) {
      co_return std::unexpected(guard().refuse(
          session, held,
          without_approval(held, "", "its body is too large for people to approve, or did not come",
                           "at most " + std::to_string(options_->held_bytes_max) + " bytes")));
    }
    Command command = std::move(held.command);
    add_body(command, exchange.held_body);
    // Decided once more, now that all of it is known.
    std::optional<HeldCommand> again;
    auto permit =
        co_await guard().authorize(session, std::move(command), &adapter_.decisions_, &again);
    if (!again) co_return permit;
    held = std::move(*again);
  }
  auto request = guard().approvals()->ask(session, held.command, *held.decision.hold,
                                          bound_of(exchange.head.request, *exchange.route.target));
  if (!request) {
    co_return std::unexpected(guard().refuse(
        session, held,
        without_approval(held, "", "approval cannot be asked for: " + request.error().detail,
                         "try again later")));
  }
  const std::chrono::seconds wanted{preferred_wait_s(exchange.head.request.headers)};
  co_return co_await wait_for(exchange, std::move(held), std::move(*request),
                              std::min(wanted, options_->approval_s_max));
}

Task<std::expected<Permit, Refusal>> Conversation::wait_for(Exchange& exchange, HeldCommand held,
                                                            approval::Request request,
                                                            std::chrono::seconds wait) {
  approval::Desk& desk = *guard().approvals();
  const Session& session = exchange.opened->session;
  net::Reactor& reactor = net::Reactor::current();
  // The watch may outlive this conversation in another thread's hands.
  const auto alive = std::make_shared<Conversation*>(this);
  const auto watch =
      desk.watch(request.id, reactor.poster(), [weak = std::weak_ptr<Conversation*>(alive)] {
        if (const auto found = weak.lock()) (*found)->changed_.notify();
      });
  if (!watch) {
    co_return std::unexpected(
        guard().refuse(session, held,
                       without_approval(held, request.id, "too many wait for this approval already",
                                        "send it again once it is approved")));
  }
  const SteadyTime deadline = reactor.now() + wait;
  while (true) {
    auto found = desk.find(request.id);
    if (!found || !*found) {
      co_return std::unexpected(guard().refuse(
          session, held,
          without_approval(held, request.id, "the request for approval cannot be read",
                           "try again later")));
    }
    request = std::move(**found);
    if (request.state == approval::State::approved) {
      co_return co_await guard().authorize_approved(session, std::move(held.command), request);
    }
    if (request.state != approval::State::pending) {
      const std::string who = request.closed_by.empty() ? "" : " by " + request.closed_by;
      co_return std::unexpected(
          guard().refuse(session, held,
                         without_approval(held, request.id,
                                          "the request for approval is " +
                                              std::string(approval::to_string(request.state)) + who,
                                          how_to(request) + " says more")));
    }
    if (!ended_.empty() || client_.peer_gone() || reactor.now() >= deadline) {
      co_return std::unexpected(guard().refuse(
          session, held,
          without_approval(held, request.id, "waiting for approval: " + held.decision.reason,
                           "send it again once it is approved (" + how_to(request) +
                               "), or with \"Prefer: wait=60\" to wait for it")));
    }
    (void)co_await changed_.wait_until(std::min(deadline, reactor.now() + look_again));
  }
}

/// The whole body into memory; false if it is too large or breaks off.
Task<bool> Conversation::read_held_body(Exchange& exchange) {
  if (exchange.head.framing.length > options_->held_bytes_max) co_return false;
  if (std::exchange(continue_owed_, false)) {
    const bool told = co_await write_client("HTTP/1.1 100 Continue\r\n\r\n");
    if (!told) co_return false;
  }
  while (!body_->done()) {
    auto piece = body_->take(input_);
    if (!piece || exchange.held_body.size() + piece->size() > options_->held_bytes_max) {
      co_return false;
    }
    exchange.held_body += as_text(*piece);
    if (!piece->empty() || body_->done()) continue;
    const bool more = co_await read_client(net::Reactor::current().now() + options_->body_s_max);
    if (!more) co_return false;
  }
  exchange.body_held = true;
  co_return true;
}

}  // namespace sallyport::web

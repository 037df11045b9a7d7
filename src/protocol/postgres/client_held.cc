// A command that lacks an approval waits here, and the client with it: nothing more is read of it
// until people have decided, the client cancels, or the time is up.

#include <fmt/format.h>

#include "approval/desk.h"
#include "net/reactor.h"
#include "protocol/postgres/binary_value.h"
#include "protocol/postgres/catalog_desk.h"
#include "protocol/postgres/client_side.h"
#include "protocol/postgres/conversation.h"
#include "protocol/postgres/settings.h"

namespace sallyport::postgres {
namespace {

// A client may leave without a word.
constexpr std::chrono::seconds look_at_client{1};
// Another node may have changed the request, which tells nobody here.
constexpr std::chrono::seconds look_at_store{15};
constexpr std::size_t list_statements_max = 500;
// A list may not keep the worker from its other sessions.
constexpr std::size_t list_statements_per_turn = 20;

std::string how_to(const approval::Request& request) {
  return "`sallyport approvals show " + request.id + "`";
}

Refusal without_approval(const HeldCommand& held, const approval::Request& request,
                         std::string reason, std::string hint) {
  return {.kind = Refusal::Kind::approval,
          .reason = std::move(reason),
          .policy = held.decision.hold ? held.decision.hold->routes.front().policy : "",
          .hint = std::move(hint),
          .request = request.id};
}

/// What was sent in binary, so that an approver can read it.
std::vector<std::string> readable_ones(const std::vector<Parameter>& parameters,
                                       const std::vector<std::uint32_t>& types) {
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Parameter& parameter = parameters[i];
    std::string& text = shown.emplace_back();
    if (!parameter.binary || !parameter.sent_binary || !parameter.value || i >= types.size()) {
      continue;
    }
    const auto bytes = from_base64(*parameter.value);
    if (bytes) text = readable(types[i], *bytes).value_or("");  // else a long one, cut
  }
  return shown;
}

}  // namespace

/// Decides, and waits where people have to say yes first. Takes the command out of `asked`; `types`
/// are those that the client gave its parameters.
Task<std::expected<Permit, Refusal>> Conversation::authorize(
    Asked& asked, const std::vector<std::uint32_t>& types) {
  std::optional<HeldCommand> held;
  auto permit = co_await guard_.authorize(session_, std::move(asked.command), &decisions_, &held);
  if (!held) co_return permit;
  // What came before need not wait for people.
  if (auto flushed = co_await upstream_.flush(); !flushed) stop("error", flushed.error().detail);
  // What else decides what the command does. Names stand for what they mean now.
  std::vector<std::string> bound{"search_path: " + to_search_path(place_.search_path),
                                 "login: " + (target_ != nullptr ? target_->user : "")};
  for (std::size_t i = 0; i < types.size(); ++i) {
    bound.push_back("type of $" + std::to_string(i + 1) + ": " + std::to_string(types[i]));
  }
  for (const Sent& named : asked.named) {
    bound.push_back("runs: " + named.sql);
    for (const std::uint32_t type : named.parameter_types) {
      bound.push_back("with a parameter of type " + std::to_string(type));
    }
  }
  for (const std::string& name : temporary_) bound.push_back("temporary relation: " + name);
  if (temporary_.size() >= temporary_max) {  // and some that nobody knows
    co_return std::unexpected(guard_.refuse(
        session_, *held,
        without_approval(*held, {},
                         "this session has too many temporary relations to ask for an "
                         "approval",
                         "drop some, or ask in a new session")));
  }
  approval::Desk& desk = *guard_.approvals();
  const bool list = held->decision.hold->kind == "list";
  const bool several = asked.analysis->statements.size() > 1;
  if (list && !several) {
    auto next = desk.next_of_list(session_, held->command, bound);
    if (next && *next) {
      asked.good_until = (*next)->ends_at;
      co_return co_await guard_.authorize_approved(session_, std::move(held->command), **next);
    }
  }
  auto known = desk.asked(session_, held->command, *held->decision.hold, bound);
  auto request = known && *known ? Result<approval::Request>(std::move(**known))
                                 : Result<approval::Request>(fail(Errc::denied, ""));
  if (known && !*known) {
    // The client has to wait for people anyway; they, and not it, get to know how much it would
    // touch.
    approval::Desk::View view{.shown = readable_ones(held->command.parameters, types)};
    if (list && several) {
      auto items = co_await items_of(*held, asked, bound);
      if (!items) co_return std::unexpected(guard_.refuse(session_, *held, items.error()));
      view.items = std::move(*items);
    }
    if (target_ != nullptr) {
      view.estimate = co_await catalogs_.estimate(
          target_, parser_,
          {.database = place_.database,
           .names = {.path = place_.search_path, .temporary = temporary_},
           .command = held->command,
           .types = types});
    }
    request = desk.ask(session_, held->command, *held->decision.hold, bound, std::move(view));
  }
  if (!request) {
    const std::string& why = known ? request.error().detail : known.error().detail;
    co_return std::unexpected(guard_.refuse(
        session_, *held,
        without_approval(*held, {}, "approval cannot be asked for: " + why, "try again later")));
  }
  if (list && several) co_return std::unexpected(asked_as_list(*held, *request));
  co_return co_await wait_for(*request, std::move(*held), asked, types);
}

/// What each statement of a list is known by when it comes alone, but for those that need nobody.
Task<std::expected<std::vector<std::string>, Refusal>> Conversation::items_of(
    const HeldCommand& held, const Asked& asked, const std::vector<std::string>& bound) {
  std::vector<std::string> items;
  const std::string text = held.command.text;
  const auto not_one = [&](std::size_t number, const std::string& why) {
    return std::unexpected(
        without_approval(held, {}, fmt::format("statement {} cannot be in a list: {}", number, why),
                         "ask for it alone"));
  };
  const std::shared_ptr<const sql::Analysis> analysis = asked.analysis;
  if (analysis->statements.size() > list_statements_max) {
    co_return not_one(list_statements_max + 1,
                      fmt::format("a list has at most {}", list_statements_max));
  }
  for (std::size_t i = 0; i < analysis->statements.size(); ++i) {
    if (i % list_statements_per_turn == 0) co_await net::Reactor::current().yield();
    const sql::Statement& statement = analysis->statements[i];
    Asked one = co_await ask("query", text.substr(statement.offset, statement.length));
    if (one.refusal) co_return not_one(i + 1, one.refusal->reason);
    if (!one.named.empty()) co_return not_one(i + 1, "what it runs has a name");
    const Decision decision =
        guard_.policies()->decide(session_, one.command, guard_.clock().now());
    if (decision.verdict == Verdict::allow) continue;
    if (decision.verdict == Verdict::deny) co_return not_one(i + 1, decision.reason);
    if (decision.hold->kind != "list") {
      co_return not_one(i + 1, "the policies want an approval of its own for it");
    }
    items.push_back(approval::hash_of(session_, one.command, "list", bound));
  }
  co_return items;
}

/// A text of several statements asks for a list, and is never run as one.
Refusal Conversation::asked_as_list(const HeldCommand& held, const approval::Request& request) {
  const bool approved = request.state == approval::State::approved;
  return guard_.refuse(
      session_, held,
      without_approval(held, request,
                       approved ? "these statements are approved as a list"
                                : "an approval of these statements as a list is asked for",
                       approved ? "run them one by one, in their order"
                                : "run them one by one once it is approved: " + how_to(request)));
}

Task<std::expected<Permit, Refusal>> Conversation::wait_for(
    const approval::Request& made, HeldCommand held, Asked& asked,
    const std::vector<std::uint32_t>& types) {
  approval::Desk& desk = *guard_.approvals();
  net::Reactor& reactor = net::Reactor::current();
  // The watch may outlive this conversation in another thread's hands.
  struct Told {
    Conversation* conversation;
    bool changed = false;
  };
  const auto told_of = std::make_shared<Told>(this);
  const auto watch = desk.watch(made.id, reactor.poster(), [weak = std::weak_ptr<Told>(told_of)] {
    const auto found = weak.lock();
    if (!found) return;
    found->changed = true;
    found->conversation->progress_.notify();
  });
  if (!watch) {
    co_return std::unexpected(guard_.refuse(
        session_, held,
        without_approval(held, made, "too many sessions wait for this approval already",
                         "run it again once it is approved: " + how_to(made))));
  }
  const SteadyTime deadline = reactor.now() + options_.approval_s_max;
  struct NoLonger {
    Waiting& waiting;
    ~NoLonger() { waiting = Waiting::no; }
  } const no_longer{waiting_};
  waiting_ = Waiting::yes;
  bool told = false;
  Result<std::optional<approval::Request>> found = desk.find(made.id);
  SteadyTime looked = reactor.now();
  while (true) {
    if (std::exchange(told_of->changed, false) || reactor.now() - looked >= look_at_store ||
        (found && *found && guard_.clock().now() >= (*found)->ends_at)) {
      found = desk.find(made.id);
      looked = reactor.now();
    }
    if (!found || !*found) {
      co_return std::unexpected(
          guard_.refuse(session_, held,
                        without_approval(held, made, "the request for approval cannot be read",
                                         "try again later")));
    }
    const approval::Request& request = **found;
    const std::string who = request.closed_by.empty() ? "" : " by " + request.closed_by;
    if (waiting_ == Waiting::cancelled) {
      (void)desk.withdraw(request.id, session_.chain.to_string());
      Refusal refusal = without_approval(
          held, request, "the statement was cancelled, and its request with it", "");
      refusal.kind = Refusal::Kind::cancelled;
      co_return std::unexpected(guard_.refuse(session_, held, std::move(refusal)));
    }
    // Nobody is there to see the answer: whoever asks again finds the request as it is, and the
    // approval unused.
    if (told && !ended_ && client_.peer_gone()) {
      stop("client", "left while waiting for an approval");
    }
    if (ended_) co_return std::unexpected(not_yet(held, request));
    switch (request.state) {
      case approval::State::approved:
        asked.good_until = request.ends_at;
        if (told) {
          if (auto why = co_await masked_otherwise(held, asked, types)) {
            co_return std::unexpected(guard_.refuse(session_, held.command, std::move(*why)));
          }
        }
        co_return co_await guard_.authorize_approved(session_, std::move(held.command), request);
      case approval::State::pending:
        break;
      case approval::State::denied:
      case approval::State::expired:
      case approval::State::cancelled:
      case approval::State::consumed:
      case approval::State::lapsed:
      case approval::State::revoked:
        co_return std::unexpected(guard_.refuse(
            session_, held,
            without_approval(held, request,
                             "the request for approval is " +
                                 std::string(approval::to_string(request.state)) + who,
                             how_to(request) + " says more")));
    }
    if (!std::exchange(told, true)) {
      ByteVector notice;
      append_notice(notice, {.severity = "NOTICE",
                             .sqlstate = "00000",
                             .message = "waiting for approval: " + held.decision.reason,
                             .detail = "request=" + request.id,
                             .hint = how_to(request) + " shows it; Ctrl-C cancels it"});
      answer_locally(std::move(notice), false);
      if (auto flushed = co_await flush_client(); !flushed) stop("client", flushed.error().detail);
    }
    if (ended_ || reactor.now() >= deadline) co_return std::unexpected(not_yet(held, request));
    (void)co_await progress_.wait_until(std::min(deadline, reactor.now() + look_at_client));
  }
}

Refusal Conversation::not_yet(const HeldCommand& held, const approval::Request& request) {
  return guard_.refuse(session_, held,
                       without_approval(held, request, "nobody has approved it yet",
                                        "run it again once it is approved: " + how_to(request)));
}

/// Why what was worked out before the wait may not be sent any more: tables and masks change.
Task<std::optional<Refusal>> Conversation::masked_otherwise(
    HeldCommand& held, Asked& asked, const std::vector<std::uint32_t>& types) {
  asked.command = std::move(held.command);
  asked.command.policy_epoch = guard_.policies()->epoch();
  if (needs_protection(asked)) {
    const bool looked_at = asked.understood;
    const bool guarded = asked.shield != nullptr;
    const std::string sent = asked.replaced_sql.empty() ? asked.command.text : asked.replaced_sql;
    asked.replaced_sql.clear();
    co_await protect(asked, &sent);
    if (!asked.refusal) check_settings_read(asked, types);
    if (!asked.refusal && (!looked_at || (asked.shield != nullptr && !guarded))) {
      // Where nothing was protected much was let through that is refused where something is: a
      // cursor of code that nobody saw, say.
      asked.refusal = not_analysed("what is masked for you has changed since this was asked");
    }
  }
  limit(asked);
  held.command = std::move(asked.command);
  if (asked.refusal) asked.refusal->hint = "run it again: the approval is still there";
  co_return std::exchange(asked.refusal, std::nullopt);
}

bool Conversation::cancel_waiting() {
  if (waiting_ != Waiting::yes) return false;
  waiting_ = Waiting::cancelled;
  progress_.notify();
  return true;
}

}  // namespace sallyport::postgres

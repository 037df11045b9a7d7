#include "approval/desk.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/log.h"
#include "base/metrics.h"

namespace sallyport::approval {
namespace {

constexpr std::size_t listed_max = 200;
constexpr std::size_t reason_bytes_max = 1000;
constexpr std::size_t id_bytes = 10;

metrics::Counter& counter(std::string_view event) {
  return metrics::counter("sallyport_approvals_total", "Requests for approval, by what happened.",
                          {{"event", std::string(event)}});
}

/// What a state becomes when its time is up.
State ended(State state) {
  return state == State::pending ? State::expired : State::lapsed;
}

}  // namespace

Desk::Desk(store::Database& database, const Clock& clock, Random& random, Notice notice,
           StillCounts still_counts, DeskOptions options)
    : store_(database),
      clock_(clock),
      random_(random),
      notice_(std::move(notice)),
      still_counts_(std::move(still_counts)),
      options_(options) {}

Result<Request> Desk::load(store::ApprovalRow row) {
  auto request = request_from_body(row.body);
  if (!request) return fail(request, row.id);
  auto state = state_from(row.state);
  if (!state) return fail(Errc::malformed, "approval " + row.id + " is in no known state");
  const WallTime now = clock_.now();
  // Nobody sees what has ended as if it had not, also before sweep() has noticed.
  if (!is_final(*state) && row.ends_at <= now) state = ended(*state);
  request->id = std::move(row.id);
  request->hash = std::move(row.hash);
  request->state = *state;
  request->created_at = row.created_at;
  request->ends_at = row.ends_at;
  request->closed_by = std::move(row.closed_by);
  request->uses_left = row.uses_left;
  auto votes = store_.votes(request->id);
  if (!votes) return fail(votes);
  for (store::VoteRow& vote : *votes) {
    auto credential = identity::credential_from_json(vote.credential);
    if (!credential) return fail(credential, "a vote on " + request->id);
    request->votes.push_back({.voter = std::move(vote.voter),
                              .name = std::move(vote.name),
                              .credential = std::move(*credential),
                              .approve = vote.approve,
                              .reason = std::move(vote.reason),
                              .address = std::move(vote.address),
                              .at = vote.at});
  }
  return request;
}

Request Desk::made_of(const Session& session, const Command& command, const Hold& hold,
                      const std::vector<std::string>& bound) const {
  return {.tenant = session.tenant,
          .protocol = session.protocol,
          .connection = session.connection,
          .database = session.database,
          .requester = {.chain = session.chain, .authentication = session.authentication},
          .hash = hash_of(session, command, hold.kind, bound),
          .kind = hold.kind,
          .text = command.text,
          .parameters = command.parameters,
          .bound = bound,
          .actions = command.actions,
          .safeguards = command.safeguards,
          .routes = hold.routes,
          .uses_left = hold.kind == "window" ? options_.window_uses_max : 1};
}

/// With changing_ held. Those that other people would have to approve by now are ended.
Result<std::optional<Request>> Desk::open_one(const Request& request) {
  auto open = store_.open_for(request.hash);
  if (!open) return fail(open);
  for (store::ApprovalRow& row : *open) {
    auto known = load(std::move(row));
    if (!known) return fail(known);
    if (is_final(known->state)) continue;
    if (known->routes == request.routes) return std::move(*known);
    // What was said is of no use any more.
    const State to = known->state == State::pending ? State::cancelled : State::revoked;
    auto moved =
        store_.move(known->id, to_string(known->state), to_string(to), clock_.now(), "policies");
    if (!moved) return fail(moved);
  }
  return std::nullopt;
}

Result<void> Desk::room_for(const std::string& requester) {
  const WallTime now = clock_.now();
  auto recent = store_.count_since(requester, now - std::chrono::hours(1));
  if (!recent) return fail(recent);
  if (*recent >= options_.hourly_per_requester_max) {
    return fail(Errc::too_large, "too many requests for approval within an hour");
  }
  auto pending = store_.count(requester, to_string(State::pending), now);
  if (!pending) return fail(pending);
  if (*pending >= options_.pending_per_requester_max) {
    return fail(Errc::too_large, "too many requests for approval wait already");
  }
  return ok();
}

Result<std::optional<Request>> Desk::asked(const Session& session, const Command& command,
                                           const Hold& hold,
                                           const std::vector<std::string>& bound) {
  if (hold.routes.empty()) return fail(Errc::denied, "nobody may approve it");
  const Request request = made_of(session, command, hold, bound);
  const std::lock_guard lock(changing_);
  auto open = open_one(request);
  if (!open || *open) return open;
  if (auto room = room_for(key_of(session.chain)); !room) return fail(room);
  return std::nullopt;
}

Result<Request> Desk::ask(const Session& session, const Command& command, const Hold& hold,
                          const std::vector<std::string>& bound, View view) {
  if (hold.routes.empty()) return fail(Errc::denied, "nobody may approve it");
  Request request = made_of(session, command, hold, bound);
  request.estimate = std::move(view.estimate);
  request.shown = std::move(view.shown);
  request.items = std::move(view.items);
  if (!request.items.empty()) request.uses_left = static_cast<std::int64_t>(request.items.size());
  const std::string requester = key_of(session.chain);
  std::string body = body_of(request);
  if (body.size() > options_.request_bytes_max) {
    return fail(Errc::too_large, "it is longer than anybody would read");
  }
  const WallTime now = clock_.now();
  {
    const std::lock_guard lock(changing_);
    auto open = open_one(request);
    if (!open) return fail(open);
    if (*open) return std::move(**open);
    if (auto purged = store_.purge(now - options_.kept); !purged) return fail(purged);
    if (auto room = room_for(requester); !room) return fail(room);
    request.id = "apr_" + random_hex(random_, id_bytes);
    request.created_at = now;
    request.ends_at = request.created_at + options_.pending_s;
    auto added = store_.add({.id = request.id,
                             .hash = request.hash,
                             .requester = requester,
                             .state = std::string(to_string(request.state)),
                             .body = std::move(body),
                             .created_at = request.created_at,
                             .ends_at = request.ends_at,
                             .closed_by = "",
                             .uses_left = request.uses_left});
    if (!added) return fail(added);
  }
  tell("requested", request, session.chain.to_string());
  return request;
}

void Desk::sweep() {
  std::vector<Request> ended_now;
  {
    const std::lock_guard lock(changing_);
    auto rows = store_.overdue(clock_.now(), listed_max);
    if (!rows) return log::error("approvals not swept", {{"detail", rows.error().detail}});
    for (store::ApprovalRow& row : *rows) {
      const std::string id = row.id;
      const std::optional<State> state = state_from(row.state);
      const WallTime at = row.ends_at;
      if (!state) continue;
      auto moved = store_.move(id, to_string(*state), to_string(ended(*state)), at);
      if (!moved || !*moved) continue;
      if (auto request = load(std::move(row))) ended_now.push_back(std::move(*request));
    }
  }
  for (const Request& request : ended_now) tell(to_string(request.state), request, "");
}

std::optional<Approval> Desk::approval_of(const Request& request, const std::vector<Route>& routes,
                                          const Command& command) const {
  if (request.state != State::approved || request.ends_at <= clock_.now()) return std::nullopt;
  std::vector<Vote> votes = request.votes;
  std::erase_if(votes, [&](const Vote& vote) { return !still_counts_(request, vote); });
  if (votes_missing(routes, votes) > 0) return std::nullopt;
  Approval approval{.id = request.id, .kind = request.kind, .expires = request.ends_at};
  for (const Vote& vote : votes) {
    if (vote.approve) approval.approvers.push_back(vote.voter);
  }
  approval.quorum = static_cast<std::uint32_t>(approval.approvers.size());
  // That all else is the same, the request's own hash has told.
  approval.bound_hash = approval_hash(command.context);
  return approval;
}

Result<std::optional<Request>> Desk::next_of_list(const Session& session, const Command& command,
                                                  const std::vector<std::string>& bound) {
  const std::string hash = hash_of(session, command, "list", bound);
  auto rows = store_.of(key_of(session.chain), to_string(State::approved), listed_max);
  if (!rows) return fail(rows);
  for (store::ApprovalRow& row : *rows) {
    auto request = load(std::move(row));
    if (!request) return fail(request);
    if (request->state != State::approved || request->uses_left <= 0) continue;
    const auto left = static_cast<std::size_t>(request->uses_left);
    const std::vector<std::string>& items = request->items;
    if (left <= items.size() && items[items.size() - left] == hash) return std::move(*request);
  }
  return std::nullopt;
}

Result<bool> Desk::use(const Request& request) {
  const std::optional<std::int64_t> left =
      request.items.empty() ? std::nullopt : std::optional(request.uses_left);
  auto used = store_.use(request.id, to_string(State::approved), to_string(State::consumed),
                         clock_.now(), left);
  if (!used || !*used) return used;
  auto after = find(request.id);
  if (after && *after) tell("used", **after, (*after)->requester.chain.to_string());
  return true;
}

Result<std::optional<Request>> Desk::find(std::string_view id) {
  auto row = store_.find(id);
  if (!row) return fail(row);
  if (!*row) return std::nullopt;
  auto request = load(std::move(**row));
  if (!request) return fail(request);
  return std::move(*request);
}

Result<Request> Desk::existing(std::string_view id) {
  auto found = find(id);
  if (!found) return fail(found);
  if (!*found) return fail(Errc::denied, "there is no such request");
  return std::move(**found);
}

Result<std::vector<Request>> Desk::list(std::optional<State> state, bool all_states) {
  std::vector<std::string> states;
  if (state) states = {std::string(to_string(*state))};
  if (!state && !all_states) states = {"pending", "approved"};
  auto rows = store_.list(states, listed_max);
  if (!rows) return fail(rows);
  std::vector<Request> all;
  for (store::ApprovalRow& row : *rows) {
    const std::string id = row.id;
    auto request = load(std::move(row));
    if (!request) {  // one that cannot be read must not hide the others
      log::error("approval not readable", {{"request", id}, {"detail", request.error().detail}});
      continue;
    }
    if (state && request->state != *state) continue;  // its time was up meanwhile
    all.push_back(std::move(*request));
  }
  return all;
}

Result<Request> Desk::vote(std::string_view id, const identity::Credential& voter, bool approve,
                           const std::string& reason, const std::string& address) {
  const Identity& who = voter.chain.subject();
  Vote cast{.voter = who.id,
            .name = who.display_name,
            .credential = voter,
            .approve = approve,
            .reason = reason,
            .address = address,
            .at = clock_.now()};
  cut(cast.reason, reason_bytes_max);
  std::optional<Request> after;
  std::string_view event;
  {
    const std::lock_guard lock(changing_);
    auto request = existing(id);
    if (!request) return fail(request);
    if (std::string why = why_not_entitled(*request, voter); !why.empty()) {
      return fail(Errc::denied, std::move(why));
    }
    if (request->state != State::pending) {
      return fail(Errc::denied, "it is " + std::string(to_string(request->state)) + " already");
    }
    // Under another id of theirs too.
    const bool before = std::ranges::any_of(request->votes, [&](const Vote& vote) {
      return is_same(vote.credential.chain.subject(), who);
    });
    if (before) return fail(Errc::denied, "you have voted on it before");
    request->votes.push_back(cast);
    event = !approve ? "denied" : request->votes_missing() == 0 ? "approved" : "voted";
    // What is not on record does not count.
    if (options_.record_vote) {
      auto recorded = options_.record_vote(event, *request, who.id);
      if (!recorded) return fail(recorded, "the vote cannot be recorded");
    }
    auto counted = store_.vote({.request = request->id,
                                .voter = cast.voter,
                                .name = cast.name,
                                .credential = identity::to_json(voter),
                                .approve = approve,
                                .reason = cast.reason,
                                .address = cast.address,
                                .at = cast.at});
    if (!counted) return fail(counted);
    if (!*counted) return fail(Errc::denied, "you have voted on it before");
    if (event == "denied") {
      auto moved = store_.move(id, "pending", "denied", clock_.now(), who.id);
      if (!moved) return fail(moved);
    } else if (event == "approved") {
      // No longer than the credential of who asked.
      const WallTime expires = request->requester.authentication.expires_at;
      WallTime until = clock_.now() + request->ttl();
      if (expires != WallTime{}) until = std::min(until, expires);
      auto moved = store_.move(id, "pending", "approved", until);
      if (!moved) return fail(moved);
    }
    auto last = existing(id);
    if (!last) return fail(last);
    after = std::move(*last);
  }
  tell(event, *after, who.id);
  return std::move(*after);
}

Result<Request> Desk::withdraw(std::string_view id, const std::string& who) {
  std::optional<Request> after;
  {
    const std::lock_guard lock(changing_);
    auto request = existing(id);
    if (!request) return fail(request);
    if (is_final(request->state)) {
      return fail(Errc::denied, "it is " + std::string(to_string(request->state)) + " already");
    }
    const State to = request->state == State::pending ? State::cancelled : State::revoked;
    auto moved = store_.move(id, to_string(request->state), to_string(to), clock_.now(), who);
    if (!moved) return fail(moved);
    if (!*moved) return fail(Errc::denied, "it has just been used");
    auto last = existing(id);
    if (!last) return fail(last);
    after = std::move(*last);
  }
  tell(to_string(after->state), *after, who);
  return std::move(*after);
}

std::optional<Desk::Watch> Desk::watch(std::string id, net::Poster poster,
                                       std::function<void()> changed) {
  const std::lock_guard lock(watchers_mutex_);
  auto& of_it = watchers_[id];
  if (of_it.size() >= options_.waiters_max) return std::nullopt;
  const std::uint64_t number = next_watcher_++;
  of_it.emplace(number, Watcher{std::move(poster), std::move(changed)});
  return Watch(*this, std::move(id), number);
}

void Desk::unwatch(const std::string& id, std::uint64_t number) {
  const std::lock_guard lock(watchers_mutex_);
  const auto found = watchers_.find(id);
  if (found == watchers_.end()) return;
  found->second.erase(number);
  if (found->second.empty()) watchers_.erase(found);
}

void Desk::tell(std::string_view event, const Request& request, const std::string& who) {
  counter(event).add();
  log::info("approval", {{"event", event},
                         {"request", request.id},
                         {"state", to_string(request.state)},
                         {"who", who},
                         {"connection", request.connection}});
  if (notice_) notice_(event, request, who);
  const std::lock_guard lock(watchers_mutex_);
  const auto found = watchers_.find(request.id);
  if (found == watchers_.end()) return;
  for (const auto& [number, watcher] : found->second) watcher.poster.post(watcher.changed);
}

}  // namespace sallyport::approval

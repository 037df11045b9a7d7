#include "guard/guard.h"

#include "approval/desk.h"
#include "base/check.h"
#include "base/log.h"
#include "base/metrics.h"
#include "core/resource_id.h"
#include "policy/decision_cache.h"
#include "policy/policies.h"

namespace sallyport {
namespace {

metrics::Counter& decisions(std::string_view verdict) {
  return metrics::counter("sallyport_commands_total", "Commands that were decided, by verdict.",
                          {{"verdict", std::string(verdict)}});
}

constexpr std::size_t refused_text_bytes_max = 64 * 1024;
constexpr std::size_t reason_bytes_max = 1024;

struct Metrics {
  metrics::Counter& allowed = decisions("allow");
  metrics::Counter& denied = decisions("deny");
  metrics::Counter& held = decisions("hold");
  metrics::Counter& approved = decisions("approved");
  metrics::Counter& not_analysed = decisions("not_analysed");
  metrics::Counter& not_recorded = decisions("not_recorded");
  metrics::Counter& expired = decisions("expired");
  metrics::Counter& revoked = decisions("revoked");
  metrics::Counter& alerts = metrics::counter(
      "sallyport_alerts_total", "Invariants that did not hold; the log and the ledger say which.");
  metrics::Counter& broken_glass =
      metrics::counter("sallyport_break_glass_total", "Sessions that began under break-glass.");
  metrics::Counter& logins_refused = metrics::counter(
      "sallyport_logins_refused_total", "Clients turned away before they had a session.");
};

Metrics& counters() {
  static Metrics metrics;
  return metrics;
}

Refusal not_recorded(const Error& error) {
  counters().not_recorded.add();
  log::error("command refused: the ledger cannot record it", {{"detail", error.detail}});
  return {.kind = Refusal::Kind::not_recorded,
          .reason = "the gateway cannot record this command, so it was not run",
          .policy = "",
          .hint = "try again; if it goes on, tell the operator of the gateway"};
}

Refusal refusal_of(const Decision& decision) {
  Refusal refusal{
      .kind = Refusal::Kind::policy, .reason = decision.reason, .policy = "", .hint = ""};
  if (decision.verdict == Verdict::hold && decision.hold) {
    refusal.policy = decision.hold->routes.front().policy;
    refusal.hint = "this gateway asks nobody for approvals, so the command was not run";
  } else if (const Answer* const no = decision.refused(); no != nullptr && !no->policies.empty()) {
    refusal.policy = no->policies.front();
  }
  return refusal;
}

}  // namespace

Permit::Permit(Guard& guard, Held held)
    : guard_(&guard), held_(std::make_unique<Held>(std::move(held))) {
  ++guard.permits_open_;
}

Permit::Permit(Permit&& other) noexcept
    : guard_(std::exchange(other.guard_, nullptr)), held_(std::move(other.held_)) {}

Permit::~Permit() {
  if (guard_ != nullptr) guard_->abandon(*this);
}

Guard::Guard(std::shared_ptr<const policy::Policies> policies, Ledger& ledger, const Clock& clock,
             GuardOptions options)
    : policies_(std::move(policies)), ledger_(ledger), clock_(clock), options_(options) {
  SALLYPORT_CHECK(policies_.load() != nullptr);
}

Guard::~Guard() = default;

void Guard::use(std::shared_ptr<const policy::Policies> policies) {
  SALLYPORT_CHECK(policies != nullptr);
  policies_.store(std::move(policies));
}

std::shared_ptr<const policy::Policies> Guard::policies() const {
  return policies_.load();
}

std::optional<std::string> Guard::revoked(const Session& session) const {
  return options_.revoked ? options_.revoked(session) : std::nullopt;
}

std::optional<std::string> Guard::must_end(const Session& session) const {
  if (auto why = revoked(session)) return why;
  Command connect;
  connect.kind = "connect";
  connect.actions = {{.name = "connect",
                      .resource = {.type = "Connection", .id = resource_id({session.connection})}}};
  const Decision decision = policies()->decide(session, connect, clock_.now());
  if (decision.verdict == Verdict::deny) return decision.reason;
  return std::nullopt;
}

bool Guard::may_write(const Session& session) const {
  return policies()->may_write(session);
}

Task<std::expected<Permit, Refusal>> Guard::open(const Session& session, Command connect) {
  auto started = ledger_.append({.kind = ledger::RecordKind::session_start,
                                 .session = session.id,
                                 .payload = ledger::session_start_payload(session)});
  if (!started) co_return std::unexpected(not_recorded(started.error()));
  if (!session.break_glass) co_return co_await authorize(session, std::move(connect));
  const Decision decision = policies()->decide(session, connect, clock_.now());
  auto permit = co_await authorize(session, std::move(connect));
  if (!permit) co_return permit;
  std::vector<std::string> let_it;
  for (const Answer& answer : decision.answers) {
    let_it.insert(let_it.end(), answer.policies.begin(), answer.policies.end());
  }
  auto told = options_.break_glass ? options_.break_glass(session, let_it)
                                   : Result<void>(fail(Errc::unavailable, "nobody would be told"));
  if (told) {
    counters().broken_glass.add();
    co_return permit;
  }
  log::error("break-glass refused", {{"session", session.id}, {"detail", told.error().detail}});
  (void)settle(std::move(*permit), {.failed = true, .error = told.error().detail});
  co_return std::unexpected(Refusal{.kind = Refusal::Kind::not_recorded,
                                    .reason = "break-glass is not possible: " + told.error().detail,
                                    .policy = "",
                                    .hint = "tell the operator of the gateway"});
}

Task<std::expected<Permit, Refusal>> Guard::authorize(const Session& session, Command command,
                                                      policy::DecisionCache* cache,
                                                      std::optional<HeldCommand>* held) {
  const SteadyTime started = clock_.steady();
  const WallTime now = clock_.now();
  const std::shared_ptr<const policy::Policies> in_force = policies();
  if (auto why = outdated(session, command, *in_force, now)) {
    co_return std::unexpected(std::move(*why));
  }
  const std::shared_ptr<const Decision> decision =
      cache != nullptr ? cache->decide(in_force, session, command, now)
                       : std::make_shared<const Decision>(in_force->decide(session, command, now));
  if (decision->verdict == Verdict::hold && held != nullptr && options_.approvals != nullptr) {
    *held = HeldCommand{.command = std::move(command), .decision = *decision};
    co_return std::unexpected(Refusal());
  }
  if (decision->verdict != Verdict::allow) {
    co_return std::unexpected(refuse(session, command, *decision, refusal_of(*decision)));
  }
  auto permit = record(session, std::move(command), *decision, started);
  if (!permit || permit->command().read_only) co_return permit;
  co_return co_await on_disk(std::move(*permit));
}

Task<std::expected<Permit, Refusal>> Guard::authorize_preparation(const Session& session,
                                                                  Command command,
                                                                  policy::DecisionCache* cache) {
  std::optional<HeldCommand> held;
  const SteadyTime started = clock_.steady();
  auto permit = co_await authorize(session, std::move(command), cache, &held);
  if (!held) co_return permit;
  // A Parse runs nothing, so its record need not be on disk before it goes.
  co_return record(session, std::move(held->command), held->decision, started);
}

Task<std::expected<Permit, Refusal>> Guard::authorize_approved(const Session& session,
                                                               Command command,
                                                               const approval::Request& request) {
  const SteadyTime started = clock_.steady();
  const WallTime now = clock_.now();
  const std::shared_ptr<const policy::Policies> in_force = policies();
  if (auto why = outdated(session, command, *in_force, now)) {
    co_return std::unexpected(std::move(*why));
  }
  cedar::Scratch scratch;
  const Decision without = in_force->decide(session, command, now, scratch);
  // Who has to say yes is for the policies of now to say, not for those that it was asked under.
  const bool still_asked = without.hold && without.hold->kind == request.kind;
  const auto approval =
      still_asked ? options_.approvals->approval_of(request, without.hold->routes, command)
                  : std::nullopt;
  Refusal refusal{.kind = Refusal::Kind::policy,
                  .reason = "the approval is no longer there",
                  .policy = "",
                  .hint = "run it again to ask once more"};
  if (!approval) co_return std::unexpected(refuse(session, command, without, refusal));
  Decision decision = in_force->decide(session, command, now, scratch, &*approval);
  decision.approval = request.id;
  if (decision.verdict != Verdict::allow) {
    co_return std::unexpected(refuse(session, command, decision, refusal_of(decision)));
  }
  const auto used = options_.approvals->use(request);
  if (!used) {
    log::error("approval not used", {{"request", request.id}, {"detail", used.error().detail}});
  }
  if (!used || !*used) {
    co_return std::unexpected(refuse(session, command, decision, std::move(refusal)));
  }
  counters().approved.add();
  auto permit = record(session, std::move(command), decision, started);
  if (!permit || permit->command().read_only) co_return permit;
  co_return co_await on_disk(std::move(*permit));
}

std::optional<Refusal> Guard::outdated(const Session& session, const Command& command,
                                       const policy::Policies& in_force, WallTime now) {
  if (command.policy_epoch != 0 && command.policy_epoch != in_force.epoch()) {
    return refuse(session, command,
                  {.kind = Refusal::Kind::not_analysed,
                   .reason = "the policies changed while this was decided",
                   .policy = "",
                   .hint = "try again"});
  }
  if (auto revocation = revoked(session)) {
    counters().revoked.add();
    return refuse(session, command,
                  {.kind = Refusal::Kind::session,
                   .reason = std::move(*revocation),
                   .policy = "",
                   .hint = "log in again (`sallyport login`) and reconnect"});
  }
  const WallTime expires = session.authentication.expires_at;
  if (expires == WallTime{} || now < expires) return std::nullopt;
  counters().expired.add();
  return refuse(session, command,
                {.kind = Refusal::Kind::session,
                 .reason = "the credential that started this session has expired",
                 .policy = "",
                 .hint = "log in again (`sallyport login`) and reconnect"});
}

std::expected<Permit, Refusal> Guard::record(const Session& session, Command command,
                                             const Decision& decision, SteadyTime started) {
  auto sequence = ledger_.append({.kind = ledger::RecordKind::command,
                                  .session = session.id,
                                  .payload = ledger::command_payload(session, command, decision)},
                                 commit_of(command));
  if (!sequence) return std::unexpected(not_recorded(sequence.error()));
  counters().allowed.add();
  // From here on the record has its outcome, whatever happens.
  return Permit(*this, {.session = session.id,
                        .sequence = *sequence,
                        .command = std::move(command),
                        .started = started});
}

Task<std::expected<Permit, Refusal>> Guard::on_disk(Permit permit) {
  auto durable = co_await ledger_.durable(permit.sequence());
  if (durable) co_return std::move(permit);
  (void)settle(std::move(permit), {.failed = true, .error = "not recorded, not sent"});
  co_return std::unexpected(not_recorded(durable.error()));
}

Refusal Guard::refuse(const Session& session, const Command& command, const Decision& decision,
                      Refusal refusal) {
  (decision.verdict == Verdict::hold ? counters().held : counters().denied).add();
  auto recorded =
      ledger_.append({.kind = ledger::RecordKind::refusal,
                      .session = session.id,
                      .payload = ledger::refusal_payload(session, command, decision, refusal)});
  // Refused it is either way; that it could not be recorded is for the operator.
  if (!recorded) (void)not_recorded(recorded.error());
  return refusal;
}

Refusal Guard::refuse(const Session& session, const HeldCommand& held, Refusal refusal) {
  Command command = held.command;
  cut(command.text, refused_text_bytes_max);
  return refuse(session, command, held.decision, std::move(refusal));
}

Refusal Guard::refuse_understood(const Session& session, const Command& command, Refusal refusal,
                                 policy::DecisionCache* cache) {
  const auto decision = safeguards(session, command.context, command.actions, cache);
  if (decision->verdict != Verdict::allow)
    return refuse(session, command, *decision, refusal_of(*decision));
  return refuse(session, command, std::move(refusal));
}

/// Nobody waits for the disk on account of a read whose answer waits for the kernel only.
ledger::Commit Guard::commit_of(const Command& command) const {
  const bool waits = !command.read_only || options_.reads == GuardOptions::Reads::durable;
  return waits ? ledger::Commit::now : ledger::Commit::soon;
}

std::shared_ptr<const Decision> Guard::safeguards(const Session& session,
                                                  const CommandContext& context,
                                                  std::vector<Action> actions,
                                                  policy::DecisionCache* cache) const {
  Command command;
  command.context = context;
  command.actions = std::move(actions);
  const std::shared_ptr<const policy::Policies> in_force = policies();
  if (cache != nullptr) return cache->decide(in_force, session, command, clock_.now());
  return std::make_shared<const Decision>(in_force->decide(session, command, clock_.now()));
}

std::expected<Permit, Refusal> Guard::own(const std::string& event, const std::string& detail) {
  const SteadyTime started = clock_.steady();
  Command command;
  command.kind = "gateway";
  command.text = event + " " + detail;
  command.read_only = true;
  auto sequence =
      ledger_.append({.kind = ledger::RecordKind::gateway,
                      .session = "",
                      .payload = ledger::gateway_payload({.event = event, .detail = detail})},
                     ledger::Commit::soon);
  if (!sequence) return std::unexpected(not_recorded(sequence.error()));
  return Permit(
      *this,
      {.session = "", .sequence = *sequence, .command = std::move(command), .started = started});
}

void Guard::alert(const Session& session, const std::string& event, const std::string& detail) {
  counters().alerts.add();
  log::error(event, {{"session", session.id},
                     {"user", session.chain.to_string()},
                     {"connection", session.connection},
                     {"detail", detail}});
  auto recorded =
      ledger_.append({.kind = ledger::RecordKind::gateway,
                      .session = session.id,
                      .payload = ledger::gateway_payload({.event = event, .detail = detail})});
  if (!recorded) (void)not_recorded(recorded.error());
}

Refusal Guard::refuse(const Session& session, const Command& refused, Refusal refusal) {
  // Nothing of it will run: its beginning is enough, and a client may not fill the ledger with it.
  Command command = refused;
  cut(command.text, refused_text_bytes_max);
  cut(refusal.reason, reason_bytes_max);
  if (refusal.kind == Refusal::Kind::not_analysed) counters().not_analysed.add();
  auto recorded =
      ledger_.append({.kind = ledger::RecordKind::refusal,
                      .session = session.id,
                      .payload = ledger::refusal_payload(session, command, Decision{}, refusal)});
  if (!recorded) (void)not_recorded(recorded.error());
  return refusal;
}

Task<Result<void>> Guard::recorded(const Permit& permit) {
  // A command that is not read-only was durable before its Permit existed.
  if (!permit.command().read_only) co_return ok();
  if (options_.reads == GuardOptions::Reads::written) {
    co_return co_await ledger_.written(permit.sequence());
  }
  co_return co_await ledger_.durable(permit.sequence());
}

bool Guard::recorded_now(const Permit& permit) {
  if (!permit.command().read_only) return true;
  return options_.reads == GuardOptions::Reads::written ? ledger_.write_now(permit.sequence())
                                                        : ledger_.is_durable(permit.sequence());
}

Result<void> Guard::settle(Permit permit, const Outcome& outcome) {
  SALLYPORT_CHECK(permit.guard_ == this);
  permit.guard_ = nullptr;
  return append_outcome(permit, outcome);
}

void Guard::abandon(Permit& permit) noexcept {
  permit.guard_ = nullptr;
  try {
    (void)append_outcome(permit,
                         {.failed = true, .error = "the session ended before the command did"});
  } catch (...) {
    // Out of memory in a destructor: the missing outcome is itself what a reader will see.
    log::error("outcome not recorded", {{"command", permit.sequence()}});
  }
}

Result<void> Guard::append_outcome(Permit& permit, const Outcome& outcome) {
  --permits_open_;
  const auto duration = std::chrono::duration_cast<std::chrono::microseconds>(
      clock_.steady() - permit.held_->started);
  auto sequence =
      ledger_.append({.kind = ledger::RecordKind::outcome,
                      .session = permit.held_->session,
                      .payload = ledger::outcome_payload(permit.sequence(), outcome, duration)},
                     ledger::Commit::soon);
  if (!sequence) return fail(sequence, "recording an outcome");
  return ok();
}

void Guard::close(const Session& session, const ledger::SessionEnd& end) {
  auto sequence = ledger_.append({.kind = ledger::RecordKind::session_end,
                                  .session = session.id,
                                  .payload = ledger::session_end_payload(session, end)});
  if (!sequence) {
    log::error("session end not recorded",
               {{"session", session.id}, {"detail", sequence.error().detail}});
  }
}

Task<Result<void>> Guard::change(ledger::AdminChange change) {
  auto sequence = ledger_.append({.kind = ledger::RecordKind::admin_change,
                                  .session = "",
                                  .payload = ledger::admin_change_payload(change)});
  if (!sequence) co_return fail(sequence, "recording a change");
  co_return co_await ledger_.durable(*sequence);
}

void Guard::login_refused(const ledger::LoginRefused& refused) {
  counters().logins_refused.add();
  log::warn("login refused", {{"protocol", refused.protocol},
                              {"user", refused.user},
                              {"connection", refused.connection},
                              {"source", refused.source_ip},
                              {"reason", refused.reason}});
  auto sequence = ledger_.append({.kind = ledger::RecordKind::login_refused,
                                  .session = "",
                                  .payload = ledger::login_refused_payload(refused)});
  if (!sequence) {
    log::error("refused login not recorded", {{"detail", sequence.error().detail}});
  }
}

}  // namespace sallyport

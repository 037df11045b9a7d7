#include "guard/guard.h"

#include "base/check.h"
#include "base/log.h"
#include "base/metrics.h"
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

/// At most `bytes_max` and a mark, and still UTF-8.
void cut(std::string& text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return;
  while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xc0) == 0x80) --bytes_max;
  text.resize(bytes_max);
  text += "...";
}

struct Metrics {
  metrics::Counter& allowed = decisions("allow");
  metrics::Counter& denied = decisions("deny");
  metrics::Counter& held = decisions("hold");
  metrics::Counter& not_analysed = decisions("not_analysed");
  metrics::Counter& not_recorded = decisions("not_recorded");
  metrics::Counter& expired = decisions("expired");
  metrics::Counter& alerts = metrics::counter(
      "sallyport_alerts_total", "Invariants that did not hold; the log and the ledger say which.");
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
    // Until a command can wait for one, a lack of an approval is a no like any other.
    refusal.hint = "this gateway cannot ask for approvals yet, so the command was not run";
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

bool Guard::may_write(const Session& session) const {
  return policies()->may_write(session);
}

Task<std::expected<Permit, Refusal>> Guard::open(const Session& session, Command connect) {
  auto started = ledger_.append({.kind = ledger::RecordKind::session_start,
                                 .session = session.id,
                                 .payload = ledger::session_start_payload(session)});
  if (!started) co_return std::unexpected(not_recorded(started.error()));
  co_return co_await authorize(session, std::move(connect));
}

Task<std::expected<Permit, Refusal>> Guard::authorize(const Session& session, Command command,
                                                      policy::DecisionCache* cache) {
  const SteadyTime started = clock_.steady();
  auto sequence = decide_and_append(session, command, cache);
  if (!sequence) co_return std::unexpected(std::move(sequence.error()));
  // From here on the record has its outcome, whatever happens.
  Permit permit(*this, {.session = session.id,
                        .sequence = *sequence,
                        .command = std::move(command),
                        .started = started});
  if (!permit.command().read_only) {
    auto durable = co_await ledger_.durable(*sequence);
    if (!durable) {
      (void)settle(std::move(permit), {.failed = true, .error = "not recorded, not sent"});
      co_return std::unexpected(not_recorded(durable.error()));
    }
  }
  co_return std::move(permit);
}

std::expected<std::uint64_t, Refusal> Guard::decide_and_append(const Session& session,
                                                               const Command& command,
                                                               policy::DecisionCache* cache) {
  const WallTime now = clock_.now();
  if (session.authentication.expires_at != WallTime{} && now >= session.authentication.expires_at) {
    counters().expired.add();
    return std::unexpected(refuse(session, command,
                                  {.kind = Refusal::Kind::session,
                                   .reason = "the credential that started this session has expired",
                                   .policy = "",
                                   .hint = "log in again (`sallyport login`) and reconnect"}));
  }

  const std::shared_ptr<const policy::Policies> in_force = policies();
  if (command.safeguards_epoch != 0 && command.safeguards_epoch != in_force->epoch()) {
    return std::unexpected(refuse(session, command,
                                  {.kind = Refusal::Kind::not_analysed,
                                   .reason = "the policies changed while this was decided",
                                   .policy = "",
                                   .hint = "try again"}));
  }
  const std::shared_ptr<const Decision> decided =
      cache != nullptr ? cache->decide(in_force, session, command, now)
                       : std::make_shared<const Decision>(in_force->decide(session, command, now));
  const Decision& decision = *decided;
  if (decision.verdict != Verdict::allow) {
    return std::unexpected(deny(session, command, decision));
  }

  auto sequence = ledger_.append({.kind = ledger::RecordKind::command,
                                  .session = session.id,
                                  .payload = ledger::command_payload(session, command, decision)},
                                 commit_of(command));
  if (!sequence) return std::unexpected(not_recorded(sequence.error()));
  counters().allowed.add();
  return *sequence;
}

Refusal Guard::deny(const Session& session, const Command& command, const Decision& decision) {
  (decision.verdict == Verdict::hold ? counters().held : counters().denied).add();
  Refusal refusal = refusal_of(decision);
  auto recorded =
      ledger_.append({.kind = ledger::RecordKind::refusal,
                      .session = session.id,
                      .payload = ledger::refusal_payload(session, command, decision, refusal)});
  // Refused it is either way; that it could not be recorded is for the operator.
  if (!recorded) (void)not_recorded(recorded.error());
  return refusal;
}

Refusal Guard::refuse_understood(const Session& session, const Command& command, Refusal refusal,
                                 policy::DecisionCache* cache) {
  const auto decision = safeguards(session, command.context, command.actions, cache);
  if (decision->verdict != Verdict::allow) return deny(session, command, *decision);
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

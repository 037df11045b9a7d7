#include "identity/revocations.h"

#include <algorithm>

#include "base/log.h"

namespace sallyport::identity {
namespace {

/// Why the configuration does not know an identity as the credential says it is.
std::optional<std::string> stranger(const Directory& directory, const Identity& identity) {
  const auto issuer =
      std::ranges::find(directory.issuers, identity.issuer, &Directory::Issuer::url);
  if (issuer == directory.issuers.end()) return "the issuer of " + identity.id + " is not trusted";
  if (identity.kind == IdentityKind::agent) {
    const auto agent = std::ranges::find(issuer->agents, identity.subject, &Identity::subject);
    if (agent == issuer->agents.end()) return identity.id + " is no longer registered";
    if (agent->id != identity.id || agent->groups != identity.groups ||
        agent->owner != identity.owner || agent->attested != identity.attested) {
      return "what is known of " + identity.id + " has changed";
    }
    return std::nullopt;
  }
  if (identity.kind != IdentityKind::user || !issuer->users) return std::nullopt;
  const auto user = issuer->users->find(identity.subject);
  if (user == issuer->users->end()) return identity.id + " was deactivated";
  if (user->second != identity.groups) return "the groups of " + identity.id + " have changed";
  return std::nullopt;
}

}  // namespace

Revocations::Revocations(store::DelegationStore& delegations, store::LogoutStore& logouts,
                         const Clock& clock)
    : delegations_(delegations), logouts_(logouts), clock_(clock) {}

Result<std::unique_ptr<Revocations>> Revocations::open(store::DelegationStore& delegations,
                                                       store::LogoutStore& logouts,
                                                       const Clock& clock) {
  auto revoked = delegations.revoked(clock.now());
  if (!revoked) return fail(revoked);
  auto rows = logouts.all(clock.now());
  if (!rows) return fail(rows);
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->delegations.insert(revoked->begin(), revoked->end());
  for (const store::LogoutRow& row : *rows) note(*snapshot, row);
  std::unique_ptr<Revocations> made(new Revocations(delegations, logouts, clock));
  made->snapshot_.store(std::move(snapshot));
  return made;
}

std::optional<std::string> Revocations::problem(const Chain& chain,
                                                const Authentication& how) const {
  const auto now = snapshot_.load();
  if (!how.delegation.empty() && now->delegations.contains(how.delegation)) {
    return "the delegation was withdrawn";
  }
  if (!how.login_session.empty() && !now->sessions.empty() &&
      now->sessions.contains({chain.subject().issuer, how.login_session})) {
    return chain.subject().id + " has logged out";
  }
  for (const Identity& identity : chain.identities) {
    if (!now->subjects.empty()) {
      const auto logout = now->subjects.find({identity.issuer, identity.subject});
      const bool found = logout != now->subjects.end();
      if (found && (how.issued_at <= logout->second.everywhere ||
                    (how.login_session.empty() && how.issued_at <= logout->second.unnamed))) {
        return identity.id + " has logged out";
      }
    }
    if (!now->directory) continue;
    if (auto problem = stranger(*now->directory, identity)) return problem;
  }
  return std::nullopt;
}

void Revocations::note(Snapshot& snapshot, const store::LogoutRow& row) {
  const bool named = !row.login_session.empty();
  if (named) snapshot.sessions.insert({row.issuer, row.login_session});
  if (row.subject.empty()) return;
  auto& subject = snapshot.subjects[{row.issuer, row.subject}];
  WallTime& until = named ? subject.unnamed : subject.everywhere;
  until = std::max(until, row.at);
}

void Revocations::change(const std::function<void(Snapshot&)>& edit) {
  {
    const std::lock_guard lock(writing_);
    auto next = std::make_shared<Snapshot>(*snapshot_.load());
    edit(*next);
    snapshot_.store(std::move(next));
  }
  if (changed) changed();
}

void Revocations::use(Directory directory) {
  change([&](Snapshot& snapshot) { snapshot.directory = std::move(directory); });
}

Result<void> Revocations::log_out(const std::string& issuer, const std::string& subject,
                                  const std::string& login_session) {
  const store::LogoutRow row{
      .issuer = issuer, .subject = subject, .login_session = login_session, .at = clock_.now()};
  change([&](Snapshot& snapshot) { note(snapshot, row); });
  return logouts_.add(row, row.at);
}

Result<bool> Revocations::revoke_delegation(const std::string& id) {
  change([&](Snapshot& snapshot) { snapshot.delegations.insert(id); });
  return delegations_.revoke(id, clock_.now());
}

}  // namespace sallyport::identity

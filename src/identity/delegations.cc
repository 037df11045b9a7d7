#include "identity/delegations.h"

#include <algorithm>

namespace sallyport::identity {
namespace {

bool is_agent_of(const Identity& agent, const store::DelegationRow& row) {
  return agent.kind == IdentityKind::agent && agent.issuer == row.agent_issuer &&
         agent.subject == row.agent_subject;
}

/// Someone on their own: what an agent does for a person is not the person's own word.
Result<void> is_alone(const Credential& who) {
  if (!who.chain.delegated()) return ok();
  return fail(Errc::denied, "an agent may not handle delegations for the person it acts for");
}

}  // namespace

Result<store::DelegationRow> Delegations::make(const Credential& who, const Identity& agent,
                                               std::string connection, std::string reason,
                                               std::chrono::seconds ttl) const {
  if (auto alone = is_alone(who); !alone) return fail(alone);
  if (who.chain.subject().kind != IdentityKind::user) {
    return fail(Errc::denied, "only a person may delegate");
  }
  if (ttl < kTtlMin || ttl > kTtlMax) {
    return fail(Errc::invalid, "a delegation lasts from one minute to 24 hours");
  }
  const bool printable =
      std::ranges::none_of(reason, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (reason.size() > kReasonBytesMax || !printable) {
    return fail(Errc::invalid, "the reason is one line of at most 500 bytes");
  }
  const WallTime now = clock_.now();
  Row row{.id = "dlg_" + random_hex(random_, 12),
          .user = who.chain.subject().id,
          .agent = agent.id,
          .agent_issuer = agent.issuer,
          .agent_subject = agent.subject,
          .connection = std::move(connection),
          .reason = std::move(reason),
          .created_at = now,
          .expires_at = now + ttl};
  Credential kept = who;
  kept.authentication.method = "delegation";
  kept.authentication.delegation = row.id;
  kept.authentication.connection = row.connection;
  kept.authentication.expires_at = row.expires_at;
  kept.authentication.sender_bound = false;  // the agent is not who it was bound to
  row.credential = to_json(kept);
  return row;
}

Result<std::vector<store::DelegationRow>> Delegations::list(const Credential& who) const {
  if (auto alone = is_alone(who); !alone) return fail(alone);
  const Identity& one = who.chain.subject();
  return one.kind == IdentityKind::agent ? store_.of_agent(one.issuer, one.subject)
                                         : store_.of_user(one.id);
}

Result<std::optional<store::DelegationRow>> Delegations::revoke(const Credential& who,
                                                                std::string_view id) {
  if (auto alone = is_alone(who); !alone) return fail(alone);
  auto row = store_.by_id(id);
  if (!row) return fail(row);
  const Identity& one = who.chain.subject();
  const bool given = *row && one.kind == IdentityKind::user && (*row)->user == one.id;
  if (!*row || !(given || is_agent_of(one, **row)) || state_of(**row) != "active") {
    return std::nullopt;
  }
  auto revoked = revocations_.revoke_delegation((*row)->id);
  if (!revoked) return fail(revoked);
  return row;
}

Result<Credential> Delegations::redeem(std::string_view id, const Identity& agent) const {
  auto row = store_.by_id(id);
  if (!row) return fail(row);
  if (!*row || !is_agent_of(agent, **row)) {
    return fail(Errc::denied, "there is no such delegation for this agent");
  }
  if (const auto state = state_of(**row); state != "active") {
    return fail(Errc::denied, "the delegation is " + std::string(state));
  }
  auto credential = credential_from_json((*row)->credential);
  if (!credential) return fail(credential);
  if (auto why = revocations_.problem(credential->chain, credential->authentication)) {
    return fail(Errc::denied, *why);
  }
  return credential;
}

std::string_view Delegations::state_of(const Row& row) const {
  if (row.revoked_at != WallTime{}) return "revoked";
  return clock_.now() >= row.expires_at ? "expired" : "active";
}

}  // namespace sallyport::identity

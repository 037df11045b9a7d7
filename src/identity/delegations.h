#pragma once
// Delegations: a person lets an agent act for them on one connection, ahead of time and for a
// while. The agent exchanges the delegation's id and its own token for a token that names both
// (token_service.h); the id alone is worth nothing.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "identity/credential.h"
#include "identity/revocations.h"
#include "store/delegations.h"

namespace sallyport::identity {

/// Belongs to one reactor's thread, where the admin port is.
class Delegations {
 public:
  static constexpr std::chrono::seconds kTtlMin{60};
  static constexpr std::chrono::seconds kTtlMax{24 * 3600};
  static constexpr std::size_t kReasonBytesMax = 500;

  using Row = store::DelegationRow;

  /// The references must outlive it.
  Delegations(store::DelegationStore& store, Revocations& revocations, const Clock& clock,
              Random& random)
      : store_(store), revocations_(revocations), clock_(clock), random_(random) {}

  /// Not kept yet: add() does that, once it is recorded. Fails with denied unless `who` is a person
  /// on their own, and with invalid on limits.
  Result<Row> make(const Credential& who, const Identity& agent, std::string connection,
                   std::string reason, std::chrono::seconds ttl) const;
  Result<void> add(const Row& row) { return store_.add(row, clock_.now()); }

  /// What a person gave, or an agent got. Fails with denied for a delegated chain.
  Result<std::vector<Row>> list(const Credential& who) const;
  /// Ends it, by who gave it or by the agent itself, and every session that stands on it. Nothing
  /// if there is no such live one of theirs.
  Result<std::optional<Row>> revoke(const Credential& who, std::string_view id);

  /// The person's credential, as far as the delegation goes, for this agent. Fails with denied if
  /// there is no such delegation for it, or it ended.
  Result<Credential> redeem(std::string_view id, const Identity& agent) const;

  /// "active", "expired" or "revoked".
  std::string_view state_of(const Row& row) const;

 private:
  store::DelegationStore& store_;
  Revocations& revocations_;
  const Clock& clock_;
  Random& random_;
};

}  // namespace sallyport::identity

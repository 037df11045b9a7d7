#pragma once
// Revocations: what ends a credential before it expires. A withdrawn delegation, a logout at the
// issuer, and whoever the configuration no longer knows as the credential says. Asked at every
// command, so it is a snapshot and no I/O; written rarely, and kept in the store.

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "core/model.h"
#include "identity/claims.h"
#include "store/delegations.h"

namespace sallyport::identity {

/// Who there is, as the configuration says.
struct Directory {
  struct Issuer {
    std::string url;
    std::vector<Identity> agents;
    /// Groups by subject, where we are the issuer and know all its people. Elsewhere the token
    /// tells.
    std::optional<std::map<std::string, std::vector<std::string>, std::less<>>> users;
  };
  std::vector<Issuer> issuers;
};

/// Safe from any thread.
class Revocations {
 public:
  /// Reads what the store has. The references must outlive it.
  static Result<std::unique_ptr<Revocations>> open(store::DelegationStore& delegations,
                                                   store::LogoutStore& logouts, const Clock& clock);

  /// Why the credential is no longer good, in words the client may read, or nothing.
  std::optional<std::string> problem(const Chain& chain, const Authentication& how) const;

  /// Replaces who there is; until the first call everybody is taken as the token says.
  void use(Directory directory);
  /// Ends what was issued before now: of one session, if it is named, and of the subject's that
  /// name none; else of the subject. Fails with what the store says; it is in force anyway.
  Result<void> log_out(const std::string& issuer, const std::string& subject,
                       const std::string& login_session);
  /// False if it had ended before. Fails with what the store says; it is in force anyway.
  Result<bool> revoke_delegation(const std::string& id);

  /// Called after every change, on the thread that made it, to end what is open.
  std::function<void()> changed;

 private:
  /// Pairs of an issuer and a subject or a session.
  using Key = std::pair<std::string, std::string>;
  struct Snapshot {
    std::optional<Directory> directory;
    /// What was issued up to then has ended: of all sessions, or where no session is named.
    struct LoggedOut {
      WallTime everywhere{};
      WallTime unnamed{};
    };
    std::map<Key, LoggedOut> subjects;
    std::set<Key> sessions;
    std::set<std::string, std::less<>> delegations;
  };
  Revocations(store::DelegationStore& delegations, store::LogoutStore& logouts, const Clock& clock);
  static void note(Snapshot& snapshot, const store::LogoutRow& row);
  void change(const std::function<void(Snapshot&)>& edit);

  store::DelegationStore& delegations_;
  store::LogoutStore& logouts_;
  const Clock& clock_;
  std::mutex writing_;
  std::atomic<std::shared_ptr<const Snapshot>> snapshot_;
};

}  // namespace sallyport::identity

#pragma once
// Delegations and logouts at rest: what lets an agent act for a person later, and what ended before
// its time.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/database.h"

namespace sallyport::store {

struct DelegationRow {
  std::string id;
  std::string user;          // Cedar id of who delegated
  std::string agent;         // Cedar id
  std::string agent_issuer;  // the agent is known by these two
  std::string agent_subject;
  std::string connection;
  std::string reason;
  std::string credential;  // JSON: the user's, as it was then
  WallTime created_at{};
  WallTime expires_at{};
  WallTime revoked_at{};  // zero: it was not
};

class DelegationStore {
 public:
  static constexpr std::size_t kPerUserMax = 100;

  explicit DelegationStore(Database& database) : database_(&database) {}

  /// Fails with too_large if the user has kPerUserMax live ones. Ended ones of everybody go after a
  /// week.
  Result<void> add(const DelegationRow& row, WallTime now);
  Result<std::optional<DelegationRow>> by_id(std::string_view id);
  /// What a user gave or an agent got, newest first, ended ones too as long as they are kept.
  Result<std::vector<DelegationRow>> of_user(std::string_view user);
  Result<std::vector<DelegationRow>> of_agent(std::string_view issuer, std::string_view subject);
  /// False if it had ended before.
  Result<bool> revoke(std::string_view id, WallTime now);
  /// Revoked ones that would not have expired yet.
  Result<std::vector<std::string>> revoked(WallTime now);

 private:
  Database* database_;
};

/// A person's logout at an issuer, as that told us.
struct LogoutRow {
  std::string issuer;
  std::string subject;        // empty: only the session is named
  std::string login_session;  // `sid`, or empty: all of them
  WallTime at{};
};

class LogoutStore {
 public:
  explicit LogoutStore(Database& database) : database_(&database) {}

  /// Those older than any credential can be go.
  Result<void> add(const LogoutRow& row, WallTime now);
  /// All that count at `now`; the others go.
  Result<std::vector<LogoutRow>> all(WallTime now);

 private:
  Database* database_;
};

}  // namespace sallyport::store

#pragma once
// Sessions under break-glass, at rest: who looked through the glass, why, and whether anybody has
// looked at what was done there since.

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/database.h"

namespace sallyport::store {

struct BreakGlassRow {
  std::string session;
  std::string user;
  std::string requester;  // the credential, JSON
  std::string protocol;
  std::string connection;
  std::string ticket;
  std::string reason;
  WallTime started_at{};
  WallTime review_due_at{};
  std::string reviewed_by;  // empty: nobody yet
  WallTime reviewed_at{};
  std::string finding;
};

class BreakGlassStore {
 public:
  static constexpr std::size_t unreviewed_max = 500;  // of one user
  static constexpr std::chrono::hours kept{24 * 90};  // once they are reviewed

  /// `database` must outlive it.
  explicit BreakGlassStore(Database& database) : database_(&database) {}

  /// Fails with too_large if as many of that user's as may await a review. Those that were reviewed
  /// long ago go; the ledger has them for ever.
  Result<void> add(const BreakGlassRow& row);
  Result<std::optional<BreakGlassRow>> find(std::string_view session);
  /// Those that nobody has reviewed, the oldest first; or all, newest first. At most 200 of those
  /// that are `wanted`.
  Result<std::vector<BreakGlassRow>> list(bool all,
                                          const std::function<bool(const BreakGlassRow&)>& wanted);
  /// False if it has been reviewed before.
  Result<bool> review(std::string_view session, std::string_view by, std::string_view finding,
                      WallTime now);

 private:
  Database* database_;
};

}  // namespace sallyport::store

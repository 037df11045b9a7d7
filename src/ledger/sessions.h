#pragma once
// Sessions as the ledger tells them: a list, and one session's records in order.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/model.h"
#include "ledger/files.h"
#include "ledger/payloads.h"
#include "ledger/read.h"

namespace sallyport::ledger {

struct SessionSummary {
  Session session;
  std::optional<WallTime> ended;
  std::optional<SessionEnd> end;
  std::uint64_t commands = 0;
  std::uint64_t refused = 0;
  std::uint64_t first_sequence = 0;
};

/// What is set must match.
struct SessionQuery {
  std::string who;         // part of "alice via support-copilot", or an identity's id
  std::string connection;  // exactly
  std::optional<WallTime> since;
  std::size_t sessions_max = 10000;  // the newest are kept
};

/// Oldest first.
Result<std::vector<SessionSummary>> list_sessions(const std::filesystem::path& directory,
                                                  const SessionQuery& query, FileLayer& files);

/// All records of the one session whose id is or begins with `id`. Fails with invalid if none or
/// several are.
Result<std::vector<Entry>> session_records(const std::filesystem::path& directory,
                                           std::string_view id, FileLayer& files);

}  // namespace sallyport::ledger

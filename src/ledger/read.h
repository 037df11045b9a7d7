#pragma once
// LogReader: the records of a log from its files, while the gateway may go on writing them. Checks
// each record's hash but trusts no signature: that is verify.h.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/files.h"
#include "ledger/record.h"

namespace sallyport::ledger {

struct Entry {
  std::uint64_t sequence = 0;
  RecordKind kind{};
  WallTime time{};
  std::string session;
  std::string payload;
};

/// What is set must match.
struct Filter {
  std::optional<std::string> session;
  std::vector<RecordKind> kinds;  // any of them; empty: all
  std::uint64_t from_sequence = 0;
  std::optional<WallTime> since;
  std::optional<WallTime> until;
};

class LogReader {
 public:
  /// From the first record on. `files` must outlive the reader.
  static Result<LogReader> open(std::filesystem::path directory, Filter filter, FileLayer& files);
  LogReader(LogReader&&) noexcept;
  LogReader& operator=(LogReader&&) noexcept;
  ~LogReader();

  /// nullopt: no more for now; called again later it goes on with what was written since.
  Result<std::optional<Entry>> next();

 private:
  struct State;
  explicit LogReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sallyport::ledger

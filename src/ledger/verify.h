#pragma once
// The offline verifier: trusts a public key and nothing else. Finds any change, removal, reordering
// and truncation of what a checkpoint signed; says what no checkpoint covers yet.

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/files.h"
#include "ledger/format.h"

namespace sallyport::ledger {

/// Something that is not as the writer left it.
struct Finding {
  std::string file;
  std::uint64_t offset = 0;
  std::uint64_t sequence = 0;  // of the record there or missing there; 0: none
  std::string what;

  /// "segment-000000000000.seg:4096: record 1: ..."
  std::string to_string() const;
};

struct Verification {
  std::vector<Finding> problems;  // the first of each kind; empty: the log is good
  std::vector<std::string> notices;
  std::string tenant;
  std::string node;
  std::uint64_t segments = 0;
  std::uint64_t records = 0;
  std::uint64_t checkpoints = 0;
  std::uint64_t last_sequence = 0;
  std::uint64_t signed_sequence = 0;  // up to here a checkpoint answers for it
  std::optional<Checkpoint> head;     // the newest checkpoint

  bool good() const { return problems.empty(); }
};

inline constexpr std::chrono::milliseconds default_torn_patience{100};

/// What is broken at the end of the last segment is looked at again after `torn_patience`, because
/// the gateway may be writing it.
/// `expected_head` is a checkpoint line that was kept elsewhere. An error means that the directory
/// could not be read at all. Safe while the gateway writes.
Result<Verification> verify(const std::filesystem::path& directory,
                            const std::array<std::byte, 32>& public_key,
                            std::optional<std::string> expected_head, FileLayer& files,
                            std::chrono::milliseconds torn_patience = default_torn_patience);

/// The newest checkpoint line, for an operator to keep elsewhere. Not verified.
Result<std::string> newest_head(const std::filesystem::path& directory, FileLayer& files);

}  // namespace sallyport::ledger

#pragma once
// An inclusion proof: that one record is in the log, for someone who has the public key and not
// the log.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "ledger/files.h"
#include "ledger/format.h"

namespace sallyport::ledger {

/// `frame` hashed behind `previous` gives the leaf; leaf and `path` give the root that the
/// checkpoint signs.
struct Proof {
  std::uint64_t sequence = 0;
  std::uint64_t index = 0;  // of the leaf
  std::uint64_t size = 0;   // of the tree
  Digest previous{};
  ByteVector frame;
  std::vector<Digest> path;
  std::string checkpoint;  // the signed line
};

/// Fails with invalid if there is no such record or no checkpoint covers it yet.
Result<Proof> prove(const std::filesystem::path& directory, std::uint64_t sequence,
                    FileLayer& files);

/// The record's payload if the proof holds.
Result<std::string> check_proof(const Proof& proof, Bytes public_key);

std::string to_json(const Proof& proof);

}  // namespace sallyport::ledger

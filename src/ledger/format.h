#pragma once
// The bytes of a log: segments of framed, chained records, and the signed lines of the checkpoints
// file. Pure: no I/O. docs/reference/ledger-format.md describes it for those who write their own
// verifier.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/result.h"
#include "ledger/record.h"

namespace sallyport::ledger {

inline constexpr std::size_t header_bytes = 4096;
inline constexpr std::size_t frame_head_bytes = 32;
inline constexpr std::size_t digest_bytes = 32;
/// What a record takes beside its session and payload.
inline constexpr std::size_t frame_overhead_bytes = frame_head_bytes + digest_bytes;
inline constexpr std::size_t compress_above_bytes = 4096;
inline constexpr std::size_t segment_bytes_min = 8192;
inline constexpr std::size_t segment_bytes_max = std::size_t{1} << 30;
inline constexpr std::size_t plain_bytes_max = std::size_t{64} << 20;

/// The first 4 KiB of a segment. Its hash, in its last 32 bytes, starts the segment's chain, and it
/// carries the end of the previous segment's, so the chain runs through all segments.
struct SegmentHeader {
  std::uint64_t number = 0;             // 0, 1, 2 ...
  std::uint64_t segment_bytes = 0;      // as preallocated
  std::uint64_t first_sequence = 1;     // of its first record, if it has any
  std::uint64_t previous_sequence = 0;  // the last one before it; a gap is what a failure lost
  std::uint64_t previous_records = 0;   // in all segments before it
  WallTime created{};
  Digest previous_hash{};
  Digest checkpoint{};  // of the newest checkpoint line when the segment was made
  std::array<std::byte, 32> public_key{};
  std::string tenant;
  std::string node;
};

/// Exactly header_bytes. `tenant` and `node` are valid_name()s.
ByteVector encode_header(const SegmentHeader& header);
Result<SegmentHeader> decode_header(Bytes bytes);
Digest header_hash(Bytes header);

/// Letters, digits, '.', '_', '-'; 1 to 64 of them.
bool valid_name(std::string_view name);

/// A record where it lies. Views into the bytes it was decoded from.
struct Frame {
  std::uint64_t sequence = 0;
  RecordKind kind{};
  WallTime time{};
  std::string_view session;
  Bytes stored;
  std::size_t plain_bytes = 0;
  bool compressed = false;
  Digest hash{};
  std::size_t size = 0;  // of the whole frame
};

/// Appends the frame of `record` to `to`, whose last 32 bytes must be the previous hash.
void append_frame(ByteVector& to, const Record& record, std::uint64_t sequence);
/// `bytes` starts with the previous hash. nullopt: no record follows (zeros or the end).
Result<std::optional<Frame>> decode_frame(Bytes bytes);
/// The record's payload, decompressed.
Result<std::string> payload_of(const Frame& frame);

/// RFC 6962 Merkle tree over the hashes of a segment's records, kept as the roots of its full
/// subtrees.
class MerkleTree {
 public:
  void add(const Digest& leaf);
  Digest root() const;
  std::uint64_t size() const { return size_; }

 private:
  std::vector<Digest> full_;  // the largest subtree first
  std::uint64_t size_ = 0;
};

/// The audit path (RFC 6962, 2.1.1) of leaf `index`; `leaves` are record hashes.
std::vector<Digest> merkle_path(std::span<const Digest> leaves, std::size_t index);
/// The root that the path leads to, or malformed if it does not fit index and size.
Result<Digest> merkle_root_by_path(const Digest& leaf, std::uint64_t index, std::uint64_t size,
                                   std::span<const Digest> path);

/// Walks the records of one segment and checks header, hashes and sequence. The first failure is
/// final; `offset()` says where it is.
class SegmentScanner {
 public:
  static Result<SegmentScanner> open(Bytes segment);

  /// nullopt at the end of the records.
  Result<std::optional<Frame>> next();

  const SegmentHeader& header() const { return header_; }
  /// Where the next record begins or would begin.
  std::uint64_t offset() const { return offset_; }
  /// The chain's hash and the last sequence so far.
  const Digest& hash() const { return hash_; }
  std::uint64_t sequence() const { return sequence_; }
  std::uint64_t records() const { return records_; }  // in this segment so far
  /// Offset of the first byte after the records that is not zero.
  std::optional<std::uint64_t> stray_byte() const;

 private:
  explicit SegmentScanner(Bytes segment) : segment_(segment) {}

  Bytes segment_;
  SegmentHeader header_;
  std::uint64_t offset_ = header_bytes;
  std::uint64_t sequence_ = 0;
  std::uint64_t records_ = 0;
  Digest hash_{};
};

/// A signed statement: "at this point of the log the chain's hash was this".
struct Checkpoint {
  std::string tenant;
  std::string node;
  std::uint64_t number = 0;       // 0, 1, 2 ... without gaps
  std::string kind = "periodic";  // "start", "periodic", "seal", "final"
  std::uint64_t segment = 0;
  std::uint64_t sequence = 0;  // the last record it covers
  std::uint64_t records = 0;   // how many it covers, in all segments
  WallTime time{};
  Digest hash{};      // the chain's, there
  Digest root{};      // Merkle root of the segment's records up to there
  Digest previous{};  // SHA-256 of the previous line, zeros for the first
};

/// One line without its newline; the signature covers everything before " signature=".
std::string encode_checkpoint(const Checkpoint& checkpoint, const Ed25519Key& key);
/// Strict: a line that encode_checkpoint would not write is malformed; a wrong signature, denied.
Result<Checkpoint> decode_checkpoint(std::string_view line, Bytes public_key);

inline Digest digest_of_line(std::string_view line) {
  return sha256(as_bytes(line));
}

// Names in a log's directory.
std::string segment_name(std::uint64_t number);
std::optional<std::uint64_t> segment_number(std::string_view name);
inline constexpr std::string_view checkpoints_name = "checkpoints";
inline constexpr std::string_view private_key_name = "key.pem";
inline constexpr std::string_view public_key_name = "key.pub.pem";
inline constexpr std::string_view lock_name = "lock";
inline constexpr std::string_view unfinished_name = "segment.new";

}  // namespace sallyport::ledger

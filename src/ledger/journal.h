#pragma once
// Journal: the files of one log as its only writer sees them. One thread at a time, except that
// fits(), add() and write() may run beside sync_file() and checkpoint(); knows no queue and no
// waiter. After any failure of add(), write(), sync(), checkpoint() or seal() the journal is
// failed: nothing it holds is trusted but what was durable before, and only recover() helps.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/files.h"
#include "ledger/format.h"
#include "ledger/ledger.h"
#include "ledger/spare_segment.h"

namespace sallyport::ledger {

class Journal {
 public:
  static Result<std::unique_ptr<Journal>> open(const Options& options, FileLayer& files,
                                               const Clock& clock);

  /// True if a record with these sizes fits into the segment behind what was added; if not, write,
  /// sync and seal() first.
  bool fits(const Record& record) const;
  /// The largest session plus payload that fits into an empty segment.
  std::size_t record_bytes_max() const;

  /// Frames and chains; touches no file.
  void add(const Record& record, std::uint64_t sequence);
  /// Hands what was added to the kernel.
  Result<void> write();
  /// What was written is durable when this returns.
  Result<void> sync();

  /// How far the log goes.
  struct State {
    std::uint64_t sequence = 0;
    std::uint64_t records = 0;  // in all segments
    std::uint64_t offset = header_bytes;
    Digest hash{};
    MerkleTree tree;
  };
  /// sync() in its parts: what is written now, the sync, and that it was for that.
  State written() const;
  Result<void> sync_file() { return segment_->datasync(); }
  void synced(State state);

  /// Signs the durable state into the checkpoints file, durably.
  Result<void> checkpoint(std::string_view kind);
  /// Ends the segment with a signed checkpoint and begins the next, whose file a helper thread has
  /// made by then unless segments fill faster than the disk writes zeros. All must be durable.
  Result<void> seal(std::uint64_t first_sequence);

  /// After a failure: re-reads what was durable, cuts off what was not, seals, and goes on in a new
  /// segment whose first record says so. `next_sequence` was never given to a record.
  /// Fails, and may be called again, while the disk does not allow it.
  Result<void> recover(std::uint64_t next_sequence, std::string_view problem);

  /// What the first record added after open() or recover() must have.
  std::uint64_t next_sequence() const;
  /// The last one that was added.
  std::uint64_t added_sequence() const { return added_.sequence; }
  std::uint64_t durable_sequence() const { return durable_.sequence; }
  std::uint64_t checkpoint_sequence() const { return newest_ ? newest_->sequence : 0; }
  bool checkpoint_due() const { return !signed_is(durable_); }
  std::uint64_t records_since_checkpoint() const {
    return durable_.records - (newest_ ? newest_->records : 0);
  }
  std::uint64_t bytes_written() const { return bytes_written_; }
  WallTime segment_created() const { return header_.created; }
  bool segment_empty() const { return durable_.tree.size() == 0; }
  const std::string& public_key_pem() const { return public_pem_; }

 private:
  Journal(const Options& options, FileLayer& files, const Clock& clock);
  Result<void> load_key(bool fresh);
  Result<void> load_checkpoints();
  Result<void> load_last_segment(std::uint64_t number);
  /// Where the records begin that no checkpoint covers.
  Result<std::uint64_t> check_against_checkpoint(SegmentScanner& scanner);
  Result<void> cut_tail(Bytes segment, std::string_view problem);
  Result<void> begin_segment(std::uint64_t number, std::uint64_t first_sequence);
  void prepare_next_segment();
  Result<void> reread_durable();
  Result<void> note_recovery(std::uint64_t sequence, std::string_view detail);
  void take_over(const State& state);
  bool signed_is(const State& state) const;
  std::filesystem::path path(std::string_view name) const { return options_.directory / name; }

  Options options_;
  FileLayer& files_;
  const Clock& clock_;
  std::unique_ptr<FileLock> lock_;
  std::optional<Ed25519Key> key_;
  std::string public_pem_;

  SegmentHeader header_;
  std::unique_ptr<File> segment_;
  SpareSegment spare_;
  State added_;                     // with what is in buffer_
  State durable_;                   // fdatasync returned
  ByteVector buffer_;               // the last hash, then frames that are not yet written
  std::uint64_t write_offset_ = 0;  // where the first of those frames goes

  std::unique_ptr<File> checkpoints_;
  std::uint64_t checkpoints_bytes_ = 0;
  std::optional<Checkpoint> newest_;
  Digest checkpoint_line_{};
  std::optional<std::string> cut_;  // what open() cut off, for the record
  std::uint64_t bytes_written_ = 0;
};

}  // namespace sallyport::ledger

#pragma once
// Ledger: the append-only, hash-chained, signed log of everything that passes the gateway.
// append() never touches the disk; one commit thread per log writes and syncs whatever was queued
// (group commit). What a caller must not do before its record is safe waits for durable(), or for
// written(), which hands the queue to the kernel itself: no other thread is woken for a read.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/record.h"
#include "net/task.h"

namespace sallyport::ledger {

class FileLayer;

struct Options {
  std::filesystem::path directory;  // made if absent; belongs to this log alone
  std::string tenant = "default";
  std::string node = "node";
  std::size_t segment_bytes = std::size_t{64} << 20;  // at least 8 KiB
  std::chrono::seconds segment_age_max{86400};
  std::uint64_t checkpoint_records = 8192;              // a signed head after so many records ...
  std::chrono::milliseconds checkpoint_interval{5000};  // ... or so long after an unsigned one
  std::size_t queue_bytes_max = std::size_t{64} << 20;  // appended and not yet durable
  std::size_t payload_bytes_max = std::size_t{16} << 20;
  std::chrono::milliseconds recovery_interval{1000};  // how often a failed log tries to go on
  std::chrono::milliseconds sync_delay_max{20};       // of a record that nobody waits for
};

/// When the commit thread is to begin with a record.
enum class Commit : std::uint8_t {
  now,   // somebody will wait for the disk
  soon,  // within Options::sync_delay_max, together with others
};

/// For readyz and metrics. A snapshot: the fields belong together.
struct Status {
  bool accepting = false;
  std::string problem;  // why not, for the operator; empty if accepting
  std::uint64_t durable_sequence = 0;
  std::uint64_t next_sequence = 1;
  std::uint64_t checkpoint_sequence = 0;  // covered by the newest signed head
  std::uint64_t queued_records = 0;
  std::uint64_t queued_bytes = 0;
  std::uint64_t batches = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t failures = 0;      // times the log failed since open
  std::uint64_t lost_records = 0;  // appended, never acknowledged, given up at a failure
  std::chrono::microseconds last_sync{};
  std::chrono::microseconds slowest_sync{};
};

class Ledger {
 public:
  /// Creates or recovers the log in `options.directory`. Fails if another process has it open, if
  /// its key is missing, or if what was signed is no longer there.
  /// `files`, `clock` and `random` must outlive the ledger.
  static Result<std::unique_ptr<Ledger>> open(Options options, FileLayer& files, const Clock& clock,
                                              Random& random);
  /// close(), if that was not called.
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  /// Queues a record and gives its sequence number, from any thread, without waiting for the disk.
  /// Fails with unavailable while the log is failed, with closed after close(), with too_large
  /// when the queue is full or the payload is above its limit.
  Result<std::uint64_t> append(Record record, Commit commit = Commit::now);

  /// Completes on the caller's reactor when `sequence` is safe on disk (fdatasync returned). Fails
  /// with io if the log failed before that, even if it recovered since; with closed after close().
  /// Completes at once, without suspending, if the record is durable already.
  net::Task<Result<void>> durable(std::uint64_t sequence);
  /// The same when `sequence` is in the kernel: it survives kill -9, not a power cut. Writes what
  /// is queued on the caller's thread, and suspends only while the commit thread seals a segment.
  net::Task<Result<void>> written(std::uint64_t sequence);
  /// True if durable() or written() would succeed at once, without the price of a coroutine.
  bool is_durable(std::uint64_t sequence);
  bool write_now(std::uint64_t sequence);
  /// durable() for a thread that has no reactor. Fails with timeout.
  Result<void> wait_durable(std::uint64_t sequence, std::chrono::milliseconds limit);

  /// Everything up to here is durable, except what a failure lost.
  std::uint64_t durable_sequence() const;
  Status status() const;
  /// The public half of the key that signs the checkpoints, PEM.
  std::string public_key_pem() const;
  const std::filesystem::path& directory() const;

  /// Refuses new records, makes the queued ones durable, signs the final checkpoint. Waits for the
  /// disk. Idempotent. Call it after the last session has ended.
  Result<void> close();

 private:
  class Impl;
  explicit Ledger(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sallyport::ledger

namespace sallyport {
using ledger::Ledger;
}  // namespace sallyport

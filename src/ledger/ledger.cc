#include "ledger/ledger.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "ledger/journal.h"
#include "ledger/waiters.h"

namespace sallyport::ledger {
namespace {

using std::chrono::microseconds;

/// Sequences that were given out and never became durable.
struct Range {
  std::uint64_t first;
  std::uint64_t last;
};

struct Queued {
  Record record;
  std::uint64_t sequence;
};

/// Of records.
struct Amount {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
};

// A worker has other sessions: it does not wait for a segment to be sealed, nor for a failed log.
constexpr std::chrono::milliseconds quick_max{1};

std::size_t bytes_of(const Record& record) {
  return frame_overhead_bytes + record.session.size() + record.payload.size();
}

microseconds since(SteadyTime start) {
  return std::chrono::duration_cast<microseconds>(std::chrono::steady_clock::now() - start);
}

}  // namespace

class Ledger::Impl {
 public:
  Impl(Options options, const Clock& clock, std::unique_ptr<Journal> journal)
      : options_(std::move(options)),
        clock_(clock),
        journal_(std::move(journal)),
        public_pem_(journal_->public_key_pem()),
        record_bytes_max_(journal_->record_bytes_max()) {
    status_.next_sequence = journal_->next_sequence();
    status_.checkpoint_sequence = journal_->checkpoint_sequence();
    status_.accepting = true;
    durable_ = written_ = journal_->durable_sequence();
    thread_ = std::thread([this] { run(); });
  }
  ~Impl() { (void)close(); }

  Result<std::uint64_t> append(Record record, Commit commit);
  /// Hands what is queued to the kernel on this thread, if that is quick.
  void write_now();
  Result<void> close();
  Result<void> wait(std::uint64_t sequence, std::chrono::milliseconds limit);
  Status status() const;

  enum class Level : std::uint8_t { written, durable };
  std::atomic<std::uint64_t>& reached(Level level) {
    return level == Level::durable ? durable_ : written_;
  }
  /// Reached, without taking the lock; false if that needs a closer look.
  bool surely_reached(Level level, std::uint64_t sequence) {
    return sequence <= reached(level).load() && !any_lost_.load();
  }
  /// False if the wait was answered at once.
  bool enroll(Level level, const WaitHandle& wait);

  const Options options_;
  std::atomic<std::uint64_t> durable_{0};
  std::atomic<std::uint64_t> written_{0};

 private:
  void run();
  bool wait_for_work();
  Result<void> commit();
  void take_queue();
  Result<void> write_batch();
  Result<void> write_and_publish();
  Result<void> write_across_segments();
  Result<void> seal();
  Result<void> sync();
  void note_synced(SteadyTime start, Amount amount);
  Result<void> keep_up();
  bool lingers() const { return failure_.empty() && status_.queued_records > 0; }
  bool wakes(Commit commit);
  void publish(Level level, std::uint64_t sequence);
  void enter_failed(const Error& error);
  void try_recovery();
  void finish();
  std::optional<Result<void>> answer(Level level, std::uint64_t sequence) const;
  WokenWaits take_answered();

  const Clock& clock_;
  std::unique_ptr<Journal> journal_;

 public:
  const std::string public_pem_;

 private:
  const std::size_t record_bytes_max_;

  // Taken before mutex_. Held by whoever adds, writes or changes segments: the commit thread, or a
  // worker in write_now(), which does not wait for long; not while the commit thread syncs.
  std::timed_mutex journal_mutex_;
  std::vector<Queued> batch_;  // taken from the queue, added and written up to `batch_done_`
  std::size_t batch_done_ = 0;
  Amount unsynced_;                    // added since a sync began
  bool failed_ = false;                // the journal is not to be touched before it has recovered
  std::optional<Error> write_failed_;  // in write_now(), for the commit thread

  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable progress_;
  // Under mutex_:
  std::vector<Queued> queue_;
  std::vector<Range> lost_;
  std::vector<WaitHandle> waits_[2];  // by Level
  Status status_;                     // without what the atomics say
  enum class Waiting : std::uint8_t { no, lingering, idle };
  Waiting waiting_ = Waiting::no;  // the commit thread
  bool urgent_ = false;            // somebody waits for the commit thread
  std::uint64_t syncing_ = 0;      // the sync that runs or ran last makes this durable
  bool closing_ = false;
  bool stopped_ = false;
  Result<void> closed_;

  std::atomic<bool> any_lost_{false};
  // The commit thread's:
  SteadyTime checkpointed_ = std::chrono::steady_clock::now();
  std::string failure_;  // empty: the log works
  std::mutex closing_mutex_;
  std::thread thread_;
};

// Whether the commit thread has to be woken. The caller holds the lock.
bool Ledger::Impl::wakes(Commit commit) {
  urgent_ = urgent_ || commit == Commit::now;
  const bool wake = commit == Commit::now ? waiting_ != Waiting::no : waiting_ == Waiting::idle;
  if (wake) waiting_ = Waiting::no;
  return wake;
}

Result<std::uint64_t> Ledger::Impl::append(Record record, Commit commit) {
  if (record.session.size() > 255) return fail(Errc::invalid, "session id above 255 bytes");
  const std::size_t size = record.session.size() + record.payload.size();
  if (record.payload.size() > options_.payload_bytes_max || size > record_bytes_max_) {
    return fail(Errc::too_large, "the record is too large for the ledger");
  }
  if (record.time == WallTime{}) record.time = clock_.now();
  bool wake = false;
  std::uint64_t sequence = 0;
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return fail(Errc::closed, "the ledger is closed");
    if (!status_.accepting) return fail(Errc::unavailable, "the ledger failed: " + status_.problem);
    const std::size_t bytes = bytes_of(record);
    if (status_.queued_bytes + bytes > options_.queue_bytes_max) {
      return fail(Errc::too_large, "the ledger's queue is full");
    }
    sequence = status_.next_sequence++;
    status_.queued_bytes += bytes;
    ++status_.queued_records;
    queue_.push_back({std::move(record), sequence});
    wake = wakes(commit);
  }
  if (wake) work_.notify_one();
  return sequence;
}

// nullopt: not yet. The caller holds the lock.
std::optional<Result<void>> Ledger::Impl::answer(Level level, std::uint64_t sequence) const {
  for (const Range& range : lost_) {
    if (sequence >= range.first && sequence <= range.last) {
      return fail(Errc::io, "the ledger failed before the record was durable");
    }
  }
  const auto& reached = level == Level::durable ? durable_ : written_;
  if (sequence <= reached.load()) return ok();
  if (sequence >= status_.next_sequence) return fail(Errc::invalid, "no such record");
  if (stopped_) return fail(Errc::closed, "the ledger is closed");
  return std::nullopt;
}

bool Ledger::Impl::enroll(Level level, const WaitHandle& wait) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (auto answered = answer(level, wait->sequence)) {
      wait->result = std::move(*answered);
      return false;
    }
    waits_[static_cast<int>(level)].push_back(wait);
    if (level == Level::written || wait->sequence > syncing_) wake = wakes(Commit::now);
  }
  if (wake) work_.notify_one();
  return true;
}

// The caller holds the lock, and posts the waits after it let go.
WokenWaits Ledger::Impl::take_answered() {
  WokenWaits woken;
  for (const Level level : {Level::written, Level::durable}) {
    std::erase_if(waits_[static_cast<int>(level)], [&](WaitHandle& wait) {
      auto answered = answer(level, wait->sequence);
      if (answered) woken.add(std::move(wait), std::move(*answered));
      return answered.has_value();
    });
  }
  return woken;
}

Result<void> Ledger::Impl::wait(std::uint64_t sequence, std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  if (sequence > syncing_ && sequence < status_.next_sequence && wakes(Commit::now)) {
    work_.notify_one();
  }
  std::optional<Result<void>> answered;
  progress_.wait_for(lock, limit, [&] {
    answered = answer(Level::durable, sequence);
    return answered.has_value();
  });
  if (!answered) return fail(Errc::timeout, "the record is not durable in time");
  return *answered;
}

void Ledger::Impl::publish(Level level, std::uint64_t sequence) {
  WokenWaits woken;
  {
    const std::lock_guard lock(mutex_);
    reached(level).store(sequence);
    woken = take_answered();
  }
  woken.post();
  if (level == Level::durable) progress_.notify_all();
}

Status Ledger::Impl::status() const {
  const std::lock_guard lock(mutex_);
  Status status = status_;
  status.durable_sequence = durable_.load();
  status.accepting = status.accepting && !closing_;
  return status;
}

// --- Writing, on a worker or on the commit thread ---

// The caller holds journal_mutex_.
void Ledger::Impl::take_queue() {
  if (batch_done_ < batch_.size()) return;
  batch_.clear();
  batch_done_ = 0;
  const std::lock_guard lock(mutex_);
  batch_.swap(queue_);
}

// As much as fits into the segment. The caller holds journal_mutex_.
Result<void> Ledger::Impl::write_batch() {
  take_queue();
  for (; batch_done_ < batch_.size(); ++batch_done_) {
    const Queued& queued = batch_[batch_done_];
    if (!journal_->fits(queued.record)) break;
    journal_->add(queued.record, queued.sequence);
    ++unsynced_.records;
    unsynced_.bytes += bytes_of(queued.record);
  }
  return write_and_publish();
}

Result<void> Ledger::Impl::write_and_publish() {
  if (journal_->added_sequence() == written_.load()) return ok();
  if (auto done = journal_->write(); !done) return done;
  {
    const std::lock_guard lock(mutex_);
    status_.bytes_written = journal_->bytes_written();
  }
  publish(Level::written, journal_->added_sequence());
  return ok();
}

void Ledger::Impl::write_now() {
  const std::unique_lock writing(journal_mutex_, quick_max);
  if (!writing || failed_ || write_failed_ || journal_ == nullptr) return;
  auto done = write_batch();
  if (done) return;
  write_failed_ = std::move(done.error());
  const std::lock_guard lock(mutex_);
  if (wakes(Commit::now)) work_.notify_one();
}

// --- The commit thread ---

void Ledger::Impl::run() {
  while (wait_for_work()) {
    if (!failure_.empty()) {
      try_recovery();
      continue;
    }
    Result<void> done = commit();
    if (done) done = keep_up();
    if (!done) enter_failed(done.error());
  }
  finish();
}

// False when there is nothing left to do for ever. A failed log wakes up to try again. Records that
// nobody waits for are left to gather for a moment.
bool Ledger::Impl::wait_for_work() {
  std::unique_lock lock(mutex_);
  const auto called = [this] { return closing_ || urgent_; };
  if (!lingers() && !called()) {
    std::chrono::milliseconds patience = std::chrono::minutes(1);
    if (!failure_.empty()) {
      patience = options_.recovery_interval;
    } else if (journal_->checkpoint_due()) {
      patience = options_.checkpoint_interval;
    }
    waiting_ = Waiting::idle;
    work_.wait_for(lock, patience, [&] { return called() || lingers(); });
  }
  if (lingers() && !called()) {
    waiting_ = Waiting::lingering;
    work_.wait_for(lock, options_.sync_delay_max, called);
  }
  waiting_ = Waiting::no;
  urgent_ = false;
  return !closing_ || lingers();
}

Result<void> Ledger::Impl::commit() {
  {
    const std::lock_guard writing(journal_mutex_);
    if (write_failed_) return std::unexpected(*write_failed_);
    if (auto done = write_batch(); !done) return done;
  }
  if (auto done = write_across_segments(); !done) return done;
  return sync();
}

// What did not fit into the segment.
Result<void> Ledger::Impl::write_across_segments() {
  while (true) {
    {
      const std::lock_guard writing(journal_mutex_);
      if (batch_done_ == batch_.size()) return ok();
    }
    if (auto done = seal(); !done) return done;
    const std::lock_guard writing(journal_mutex_);
    if (auto done = write_batch(); !done) return done;
  }
}

// Everything is made durable first. Takes a few syncs.
Result<void> Ledger::Impl::seal() {
  const std::lock_guard writing(journal_mutex_);
  if (write_failed_) return std::unexpected(*write_failed_);
  const SteadyTime start = std::chrono::steady_clock::now();
  if (auto done = journal_->sync(); !done) return done;
  note_synced(start, std::exchange(unsynced_, {}));
  if (auto done = journal_->seal(journal_->next_sequence()); !done) return done;
  checkpointed_ = std::chrono::steady_clock::now();
  return ok();
}

Result<void> Ledger::Impl::sync() {
  Journal::State state;
  Amount amount;
  {
    const std::lock_guard writing(journal_mutex_);
    if (write_failed_) return std::unexpected(*write_failed_);
    state = journal_->written();
    amount = std::exchange(unsynced_, {});
  }
  if (state.sequence == durable_.load()) return ok();
  {
    const std::lock_guard lock(mutex_);
    syncing_ = state.sequence;
  }
  const SteadyTime start = std::chrono::steady_clock::now();
  if (auto done = journal_->sync_file(); !done) return done;
  journal_->synced(std::move(state));
  note_synced(start, amount);
  return ok();
}

void Ledger::Impl::note_synced(SteadyTime start, Amount amount) {
  const microseconds took = since(start);
  {
    const std::lock_guard lock(mutex_);
    ++status_.batches;
    status_.last_sync = took;
    status_.slowest_sync = std::max(status_.slowest_sync, took);
    status_.queued_records -= amount.records;
    status_.queued_bytes -= amount.bytes;
  }
  publish(Level::durable, journal_->durable_sequence());
}

// Checkpoints and the sealing by age: after the waiters were woken.
Result<void> Ledger::Impl::keep_up() {
  if (!journal_->segment_empty() &&
      clock_.now() - journal_->segment_created() >= options_.segment_age_max) {
    if (auto done = seal(); !done) return done;
  }
  const bool due = journal_->records_since_checkpoint() >= options_.checkpoint_records ||
                   since(checkpointed_) >= options_.checkpoint_interval;
  if (due && journal_->checkpoint_due()) {
    if (auto done = journal_->checkpoint("periodic"); !done) return done;
    checkpointed_ = std::chrono::steady_clock::now();
  }
  const std::lock_guard lock(mutex_);
  status_.checkpoint_sequence = journal_->checkpoint_sequence();
  return ok();
}

// Everything that was not acknowledged is lost, for good: its sequences are never used again, so
// nobody who holds one can take another's record for his own.
void Ledger::Impl::enter_failed(const Error& error) {
  log::error("ledger failed", {{"why", error.detail}});
  failure_ = error.detail.empty() ? "unknown" : error.detail;
  const std::lock_guard writing(journal_mutex_);
  failed_ = true;
  write_failed_.reset();
  batch_.clear();
  batch_done_ = 0;
  unsynced_ = {};
  WokenWaits woken;
  {
    const std::lock_guard lock(mutex_);
    status_.accepting = false;
    status_.problem = failure_;
    ++status_.failures;
    const Range gone{durable_.load() + 1, status_.next_sequence - 1};
    if (gone.first <= gone.last) {
      lost_.push_back(gone);
      any_lost_ = true;
      status_.lost_records += gone.last - gone.first + 1;
    }
    queue_.clear();
    status_.queued_records = 0;
    status_.queued_bytes = 0;
    woken = take_answered();
  }
  woken.post();
  progress_.notify_all();
}

void Ledger::Impl::try_recovery() {
  const std::lock_guard writing(journal_mutex_);
  std::uint64_t next = 0;
  {
    const std::lock_guard lock(mutex_);
    next = status_.next_sequence;  // stays: nothing is accepted
  }
  if (auto done = journal_->recover(next, failure_); !done) {
    const std::lock_guard lock(mutex_);
    status_.problem = failure_ + "; not recovered: " + done.error().detail;
    return;
  }
  log::warn("ledger goes on", {{"after_failure", failure_}, {"sequence", next}});
  failure_.clear();
  failed_ = false;
  checkpointed_ = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  status_.next_sequence = journal_->next_sequence();
  status_.accepting = true;
  status_.problem.clear();
  status_.checkpoint_sequence = journal_->checkpoint_sequence();
  durable_ = written_ = syncing_ = journal_->durable_sequence();
}

void Ledger::Impl::finish() {
  if (!failure_.empty()) try_recovery();
  Result<void> result = ok();
  if (!failure_.empty()) {
    result = fail(Errc::io, failure_);
  } else if (journal_->checkpoint_due()) {
    result = journal_->checkpoint("final");
  }
  {
    const std::lock_guard writing(journal_mutex_);
    journal_.reset();  // lets go of the lock file
  }
  WokenWaits woken;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    closed_ = std::move(result);
    woken = take_answered();
  }
  woken.post();
  progress_.notify_all();
}

Result<void> Ledger::Impl::close() {
  const std::lock_guard once(closing_mutex_);
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  work_.notify_one();
  if (thread_.joinable()) thread_.join();
  return closed_;
}

// --- Ledger ---

Ledger::Ledger(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ledger::~Ledger() = default;

Result<std::unique_ptr<Ledger>> Ledger::open(Options options, FileLayer& files, const Clock& clock,
                                             Random&) {
  auto journal = Journal::open(options, files, clock);
  if (!journal) return fail(journal, "opening the ledger");
  auto impl = std::make_unique<Impl>(std::move(options), clock, std::move(*journal));
  return std::unique_ptr<Ledger>(new Ledger(std::move(impl)));
}

Result<std::uint64_t> Ledger::append(Record record, Commit commit) {
  return impl_->append(std::move(record), commit);
}

net::Task<Result<void>> Ledger::durable(std::uint64_t sequence) {
  Impl& impl = *impl_;
  if (impl.surely_reached(Impl::Level::durable, sequence)) co_return ok();
  co_return co_await WaitAwaiter(sequence, [&impl](const WaitHandle& wait) {
    return impl.enroll(Impl::Level::durable, wait);
  });
}

bool Ledger::is_durable(std::uint64_t sequence) {
  return impl_->surely_reached(Impl::Level::durable, sequence);
}

bool Ledger::write_now(std::uint64_t sequence) {
  if (impl_->surely_reached(Impl::Level::written, sequence)) return true;
  impl_->write_now();
  return impl_->surely_reached(Impl::Level::written, sequence);
}

net::Task<Result<void>> Ledger::written(std::uint64_t sequence) {
  Impl& impl = *impl_;
  if (write_now(sequence)) co_return ok();
  co_return co_await WaitAwaiter(sequence, [&impl](const WaitHandle& wait) {
    return impl.enroll(Impl::Level::written, wait);
  });
}

Result<void> Ledger::wait_durable(std::uint64_t sequence, std::chrono::milliseconds limit) {
  return impl_->wait(sequence, limit);
}

std::uint64_t Ledger::durable_sequence() const {
  return impl_->durable_.load();
}

Status Ledger::status() const {
  return impl_->status();
}

std::string Ledger::public_key_pem() const {
  return impl_->public_pem_;
}

const std::filesystem::path& Ledger::directory() const {
  return impl_->options_.directory;
}

Result<void> Ledger::close() {
  return impl_->close();
}

}  // namespace sallyport::ledger

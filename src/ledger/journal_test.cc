// The files of a log when things go wrong: every call failing in turn, every length of a torn file,
// and processes killed at any moment. What was acknowledged must be there, and verify must pass.

#include "ledger/journal.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <random>
#include <thread>

#include "ledger/ledger.h"
#include "ledger/read.h"
#include "ledger/testing.h"
#include "ledger/verify.h"

namespace sallyport::ledger {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Options small_options(const std::filesystem::path& directory) {
  return {.directory = directory,
          .segment_bytes = segment_bytes_min,
          .checkpoint_interval = milliseconds(5),
          .recovery_interval = milliseconds(1)};
}

Record numbered(std::uint64_t n) {
  return {.kind = RecordKind::command, .session = "s", .payload = fmt::format(R"({{"n":{}}})", n)};
}

Result<Verification> verify_in(const std::filesystem::path& directory) {
  const auto key = ed25519_public_from_pem(slurp(directory / public_key_name));
  if (!key) return std::unexpected(key.error());
  return verify(directory, *key, std::nullopt, system_files());
}

::testing::AssertionResult is_good(const std::filesystem::path& directory) {
  const auto verified = verify_in(directory);
  if (!verified) return ::testing::AssertionFailure() << verified.error().detail;
  if (verified->good()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << verified->problems.front().to_string();
}

std::map<std::uint64_t, Entry> read_all(const std::filesystem::path& directory) {
  std::map<std::uint64_t, Entry> entries;
  auto reader = LogReader::open(directory, {}, system_files());
  EXPECT_TRUE(reader);
  while (reader) {
    auto entry = reader->next();
    EXPECT_TRUE(entry) << entry.error().detail;
    if (!entry || !*entry) break;
    const std::uint64_t sequence = (*entry)->sequence;
    entries.emplace(sequence, std::move(**entry));
  }
  return entries;
}

using Acknowledged = std::map<std::uint64_t, std::string>;  // sequence to payload

void expect_all_there(const std::filesystem::path& directory, const Acknowledged& acknowledged) {
  const auto entries = read_all(directory);
  for (const auto& [sequence, payload] : acknowledged) {
    const auto found = entries.find(sequence);
    ASSERT_NE(found, entries.end()) << "record " << sequence << " is gone";
    EXPECT_EQ(found->second.payload, payload);
  }
}

// Opens, writes over more than one segment, closes; returns what was acknowledged.
Acknowledged drive(const std::filesystem::path& directory, FileLayer& files, bool after_failure) {
  Acknowledged acknowledged;
  auto ledger = Ledger::open(small_options(directory), files, system_clock(), system_random());
  if (!ledger) return acknowledged;
  for (std::uint64_t i = 0; i < 8; ++i) {
    Record record = numbered(i);
    record.payload = fmt::format(R"({{"n":{},"pad":"{}"}})", i, std::string(600, 'x'));
    const std::string payload = record.payload;
    auto sequence = (*ledger)->append(std::move(record));
    // The log recovers by itself as soon as the disk lets it.
    for (int wait = 0; after_failure && !sequence && wait < 3000; ++wait) {
      std::this_thread::sleep_for(milliseconds(1));
      sequence =
          (*ledger)->append({.kind = RecordKind::command, .session = "s", .payload = payload});
    }
    if (after_failure) EXPECT_TRUE(sequence) << sequence.error().detail;
    if (sequence && (*ledger)->wait_durable(*sequence, seconds(10))) {
      acknowledged.emplace(*sequence, payload);
    }
  }
  (void)(*ledger)->close();
  return acknowledged;
}

// How many calls it takes when nothing fails.
std::uint64_t calls_of_a_good_run() {
  const TemporaryDirectory directory;
  FaultyFiles files;
  EXPECT_EQ(drive(directory / "log", files, true).size(), 8U);
  return files.calls();
}

void fail_every_call(bool partial, std::uint64_t failures) {
  const std::uint64_t calls = calls_of_a_good_run();
  ASSERT_GT(calls, 40U);
  for (std::uint64_t n = 0; n < calls; ++n) {
    SCOPED_TRACE(fmt::format("call {} of {} fails", n, calls));
    const TemporaryDirectory directory;
    FaultyFiles files;
    files.fail_at(n, failures, partial);
    Acknowledged acknowledged = drive(directory / "log", files, failures != FaultyFiles::never);
    // The disk is well again.
    const Acknowledged more = drive(directory / "log", system_files(), true);
    EXPECT_EQ(more.size(), 8U);
    for (const auto& [sequence, payload] : more) {
      EXPECT_FALSE(acknowledged.contains(sequence)) << "sequence " << sequence << " used twice";
    }
    acknowledged.insert(more.begin(), more.end());
    expect_all_there(directory / "log", acknowledged);
    EXPECT_TRUE(is_good(directory / "log"));
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(Journal, LosesNothingAcknowledgedWhenAnyOneCallFails) {
  fail_every_call(false, 1);
}
TEST(Journal, LosesNothingAcknowledgedWhenAnyWriteIsPartial) {
  fail_every_call(true, 3);
}
TEST(Journal, LosesNothingAcknowledgedWhenEveryCallFailsFromAnyOn) {
  fail_every_call(true, FaultyFiles::never);
}

TEST(Journal, CutsATornTailAtEveryByteAndNothingThatWasSigned) {
  const TemporaryDirectory directory;
  const auto log = directory / "log";
  Options options = small_options(log);
  options.checkpoint_interval = std::chrono::hours(1);
  std::vector<std::uint64_t> ends;
  {
    auto journal = Journal::open(options, system_files(), system_clock());
    ASSERT_TRUE(journal) << journal.error().detail;
    for (std::uint64_t n = 1; n <= 4; ++n) {
      (*journal)->add(numbered(n), n);
      ASSERT_TRUE((*journal)->write());
      ASSERT_TRUE((*journal)->sync());
      if (n == 2) ASSERT_TRUE((*journal)->checkpoint("periodic"));
    }
  }
  const std::string whole = slurp(log / segment_name(0));
  const std::string checkpoints = slurp(log / checkpoints_name);
  auto scanner = SegmentScanner::open(as_bytes(whole));
  ASSERT_TRUE(scanner);
  while (true) {
    const auto frame = scanner->next();
    ASSERT_TRUE(frame);
    if (!*frame) break;
    ends.push_back(scanner->offset());
  }
  ASSERT_EQ(ends.size(), 4U);
  for (std::size_t size = header_bytes; size <= ends[3]; ++size) {
    SCOPED_TRACE(size);
    // Once as a shorter file, once with zeros where the bytes never arrived.
    for (const bool zeros : {false, true}) {
      std::string torn = whole.substr(0, size);
      if (zeros) torn.resize(whole.size(), '\0');
      spill(log / segment_name(0), torn);
      spill(log / checkpoints_name, checkpoints);
      auto ledger = Ledger::open(options, system_files(), system_clock(), system_random());
      // The last byte of a hash may be zero by chance: count what is whole.
      auto left = SegmentScanner::open(as_bytes(torn));
      ASSERT_TRUE(left);
      std::uint64_t kept = 0;
      for (auto frame = left->next(); frame && *frame; frame = left->next()) ++kept;
      if (kept < 2) {
        ASSERT_FALSE(ledger);
        EXPECT_EQ(ledger.error().code, Errc::invalid);
        continue;
      }
      ASSERT_TRUE(ledger) << ledger.error().detail;
      ASSERT_TRUE((*ledger)->close());
      ASSERT_TRUE(is_good(log));
      const auto entries = read_all(log);
      const bool clean = size == ends[kept - 1];
      ASSERT_EQ(entries.size(), clean ? kept : kept + 1);
      if (!clean) EXPECT_EQ(entries.rbegin()->second.kind, RecordKind::recovery);
    }
  }
}

// What a file holds after a power cut: only what was synced. Keeps the last synced bytes of every
// file beside the real ones.
class PowerCutFiles final : public FileLayer {
 public:
  Result<std::unique_ptr<File>> open(const std::filesystem::path& path, OpenMode mode) override {
    auto file = system_files().open(path, mode);
    if (!file) return file;
    return std::make_unique<Tracked>(*this, std::move(*file), path);
  }
  Result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    if (const auto known = synced_.find(from); known != synced_.end()) {
      synced_[to] = known->second;
      synced_.erase(from);
    }
    renamed_[from] = to;
    return system_files().rename(from, to);
  }
  Result<void> remove(const std::filesystem::path& path) override {
    return system_files().remove(path);
  }
  Result<std::vector<std::string>> list(const std::filesystem::path& directory) override {
    return system_files().list(directory);
  }
  Result<void> sync_directory(const std::filesystem::path& directory) override {
    return system_files().sync_directory(directory);
  }
  Result<void> make_directory(const std::filesystem::path& directory) override {
    return system_files().make_directory(directory);
  }
  Result<std::unique_ptr<FileLock>> lock(const std::filesystem::path& path) override {
    return system_files().lock(path);
  }

  /// Everything unsynced is gone.
  void cut_power() {
    for (const auto& [path, bytes] : synced_) spill(path, bytes);
  }

 private:
  class Tracked final : public File {
   public:
    Tracked(PowerCutFiles& owner, std::unique_ptr<File> file, std::filesystem::path path)
        : owner_(owner), file_(std::move(file)), path_(std::move(path)) {}
    Result<std::size_t> read_at(std::span<std::byte> into, std::uint64_t offset) override {
      return file_->read_at(into, offset);
    }
    Result<std::size_t> write_at(Bytes data, std::uint64_t offset) override {
      return file_->write_at(data, offset);
    }
    Result<void> datasync() override {
      const auto moved = owner_.renamed_.find(path_);
      const auto& now =
          moved != owner_.renamed_.end() && !std::filesystem::exists(path_) ? moved->second : path_;
      owner_.synced_[now] = slurp(now);
      return ok();
    }
    Result<void> truncate(std::uint64_t size) override { return file_->truncate(size); }
    Result<std::uint64_t> size() override { return file_->size(); }

   private:
    PowerCutFiles& owner_;
    std::unique_ptr<File> file_;
    std::filesystem::path path_;
  };

  std::map<std::filesystem::path, std::string> synced_;
  std::map<std::filesystem::path, std::filesystem::path> renamed_;
};

TEST(Journal, SignsNothingAfterAKillThatAPowerCutCouldStillTake) {
  const TemporaryDirectory directory;
  PowerCutFiles files;
  const Options options = small_options(directory / "log");
  {
    auto journal = Journal::open(options, files, system_clock());
    ASSERT_TRUE(journal) << journal.error().detail;
    (*journal)->add(numbered(1), 1);
    ASSERT_TRUE((*journal)->write());  // and is killed before the sync
  }
  {
    ASSERT_TRUE(Journal::open(options, files, system_clock()));
  }
  files.cut_power();
  const auto again = Journal::open(options, files, system_clock());
  ASSERT_TRUE(again) << again.error().detail;
  EXPECT_EQ((*again)->durable_sequence(), 1U);
  EXPECT_TRUE(is_good(directory / "log"));
}

TEST(Journal, IsNotGivenANewKey) {
  const TemporaryDirectory directory;
  const auto log = directory / "log";
  (void)drive(log, system_files(), true);
  std::filesystem::remove(log / private_key_name);
  const auto ledger =
      Ledger::open(small_options(log), system_files(), system_clock(), system_random());
  ASSERT_FALSE(ledger);
  EXPECT_NE(ledger.error().detail.find("key"), std::string::npos);
}

TEST(Journal, KeepsItsPrivateKeyPrivate) {
  const TemporaryDirectory directory;
  (void)drive(directory / "log", system_files(), true);
  const auto permissions = std::filesystem::status(directory / "log/key.pem").permissions();
  EXPECT_EQ(permissions, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

// Appends from two threads until it is killed, and tells through the pipe what was acknowledged.
[[noreturn]] void child_under_load(const std::filesystem::path& directory, int pipe) {
  Options options = small_options(directory);
  options.segment_bytes = 65536;
  auto ledger = Ledger::open(options, system_files(), system_clock(), system_random());
  if (!ledger) ::_exit(3);
  const auto load = [&](int worker) {
    for (std::uint64_t i = 0;; ++i) {
      const auto sequence = (*ledger)->append(
          {.kind = RecordKind::command,
           .session = "s",
           .payload = fmt::format(R"({{"w":{},"p":"{}"}})", worker,
                                  std::string(i % 40 == 0 ? 6000 : i % 300, 'y'))});
      if (!sequence) continue;
      if (i % 4 == 0 && (*ledger)->wait_durable(*sequence, seconds(10))) {
        (void)!::write(pipe, &*sequence, sizeof *sequence);
      }
    }
  };
  std::thread other(load, 1);
  load(0);
  ::_exit(4);
}

TEST(Journal, SurvivesKillAtRandomMomentsUnderLoad) {
  const TemporaryDirectory directory;
  const auto log = directory / "log";
  std::mt19937 dice(20261124);
  std::uint64_t highest = 0;
  for (int round = 0; round < 30; ++round) {
    SCOPED_TRACE(round);
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      child_under_load(log, ends[1]);
    }
    ::close(ends[1]);
    // Killed so long after its first acknowledgement, or during its start now and then.
    std::uint64_t sequence = 0;
    std::vector<std::uint64_t> acknowledged;
    if (round % 5 != 4 && ::read(ends[0], &sequence, sizeof sequence) == sizeof sequence) {
      acknowledged.push_back(sequence);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(dice() % 60000));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);
    while (::read(ends[0], &sequence, sizeof sequence) == sizeof sequence) {
      acknowledged.push_back(sequence);
    }
    ::close(ends[0]);
    if (round == 29) break;
    for (const std::uint64_t seen : acknowledged) highest = std::max(highest, seen);
  }
  // Each start already recovered what the kill before it left; this one does for the last.
  auto ledger = Ledger::open(small_options(log), system_files(), system_clock(), system_random());
  ASSERT_TRUE(ledger) << ledger.error().detail;
  EXPECT_GE((*ledger)->durable_sequence(), highest);
  ASSERT_TRUE((*ledger)->close());
  EXPECT_TRUE(is_good(log));
  const auto entries = read_all(log);
  EXPECT_GE(entries.size(), highest);
  EXPECT_GT(highest, 30U);
}

}  // namespace
}  // namespace sallyport::ledger

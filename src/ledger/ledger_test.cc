#include "ledger/ledger.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "base/crypto.h"
#include "ledger/format.h"
#include "ledger/read.h"
#include "ledger/testing.h"
#include "ledger/verify.h"
#include "net/reactor.h"

namespace sallyport::ledger {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Options options_in(const std::filesystem::path& directory) {
  return {.directory = directory,
          .segment_bytes = 16384,
          .checkpoint_interval = milliseconds(20),
          .recovery_interval = milliseconds(5)};
}

Result<std::unique_ptr<Ledger>> open_in(const std::filesystem::path& directory,
                                        FileLayer& files = system_files()) {
  return Ledger::open(options_in(directory), files, system_clock(), system_random());
}

Record record(std::string payload = R"({"n":1})") {
  return {.kind = RecordKind::command, .session = "s1", .payload = std::move(payload)};
}

TEST(Ledger, MakesAppendedRecordsDurableAndGoesOnWhereItEnded) {
  const TemporaryDirectory directory;
  for (std::uint64_t round = 0; round < 3; ++round) {
    auto ledger = open_in(directory / "log");
    ASSERT_TRUE(ledger) << ledger.error().detail;
    for (std::uint64_t i = 1; i <= 100; ++i) {
      const auto sequence = (*ledger)->append(record());
      ASSERT_TRUE(sequence) << sequence.error().detail;
      EXPECT_EQ(*sequence, round * 100 + i);
    }
    const auto durable = (*ledger)->wait_durable(round * 100 + 100, seconds(10));
    EXPECT_TRUE(durable) << durable.error().detail;
    EXPECT_GE((*ledger)->durable_sequence(), round * 100 + 100);
    EXPECT_TRUE((*ledger)->close());
  }
}

TEST(Ledger, IsOpenedByOneAtATime) {
  const TemporaryDirectory directory;
  auto first = open_in(directory / "log");
  ASSERT_TRUE(first);
  auto second = open_in(directory / "log");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::unavailable);
  ASSERT_TRUE((*first)->close());
  EXPECT_TRUE(open_in(directory / "log"));
}

TEST(Ledger, RefusesWhatIsTooLargeAndWhatComesAfterClose) {
  const TemporaryDirectory directory;
  auto ledger = open_in(directory / "log");
  ASSERT_TRUE(ledger);
  EXPECT_EQ((*ledger)->append(record(std::string(16384, 'x'))).error().code, Errc::too_large);
  EXPECT_EQ((*ledger)->wait_durable(7, milliseconds(1)).error().code, Errc::invalid);
  ASSERT_TRUE((*ledger)->close());
  EXPECT_EQ((*ledger)->append(record()).error().code, Errc::closed);
}

TEST(Ledger, DoesNotQueueWithoutLimit) {
  const TemporaryDirectory directory;
  Options options = options_in(directory / "log");
  options.queue_bytes_max = 100;
  auto ledger = Ledger::open(options, system_files(), system_clock(), system_random());
  ASSERT_TRUE(ledger);
  EXPECT_EQ((*ledger)->append(record(std::string(200, 'x'))).error().code, Errc::too_large);
  EXPECT_TRUE((*ledger)->append(record()));
}

TEST(Ledger, WakesCoroutinesOnTheirReactor) {
  const TemporaryDirectory directory;
  auto ledger = open_in(directory / "log");
  ASSERT_TRUE(ledger);
  const auto session = [](Ledger& log, int& done) -> net::Task<void> {
    for (int i = 0; i < 20; ++i) {
      const auto sequence = log.append(record());
      EXPECT_TRUE(sequence);
      const auto written = co_await log.written(*sequence);
      EXPECT_TRUE(written);
      const auto durable = co_await log.durable(*sequence);
      EXPECT_TRUE(durable);
      EXPECT_GE(log.durable_sequence(), *sequence);
      ++done;
    }
  };
  const auto main = [](net::Reactor& reactor, const int& done, int goal) -> net::Task<void> {
    while (done < goal) co_await reactor.sleep_for(milliseconds(1));
  };
  std::vector<std::thread> workers;
  for (int w = 0; w < 3; ++w) {
    workers.emplace_back([&] {
      auto reactor = net::Reactor::make();
      ASSERT_TRUE(reactor);
      int done = 0;
      for (int s = 0; s < 10; ++s) (*reactor)->spawn("session", session(**ledger, done));
      (*reactor)->run_to_end(main(**reactor, done, 200));
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ((*ledger)->durable_sequence(), 600U);
  EXPECT_LT((*ledger)->status().batches, 600U);
}

TEST(Ledger, WritesOnTheCallersThreadAndLeavesTheSyncForLater) {
  const TemporaryDirectory directory;
  Options options = options_in(directory / "log");
  options.sync_delay_max = std::chrono::hours(1);
  auto ledger = Ledger::open(options, system_files(), system_clock(), system_random());
  ASSERT_TRUE(ledger);
  auto reactor = net::Reactor::make();
  ASSERT_TRUE(reactor);
  const auto session = [](Ledger& log) -> net::Task<void> {
    for (int i = 0; i < 50; ++i) {
      const auto sequence = log.append(record(), Commit::soon);
      EXPECT_TRUE(sequence);
      const auto written = co_await log.written(*sequence);
      EXPECT_TRUE(written);
    }
  };
  const std::uint64_t batches = (*ledger)->status().batches;
  (*reactor)->run_to_end(session(**ledger));
  EXPECT_EQ((*ledger)->status().batches, batches);
  EXPECT_EQ((*ledger)->status().queued_records, 50U);
  // A killed process leaves what is in the files now.
  EXPECT_NE(slurp(directory / "log" / segment_name(0)).find(R"({"n":1})"), std::string::npos);
  EXPECT_TRUE((*ledger)->wait_durable(50, seconds(10)));
  EXPECT_EQ((*ledger)->status().queued_records, 0U);
  EXPECT_TRUE((*ledger)->close());
}

TEST(Ledger, SyncsSoonWhatNobodyWaitsFor) {
  const TemporaryDirectory directory;
  auto ledger = open_in(directory / "log");
  ASSERT_TRUE(ledger);
  const auto sequence = (*ledger)->append(record(), Commit::soon);
  ASSERT_TRUE(sequence);
  for (int i = 0; i < 2000 && (*ledger)->durable_sequence() < *sequence; ++i) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_GE((*ledger)->durable_sequence(), *sequence);
}

// Workers write beside each other, beside the syncs, and over the ends of many segments.
TEST(Ledger, ManyWorkersWriteIntoManySegments) {
  const TemporaryDirectory directory;
  auto ledger = open_in(directory / "log");
  ASSERT_TRUE(ledger);
  const auto session = [](Ledger& log) -> net::Task<void> {
    for (int i = 0; i < 100; ++i) {
      const auto sequence = log.append(record(std::string(400, 'x')), Commit::soon);
      EXPECT_TRUE(sequence);
      const auto written = co_await log.written(*sequence);
      EXPECT_TRUE(written);
      if (i % 10 == 0) {
        const auto durable = co_await log.durable(*sequence);
        EXPECT_TRUE(durable);
      }
    }
  };
  std::vector<std::thread> workers;
  for (int w = 0; w < 4; ++w) {
    workers.emplace_back([&] {
      auto reactor = net::Reactor::make();
      ASSERT_TRUE(reactor);
      (*reactor)->run_to_end(session(**ledger));
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_TRUE((*ledger)->close());
  EXPECT_EQ((*ledger)->durable_sequence(), 400U);
  const auto key = ed25519_public_from_pem(slurp(directory / "log" / public_key_name));
  ASSERT_TRUE(key);
  const auto verified = verify(directory / "log", *key, std::nullopt, system_files());
  ASSERT_TRUE(verified);
  EXPECT_TRUE(verified->good());
  EXPECT_GT(verified->segments, 5U);
}

// The n-th call fails while workers write: who was told "durable" keeps his record, everybody is
// answered, and the log goes on by itself.
TEST(Ledger, AnswersEverybodyWhenAnyCallFailsUnderWorkersThatWrite) {
  for (std::uint64_t n = 0; n < 60; n += 3) {
    SCOPED_TRACE(n);
    const TemporaryDirectory directory;
    FaultyFiles files;
    auto ledger = open_in(directory / "log", files);
    ASSERT_TRUE(ledger);
    files.fail_at(n, 2, true);
    std::vector<std::uint64_t> acknowledged;
    const auto session = [](Ledger& log, std::vector<std::uint64_t>& kept) -> net::Task<void> {
      for (int i = 0; i < 60; ++i) {
        const auto sequence = log.append(record(std::string(400, 'x')), Commit::soon);
        if (!sequence) {
          co_await net::Reactor::current().sleep_for(milliseconds(1));
          continue;
        }
        (void)co_await log.written(*sequence);
        if (i % 5 == 0 && co_await log.durable(*sequence)) kept.push_back(*sequence);
      }
    };
    auto reactor = net::Reactor::make();
    ASSERT_TRUE(reactor);
    (*reactor)->run_to_end(session(**ledger, acknowledged));
    EXPECT_FALSE(acknowledged.empty());
    EXPECT_TRUE((*ledger)->close());
    const auto key = ed25519_public_from_pem(slurp(directory / "log" / public_key_name));
    ASSERT_TRUE(key);
    const auto verified = verify(directory / "log", *key, std::nullopt, system_files());
    ASSERT_TRUE(verified);
    EXPECT_TRUE(verified->good());
    std::set<std::uint64_t> there;
    auto reader = LogReader::open(directory / "log", {}, system_files());
    ASSERT_TRUE(reader);
    while (true) {
      auto entry = reader->next();
      ASSERT_TRUE(entry);
      if (!*entry) break;
      there.insert((*entry)->sequence);
    }
    for (const std::uint64_t sequence : acknowledged) EXPECT_TRUE(there.contains(sequence));
  }
}

TEST(Ledger, ACoroutineMayBeDestroyedWhileItWaits) {
  const TemporaryDirectory directory;
  FaultyFiles files;
  auto ledger = open_in(directory / "log", files);
  ASSERT_TRUE(ledger);
  const auto session = [](Ledger& log, std::uint64_t sequence) -> net::Task<void> {
    (void)co_await log.durable(sequence);
  };
  const auto turn = [](net::Reactor& reactor) -> net::Task<void> { co_await reactor.yield(); };
  for (int round = 0; round < 50; ++round) {
    auto reactor = net::Reactor::make();
    ASSERT_TRUE(reactor);
    const auto sequence = (*ledger)->append(record());
    ASSERT_TRUE(sequence);
    (*reactor)->spawn("session", session(**ledger, *sequence));
    (*reactor)->run_to_end(turn(**reactor));
  }
  EXPECT_TRUE((*ledger)->close());
}

TEST(Ledger, AnswersWaitersWhenItFailsAndRecoversByItself) {
  const TemporaryDirectory directory;
  FaultyFiles files;
  auto ledger = open_in(directory / "log", files);
  ASSERT_TRUE(ledger);
  const auto first = (*ledger)->append(record());
  ASSERT_TRUE((*ledger)->wait_durable(*first, seconds(10)));

  files.fail_at(0, 40, true);
  const auto lost = (*ledger)->append(record());
  ASSERT_TRUE(lost);
  const auto durable = (*ledger)->wait_durable(*lost, seconds(10));
  ASSERT_FALSE(durable);
  EXPECT_EQ(durable.error().code, Errc::io);

  Result<std::uint64_t> again = (*ledger)->append(record());
  for (int i = 0; i < 2000 && !again; ++i) {
    EXPECT_EQ(again.error().code, Errc::unavailable);
    std::this_thread::sleep_for(milliseconds(5));
    again = (*ledger)->append(record());
  }
  ASSERT_TRUE(again) << again.error().detail;
  EXPECT_GT(*again, *lost + 1);  // the recovery itself is a record
  EXPECT_TRUE((*ledger)->wait_durable(*again, seconds(10)));
  EXPECT_TRUE((*ledger)->wait_durable(*first, seconds(1)));
  EXPECT_FALSE((*ledger)->wait_durable(*lost, seconds(1)));  // and for ever
  EXPECT_EQ((*ledger)->status().lost_records, 1U);
  EXPECT_TRUE((*ledger)->close());
}

}  // namespace
}  // namespace sallyport::ledger

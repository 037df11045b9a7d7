#include "ledger/prove.h"

#include <gtest/gtest.h>

#include "ledger/journal.h"
#include "ledger/sessions.h"
#include "ledger/testing.h"

namespace sallyport::ledger {
namespace {

TEST(Prove, ProvesEveryCoveredRecordAndNoOther) {
  const TemporaryDirectory directory;
  Options options{.directory = directory / "log", .segment_bytes = segment_bytes_min};
  auto journal = Journal::open(options, system_files(), system_clock());
  ASSERT_TRUE(journal);
  for (std::uint64_t n = 1; n <= 9; ++n) {
    (*journal)->add({.kind = RecordKind::command, .payload = std::to_string(n)}, n);
    ASSERT_TRUE((*journal)->write());
    ASSERT_TRUE((*journal)->sync());
    if (n == 5) ASSERT_TRUE((*journal)->seal(6));
    if (n == 8) ASSERT_TRUE((*journal)->checkpoint("periodic"));
  }
  const auto key = ed25519_public_from_pem((*journal)->public_key_pem());
  ASSERT_TRUE(key);
  for (std::uint64_t n = 1; n <= 8; ++n) {
    auto proof = prove(options.directory, n, system_files());
    ASSERT_TRUE(proof) << n << ": " << proof.error().detail;
    const auto payload = check_proof(*proof, *key);
    ASSERT_TRUE(payload) << n << ": " << payload.error().detail;
    EXPECT_EQ(*payload, std::to_string(n));
    EXPECT_FALSE(check_proof(*proof, Ed25519Key::generate().public_bytes()));
    for (std::size_t at = 0; at < proof->frame.size(); ++at) {
      proof->frame[at] ^= std::byte{1};
      EXPECT_FALSE(check_proof(*proof, *key)) << at;
      proof->frame[at] ^= std::byte{1};
    }
  }
  EXPECT_FALSE(prove(options.directory, 9, system_files()));   // not covered yet
  EXPECT_FALSE(prove(options.directory, 10, system_files()));  // not there
}

TEST(Sessions, AreListedAndFoundByTheStartOfTheirId) {
  const TemporaryDirectory directory;
  auto ledger = Ledger::open({.directory = directory / "log", .segment_bytes = 65536},
                             system_files(), system_clock(), system_random());
  ASSERT_TRUE(ledger);
  Session session;
  session.connection = "shop";
  session.chain.identities.push_back({.id = "alice"});
  for (const char* id : {"aa1", "aa2", "bb"}) {
    session.id = id;
    ASSERT_TRUE((*ledger)->append({.kind = RecordKind::session_start,
                                   .session = id,
                                   .payload = session_start_payload(session)}));
    ASSERT_TRUE((*ledger)->append(
        {.kind = RecordKind::command, .session = id, .payload = command_payload(session, {}, {})}));
  }
  ASSERT_TRUE((*ledger)->append({.kind = RecordKind::session_end,
                                 .session = "bb",
                                 .payload = session_end_payload(session, {.reason = "client"})}));
  ASSERT_TRUE((*ledger)->close());
  const auto list = list_sessions(directory / "log", {.who = "alice"}, system_files());
  ASSERT_TRUE(list) << list.error().detail;
  ASSERT_EQ(list->size(), 3U);
  EXPECT_EQ((*list)[2].commands, 1U);
  ASSERT_TRUE((*list)[2].end);
  EXPECT_EQ((*list)[2].end->reason, "client");
  EXPECT_FALSE((*list)[0].end);
  const auto none = list_sessions(directory / "log", {.who = "bob"}, system_files());
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
  const auto found = session_records(directory / "log", "b", system_files());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size(), 3U);
  EXPECT_FALSE(session_records(directory / "log", "aa", system_files()));
  EXPECT_FALSE(session_records(directory / "log", "cc", system_files()));
}

TEST(LogReader, FollowsWhatIsWrittenAcrossSegments) {
  const TemporaryDirectory directory;
  auto ledger = Ledger::open({.directory = directory / "log", .segment_bytes = segment_bytes_min},
                             system_files(), system_clock(), system_random());
  ASSERT_TRUE(ledger);
  auto reader = LogReader::open(directory / "log", {}, system_files());
  ASSERT_TRUE(reader);
  for (std::uint64_t n = 1; n <= 60; ++n) {
    const auto sequence =
        (*ledger)->append({.kind = RecordKind::command, .payload = std::string(n * 40, 'x')});
    ASSERT_TRUE(sequence);
    ASSERT_TRUE((*ledger)->wait_durable(*sequence, std::chrono::seconds(10)));
    const auto entry = reader->next();
    ASSERT_TRUE(entry && *entry) << n;
    EXPECT_EQ((*entry)->sequence, n);
    EXPECT_EQ((*entry)->payload.size(), n * 40);
    const auto end = reader->next();
    ASSERT_TRUE(end);
    EXPECT_FALSE(*end);
  }
}

}  // namespace
}  // namespace sallyport::ledger

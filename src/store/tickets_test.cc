#include "store/tickets.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

namespace sallyport::store {
namespace {

using std::chrono::seconds;

constexpr WallTime kNow{std::chrono::microseconds(1'800'000'000'000'000)};

TicketRow row(int number, std::string user = "alice") {
  TicketRow made{.id = "id" + std::to_string(number),
                 .user = std::move(user),
                 .connection = "shop",
                 .credential = "{}",
                 .created_at = kNow + seconds(number),
                 .expires_at = kNow + seconds(900)};
  made.hash = sha256(as_bytes(made.id));
  return made;
}

class TicketStoreTest : public testing::Test {
 protected:
  std::unique_ptr<Database> database = Database::open(":memory:").value();
  TicketStore store = TicketStore::create(*database, system_random()).value();
};

TEST_F(TicketStoreTest, FindsATicketByUserIdAndHash) {
  ASSERT_TRUE(store.add(row(1), kNow));
  EXPECT_EQ(store.live("alice", "shop", kNow)->size(), 1U);
  EXPECT_EQ(store.by_id("id1", kNow).value()->user, "alice");
  EXPECT_EQ(store.by_hash(row(1).hash, kNow).value()->id, "id1");
  EXPECT_TRUE(store.live("bob", "shop", kNow)->empty());
  EXPECT_TRUE(store.live("alice", "billing", kNow)->empty());
}

TEST_F(TicketStoreTest, ForgetsExpiredTickets) {
  ASSERT_TRUE(store.add(row(1), kNow));
  const auto later = kNow + seconds(900);
  EXPECT_TRUE(store.live("alice", "shop", later)->empty());
  EXPECT_FALSE(store.by_id("id1", later).value().has_value());
  auto other = row(2, "bob");
  other.expires_at = later + seconds(900);
  ASSERT_TRUE(store.add(other, later));
  EXPECT_EQ(database->run("select count(*) from ticket").value()[0][0], Value(std::int64_t{1}));
}

TEST_F(TicketStoreTest, KeepsTheNewestOfAUser) {
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(store.add(row(i), kNow));
  ASSERT_TRUE(store.add(row(100, "bob"), kNow));
  const auto live = store.live("alice", "shop", kNow).value();
  ASSERT_EQ(live.size(), TicketStore::kPerUserMax);
  EXPECT_EQ(live.front().id, "id19");
  EXPECT_EQ(live.back().id, "id4");
  EXPECT_EQ(store.live("bob", "shop", kNow)->size(), 1U);
}

TEST_F(TicketStoreTest, RefusesTheSameTicketTwice) {
  ASSERT_TRUE(store.add(row(1), kNow));
  EXPECT_FALSE(store.add(row(1), kNow));
  EXPECT_EQ(store.live("alice", "shop", kNow)->size(), 1U);
}

TEST(Database, SurvivesARestartAndIsPrivate) {
  const auto directory = std::filesystem::temp_directory_path() / random_hex(system_random(), 8);
  std::filesystem::create_directory(directory);
  const std::string path = directory / "state.db";
  ByteVector secret;
  {
    auto database = Database::open(path).value();
    auto store = TicketStore::create(*database, system_random()).value();
    secret = store.secret();
    ASSERT_TRUE(store.add(row(1), kNow));
  }
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  auto database = Database::open(path).value();
  auto store = TicketStore::create(*database, system_random()).value();
  EXPECT_EQ(store.secret(), secret);
  EXPECT_TRUE(store.by_id("id1", kNow).value().has_value());
  std::filesystem::remove_all(directory);
}

TEST(Database, UndoesATransactionThatFails) {
  auto database = Database::open(":memory:").value();
  auto failed = database->transaction([](Database& inside) -> Result<void> {
    (void)inside.run("insert into secret values ('a', x'00')").value();
    return fail(Errc::denied, "no");
  });
  EXPECT_FALSE(failed);
  EXPECT_TRUE(database->run("select * from secret").value().empty());
}

TEST(Database, SaysWhichFileItCannotOpen) {
  const auto failed = Database::open("/nonexistent/state.db");
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().detail.find("/nonexistent/state.db"), std::string::npos);
}

}  // namespace
}  // namespace sallyport::store

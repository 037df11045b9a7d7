#include "identity/keys.h"

#include <gtest/gtest.h>

#include "identity/test_support.h"
#include "net/reactor.h"

namespace sallyport::identity {
namespace {

using std::chrono::seconds;

constexpr std::string_view kDiscovery =
    "https://login.example.com/.well-known/openid-configuration";
constexpr std::string_view kKeys = "https://login.example.com/keys";

std::string set_of(const std::vector<const SigningKey*>& keys) {
  std::string text;
  for (const auto* key : keys) text += (text.empty() ? "" : ",") + key->public_jwk();
  return R"({"keys":[)" + text + "]}";
}

std::string discovery(std::string_view issuer, std::string_view jwks_uri = kKeys) {
  return R"({"issuer":")" + std::string(issuer) + R"(","jwks_uri":")" + std::string(jwks_uri) +
         "\"}";
}

class KeyCacheTest : public ::testing::Test {
 protected:
  KeyCacheTest() {
    fetcher.pages[std::string(kDiscovery)] = discovery(testing::kIssuer);
    fetcher.pages[std::string(kKeys)] = set_of({&key});
    IssuerOptions options{.name = "corp", .url = std::string(testing::kIssuer)};
    cache = std::make_unique<KeyCache>(options, clock, fetcher);
  }
  auto find(const std::string& kid) {
    return reactor->run_to_end(cache->find(kid, Algorithm::es256));
  }
  bool knows(const SigningKey& one) {
    auto found = find(one.kid());
    return found && *found != nullptr;
  }

  testing::FixedClock clock;
  testing::MapFetcher fetcher;
  SigningKey key = SigningKey::generate();
  SigningKey next = SigningKey::generate();
  std::unique_ptr<net::Reactor> reactor = net::Reactor::make().value();
  std::unique_ptr<KeyCache> cache;
};

TEST_F(KeyCacheTest, FetchesOnceAndKeeps) {
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(knows(key));
  EXPECT_EQ(fetcher.asked, (std::vector<std::string>{std::string(kDiscovery), std::string(kKeys)}));
}

TEST_F(KeyCacheTest, TakesANewKeyWithinTheFloor) {
  EXPECT_TRUE(knows(key));
  fetcher.pages[std::string(kKeys)] = set_of({&key, &next});
  EXPECT_FALSE(knows(next));  // asked a moment ago
  clock.advance(seconds(30));
  EXPECT_TRUE(knows(next));
}

TEST_F(KeyCacheTest, RemembersUnknownKidsSoThatTheyCostNothing) {
  EXPECT_TRUE(knows(key));
  for (int i = 0; i < 100; ++i) {
    clock.advance(seconds(1));
    ASSERT_EQ(find("nobody's").value(), nullptr);
    ASSERT_EQ(find("kid" + std::to_string(i)).value(), nullptr);
  }
  EXPECT_LE(cache->metrics().fetches, 1U + 100 / 30);
  const auto before = cache->metrics().fetches;
  clock.advance(seconds(40));
  ASSERT_EQ(find("nobody's").value(), nullptr);
  EXPECT_EQ(cache->metrics().fetches, before);
}

TEST_F(KeyCacheTest, ForgetsAKeyThatTheIssuerTookAway) {
  EXPECT_TRUE(knows(key));
  fetcher.pages[std::string(kKeys)] = set_of({&next});
  clock.advance(seconds(299));
  EXPECT_TRUE(knows(key));
  clock.advance(seconds(1));
  EXPECT_FALSE(knows(key));
  EXPECT_TRUE(knows(next));
}

TEST_F(KeyCacheTest, ClampsTheAgeItIsTold) {
  fetcher.max_age_s = 4'000'000'000;
  EXPECT_TRUE(knows(key));
  clock.advance(seconds(24 * 3600 - 1));
  EXPECT_TRUE(knows(key));
  EXPECT_EQ(cache->metrics().fetches, 1U);
  clock.advance(seconds(1));
  EXPECT_TRUE(knows(key));
  EXPECT_EQ(cache->metrics().fetches, 2U);
}

TEST_F(KeyCacheTest, ServesStaleKeysForADayWhenTheIssuerIsDownAndNoLonger) {
  EXPECT_TRUE(knows(key));
  fetcher.down = true;
  clock.advance(seconds(300));
  EXPECT_TRUE(knows(key));
  EXPECT_EQ(cache->metrics().served_stale, 1U);
  EXPECT_EQ(cache->metrics().failures, 1U);
  const auto asked = fetcher.asked.size();
  EXPECT_TRUE(knows(key));  // within the floor nothing is asked again
  EXPECT_EQ(fetcher.asked.size(), asked);
  clock.advance(seconds(24 * 3600));
  EXPECT_FALSE(find(key.kid()).has_value());
  fetcher.down = false;
  clock.advance(seconds(30));
  EXPECT_TRUE(knows(key));
}

TEST_F(KeyCacheTest, RefusesADiscoveryDocumentOfAnotherIssuer) {
  for (const std::string_view other : {"https://login.example.com/", "https://evil.example"}) {
    fetcher.pages[std::string(kDiscovery)] = discovery(other);
    EXPECT_FALSE(find(key.kid()).has_value());
    clock.advance(seconds(30));
  }
}

TEST_F(KeyCacheTest, RefusesKeysOverPlainHttp) {
  fetcher.pages[std::string(kDiscovery)] =
      discovery(testing::kIssuer, "http://login.example.com/keys");
  EXPECT_FALSE(find(key.kid()).has_value());
}

TEST_F(KeyCacheTest, FallsBackToRfc8414) {
  fetcher.pages.erase(std::string(kDiscovery));
  fetcher.pages["https://login.example.com/.well-known/oauth-authorization-server"] =
      discovery(testing::kIssuer);
  EXPECT_TRUE(knows(key));
}

/// Answers only when told to, as a slow issuer does.
class SlowFetcher final : public Fetcher {
 public:
  void get(std::string url, std::string, Done done) override {
    waiting.emplace_back(std::move(url), std::move(done));
  }
  std::vector<std::pair<std::string, Done>> waiting;
};

net::Task<void> one_turn(net::Reactor& reactor) {
  co_await reactor.sleep_for(seconds(0));
}

net::Task<void> find_into(KeyCache& cache, std::string kid, int& found) {
  auto key = co_await cache.find(std::move(kid), Algorithm::es256);
  if (key && *key) ++found;
}

TEST_F(KeyCacheTest, FetchesOnceForAllWhoWait) {
  SlowFetcher slow;
  KeyCache shared({.name = "corp", .url = std::string(testing::kIssuer)}, clock, slow);
  int found = 0;
  for (int i = 0; i < 10; ++i) reactor->spawn("find", find_into(shared, key.kid(), found));
  while (slow.waiting.empty()) reactor->run_to_end(one_turn(*reactor));
  ASSERT_EQ(slow.waiting.size(), 1U);
  std::exchange(slow.waiting, {})[0].second(Fetched{.body = discovery(testing::kIssuer)});
  ASSERT_EQ(slow.waiting.size(), 1U);
  std::exchange(slow.waiting, {})[0].second(Fetched{.body = set_of({&key})});
  while (reactor->spawned() > 1) reactor->run_to_end(one_turn(*reactor));
  reactor->run_to_end(one_turn(*reactor));
  EXPECT_EQ(found, 10);
  EXPECT_EQ(shared.metrics().fetches, 1U);
}

TEST_F(KeyCacheTest, SurvivesAWaiterThatGoesAway) {
  SlowFetcher slow;
  int found = 0;
  auto shared = std::make_unique<KeyCache>(
      IssuerOptions{.name = "corp", .url = std::string(testing::kIssuer)}, clock, slow);
  reactor->spawn("find", find_into(*shared, key.kid(), found));
  while (slow.waiting.empty()) reactor->run_to_end(one_turn(*reactor));
  reactor.reset();
  shared.reset();
  std::exchange(slow.waiting, {})[0].second(fail(Errc::unavailable, "down"));
  while (!slow.waiting.empty()) {
    std::exchange(slow.waiting, {})[0].second(fail(Errc::unavailable, "down"));
  }
  EXPECT_EQ(found, 0);
}

TEST(Fetchable, MeansHttpsOrLoopback) {
  for (const std::string_view good :
       {"https://a.example", "http://127.0.0.1:80/x", "http://localhost", "http://[::1]:8/x"}) {
    EXPECT_TRUE(is_fetchable(good)) << good;
  }
  for (const std::string_view bad :
       {"http://a.example", "http://localhost.evil.example", "http://127.0.0.1@evil.example",
        "http://evil.example#@127.0.0.1", "file:///etc/passwd", "https://", "ftp://127.0.0.1",
        "http://127.0.0.1.evil.example", ""}) {
    EXPECT_FALSE(is_fetchable(bad)) << bad;
  }
}

}  // namespace
}  // namespace sallyport::identity

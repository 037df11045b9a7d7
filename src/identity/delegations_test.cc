#include "identity/delegations.h"

#include <gtest/gtest.h>

#include "identity/test_support.h"

namespace sallyport::identity {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

Identity person(std::string id) {
  return {.id = id, .issuer = "https://i", .subject = id, .groups = {"support"}};
}
Identity agent(std::string id) {
  return {.kind = IdentityKind::agent, .id = id, .issuer = "https://i", .subject = id};
}

class DelegationsTest : public ::testing::Test {
 protected:
  Credential credential(std::vector<Identity> chain) {
    return {.chain = {.identities = std::move(chain)},
            .authentication = {.expires_at = clock.now() + hours(1), .issued_at = clock.now()}};
  }
  store::DelegationRow give(const Credential& who, hours ttl = hours(2)) {
    auto row = delegations.make(who, agent("copilot"), "shop", "why", ttl).value();
    EXPECT_TRUE(delegations.add(row).has_value());
    return row;
  }

  testing::FixedClock clock;
  std::unique_ptr<store::Database> database = store::Database::open(":memory:").value();
  store::DelegationStore store{*database};
  store::LogoutStore logouts{*database};
  std::unique_ptr<Revocations> revocations = Revocations::open(store, logouts, clock).value();
  Delegations delegations{store, *revocations, clock, system_random()};
  const Credential alice = credential({person("alice")});
  const Credential bob = credential({person("bob")});
};

TEST_F(DelegationsTest, AreForTheirAgentAndTime) {
  const auto row = give(alice);
  EXPECT_EQ(delegations.state_of(row), "active");
  const auto redeemed = delegations.redeem(row.id, agent("copilot"));
  ASSERT_TRUE(redeemed.has_value()) << redeemed.error().detail;
  EXPECT_EQ(redeemed->chain.to_string(), "alice");
  EXPECT_EQ(redeemed->chain.subject().groups, std::vector<std::string>{"support"});
  EXPECT_EQ(redeemed->authentication.expires_at, row.expires_at);
  EXPECT_FALSE(delegations.redeem(row.id, agent("helper")).has_value());
  Identity namesake = agent("copilot");
  namesake.issuer = "https://other";
  EXPECT_FALSE(delegations.redeem(row.id, namesake).has_value());
  Identity user = person("copilot");
  EXPECT_FALSE(delegations.redeem(row.id, user).has_value());
  clock.advance(seconds(2 * 3600));
  EXPECT_FALSE(delegations.redeem(row.id, agent("copilot")).has_value());
  EXPECT_EQ(delegations.state_of(row), "expired");
}

TEST_F(DelegationsTest, AreGivenByPeopleThemselvesOnly) {
  const auto refused = [&](const Credential& who) {
    auto made = delegations.make(who, agent("copilot"), "shop", "", hours(2));
    return !made && made.error().code == Errc::denied;
  };
  EXPECT_TRUE(refused(credential({person("alice"), agent("copilot")})));
  EXPECT_TRUE(refused(credential({agent("copilot")})));
  EXPECT_FALSE(delegations.list(credential({person("alice"), agent("copilot")})).has_value());
  const auto row = give(alice);
  EXPECT_FALSE(
      delegations.revoke(credential({person("alice"), agent("helper")}), row.id).has_value());
}

TEST_F(DelegationsTest, HaveLimits) {
  for (const seconds ttl : {seconds(0), seconds(-5), seconds(59), seconds(24 * 3600 + 1)}) {
    EXPECT_FALSE(delegations.make(alice, agent("copilot"), "shop", "", ttl).has_value());
  }
  EXPECT_FALSE(delegations.make(alice, agent("copilot"), "shop", "a\nb", hours(1)).has_value());
  EXPECT_FALSE(delegations.make(alice, agent("copilot"), "shop", std::string(501, 'x'), hours(1))
                   .has_value());
  for (std::size_t i = 0; i < store::DelegationStore::kPerUserMax; ++i) give(alice, hours(1));
  const auto more = delegations.make(alice, agent("copilot"), "shop", "", hours(1)).value();
  EXPECT_EQ(delegations.add(more).error().code, Errc::too_large);
  give(bob);
  clock.advance(seconds(3600));
  give(alice);
}

TEST_F(DelegationsTest, AreSeenAndRevokedByBothSidesAndNobodyElse) {
  const auto row = give(alice);
  EXPECT_EQ(delegations.list(alice)->size(), 1U);
  EXPECT_EQ(delegations.list(bob)->size(), 0U);
  EXPECT_EQ(delegations.list(credential({agent("copilot")}))->size(), 1U);
  EXPECT_EQ(delegations.list(credential({agent("helper")}))->size(), 0U);
  EXPECT_EQ(delegations.revoke(bob, row.id).value(), std::nullopt);
  EXPECT_EQ(delegations.revoke(credential({agent("helper")}), row.id).value(), std::nullopt);
  int told = 0;
  revocations->changed = [&] { ++told; };
  EXPECT_TRUE(delegations.revoke(credential({agent("copilot")}), row.id).value().has_value());
  EXPECT_EQ(told, 1);
  EXPECT_EQ(delegations.revoke(alice, row.id).value(), std::nullopt);  // only once
  EXPECT_FALSE(delegations.redeem(row.id, agent("copilot")).has_value());
  EXPECT_EQ(delegations.state_of(delegations.list(alice)->front()), "revoked");
}

TEST_F(DelegationsTest, EndWithTheLoginTheyWereGivenIn) {
  const auto row = give(alice);
  ASSERT_TRUE(revocations->log_out("https://i", "alice", "").has_value());
  EXPECT_FALSE(delegations.redeem(row.id, agent("copilot")).has_value());
}

class RevocationsTest : public DelegationsTest {
 protected:
  bool good(const Credential& who) const {
    return !revocations->problem(who.chain, who.authentication).has_value();
  }
  Credential in_session(std::string name, std::string session) {
    auto who = credential({person(std::move(name))});
    who.authentication.login_session = std::move(session);
    return who;
  }
};

TEST_F(RevocationsTest, ALogoutEndsWhatWasIssuedBefore) {
  const auto delegated = credential({person("alice"), agent("copilot")});
  clock.advance(seconds(10));
  ASSERT_TRUE(revocations->log_out("https://i", "alice", "").has_value());
  EXPECT_FALSE(good(alice));
  EXPECT_FALSE(good(delegated));
  EXPECT_TRUE(good(bob));
  clock.advance(seconds(1));
  EXPECT_TRUE(good(credential({person("alice")})));
  Identity namesake = person("alice");
  namesake.issuer = "https://other";
  EXPECT_TRUE(good({.chain = {.identities = {namesake}}, .authentication = alice.authentication}));
}

TEST_F(RevocationsTest, ALogoutOfOneSessionLeavesTheOthers) {
  const auto one = in_session("alice", "s1");
  const auto two = in_session("alice", "s2");
  ASSERT_TRUE(revocations->log_out("https://i", "alice", "s1").has_value());
  EXPECT_FALSE(good(one));
  EXPECT_TRUE(good(two));
  EXPECT_FALSE(good(alice));  // nobody can say that it was not in s1
  ASSERT_TRUE(revocations->log_out("https://i", "", "s2").has_value());
  EXPECT_FALSE(good(two));
}

TEST_F(RevocationsTest, OutliveARestart) {
  ASSERT_TRUE(revocations->log_out("https://i", "alice", "").has_value());
  ASSERT_TRUE(revocations->log_out("https://i", "", "s1").has_value());
  revocations = Revocations::open(store, logouts, clock).value();
  EXPECT_FALSE(good(alice));
  EXPECT_FALSE(good(in_session("bob", "s1")));
  EXPECT_TRUE(good(bob));
}

TEST_F(RevocationsTest, ManyLogoutsDoNotKeepTheGatewayFromStarting) {
  const auto added = database->transaction([](store::Database& to) -> Result<void> {
    auto made = to.run(
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < 150000) "
        "insert into logout select 'https://i', 'user' || i, '', ?1 + i % 2 * ?2 from n",
        {std::int64_t{0}, std::int64_t{1'800'000'000'000'000}});
    if (!made) return fail(made);
    return ok();
  });
  ASSERT_TRUE(added.has_value()) << added.error().detail;
  auto opened = Revocations::open(store, logouts, clock);
  ASSERT_TRUE(opened.has_value()) << opened.error().detail;
  revocations = std::move(*opened);
  EXPECT_FALSE(good(credential({person("user149999")})));
  EXPECT_TRUE(good(credential({person("user150000")})));  // of 1970: no credential is as old
  EXPECT_EQ(std::get<std::int64_t>(database->run("select count(*) from logout").value()[0][0]),
            75'000);
}

TEST_F(RevocationsTest, TheDirectoryDecidesWhoThereIs) {
  EXPECT_TRUE(good(credential({person("alice"), agent("copilot")})));
  Directory directory;
  directory.issuers.push_back(
      {.url = "https://i", .agents = {agent("copilot")}, .users = {{{"alice", {"support"}}}}});
  revocations->use(directory);
  EXPECT_TRUE(good(credential({person("alice"), agent("copilot")})));
  EXPECT_FALSE(good(bob));
  EXPECT_FALSE(good(credential({person("alice"), agent("helper")})));
  directory.issuers[0].users->at("alice") = {"support", "staff"};
  revocations->use(directory);
  EXPECT_FALSE(good(alice));
  directory.issuers[0].users.reset();  // where the issuer is another's, its tokens tell
  revocations->use(directory);
  EXPECT_TRUE(good(bob));
  directory.issuers[0].agents[0].owner = "bob";
  revocations->use(directory);
  EXPECT_FALSE(good(credential({person("alice"), agent("copilot")})));
  revocations->use({});
  EXPECT_FALSE(good(alice));
}

}  // namespace
}  // namespace sallyport::identity

#include "identity/logout.h"

#include <gtest/gtest.h>

#include "identity/test_support.h"
#include "net/reactor.h"

namespace sallyport::identity {
namespace {

using Changes = std::map<std::string, std::string>;

net::Task<Result<void>> recorded(Result<void> result) {
  co_return result;
}

class LogoutTest : public ::testing::Test {
 protected:
  LogoutTest() {
    auto options = testing::issuer_options(key);
    options.client_id = "sallyport-cli";
    authenticator =
        Authenticator::create({options}, clock, fetcher, std::nullopt, revocations.get()).value();
    logout.emplace(*authenticator, *revocations, clock, [this](Change change) {
      changes.push_back(std::move(change));
      return recorded(ok());
    });
  }

  std::string claims_of(Changes more = {}) const {
    more.insert({{"aud", R"("sallyport-cli")"},
                 {"client_id", ""},
                 {"events", R"({"http://schemas.openid.net/event/backchannel-logout":{}})"}});
    return testing::claims(std::move(more));
  }
  int send_token(std::string token, std::string ip = "192.0.2.1") {
    http::Request request{.method = "POST", .path = "/oauth2/backchannel_logout"};
    request.client_ip = std::move(ip);
    request.body = "logout_token=" + http::url_encode(token);
    const auto response = reactor->run_to_end(logout->handle(std::move(request)));
    if (response.status == 200) EXPECT_EQ(response.headers.get("Cache-Control"), "no-store");
    return response.status;
  }
  int send(Changes more, std::string typ = "logout+jwt") {
    return send_token(key.sign_jwt(typ, claims_of(std::move(more))));
  }
  bool alice_is_good() {
    return reactor
        ->run_to_end(authenticator->verify_token(key.sign_jwt("at+jwt", testing::claims())))
        .has_value();
  }

  testing::FixedClock clock;
  testing::MapFetcher fetcher;
  SigningKey key = SigningKey::generate();
  std::unique_ptr<net::Reactor> reactor = net::Reactor::make().value();
  std::unique_ptr<store::Database> database = store::Database::open(":memory:").value();
  store::DelegationStore delegations{*database};
  store::LogoutStore logouts{*database};
  std::unique_ptr<Revocations> revocations = Revocations::open(delegations, logouts, clock).value();
  std::unique_ptr<Authenticator> authenticator;
  std::optional<Logout> logout;
  std::vector<Change> changes;
};

TEST_F(LogoutTest, EndsWhatWasIssuedToTheSubject) {
  EXPECT_TRUE(alice_is_good());
  EXPECT_EQ(send({{"sub", R"("bob")"}}), 200);
  EXPECT_TRUE(alice_is_good());
  EXPECT_EQ(send({{"jti", R"("2")"}}), 200);
  EXPECT_FALSE(alice_is_good());
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[1].action, "logout");
  EXPECT_EQ(changes[1].who, "alice");
}

TEST_F(LogoutTest, RefusesWhatIsNoLogoutToken) {
  const Changes cases[] = {
      {{"events", ""}},
      {{"events", "{}"}},
      {{"events", R"(["http://schemas.openid.net/event/backchannel-logout"])"}},
      {{"events", R"({"http://schemas.openid.net/event/backchannel-logout":1})"}},
      {{"events", R"({"http://schemas.openid.net/event/other":{}})"}},
      {{"nonce", R"("n")"}},
      {{"sub", ""}},
      {{"sub", "7"}},
      {{"sid", "7"}},
      {{"sid", R"("")"}},
      {{"jti", ""}},
      {{"iat", ""}},
      {{"exp", ""}},
      {{"exp", "1799999000"}},
      {{"iat", "1800000300"}},
      {{"aud", R"("another-client")"}},
      {{"aud", ""}},
      {{"iss", R"("https://evil.example.com")"}},
  };
  for (const Changes& one : cases) {
    EXPECT_EQ(send(one), 400) << one.begin()->first << " " << one.begin()->second;
  }
  EXPECT_EQ(send({}, "JWT"), 400);
  EXPECT_EQ(send({}, "at+jwt"), 400);
  EXPECT_EQ(send_token(""), 400);
  EXPECT_EQ(send_token(SigningKey::generate().sign_jwt("logout+jwt", claims_of())), 400);
  EXPECT_TRUE(alice_is_good());
  EXPECT_EQ(send({}), 200);
}

TEST_F(LogoutTest, RefusesAReplay) {
  EXPECT_EQ(send({}), 200);
  clock.advance(std::chrono::seconds(30));
  EXPECT_EQ(send({}), 400);
  EXPECT_EQ(send({{"jti", R"("2")"}}), 200);
}

TEST_F(LogoutTest, IsNoAccessToken) {
  const auto token =
      key.sign_jwt("logout+jwt", claims_of({{"aud", '"' + std::string(testing::kAudience) + '"'}}));
  EXPECT_EQ(reactor->run_to_end(authenticator->verify_token(token)).error().kind,
            CredentialError::Kind::wrong_type);
}

TEST_F(LogoutTest, LimitsFailuresByAddress) {
  const auto address = [](int last) { return "2001:db8::" + std::to_string(last); };
  for (int i = 0; i < 60; ++i) EXPECT_EQ(send_token("x", address(i)), 400);
  EXPECT_EQ(send_token("x", address(60)), 429);  // a machine has all addresses of its /64
  EXPECT_EQ(send_token("x", "2001:db8:0:1::1"), 400);
  EXPECT_EQ(send_token("x"), 400);
}

TEST_F(LogoutTest, IsNeverKeptFromAnIssuerByOthersAtItsAddress) {
  for (int i = 0; i < 61; ++i) (void)send_token("x");
  EXPECT_EQ(send_token("x"), 429);
  EXPECT_EQ(send({}), 200);
  EXPECT_FALSE(alice_is_good());
}

}  // namespace
}  // namespace sallyport::identity

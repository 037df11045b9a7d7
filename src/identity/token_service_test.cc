#include "identity/token_service.h"

#include <gtest/gtest.h>

#include "identity/json.h"
#include "identity/test_support.h"
#include "net/reactor.h"

namespace sallyport::identity {
namespace {

using testing::claims;

constexpr std::string_view kUrl = "https://gateway.example.com:8443";
constexpr std::string_view kAccess = "urn:ietf:params:oauth:token-type:access_token";

using Changes = std::map<std::string, std::string>;

net::Task<Result<void>> done(Result<void> result) {
  co_return result;
}

class TokenServiceTest : public ::testing::Test {
 protected:
  TokenServiceTest() {
    SigningKey own = SigningKey::generate();
    const TokenServiceOptions options{.url = std::string(kUrl),
                                      .audience = std::string(testing::kAudience)};
    auto other = testing::issuer_options(other_key);
    other.name = "other";
    other.url = "https://other.example.com";
    revocations = Revocations::open(delegation_store, logout_store, clock).value();
    delegations.emplace(delegation_store, *revocations, clock, system_random());
    authenticator = Authenticator::create({testing::issuer_options(key), other}, clock, fetcher,
                                          TokenService::trust(options, own), revocations.get())
                        .value();
    service.emplace(options, std::move(own), *authenticator, *delegations, clock, system_random(),
                    [this](Change change) {
                      changes.push_back(std::move(change));
                      return done(record_fails ? Result<void>(fail(Errc::io, "disk")) : ok());
                    });
  }

  std::string user(Changes more = {}) const {
    return key.sign_jwt("at+jwt", claims(std::move(more)));
  }
  std::string agent(std::string name, Changes more = {}) const {
    more.insert({{"sub", '"' + name + '"'}, {"client_id", '"' + name + '"'}});
    return user(std::move(more));
  }
  http::Response exchange(std::string subject, std::string actor, Changes more = {},
                          std::string ip = "192.0.2.1") {
    Changes form{{"grant_type", std::string(kExchangeGrant)},
                 {"subject_token", std::move(subject)},
                 {"subject_token_type", std::string(kAccess)},
                 {"actor_token", std::move(actor)},
                 {"actor_token_type", std::string(kAccess)}};
    for (auto& [name, value] : more) form[name] = value;
    http::Request request{.method = "POST", .path = "/oauth2/token", .client_ip = std::move(ip)};
    for (const auto& [name, value] : form) {
      if (!value.empty()) request.body += "&" + name + "=" + http::url_encode(value);
    }
    if (!request.body.empty()) request.body.erase(0, 1);
    return reactor->run_to_end(service->exchange(std::move(request)));
  }
  static Json json(const http::Response& response) {
    return Json::parse(response.body, 1 << 20).value();
  }
  std::string token(const http::Response& response) {
    EXPECT_EQ(response.status, 200) << response.body;
    return std::string(json(response).text("access_token").value_or(""));
  }
  std::string error(const http::Response& response) {
    EXPECT_GE(response.status, 400);
    EXPECT_EQ(changes.back().action, "token.refused");
    return std::string(json(response).text("error").value_or(""));
  }
  CredentialResult<Credential> verify(std::string token, Presentation presentation = {}) {
    return reactor->run_to_end(
        authenticator->verify_token(std::move(token), std::move(presentation)));
  }

  testing::FixedClock clock;
  testing::MapFetcher fetcher;
  SigningKey key = SigningKey::generate();
  SigningKey other_key = SigningKey::generate();
  std::unique_ptr<net::Reactor> reactor = net::Reactor::make().value();
  std::unique_ptr<store::Database> database = store::Database::open(":memory:").value();
  store::DelegationStore delegation_store{*database};
  store::LogoutStore logout_store{*database};
  std::unique_ptr<Revocations> revocations;
  std::optional<Delegations> delegations;
  std::unique_ptr<Authenticator> authenticator;
  std::optional<TokenService> service;
  std::vector<Change> changes;
  bool record_fails = false;
};

TEST_F(TokenServiceTest, MakesOneTokenThatNamesBothAndMapsBackToTheSameIdentities) {
  const auto alice = user({{"groups", R"(["support","staff"])"},
                           {"name", R"("Alice Ash")"},
                           {"scope", R"("db:read db:write")"},
                           {"sid", R"("s1")"},
                           {"acr", R"("mfa")"},
                           {"auth_time", "1799999990"}});
  const auto response = exchange(alice, agent("copilot"));
  ASSERT_EQ(response.status, 200) << response.body;
  const auto body = json(response);
  EXPECT_EQ(body.text("issued_token_type"), kAccess);
  EXPECT_EQ(body.text("token_type"), "Bearer");
  EXPECT_EQ(body.text("scope"), "db:read db:write");
  EXPECT_EQ(body.member("expires_in")->integer(), 300);
  EXPECT_EQ(response.headers.get("Cache-Control"), "no-store");

  const auto jws = parse_jws(*body.text("access_token")).value();
  EXPECT_EQ(jws.typ, "at+jwt");
  EXPECT_EQ(jws.algorithm, Algorithm::es256);
  const auto said = Json::parse(jws.payload, 16384).value();
  EXPECT_EQ(said.text("iss"), kUrl);
  EXPECT_EQ(said.text("aud"), testing::kAudience);
  EXPECT_EQ(said.text("sub"), "alice");
  EXPECT_EQ(said.text("client_id"), "copilot");
  EXPECT_EQ(said.member("act")->text("sub"), "copilot");
  EXPECT_EQ(said.member("act")->text("iss"), testing::kIssuer);
  EXPECT_TRUE(said.has("jti"));

  const auto back = verify(std::string(*body.text("access_token")));
  ASSERT_TRUE(back.has_value()) << back.error().detail;
  EXPECT_EQ(back->chain.to_string(), "alice via copilot");
  const auto direct = verify(alice).value();
  const Identity& subject = back->chain.subject();
  EXPECT_EQ(subject.id, direct.chain.subject().id);
  EXPECT_EQ(subject.issuer, direct.chain.subject().issuer);
  EXPECT_EQ(subject.groups, direct.chain.subject().groups);
  EXPECT_EQ(subject.display_name, "Alice Ash");
  EXPECT_EQ(back->chain.actor().owner, "alice");
  const Authentication& how = back->authentication;
  EXPECT_EQ(how.method, "exchange");
  EXPECT_EQ(how.acr, "mfa");
  EXPECT_EQ(how.authenticated_at, direct.authentication.authenticated_at);
  EXPECT_EQ(how.login_session, "s1");
  EXPECT_EQ(how.transaction, said.text("txn"));
  EXPECT_EQ(how.scopes, (std::vector<std::string>{"db:read", "db:write"}));

  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].action, "token.exchanged");
  EXPECT_EQ(changes[0].who, "alice via copilot");
  EXPECT_NE(changes[0].detail.find(*said.text("txn")), std::string::npos);
}

TEST_F(TokenServiceTest, KeepsIdentitiesOfDifferentIssuersApart) {
  const auto stranger =
      other_key.sign_jwt("at+jwt", claims({{"iss", R"("https://other.example.com")"}}));
  const auto back = verify(token(exchange(stranger, agent("copilot"))));
  ASSERT_TRUE(back.has_value()) << back.error().detail;
  EXPECT_EQ(back->chain.subject().id, "other|alice");
  EXPECT_EQ(back->chain.subject().issuer, "https://other.example.com");
  EXPECT_EQ(back->chain.actor().issuer, testing::kIssuer);
}

TEST_F(TokenServiceTest, LetsAgentsActForAgentsUpToThree) {
  std::string chain = user();
  for (const char* name : {"copilot", "helper", "third"}) {
    chain = token(exchange(chain, agent(name)));
  }
  const auto back = verify(chain);
  ASSERT_TRUE(back.has_value()) << back.error().detail;
  EXPECT_EQ(back->chain.to_string(), "alice via copilot via helper via third");
  EXPECT_EQ(error(exchange(chain, agent("fourth"))), "invalid_request");
  EXPECT_NE(changes.back().detail.find("more than 3"), std::string::npos);
}

TEST_F(TokenServiceTest, LetsNobodyStandInAChainTwice) {
  const auto once = token(exchange(user(), agent("copilot")));
  EXPECT_EQ(error(exchange(once, agent("copilot"))), "invalid_request");
  const auto twice = token(exchange(once, agent("helper")));
  EXPECT_EQ(error(exchange(twice, agent("copilot"))), "invalid_request");
}

TEST_F(TokenServiceTest, TakesAnActorsOwnTokenOnly) {
  const auto delegated = token(exchange(user(), agent("copilot")));
  EXPECT_EQ(error(exchange(user({{"sub", R"("bob")"}}), delegated)), "invalid_request");
  EXPECT_EQ(error(exchange(user(), user({{"sub", R"("bob")"}}))), "invalid_request");
  EXPECT_EQ(error(exchange(user(), agent("stranger"))), "invalid_request");
  EXPECT_EQ(error(exchange(user(), "")), "invalid_request");
  EXPECT_NE(changes.back().detail.find("no actor_token"), std::string::npos);
  // An impersonation token proves no agent either.
  EXPECT_EQ(error(exchange(user(), user({{"client_id", R"("copilot")"}}))), "invalid_request");
}

TEST_F(TokenServiceTest, TakesAPersonAsSubjectOnly) {
  EXPECT_EQ(error(exchange(agent("helper"), agent("copilot"))), "invalid_request");
  EXPECT_EQ(error(exchange("", agent("copilot"))), "invalid_request");
  EXPECT_EQ(error(exchange("rubbish", agent("copilot"))), "invalid_request");
}

TEST_F(TokenServiceTest, IsTheWayOutOfImpersonationForThatAgentOnly) {
  const auto impersonating = user({{"client_id", R"("copilot")"}});
  EXPECT_EQ(verify(impersonating).error().kind, CredentialError::Kind::impersonation);
  const auto back = verify(token(exchange(impersonating, agent("copilot"))));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->chain.to_string(), "alice via copilot");
  EXPECT_EQ(error(exchange(impersonating, agent("helper"))), "invalid_request");
}

TEST_F(TokenServiceTest, EnforcesMayActAlsoFurtherDown) {
  const auto restricted = user({{"may_act", R"({"sub":"copilot"})"}});
  EXPECT_EQ(error(exchange(restricted, agent("helper"))), "invalid_request");
  const auto made = token(exchange(restricted, agent("copilot")));
  EXPECT_EQ(error(exchange(made, agent("helper"))), "invalid_request");
  EXPECT_NE(changes.back().detail.find("may_act"), std::string::npos);
  // The same name at another issuer is somebody else.
  const auto elsewhere =
      user({{"may_act", R"({"sub":"copilot","iss":"https://other.example.com"})"}});
  EXPECT_EQ(error(exchange(elsewhere, agent("copilot"))), "invalid_request");
  EXPECT_EQ(error(exchange(user({{"may_act", R"("copilot")"}}), agent("copilot"))),
            "invalid_request");
}

TEST_F(TokenServiceTest, NarrowsScopesAndNeverWidens) {
  const auto alice = user({{"scope", R"("db:read db:write")"}});
  const auto response = exchange(alice, agent("copilot"), {{"scope", "db:read"}});
  EXPECT_EQ(verify(token(response))->authentication.scopes, std::vector<std::string>{"db:read"});
  EXPECT_EQ(error(exchange(alice, agent("copilot"), {{"scope", "db:read admin"}})),
            "invalid_scope");
  EXPECT_EQ(error(exchange(token(response), agent("helper"), {{"scope", "db:write"}})),
            "invalid_scope");
}

TEST_F(TokenServiceTest, IssuesForThisGatewayOnly) {
  for (const std::string& ours : {std::string(testing::kAudience), std::string(kUrl)}) {
    EXPECT_EQ(exchange(user(), agent("copilot"), {{"audience", ours}, {"resource", ours}}).status,
              200);
  }
  EXPECT_EQ(error(exchange(user(), agent("copilot"), {{"audience", "https://bank.example"}})),
            "invalid_target");
  EXPECT_EQ(error(exchange(user(), agent("copilot"), {{"resource", "https://bank.example"}})),
            "invalid_target");
}

TEST_F(TokenServiceTest, LivesNoLongerThanEitherToken) {
  const auto until = [&](std::string user_exp, std::string agent_exp) {
    const auto made = token(exchange(user({{"exp", std::move(user_exp)}}),
                                     agent("copilot", {{"exp", std::move(agent_exp)}})));
    return std::chrono::duration_cast<std::chrono::seconds>(
               verify(made)->authentication.expires_at - clock.now())
        .count();
  };
  EXPECT_EQ(until("1800003600", "1800003600"), 300);
  EXPECT_EQ(until("1800000020", "1800003600"), 20);
  EXPECT_EQ(until("1800003600", "1800000010"), 10);
  // Inside the skew it is still a token, but nothing new is made of it.
  EXPECT_EQ(error(exchange(user({{"exp", "1799999990"}}), agent("copilot"))), "invalid_request");
}

TEST_F(TokenServiceTest, RefusesOtherKindsOfTokens) {
  EXPECT_EQ(error(exchange(user(), agent("copilot"),
                           {{"subject_token_type", "urn:ietf:params:oauth:token-type:id_token"}})),
            "invalid_request");
  EXPECT_EQ(error(exchange(user(), agent("copilot"),
                           {{"actor_token_type", "urn:ietf:params:oauth:token-type:saml2"}})),
            "invalid_request");
  EXPECT_EQ(
      error(exchange(user(), agent("copilot"),
                     {{"requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}})),
      "invalid_request");
  const auto response = exchange(user(), agent("copilot"), {{"client_id", "helper"}});
  EXPECT_EQ(response.status, 401);
  EXPECT_EQ(error(response), "invalid_client");
}

TEST_F(TokenServiceTest, IssuesNothingThatIsNotRecorded) {
  record_fails = true;
  const auto response = exchange(user(), agent("copilot"));
  EXPECT_EQ(response.status, 503);
  EXPECT_FALSE(json(response).has("access_token"));
}

TEST_F(TokenServiceTest, LimitsFailuresByAddress) {
  for (int i = 0; i < 60; ++i) EXPECT_EQ(exchange("x", "y").status, 400);
  const auto limited = exchange(user(), agent("copilot"));
  EXPECT_EQ(limited.status, 429);
  EXPECT_TRUE(limited.headers.get("Retry-After").has_value());
  EXPECT_EQ(exchange(user(), agent("copilot"), {}, "192.0.2.2").status, 200);
  clock.advance(std::chrono::seconds(301));
  EXPECT_EQ(exchange("x", "y").status, 400);
}

TEST_F(TokenServiceTest, TakesADelegationWithTheAgentsTokenAlone) {
  const auto alice =
      verify(user({{"groups", R"(["support"])"}, {"scope", R"("db:read")"}})).value();
  const auto copilot = authenticator->issuers()->agent("copilot").value();
  const auto row =
      delegations->make(alice, copilot, "shop", "ticket 4711", std::chrono::hours(2)).value();
  ASSERT_TRUE(delegations->add(row).has_value());
  const Changes grant{{"subject_token_type", std::string(kDelegationType)}};

  const auto back = verify(token(exchange(row.id, agent("copilot"), grant)));
  ASSERT_TRUE(back.has_value()) << back.error().detail;
  EXPECT_EQ(back->chain.to_string(), "alice via copilot");
  EXPECT_EQ(back->chain.subject().groups, std::vector<std::string>{"support"});
  EXPECT_EQ(back->authentication.connection, "shop");
  EXPECT_EQ(back->authentication.delegation, row.id);
  // Long after alice's own token ended.
  clock.advance(std::chrono::minutes(100));
  const Changes later{{"exp", "1800009000"}, {"iat", "1800006000"}};
  EXPECT_EQ(exchange(row.id, agent("copilot", later), grant).status, 200);

  EXPECT_EQ(error(exchange(row.id, agent("helper", later), grant)), "invalid_grant");
  EXPECT_EQ(error(exchange("dlg_nothing", agent("copilot", later), grant)), "invalid_grant");
  EXPECT_EQ(error(exchange(row.id, "", grant)), "invalid_request");
  Changes wider = grant;
  wider["scope"] = "db:write";
  EXPECT_EQ(error(exchange(row.id, agent("copilot", later), wider)), "invalid_scope");
  clock.advance(std::chrono::minutes(21));
  EXPECT_EQ(error(exchange(row.id, agent("copilot", later), grant)), "invalid_grant");
}

TEST_F(TokenServiceTest, ARevokedDelegationEndsWhatWasMadeOfIt) {
  const auto alice = verify(user()).value();
  const auto copilot = authenticator->issuers()->agent("copilot").value();
  const auto row = delegations->make(alice, copilot, "shop", "", std::chrono::hours(2)).value();
  ASSERT_TRUE(delegations->add(row).has_value());
  const Changes grant{{"subject_token_type", std::string(kDelegationType)}};
  const auto made = token(exchange(row.id, agent("copilot"), grant));
  const auto further = token(exchange(made, agent("helper")));
  ASSERT_TRUE(delegations->revoke(alice, row.id).value().has_value());
  EXPECT_EQ(verify(made).error().kind, CredentialError::Kind::revoked);
  EXPECT_EQ(verify(further).error().kind, CredentialError::Kind::revoked);
  EXPECT_EQ(error(exchange(row.id, agent("copilot"), grant)), "invalid_grant");
  // Also after a restart.
  const auto again = Revocations::open(delegation_store, logout_store, clock).value();
  Authentication how;
  how.delegation = row.id;
  EXPECT_TRUE(again->problem(alice.chain, how).has_value());
}

TEST_F(TokenServiceTest, AnIssuerCannotSpeakForUs) {
  // Our address, our claims, an issuer's key: the key decides whose token it is.
  const auto forged = key.sign_jwt(
      "at+jwt", claims({{"iss", '"' + std::string(kUrl) + '"'},
                        {"sub_iss", '"' + std::string(testing::kIssuer) + '"'},
                        {"sub_id", R"("dana")"},
                        {"act", R"({"iss":"https://login.example.com","sub":"copilot"})"}}));
  EXPECT_EQ(verify(forged).error().kind, CredentialError::Kind::unknown_issuer);
}

TEST_F(TokenServiceTest, AnAgentThatIsNoLongerRegisteredEndsItsTokens) {
  const auto made = token(exchange(user(), agent("copilot")));
  auto without = testing::issuer_options(key);
  without.agents.erase(without.agents.begin());
  ASSERT_TRUE(authenticator->use({without}).has_value());
  EXPECT_EQ(verify(made).error().kind, CredentialError::Kind::delegation);
}

}  // namespace
}  // namespace sallyport::identity

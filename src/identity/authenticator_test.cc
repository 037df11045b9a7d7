#include "identity/authenticator.h"

#include <gtest/gtest.h>

#include "identity/test_support.h"
#include "net/reactor.h"

namespace sallyport::identity {
namespace {

using testing::claims;
using Kind = CredentialError::Kind;

class AuthenticatorTest : public ::testing::Test {
 protected:
  AuthenticatorTest() { start({testing::issuer_options(key)}); }

  void start(std::vector<IssuerOptions> issuers) {
    authenticator = Authenticator::create(std::move(issuers), clock, fetcher).value();
  }
  CredentialResult<Credential> verify(std::string token, Presentation presentation = {}) {
    return reactor->run_to_end(
        authenticator->verify_token(std::move(token), std::move(presentation)));
  }
  CredentialResult<Credential> verify_claims(std::map<std::string, std::string> changes) {
    return verify(key.sign_jwt("at+jwt", claims(std::move(changes))));
  }
  /// The kind of a refusal, and a check that its texts for the client are safe.
  Kind refused(const CredentialResult<Credential>& result) {
    if (result) {
      ADD_FAILURE() << "was accepted";
      return Kind::malformed;
    }
    EXPECT_FALSE(result.error().message.empty());
    for (const std::string& secret : {key.kid(), std::string("kid"), std::string("jwks")}) {
      EXPECT_EQ(result.error().to_string().find(secret), std::string::npos);
    }
    return result.error().kind;
  }

  testing::FixedClock clock;
  testing::MapFetcher fetcher;
  SigningKey key = SigningKey::generate();
  std::unique_ptr<net::Reactor> reactor = net::Reactor::make().value();
  std::unique_ptr<Authenticator> authenticator;
};

TEST_F(AuthenticatorTest, TurnsATokenIntoAChainOfOne) {
  const auto credential = verify_claims({{"groups", R"(["support","staff"])"},
                                         {"name", R"("Alice Ash")"},
                                         {"email", R"("alice@example.com")"},
                                         {"acr", R"("mfa")"},
                                         {"auth_time", "1799999990"},
                                         {"scope", R"("openid shop")"}});
  ASSERT_TRUE(credential.has_value()) << credential.error().detail;
  ASSERT_EQ(credential->chain.identities.size(), 1U);
  const Identity& alice = credential->chain.subject();
  EXPECT_EQ(alice.kind, IdentityKind::user);
  EXPECT_EQ(alice.id, "alice");
  EXPECT_EQ(alice.issuer, testing::kIssuer);
  EXPECT_EQ(alice.subject, "alice");
  EXPECT_EQ(alice.display_name, "Alice Ash");
  EXPECT_EQ(alice.email, "alice@example.com");
  EXPECT_EQ(alice.groups, (std::vector<std::string>{"support", "staff"}));
  const Authentication& how = credential->authentication;
  EXPECT_EQ(how.method, "jwt");
  EXPECT_EQ(how.acr, "mfa");
  EXPECT_EQ(how.authenticated_at, WallTime(std::chrono::seconds(1799999990)));
  EXPECT_EQ(how.expires_at, WallTime(std::chrono::seconds(1800000300)));
  EXPECT_EQ(how.scopes, (std::vector<std::string>{"openid", "shop"}));
  EXPECT_FALSE(how.sender_bound);
}

TEST_F(AuthenticatorTest, SaysHowLongAgoATokenExpired) {
  clock.advance(std::chrono::seconds(300 + 59));
  EXPECT_TRUE(verify_claims({}).has_value());
  clock.advance(std::chrono::seconds(1));
  auto result = verify_claims({});
  EXPECT_EQ(refused(result), Kind::expired);
  EXPECT_EQ(result.error().to_string(), "the token expired 60 seconds ago: run `sallyport login`");
  clock.advance(std::chrono::minutes(2));
  EXPECT_EQ(verify_claims({}).error().message, "the token expired 3 minutes ago");
  clock.advance(std::chrono::hours(24 * 9));
  EXPECT_EQ(verify_claims({}).error().message, "the token expired 9 days ago");
}

TEST_F(AuthenticatorTest, RefusesTimesThatAreNotWholeSeconds) {
  for (const std::string bad : {"1800000300.5", "1.8e9", R"("1800000300")", "-1", "null", "true",
                                "9007199254740993", "18446744073709551615", "[1800000300]"}) {
    for (const std::string name : {"exp", "iat", "nbf", "auth_time"}) {
      EXPECT_EQ(refused(verify_claims({{name, bad}})), Kind::claims) << name << " " << bad;
    }
  }
}

TEST_F(AuthenticatorTest, RefusesATokenOfTheFuture) {
  EXPECT_TRUE(verify_claims({{"nbf", "1800000060"}}).has_value());
  EXPECT_EQ(refused(verify_claims({{"nbf", "1800000061"}})), Kind::not_yet_valid);
  EXPECT_EQ(refused(verify_claims({{"iat", "1800000061"}})), Kind::not_yet_valid);
}

TEST_F(AuthenticatorTest, RefusesATokenForSomebodyElse) {
  EXPECT_TRUE(verify_claims({{"aud", R"(["x","https://gateway.example.com"])"}}).has_value());
  for (const std::string bad :
       {R"("https://gateway.example.com/")", R"([])", R"("")", R"(["x"])"}) {
    const auto result = verify_claims({{"aud", bad}});
    EXPECT_EQ(refused(result), Kind::wrong_audience) << bad;
    EXPECT_EQ(result.error().to_string(),
              "the token is meant for another service: ask its issuer for a token whose audience "
              "is https://gateway.example.com");
  }
  EXPECT_EQ(refused(verify_claims({{"aud", R"(["https://gateway.example.com",1])"}})),
            Kind::claims);
}

TEST_F(AuthenticatorTest, RefusesAnIssuerThatIsNotTrusted) {
  for (const std::string bad : {R"("https://login.example.com/")", R"("https://evil.example")"}) {
    EXPECT_EQ(refused(verify_claims({{"iss", bad}})), Kind::unknown_issuer);
  }
  EXPECT_EQ(refused(verify_claims({{"iss", ""}})), Kind::malformed);
}

TEST_F(AuthenticatorTest, TellsAnUnknownKeyAndAWrongSignatureApartOnlyInTheLog) {
  const auto unknown = verify(SigningKey::generate().sign_jwt("at+jwt", claims()));
  auto token = key.sign_jwt("at+jwt", claims());
  const auto other = key.sign_jwt("at+jwt", claims({{"sub", R"("bob")"}}));
  token = token.substr(0, token.rfind('.')) + other.substr(other.rfind('.'));
  const auto forged = verify(token);
  EXPECT_EQ(refused(unknown), Kind::unknown_key);
  EXPECT_EQ(refused(forged), Kind::signature);
  EXPECT_EQ(unknown.error().to_string(), forged.error().to_string());
  EXPECT_NE(unknown.error().detail, forged.error().detail);
}

std::string unsigned_token(std::string_view header, std::string_view signature = "") {
  return to_base64url(as_bytes(header)) + "." + to_base64url(as_bytes(claims())) + "." +
         std::string(signature);
}

TEST_F(AuthenticatorTest, RefusesNoneAndTheHmacOfThePublicKey) {
  EXPECT_EQ(refused(verify(unsigned_token(R"({"alg":"none","typ":"at+jwt"})"))), Kind::algorithm);
  const std::string header =
      to_base64url(as_bytes(R"({"alg":"HS256","typ":"at+jwt","kid":")" + key.kid() + "\"}"));
  const std::string input = header + "." + to_base64url(as_bytes(claims()));
  const auto mac = hmac_sha256(as_bytes(key.public_jwk()), as_bytes(input));
  EXPECT_EQ(refused(verify(input + "." + to_base64url(mac))), Kind::algorithm);
}

TEST_F(AuthenticatorTest, RefusesAnAlgorithmTheIssuerMayNotUse) {
  auto options = testing::issuer_options(key);
  options.algorithms = {Algorithm::rs256};
  start({options});
  EXPECT_EQ(refused(verify_claims({})), Kind::algorithm);
}

TEST_F(AuthenticatorTest, RefusesHeadersThatMeanMoreThanWeKnow) {
  for (const std::string extra :
       {R"("crit":["exp"])", R"("b64":false)", R"("zip":"DEF")", R"("enc":"A128GCM")"}) {
    EXPECT_EQ(refused(verify(unsigned_token(R"({"alg":"ES256",)" + extra + "}", "AA"))),
              Kind::algorithm);
  }
  EXPECT_EQ(refused(verify(unsigned_token(R"({"alg":"ES256","alg":"none"})"))), Kind::malformed);
}

TEST_F(AuthenticatorTest, RefusesWhatIsNotAToken) {
  for (const std::string& bad :
       std::vector<std::string>{"", "spt_abc", "a.b", "a.b.c.d.e", "..", std::string(20000, 'a'),
                                "eyJhbGciOiJFUzI1NiJ9.e30=.AA", "eyJhbGciOiJFUzI1NiJ9.e30.AA"}) {
    EXPECT_EQ(refused(verify(bad)), Kind::malformed) << bad.substr(0, 40);
  }
}

TEST_F(AuthenticatorTest, RefusesTheSameClaimTwice) {
  auto text = claims();
  text.insert(1, R"("sub":"dana",)");
  EXPECT_EQ(refused(verify(key.sign_jwt("at+jwt", text))), Kind::malformed);
}

TEST_F(AuthenticatorTest, WantsAnAccessToken) {
  EXPECT_EQ(refused(verify(key.sign_jwt("JWT", claims()))), Kind::wrong_type);
  EXPECT_EQ(refused(verify(key.sign_jwt("", claims()))), Kind::wrong_type);
  EXPECT_TRUE(verify(key.sign_jwt("application/AT+jwt", claims())).has_value());
  EXPECT_EQ(refused(verify_claims({{"client_id", ""}})), Kind::claims);
  EXPECT_EQ(refused(verify_claims({{"jti", ""}})), Kind::claims);
  EXPECT_EQ(refused(verify_claims({{"iat", ""}})), Kind::claims);
  EXPECT_EQ(refused(verify_claims({{"exp", ""}})), Kind::claims);
  EXPECT_EQ(refused(verify_claims({{"sub", ""}})), Kind::claims);
}

TEST_F(AuthenticatorTest, TakesPlainJwtOnlyFromAnIssuerThatSaysSo) {
  auto options = testing::issuer_options(key);
  options.access_token_typ = "JWT";
  start({options});
  const auto plain = claims({{"client_id", ""}, {"jti", ""}, {"iat", ""}});
  EXPECT_TRUE(verify(key.sign_jwt("JWT", plain)).has_value());
  EXPECT_EQ(refused(verify(key.sign_jwt("at+jwt", plain))), Kind::wrong_type);
  EXPECT_EQ(refused(verify(key.sign_jwt("JWT", claims({{"nonce", R"("n")"}})))), Kind::wrong_type);
}

TEST_F(AuthenticatorTest, KeepsTheIdsOfIssuersApart) {
  auto first = testing::issuer_options(key);
  auto second = testing::issuer_options(key);
  second.name = "partner";
  second.url = "https://partner.example";
  start({first, second});
  EXPECT_EQ(verify_claims({})->chain.subject().id, "alice");
  EXPECT_EQ(verify_claims({{"iss", R"("https://partner.example")"}})->chain.subject().id,
            "partner|alice");
  EXPECT_EQ(refused(verify_claims({{"sub", R"("partner|alice")"}})), Kind::claims);
  EXPECT_EQ(verify_claims({{"sub", R"("auth0|alice")"}})->chain.subject().id, "auth0|alice");
}

TEST_F(AuthenticatorTest, TakesTheIdFromTheClaimItIsTold) {
  auto options = testing::issuer_options(key);
  options.id_claim = "preferred_username";
  options.groups_claim = "realm_access.roles";
  start({options});
  const auto credential = verify_claims({{"sub", R"("7f3a")"},
                                         {"preferred_username", R"("alice")"},
                                         {"realm_access", R"({"roles":["dba"]})"}});
  ASSERT_TRUE(credential.has_value());
  EXPECT_EQ(credential->chain.subject().id, "alice");
  EXPECT_EQ(credential->chain.subject().subject, "7f3a");
  EXPECT_EQ(credential->chain.subject().groups, std::vector<std::string>{"dba"});
  EXPECT_EQ(refused(verify_claims({})), Kind::claims);
}

TEST_F(AuthenticatorTest, RefusesGroupsItCannotRead) {
  for (const std::string bad : {"7", R"([1])", R"({"a":1})", R"(["a\nb"])", R"([""])"}) {
    EXPECT_EQ(refused(verify_claims({{"groups", bad}})), Kind::claims) << bad;
  }
}

TEST_F(AuthenticatorTest, KnowsAnAgentByItsOwnToken) {
  const auto credential =
      verify_claims({{"sub", R"("copilot")"},
                     {"client_id", R"("copilot")"},
                     {"groups", R"(["dba"])"}});  // what an agent may is not for its token to say
  ASSERT_TRUE(credential.has_value());
  const Identity& agent = credential->chain.subject();
  EXPECT_EQ(agent.kind, IdentityKind::agent);
  EXPECT_EQ(agent.owner, "alice");
  EXPECT_EQ(agent.groups, std::vector<std::string>{"agents"});
}

TEST_F(AuthenticatorTest, RefusesAnAgentThatPresentsAUsersToken) {
  for (const std::string name : {"client_id", "azp"}) {
    const auto result = verify_claims({{name, R"("copilot")"}});
    EXPECT_EQ(refused(result), Kind::impersonation);
    EXPECT_NE(result.error().hint.find("token-exchange"), std::string::npos);
  }
}

TEST_F(AuthenticatorTest, PutsTheCurrentActorLast) {
  const auto credential = verify_claims(
      {{"client_id", R"("helper")"}, {"act", R"({"sub":"helper","act":{"sub":"copilot"}})"}});
  ASSERT_TRUE(credential.has_value()) << credential.error().detail;
  ASSERT_EQ(credential->chain.identities.size(), 3U);
  EXPECT_EQ(credential->chain.subject().id, "alice");
  EXPECT_EQ(credential->chain.identities[1].id, "copilot");
  EXPECT_EQ(credential->chain.actor().id, "helper");
}

TEST_F(AuthenticatorTest, RefusesActorsItDoesNotKnowOrCannotBelieve) {
  for (
      const std::string bad :
      {R"({"sub":"stranger"})", R"({"sub":"copilot","act":{"sub":"stranger"}})", R"({})", R"("x")",
       R"({"sub":7})", R"({"sub":"copilot","iss":"https://evil.example"})",
       R"({"sub":"copilot","act":{"sub":"copilot"}})",
       R"({"sub":"copilot","act":{"sub":"helper","act":{"sub":"third","act":{"sub":"fourth"}}}})"}) {
    EXPECT_EQ(refused(verify_claims({{"act", bad}})), Kind::delegation) << bad;
  }
  EXPECT_EQ(refused(verify_claims({{"client_id", R"("helper")"}, {"act", R"({"sub":"copilot"})"}})),
            Kind::delegation);
  EXPECT_EQ(refused(verify_claims({{"sub", R"("copilot")"}, {"act", R"({"sub":"copilot"})"}})),
            Kind::delegation);
}

TEST_F(AuthenticatorTest, RefusesABoundTokenThatComesUnbound) {
  const Digest certificate = sha256(as_bytes("certificate"));
  const auto token = key.sign_jwt(
      "at+jwt", claims({{"cnf", R"({"x5t#S256":")" + to_base64url(certificate) + "\"}"}}));
  EXPECT_EQ(refused(verify(token)), Kind::unbound);
  EXPECT_EQ(refused(verify(token, {.client_certificate_sha256 = sha256(as_bytes("other"))})),
            Kind::unbound);
  const auto bound = verify(token, {.client_certificate_sha256 = certificate});
  ASSERT_TRUE(bound.has_value());
  EXPECT_TRUE(bound->authentication.sender_bound);
  EXPECT_EQ(refused(verify_claims({{"cnf", R"({"jkt":"abc"})"}})), Kind::unbound);
  const auto proven = key.sign_jwt("at+jwt", claims({{"cnf", R"({"jkt":"abc"})"}}));
  EXPECT_EQ(refused(verify(proven, {.dpop_key = "abd"})), Kind::unbound);
  EXPECT_TRUE(verify(proven, {.dpop_key = "abc"})->authentication.sender_bound);
  EXPECT_EQ(refused(verify_claims({{"cnf", R"({"jkt":""})"}})), Kind::unbound);
  EXPECT_EQ(refused(verify_claims({{"cnf", R"({"jkt":"abc","x5t#S256":"abc"})"}})), Kind::unbound);
  EXPECT_EQ(refused(verify_claims({{"cnf", "7"}})), Kind::unbound);
}

TEST_F(AuthenticatorTest, RefusesAProofWithATokenThatIsNotBoundToItsKey) {
  EXPECT_EQ(refused(verify(key.sign_jwt("at+jwt", claims()), {.dpop_key = "abc"})), Kind::unbound);
  const std::string certificate = to_base64url(sha256(as_bytes("certificate")));
  EXPECT_EQ(refused(verify(
                key.sign_jwt("at+jwt", claims({{"cnf", R"({"x5t#S256":")" + certificate + "\"}"}})),
                {.client_certificate_sha256 = sha256(as_bytes("certificate")), .dpop_key = "abc"})),
            Kind::unbound);
}

TEST_F(AuthenticatorTest, RemembersNoProofOfATokenThatIsNotGood) {
  authenticator->accept_proofs("https://gw.example.com");
  clock.advance(std::chrono::seconds(60));
  const SigningKey holder = SigningKey::generate();
  const auto proof_for = [&](const std::string& token) {
    return holder.sign_jwt(
        R"(dpop+jwt","jwk":)" + holder.public_jwk() + R"(,"x":")",
        R"({"htm":"GET","htu":"https://gw.example.com/x","jti":"1","iat":1800000060,"ath":")" +
            to_base64url(sha256(as_bytes(token))) + "\"}");
  };
  const auto ask = [&](const std::string& token) {
    return reactor->run_to_end(authenticator->verify_proven(
        token, proof_for(token), {.method = "GET", .path = "/x", .token = {}}));
  };
  // All the same jti, of one key: remembered, it would shut out the one that is good.
  EXPECT_EQ(refused(ask(SigningKey::generate().sign_jwt("at+jwt", claims()))), Kind::unknown_key);
  EXPECT_EQ(refused(ask(key.sign_jwt("at+jwt", claims()))), Kind::unbound);
  EXPECT_EQ(refused(ask(key.sign_jwt("at+jwt", claims({{"cnf", R"({"jkt":"another"})"}})))),
            Kind::unbound);
  const std::string good =
      key.sign_jwt("at+jwt", claims({{"cnf", R"({"jkt":")" + holder.kid() + "\"}"}}));
  const auto answered = ask(good);
  ASSERT_TRUE(answered.has_value()) << answered.error().detail;
  EXPECT_TRUE(answered->authentication.sender_bound);
  EXPECT_NE(ask(good).error().message.find("used before"), std::string::npos);
}

TEST_F(AuthenticatorTest, RefusesATokenThatOutlivesWhatIsRememberedOfLogouts) {
  const std::int64_t most = 1'800'000'000 + std::int64_t{366} * 86400;
  EXPECT_TRUE(verify_claims({{"exp", std::to_string(most)}}).has_value());
  EXPECT_EQ(refused(verify_claims({{"exp", std::to_string(most + 1)}})), Kind::claims);
  EXPECT_EQ(refused(verify_claims({{"exp", "9007199254740992"}})), Kind::claims);
}

TEST(AuthenticatorOptions, AreCheckedAndNamed) {
  testing::FixedClock clock;
  testing::MapFetcher fetcher;
  const auto key = SigningKey::generate();
  const auto good = testing::issuer_options(key);
  const auto problem = [&](std::vector<IssuerOptions> issuers) {
    auto made = Authenticator::create(std::move(issuers), clock, fetcher);
    return made ? std::string() : made.error().detail;
  };
  EXPECT_EQ(problem({good}), "");
  auto bad = good;
  bad.url = "http://login.example.com";
  EXPECT_NE(problem({bad}).find("https"), std::string::npos);
  bad = good;
  bad.audience.clear();
  EXPECT_NE(problem({bad}).find("audience"), std::string::npos);
  bad = good;
  bad.jwks = "{}";
  EXPECT_NE(problem({bad}).find("jwks"), std::string::npos);
  bad = good;
  bad.name = "a|b";
  EXPECT_NE(problem({bad}), "");
  EXPECT_NE(problem({good, good}).find("twice"), std::string::npos);
}

class WorkloadTest : public AuthenticatorTest {
 protected:
  void trust(std::vector<WorkloadRule> rules, std::string typ = "JWT") {
    auto people = testing::issuer_options(key);
    IssuerOptions jobs{.name = "ci",
                       .url = "https://ci.example.com",
                       .audience = std::string(testing::kAudience),
                       .access_token_typ = std::move(typ),
                       .workloads = std::move(rules),
                       .jwks = R"({"keys":[)" + ci_key.public_jwk() + "]}"};
    start({people, jobs});
  }
  CredentialResult<Credential> job(std::map<std::string, std::string> more,
                                   std::string typ = "JWT") {
    more.insert({{"iss", R"("https://ci.example.com")"},
                 {"client_id", ""},
                 {"jti", ""},
                 {"sub", R"("job 1")"}});
    return verify(ci_key.sign_jwt(typ, claims(std::move(more))));
  }
  SigningKey ci_key = SigningKey::generate();
};

TEST_F(WorkloadTest, IsWhomItsRuleSays) {
  trust({{.name = "migrations",
          .when = {{"repository_id", {"456789"}},
                   {"ref", {"refs/heads/main", "refs/heads/release/*"}}},
          .groups = {"ci-migrators"},
          .owner = "dana"}});
  for (const char* const ref : {R"("refs/heads/main")", R"("refs/heads/release/7")"}) {
    const auto credential = job({{"repository_id", R"("456789")"},
                                 {"ref", ref},
                                 {"environment", R"("production")"},
                                 {"job_workflow_ref", R"("acme/shop/ci.yml@main")"}});
    ASSERT_TRUE(credential.has_value()) << credential.error().detail;
    const Identity& who = credential->chain.subject();
    EXPECT_EQ(who.kind, IdentityKind::workload);
    EXPECT_EQ(who.id, "ci|migrations");
    EXPECT_EQ(who.subject, "job 1");
    EXPECT_EQ(who.groups, std::vector<std::string>{"ci-migrators"});
    EXPECT_EQ(who.owner, "dana");
    EXPECT_EQ(who.job.at("repoId"), "456789");
    EXPECT_EQ(who.job.at("environment"), "production");
    EXPECT_EQ(who.job.at("workflow"), "acme/shop/ci.yml@main");
  }
  // A number is the same as its text.
  EXPECT_TRUE(job({{"repository_id", "456789"}, {"ref", R"("refs/heads/main")"}}).has_value());
}

TEST_F(WorkloadTest, IsRefusedUnlessEveryPredicateHolds) {
  trust({{.name = "migrations",
          .when = {{"repository_id", {"456789"}}, {"ref_protected", {"true"}}}}});
  const auto refused_as = [&](std::map<std::string, std::string> more) {
    return refused(job(std::move(more)));
  };
  EXPECT_EQ(refused_as({{"repository_id", R"("456789")"}}), Kind::claims);
  EXPECT_EQ(refused_as({{"repository_id", R"("4567890")"}, {"ref_protected", R"("true")"}}),
            Kind::claims);
  EXPECT_EQ(refused_as({{"repository_id", R"("456789")"}, {"ref_protected", R"("false")"}}),
            Kind::claims);
  EXPECT_EQ(refused_as({{"repository_id", R"(["456789"])"}, {"ref_protected", R"("true")"}}),
            Kind::claims);
  EXPECT_EQ(refused_as({{"repository_id", R"({"a":1})"}, {"ref_protected", "true"}}), Kind::claims);
  EXPECT_TRUE(job({{"repository_id", R"("456789")"}, {"ref_protected", R"("true")"}}).has_value());
  EXPECT_EQ(
      refused(job(
          {{"repository_id", R"("456789")"}, {"ref_protected", R"("true")"}, {"nonce", R"("n")"}})),
      Kind::wrong_type);
}

TEST_F(WorkloadTest, IsRefusedWhereTwoRulesFitOrTheRuleEnded) {
  const WorkloadRule one{.name = "one", .when = {{"repository_id", {"1"}}}};
  const WorkloadRule two{.name = "two", .when = {{"ref", {"*main"}}}};
  const WorkloadRule late{.name = "late",
                          .when = {{"ref", {"refs/*"}}},
                          .expires_at = clock.now() + std::chrono::hours(1)};
  trust({one, two, late});
  EXPECT_EQ(refused(job({{"repository_id", "1"}, {"ref", R"("refs/main")"}})), Kind::claims);
  EXPECT_TRUE(job({{"repository_id", "1"}}).has_value());
  EXPECT_TRUE(job({{"ref", R"("refs/main")"}}).has_value());
  EXPECT_EQ(refused(job({{"ref", R"("main")"}})), Kind::claims);  // '*' is only at the end
  clock.advance(std::chrono::seconds(3600));
  const std::map<std::string, std::string> fresh{
      {"exp", "1800007200"}, {"iat", "1800003600"}, {"ref", R"("refs/main")"}};
  EXPECT_EQ(refused(job(fresh)), Kind::claims);
}

TEST_F(WorkloadTest, ReadsClaimsWhoseNamesHaveDots) {
  trust({{.name = "reporting",
          .when = {{"kubernetes.io.namespace", {"shop"}},
                   {"kubernetes.io.serviceaccount.uid", {"u-1"}}}}},
        "none");
  const std::string pod =
      R"({"namespace":"shop","pod":{"name":"p"},"serviceaccount":{"name":"s","uid":"u-1"}})";
  EXPECT_TRUE(job({{"kubernetes.io", pod}}, "JWT").has_value());
  EXPECT_EQ(refused(job({{"kubernetes.io", R"({"namespace":"shop"})"}})), Kind::claims);
  EXPECT_EQ(refused(job({{"kubernetes.io", pod}}, "at+jwt")), Kind::wrong_type);
  EXPECT_EQ(refused(job({{"kubernetes.io", pod}}, "logout+jwt")), Kind::wrong_type);
}

TEST_F(WorkloadTest, KnowsASpiffeId) {
  trust({{.name = "billing", .when = {{"sub", {"spiffe://example.com/ns/billing/*"}}}}}, "none");
  const auto credential =
      job({{"sub", R"("spiffe://example.com/ns/billing/sa/api")"}, {"iat", ""}});
  ASSERT_TRUE(credential.has_value()) << credential.error().detail;
  EXPECT_EQ(credential->chain.subject().job.at("spiffeId"),
            "spiffe://example.com/ns/billing/sa/api");
  EXPECT_EQ(refused(job({{"sub", R"("spiffe://example.com/ns/shop/sa/api")"}})), Kind::claims);
}

}  // namespace
}  // namespace sallyport::identity

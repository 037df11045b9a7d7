#include "identity/dpop.h"

#include <gtest/gtest.h>

#include "identity/test_support.h"

namespace sallyport::identity {
namespace {

using namespace std::chrono_literals;

TEST(JwkThumbprint, IsThatOfRfc7638) {
  // The example of section 3.1.
  EXPECT_EQ(
      jwk_thumbprint(
          R"({"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"})")
          .value(),
      "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
  EXPECT_FALSE(jwk_thumbprint(R"({"kty":"oct","k":"AAAA"})"));
  EXPECT_FALSE(jwk_thumbprint(R"({"kty":"EC","crv":"P-256","x":"a\"b","y":"c"})"));
  EXPECT_FALSE(jwk_thumbprint("[]"));
}

class DpopTest : public ::testing::Test {
 protected:
  using Changes = std::map<std::string, std::string>;

  DpopTest() { clock_.advance(100s); }  // since the start

  /// A proof as an ES256 client makes it; the key is in the header.
  std::string proof(Changes changes = {}, const SigningKey* by = nullptr,
                    std::string typ = "dpop+jwt") {
    Changes all{{"htm", R"("POST")"},
                {"htu", R"("https://gw.example.com/api/v1/tickets")"},
                {"iat", "1800000100"},
                {"jti", "\"" + std::to_string(++number_) + "\""},
                {"ath", "\"" + to_base64url(sha256(as_bytes("token"))) + "\""}};
    for (auto& [name, value] : changes) all[name] = value;
    std::string claims;
    for (const auto& [name, value] : all) {
      if (!value.empty()) claims += (claims.empty() ? "{\"" : ",\"") + name + "\":" + value;
    }
    const SigningKey& signer = by == nullptr ? key_ : *by;
    return signer.sign_jwt(typ + R"(","jwk":)" + key_.public_jwk() + R"(,"x":")", claims + "}");
  }
  std::string refused(const std::string& text) {
    const auto result = proofs_.check(text, request_);
    return result ? "accepted" : result.error().detail;
  }

  SigningKey key_ = SigningKey::generate();
  testing::FixedClock clock_;
  DpopProofs proofs_{"https://gw.example.com", clock_};
  DpopProofs::Request request_{.method = "POST", .path = "/api/v1/tickets", .token = "token"};
  int number_ = 0;
};

TEST_F(DpopTest, NamesTheKeyThatMadeIt) {
  const auto found = proofs_.check(proof(), request_);
  ASSERT_TRUE(found) << found.error().detail;
  EXPECT_EQ(*found, jwk_thumbprint(key_.public_jwk()).value());
  EXPECT_EQ(*found, key_.kid());
}

TEST_F(DpopTest, EveryProofIsGoodOnce) {
  const std::string once = proof();
  EXPECT_EQ(refused(once), "accepted");
  EXPECT_EQ(refused(once), "the proof was used before");
  clock_.advance(59s);
  EXPECT_EQ(refused(once), "the proof was used before");
  EXPECT_EQ(refused(proof()), "accepted");
  clock_.advance(2s);
  EXPECT_EQ(refused(once), "the proof is too old, or a clock is wrong");
}

TEST_F(DpopTest, ItIsForOneRequest) {
  EXPECT_EQ(refused(proof({{"htm", R"("GET")"}})), "the proof is for another method");
  EXPECT_EQ(refused(proof({{"htm", ""}})), "the proof is for another method");
  for (const std::string url :
       {R"("https://gw.example.com/api/v1/tickets?x")", R"("https://gw.example.com/api/v1/whoami")",
        R"("http://gw.example.com/api/v1/tickets")", "7", ""}) {
    EXPECT_EQ(refused(proof({{"htu", url}})), "the proof is for another address");
  }
  EXPECT_EQ(refused(proof({{"ath", ""}})), "the proof is for another token");
  EXPECT_EQ(refused(proof({{"ath", R"("x")"}})), "the proof is for another token");
}

TEST_F(DpopTest, ItIsOfNow) {
  EXPECT_EQ(refused(proof({{"iat", "1800000106"}})), "the proof is too old, or a clock is wrong");
  EXPECT_EQ(refused(proof({{"iat", "1800000105"}})), "accepted");
  EXPECT_EQ(refused(proof({{"iat", "1800000040"}})), "accepted");
  EXPECT_EQ(refused(proof({{"iat", "1800000039"}})), "the proof is too old, or a clock is wrong");
  EXPECT_EQ(refused(proof({{"iat", ""}})), "the proof is too old, or a clock is wrong");
  EXPECT_EQ(refused(proof({{"iat", R"("1800000100")"}})),
            "the proof is too old, or a clock is wrong");
}

TEST_F(DpopTest, ItMayNotHaveBeenUsedBeforeTheStart) {
  // Made by a clock that was ahead, used, and then the gateway started again.
  const std::string early = proof({{"iat", "1800000104"}});
  const std::string later = proof({{"iat", "1800000105"}});
  const DpopProofs::Request request = request_;
  DpopProofs fresh("https://gw.example.com", clock_);
  EXPECT_NE(fresh.check(early, request).error().detail.find("start"), std::string::npos);
  EXPECT_TRUE(fresh.check(later, request));
}

TEST_F(DpopTest, ItIsRememberedForAsLongAsItIsGood) {
  clock_.wall += 1ms;  // cut off in both
  const std::string ahead = proof({{"iat", "1800000105"}});
  EXPECT_EQ(refused(ahead), "accepted");
  clock_.advance(65s);
  clock_.wall += 998ms;
  clock_.steady_time += 998ms;
  EXPECT_EQ(refused(ahead), "the proof was used before");
  clock_.advance(1s);
  EXPECT_EQ(refused(ahead), "the proof is too old, or a clock is wrong");
}

TEST_F(DpopTest, NoKeyIsMadeThatCostsWhatItsMakerLikes) {
  // RFC 7638's RSA key, in a header that is read without looking at any number in it.
  const std::string rsa = R"({"kty":"RSA","n":")" +
                          to_base64url(ByteVector(1024, std::byte{0xff})) + R"(","e":"AQAB"})";
  for (const std::string& jwk :
       {rsa, std::string(R"({"kty":"EC","crv":"P-521","x":"AA","y":"AA"})"),
        std::string(R"({"kty":"EC","crv":"Ed25519","x":"AA","y":"AA"})")}) {
    const std::string text = key_.sign_jwt(R"(dpop+jwt","jwk":)" + jwk + R"(,"x":")", "{}");
    EXPECT_EQ(refused(text), "the proof's key is not of P-256 or Ed25519");
    EXPECT_FALSE(DpopProofs::claimed_key(text));
  }
  const std::string header = R"({"alg":"RS256","typ":"dpop+jwt","jwk":)" + rsa + "}";
  EXPECT_EQ(refused(to_base64url(as_bytes(header)) + ".e30.AAAA"),
            "the proof's alg is not one of ES256 EdDSA");
}

TEST(ExpiringMap, IsSweptOnceASecond) {
  ExpiringMap<int> map(2);
  const SteadyTime start{1h};
  EXPECT_TRUE(map.put("a", 1, start + 100ms, start));
  EXPECT_TRUE(map.put("b", 1, start + 200ms, start));
  EXPECT_FALSE(map.put("c", 1, start + 1h, start));
  EXPECT_FALSE(map.put("c", 1, start + 1h, start + 999ms));  // ended, but not looked for
  EXPECT_TRUE(map.put("c", 1, start + 1h, start + 1s));
  EXPECT_TRUE(map.put("d", 1, start + 1h, start + 1s));
}

TEST_F(DpopTest, ItIsSignedByTheKeyInIt) {
  const SigningKey another = SigningKey::generate();
  EXPECT_NE(refused(proof({}, &another)), "accepted");
  EXPECT_EQ(refused(proof({}, nullptr, "jwt")), "the proof's typ is not dpop+jwt");
  EXPECT_EQ(refused(key_.sign_jwt("dpop+jwt", "{}")), "the proof has no key");
  EXPECT_EQ(refused(proof({{"jti", ""}})), "the proof has no jti");
  EXPECT_NE(refused(""), "accepted");
  EXPECT_NE(refused("a.b.c"), "accepted");
  std::string torn = proof();
  torn.resize(torn.size() - 4);
  EXPECT_NE(refused(torn), "accepted");
}

}  // namespace
}  // namespace sallyport::identity

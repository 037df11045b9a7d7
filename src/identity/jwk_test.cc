#include "identity/jwk.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "identity/json.h"
#include "identity/jwt.h"
#include "identity/signing_key.h"

namespace sallyport::identity {
namespace {

// The Wycheproof corpus lies beside the source tree, not in it.
std::optional<std::string> vectors(std::string_view name) {
  const char* shared = std::getenv("SALLYPORT_SHARED");
  const std::filesystem::path base =
      shared != nullptr ? shared
                        : std::filesystem::path(__FILE__).parent_path() / "../../../shared";
  std::ifstream file(base / "vectors" / name);
  if (!file) {
    std::cout << "[  ABSENT  ] " << name << " is not beside the source: nothing was checked\n";
    return std::nullopt;
  }
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string serialize(const Json& json);

std::string serialize_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string serialize(const Json& json) {
  if (const auto text = json.string()) return serialize_string(*text);
  if (const auto* elements = json.array()) {
    std::string out;
    for (const auto& element : *elements) out += (out.empty() ? "" : ",") + serialize(element);
    return "[" + out + "]";
  }
  std::string out;
  if (const auto* members = json.object()) {
    for (const auto& [name, value] : *members) {
      out += (out.empty() ? "" : ",") + serialize_string(name) + ":" + serialize(value);
    }
  }
  return "{" + out + "}";
}

/// As a token of that issuer would be checked: parse, find the key, verify.
Result<void> check(std::string_view jws, const Json& keys) {
  const std::string set =
      keys.has("keys") ? serialize(keys) : R"({"keys":[)" + serialize(keys) + "]}";
  auto parsed = parse_jws(jws);
  if (!parsed) return fail(parsed);
  auto key_set = parse_jwks(set);
  if (!key_set) return fail(key_set);
  const auto key = key_set->find(parsed->kid, parsed->algorithm);
  if (key == nullptr) return fail(Errc::denied, "no such key");
  return verify_jws(*parsed, *key);
}

struct Counts {
  int valid_accepted = 0;
  int invalid_refused = 0;
  int symmetric_refused = 0;
};

void check_all(std::string_view file, Counts& counts) {
  const auto text = vectors(file);
  if (!text) return;
  const auto document = Json::parse(*text, 16 << 20).value();
  for (const auto& group : *document.member("testGroups")->array()) {
    // The verifier gets what an issuer publishes; groups of symmetric keys have only a secret.
    const Json* keys = group.member("public");
    const bool symmetric = keys == nullptr;
    if (symmetric) keys = group.member("private");
    for (const auto& test : *group.member("tests")->array()) {
      const bool accepted = check(test.text("jws").value_or(""), *keys).has_value();
      const auto id = test.member("tcId")->integer().value();
      if (symmetric) {
        EXPECT_FALSE(accepted) << "HMAC against a JWKS, tcId " << id;
        ++counts.symmetric_refused;
      } else if (test.text("result") == "valid") {
        EXPECT_TRUE(accepted) << "tcId " << id << " " << test.text("comment").value_or("");
        ++counts.valid_accepted;
      } else {
        EXPECT_FALSE(accepted) << "tcId " << id << " " << test.text("comment").value_or("");
        ++counts.invalid_refused;
      }
    }
  }
  std::cout << "[ VECTORS  ] " << file << ": " << counts.valid_accepted << " valid accepted, "
            << counts.invalid_refused << " invalid refused, " << counts.symmetric_refused
            << " with symmetric keys refused whatever their result, by policy\n";
}

TEST(Wycheproof, EverySignatureVectorAnswersAsItShould) {
  Counts counts;
  check_all("json_web_signature_test.json", counts);
  if (counts.valid_accepted + counts.invalid_refused == 0) return;
  EXPECT_EQ(counts.valid_accepted, 36);
  EXPECT_EQ(counts.valid_accepted + counts.invalid_refused + counts.symmetric_refused, 401);
}

TEST(Wycheproof, EveryKeyVectorAnswersAsItShould) {
  Counts counts;
  check_all("json_web_key_test.json", counts);
  if (counts.valid_accepted + counts.invalid_refused == 0) return;
  EXPECT_EQ(counts.valid_accepted + counts.invalid_refused + counts.symmetric_refused, 26);
}

TEST(Algorithm, KnowsOnlySignaturesOfPublicKeys) {
  EXPECT_EQ(algorithm_from("ES256"), Algorithm::es256);
  for (const std::string_view name : {"none", "None", "HS256", "HS512", "es256", "", "RSA-OAEP"}) {
    EXPECT_EQ(algorithm_from(name), std::nullopt) << name;
  }
}

// RFC 8037 appendix A.4.
TEST(PublicKey, ChecksEd25519) {
  const auto key = PublicKey::from_jwk(
      R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})");
  ASSERT_TRUE(key.has_value());
  const auto jws = parse_jws(
      "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
      "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
  ASSERT_TRUE(jws.has_value());
  EXPECT_EQ(jws->payload, "Example of Ed25519 signing");
  EXPECT_TRUE(verify_jws(*jws, *key).has_value());
  Jws changed = *jws;
  changed.signing_input.back() ^= 1;
  EXPECT_FALSE(verify_jws(changed, *key).has_value());
}

TEST(PublicKey, ChecksWhatOurOwnKeySigns) {
  const auto signer = SigningKey::generate();
  const auto key = PublicKey::from_jwk(signer.public_jwk());
  ASSERT_TRUE(key.has_value()) << key.error().detail;
  EXPECT_EQ(key->kid(), signer.kid());
  const auto jws = parse_jws(signer.sign_jwt("at+jwt", R"({"sub":"alice"})"));
  ASSERT_TRUE(jws.has_value());
  EXPECT_EQ(jws->typ, "at+jwt");
  EXPECT_EQ(jws->kid, signer.kid());
  EXPECT_TRUE(verify_jws(*jws, *key).has_value());
  EXPECT_FALSE(verify_jws(*jws, *PublicKey::from_jwk(SigningKey::generate().public_jwk())));
}

TEST(PublicKey, ComesBackFromItsPem) {
  const auto signer = SigningKey::generate();
  const auto again = SigningKey::from_pem(signer.private_pem());
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->public_jwk(), signer.public_jwk());
}

TEST(KeySet, NeedsAKidWhereTwoKeysFit) {
  const auto one = SigningKey::generate();
  const auto two = SigningKey::generate();
  const auto set = parse_jwks(R"({"keys":[)" + one.public_jwk() + "," + two.public_jwk() + "]}");
  ASSERT_TRUE(set.has_value());
  EXPECT_EQ(set->find("", Algorithm::es256), nullptr);
  EXPECT_EQ(set->find("nobody's", Algorithm::es256), nullptr);
  EXPECT_EQ(set->find(two.kid(), Algorithm::rs256), nullptr);
  ASSERT_NE(set->find(two.kid(), Algorithm::es256), nullptr);
}

TEST(KeySet, RefusesRepeatedKidsPrivateKeysAndFloods) {
  const auto key = SigningKey::generate().public_jwk();
  EXPECT_FALSE(parse_jwks(R"({"keys":[)" + key + "," + key + "]}"));
  auto with_secret = key;
  with_secret.insert(1, R"("d":"AA",)");
  EXPECT_FALSE(parse_jwks(R"({"keys":[)" + with_secret + "]}"));
  std::string many = R"({"kty":"none"})";
  for (int i = 0; i < 64; ++i) many += R"(,{"kty":"none"})";
  EXPECT_FALSE(parse_jwks(R"({"keys":[)" + many + "]}"));
  EXPECT_FALSE(parse_jwks(R"({"keys":{}})"));
  EXPECT_FALSE(parse_jwks("[]"));
  EXPECT_FALSE(parse_jwks(R"({"keys":[],"pad":")" + std::string(kJwksBytesMax, ' ') + "\"}"));
}

TEST(KeySet, SkipsKeysItCannotUseAndSaysSo) {
  const auto key = SigningKey::generate();
  const auto set = parse_jwks(R"({"keys":[{"kty":"EC","crv":"secp256k1","kid":"coin"},)"
                              R"({"kty":"RSA","use":"enc","kid":"wrap"},)" +
                              key.public_jwk() + "]}");
  ASSERT_TRUE(set.has_value());
  EXPECT_EQ(set->keys.size(), 1U);
  EXPECT_EQ(set->skipped.size(), 2U);
}

}  // namespace
}  // namespace sallyport::identity

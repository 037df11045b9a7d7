// Encodings: what is read must be the one text that would have been written.

#include "base/bytes.h"

#include <gtest/gtest.h>

#include "base/crypto.h"
#include "base/numbers.h"

namespace sallyport {
namespace {

TEST(Base64, RoundTripsEveryLength) {
  ByteVector bytes;
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(from_base64(to_base64(bytes)).value(), bytes);
    EXPECT_EQ(from_base64url(to_base64url(bytes)).value(), bytes);
    bytes.push_back(static_cast<std::byte>(i * 37));
  }
}

TEST(Base64, RefusesASecondTextForTheSameBytes) {
  EXPECT_TRUE(from_base64url("QQ").has_value());
  EXPECT_FALSE(from_base64url("QR").has_value());
  EXPECT_FALSE(from_base64url("QQ==").has_value());
  EXPECT_FALSE(from_base64("QQ").has_value());
  EXPECT_FALSE(from_base64("Q===").has_value());
  EXPECT_FALSE(from_base64("QQ=\n").has_value());
}

TEST(Hex, RoundTrips) {
  const auto bytes = from_hex("00ff7a");
  ASSERT_TRUE(bytes.has_value());
  EXPECT_EQ(to_hex(*bytes), "00ff7a");
  EXPECT_FALSE(from_hex("0g").has_value());
  EXPECT_FALSE(from_hex("0").has_value());
}

TEST(Utf8, RefusesOverlongFormsSurrogatesAndTruncation) {
  EXPECT_TRUE(is_utf8("Grüße, 日本, 🙂"));
  EXPECT_FALSE(is_utf8("\xc0\xaf"));
  EXPECT_FALSE(is_utf8("\xe0\x80\xaf"));
  EXPECT_FALSE(is_utf8("\xed\xa0\x80"));
  EXPECT_FALSE(is_utf8("\xf4\x90\x80\x80"));
  EXPECT_FALSE(is_utf8("\xe2\x82"));
}

TEST(Numbers, TakeAllOfTheTextOrNothing) {
  EXPECT_EQ(parse_number<std::uint16_t>("5432").value(), 5432);
  EXPECT_FALSE(parse_number<std::uint16_t>("65536").has_value());
  EXPECT_FALSE(parse_number<std::uint16_t>("-1").has_value());
  EXPECT_FALSE(parse_number<std::uint16_t>("+1").has_value());
  EXPECT_FALSE(parse_number<std::uint16_t>(" 1").has_value());
  EXPECT_FALSE(parse_number<std::uint16_t>("1x").has_value());
  EXPECT_FALSE(parse_number<std::uint16_t>("").has_value());
}

TEST(Crypto, AgreesWithPublishedVectors) {
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(to_hex(pbkdf2_sha256("password", as_bytes("salt"), 2)),
            "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43");
}

TEST(Crypto, Ed25519SignsAndVerifiesAcrossPem) {
  const auto key = Ed25519Key::generate();
  const auto again = Ed25519Key::from_pem(key.private_pem());
  ASSERT_TRUE(again.has_value());
  const auto signature = again->sign(as_bytes("head"));
  const auto public_key = ed25519_public_from_pem(key.public_pem());
  ASSERT_TRUE(public_key.has_value());
  EXPECT_TRUE(ed25519_verify(*public_key, as_bytes("head"), signature));
  EXPECT_FALSE(ed25519_verify(*public_key, as_bytes("heat"), signature));
}

}  // namespace
}  // namespace sallyport

#include "identity/scram.h"

#include <gtest/gtest.h>

namespace sallyport::identity {
namespace {

ByteVector bytes_of(std::string_view text) {
  ByteVector bytes;
  append(bytes, text);
  return bytes;
}

ScramVerifier verifier_for(const std::vector<std::string>& passwords) {
  ScramVerifier verifier{.salt = bytes_of("0123456789abcdef"), .iterations = 64, .candidates = {}};
  for (const auto& password : passwords) {
    verifier.candidates.push_back(
        {scram_keys(password, verifier.salt, verifier.iterations), "id of " + password});
  }
  return verifier;
}

/// A whole login; the id that was proved.
Result<std::string> log_in(ScramClient client, ScramServer server) {
  std::vector<std::string> offered;
  for (const auto name : server.mechanisms()) offered.emplace_back(name);
  auto mechanism = client.choose(offered);
  if (!mechanism) return fail(mechanism);
  auto server_first = server.first(*mechanism, client.first());
  if (!server_first) return fail(server_first);
  auto client_final = client.respond(*server_first);
  if (!client_final) return fail(client_final);
  auto finished = server.finish(*client_final);
  if (!finished) return fail(finished);
  auto verified = client.verify(finished->message);
  if (!verified) return fail(verified);
  return finished->id;
}

// RFC 7677 section 3.
constexpr std::string_view kClientNonce = "rOprNGfwEbeRWgbNEkqO";
constexpr std::string_view kServerFirst =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
constexpr std::string_view kClientFinal =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
constexpr std::string_view kServerFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

TEST(ScramClient, SaysWhatTheRfcSays) {
  ScramClient client("pencil", {}, std::string(kClientNonce), "user");
  ASSERT_EQ(client.choose({"SCRAM-SHA-256"}).value(), kScram);
  EXPECT_EQ(client.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
  EXPECT_EQ(client.respond(kServerFirst).value(), kClientFinal);
  EXPECT_TRUE(client.verify(kServerFinal).has_value());
}

TEST(ScramServer, SaysWhatTheRfcSays) {
  ScramVerifier verifier{.salt = from_base64("W22ZaJ0SNY7soEsUEjb6gQ==").value(),
                         .iterations = 4096,
                         .candidates = {}};
  verifier.candidates.push_back({scram_keys("pencil", verifier.salt, 4096), "pencil"});
  ScramServer server(std::move(verifier), {}, std::string("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"));
  EXPECT_EQ(server.first(kScram, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO").value(), kServerFirst);
  const auto finished = server.finish(kClientFinal).value();
  EXPECT_EQ(finished.message, kServerFinal);
  EXPECT_EQ(finished.id, "pencil");
}

TEST(Scram, FindsOutWhichOfSeveralPasswordsWasProved) {
  for (const std::string password : {"one", "two", "three"}) {
    const auto id = log_in(ScramClient(password, {}, system_random()),
                           ScramServer(verifier_for({"one", "two", "three"}), {}, system_random()));
    EXPECT_EQ(id.value(), "id of " + password);
  }
}

TEST(Scram, RefusesAWrongPassword) {
  const auto id = log_in(ScramClient("four", {}, system_random()),
                         ScramServer(verifier_for({"one", "two"}), {}, system_random()));
  ASSERT_FALSE(id.has_value());
  EXPECT_EQ(id.error().code, Errc::denied);
}

TEST(Scram, RefusesACandidateThatNobodyOwns) {
  auto verifier = verifier_for({"one"});
  verifier.candidates[0].id.clear();
  EXPECT_FALSE(
      log_in(ScramClient("one", {}, system_random()), ScramServer(verifier, {}, system_random())));
}

TEST(Scram, BindsToTheCertificateWhenBothSidesHaveOne) {
  const auto certificate = bytes_of("hash of the certificate");
  EXPECT_TRUE(log_in(ScramClient("one", certificate, system_random()),
                     ScramServer(verifier_for({"one"}), certificate, system_random())));
  EXPECT_FALSE(log_in(ScramClient("one", bytes_of("another one's"), system_random()),
                      ScramServer(verifier_for({"one"}), certificate, system_random())));
}

TEST(Scram, FindsThatChannelBindingWasStrippedFromTheOffer) {
  const auto certificate = bytes_of("hash of the certificate");
  ScramClient client("one", certificate, system_random());
  ScramServer server(verifier_for({"one"}), certificate, system_random());
  const auto mechanism = client.choose({"SCRAM-SHA-256"});
  const auto refused = server.first(mechanism.value(), client.first());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::denied);
}

TEST(ScramServer, RefusesClientFirstThatBreaksTheRules) {
  const std::vector<std::string> bad{
      "",
      "n",
      "n,",
      "n,,",
      "n,,n=",
      "n,,n=,r=",
      "n,,r=abc,n=",
      "n,,n=,r=a b",
      "n,,n=a=2,r=abc",
      "n,,n=\xff,r=abc",
      "n,,m=x,n=,r=abc",
      "n,a=bob,n=,r=abc",
      "x,,n=,r=abc",
      "p=tls-unique,,n=,r=abc",
      "p=tls-server-end-point,,n=,r=abc",
      "n,,n=,r=" + std::string(1025, 'a'),
      std::string(5000, 'n'),
  };
  for (const auto& message : bad) {
    ScramServer server(verifier_for({"one"}), bytes_of("hash"), system_random());
    EXPECT_FALSE(server.first(kScram, message).has_value()) << message;
  }
}

TEST(ScramServer, RefusesAMechanismItDidNotOffer) {
  ScramServer server(verifier_for({"one"}), {}, system_random());
  EXPECT_FALSE(server.first(kScramPlus, "p=tls-server-end-point,,n=,r=abc").has_value());
  ScramServer other(verifier_for({"one"}), {}, system_random());
  EXPECT_FALSE(other.first("SCRAM-SHA-1", "n,,n=,r=abc").has_value());
}

TEST(ScramServer, RefusesClientFinalWithAnotherNonceOrBinding) {
  for (const std::string change : {"r=", "c=", "p=", "x="}) {
    ScramClient client("one", {}, system_random());
    ScramServer server(verifier_for({"one"}), {}, system_random());
    ASSERT_TRUE(client.choose({"SCRAM-SHA-256"}));
    auto message = client.respond(server.first(kScram, client.first()).value()).value();
    if (change == "x=") {
      message.insert(message.find(",p="), ",x=unknown");
    } else {
      message[message.find(change) + 3] ^= 1;
    }
    EXPECT_FALSE(server.finish(message).has_value()) << message;
  }
}

TEST(ScramServer, AnswersOnlyInOrder) {
  ScramServer server(verifier_for({"one"}), {}, system_random());
  EXPECT_FALSE(server.finish(kClientFinal).has_value());
  EXPECT_FALSE(server.first(kScram, "n,,n=,r=abc").has_value());
}

TEST(ScramClient, RefusesServerFirstThatBreaksTheRules) {
  const std::vector<std::string> bad{
      "",
      "r=abc",
      "r=abcd,s=c2FsdA==",
      "r=abcd,s=c2FsdA==,i=0",
      "r=abcd,s=c2FsdA==,i=-1",
      "r=abcd,s=c2FsdA==,i=100001",
      "r=abcd,s=c2FsdA==,i=4294967297",
      "r=abcd,s=,i=4096",
      "r=abcd,s=!!,i=4096",
      "r=abc,s=c2FsdA==,i=4096",   // nothing added to the nonce
      "r=xbcd,s=c2FsdA==,i=4096",  // not our nonce
      "m=x,r=abcd,s=c2FsdA==,i=4096",
      "e=other-error",
      std::string(5000, 'r'),
  };
  for (const auto& message : bad) {
    ScramClient client("one", {}, "abc", "");
    ASSERT_TRUE(client.choose({"SCRAM-SHA-256"}));
    EXPECT_FALSE(client.respond(message).has_value()) << message;
    EXPECT_FALSE(client.verify("v=" + to_base64(Digest{})).has_value());
  }
}

TEST(ScramClient, RefusesAServerThatDoesNotKnowThePassword) {
  ScramClient client("pencil", {}, std::string(kClientNonce), "user");
  ASSERT_TRUE(client.choose({"SCRAM-SHA-256"}));
  ASSERT_TRUE(client.respond(kServerFirst));
  std::string other(kServerFinal);
  other[5] ^= 1;
  EXPECT_FALSE(client.verify(other).has_value());
  EXPECT_FALSE(client.verify("e=invalid-proof").has_value());
}

TEST(ScramClient, RefusesWhenNothingOfferedIsKnown) {
  ScramClient client("one", {}, system_random());
  EXPECT_FALSE(client.choose({"SCRAM-SHA-1", "PLAIN"}).has_value());
}

}  // namespace
}  // namespace sallyport::identity

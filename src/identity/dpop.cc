#include "identity/dpop.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/crypto.h"
#include "identity/json.h"
#include "identity/jwt.h"

namespace sallyport::identity {
namespace {

/// A member of a key as it stands in a thumbprint: nothing that JSON would escape.
Result<std::string> member(const Json& jwk, std::string_view name) {
  const auto text = jwk.text(name);
  const auto plain = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  };
  if (!text || text->empty() || !std::ranges::all_of(*text, plain)) {
    return fail(Errc::malformed, "the key has no " + std::string(name));
  }
  return "\"" + std::string(name) + "\":\"" + std::string(*text) + "\"";
}

Result<std::string> thumbprint_of(const Json& jwk) {
  const auto kty = jwk.text("kty").value_or("");
  std::vector<std::string_view> names;
  if (kty == "EC") names = {"crv", "kty", "x", "y"};
  if (kty == "OKP") names = {"crv", "kty", "x"};
  if (kty == "RSA") names = {"e", "kty", "n"};
  if (names.empty()) return fail(Errc::malformed, "no public key");
  std::string text;
  for (const std::string_view name : names) {
    auto part = member(jwk, name);
    if (!part) return fail(part);
    text += (text.empty() ? "{" : ",") + *part;
  }
  return to_base64url(sha256(as_bytes(text + "}")));
}

/// The key in the header of a proof, which is of a kind that is cheap to check.
Result<Json> key_of(std::string_view proof) {
  auto header = from_base64url(proof.substr(0, proof.find('.')));
  if (!header) return fail(header, "proof");
  const auto document = Json::parse(as_text(*header), dpop_bytes_max);
  const Json* const jwk = document ? document->member("jwk") : nullptr;
  if (jwk == nullptr) return fail(Errc::denied, "the proof has no key");
  const auto kty = jwk->text("kty").value_or("");
  const auto curve = jwk->text("crv").value_or("");
  if (!(kty == "EC" && curve == "P-256") && !(kty == "OKP" && curve == "Ed25519")) {
    return fail(Errc::denied, "the proof's key is not of P-256 or Ed25519");
  }
  return *jwk;
}

std::unexpected<Error> refused(std::string why) {
  return fail(Errc::denied, std::move(why));
}

/// A proof taken apart, for its form alone.
struct Claimed {
  Jws jws;
  Json key;
  std::string thumbprint;
};
Result<Claimed> claimed(std::string_view proof) {
  if (proof.size() > dpop_bytes_max) return fail(Errc::too_large, "the proof is too long");
  auto jws = parse_jws(proof);
  if (!jws) return fail(jws, "proof");
  if (jws->typ != "dpop+jwt") return refused("the proof's typ is not dpop+jwt");
  if (jws->algorithm != Algorithm::es256 && jws->algorithm != Algorithm::eddsa) {
    return refused("the proof's alg is not one of " + std::string(dpop_algorithms));
  }
  auto key = key_of(proof);
  if (!key) return fail(key);
  auto thumbprint = thumbprint_of(*key);
  if (!thumbprint) return fail(thumbprint);
  return Claimed{std::move(*jws), std::move(*key), std::move(*thumbprint)};
}

}  // namespace

Result<std::string> jwk_thumbprint(std::string_view jwk) {
  auto document = Json::parse(jwk, dpop_bytes_max);
  if (!document) return fail(document);
  return thumbprint_of(*document);
}

DpopProofs::DpopProofs(std::string url, const Clock& clock)
    : url_(std::move(url)), clock_(clock), since_(clock.now()) {}

Result<std::string> DpopProofs::claimed_key(std::string_view proof) {
  auto found = claimed(proof);
  if (!found) return fail(found);
  return std::move(found->thumbprint);
}

Result<std::string> DpopProofs::check(std::string_view proof, const Request& request) {
  auto found = claimed(proof);
  if (!found) return fail(found);
  auto key = PublicKey::from(found->key);  // refuses private ones
  if (!key) return fail(key, "the proof's key");
  if (auto good = verify_jws(found->jws, *key); !good) return fail(good, "proof");
  auto claims = Json::parse(found->jws.payload, dpop_bytes_max);
  if (!claims) return fail(claims, "proof");
  if (claims->text("htm") != request.method) return refused("the proof is for another method");
  if (claims->text("htu") != url_ + std::string(request.path)) {
    return refused("the proof is for another address");
  }
  if (claims->text("ath") != to_base64url(sha256(as_bytes(request.token)))) {
    return refused("the proof is for another token");
  }
  const Json* const issued = claims->member("iat");
  const auto iat = issued == nullptr ? std::nullopt : issued->integer();
  const auto now = std::chrono::floor<std::chrono::seconds>(clock_.now()).time_since_epoch();
  const auto since = std::chrono::floor<std::chrono::seconds>(since_).time_since_epoch();
  if (!iat || *iat > (now + dpop_future_max).count() || *iat < (now - dpop_age_max).count()) {
    return refused("the proof is too old, or a clock is wrong");
  }
  // What was seen before we started is not remembered, and it may have been of a clock ahead.
  if (*iat < (since + dpop_future_max).count()) {
    return refused("the proof is not newer than this gateway's start; try again in a few seconds");
  }
  const auto jti = claims->text("jti");
  if (!jti || jti->empty() || jti->size() > 256) return refused("the proof has no jti");
  const std::string once = found->thumbprint + " " + std::string(*jti);
  const std::lock_guard lock(mutex_);
  const SteadyTime steady = clock_.steady();
  if (seen_.find(once, steady) != nullptr) return refused("the proof was used before");
  // Two seconds more, as both clocks are cut to seconds.
  constexpr auto kept = dpop_age_max + dpop_future_max + std::chrono::seconds(2);
  if (!seen_.put(once, true, steady + kept, steady)) {
    return fail(Errc::unavailable, "too many proofs within a minute");
  }
  return std::move(found->thumbprint);
}

}  // namespace sallyport::identity

#include "identity/jwk.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <set>

#include "identity/json.h"
#include "identity/openssl.h"

namespace sallyport::identity {
namespace {

enum class Family : std::uint8_t { rsa_pkcs1, rsa_pss, ecdsa, eddsa };

struct Traits {
  Algorithm algorithm;
  std::string_view name;
  Family family;
  const char* digest;      // null: the algorithm has its own
  std::string_view curve;  // JWK name, for ECDSA
};

constexpr std::array<Traits, 10> kTraits{{
    {Algorithm::rs256, "RS256", Family::rsa_pkcs1, "SHA256", ""},
    {Algorithm::rs384, "RS384", Family::rsa_pkcs1, "SHA384", ""},
    {Algorithm::rs512, "RS512", Family::rsa_pkcs1, "SHA512", ""},
    {Algorithm::ps256, "PS256", Family::rsa_pss, "SHA256", ""},
    {Algorithm::ps384, "PS384", Family::rsa_pss, "SHA384", ""},
    {Algorithm::ps512, "PS512", Family::rsa_pss, "SHA512", ""},
    {Algorithm::es256, "ES256", Family::ecdsa, "SHA256", "P-256"},
    {Algorithm::es384, "ES384", Family::ecdsa, "SHA384", "P-384"},
    {Algorithm::es512, "ES512", Family::ecdsa, "SHA512", "P-521"},
    {Algorithm::eddsa, "EdDSA", Family::eddsa, nullptr, "Ed25519"},
}};

const Traits& traits_of(Algorithm algorithm) {
  return kTraits[static_cast<std::size_t>(algorithm)];
}

struct Curve {
  std::string_view name;
  const char* group;
  std::size_t coordinate_bytes;
};
constexpr std::array<Curve, 3> kCurves{
    {{"P-256", "P-256", 32}, {"P-384", "P-384", 48}, {"P-521", "P-521", 66}}};

const unsigned char* raw(Bytes bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

Result<ByteVector> member_bytes(const Json& jwk, std::string_view name, std::size_t bytes_max) {
  const auto text = jwk.text(name);
  if (!text || text->empty()) return fail(Errc::malformed, "key has no " + std::string(name));
  auto bytes = from_base64url(*text);
  if (!bytes) return fail(bytes, name);
  if (bytes->empty() || bytes->size() > bytes_max) {
    return fail(Errc::too_large, "key member " + std::string(name) + " is too large");
  }
  return bytes;
}

/// Primes made by the Infineon library (CVE-2017-15361) are powers of 65537 modulo every small
/// prime, and so is their product; of other moduli hardly one in 10^8 is.
bool is_roca(const BIGNUM* modulus) {
  constexpr std::array<std::uint32_t, 38> primes{
      3,  5,  7,  11, 13, 17,  19,  23,  29,  31,  37,  41,  43,  47,  53,  59,  61,  67,  71,
      73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167};
  return std::ranges::all_of(primes, [&](std::uint32_t prime) {
    const auto remainder = static_cast<std::uint32_t>(BN_mod_word(modulus, prime));
    std::uint32_t power = 1;
    do {
      if (power == remainder) return true;
      power = power * (65537 % prime) % prime;
    } while (power != 1);
    return false;
  });
}

Result<EvpKey> key_from(const char* type, OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const EvpKeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return fail(Errc::invalid, "not a public key");
  }
  EvpKey owned(key);
  const EvpKeyContext check(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  if (!check || EVP_PKEY_public_check(check.get()) != 1) {
    return fail(Errc::invalid, "not a valid public key");
  }
  return owned;
}

Result<EvpKey> rsa_key(const Json& jwk) {
  auto n = member_bytes(jwk, "n", 1025);
  if (!n) return fail(n);
  auto e = member_bytes(jwk, "e", 4);
  if (!e) return fail(e);
  const BigNumber modulus(BN_bin2bn(raw(*n), static_cast<int>(n->size()), nullptr));
  const BigNumber exponent(BN_bin2bn(raw(*e), static_cast<int>(e->size()), nullptr));
  const int bits = BN_num_bits(modulus.get());
  if (bits < 2048 || bits > 8192) return fail(Errc::invalid, "RSA key is not of 2048..8192 bits");
  if (BN_get_word(exponent.get()) < 3 || BN_is_odd(exponent.get()) == 0) {
    return fail(Errc::invalid, "RSA exponent is even or below 3");
  }
  if (is_roca(modulus.get())) return fail(Errc::invalid, "RSA key is weak (CVE-2017-15361)");
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  return key_from("RSA", builder.get());
}

Result<EvpKey> ec_key(const Json& jwk, std::string_view curve_name) {
  const auto* curve = std::ranges::find(kCurves, curve_name, &Curve::name);
  if (curve == kCurves.end()) return fail(Errc::invalid, "unsupported curve");
  ByteVector point{std::byte{4}};
  for (const std::string_view name : {"x", "y"}) {
    auto coordinate = member_bytes(jwk, name, curve->coordinate_bytes);
    if (!coordinate) return fail(coordinate);
    if (coordinate->size() != curve->coordinate_bytes) {
      return fail(Errc::malformed, "coordinate of the wrong length");
    }
    append(point, *coordinate);
  }
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                   point.size());
  return key_from("EC", builder.get());
}

Result<EvpKey> okp_key(const Json& jwk, std::string_view curve_name) {
  if (curve_name != "Ed25519") return fail(Errc::invalid, "unsupported curve");
  auto x = member_bytes(jwk, "x", 32);
  if (!x) return fail(x);
  EvpKey key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw(*x), x->size()));
  if (!key) return fail(Errc::invalid, "not an Ed25519 key");
  return key;
}

/// Members only a holder of the secret has (RFC 7518 section 6).
bool is_secret(const Json& jwk) {
  for (const std::string_view name : {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}) {
    if (jwk.has(name)) return true;
  }
  return jwk.text("kty") == "oct";
}

Result<void> check_purpose(const Json& jwk) {
  if (jwk.has("use") && jwk.text("use") != "sig") {
    return fail(Errc::invalid, "key is not for signatures");
  }
  if (const Json* operations = jwk.member("key_ops")) {
    const auto all = operations->strings();
    if (!all || std::ranges::find(*all, "verify") == all->end()) {
      return fail(Errc::invalid, "key is not for verifying");
    }
  }
  return ok();
}

/// r || s as JOSE has it, as the DER that OpenSSL takes; nothing if the length is wrong.
std::optional<std::vector<unsigned char>> ecdsa_der(Bytes signature, std::size_t coordinate_bytes) {
  if (signature.size() != 2 * coordinate_bytes) return std::nullopt;
  const auto size = static_cast<int>(coordinate_bytes);
  const EcdsaSignature pair(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(raw(signature), size, nullptr);
  BIGNUM* s = BN_bin2bn(raw(signature.subspan(coordinate_bytes)), size, nullptr);
  if (!pair || ECDSA_SIG_set0(pair.get(), r, s) != 1) return std::nullopt;
  const int length = i2d_ECDSA_SIG(pair.get(), nullptr);
  if (length <= 0) return std::nullopt;
  std::vector<unsigned char> der(static_cast<std::size_t>(length));
  unsigned char* at = der.data();
  i2d_ECDSA_SIG(pair.get(), &at);
  return der;
}

}  // namespace

std::string_view to_string(Algorithm algorithm) {
  return traits_of(algorithm).name;
}

std::optional<Algorithm> algorithm_from(std::string_view name) {
  const auto* found = std::ranges::find(kTraits, name, &Traits::name);
  if (found == kTraits.end()) return std::nullopt;
  return found->algorithm;
}

struct PublicKey::State {
  std::string kid;
  std::string kty;
  std::string curve;
  std::optional<Algorithm> stated;
  EvpKey key;
};

PublicKey::PublicKey(std::unique_ptr<const State> state) : state_(std::move(state)) {}
PublicKey::~PublicKey() = default;
PublicKey::PublicKey(PublicKey&&) noexcept = default;
PublicKey& PublicKey::operator=(PublicKey&&) noexcept = default;

const std::string& PublicKey::kid() const {
  return state_->kid;
}

Result<PublicKey> PublicKey::from_jwk(std::string_view json) {
  auto jwk = Json::parse(json, kJwksBytesMax);
  if (!jwk) return fail(jwk);
  return from(*jwk);
}

Result<PublicKey> PublicKey::from(const Json& jwk) {
  auto state = std::make_unique<State>();
  const auto kty = jwk.text("kty");
  if (!kty) return fail(Errc::malformed, "key has no kty");
  if (is_secret(jwk)) return fail(Errc::denied, "key is private or symmetric");
  if (auto purpose = check_purpose(jwk); !purpose) return fail(purpose);

  state->kty = *kty;
  state->kid = jwk.text("kid").value_or("");
  if (jwk.has("kid") && !jwk.text("kid")) return fail(Errc::malformed, "kid is not a string");
  state->curve = jwk.text("crv").value_or("");
  if (const auto alg = jwk.text("alg")) {
    // Some issuers name the algorithm of P-521 after its curve.
    state->stated = algorithm_from(*alg == "ES521" ? "ES512" : *alg);
    if (!state->stated) return fail(Errc::invalid, "key is for another algorithm");
  } else if (jwk.has("alg")) {
    return fail(Errc::malformed, "alg is not a string");
  }

  auto key = *kty == "RSA"   ? rsa_key(jwk)
             : *kty == "EC"  ? ec_key(jwk, state->curve)
             : *kty == "OKP" ? okp_key(jwk, state->curve)
                             : fail(Errc::invalid, "unsupported kty");
  if (!key) return fail(key);
  state->key = std::move(*key);
  PublicKey made(std::move(state));
  if (made.state_->stated && !made.fits(*made.state_->stated)) {
    return fail(Errc::invalid, "alg of the key contradicts its kty or crv");
  }
  return made;
}

bool PublicKey::fits(Algorithm algorithm) const {
  const Traits& wanted = traits_of(algorithm);
  switch (wanted.family) {
    case Family::rsa_pkcs1:
    case Family::rsa_pss:
      if (state_->kty != "RSA") return false;
      break;
    case Family::ecdsa:
      if (state_->kty != "EC" || state_->curve != wanted.curve) return false;
      break;
    case Family::eddsa:
      if (state_->kty != "OKP" || state_->curve != wanted.curve) return false;
      break;
  }
  // A key that states PS256 may check PS384 (RFC 7520 section 4.2 has such a pair), never less.
  return !state_->stated ||
         (traits_of(*state_->stated).family == wanted.family && algorithm >= *state_->stated);
}

bool PublicKey::verify(Algorithm algorithm, std::string_view message, Bytes signature) const {
  if (!fits(algorithm)) return false;
  const Traits& traits = traits_of(algorithm);
  const EvpDigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* padding = nullptr;
  if (!context || EVP_DigestVerifyInit_ex(context.get(), &padding, traits.digest, nullptr, nullptr,
                                          state_->key.get(), nullptr) != 1) {
    return false;
  }
  if (traits.family == Family::rsa_pss &&
      (EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING) != 1 ||
       EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, RSA_PSS_SALTLEN_DIGEST) != 1)) {
    return false;
  }
  std::optional<std::vector<unsigned char>> der;
  if (traits.family == Family::ecdsa) {
    const auto* curve = std::ranges::find(kCurves, traits.curve, &Curve::name);
    der = ecdsa_der(signature, curve->coordinate_bytes);
    if (!der) return false;
  }
  const unsigned char* at = der ? der->data() : raw(signature);
  const std::size_t size = der ? der->size() : signature.size();
  return EVP_DigestVerify(context.get(), at, size,
                          reinterpret_cast<const unsigned char*>(message.data()),
                          message.size()) == 1;
}

std::shared_ptr<const PublicKey> KeySet::find(std::string_view kid, Algorithm algorithm) const {
  std::shared_ptr<const PublicKey> found;
  for (const auto& key : keys) {
    if (!key->fits(algorithm)) continue;
    if (!kid.empty()) {
      if (key->kid() == kid) return key;
      continue;
    }
    if (found) return nullptr;  // without a kid, two that fit are one too many
    found = key;
  }
  return found;
}

Result<KeySet> parse_jwks(std::string_view json) {
  auto document = Json::parse(json, kJwksBytesMax);
  if (!document) return fail(document);
  const Json* member = document->member("keys");
  const Json::Array* keys = member == nullptr ? nullptr : member->array();
  if (keys == nullptr) return fail(Errc::malformed, "a key set needs an array named keys");
  if (keys->size() > kJwksKeysMax) return fail(Errc::too_large, "key set has too many keys");

  KeySet set;
  std::set<std::string, std::less<>> kids;
  for (const Json& jwk : *keys) {
    // Whoever publishes a secret has lost it; and with two keys of one name, which is meant?
    if (is_secret(jwk)) return fail(Errc::denied, "key set publishes a private or symmetric key");
    auto key = PublicKey::from(jwk);
    if (!key) {
      set.skipped.push_back(std::string(jwk.text("kid").value_or("?")) + ": " + key.error().detail);
      continue;
    }
    if (!key->kid().empty() && !kids.insert(key->kid()).second) {
      return fail(Errc::denied, "key set uses a kid twice");
    }
    set.keys.push_back(std::make_shared<const PublicKey>(std::move(*key)));
  }
  return set;
}

}  // namespace sallyport::identity

#define OPENSSL_SUPPRESS_DEPRECATED  // sha256() says why
#include "base/crypto.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include <utility>

#include "base/check.h"

namespace sallyport {
namespace {

const unsigned char* raw(Bytes bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

template <std::size_t N>
unsigned char* raw(std::array<std::byte, N>& bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

// Fetched once: an implicit fetch at every use costs as much as the hash of a short record.
const EVP_MD* sha256_method() {
  static const EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  SALLYPORT_CHECK(method != nullptr);
  return method;
}

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

std::string text_of(BIO* bio) {
  char* at = nullptr;
  const long size = BIO_get_mem_data(bio, &at);
  SALLYPORT_CHECK(size > 0);
  return {at, static_cast<std::size_t>(size)};
}

std::array<std::byte, 32> public_bytes_of(const EVP_PKEY* key) {
  std::array<std::byte, 32> bytes{};
  std::size_t size = bytes.size();
  SALLYPORT_CHECK(EVP_PKEY_get_raw_public_key(key, raw(bytes), &size) == 1 && size == 32);
  return bytes;
}

}  // namespace

// By the functions below EVP, which OpenSSL 3 keeps and calls deprecated: every record is hashed
// with three of these, and EVP costs more than to hash a record does.
Digest sha256(Bytes data) {
  Digest digest{};
  SHA256_CTX context;
  SALLYPORT_CHECK(SHA256_Init(&context) == 1 &&
                  SHA256_Update(&context, data.data(), data.size()) == 1 &&
                  SHA256_Final(raw(digest), &context) == 1);
  return digest;
}

Digest hmac_sha256(Bytes key, Bytes data) {
  Digest digest{};
  // HMAC() refuses a null key pointer, which an empty span may have.
  static constexpr unsigned char nothing = 0;
  const unsigned char* key_at = key.empty() ? &nothing : raw(key);
  unsigned size = 0;
  SALLYPORT_CHECK(HMAC(sha256_method(), key_at, static_cast<int>(key.size()), raw(data),
                       data.size(), raw(digest), &size) != nullptr);
  return digest;
}

Digest pbkdf2_sha256(std::string_view password, Bytes salt, std::uint32_t iterations) {
  Digest digest{};
  SALLYPORT_CHECK(PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), raw(salt),
                                    static_cast<int>(salt.size()), static_cast<int>(iterations),
                                    sha256_method(), 32, raw(digest)) == 1);
  return digest;
}

std::array<std::byte, 16> md5(Bytes data) {
  std::array<std::byte, 16> digest{};
  SALLYPORT_CHECK(EVP_Digest(data.data(), data.size(), raw(digest), nullptr, EVP_md5(), nullptr) ==
                  1);
  return digest;
}

bool equal_in_constant_time(Bytes a, Bytes b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

struct Sha256::State {
  Context context{EVP_MD_CTX_new()};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  SALLYPORT_CHECK(state_->context &&
                  EVP_DigestInit_ex(state_->context.get(), sha256_method(), nullptr) == 1);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(Bytes data) {
  SALLYPORT_CHECK(EVP_DigestUpdate(state_->context.get(), data.data(), data.size()) == 1);
}

Digest Sha256::finish() {
  Digest digest{};
  SALLYPORT_CHECK(EVP_DigestFinal_ex(state_->context.get(), raw(digest), nullptr) == 1);
  return digest;
}

struct Ed25519Key::State {
  Key key;
};

Ed25519Key::Ed25519Key(std::unique_ptr<State> state) : state_(std::move(state)) {}
Ed25519Key::~Ed25519Key() = default;
Ed25519Key::Ed25519Key(Ed25519Key&&) noexcept = default;
Ed25519Key& Ed25519Key::operator=(Ed25519Key&&) noexcept = default;

Ed25519Key Ed25519Key::generate() {
  Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  SALLYPORT_CHECK(key != nullptr);
  return Ed25519Key(std::make_unique<State>(State{std::move(key)}));
}

Result<Ed25519Key> Ed25519Key::from_pem(std::string_view pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (!key || EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519) {
    return fail(Errc::malformed, "not an Ed25519 private key in PEM");
  }
  return Ed25519Key(std::make_unique<State>(State{std::move(key)}));
}

std::string Ed25519Key::private_pem() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  SALLYPORT_CHECK(PEM_write_bio_PrivateKey(bio.get(), state_->key.get(), nullptr, nullptr, 0,
                                           nullptr, nullptr) == 1);
  return text_of(bio.get());
}

std::string Ed25519Key::public_pem() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  SALLYPORT_CHECK(PEM_write_bio_PUBKEY(bio.get(), state_->key.get()) == 1);
  return text_of(bio.get());
}

std::array<std::byte, 32> Ed25519Key::public_bytes() const {
  return public_bytes_of(state_->key.get());
}

std::array<std::byte, 64> Ed25519Key::sign(Bytes message) const {
  std::array<std::byte, 64> signature{};
  std::size_t size = signature.size();
  const Context context(EVP_MD_CTX_new());
  SALLYPORT_CHECK(
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, state_->key.get()) == 1 &&
      EVP_DigestSign(context.get(), raw(signature), &size, raw(message), message.size()) == 1);
  return signature;
}

bool ed25519_verify(Bytes public_key, Bytes message, Bytes signature) {
  const Key key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw(public_key), public_key.size()));
  if (!key) return false;
  const Context context(EVP_MD_CTX_new());
  return EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), raw(signature), signature.size(), raw(message),
                          message.size()) == 1;
}

Result<std::array<std::byte, 32>> ed25519_public_from_pem(std::string_view pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const Key key(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
  if (!key || EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519) {
    return fail(Errc::malformed, "not an Ed25519 public key in PEM");
  }
  return public_bytes_of(key.get());
}

}  // namespace sallyport

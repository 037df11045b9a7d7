#include "identity/signing_key.h"

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <iterator>

#include "base/bytes.h"
#include "base/check.h"
#include "base/crypto.h"
#include "identity/openssl.h"

namespace sallyport::identity {
namespace {

constexpr int kCoordinateBytes = 32;

std::string coordinate(const EVP_PKEY* key, const char* name) {
  BIGNUM* value = nullptr;
  SALLYPORT_CHECK(EVP_PKEY_get_bn_param(key, name, &value) == 1);
  const BigNumber owned(value);
  ByteVector bytes(kCoordinateBytes);
  SALLYPORT_CHECK(BN_bn2binpad(value, reinterpret_cast<unsigned char*>(bytes.data()),
                               kCoordinateBytes) == kCoordinateBytes);
  return to_base64url(bytes);
}

/// The DER of an ECDSA signature as r || s.
ByteVector raw_signature(const std::vector<unsigned char>& der) {
  const unsigned char* at = der.data();
  const EcdsaSignature pair(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  SALLYPORT_CHECK(pair != nullptr);
  ByteVector raw(std::size_t{2} * kCoordinateBytes);
  auto* to = reinterpret_cast<unsigned char*>(raw.data());
  SALLYPORT_CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), to, kCoordinateBytes) > 0);
  SALLYPORT_CHECK(
      BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), to + kCoordinateBytes, kCoordinateBytes) > 0);
  return raw;
}

Result<std::string> read_private_file(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return fail(Errc::io, path + " cannot be read");
  if ((info.st_mode & 077) != 0) {
    return fail(Errc::invalid, path + " can be read by others; run chmod 600 on it");
  }
  std::ifstream file(path);
  if (!file) return fail(Errc::io, path + " cannot be read");
  return std::string(std::istreambuf_iterator<char>(file), {});
}

Result<void> write_private_file(const std::string& path, std::string_view text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return fail(Errc::io, path + " cannot be created");
  const bool written =
      ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(file) == 0;
  ::close(file);
  if (!written) {
    ::unlink(path.c_str());
    return fail(Errc::io, path + " cannot be written");
  }
  return ok();
}

}  // namespace

struct SigningKey::State {
  EvpKey key;
  std::string x;
  std::string y;
  std::string kid;

  explicit State(EvpKey made) : key(std::move(made)) {
    x = coordinate(key.get(), OSSL_PKEY_PARAM_EC_PUB_X);
    y = coordinate(key.get(), OSSL_PKEY_PARAM_EC_PUB_Y);
    kid = to_base64url(
        sha256(as_bytes(R"({"crv":"P-256","kty":"EC","x":")" + x + R"(","y":")" + y + "\"}")));
  }
};

SigningKey::SigningKey(std::unique_ptr<const State> state) : state_(std::move(state)) {}
SigningKey::~SigningKey() = default;
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;

SigningKey SigningKey::generate() {
  EvpKey key(EVP_EC_gen("P-256"));
  SALLYPORT_CHECK(key != nullptr);
  return SigningKey(std::make_unique<const State>(std::move(key)));
}

Result<SigningKey> SigningKey::from_pem(std::string_view pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  EvpKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  std::array<char, 32> group{};
  if (!key || EVP_PKEY_is_a(key.get(), "EC") != 1 ||
      EVP_PKEY_get_group_name(key.get(), group.data(), group.size(), nullptr) != 1 ||
      std::string_view(group.data()) != "prime256v1") {
    return fail(Errc::invalid, "not a P-256 private key in PEM");
  }
  return SigningKey(std::make_unique<const State>(std::move(key)));
}

Result<SigningKey> SigningKey::load_or_create(const std::string& path) {
  if (::access(path.c_str(), F_OK) == 0) {
    auto pem = read_private_file(path);
    if (!pem) return fail(pem);
    auto key = from_pem(*pem);
    if (!key) return fail(key, path);
    return key;
  }
  auto key = generate();
  auto written = write_private_file(path, key.private_pem());
  if (!written) return fail(written);
  return key;
}

std::string SigningKey::private_pem() const {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  SALLYPORT_CHECK(PEM_write_bio_PKCS8PrivateKey(bio.get(), state_->key.get(), nullptr, nullptr, 0,
                                                nullptr, nullptr) == 1);
  char* at = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &at);
  return {at, static_cast<std::size_t>(size)};
}

std::string SigningKey::public_jwk() const {
  return R"({"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":")" + state_->kid +
         R"(","x":")" + state_->x + R"(","y":")" + state_->y + "\"}";
}

const std::string& SigningKey::kid() const {
  return state_->kid;
}

std::string SigningKey::sign_jwt(std::string_view typ, std::string_view claims) const {
  const std::string header =
      R"({"alg":"ES256","typ":")" + std::string(typ) + R"(","kid":")" + state_->kid + "\"}";
  const std::string input = to_base64url(as_bytes(header)) + "." + to_base64url(as_bytes(claims));
  const auto* data = reinterpret_cast<const unsigned char*>(input.data());
  const EvpDigestContext context(EVP_MD_CTX_new());
  std::size_t size = 0;
  SALLYPORT_CHECK(EVP_DigestSignInit_ex(context.get(), nullptr, "SHA256", nullptr, nullptr,
                                        state_->key.get(), nullptr) == 1 &&
                  EVP_DigestSign(context.get(), nullptr, &size, data, input.size()) == 1);
  std::vector<unsigned char> der(size);
  SALLYPORT_CHECK(EVP_DigestSign(context.get(), der.data(), &size, data, input.size()) == 1);
  der.resize(size);
  return input + "." + to_base64url(raw_signature(der));
}

}  // namespace sallyport::identity

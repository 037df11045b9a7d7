#include "net/openssl.h"

#include <openssl/pem.h>

#include <array>

namespace sallyport::net {
namespace {

// Without it OpenSSL asks on the terminal.
int no_password(char* /*into*/, int /*size*/, int /*writing*/, void* /*data*/) {
  return -1;
}

BioPtr over(std::string_view pem) {
  return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

}  // namespace

std::string take_openssl_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "no reason given";
  std::array<char, 256> text{};
  ERR_error_string_n(code, text.data(), text.size());
  return text.data();
}

Result<std::vector<CertificatePtr>> read_certificates(std::string_view pem) {
  const BioPtr bio = over(pem);
  std::vector<CertificatePtr> certificates;
  ERR_clear_error();
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr)) {
    certificates.emplace_back(certificate);
  }
  const unsigned long last = ERR_peek_last_error();
  const bool at_end =
      ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
  if (certificates.empty() || !at_end) {
    return fail(Errc::invalid, "not a certificate in PEM: " + take_openssl_error());
  }
  ERR_clear_error();
  return certificates;
}

Result<KeyPtr> read_private_key(std::string_view pem) {
  const BioPtr bio = over(pem);
  ERR_clear_error();
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  if (!key)
    return fail(Errc::invalid, "not an unencrypted private key in PEM: " + take_openssl_error());
  return key;
}

}  // namespace sallyport::net

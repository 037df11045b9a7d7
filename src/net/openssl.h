#pragma once
// Owners for what OpenSSL hands out. Inside net/ only.

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sallyport::net {

template <auto Free>
struct FreeWith {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

using BioPtr = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, FreeWith<X509_free>>;
using SslPtr = std::unique_ptr<SSL, FreeWith<SSL_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;

/// The first error in this thread's queue, which is emptied.
std::string take_openssl_error();

/// All certificates in `pem`, at least one.
Result<std::vector<CertificatePtr>> read_certificates(std::string_view pem);
/// An unencrypted private key.
Result<KeyPtr> read_private_key(std::string_view pem);

}  // namespace sallyport::net

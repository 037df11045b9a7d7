#include "net/certificate.h"

#include <arpa/inet.h>
#include <openssl/pem.h>

#include <array>

#include "base/check.h"
#include "net/openssl.h"

namespace sallyport::net {
namespace {

using NamesPtr = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;
using NumberPtr = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>>;

std::string to_pem(const X509& certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  SALLYPORT_CHECK(PEM_write_bio_X509(bio.get(), &certificate) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

std::string to_pem(const EVP_PKEY& key) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  SALLYPORT_CHECK(
      PEM_write_bio_PKCS8PrivateKey(bio.get(), &key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

void set_time(ASN1_TIME* into, WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
  SALLYPORT_CHECK(ASN1_TIME_set(into, static_cast<time_t>(seconds)) != nullptr);
}

/// Version 3, a random serial number, subject and times; neither extensions nor a signature.
CertificatePtr blank_certificate(const std::string& common_name, EVP_PKEY* key, WallTime from,
                                 WallTime to) {
  constexpr int serial_bits = 127;
  CertificatePtr certificate(X509_new());
  const NumberPtr serial(BN_new());
  SALLYPORT_CHECK(BN_rand(serial.get(), serial_bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1);
  SALLYPORT_CHECK(BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate.get())));
  X509_set_version(certificate.get(), X509_VERSION_3);
  X509_set_pubkey(certificate.get(), key);
  set_time(X509_getm_notBefore(certificate.get()), from);
  set_time(X509_getm_notAfter(certificate.get()), to);
  X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate.get()), NID_commonName,
                             MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.data()),
                             static_cast<int>(common_name.size()), -1, 0);
  return certificate;
}

/// `value` in OpenSSL's own notation: fixed strings only, never a name from outside.
void add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  SALLYPORT_CHECK(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

/// False if `data` is too long or refused.
bool add_name(GENERAL_NAMES& names, int type, std::string_view data) {
  GENERAL_NAME* const name = GENERAL_NAME_new();
  ASN1_STRING* const text =
      type == GEN_DNS ? static_cast<ASN1_STRING*>(ASN1_IA5STRING_new()) : ASN1_OCTET_STRING_new();
  SALLYPORT_CHECK(name && text);
  GENERAL_NAME_set0_value(name, type, text);
  sk_GENERAL_NAME_push(&names, name);
  return ASN1_STRING_set(text, data.data(), static_cast<int>(data.size())) == 1;
}

Result<void> add_alternative_names(X509* certificate, const CertificateRequest& request) {
  const NamesPtr names(sk_GENERAL_NAME_new_null());
  for (const std::string& name : request.names) {
    if (name.empty() || !add_name(*names, GEN_DNS, name)) return fail(Errc::invalid, "empty name");
  }
  for (const std::string& ip : request.ips) {
    std::array<char, sizeof(in6_addr)> address{};
    std::size_t size = 0;
    if (::inet_pton(AF_INET, ip.c_str(), address.data()) == 1) size = sizeof(in_addr);
    if (::inet_pton(AF_INET6, ip.c_str(), address.data()) == 1) size = sizeof(in6_addr);
    if (size == 0) return fail(Errc::invalid, "not a numeric address: " + ip);
    add_name(*names, GEN_IPADD, {address.data(), size});
  }
  if (sk_GENERAL_NAME_num(names.get()) == 0) return ok();
  if (X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) !=
      1) {
    return fail(Errc::invalid, take_openssl_error());
  }
  return ok();
}

}  // namespace

Result<CertificateAndKey> make_ca(const std::string& common_name, WallTime now,
                                  std::chrono::hours valid_for) {
  const KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return fail(Errc::invalid, take_openssl_error());
  const CertificatePtr ca =
      blank_certificate(common_name, key.get(), now - std::chrono::hours(1), now + valid_for);
  X509_set_issuer_name(ca.get(), X509_get_subject_name(ca.get()));
  add_extension(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(ca.get(), ca.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(ca.get(), ca.get(), NID_subject_key_identifier, "hash");
  if (X509_sign(ca.get(), key.get(), EVP_sha256()) == 0) {
    return fail(Errc::invalid, take_openssl_error());
  }
  return CertificateAndKey{to_pem(*ca), to_pem(*key)};
}

Result<CertificateAndKey> make_certificate(const CertificateAndKey& ca,
                                           const CertificateRequest& request) {
  auto issuers = read_certificates(ca.certificate_pem);
  if (!issuers) return fail(issuers, "CA certificate");
  auto ca_key = read_private_key(ca.key_pem);
  if (!ca_key) return fail(ca_key, "CA key");
  X509* const issuer = issuers->front().get();
  const KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return fail(Errc::invalid, take_openssl_error());
  const CertificatePtr leaf =
      blank_certificate(request.common_name, key.get(), request.not_before, request.not_after);
  X509_set_issuer_name(leaf.get(), X509_get_subject_name(issuer));
  add_extension(leaf.get(), issuer, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(leaf.get(), issuer, NID_key_usage, "critical,digitalSignature");
  add_extension(leaf.get(), issuer, NID_ext_key_usage,
                request.for_client ? "clientAuth" : "serverAuth");
  add_extension(leaf.get(), issuer, NID_subject_key_identifier, "hash");
  add_extension(leaf.get(), issuer, NID_authority_key_identifier, "keyid:always");
  if (auto named = add_alternative_names(leaf.get(), request); !named) return fail(named);
  if (X509_sign(leaf.get(), ca_key->get(), EVP_sha256()) == 0) {
    return fail(Errc::invalid, take_openssl_error());
  }
  return CertificateAndKey{to_pem(*leaf), to_pem(*key)};
}

}  // namespace sallyport::net

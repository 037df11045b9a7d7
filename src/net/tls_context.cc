#include "net/tls_context.h"

#include <array>

namespace sallyport::net {
namespace {

constexpr std::size_t alpn_name_bytes_max = 255;

Result<SslContextPtr> make_context(const SSL_METHOD* method) {
  ERR_clear_error();
  SslContextPtr context(SSL_CTX_new(method));
  if (!context) return fail(Errc::invalid, take_openssl_error());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  // ECDSA before RSA; only suites with forward secrecy and authenticated encryption.
  if (SSL_CTX_set_cipher_list(context.get(),
                              "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
                              "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256:"
                              "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305") != 1) {
    return fail(Errc::invalid, take_openssl_error());
  }
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  return context;
}

Result<void> use_certificate(SSL_CTX* context, std::string_view certificate_pem,
                             std::string_view key_pem) {
  auto chain = read_certificates(certificate_pem);
  if (!chain) return fail(chain);
  auto key = read_private_key(key_pem);
  if (!key) return fail(key);
  if (SSL_CTX_use_certificate(context, chain->front().get()) != 1) {
    return fail(Errc::invalid, "certificate: " + take_openssl_error());
  }
  for (std::size_t i = 1; i < chain->size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, (*chain)[i].get()) != 1) {
      return fail(Errc::invalid, "certificate chain: " + take_openssl_error());
    }
  }
  if (SSL_CTX_use_PrivateKey(context, key->get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return fail(Errc::invalid, "the key is not the certificate's: " + take_openssl_error());
  }
  return ok();
}

Result<void> trust(SSL_CTX* context, std::string_view ca_pem) {
  auto certificates = read_certificates(ca_pem);
  if (!certificates) return fail(certificates, "CA");
  for (const CertificatePtr& certificate : *certificates) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate.get()) != 1) {
      return fail(Errc::invalid, "CA: " + take_openssl_error());
    }
  }
  return ok();
}

/// Names with their length before them.
Result<std::vector<unsigned char>> alpn_wire(const std::vector<std::string>& names) {
  std::vector<unsigned char> wire;
  for (const std::string& name : names) {
    if (name.empty() || name.size() > alpn_name_bytes_max) {
      return fail(Errc::invalid, "ALPN names have 1 to 255 bytes");
    }
    wire.push_back(static_cast<unsigned char>(name.size()));
    wire.insert(wire.end(), name.begin(), name.end());
  }
  return wire;
}

int select_alpn(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* chosen_size,
                const unsigned char* offered, unsigned offered_size, void* of_context) {
  const auto& ours = static_cast<OpensslServerContext*>(of_context)->alpn;
  unsigned char* match = nullptr;
  if (SSL_select_next_proto(&match, chosen_size, ours.data(), static_cast<unsigned>(ours.size()),
                            offered, offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = match;
  return SSL_TLSEXT_ERR_OK;
}

Result<void> ask_for_client_certificate(SSL_CTX* context, const TlsServerOptions& options) {
  if (options.client_ca_pem.empty()) {
    if (options.require_client_certificate) {
      return fail(Errc::invalid, "client certificates cannot be required without a client CA");
    }
    return ok();
  }
  if (auto trusted = trust(context, options.client_ca_pem); !trusted) return fail(trusted);
  auto names = read_certificates(options.client_ca_pem);
  if (!names) return fail(names);
  for (const CertificatePtr& ca : *names) SSL_CTX_add_client_CA(context, ca.get());
  int mode = SSL_VERIFY_PEER;
  if (options.require_client_certificate) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(context, mode, nullptr);
  return ok();
}

}  // namespace

ByteVector end_point_of(X509* certificate) {
  int digest_nid = NID_undef;
  if (!certificate ||
      X509_get_signature_info(certificate, &digest_nid, nullptr, nullptr, nullptr) != 1) {
    return {};
  }
  if (digest_nid == NID_md5 || digest_nid == NID_sha1) digest_nid = NID_sha256;
  const EVP_MD* const digest = EVP_get_digestbynid(digest_nid);
  if (!digest) return {};
  ByteVector hash(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  if (X509_digest(certificate, digest, reinterpret_cast<unsigned char*>(hash.data()), &size) != 1) {
    return {};
  }
  hash.resize(size);
  return hash;
}

Result<std::shared_ptr<const TlsServerContext>> TlsServerContext::make(
    const TlsServerOptions& options) {
  auto made = std::make_shared<OpensslServerContext>();
  auto context = make_context(TLS_server_method());
  if (!context) return fail(context);
  made->context = std::move(*context);
  SSL_CTX* const ssl = made->context.get();
  if (auto used = use_certificate(ssl, options.certificate_pem, options.key_pem); !used) {
    return fail(used);
  }
  if (auto asked = ask_for_client_certificate(ssl, options); !asked) return fail(asked);
  auto alpn = alpn_wire(options.alpn);
  if (!alpn) return fail(alpn);
  made->alpn = std::move(*alpn);
  if (!made->alpn.empty()) SSL_CTX_set_alpn_select_cb(ssl, select_alpn, made.get());
  SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_num_tickets(ssl, 1);
  constexpr std::array<unsigned char, 9> id{'s', 'a', 'l', 'l', 'y', 'p', 'o', 'r', 't'};
  SSL_CTX_set_session_id_context(ssl, id.data(), id.size());
  return made;
}

Result<std::shared_ptr<const TlsClientContext>> TlsClientContext::make(
    const TlsClientOptions& options) {
  auto made = std::make_shared<OpensslClientContext>();
  auto context = make_context(TLS_client_method());
  if (!context) return fail(context);
  made->context = std::move(*context);
  made->verify = options.verify;
  SSL_CTX* const ssl = made->context.get();
  if (options.verify != TlsVerify::insecure) {
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
    if (options.ca_pem.empty()) {
      SSL_CTX_set_default_verify_paths(ssl);
    } else if (auto trusted = trust(ssl, options.ca_pem); !trusted) {
      return fail(trusted);
    }
  }
  if (!options.certificate_pem.empty()) {
    if (auto used = use_certificate(ssl, options.certificate_pem, options.key_pem); !used) {
      return fail(used);
    }
  }
  auto alpn = alpn_wire(options.alpn);
  if (!alpn) return fail(alpn);
  if (!alpn->empty() &&
      SSL_CTX_set_alpn_protos(ssl, alpn->data(), static_cast<unsigned>(alpn->size())) != 0) {
    return fail(Errc::invalid, "ALPN: " + take_openssl_error());
  }
  return made;
}

}  // namespace sallyport::net

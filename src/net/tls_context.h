#pragma once
// The OpenSSL side of the TLS contexts. Inside net/ only.

#include "net/openssl.h"
#include "net/tls.h"

namespace sallyport::net {

class OpensslServerContext final : public TlsServerContext {
 public:
  // Mutable in OpenSSL's type only: it locks what it changes, and we change nothing after make().
  SslContextPtr context;
  std::vector<unsigned char> alpn;  // in wire form
};

class OpensslClientContext final : public TlsClientContext {
 public:
  SslContextPtr context;
  TlsVerify verify = TlsVerify::verify_full;
};

/// RFC 5929 section 4.1; see TlsStream::server_end_point().
ByteVector end_point_of(X509* certificate);

}  // namespace sallyport::net

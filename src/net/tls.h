#pragma once
// TLS 1.2 and 1.3 over any Stream. OpenSSL stays in the .cc files.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "net/stream.h"
#include "net/task.h"

namespace sallyport::net {

struct TlsServerOptions {
  std::string certificate_pem;  // the leaf, then intermediates
  std::string key_pem;
  std::string client_ca_pem;  // empty: clients are not asked for a certificate
  bool require_client_certificate = false;
  std::vector<std::string> alpn;  // in order of preference. A client that offers ALPN but
                                  // none of these is refused; one without ALPN is not
};

enum class TlsVerify : std::uint8_t {
  insecure,     // encrypts, but anyone could answer
  verify_ca,    // the certificate comes from the CA; its name is not looked at
  verify_full,  // and names the host
};

struct TlsClientOptions {
  TlsVerify verify = TlsVerify::verify_full;
  std::string ca_pem;           // empty: the system's roots
  std::string certificate_pem;  // a client certificate, or empty
  std::string key_pem;
  std::vector<std::string> alpn;
};

/// Immutable: shared by all workers. A reload makes a new one.
class TlsServerContext {
 public:
  /// invalid: the PEM does not parse, or the key is not the certificate's.
  static Result<std::shared_ptr<const TlsServerContext>> make(const TlsServerOptions& options);
  virtual ~TlsServerContext() = default;
};
class TlsClientContext {
 public:
  static Result<std::shared_ptr<const TlsClientContext>> make(const TlsClientOptions& options);
  virtual ~TlsClientContext() = default;
};

/// The end of the peer's data without close_notify is reported as closed too: every protocol above
/// says itself where a message ends.
class TlsStream : public Stream {
 public:
  /// The protocol both agreed on, or empty.
  virtual std::string_view alpn() const = 0;
  virtual std::string_view version() const = 0;  // "TLSv1.3"
  virtual std::string_view cipher() const = 0;
  /// SHA-256 of the peer's certificate in DER, if it showed one.
  virtual std::optional<ByteVector> peer_certificate_sha256() const = 0;
  /// tls-server-end-point (RFC 5929): a hash of the server's certificate, the same at both ends.
  /// Empty if the certificate's signature has no hash that the RFC gives a rule for.
  virtual const ByteVector& server_end_point() const = 0;
};

/// The handshake, then the stream. `stream` is closed if it fails. timeout: not done by `deadline`;
/// denied: the other side's certificate; malformed: not TLS, or no common parameters.
Task<Result<std::unique_ptr<TlsStream>>> tls_accept(std::unique_ptr<Stream> stream,
                                                    std::shared_ptr<const TlsServerContext> context,
                                                    SteadyTime deadline);
/// `host` is the name or numeric address that the certificate must be for, and the SNI.
Task<Result<std::unique_ptr<TlsStream>>> tls_connect(
    std::unique_ptr<Stream> stream, std::shared_ptr<const TlsClientContext> context,
    std::string host, SteadyTime deadline);

}  // namespace sallyport::net

// TLS over any Stream. OpenSSL reads the received chunk where it lies and appends what it wants
// sent to a vector; it never sees a socket.
#include <arpa/inet.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "net/openssl.h"
#include "net/reactor.h"
#include "net/signal.h"
#include "net/tls.h"
#include "net/tls_context.h"

namespace sallyport::net {
namespace {

constexpr std::size_t handshake_bytes_max = 128 * 1024;
constexpr std::size_t plaintext_per_send = 64 * 1024;
constexpr std::size_t output_bytes_kept = 4 * 1024;

/// What OpenSSL reads from and writes to.
struct Wire {
  Bytes input;
  ByteVector output;

  static Wire& of(BIO* bio) { return *static_cast<Wire*>(BIO_get_data(bio)); }
};

int wire_read(BIO* bio, char* into, std::size_t size, std::size_t* done) {
  Wire& wire = Wire::of(bio);
  BIO_clear_retry_flags(bio);
  *done = std::min(size, wire.input.size());
  if (*done == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  std::memcpy(into, wire.input.data(), *done);
  wire.input = wire.input.subspan(*done);
  return 1;
}

int wire_write(BIO* bio, const char* from, std::size_t size, std::size_t* done) {
  append(Wire::of(bio).output, std::string_view(from, size));
  *done = size;
  return 1;
}

long wire_control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* wire_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
    SALLYPORT_CHECK(made != nullptr);
    BIO_meth_set_read_ex(made, wire_read);
    BIO_meth_set_write_ex(made, wire_write);
    BIO_meth_set_ctrl(made, wire_control);
    return made;
  }();
  return method;
}

/// The alerts by which a peer says that it does not like our certificate, or that we show none.
bool about_certificates(int alert) {
  switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED:
      return true;
    default:
      return false;
  }
}

Error error_of(SSL* ssl) {
  const long verified = SSL_get_verify_result(ssl);
  const unsigned long code = ERR_peek_error();
  const int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
  std::string text = take_openssl_error();
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    return {Errc::denied, std::string("certificate: ") + X509_verify_cert_error_string(verified)};
  }
  if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE ||
      (reason > SSL_AD_REASON_OFFSET && about_certificates(reason - SSL_AD_REASON_OFFSET))) {
    return {Errc::denied, std::move(text)};
  }
  return {Errc::malformed, std::move(text)};
}

class OpensslStream final : public TlsStream {
 public:
  OpensslStream(std::unique_ptr<Stream> stream, SSL* ssl, std::shared_ptr<const void> context)
      : context_(std::move(context)), stream_(std::move(stream)), ssl_(ssl) {
    BIO* const bio = BIO_new(wire_method());
    SALLYPORT_CHECK(ssl_ && bio);
    BIO_set_data(bio, &wire_);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
  }
  ~OpensslStream() override { close(); }

  SSL* ssl() { return ssl_.get(); }

  Task<Result<void>> handshake(SteadyTime deadline) {
    stream_->set_read_deadline(deadline);
    stream_->set_write_deadline(deadline);
    std::size_t received = 0;
    for (;;) {
      ERR_clear_error();
      const int done = SSL_do_handshake(ssl_.get());
      const bool goes_on = done == 1 || SSL_get_error(ssl_.get(), done) == SSL_ERROR_WANT_READ;
      std::optional<Error> problem;
      if (!goes_on) problem = error_of(ssl_.get());
      auto flushed = co_await flush();  // also the alert that says what was wrong
      if (problem) co_return std::unexpected(std::move(*problem));
      if (!flushed) co_return fail(flushed);
      if (done == 1) break;
      if (auto more = co_await receive(); !more) co_return fail(more);
      received += wire_.input.size();
      if (received > handshake_bytes_max) co_return fail(Errc::too_large, "TLS handshake");
    }
    stream_->set_read_deadline(std::nullopt);
    stream_->set_write_deadline(std::nullopt);
    established_ = true;
    end_point_ = end_point_of(SSL_is_server(ssl_.get()) ? SSL_get_certificate(ssl_.get())
                                                        : SSL_get0_peer_certificate(ssl_.get()));
    co_return ok();
  }

  Task<Result<Chunk>> read() override {
    for (;;) {
      if (closed_) co_return fail(Errc::closed, "closed on this side");
      if (!wire_.input.empty() || SSL_has_pending(ssl_.get()) == 1) {
        if (auto decrypted = decrypt()) {
          if (!wire_.output.empty()) co_await flush();
          co_return std::move(*decrypted);
        }
      }
      if (!wire_.output.empty()) {
        if (auto flushed = co_await flush(); !flushed) co_return fail(flushed);
      }
      if (auto more = co_await receive(); !more) co_return fail(more);
    }
  }

  Task<Result<void>> write(Bytes data) override {
    while (!data.empty()) {
      if (closed_ || broken_) co_return fail(Errc::closed, "closed on this side");
      const Bytes piece = data.first(std::min(data.size(), plaintext_per_send));
      ERR_clear_error();
      std::size_t taken = 0;
      if (SSL_write_ex(ssl_.get(), piece.data(), piece.size(), &taken) != 1 ||
          taken != piece.size()) {
        broken_ = true;
        co_return std::unexpected(error_of(ssl_.get()));
      }
      data = data.subspan(piece.size());
      if (auto flushed = co_await flush(); !flushed) co_return fail(flushed);
    }
    co_return ok();
  }

  void write_last(Bytes data) override {
    if (closed_ || broken_ || flushing_.locked() || data.size() > plaintext_per_send) return;
    ERR_clear_error();
    std::size_t taken = 0;
    if (SSL_write_ex(ssl_.get(), data.data(), data.size(), &taken) != 1) return;
    stream_->write_last(std::exchange(wire_.output, {}));
  }

  void set_read_deadline(std::optional<SteadyTime> deadline) override {
    stream_->set_read_deadline(deadline);
  }
  void set_write_deadline(std::optional<SteadyTime> deadline) override {
    stream_->set_write_deadline(deadline);
  }

  void close() override {
    if (std::exchange(closed_, true)) return;
    if (established_ && !broken_ && !flushing_.locked()) {
      ERR_clear_error();
      SSL_shutdown(ssl_.get());
      stream_->write_last(wire_.output);
    }
    stream_->close();
  }

  Endpoint peer() const override { return stream_->peer(); }
  bool peer_gone() const override { return stream_->peer_gone(); }
  bool quiet() const override {
    return !closed_ && !broken_ && wire_.input.empty() && SSL_has_pending(ssl_.get()) == 0 &&
           stream_->quiet();
  }

  std::string_view alpn() const override {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  std::string_view version() const override { return SSL_get_version(ssl_.get()); }
  std::string_view cipher() const override { return SSL_get_cipher_name(ssl_.get()); }

  std::optional<ByteVector> peer_certificate_sha256() const override {
    X509* const certificate = SSL_get0_peer_certificate(ssl_.get());
    if (!certificate) return std::nullopt;
    std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
    unsigned size = 0;
    if (X509_digest(certificate, EVP_sha256(), hash.data(), &size) != 1) return std::nullopt;
    const Bytes bytes = std::as_bytes(std::span(hash).first(size));
    return ByteVector(bytes.begin(), bytes.end());
  }
  const ByteVector& server_end_point() const override { return end_point_; }

 private:
  /// Waits for bytes of the wire. What was there has been consumed.
  Task<Result<void>> receive() {
    SALLYPORT_CHECK(wire_.input.empty());
    encrypted_ = Chunk();
    auto chunk = co_await stream_->read();
    if (!chunk) co_return fail(chunk);
    encrypted_ = std::move(*chunk);
    wire_.input = encrypted_.bytes();
    co_return ok();
  }

  /// nullopt: not a whole record yet.
  std::optional<Result<Chunk>> decrypt() {
    BufferPool& pool = Reactor::current().buffers();
    std::byte* const buffer = pool.take();
    ERR_clear_error();
    std::size_t size = 0;
    const int done = SSL_read_ex(ssl_.get(), buffer, BufferPool::buffer_bytes, &size);
    if (wire_.input.empty()) encrypted_ = Chunk();
    if (done == 1) return Chunk(pool, buffer, size);
    pool.give_back(buffer);
    const int why = SSL_get_error(ssl_.get(), done);
    if (why == SSL_ERROR_WANT_READ) return std::nullopt;
    wire_.input = {};
    if (why == SSL_ERROR_ZERO_RETURN) return fail(Errc::closed, "the peer has closed");
    broken_ = true;
    return std::unexpected(error_of(ssl_.get()));
  }

  /// Sends what OpenSSL wants sent. A read may have to (alerts, key updates) while a write does.
  Task<Result<void>> flush() {
    const auto guard = co_await flushing_.lock();
    while (!wire_.output.empty()) {
      ByteVector sending = std::exchange(wire_.output, {});
      auto written = co_await stream_->write(sending);
      if (!written) {
        broken_ = true;
        co_return fail(written);
      }
      if (wire_.output.empty() && sending.capacity() <= output_bytes_kept) {
        sending.clear();
        wire_.output = std::move(sending);
      }
    }
    co_return ok();
  }

  std::shared_ptr<const void> context_;  // outlives ssl_
  Wire wire_;
  Chunk encrypted_;  // wire_.input points into it
  std::unique_ptr<Stream> stream_;
  SslPtr ssl_;
  AsyncMutex flushing_;
  ByteVector end_point_;
  bool established_ = false;
  bool broken_ = false;  // nothing more can be sent
  bool closed_ = false;
};

bool is_numeric(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> ignored{};
  return ::inet_pton(AF_INET, host.c_str(), ignored.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), ignored.data()) == 1;
}

Result<void> expect_host(SSL* ssl, const std::string& host, TlsVerify verify) {
  const bool numeric = is_numeric(host);
  if (!numeric && SSL_set_tlsext_host_name(ssl, host.c_str()) != 1) {
    return fail(Errc::invalid, "host name: " + take_openssl_error());
  }
  if (verify != TlsVerify::verify_full) return ok();
  if (host.empty()) return fail(Errc::invalid, "no host name to verify");
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const int set = numeric ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str())
                          : SSL_set1_host(ssl, host.c_str());
  if (set != 1) return fail(Errc::invalid, "host name: " + take_openssl_error());
  return ok();
}

Task<Result<std::unique_ptr<TlsStream>>> finish(std::unique_ptr<OpensslStream> stream,
                                                SteadyTime deadline) {
  auto done = co_await stream->handshake(deadline);
  if (!done) {
    stream->close();
    co_return fail(done, "TLS handshake");
  }
  co_return std::move(stream);
}

}  // namespace

Task<Result<std::unique_ptr<TlsStream>>> tls_accept(std::unique_ptr<Stream> stream,
                                                    std::shared_ptr<const TlsServerContext> context,
                                                    SteadyTime deadline) {
  SSL* const ssl = SSL_new(static_cast<const OpensslServerContext&>(*context).context.get());
  auto made = std::make_unique<OpensslStream>(std::move(stream), ssl, std::move(context));
  SSL_set_accept_state(ssl);
  co_return co_await finish(std::move(made), deadline);
}

Task<Result<std::unique_ptr<TlsStream>>> tls_connect(
    std::unique_ptr<Stream> stream, std::shared_ptr<const TlsClientContext> context,
    std::string host, SteadyTime deadline) {
  const auto& of_client = static_cast<const OpensslClientContext&>(*context);
  const TlsVerify verify = of_client.verify;
  SSL* const ssl = SSL_new(of_client.context.get());
  auto made = std::make_unique<OpensslStream>(std::move(stream), ssl, std::move(context));
  SSL_set_connect_state(ssl);
  if (auto expected = expect_host(ssl, host, verify); !expected) co_return fail(expected);
  co_return co_await finish(std::move(made), deadline);
}

}  // namespace sallyport::net

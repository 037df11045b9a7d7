#include "net/tls.h"

#include <gtest/gtest.h>

#include "base/crypto.h"
#include "net/both.h"
#include "net/certificate.h"
#include "net/connect.h"
#include "net/listener.h"
#include "net/memory_stream.h"
#include "net/reactor.h"
#include "net/tls_context.h"

namespace sallyport::net {
namespace {

using namespace std::chrono_literals;
using Tls = std::unique_ptr<TlsStream>;
using TlsResult = Result<Tls>;

SteadyTime in(std::chrono::nanoseconds duration) {
  return std::chrono::steady_clock::now() + duration;
}

Errc code_of(const TlsResult& result) {
  return result ? Errc{} : result.error().code;
}

Task<std::string> read_exactly(Stream& stream, std::size_t size) {
  std::string all;
  while (all.size() < size) {
    auto chunk = co_await stream.read();
    if (!chunk) break;
    all += as_text(chunk->bytes());
  }
  co_return all;
}

Task<Errc> read_error(Stream& stream) {
  auto chunk = co_await stream.read();
  co_return chunk ? Errc{} : chunk.error().code;
}

Task<Errc> write(Stream& stream, std::string text) {
  auto written = co_await stream.write(as_bytes(text));
  co_return written ? Errc{} : written.error().code;
}

/// Made once: keys cost time under the sanitizers.
struct Certificates {
  WallTime now = system_clock().now();
  CertificateAndKey ca = make_ca("test CA", now, 24h).value();
  CertificateAndKey other_ca = make_ca("another CA", now, 24h).value();
  CertificateAndKey server = leaf("db", {"db.example"}, {"127.0.0.1", "::1"});
  CertificateAndKey client = leaf("gateway", {}, {}, true);

  CertificateAndKey leaf(const std::string& name, std::vector<std::string> names,
                         std::vector<std::string> ips, bool for_client = false) const {
    return make_certificate(ca, {.common_name = name,
                                 .names = std::move(names),
                                 .ips = std::move(ips),
                                 .not_before = now - 1h,
                                 .not_after = now + 24h,
                                 .for_client = for_client})
        .value();
  }
};

const Certificates& certificates() {
  static const Certificates made;
  return made;
}

TlsServerOptions server_options() {
  return {.certificate_pem = certificates().server.certificate_pem,
          .key_pem = certificates().server.key_pem};
}
TlsClientOptions client_options() {
  return {.ca_pem = certificates().ca.certificate_pem};
}

struct Ends {
  TlsResult server;
  TlsResult client;
};

Task<Ends> handshake(MemoryPair pair, TlsServerOptions server, TlsClientOptions client,
                     std::string host) {
  auto made = co_await both(
      tls_accept(std::move(pair.a), TlsServerContext::make(server).value(), in(10s)),
      tls_connect(std::move(pair.b), TlsClientContext::make(client).value(), host, in(10s)));
  co_return Ends{std::move(made.first), std::move(made.second)};
}

class TlsTest : public testing::Test {
 protected:
  Ends ends(const TlsServerOptions& server, const TlsClientOptions& client,
            const std::string& host = "db.example", const MemoryOptions& memory = {}) {
    return reactor_->run_to_end(handshake(make_memory_pair(memory), server, client, host));
  }
  Ends good() {
    Ends made = ends(server_options(), client_options());
    EXPECT_TRUE(made.server.has_value()) << made.server.error().detail;
    EXPECT_TRUE(made.client.has_value()) << made.client.error().detail;
    return made;
  }
  template <class T>
  T run(Task<T> task) {
    return reactor_->run_to_end(std::move(task));
  }

  std::unique_ptr<Reactor> reactor_ = Reactor::make().value();
};

TEST_F(TlsTest, CarriesBothWaysAtOnceAndOwnsNoBufferWhenIdle) {
  const Ends pair = good();
  const std::string up(300'000, 'u');
  const std::string down(200'001, 'd');
  const auto result =
      run(both(both(write(**pair.client, up), read_exactly(**pair.client, down.size())),
               both(write(**pair.server, down), read_exactly(**pair.server, up.size()))));
  EXPECT_EQ(result.first.first, Errc{});
  EXPECT_EQ(result.second.first, Errc{});
  EXPECT_TRUE(result.first.second == down);
  EXPECT_TRUE(result.second.second == up);
  EXPECT_EQ(reactor_->buffers().in_use(), 0u);
}

TEST_F(TlsTest, IsTls13WithAnEcdsaCertificate) {
  const Ends pair = good();
  EXPECT_EQ((*pair.server)->version(), "TLSv1.3");
  EXPECT_EQ((*pair.client)->version(), "TLSv1.3");
  EXPECT_EQ((*pair.server)->cipher(), (*pair.client)->cipher());
}

TEST_F(TlsTest, WorksWhenEveryReadReturnsOneByte) {
  const Ends pair = ends(server_options(), client_options(), "db.example", {.read_bytes_max = 1});
  ASSERT_TRUE(pair.server.has_value());
  ASSERT_TRUE(pair.client.has_value());
  EXPECT_EQ(run(both(write(**pair.client, "hello"), read_exactly(**pair.server, 5))).second,
            "hello");
}

TEST_F(TlsTest, WorksOverAStreamThatHoldsFewBytes) {
  const Ends pair = ends(server_options(), client_options(), "db.example", {.capacity_bytes = 500});
  ASSERT_TRUE(pair.server.has_value());
  ASSERT_TRUE(pair.client.has_value());
}

TEST_F(TlsTest, AgreesOnTheFirstProtocolOfTheServerThatTheClientOffers) {
  TlsServerOptions server = server_options();
  TlsClientOptions client = client_options();
  server.alpn = {"postgresql", "h2"};
  client.alpn = {"h2", "postgresql"};
  const Ends pair = ends(server, client);
  EXPECT_EQ((*pair.server)->alpn(), "postgresql");
  EXPECT_EQ((*pair.client)->alpn(), "postgresql");
}

TEST_F(TlsTest, RefusesAClientWithOtherProtocolsButNotOneWithNone) {
  TlsServerOptions server = server_options();
  server.alpn = {"postgresql"};
  TlsClientOptions client = client_options();
  client.alpn = {"h2"};
  Ends pair = ends(server, client);
  EXPECT_EQ(code_of(pair.server), Errc::malformed);
  EXPECT_EQ(code_of(pair.client), Errc::malformed);
  pair = ends(server, client_options());
  ASSERT_TRUE(pair.server.has_value());
  EXPECT_EQ((*pair.server)->alpn(), "");
  EXPECT_EQ((*pair.client)->alpn(), "");
}

TEST_F(TlsTest, VerifiesNameAndAddress) {
  for (const char* host : {"db.example", "DB.EXAMPLE", "127.0.0.1", "::1"}) {
    EXPECT_EQ(code_of(ends(server_options(), client_options(), host).client), Errc{}) << host;
  }
  for (const char* host : {"other.example", "127.0.0.2", "example", "x.db.example", "db"}) {
    const Ends pair = ends(server_options(), client_options(), host);
    EXPECT_EQ(code_of(pair.client), Errc::denied) << host;
    EXPECT_EQ(code_of(pair.server), Errc::denied) << host;
  }
  EXPECT_EQ(code_of(ends(server_options(), client_options(), "").client), Errc::invalid);
}

TEST_F(TlsTest, VerifyCaLooksAtTheIssuerOnlyAndInsecureAtNothing) {
  TlsClientOptions client = client_options();
  client.verify = TlsVerify::verify_ca;
  EXPECT_EQ(code_of(ends(server_options(), client, "other.example").client), Errc{});
  client.ca_pem = certificates().other_ca.certificate_pem;
  EXPECT_EQ(code_of(ends(server_options(), client).client), Errc::denied);
  client.verify = TlsVerify::insecure;
  EXPECT_EQ(code_of(ends(server_options(), client, "other.example").client), Errc{});
}

TEST_F(TlsTest, TheSystemsRootsDoNotKnowOurCa) {
  EXPECT_EQ(code_of(ends(server_options(), {}).client), Errc::denied);
}

TEST_F(TlsTest, RefusesExpiredFutureAndClientCertificates) {
  const Certificates& made = certificates();
  const auto refused = [&](CertificateRequest request) {
    request.names = {"db.example"};
    const CertificateAndKey leaf = make_certificate(made.ca, request).value();
    const Ends pair =
        ends({.certificate_pem = leaf.certificate_pem, .key_pem = leaf.key_pem}, client_options());
    return pair.client ? std::string("accepted") : pair.client.error().detail;
  };
  EXPECT_NE(refused({.not_before = made.now - 48h, .not_after = made.now - 1h}).find("expired"),
            std::string::npos);
  EXPECT_NE(refused({.not_before = made.now + 1h, .not_after = made.now + 2h}).find("not yet"),
            std::string::npos);
  EXPECT_NE(refused({.not_before = made.now - 1h, .not_after = made.now + 1h, .for_client = true})
                .find("purpose"),
            std::string::npos);
}

TEST_F(TlsTest, AsksForAClientCertificateWhenTold) {
  TlsServerOptions server = server_options();
  server.client_ca_pem = certificates().ca.certificate_pem;
  TlsClientOptions with = client_options();
  with.certificate_pem = certificates().client.certificate_pem;
  with.key_pem = certificates().client.key_pem;

  Ends pair = ends(server, client_options());
  ASSERT_TRUE(pair.server.has_value());
  EXPECT_FALSE((*pair.server)->peer_certificate_sha256().has_value());
  server.require_client_certificate = true;
  pair = ends(server, client_options());
  EXPECT_EQ(code_of(pair.server), Errc::denied);
  ASSERT_TRUE(pair.client.has_value());  // in TLS 1.3 it learns of it by its first read
  EXPECT_EQ(run(read_error(**pair.client)), Errc::denied);
  pair = ends(server, with);
  ASSERT_TRUE(pair.server.has_value());
  EXPECT_TRUE((*pair.server)->peer_certificate_sha256().has_value());
  server.client_ca_pem = certificates().other_ca.certificate_pem;
  EXPECT_EQ(code_of(ends(server, with).server), Errc::denied);
}

TEST_F(TlsTest, ChannelBindingIsTheSameAtBothEnds) {
  const Ends pair = good();
  auto read = read_certificates(certificates().server.certificate_pem).value();
  EXPECT_EQ((*pair.server)->server_end_point(), (*pair.client)->server_end_point());
  EXPECT_EQ((*pair.server)->server_end_point(), end_point_of(read.front().get()));
  EXPECT_EQ((*pair.client)->peer_certificate_sha256(), (*pair.client)->server_end_point());
}

// Certificates and fingerprints from `openssl req -x509` and `openssl x509 -fingerprint`.
TEST(TlsEndPoint, IsHashedWithTheSignaturesAlgorithmButNeverWithSha1) {
  struct Case {
    const char* pem;
    const char* fingerprint;
  };
  const std::vector<Case> cases = {
      {"-----BEGIN CERTIFICATE-----\n"
       "MIIBbjCCARSgAwIBAgIUK9bQEVSj/5isTLJNviDmum3sEl8wCQYHKoZIzj0EATAM\n"
       "MQowCAYDVQQDDAF0MCAXDTI2MTEyNDA0MjQwMFoYDzIxMjYxMDMxMDQyNDAwWjAM\n"
       "MQowCAYDVQQDDAF0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEY1MRwQlDnv8a\n"
       "hx2f4+bGMOBR0+aCD6qyNxIW/7OL6rK/LjtYSuMrzY7Z/vAcNmJrNjJm71mPM3qB\n"
       "uakw1mBsn6NTMFEwHQYDVR0OBBYEFB3vsndagn5dF11dZDT2ai7NhKy/MB8GA1Ud\n"
       "IwQYMBaAFB3vsndagn5dF11dZDT2ai7NhKy/MA8GA1UdEwEB/wQFMAMBAf8wCQYH\n"
       "KoZIzj0EAQNJADBGAiEAyYNQAZ6b4fBJ1J1ne9aqHfTjt2N8IXJ47FLoTQkGFEcC\n"
       "IQDQinz4sDlIGf2b3wTk9LXbVB63+7ose5d3MfdNw6KyhA==\n"
       "-----END CERTIFICATE-----\n",
       "82201e54a38d62938b35e0d3e5024e7b7543b84561ee10515c654e026d6ad42f"},
      {"-----BEGIN CERTIFICATE-----\n"
       "MIIBbjCCARWgAwIBAgIUW15k9WsB6ChrNiR79QqH7V3FcQswCgYIKoZIzj0EAwIw\n"
       "DDEKMAgGA1UEAwwBdDAgFw0yNjExMjQwNDI0MDBaGA8yMTI2MTAzMTA0MjQwMFow\n"
       "DDEKMAgGA1UEAwwBdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABFWYqwttff62\n"
       "QBE0CI/6D7fmtlpq/JxXCUTBss/42uPgGEj/vGFlKPOQjKWDheA+dq19urCHe8Ik\n"
       "ZPeYM3gfjXejUzBRMB0GA1UdDgQWBBRBQwmqQ41oFsRSU1oZrtQ1VPklrjAfBgNV\n"
       "HSMEGDAWgBRBQwmqQ41oFsRSU1oZrtQ1VPklrjAPBgNVHRMBAf8EBTADAQH/MAoG\n"
       "CCqGSM49BAMCA0cAMEQCIDtOdi6DGvi8jbcynagrS3qLSmCNpJx9Ma/H+UouAoqL\n"
       "AiBcl8MlDWkY5I/xcY/7nZjewzgjIHXtGiocDxCw5xgcXA==\n"
       "-----END CERTIFICATE-----\n",
       "20715a9a590b674f6a166c623d98e793487f52bedb79c4a8d97a13683b9e3ef3"},
      {"-----BEGIN CERTIFICATE-----\n"
       "MIIBcDCCARWgAwIBAgIUdH84qg2SBoTb6n9aRMjff3thE5swCgYIKoZIzj0EAwMw\n"
       "DDEKMAgGA1UEAwwBdDAgFw0yNjExMjQwNDI0MDBaGA8yMTI2MTAzMTA0MjQwMFow\n"
       "DDEKMAgGA1UEAwwBdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCvoxGLDAEyv\n"
       "hGktNolRrrIQh1mBp/zpwW3jOQ/aqVgTThuGr5ClYr1eTP9fLUSLicRN/z/N58j6\n"
       "2ikFPj/8QEmjUzBRMB0GA1UdDgQWBBSAXuV4afA7pM/DsgEPspXnQQZkyjAfBgNV\n"
       "HSMEGDAWgBSAXuV4afA7pM/DsgEPspXnQQZkyjAPBgNVHRMBAf8EBTADAQH/MAoG\n"
       "CCqGSM49BAMDA0kAMEYCIQDf7JzJv/JaWq7PTyY9UgewP9O7ThgA5oqDhIenL7V8\n"
       "7AIhAObZYP76h73NIQdD8cOJa2M2nvjD4p/XszRgBGtZ+b/x\n"
       "-----END CERTIFICATE-----\n",
       "5d0d3fdf4d6481693dde6f1751137a8b5e29f43fb6263026e3fbdfb30f69a10bc914ae4e0ec74b727d6d94a0e0e"
       "641cf"},
      {"-----BEGIN CERTIFICATE-----\n"
       "MIIBbzCCARWgAwIBAgIUSxJsRfxpju8ZsnAKjJutUBIjJzIwCgYIKoZIzj0EAwQw\n"
       "DDEKMAgGA1UEAwwBdDAgFw0yNjExMjQwNDI0MDBaGA8yMTI2MTAzMTA0MjQwMFow\n"
       "DDEKMAgGA1UEAwwBdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJJaRGw2FLqy\n"
       "9SGCjb+MlhMLUVKQLF+66L53ECAfLoIO4s2v4gkRgYpTWE1Nn1l6l5WbaR4mrOyj\n"
       "RpASZUtDJGijUzBRMB0GA1UdDgQWBBSZu9RDDihcApC6/PKy22GzEt0zdTAfBgNV\n"
       "HSMEGDAWgBSZu9RDDihcApC6/PKy22GzEt0zdTAPBgNVHRMBAf8EBTADAQH/MAoG\n"
       "CCqGSM49BAMEA0gAMEUCIQDAk2HtiUfi7IPQOR4l6iUF9cOwBvvDn3572z1SoS3t\n"
       "awIgNQeJyr/hwECmL2SMJCQqEmLf40nM832+eWZDFsTOFs0=\n"
       "-----END CERTIFICATE-----\n",
       "bbb00e06e458023d7b3dfe30f4034a1e36d18a4963f6921da405471bbe45f4fc94f60d0657ff931dffa852bf00f"
       "0f72fa21ca903ddd783ff2b6df4c422f065ce"}};
  for (const Case& one : cases) {
    const auto read = read_certificates(one.pem).value();
    EXPECT_EQ(to_hex(end_point_of(read.front().get())), one.fingerprint);
  }
}

TEST(TlsEndPoint, IsEmptyWhereTheStandardHasNoRule) {
  const auto ed25519 = read_certificates(
      "-----BEGIN CERTIFICATE-----\n"
      "MIIBLjCB4aADAgECAhQ5tuJtrrom/FbpSzo2hQG9v8yPZDAFBgMrZXAwDDEKMAgG\n"
      "A1UEAwwBdDAgFw0yNjExMjQwNDI0MDBaGA8yMTI2MTAzMTA0MjQwMFowDDEKMAgG\n"
      "A1UEAwwBdDAqMAUGAytlcAMhAF2R3s5XMaEMlVR0pAlHA4yp9aF7ICkGKDBZf30I\n"
      "lD/Xo1MwUTAdBgNVHQ4EFgQUZaB4UQfJRKCkTrz3IeiSYwOcOBkwHwYDVR0jBBgw\n"
      "FoAUZaB4UQfJRKCkTrz3IeiSYwOcOBkwDwYDVR0TAQH/BAUwAwEB/zAFBgMrZXAD\n"
      "QQDdMSly5k7TWr6Nmz2UeY4U6IePBLEIzXg+KkhdeXG1yFrmd6rTaY1O8ynYgLDO\n"
      "cEG7qBzeEINQpTb1NWpp1FYK\n"
      "-----END CERTIFICATE-----\n");
  EXPECT_TRUE(end_point_of(ed25519.value().front().get()).empty());
  EXPECT_TRUE(end_point_of(nullptr).empty());
}

TEST_F(TlsTest, CloseTellsThePeer) {
  MemoryPair memory = make_memory_pair();
  const MemoryStream& raw = *memory.a;  // lives as long as the stream over it
  const Ends pair =
      run(handshake(std::move(memory), server_options(), client_options(), "db.example"));
  const std::size_t before = raw.written().size();
  (*pair.server)->write_last(as_bytes("bye"));
  (*pair.server)->close();
  EXPECT_GT(raw.written().size(), before);
  EXPECT_EQ(run(read_exactly(**pair.client, 99)), "bye");
  EXPECT_EQ(run(read_error(**pair.client)), Errc::closed);
  EXPECT_EQ(run(read_error(**pair.server)), Errc::closed);
  EXPECT_EQ(run(write(**pair.server, "x")), Errc::closed);
}

Task<void> close_after(Stream& stream, std::chrono::milliseconds delay) {
  co_await Reactor::current().sleep_for(delay);
  stream.close();
}

TEST_F(TlsTest, CloseWakesAPendingReadAndWrite) {
  const Ends pair = good();
  reactor_->spawn("close", close_after(**pair.client, 5ms));
  const auto result =
      run(both(read_error(**pair.client), write(**pair.client, std::string(1'000'000, 'x'))));
  EXPECT_EQ(result.first, Errc::closed);
  EXPECT_EQ(result.second, Errc::closed);
}

TEST_F(TlsTest, DeadlinesAreThoseOfTheStreamBelow) {
  const Ends pair = good();
  (*pair.client)->set_read_deadline(in(5ms));
  EXPECT_EQ(run(read_error(**pair.client)), Errc::timeout);
  (*pair.client)->set_read_deadline(std::nullopt);
  EXPECT_EQ(run(both(read_exactly(**pair.client, 2), write(**pair.server, "ok"))).first, "ok");
}

Task<TlsResult> accept_soon(std::unique_ptr<Stream> stream, std::chrono::milliseconds limit) {
  auto accepted = co_await tls_accept(std::move(stream),
                                      TlsServerContext::make(server_options()).value(), in(limit));
  co_return std::move(accepted);
}

TEST_F(TlsTest, AHandshakeEndsAtItsDeadline) {
  MemoryPair pair = make_memory_pair();
  pair.b->feed(as_bytes(std::string_view("\x16\x03\x01\x02\x00", 5)));
  EXPECT_EQ(code_of(run(accept_soon(std::move(pair.a), 20ms))), Errc::timeout);
  EXPECT_EQ(run(read_error(*pair.b)), Errc::closed);
}

TEST_F(TlsTest, GarbageIsMalformed) {
  const std::vector<std::string> garbage = {
      "GET / HTTP/1.1\r\n\r\n", std::string(500, '\0'), std::string(500, '\xff'),
      // A ClientHello of 16 MiB.
      std::string("\x16\x03\x01\x40\x00\x01\xff\xff\xff\x03\x03", 11) + std::string(300'000, 'x')};
  for (const std::string& bytes : garbage) {
    MemoryPair pair = make_memory_pair();
    pair.b->feed(as_bytes(bytes));
    EXPECT_EQ(code_of(run(accept_soon(std::move(pair.a), 1s))), Errc::malformed) << bytes;
  }
}

/// How one direction of a connection is damaged.
struct Damage {
  std::size_t at = static_cast<std::size_t>(-1);
  bool cut = false;  // else one bit is flipped
};

Task<void> pass(Stream& from, Stream& to, Damage damage) {
  std::size_t passed = 0;
  for (;;) {
    auto chunk = co_await from.read();
    if (!chunk) break;
    ByteVector bytes(chunk->bytes().begin(), chunk->bytes().end());
    const std::size_t size = bytes.size();
    const bool here = damage.at >= passed && damage.at < passed + size;
    if (here && damage.cut) bytes.resize(damage.at - passed);
    if (here && !damage.cut) bytes[damage.at - passed] ^= std::byte{1};
    if (auto written = co_await to.write(bytes); !written || (here && damage.cut)) break;
    passed += size;
  }
  from.close();
  to.close();
}

struct Conversation {
  Errc server{};
  Errc client{};
  std::string echoed;
  std::string served;

  std::shared_ptr<const TlsServerContext> server_context =
      TlsServerContext::make(server_options()).value();
  std::shared_ptr<const TlsClientContext> client_context =
      TlsClientContext::make(client_options()).value();
  // A damaged length makes one side wait for what never comes.
  std::chrono::milliseconds limit{};
};

Task<void> serve_one(std::unique_ptr<Stream> raw, Conversation& outcome) {
  auto stream = co_await tls_accept(std::move(raw), outcome.server_context, in(outcome.limit));
  outcome.server = code_of(stream);
  if (!stream) co_return;
  (*stream)->set_read_deadline(in(outcome.limit));
  outcome.served = co_await read_exactly(**stream, 4);
  co_await write(**stream, outcome.served);
}

Task<void> ask_one(std::unique_ptr<Stream> raw, Conversation& outcome) {
  auto stream =
      co_await tls_connect(std::move(raw), outcome.client_context, "db.example", in(outcome.limit));
  outcome.client = code_of(stream);
  if (!stream) co_return;
  (*stream)->set_read_deadline(in(outcome.limit));
  co_await write(**stream, "ping");
  outcome.echoed = co_await read_exactly(**stream, 4);
}

Task<Conversation> converse(Damage to_server, Damage to_client,
                            std::chrono::milliseconds limit = 5s) {
  MemoryPair at_server = make_memory_pair();
  MemoryPair at_client = make_memory_pair();
  static const Conversation fresh;  // its contexts are made once
  Conversation outcome = fresh;
  outcome.limit = limit;
  co_await both(
      both(serve_one(std::move(at_server.a), outcome), ask_one(std::move(at_client.a), outcome)),
      both(pass(*at_server.b, *at_client.b, to_client),
           pass(*at_client.b, *at_server.b, to_server)));
  co_return outcome;
}

TEST_F(TlsTest, ACutAtAnyByteEndsBothSidesWithoutHarm) {
  EXPECT_EQ(run(converse({}, {})).echoed, "ping");
  for (std::size_t at = 0; at < 1200; at += 3) {
    for (const bool to_server : {true, false}) {
      const Damage cut{at, true};
      const Conversation outcome = run(to_server ? converse(cut, {}) : converse({}, cut));
      for (const Errc code : {outcome.server, outcome.client}) {
        EXPECT_TRUE(code == Errc{} || code == Errc::closed) << at;
      }
      EXPECT_TRUE(outcome.served.empty() || outcome.served == "ping") << at;
      EXPECT_TRUE(outcome.echoed.empty() || outcome.echoed == "ping") << at;
    }
  }
  EXPECT_EQ(reactor_->buffers().in_use(), 0u);
}

TEST_F(TlsTest, AFlippedBitNeverChangesWhatIsRead) {
  for (std::size_t at = 0; at < 1200; at += 7) {
    for (const bool to_server : {true, false}) {
      const Damage flip{at, false};
      const Conversation outcome =
          run(to_server ? converse(flip, {}, 100ms) : converse({}, flip, 100ms));
      EXPECT_TRUE(outcome.served.empty() || outcome.served == "ping") << at;
      EXPECT_TRUE(outcome.echoed.empty() || outcome.echoed == "ping") << at;
    }
  }
  EXPECT_EQ(reactor_->buffers().in_use(), 0u);
}

TEST_F(TlsTest, AHandshakeThatIsDestroyedLeavesNothing) {
  MemoryPair pair = make_memory_pair();
  reactor_->spawn("handshake", [](std::unique_ptr<Stream> stream) -> Task<void> {
    co_await accept_soon(std::move(stream), 60s);
  }(std::move(pair.a)));
  run(reactor_->sleep_for(2ms));
  pair.b.reset();
  reactor_.reset();
}

Task<Ends> handshake_over_tcp(Listener& listener) {
  auto raw = co_await both(connect("127.0.0.1", listener.port(), in(5s)), listener.accept());
  auto made = co_await both(
      tls_accept(std::move(*raw.second), TlsServerContext::make(server_options()).value(), in(5s)),
      tls_connect(std::move(*raw.first), TlsClientContext::make(client_options()).value(),
                  "127.0.0.1", in(5s)));
  co_return Ends{std::move(made.first), std::move(made.second)};
}

class TlsOverTcp : public TlsTest, public testing::WithParamInterface<Backend> {
 protected:
  void SetUp() override {
    reactor_.reset();
    auto reactor = Reactor::make(GetParam());
    if (!reactor) GTEST_SKIP() << "not on this machine: " << reactor.error().detail;
    reactor_ = std::move(*reactor);
  }
};

TEST_P(TlsOverTcp, Works) {
  auto listener = Listener::bind({"127.0.0.1", 0}).value();
  const Ends pair = run(handshake_over_tcp(*listener));
  ASSERT_TRUE(pair.server.has_value());
  ASSERT_TRUE(pair.client.has_value());
  const std::string text(2'000'000, 'x');
  EXPECT_TRUE(
      run(both(write(**pair.client, text), read_exactly(**pair.server, text.size()))).second ==
      text);
  (*pair.client)->close();
  EXPECT_EQ(run(read_error(**pair.server)), Errc::closed);
}

INSTANTIATE_TEST_SUITE_P(Kernel, TlsOverTcp, testing::Values(Backend::epoll, Backend::io_uring),
                         [](const auto& tested) {
                           return std::string(tested.param == Backend::epoll ? "Epoll" : "Uring");
                         });

TEST(TlsContext, RefusesWhatDoesNotParseOrFit) {
  const auto refused = [](TlsServerOptions options) {
    auto context = TlsServerContext::make(options);
    return !context && context.error().code == Errc::invalid;
  };
  TlsServerOptions options = server_options();
  EXPECT_FALSE(refused(options));
  options.key_pem = certificates().client.key_pem;
  EXPECT_TRUE(refused(options));
  options.key_pem = "no key";
  EXPECT_TRUE(refused(options));
  options = server_options();
  options.certificate_pem = "no certificate";
  EXPECT_TRUE(refused(options));
  options = server_options();
  options.certificate_pem += "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  EXPECT_TRUE(refused(options));
  options = server_options();
  options.require_client_certificate = true;
  EXPECT_TRUE(refused(options));
  options = server_options();
  options.alpn = {""};
  EXPECT_TRUE(refused(options));
  EXPECT_FALSE(TlsClientContext::make({.ca_pem = "no CA"}).has_value());
}

TEST(Certificate, RefusesWhatIsNoAddressOrNoCa) {
  const CertificateAndKey& ca = certificates().ca;
  EXPECT_EQ(make_certificate(ca, {.ips = {"300.1.1.1"}}).error().code, Errc::invalid);
  EXPECT_EQ(make_certificate({}, {.names = {"x"}}).error().code, Errc::invalid);
}

}  // namespace
}  // namespace sallyport::net

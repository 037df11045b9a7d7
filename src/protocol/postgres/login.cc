#include "protocol/postgres/login.h"

#include <algorithm>

#include "base/log.h"
#include "net/reactor.h"
#include "net/tls.h"

namespace sallyport::postgres {
namespace {

constexpr std::string_view token_suffix = "#jwt";
constexpr std::byte tls_handshake{0x16};  // first byte of a TLS ClientHello
constexpr int openings_max = 3;           // GSSENCRequest, SSLRequest, startup

constexpr std::uint32_t auth_cleartext = 3, auth_sasl = 10, auth_sasl_continue = 11,
                        auth_sasl_final = 12;

/// A stream whose first bytes have been read already.
class Reread final : public net::Stream {
 public:
  Reread(net::Chunk first, std::unique_ptr<net::Stream> rest)
      : first_(std::move(first)), rest_(std::move(rest)) {}

  Task<Result<net::Chunk>> read() override {
    if (!first_.empty()) co_return std::exchange(first_, net::Chunk());
    co_return co_await rest_->read();
  }
  Task<Result<void>> write(Bytes data) override { return rest_->write(data); }
  void set_read_deadline(std::optional<SteadyTime> deadline) override {
    rest_->set_read_deadline(deadline);
  }
  void set_write_deadline(std::optional<SteadyTime> deadline) override {
    rest_->set_write_deadline(deadline);
  }
  void close() override { rest_->close(); }
  net::Endpoint peer() const override { return rest_->peer(); }

 private:
  net::Chunk first_;
  std::unique_ptr<net::Stream> rest_;
};

/// The same for all sessions of a worker, but for those from before a reload.
std::shared_ptr<const MessageLimits> client_limits(std::size_t message_bytes_max) {
  thread_local std::pair<std::size_t, std::shared_ptr<const MessageLimits>> newest;
  if (newest.second == nullptr || newest.first != message_bytes_max) {
    newest = {message_bytes_max,
              std::make_shared<const MessageLimits>(MessageLimits::client(message_bytes_max))};
  }
  return newest.second;
}

}  // namespace

Task<std::optional<LoggedIn>> Login::run(std::unique_ptr<net::Stream> stream, SteadyTime deadline) {
  LoggedIn client;
  client.stream = std::move(stream);
  client.stream->set_read_deadline(deadline);
  client.stream->set_write_deadline(deadline);

  auto startup = co_await open(client, deadline);
  if (!startup) {
    log::info("client turned away before it started",
              {{"source", client.stream ? client.stream->peer().ip : ""},
               {"detail", startup.error().detail}});
    if (client.stream != nullptr && startup.error().code != Errc::closed) {
      co_await turn_away(
          client,
          {.sqlstate = "08P01", .message = startup.error().detail, .hint = "", .reason = ""});
    }
    co_return std::nullopt;
  }
  if (!*startup) co_return std::nullopt;

  auto checked = check_startup(**startup);
  if (!checked) {
    co_await turn_away(
        client, {.sqlstate = "22023", .message = checked.error().detail, .hint = "", .reason = ""});
    co_return std::nullopt;
  }
  client.settings = std::move(*checked);
  const std::string& asked =
      client.settings.database.empty() ? client.settings.user : client.settings.database;
  const std::size_t slash = asked.find('/');
  client.connection = asked.substr(0, slash);
  if (slash != std::string::npos) client.database = asked.substr(slash + 1);

  if (auto negotiated = co_await negotiate(client, (*startup)->version); !negotiated) {
    co_return std::nullopt;
  }
  static const MessageLimits login_limits = MessageLimits::login();
  client.reader = std::make_unique<MessageReader>(*client.stream, login_limits);
  auto authenticated = co_await authenticate(client);
  if (!authenticated) {
    co_await turn_away(client, std::move(authenticated.error()));
    co_return std::nullopt;
  }
  client.limits = client_limits(options_.message_bytes_max);
  client.reader->use(*client.limits);
  co_return std::move(client);
}

/// Up to and with the one startup message; nullopt after a cancel request.
Task<Result<std::optional<StartupMessage>>> Login::open(LoggedIn& client, SteadyTime deadline) {
  ByteVector received;
  for (int packets = 0; packets < openings_max;) {
    std::size_t size = 0;
    auto opening = decode_opening(received, size);
    if (!opening) co_return fail(opening);
    if (!*opening) {
      auto chunk = co_await client.stream->read();
      if (!chunk) co_return fail(chunk);
      if (packets == 0 && received.empty() && chunk->bytes()[0] == tls_handshake) {
        // Direct TLS: only with the protocol named in the handshake (PostgreSQL 17).
        client.stream = std::make_unique<Reread>(std::move(*chunk), std::move(client.stream));
        auto secured = co_await secure(client, deadline);
        if (!secured) co_return fail(secured);
        if (dynamic_cast<net::TlsStream&>(*client.stream).alpn() != "postgresql") {
          co_return fail(Errc::denied, "direct TLS needs the application protocol postgresql");
        }
        ++packets;
        continue;
      }
      append(received, chunk->bytes());
      if (received.size() > startup_bytes_max) co_return fail(Errc::too_large, "startup packet");
      continue;
    }
    ++packets;
    // Nothing may be buffered behind a packet that is answered before the next one: in front of TLS
    // it would be plaintext that passes for what TLS protects (CVE-2021-23214).
    if (received.size() != size) {
      co_return fail(Errc::malformed, "bytes behind the first packet");
    }
    received.clear();

    if (const auto* cancel = std::get_if<CancelRequest>(&**opening)) {
      cancels_.request(*cancel);
      client.stream->close();
      co_return std::optional<StartupMessage>();
    }
    if (auto* startup = std::get_if<StartupMessage>(&**opening)) {
      co_return std::move(*startup);
    }
    const bool wants_tls = std::holds_alternative<SslRequest>(**opening);
    const bool secures = wants_tls && options_.tls != nullptr && !client.tls;
    ByteVector answer{static_cast<std::byte>(secures ? 'S' : 'N')};
    auto written = co_await client.stream->write(answer);
    if (!written) co_return fail(written);
    if (secures) {
      auto secured = co_await secure(client, deadline);
      if (!secured) co_return fail(secured);
    }
  }
  co_return fail(Errc::malformed, "no startup message");
}

Task<Result<void>> Login::secure(LoggedIn& client, SteadyTime deadline) {
  if (options_.tls == nullptr) co_return fail(Errc::denied, "TLS is not configured");
  auto secured = co_await net::tls_accept(std::move(client.stream), options_.tls, deadline);
  if (!secured) co_return fail(Errc::closed, secured.error().detail);
  (*secured)->set_read_deadline(deadline);
  (*secured)->set_write_deadline(deadline);
  server_end_point_ = (*secured)->server_end_point();
  certificate_sha256_ = (*secured)->peer_certificate_sha256();
  client.stream = std::move(*secured);
  client.tls = true;
  co_return ok();
}

Task<Result<void>> Login::negotiate(LoggedIn& client, std::uint32_t version) {
  const std::uint32_t minor = version & 0xffff;
  if (minor >= 2) client.cancel_key_bytes = 32;
  // 3.1 was never a protocol; what is newer than 3.2 may go on as 3.2.
  const auto& unknown = client.settings.unknown_protocol_options;
  if ((minor == 0 || minor == 2) && unknown.empty()) co_return ok();
  ByteVector out;
  {
    MessageBuilder builder(out, backend::negotiate_version);
    builder.u32(minor >= 2 ? protocol_3_2 : protocol_3_0);
    builder.u32(static_cast<std::uint32_t>(unknown.size()));
    for (const std::string& option : unknown) builder.text(option);
  }
  co_return co_await client.stream->write(out);
}

Task<std::expected<void, Login::Denied>> Login::authenticate(LoggedIn& client) {
  claimed_user_ = client.settings.user;
  if (claimed_user_.ends_with(token_suffix)) {
    claimed_user_.resize(claimed_user_.size() - token_suffix.size());
    token_ = true;
  }
  method_ = token_ ? "jwt" : "ticket";
  if (token_) {
    auto credential = co_await by_token(client);
    if (!credential) co_return std::unexpected(std::move(credential.error()));
    client.credential = std::move(*credential);
  } else {
    auto scrammed = co_await by_ticket(client);
    if (!scrammed) co_return std::unexpected(std::move(scrammed.error()));
    client.credential = std::move(scrammed->credential);
    MessageBuilder(client.greeting, backend::authentication)
        .u32(auth_sasl_final)
        .bytes(as_bytes(scrammed->last_message));
  }
  const std::string& proved = client.credential.chain.subject().id;
  if (proved != claimed_user_) {
    co_return std::unexpected(
        Denied{.sqlstate = "28000",
               .message = "this credential belongs to another user than the one named",
               .hint = "connect with user=" + proved + (token_ ? "#jwt" : ""),
               .reason = "credential of " + proved});
  }
  co_return std::expected<void, Denied>();
}

Task<std::expected<void, Login::Denied>> Login::say(LoggedIn& client, const ByteVector& message) {
  auto written = co_await client.stream->write(message);
  if (!written) {
    co_return std::unexpected(Denied{.sqlstate = "08006",
                                     .message = "connection lost",
                                     .hint = "",
                                     .reason = written.error().detail});
  }
  co_return std::expected<void, Denied>();
}

Task<std::expected<ByteVector, Login::Denied>> Login::password_message(LoggedIn& client) {
  auto message = co_await client.reader->next();
  if (!message) {
    const bool late = message.error().code == Errc::timeout;
    co_return std::unexpected(
        Denied{.sqlstate = late ? "57014" : "08P01",
               .message = late ? "the login took too long" : "authentication was broken off",
               .hint = "",
               .reason = message.error().detail});
  }
  if (message->type != frontend::password) {
    co_return std::unexpected(Denied{
        .sqlstate = "08P01", .message = "expected a password message", .hint = "", .reason = ""});
  }
  co_return ByteVector(message->body.begin(), message->body.end());
}

Task<std::expected<identity::Credential, Login::Denied>> Login::by_token(LoggedIn& client) {
  if (!client.tls) {
    // Before the client is asked: afterwards it would have sent it.
    co_return std::unexpected(Denied{.sqlstate = "28000",
                                     .message = "a token may only be sent over TLS",
                                     .hint = "connect with sslmode=verify-full",
                                     .reason = ""});
  }
  ByteVector ask;
  MessageBuilder(ask, backend::authentication).u32(auth_cleartext);
  if (auto said = co_await say(client, ask); !said) co_return std::unexpected(said.error());
  auto body = co_await password_message(client);
  if (!body) co_return std::unexpected(std::move(body.error()));
  FieldReader reader(*body);
  const std::string token(reader.text());
  if (!reader.finished()) {
    co_return std::unexpected(Denied{.sqlstate = "08P01",
                                     .message = "the password message is malformed",
                                     .hint = "",
                                     .reason = ""});
  }
  identity::Presentation presentation;
  if (certificate_sha256_) {
    std::ranges::copy(*certificate_sha256_,
                      presentation.client_certificate_sha256.emplace().begin());
  }
  auto credential = co_await authenticator_.verify_token(token, std::move(presentation));
  if (!credential) {
    co_return std::unexpected(Denied{.sqlstate = "28000",
                                     .message = credential.error().message,
                                     .hint = credential.error().hint,
                                     .reason = credential.error().detail});
  }
  co_return std::move(*credential);
}

Task<std::expected<Login::Scrammed, Login::Denied>> Login::by_ticket(LoggedIn& client) {
  // One text for every way to fail: which part was wrong is nobody's business but the operator's.
  const auto refused = [](std::string reason) {
    return std::unexpected(Denied{
        .sqlstate = "28P01",
        .message = "the ticket is not valid for this user and connection",
        .hint = "get one with `sallyport connect NAME`; to use a token, add #jwt to the user",
        .reason = std::move(reason)});
  };
  auto verifier = tickets_.verifier(claimed_user_, client.connection);
  if (!verifier) co_return refused(verifier.error().detail);
  identity::ScramServer scram(std::move(*verifier), server_end_point_, random_);

  ByteVector out;
  {
    MessageBuilder builder(out, backend::authentication);
    builder.u32(auth_sasl);
    for (const std::string_view mechanism : scram.mechanisms()) builder.text(mechanism);
    builder.u8(0);
  }
  if (auto said = co_await say(client, out); !said) co_return std::unexpected(said.error());
  auto body = co_await password_message(client);
  if (!body) co_return std::unexpected(std::move(body.error()));
  FieldReader reader(*body);
  const std::string mechanism(reader.text());
  const std::uint32_t size = reader.u32();
  const Bytes first = reader.bytes(size);
  if (!reader.finished()) co_return refused("malformed SASLInitialResponse");
  auto challenge = scram.first(mechanism, as_text(first));
  if (!challenge) co_return refused(challenge.error().detail);

  out.clear();
  MessageBuilder(out, backend::authentication).u32(auth_sasl_continue).bytes(as_bytes(*challenge));
  if (auto said = co_await say(client, out); !said) co_return std::unexpected(said.error());
  body = co_await password_message(client);
  if (!body) co_return std::unexpected(std::move(body.error()));
  auto finished = scram.finish(as_text(*body));
  if (!finished) co_return refused(finished.error().detail);
  auto credential = tickets_.redeem(finished->id);
  if (!credential) co_return refused(credential.error().detail);
  co_return Scrammed{std::move(*credential), std::move(finished->message)};
}

Task<void> Login::turn_away(LoggedIn& client, Denied denied) {
  const net::Endpoint peer = client.stream->peer();
  guard_.login_refused({.protocol = "postgres",
                        .connection = client.connection,
                        .user = claimed_user_,
                        .method = method_,
                        .reason = denied.reason.empty() ? denied.message : denied.reason,
                        .source_ip = peer.ip,
                        .source_port = peer.port,
                        .tls = client.tls});
  ByteVector out;
  append_error(out, {.severity = "FATAL",
                     .sqlstate = denied.sqlstate,
                     .message = std::move(denied.message),
                     .detail = "",
                     .hint = std::move(denied.hint)});
  (void)co_await client.stream->write(out);
  client.stream->close();
}

}  // namespace sallyport::postgres

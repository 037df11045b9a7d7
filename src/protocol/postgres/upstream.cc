#include "protocol/postgres/upstream.h"

#include <algorithm>

#include "base/crypto.h"
#include "identity/scram.h"
#include "net/connect.h"
#include "net/reactor.h"

namespace sallyport::postgres {
namespace {

constexpr std::size_t parameters_max = 64;
constexpr std::size_t parameter_bytes_max = 4096;  // name and value; PostgreSQL's are far shorter
constexpr std::size_t login_notices_max = 64;
constexpr std::chrono::milliseconds goodbye_max{200};

constexpr std::string_view own_name = "sallyport_label";

/// Bound to be refused by the server's parser; its log then says why.
constexpr std::string_view abort_text = "sallyport refused this command and aborts the transaction";

// Authentication requests (PostgreSQL documentation, "Message Formats").
enum class Auth : std::uint32_t {
  ok = 0,
  cleartext = 3,
  md5 = 5,
  sasl = 10,
  sasl_continue = 11,
  sasl_final = 12,
};

const MessageLimits& server_limits() {
  static const MessageLimits limits = MessageLimits::server();
  return limits;
}

std::string md5_password(std::string_view user, std::string_view password, Bytes salt) {
  const std::string inner = to_hex(md5(as_bytes(std::string(password) + std::string(user))));
  ByteVector salted;
  append(salted, inner);
  append(salted, salt);
  return "md5" + to_hex(md5(salted));
}

std::unexpected<Error> not_allowed(std::string_view asked, std::string_view method) {
  return fail(Errc::denied, "the target wants " + std::string(asked) +
                                ", which the connection's credential.require_auth does not list (" +
                                std::string(method) + ")");
}

Result<std::vector<std::string>> mechanism_names(Bytes body) {
  FieldReader reader(body);
  std::vector<std::string> names;
  while (true) {
    const std::string_view name = reader.text();
    if (reader.failed() || names.size() > 16) {
      return fail(Errc::malformed, "the target's list of SASL mechanisms");
    }
    if (name.empty()) break;
    names.emplace_back(name);
  }
  if (!reader.finished()) return fail(Errc::malformed, "the target's list of SASL mechanisms");
  return names;
}

Task<Result<std::unique_ptr<net::Stream>>> connect_plain_or_tls(const Target& target,
                                                                SteadyTime deadline,
                                                                ByteVector& server_end_point) {
  auto stream = co_await net::connect(target.host, target.port, deadline);
  if (!stream) co_return fail(stream, "connecting to the target");
  if (target.tls == nullptr) co_return std::move(*stream);

  (*stream)->set_read_deadline(deadline);
  (*stream)->set_write_deadline(deadline);
  const ByteVector request = encode_ssl_request();
  auto written = co_await (*stream)->write(request);
  if (!written) co_return fail(written, "asking the target for TLS");
  {
    auto answer = co_await (*stream)->read();
    if (!answer) co_return fail(answer, "asking the target for TLS");
    // Plaintext behind the answer could be somebody's in the middle (CVE-2021-23222).
    if (answer->bytes().size() != 1 || as_text(answer->bytes()) != "S") {
      co_return fail(Errc::denied, "the target does not speak TLS");
    }
  }
  auto secured = co_await net::tls_connect(std::move(*stream), target.tls, target.host, deadline);
  if (!secured) co_return fail(secured, "TLS to the target");
  server_end_point = (*secured)->server_end_point();
  co_return std::move(*secured);
}

/// Those of the last login of this worker, if they are the same: mostly they are, and an idle
/// connection then has no copy of its own.
std::shared_ptr<const Upstream::Parameters> shared(Upstream::Parameters parameters) {
  thread_local std::weak_ptr<const Upstream::Parameters> newest;
  auto known = newest.lock();
  if (known == nullptr || *known != parameters) {
    known = std::make_shared<const Upstream::Parameters>(std::move(parameters));
    newest = known;
  }
  return known;
}

}  // namespace

Result<void> check_pinned(std::string_view name, std::string_view value) {
  if (name == "standard_conforming_strings" && value != "on") {
    return fail(Errc::denied, "the target turned standard_conforming_strings off");
  }
  if (name == "client_encoding" && value != "UTF8") {
    return fail(Errc::denied, "the target changed client_encoding to " + std::string(value));
  }
  return ok();
}

std::string label_statement(std::string_view label) {
  std::string sql = "SET application_name TO '";
  for (const char c : label) {
    if (c == '\'') sql.push_back(c);
    sql.push_back(c);
  }
  return sql + "'";
}

std::string describe_error(Bytes body) {
  const auto fields = error_fields(body);
  if (!fields) return "an error that cannot be read";
  std::string text;
  for (const auto& [code, value] : *fields) {
    if (code == 'C') text.insert(0, std::string(value) + " ");
    if (code == 'M') text += value;
  }
  return text;
}

std::string sqlstate_of(Bytes body) {
  if (const auto fields = error_fields(body)) {
    for (const auto& [code, value] : *fields) {
      if (code == 'C') return std::string(value);
    }
  }
  return "XX000";
}

Upstream::Upstream(std::shared_ptr<const Target> target, std::unique_ptr<net::Stream> stream,
                   ByteVector server_end_point)
    : target_(std::move(target)),
      stream_(std::move(stream)),
      server_end_point_(std::move(server_end_point)),
      reader_(*stream_, server_limits()) {}

Task<Result<std::unique_ptr<Upstream>>> Upstream::open(const Permit& session,
                                                       std::shared_ptr<const Target> target,
                                                       UpstreamLogin login, SteadyTime deadline,
                                                       Random& random) {
  deadline = std::min(deadline, net::Reactor::current().now() + target->connect_s_max);
  ByteVector server_end_point;
  auto stream = co_await connect_plain_or_tls(*target, deadline, server_end_point);
  if (!stream) co_return fail(stream);
  (*stream)->set_read_deadline(deadline);
  (*stream)->set_write_deadline(deadline);
  co_return co_await log_in_over(session, std::move(target), std::move(*stream),
                                 std::move(server_end_point), std::move(login), random);
}

Task<Result<std::unique_ptr<Upstream>>> Upstream::log_in_over(const Permit& session,
                                                              std::shared_ptr<const Target> target,
                                                              std::unique_ptr<net::Stream> stream,
                                                              ByteVector server_end_point,
                                                              UpstreamLogin login, Random& random) {
  (void)session;  // its existence is the point: no login at a target without a decision
  std::unique_ptr<Upstream> upstream(
      new Upstream(std::move(target), std::move(stream), std::move(server_end_point)));
  auto logged_in = co_await upstream->log_in(login, random);
  if (!logged_in) co_return fail(logged_in, "logging in at the target");
  upstream->stream_->set_read_deadline(std::nullopt);
  upstream->stream_->set_write_deadline(std::nullopt);
  co_return std::move(upstream);
}

Task<Result<void>> Upstream::log_in(const UpstreamLogin& login, Random& random) {
  // Built from scratch: nothing of the client's own startup message gets here unchecked.
  StartupMessage startup;
  startup.parameters = {{"user", target_->user},
                        {"database", login.database},
                        {"client_encoding", "UTF8"},
                        {"application_name", login.label},
                        {"standard_conforming_strings", "on"}};
  if (login.read_only) startup.parameters.emplace_back("default_transaction_read_only", "on");
  for (const auto& setting : target_->settings) startup.parameters.push_back(setting);
  for (const auto& setting : login.settings) {
    if (startup.find(setting.first) == nullptr) startup.parameters.push_back(setting);
  }
  const ByteVector packet = encode_startup(startup);
  auto written = co_await stream_->write(packet);
  if (!written) co_return fail(written);
  auto authenticated = co_await authenticate(random);
  if (!authenticated) co_return fail(authenticated);
  co_return co_await await_ready();
}

Task<Result<void>> Upstream::authenticate(Random& random) {
  bool proved = false;  // something was asked of us, or will not be
  while (true) {
    auto message = co_await reader_.next();
    if (!message) co_return fail(message);
    if (message->type == backend::error) {
      co_return fail(Errc::denied, "the target refused: " + describe_error(message->body));
    }
    if (message->type != backend::authentication || message->body.size() < 4) {
      co_return fail(Errc::malformed, "the target does not authenticate");
    }
    const Bytes rest = message->body.subspan(4);
    std::string password;
    switch (static_cast<Auth>(read_u32(message->body))) {
      case Auth::ok:
        if (!rest.empty()) co_return fail(Errc::malformed, "AuthenticationOk with a body");
        if (!proved && !target_->auth.none) co_return not_allowed("no authentication", "none");
        co_return ok();
      case Auth::cleartext:
        if (!target_->auth.password) {
          co_return not_allowed("the password in the clear", "password");
        }
        if (!rest.empty()) co_return fail(Errc::malformed, "password request with a body");
        if (target_->tls == nullptr) {
          co_return fail(Errc::denied, "the target wants the password in the clear without TLS");
        }
        password = target_->password;
        break;
      case Auth::md5:
        if (!target_->auth.md5) co_return not_allowed("md5", "md5");
        if (rest.size() != 4) co_return fail(Errc::malformed, "md5 salt of the target");
        password = md5_password(target_->user, target_->password, rest);
        break;
      case Auth::sasl: {
        if (!target_->auth.scram) co_return not_allowed("SCRAM", "scram-sha-256");
        if (proved) co_return fail(Errc::malformed, "the target asks twice");
        proved = true;
        auto answered = co_await answer_scram(rest, random);
        if (!answered) co_return fail(answered);
        continue;
      }
      case Auth::sasl_continue:
      case Auth::sasl_final:
      default:
        co_return fail(Errc::denied,
                       "the target wants a way to authenticate that is not supported");
    }
    if (proved) co_return fail(Errc::malformed, "the target asks twice");
    proved = true;
    ByteVector answer;
    MessageBuilder(answer, frontend::password).text(password);
    auto written = co_await stream_->write(answer);
    if (!written) co_return fail(written);
  }
}

Task<Result<void>> Upstream::answer_scram(Bytes mechanisms, Random& random) {
  auto offered = mechanism_names(mechanisms);
  if (!offered) co_return fail(offered);
  identity::ScramClient scram(target_->password, server_end_point_, random);
  auto chosen = scram.choose(*offered);
  if (!chosen) co_return fail(chosen);

  ByteVector out;
  const std::string first = scram.first();
  MessageBuilder(out, frontend::password)
      .text(*chosen)
      .u32(static_cast<std::uint32_t>(first.size()))
      .bytes(as_bytes(first));
  auto written = co_await stream_->write(out);
  if (!written) co_return fail(written);

  auto challenge = co_await reader_.next();
  if (!challenge) co_return fail(challenge);
  if (challenge->type == backend::error) {
    co_return fail(Errc::denied, "the target refused: " + describe_error(challenge->body));
  }
  if (challenge->type != backend::authentication || challenge->body.size() < 4 ||
      read_u32(challenge->body) != static_cast<std::uint32_t>(Auth::sasl_continue)) {
    co_return fail(Errc::malformed, "the target does not go on with SCRAM");
  }
  auto final = scram.respond(as_text(challenge->body.subspan(4)));
  if (!final) co_return fail(final);
  out.clear();
  MessageBuilder(out, frontend::password).bytes(as_bytes(*final));
  written = co_await stream_->write(out);
  if (!written) co_return fail(written);

  auto verdict = co_await reader_.next();
  if (!verdict) co_return fail(verdict);
  if (verdict->type == backend::error) {
    co_return fail(Errc::denied, "the target refused: " + describe_error(verdict->body));
  }
  if (verdict->type != backend::authentication || verdict->body.size() < 4 ||
      read_u32(verdict->body) != static_cast<std::uint32_t>(Auth::sasl_final)) {
    co_return fail(Errc::malformed, "the target does not finish SCRAM");
  }
  auto verified = scram.verify(as_text(verdict->body.subspan(4)));
  if (!verified) co_return fail(verified, "the target could not prove that it knows the password");
  co_return ok();
}

Task<Result<void>> Upstream::await_ready() {
  Parameters parameters;
  std::size_t notices = 0;
  while (true) {
    auto message = co_await reader_.next();
    if (!message) co_return fail(message);
    switch (message->type) {
      case backend::parameter_status: {
        auto noted = note_parameter(message->body, parameters);
        if (!noted) co_return fail(noted);
        break;
      }
      case backend::key_data: {
        if (!cancel_key_.empty()) co_return fail(Errc::malformed, "a second BackendKeyData");
        auto key = key_data_body(message->body);
        if (!key) co_return fail(key);
        process_id_ = key->process_id;
        cancel_key_.assign(key->key.begin(), key->key.end());
        break;
      }
      case backend::notice:
        if (++notices > login_notices_max) co_return fail(Errc::too_large, "notices at login");
        break;
      case backend::error:
        if (sqlstate_of(message->body) == "22023") {
          co_return fail(Errc::invalid, describe_error(message->body));
        }
        co_return fail(Errc::unavailable, "the target refused: " + describe_error(message->body));
      case backend::ready:
        if (as_text(message->body) != "I") co_return fail(Errc::malformed, "ReadyForQuery");
        parameters_ = shared(std::move(parameters));
        co_return ok();
      default:
        co_return fail(Errc::malformed,
                       std::string("unexpected message at login: ") + message->type);
    }
  }
}

Result<void> Upstream::note_parameter(Bytes body, Parameters& parameters) {
  auto status = parameter_status_body(body);
  if (!status) return fail(status);
  if (parameters.size() == parameters_max ||
      status->name.size() + status->value.size() > parameter_bytes_max) {
    return fail(Errc::too_large, "parameters reported at login");
  }
  const bool label = status->name == "application_name";
  parameters.emplace_back(status->name, label ? std::string_view() : status->value);
  return check_pinned(status->name, status->value);
}

void Upstream::send(Permit& command) {
  ByteVector bytes = command.take_bytes();
  if (out_.empty()) {
    out_ = std::move(bytes);
  } else {
    append(out_, bytes);
  }
}

void Upstream::execute(const Permit&, std::string_view portal, std::uint32_t rows_max) {
  MessageBuilder(out_, frontend::execute).text(portal).u32(rows_max);
}

void Upstream::copy_data(const Permit&, Bytes raw) {
  append(out_, raw);
}

void Upstream::copy_done(const Permit&) {
  MessageBuilder(out_, frontend::copy_done);
}

void Upstream::copy_fail(const Permit&, std::string_view reason) {
  MessageBuilder(out_, frontend::copy_fail).text(reason);
}

void Upstream::describe(const Permit&, char kind, std::string_view name) {
  MessageBuilder(out_, frontend::describe).u8(static_cast<std::uint8_t>(kind)).text(name);
}

void Upstream::close_name(const Permit&, char kind, std::string_view name) {
  MessageBuilder(out_, frontend::close).u8(static_cast<std::uint8_t>(kind)).text(name);
}

void Upstream::sync(const Permit&) {
  MessageBuilder(out_, frontend::sync);
}

void Upstream::flush_request(const Permit&) {
  MessageBuilder(out_, frontend::flush);
}

void Upstream::abort_by_query(const Permit&) {
  append_query(out_, abort_text);
}

void Upstream::abort_by_parse(const Permit&) {
  // Named, so that the client's unnamed statement stays; nothing of that name is ever made.
  append_parse(out_, "sallyport_refused", abort_text, {});
}

Task<Result<void>> Upstream::flush() {
  if (out_.empty()) co_return ok();
  const ByteVector sending = std::exchange(out_, {});
  co_return co_await stream_->write(sending);
}

void Upstream::set_label(const Permit&, std::string_view label) {
  // Named, for the same reason; gone again at the end of the batch.
  append_parse(out_, own_name, label_statement(label), {});
  MessageBuilder(out_, frontend::bind).text(own_name).text(own_name).u16(0).u16(0).u16(0);
  MessageBuilder(out_, frontend::execute).text(own_name).u32(0);
  MessageBuilder(out_, frontend::close).u8('S').text(own_name);
  MessageBuilder(out_, frontend::sync);
}

Task<Result<void>> Upstream::cancel(const Permit& session, SteadyTime deadline) {
  (void)session;
  cancelled_ = true;
  const CancelRequest request{.process_id = process_id_, .key = cancel_key_};
  const std::shared_ptr<const Target> target = target_;  // outlive the session
  ByteVector unused;
  auto stream = co_await connect_plain_or_tls(*target, deadline, unused);
  if (!stream) co_return fail(stream);
  (*stream)->set_write_deadline(deadline);
  (*stream)->set_read_deadline(deadline);
  const ByteVector packet = encode_cancel_request(request);
  auto written = co_await (*stream)->write(packet);
  if (!written) co_return fail(written);
  // The server closes when it has dealt with it.
  auto answer = co_await (*stream)->read();
  (*stream)->close();
  co_return ok();
}

Task<void> Upstream::close(const Permit& session) {
  (void)session;
  MessageBuilder(out_, frontend::terminate);
  stream_->set_write_deadline(net::Reactor::current().now() + goodbye_max);
  (void)co_await flush();
  stream_->close();
}

}  // namespace sallyport::postgres

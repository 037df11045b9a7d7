#include "protocol/postgres/adapter.h"

#include <algorithm>
#include <charconv>

#include "base/counted.h"
#include "base/log.h"
#include "base/metrics.h"
#include "core/resource_id.h"
#include "net/reactor.h"
#include "protocol/postgres/conversation.h"
#include "protocol/postgres/sql/mask_sql.h"

namespace sallyport::postgres {
namespace {

constexpr std::chrono::seconds cancel_s_max{5};
constexpr std::size_t sessions_at_once = 100;

struct Metrics {
  metrics::Gauge& open = metrics::gauge("sallyport_sessions_open", "Sessions that are open.",
                                        {{"protocol", "postgres"}});
  metrics::Counter& started = metrics::counter(
      "sallyport_sessions_total", "Sessions that were started.", {{"protocol", "postgres"}});
  metrics::Counter& revoked = metrics::counter(
      "sallyport_sessions_revoked_total",
      "Open sessions that were ended because their right to be connected was gone.",
      {{"protocol", "postgres"}});
  metrics::Counter& target_failed = metrics::counter(
      "sallyport_target_failures_total",
      "Sessions that ended because their target could not be reached.", {{"protocol", "postgres"}});
  metrics::Counter& cancels =
      metrics::counter("sallyport_cancels_total", "Cancel requests that found their session.",
                       {{"protocol", "postgres"}});
};

Metrics& counters() {
  static Metrics metrics;
  return metrics;
}

const std::vector<std::string> default_search_path = {"public"};

std::vector<std::string> search_path_of(const Target& target) {
  for (const auto& [name, value] : target.settings) {
    if (name != "search_path") continue;
    if (auto schemas = parse_search_path(value)) return *std::move(schemas);
  }
  return default_search_path;
}

/// What the target's own log shows, so that its lines join with our records. PostgreSQL keeps 63
/// bytes and turns what is not printable ASCII into '?'.
std::string label_of(const Session& session) {
  std::string label = "sallyport " + session.id.substr(0, 12) + " ";
  for (const char c : session.chain.to_string()) {
    label.push_back(c >= ' ' && c <= '~' ? c : '?');
  }
  if (label.size() > 63) label.resize(63);
  return label;
}

/// 15 of "15.8 (Debian 15.8-1)"; 0 where the target does not say.
int server_major_of(const Upstream& upstream) {
  for (const auto& [name, value] : upstream.parameters()) {
    int major = 0;
    if (name == "server_version") std::from_chars(value.data(), value.data() + value.size(), major);
    if (major > 0) return major;
  }
  return 0;
}

}  // namespace

/// What can be reached from outside of a session's own coroutines: shutdown and cancel.
struct Adapter::Live {
  const Session* session = nullptr;
  Conversation* conversation = nullptr;
  Upstream* upstream = nullptr;
  const Permit* permit = nullptr;
};

Result<std::unique_ptr<Adapter>> Adapter::make(std::shared_ptr<const Options> options,
                                               Shared shared) {
  auto parser = sql::Parser::make();
  if (!parser) return fail(parser, "making the SQL sandbox");
  return std::unique_ptr<Adapter>(new Adapter(std::move(options), shared, std::move(*parser)));
}

Adapter::Adapter(std::shared_ptr<const Options> options, Shared shared,
                 std::unique_ptr<sql::Parser> parser)
    : options_(std::move(options)),
      shared_(shared),
      parser_(std::move(parser)),
      masking_(shared.guard, shared.catalogs, *parser_, decisions_),
      pool_(shared.pools, shared.random) {}

Adapter::~Adapter() = default;

void Adapter::end_all(std::string_view message) {
  pool_.close();
  // Who is still logging in has nothing to lose.
  for (net::Stream* const stream : logging_in_) stream->close();
  for (const auto& live : open_) {
    if (live->conversation != nullptr) {
      live->conversation->end("shutdown", "57P01", std::string(message));
    }
  }
}

std::shared_ptr<mask::Masker> Adapter::masker_of(const Target& target) {
  if (target.detect == mask::Mode::off) return nullptr;
  for (const auto& masker : maskers_) {
    if (masker->mode() == target.detect && masker->wanted() == target.detectors) return masker;
  }
  auto scanner = mask::Scanner::make(target.patterns, target.detectors);
  if (!scanner) throw std::bad_alloc();
  return maskers_.emplace_back(std::make_shared<mask::Masker>(*std::move(scanner), target.detect));
}

void Adapter::end_if_revoked(Live& live, bool policies) {
  if (live.conversation == nullptr) return;
  auto why =
      policies ? shared_.guard.must_end(*live.session) : shared_.guard.revoked(*live.session);
  if (!why) return;
  counters().revoked.add();
  live.conversation->end("revoked", "28000", "this session was ended: " + *why);
}

Task<void> Adapter::end_revoked(bool policies) {
  const std::vector<std::weak_ptr<Live>> all(open_.begin(), open_.end());
  const std::weak_ptr<bool> alive = alive_;
  std::size_t asked = 0;
  for (const std::weak_ptr<Live>& weak : all) {
    if (const auto live = weak.lock()) end_if_revoked(*live, policies);
    // Others' commands go on meanwhile.
    if (++asked % sessions_at_once == 0) {
      co_await net::Reactor::current().sleep_for(std::chrono::milliseconds(1));
      if (alive.expired()) co_return;
    }
  }
}

Task<void> Adapter::tell(LoggedIn& client, ErrorText error) {
  ByteVector out = std::exchange(client.greeting, {});
  append_error(out, error);
  (void)co_await client.stream->write(out);
  client.stream->close();
}

/// Its frame goes when the session begins: what an idle session costs is in the frames of serve(),
/// run_session() and converse(), so what only a login or a refusal needs is in none of them.
Task<std::unique_ptr<LoggedIn>> Adapter::log_in(std::unique_ptr<net::Stream> stream,
                                                const Options& options, SteadyTime deadline) {
  struct LoggingIn {
    std::list<net::Stream*>& all;
    std::list<net::Stream*>::iterator place;
    LoggingIn(std::list<net::Stream*>& of, net::Stream& stream)
        : all(of), place(of.insert(of.end(), &stream)) {}
    ~LoggingIn() { all.erase(place); }
  } const logging_in(logging_in_, *stream);  // the TCP stream, inside whatever wraps it later

  Login login(options, shared_.guard, shared_.authenticator, shared_.tickets, shared_.cancels,
              shared_.random);
  auto client = co_await login.run(std::move(stream), deadline);
  co_return client ? std::make_unique<LoggedIn>(*std::move(client)) : nullptr;
}

Task<void> Adapter::serve(std::unique_ptr<net::Stream> stream) {
  const std::shared_ptr<const Options> options = options_;
  const SteadyTime deadline = net::Reactor::current().now() + options->login_s_max;
  if (clients_ >= options->sessions_max) {
    log::warn("client turned away: too many sessions", {{"source", stream->peer().ip}});
    stream->close();
    co_return;
  }
  const Counted count(clients_);
  auto client = co_await log_in(std::move(stream), *options, deadline);
  if (client == nullptr) co_return;

  Session session = session_of(*client);
  std::shared_ptr<const Target> target = target_of(*client, *options, session);
  if (target == nullptr) {
    co_await no_such_connection(*client, session);
    co_return;
  }
  counters().started.add();
  const metrics::InFlight open(counters().open);
  const SteadyTime started = shared_.guard.clock().steady();
  ledger::SessionEnd end =
      co_await run_session(std::move(client), session, *options, std::move(target), deadline);
  end.duration = std::chrono::duration_cast<std::chrono::microseconds>(
      shared_.guard.clock().steady() - started);
  closed(session, end);
}

Session Adapter::session_of(LoggedIn& client) {
  const net::Endpoint peer = client.stream->peer();
  Session session;
  session.id = random_hex(shared_.random, 12);
  session.protocol = "postgres";
  session.connection = client.connection;
  session.chain = std::move(client.credential.chain);
  session.authentication = std::move(client.credential.authentication);
  session.break_glass = client.credential.stated.break_glass;
  session.ticket = std::move(client.credential.stated.ticket);
  session.purpose = std::move(client.credential.stated.purpose);
  session.source_ip = peer.ip;
  session.source_port = peer.port;
  session.tls = client.tls;
  session.started_at = shared_.guard.clock().now();
  if (!client.settings.application_name.empty()) {
    session.claimed["application_name"] = client.settings.application_name;
  }
  return session;
}

/// Null if there is none, or it has no such database. Sets the session's.
std::shared_ptr<const Target> Adapter::target_of(const LoggedIn& client, const Options& options,
                                                 Session& session) {
  const auto found = options.targets.find(client.connection);
  if (found == options.targets.end()) return nullptr;
  const Target& target = *found->second;
  session.database = client.database.empty() ? target.databases.front() : client.database;
  const bool has = std::ranges::find(target.databases, session.database) != target.databases.end();
  return has ? found->second : nullptr;
}

Task<void> Adapter::no_such_connection(LoggedIn& client, const Session& session) {
  shared_.guard.login_refused({.protocol = "postgres",
                               .connection = client.connection,
                               .user = session.chain.to_string(),
                               .method = session.authentication.method,
                               .reason = "no such connection or database",
                               .source_ip = session.source_ip,
                               .source_port = session.source_port,
                               .tls = client.tls});
  co_await tell(client,
                {.severity = "FATAL",
                 .sqlstate = "3D000",
                 .message = "there is no connection \"" + client.settings.database + "\"",
                 .detail = "",
                 .hint = "the database name is the connection's: `sallyport env` shows it"});
}

void Adapter::closed(const Session& session, const ledger::SessionEnd& end) {
  shared_.guard.close(session, end);
  log::info("session closed", {{"session", session.id},
                               {"user", session.chain.to_string()},
                               {"connection", session.connection},
                               {"reason", end.reason},
                               {"detail", end.detail},
                               {"commands", end.commands},
                               {"refused", end.refused}});
}

Task<std::expected<Permit, ledger::SessionEnd>> Adapter::open(LoggedIn& client,
                                                              const Session& session) {
  Command connect;
  connect.kind = "connect";
  connect.text = "connect to " + session.connection + "/" + session.database;
  connect.actions = {{.name = "connect",
                      .resource = {.type = "Connection", .id = resource_id({session.connection})}}};
  auto permit = co_await shared_.guard.open(session, std::move(connect));
  if (permit) co_return std::move(*permit);
  log::info("session refused", {{"session", session.id},
                                {"user", session.chain.to_string()},
                                {"connection", session.connection},
                                {"reason", permit.error().reason}});
  ErrorText error = error_of(permit.error(), "42501", session);
  error.severity = "FATAL";
  const std::string reason = permit.error().reason;
  co_await tell(client, std::move(error));
  co_return std::unexpected(
      ledger::SessionEnd{.reason = "refused", .detail = reason, .refused = 1});
}

Task<std::expected<Pool::Lease, ledger::SessionEnd>> Adapter::lease(
    LoggedIn& client, const Session& session, const Permit& permit,
    std::shared_ptr<const Target> target, bool read_only, SteadyTime deadline) {
  UpstreamLogin login{.database = session.database,
                      .label = label_of(session),
                      .read_only = read_only,
                      .settings = client.settings.settings};
  login.settings.emplace_back("search_path", to_search_path(search_path_of(*target)));
  // What masks of the kind `hash` are made with. Nobody reads it back: see sql/guarded.h.
  if (!target->mask_key.empty() && masking_.concerns(session)) {
    login.settings.emplace_back(sql::mask_key_setting, target->mask_key);
  }
  const ContextKey context = target->context;
  auto leased = co_await pool_.take(permit, std::move(target), std::move(login), deadline);
  if (leased && context) {
    auto told = co_await Pool::upstream(*leased).pass_on(permit, context, session,
                                                         shared_.guard.clock().now(), deadline);
    if (!told) {
      pool_.discard(std::move(*leased), "context", told.error().detail);
      leased = std::unexpected(Pool::Failure{.error = {Errc::unavailable, told.error().detail}});
    }
  }
  if (leased) co_return std::move(*leased);

  const Error& problem = leased.error().error;
  // A setting of the client's that the server does not take is the client's to mend.
  const bool refused_setting = problem.code == Errc::invalid;
  if (!refused_setting) counters().target_failed.add();
  log::error(
      "target not reached",
      {{"session", session.id}, {"connection", session.connection}, {"detail", problem.detail}});
  if (leased.error().full) {
    co_await tell(client, {.severity = "FATAL",
                           .sqlstate = "53300",
                           .message = problem.detail,
                           .detail = "session: " + session.id,
                           .hint = "end other sessions, or let the operator raise pool.max"});
    co_return std::unexpected(ledger::SessionEnd{.reason = "full", .detail = problem.detail});
  }
  if (refused_setting) {
    co_await tell(client, {.severity = "FATAL",
                           .sqlstate = "22023",
                           .message = problem.detail,
                           .detail = "",
                           .hint = ""});
    co_return std::unexpected(ledger::SessionEnd{.reason = "refused", .detail = problem.detail});
  }
  co_await tell(client, {.severity = "FATAL",
                         .sqlstate = "08001",
                         .message = "the target of connection \"" + session.connection +
                                    "\" cannot be reached",
                         .detail = "session: " + session.id,
                         .hint = "the gateway's log has the reason"});
  co_return std::unexpected(ledger::SessionEnd{.reason = "target", .detail = problem.detail});
}

Task<ledger::SessionEnd> Adapter::run_session(std::unique_ptr<LoggedIn> client,
                                              const Session& session, const Options& options,
                                              std::shared_ptr<const Target> target,
                                              SteadyTime deadline) {
  auto permit = co_await open(*client, session);
  if (!permit) co_return std::move(permit.error());
  const bool read_only = !shared_.guard.may_write(session);
  auto leased = co_await lease(*client, session, *permit, target, read_only, deadline);
  if (!leased) {
    (void)shared_.guard.settle(std::move(*permit),
                               {.failed = true, .error = leased.error().detail});
    co_return std::move(leased.error());
  }
  auto ended = co_await converse(std::move(client), session, *permit, Pool::upstream(*leased),
                                 options, std::move(target), read_only);
  if (ended.reset_begun) {
    co_await pool_.give_back(*permit, std::move(*leased));
  } else {
    pool_.discard(std::move(*leased), ended.why_not_reset);
  }
  (void)shared_.guard.settle(std::move(*permit), {.tag = "DISCONNECT"});
  co_return std::move(ended.end);
}

CancelDesk::Place Adapter::enter_cancel_desk(const std::shared_ptr<Live>& live,
                                             std::size_t key_bytes) {
  return shared_.cancels.enter(
      net::Reactor::current().poster(),
      [weak = std::weak_ptr<Live>(live)] {
        const auto found = weak.lock();
        // Only what runs is cancelled: a late request must not hit the next command.
        if (found == nullptr || found->conversation == nullptr) return;
        if (found->conversation->cancel_waiting()) return counters().cancels.add();
        if (!found->conversation->running()) return;
        counters().cancels.add();
        net::Reactor& here = net::Reactor::current();
        here.spawn("cancel", [](std::shared_ptr<Live> session) -> Task<void> {
          if (session->conversation == nullptr) co_return;  // ended before its turn came
          auto cancelled = co_await session->upstream->cancel(
              *session->permit, net::Reactor::current().now() + cancel_s_max);
          if (!cancelled) log::warn("cancel failed", {{"detail", cancelled.error().detail}});
        }(found));
      },
      key_bytes);
}

/// What the client waits for: that it is in, the settings, its cancel key.
Task<Result<void>> Adapter::greet(LoggedIn& client, const Session& session,
                                  const Upstream& upstream, const CancelDesk::Place& cancel) {
  ByteVector greeting = std::exchange(client.greeting, {});
  MessageBuilder(greeting, backend::authentication).u32(0);
  for (const auto& [name, value] : upstream.parameters()) {
    if (name == "session_authorization") {
      append_parameter_status(greeting, name, session.chain.subject().id);
    } else if (name == "application_name") {
      append_parameter_status(greeting, name, client.settings.application_name);
    } else if (is_reported(name)) {
      append_parameter_status(greeting, name, value);
    }
  }
  MessageBuilder(greeting, backend::key_data).u32(cancel.key().process_id).bytes(cancel.key().key);
  append_ready(greeting, 'I');
  auto greeted = co_await client.stream->write(greeting);
  client.stream->set_read_deadline(std::nullopt);
  client.stream->set_write_deadline(std::nullopt);
  co_return greeted;
}

Task<Adapter::Ended> Adapter::converse(std::unique_ptr<LoggedIn> client, const Session& session,
                                       const Permit& permit, Upstream& upstream,
                                       const Options& options, std::shared_ptr<const Target> target,
                                       bool read_only) {
  const auto live = std::make_shared<Live>();
  live->session = &session;
  live->upstream = &upstream;
  live->permit = &permit;
  const CancelDesk::Place cancel = enter_cancel_desk(live, client->cancel_key_bytes);
  auto greeted = co_await greet(*client, session, upstream, cancel);
  const std::unique_ptr<net::Stream> stream = std::move(client->stream);
  const auto limits = std::move(client->limits);
  const std::unique_ptr<MessageReader> reader = std::move(client->reader);
  client.reset();
  if (!greeted) {
    stream->close();
    co_return Ended{.end = {.reason = "client", .detail = greeted.error().detail}};
  }
  log::info("session opened", {{"session", session.id},
                               {"user", session.chain.to_string()},
                               {"connection", session.connection},
                               {"source", session.source_ip},
                               {"method", session.authentication.method},
                               {"read_only", read_only}});
  Conversation conversation({.session = session,
                             .permit = permit,
                             .guard = shared_.guard,
                             .parser = *parser_,
                             .shapes = shapes_,
                             .decisions = decisions_,
                             .masking = masking_,
                             .catalogs = shared_.catalogs,
                             .options = options,
                             .client = *stream,
                             .client_reader = *reader,
                             .upstream = upstream,
                             .target = target,
                             .read_only = read_only,
                             .label = label_of(session),
                             .reuse = target->reuse(),
                             .let_go = [this, of = target.get()] { pool_.let_go(*of); },
                             .masker = masker_of(*target),
                             .place = {.connection = session.connection,
                                       .database = session.database,
                                       .server_major = server_major_of(upstream),
                                       .search_path = search_path_of(*target)}});
  struct Reachable {
    std::list<std::shared_ptr<Live>>& all;
    std::list<std::shared_ptr<Live>>::iterator place;
    Reachable(std::list<std::shared_ptr<Live>>& of, std::shared_ptr<Live> live)
        : all(of), place(of.insert(of.end(), std::move(live))) {}
    Reachable(const Reachable&) = delete;
    ~Reachable() {
      (*place)->conversation = nullptr;  // from here on no cancel is sent any more
      all.erase(place);
    }
  };
  Ended ended;
  {
    live->conversation = &conversation;
    const Reachable reachable(open_, live);
    // What was revoked while the target was being reached ended no conversation.
    end_if_revoked(*live, true);
    ended.end = co_await conversation.run();
  }
  ended.reset_begun = conversation.reset_begun();
  ended.why_not_reset = conversation.why_not_reset();
  stream->close();
  co_return ended;
}

}  // namespace sallyport::postgres

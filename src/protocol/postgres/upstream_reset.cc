// What the gateway says to a server between two sessions: forget the one before, prove it, and be
// labelled for the one to come. Nothing of a client is in it, and every answer is the expected one
// or the connection is not used again.

#include <algorithm>

#include "protocol/postgres/upstream.h"

namespace sallyport::postgres {
namespace {

// Notices, notifications and reports of settings that the session before still caused.
constexpr std::size_t asides_max = 1000;

constexpr std::string_view forget = "DISCARD ALL";

// What DISCARD ALL has to have removed, counted, and what it does not remove:
// - random() goes on from where the session before left it, or set it: seeded anew by the server;
// - the temporary schema stays with the connection, so whoever made a temporary object is known;
// - replication slots that live as long as the connection;
// - what languages with interpreters of their own and extensions with connections of their own keep
//   (%_SHARED, GD, dblink) no statement resets: where these are installed nothing is reused.
// Every name is qualified: the operator's search_path may put somebody's own functions first.
constexpr std::string_view probe = R"(SELECT
 pg_catalog.setseed(pg_catalog.hashtextextended(pg_catalog.gen_random_uuid()::pg_catalog.text,
  0::pg_catalog.int8)::pg_catalog.float8 OPERATOR(pg_catalog./)
  9223372036854775808::pg_catalog.float8),
 pg_catalog.concat_ws(' '::pg_catalog.text,
  'prepared', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_prepared_statements),
  'cursors', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_cursors),
  'listens', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_listening_channels()),
  'locks', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks
   WHERE pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()
   AND locktype OPERATOR(pg_catalog.=) 'advisory'::pg_catalog.text),
  'settings', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_settings
   WHERE source OPERATOR(pg_catalog.=) 'session'::pg_catalog.text),
  'temporary', pg_catalog.pg_my_temp_schema()::pg_catalog.text,
  'slots', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots
   WHERE temporary AND active_pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()),
  'languages', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_language WHERE NOT (lanname::
   pg_catalog.text OPERATOR(pg_catalog.=) ANY ('{internal,c,sql,plpgsql}'::pg_catalog.text[]))),
  'extensions', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_extension WHERE extname::
   pg_catalog.text OPERATOR(pg_catalog.=) ANY ('{dblink,postgres_fdw}'::pg_catalog.text[])),
  'user', CURRENT_USER::pg_catalog.text, SESSION_USER::pg_catalog.text))";

constexpr std::string_view nothing_found =
    "prepared 0 cursors 0 listens 0 locks 0 settings 0 temporary 0 slots 0 languages 0 extensions "
    "0 "
    "user ";

std::unexpected<Error> unlike(const Message& message, std::string_view wanted) {
  if (message.type == backend::error) {
    return fail(Errc::unavailable, "the target refused: " + describe_error(message.body));
  }
  return fail(Errc::malformed, std::string("the target sent '") + message.type + "' instead of " +
                                   std::string(wanted));
}

}  // namespace

Task<Result<void>> Upstream::begin_reset(const Permit&, SteadyTime deadline) {
  stream_->set_read_deadline(deadline);
  stream_->set_write_deadline(deadline);
  append_query(out_, forget);  // by itself: it may not be in a transaction
  append_query(out_, probe);
  co_return co_await flush();
}

Task<Result<void>> Upstream::finish_reset() {
  std::size_t asides = 0;
  if (auto done = co_await own_command(forget, asides); !done) co_return fail(done);
  if (auto ready = co_await own_ready(asides); !ready) co_return fail(ready);
  if (auto found = co_await probe_answer(asides); !found) co_return fail(found);
  co_return as_at_login();
}

Task<Result<void>> Upstream::hand_over(const Permit&, std::string_view label, SteadyTime deadline) {
  stream_->set_read_deadline(deadline);
  stream_->set_write_deadline(deadline);
  append_query(out_, label_statement(label));
  if (auto sent = co_await flush(); !sent) co_return fail(sent);
  // One report of application_name is all the server may have to add.
  std::size_t asides = asides_max - 1;
  if (auto done = co_await own_command("SET", asides); !done) co_return fail(done);
  if (auto ready = co_await own_ready(asides); !ready) co_return fail(ready);
  co_return as_at_login();
}

Result<void> Upstream::as_at_login() {
  auto more = reader_.poll();
  if (!more) return fail(more);
  if (*more || !reader_.empty()) return fail(Errc::malformed, "bytes that nobody asked for");
  if (!changed_.empty()) {
    return fail(Errc::denied, "setting " + changed_.front().first + " is not as at login");
  }
  stream_->set_read_deadline(std::nullopt);
  stream_->set_write_deadline(std::nullopt);
  return ok();
}

void Upstream::note_report(std::string_view name, std::string_view value) {
  if (name == "application_name") return;  // the label, which every session has its own of
  std::erase_if(changed_, [&](const auto& one) { return one.first == name; });
  const bool as_at_login = std::ranges::any_of(
      *parameters_, [&](const auto& one) { return one.first == name && one.second == value; });
  if (!as_at_login && changed_.size() < parameters_->size() + 1) changed_.emplace_back(name, value);
}

/// The next message that is an answer. What may come at any time is taken note of, so often.
Task<Result<Message>> Upstream::own_answer(std::size_t& asides) {
  while (true) {
    auto message = co_await reader_.next();
    if (!message) co_return fail(message);
    switch (message->type) {
      case backend::parameter_status: {
        auto status = parameter_status_body(message->body);
        if (!status) co_return fail(status);
        if (auto pinned = check_pinned(status->name, status->value); !pinned) {
          co_return fail(pinned);
        }
        note_report(status->name, status->value);
        break;
      }
      case backend::notice:
      case backend::notification:
        break;
      default:
        co_return *message;
    }
    if (++asides > asides_max) co_return fail(Errc::too_large, "too much beside the answer");
  }
}

Task<Result<void>> Upstream::own_command(std::string_view tag, std::size_t& asides) {
  auto message = co_await own_answer(asides);
  if (!message) co_return fail(message);
  FieldReader reader(message->body);
  if (message->type != backend::command_complete || reader.text() != tag || !reader.finished()) {
    co_return unlike(*message, tag);
  }
  co_return ok();
}

Task<Result<void>> Upstream::own_ready(std::size_t& asides) {
  auto message = co_await own_answer(asides);
  if (!message) co_return fail(message);
  if (message->type != backend::ready || as_text(message->body) != "I") {
    co_return unlike(*message, "ReadyForQuery");
  }
  co_return ok();
}

Task<Result<void>> Upstream::probe_answer(std::size_t& asides) {
  {
    auto described = co_await own_answer(asides);
    if (!described) co_return fail(described);
    if (described->type != backend::row_description) co_return unlike(*described, "two columns");
    auto columns = row_description_fields(described->body);
    if (!columns || *columns != 2) co_return unlike(*described, "two columns");
  }
  {
    auto row = co_await own_answer(asides);
    if (!row) co_return fail(row);
    if (row->type != backend::data_row || !row->first || !row->last)
      co_return unlike(*row, "a row");
    FieldReader reader(row->body);
    const std::uint16_t fields = reader.u16();
    (void)reader.bytes(reader.u32());  // setseed returns nothing
    const Bytes found = reader.bytes(reader.u32());
    if (fields != 2 || !reader.finished()) co_return unlike(*row, "two columns");
    const std::string expected = std::string(nothing_found) + target_->user + " " + target_->user;
    if (as_text(found) != expected) {
      co_return fail(Errc::denied, "the session left something behind: " +
                                       std::string(as_text(found).substr(0, 300)));
    }
  }
  if (auto done = co_await own_command("SELECT 1", asides); !done) co_return fail(done);
  co_return co_await own_ready(asides);
}

}  // namespace sallyport::postgres

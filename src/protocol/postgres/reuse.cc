// What a conversation does so that its server connection can serve another session: it notes what
// no reset would undo, keeps the gateway's label on the connection, and begins the reset when the
// client leaves. The reset itself: upstream_reset.cc. Who gets the connection: pool.h.

#include <algorithm>

#include "base/log.h"
#include "net/reactor.h"
#include "protocol/postgres/conversation.h"

namespace sallyport::postgres {
namespace {

constexpr std::chrono::seconds reset_s_max{2};

/// The server keeps something of it that DISCARD ALL leaves and no query finds: the name of a
/// custom setting, or whatever code that is not PostgreSQL's own may have done.
bool stains(const sql::Statement& statement, int server_major) {
  if (statement.dynamic_sql || statement.kind == "do" || statement.kind == "call" ||
      statement.kind == "load") {
    return true;
  }
  const auto custom = [](const sql::SettingChange& setting) {
    return setting.name.find('.') != std::string::npos;
  };
  const auto foreign = [&](const sql::RoutineUse& routine) {
    return routine.routine_class == sql::RoutineClass::unknown ||
           routine.name.name.starts_with("pg_replication_origin") ||
           routine.routine_class == sql::RoutineClass::dynamic_sql ||
           routine.routine_class == sql::RoutineClass::internal || routine.since > server_major;
  };
  return std::ranges::any_of(statement.settings, custom) ||
         std::ranges::any_of(statement.routines, foreign) ||
         std::ranges::any_of(statement.nested, [&](const sql::Statement& nested) {
           return stains(nested, server_major);
         });
}

/// DROP, CREATE and ALTER DATABASE.
bool needs_a_free_database(const sql::Statement& statement) {
  return statement.kind.ends_with("_database") ||
         (statement.kind == "alter_rename" &&
          std::ranges::any_of(statement.objects, [](const sql::ObjectUse& object) {
            return object.kind == "database";
          }));
}

}  // namespace

/// The client left. Where nothing is open the server is made ready for another session.
Task<void> Conversation::leave(std::string detail) {
  // Once it has begun, the server's side leaves what it receives in the reader.
  reset_begun_ = !ended_ && why_not_reset().empty();
  stop("client", std::move(detail));
  if (!reset_begun_) co_return;
  auto sent = co_await upstream_.begin_reset(permit_, net::Reactor::current().now() + reset_s_max);
  if (!sent) log::debug("server connection lost", {{"detail", sent.error().detail}});
}

std::string_view Conversation::why_not_reset() const {
  if (!reuse_) return "off";
  if (!end_.reason.empty() && end_.reason != "client") return "ended";
  if (upstream_.cancelled()) return "cancel";
  if (stained_) return "state";
  if (!idle()) return "open";
  return "";
}

/// Nothing is asked, answered or half sent.
bool Conversation::idle() const {
  return replies_.empty() && transaction_ == 'I' && copy_in_ == nullptr && !copy_piece_open_ &&
         !batch_forwarded_ && upstream_.queued() == 0;
}

/// Where it has been lost and nothing is under way.
void Conversation::restore_label() {
  if (!label_lost_ || !replies_.empty() || batch_forwarded_ || transaction_ == 'E') return;
  upstream_.set_label(permit_, label_);
  label_lost_ = false;
  Reply reply;
  reply.expect = Expect::label;
  expect(std::move(reply));
}

void Conversation::about_to_run(const sql::Analysis& analysis) {
  unseen_ran_ = unseen_ran_ || std::ranges::any_of(analysis.statements, sql::runs_unseen_code);
  if (!reuse_) return;
  for (const sql::Statement& statement : analysis.statements) {
    stained_ = stained_ || stains(statement, place_.server_major);
    if (let_go_ && needs_a_free_database(statement)) let_go_();
  }
}

}  // namespace sallyport::postgres

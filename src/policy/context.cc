#include "policy/context.h"

#include <limits>
#include <vector>

#include "cedar/extension.h"

namespace sallyport::policy {
namespace {

using cedar::Arena;
using cedar::Field;
using cedar::Value;

std::int64_t to_ms(WallTime time) {
  return std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count();
}

/// Never known, or later than now: as old as can be, so that no policy takes it for fresh.
std::int64_t mfa_age_ms(WallTime authenticated_at, WallTime now) {
  if (authenticated_at == WallTime{} || authenticated_at > now + clock_skew_max) {
    return std::numeric_limits<std::int64_t>::max();
  }
  return std::max<std::int64_t>(0, to_ms(now) - to_ms(authenticated_at));
}

Value auth(const Authentication& authentication, WallTime now, Arena& arena) {
  const Field fields[] = {
      {"method", Value::borrow(authentication.method)},
      {"acr", Value::borrow(authentication.acr)},
      {"mfaAge", Value::duration(mfa_age_ms(authentication.authenticated_at, now))},
      {"senderBound", Value::boolean(authentication.sender_bound)},
      {"deviceManaged", Value::boolean(authentication.device_managed)},
  };
  return arena.record(fields);
}

Value session_value(const Session& session, Arena& arena) {
  const Field fields[] = {{"id", Value::borrow(session.id)}, {"breakGlass", Value::boolean(false)}};
  return arena.record(fields);
}

Value delegation(const Session& session, Arena& arena) {
  const auto& identities = session.chain.identities;
  std::vector<Value> actors;
  for (std::size_t i = 1; i < identities.size(); ++i) {
    if (identities[i].kind == IdentityKind::agent) {
      actors.push_back(arena.entity("Agent", identities[i].id));
    }
  }
  std::vector<Value> scopes;
  for (const std::string& scope : session.authentication.scopes) {
    scopes.push_back(Value::borrow(scope));
  }
  const bool present = session.chain.delegated();
  std::vector<Field> fields{
      {"present", Value::boolean(present)},
      {"depth", Value::number(static_cast<std::int64_t>(identities.size()) - 1)},
      {"actors", arena.set(actors)},
      {"scopes", arena.set(scopes)},
  };
  const Identity& subject = session.chain.subject();
  if (present && subject.kind == IdentityKind::user) {
    fields.push_back({"subject", arena.entity("User", subject.id)});
  }
  return arena.record(fields);
}

Value statement(const SqlContext& sql, Arena& arena) {
  const Field fields[] = {
      {"kind", Value::borrow(sql.kind)},
      {"fingerprint", Value::borrow(sql.fingerprint)},
      {"hash", Value::borrow(sql.hash)},
      {"hasWhere", Value::boolean(sql.has_where)},
      {"readOnlyTx", Value::boolean(sql.read_only_transaction)},
      {"multi", Value::boolean(sql.multi)},
      {"dynamicSql", Value::boolean(sql.dynamic_sql)},
  };
  return arena.record(fields);
}

/// A dual-stack listener names IPv4 clients ::ffff:10.0.0.1; policies mean 10.0.0.1.
std::string_view without_mapping(std::string_view address) {
  constexpr std::string_view mapped = "::ffff:";
  if (address.starts_with(mapped) && address.find('.') != std::string_view::npos) {
    address.remove_prefix(mapped.size());
  }
  return address;
}

}  // namespace

Result<Contexts> contexts(const Session& session, const Command& command, WallTime now,
                          Arena& arena) {
  auto address = cedar::parse_ip(without_mapping(session.source_ip));
  if (!address) return fail(address, "the client's address");
  std::vector<Field> fields{
      {"now", Value::datetime(to_ms(now))},
      {"srcIp", arena.ip(*address)},
      {"auth", auth(session.authentication, now, arena)},
      {"session", session_value(session, arena)},
      {"delegation", delegation(session, arena)},
  };
  Contexts made{.base = arena.record(fields), .sql = {}};
  if (const auto* const sql = std::get_if<SqlContext>(&command.context)) {
    fields.push_back({"stmt", statement(*sql, arena)});
    made.sql = arena.record(fields);
  }
  return made;
}

}  // namespace sallyport::policy

#include "policy/context.h"

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <vector>

#include "cedar/extension.h"

namespace sallyport::policy {
namespace {

// Records are made of fields in the order of their names: sorting them costs nothing then.

using cedar::Arena;
using cedar::Field;
using cedar::Value;

constexpr std::size_t base_fields = 5;
constexpr std::size_t command_fields_max = 4;

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
      {"acr", Value::borrow(authentication.acr)},
      {"deviceManaged", Value::boolean(authentication.device_managed)},
      {"method", Value::borrow(authentication.method)},
      {"mfaAge", Value::duration(mfa_age_ms(authentication.authenticated_at, now))},
      {"senderBound", Value::boolean(authentication.sender_bound)},
  };
  return arena.record(fields);
}

Value session_value(const Session& session, Arena& arena) {
  std::array<Field, 4> fields{{{"breakGlass", Value::boolean(session.break_glass)},
                               {"id", Value::borrow(session.id)}}};
  std::size_t count = 2;
  if (!session.purpose.empty()) fields[count++] = {"purpose", Value::borrow(session.purpose)};
  if (!session.ticket.empty()) fields[count++] = {"ticket", Value::borrow(session.ticket)};
  return arena.record(std::span(fields).first(count));
}

Value approval_value(const Approval& approval, Arena& arena) {
  std::vector<Value> approvers;
  for (const std::string& user : approval.approvers) {
    approvers.push_back(arena.entity("User", user));
  }
  const Field fields[] = {
      {"approvers", arena.set(approvers)},
      {"boundHash", Value::borrow(approval.bound_hash)},
      {"expires", Value::datetime(to_ms(approval.expires))},
      {"id", Value::borrow(approval.id)},
      {"kind", Value::borrow(approval.kind)},
      {"quorum", Value::number(approval.quorum)},
  };
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
  std::array<Field, 5> fields{{
      {"actors", arena.set(actors)},
      {"depth", Value::number(static_cast<std::int64_t>(identities.size()) - 1)},
      {"present", Value::boolean(present)},
      {"scopes", arena.set(scopes)},
      {},
  }};
  const Identity& subject = session.chain.subject();
  const bool on_behalf = present && subject.kind == IdentityKind::user;
  if (on_behalf) fields.back() = {"subject", arena.entity("User", subject.id)};
  return arena.record(std::span(fields).first(on_behalf ? 5 : 4));
}

Value statement(const SqlContext& sql, Arena& arena) {
  const Field fields[] = {
      {"dynamicSql", Value::boolean(sql.dynamic_sql)},
      {"fingerprint", Value::borrow(sql.fingerprint)},
      {"hasWhere", Value::boolean(sql.has_where)},
      {"hash", Value::borrow(sql.hash)},
      {"kind", Value::borrow(sql.kind)},
      {"multi", Value::boolean(sql.multi)},
      {"readOnlyTx", Value::boolean(sql.read_only_transaction)},
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
                          Arena& arena, const Approval* approval) {
  auto base = session_context(session, now, arena);
  if (!base) return fail(base);
  std::array<Field, base_fields + 1 + command_fields_max> fields;
  std::size_t count = 0;
  if (approval != nullptr) fields[count++] = {"approval", approval_value(*approval, arena)};
  for (const Field& field : base->as_record()) fields[count++] = field;
  Contexts made{.base = arena.record(std::span(fields).first(count)), .command = {}};
  if (const auto of_command = command_context(command, arena)) {
    for (const Field& field : of_command->as_record()) fields[count++] = field;
    made.command = arena.record(std::span(fields).first(count));
  }
  return made;
}

Result<Value> session_context(const Session& session, WallTime now, Arena& arena) {
  auto address = cedar::parse_ip(without_mapping(session.source_ip));
  if (!address) return fail(address, "the client's address");
  const std::array<Field, base_fields> fields{{
      {"auth", auth(session.authentication, now, arena)},
      {"delegation", delegation(session, arena)},
      {"now", Value::datetime(to_ms(now))},
      {"session", session_value(session, arena)},
      {"srcIp", arena.ip(*address)},
  }};
  return arena.record(fields);
}

std::optional<Value> command_context(const Command& command, Arena& arena) {
  if (const auto* const sql = std::get_if<SqlContext>(&command.context)) {
    const std::array<Field, 1> fields{{{"stmt", statement(*sql, arena)}}};
    return arena.record(fields);
  }
  if (const auto* const http = std::get_if<HttpContext>(&command.context)) {
    std::array<Field, command_fields_max> fields{{{"bodyBytes", Value::number(http->body_bytes)}}};
    std::size_t count = 1;
    if (!http->hash.empty()) fields[count++] = {"hash", Value::borrow(http->hash)};
    fields[count++] = {"host", Value::borrow(http->host)};
    fields[count++] = {"query", arena.entity("Bag", http->query)};
    return arena.record(std::span(fields).first(count));
  }
  return std::nullopt;
}

bool is_of_command(std::string_view attribute) {
  constexpr std::string_view names[] = {"stmt", "bodyBytes", "hash", "host", "query"};
  return std::ranges::find(names, attribute) != std::ranges::end(names);
}

}  // namespace sallyport::policy

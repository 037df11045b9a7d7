#include "store/delegations.h"

#include <limits>

#include "store/times.h"

namespace sallyport::store {
namespace {

constexpr std::chrono::hours kEndedKept{24 * 7};
constexpr std::chrono::hours kLogoutKept{24 * 367};  // longer than any token may live

constexpr std::string_view kColumns =
    "id, user, agent, agent_issuer, agent_subject, connection, reason, credential, created_us, "
    "expires_us, revoked_us";

const std::string& text(const Value& value) {
  return std::get<std::string>(value);
}

Result<std::vector<DelegationRow>> select(Database& database, std::string_view where,
                                          const std::vector<Value>& parameters) {
  auto rows = database.run(
      "select " + std::string(kColumns) + " from delegation where " + std::string(where),
      parameters);
  if (!rows) return fail(rows);
  std::vector<DelegationRow> all;
  for (const Row& row : *rows) {
    all.push_back({.id = text(row[0]),
                   .user = text(row[1]),
                   .agent = text(row[2]),
                   .agent_issuer = text(row[3]),
                   .agent_subject = text(row[4]),
                   .connection = text(row[5]),
                   .reason = text(row[6]),
                   .credential = text(row[7]),
                   .created_at = time_of(row[8]),
                   .expires_at = time_of(row[9]),
                   .revoked_at = time_of(row[10])});
  }
  return all;
}

}  // namespace

Result<void> DelegationStore::add(const DelegationRow& row, WallTime now) {
  return database_->transaction([&](Database& database) -> Result<void> {
    auto purged =
        database.run("delete from delegation where expires_us <= ?", {us(now - kEndedKept)});
    if (!purged) return fail(purged);
    auto live = database.run(
        "select count(*) from delegation where user = ? and expires_us > ? and revoked_us is null",
        {row.user, us(now)});
    if (!live) return fail(live);
    if (std::get<std::int64_t>((*live)[0][0]) >= static_cast<std::int64_t>(kPerUserMax)) {
      return fail(Errc::too_large, "too many live delegations");
    }
    auto added = database.run(
        "insert into delegation (" + std::string(kColumns) +
            ") values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, null)",
        {row.id, row.user, row.agent, row.agent_issuer, row.agent_subject, row.connection,
         row.reason, row.credential, us(row.created_at), us(row.expires_at)});
    if (!added) return fail(added);
    return ok();
  });
}

Result<std::optional<DelegationRow>> DelegationStore::by_id(std::string_view id) {
  auto found = select(*database_, "id = ?", {std::string(id)});
  if (!found) return fail(found);
  if (found->empty()) return std::nullopt;
  return std::move(found->front());
}

Result<std::vector<DelegationRow>> DelegationStore::of_user(std::string_view user) {
  return select(*database_, "user = ? order by created_us desc, rowid desc limit 1000",
                {std::string(user)});
}

Result<std::vector<DelegationRow>> DelegationStore::of_agent(std::string_view issuer,
                                                             std::string_view subject) {
  return select(
      *database_,
      "agent_issuer = ? and agent_subject = ? order by created_us desc, rowid desc limit 1000",
      {std::string(issuer), std::string(subject)});
}

Result<bool> DelegationStore::revoke(std::string_view id, WallTime now) {
  auto rows = database_->run(
      "update delegation set revoked_us = ?1 where id = ?2 and revoked_us is null and "
      "expires_us > ?1 returning id",
      {us(now), std::string(id)});
  if (!rows) return fail(rows);
  return !rows->empty();
}

Result<std::vector<std::string>> DelegationStore::revoked(WallTime now) {
  auto rows =
      database_->run("select id from delegation where revoked_us is not null and expires_us > ?",
                     {us(now)}, std::numeric_limits<std::size_t>::max());
  if (!rows) return fail(rows);
  std::vector<std::string> all;
  for (const Row& row : *rows) all.push_back(text(row[0]));
  return all;
}

Result<void> LogoutStore::add(const LogoutRow& row, WallTime now) {
  return database_->transaction([&](Database& database) -> Result<void> {
    auto purged = database.run("delete from logout where at_us <= ?", {us(now - kLogoutKept)});
    if (!purged) return fail(purged);
    auto added = database.run(
        "insert into logout (issuer, subject, login_session, at_us) values (?1, ?2, ?3, ?4) "
        "on conflict (issuer, subject, login_session) do update set at_us = max(at_us, ?4)",
        {row.issuer, row.subject, row.login_session, us(row.at)});
    if (!added) return fail(added);
    return ok();
  });
}

Result<std::vector<LogoutRow>> LogoutStore::all(WallTime now) {
  auto purged = database_->run("delete from logout where at_us <= ?", {us(now - kLogoutKept)});
  if (!purged) return fail(purged);
  // However many: each one that were left out would let somebody in who has logged out.
  auto rows = database_->run("select issuer, subject, login_session, at_us from logout", {},
                             std::numeric_limits<std::size_t>::max());
  if (!rows) return fail(rows);
  std::vector<LogoutRow> all;
  for (const Row& row : *rows) {
    all.push_back({.issuer = text(row[0]),
                   .subject = text(row[1]),
                   .login_session = text(row[2]),
                   .at = time_of(row[3])});
  }
  return all;
}

}  // namespace sallyport::store

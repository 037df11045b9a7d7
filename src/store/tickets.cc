#include "store/tickets.h"

#include <algorithm>

#include "store/times.h"

namespace sallyport::store {
namespace {

constexpr std::string_view kColumns =
    "id, user, connection, hash, stored_key, server_key, credential, created_us, expires_us";

ByteVector blob(const Digest& digest) {
  return {digest.begin(), digest.end()};
}

Result<Digest> digest(const Value& value) {
  const auto* bytes = std::get_if<ByteVector>(&value);
  Digest out;
  if (bytes == nullptr || bytes->size() != out.size()) {
    return fail(Errc::malformed, "store: a ticket is damaged");
  }
  std::ranges::copy(*bytes, out.begin());
  return out;
}

Result<TicketRow> ticket(const Row& row) {
  auto hash = digest(row[3]);
  auto stored_key = digest(row[4]);
  auto server_key = digest(row[5]);
  if (!hash || !stored_key || !server_key) return fail(Errc::malformed, "store: damaged ticket");
  return TicketRow{.id = std::get<std::string>(row[0]),
                   .user = std::get<std::string>(row[1]),
                   .connection = std::get<std::string>(row[2]),
                   .hash = *hash,
                   .stored_key = *stored_key,
                   .server_key = *server_key,
                   .credential = std::get<std::string>(row[6]),
                   .created_at = time_of(row[7]),
                   .expires_at = time_of(row[8])};
}

Result<std::vector<TicketRow>> select(Database& database, std::string_view where,
                                      const std::vector<Value>& parameters) {
  auto rows = database.run(
      "select " + std::string(kColumns) + " from ticket where " + std::string(where), parameters);
  if (!rows) return fail(rows);
  std::vector<TicketRow> tickets;
  for (const Row& row : *rows) {
    auto one = ticket(row);
    if (!one) return fail(one);
    tickets.push_back(std::move(*one));
  }
  return tickets;
}

Result<std::optional<TicketRow>> first(Result<std::vector<TicketRow>> found) {
  if (!found) return fail(found);
  if (found->empty()) return std::nullopt;
  return std::move(found->front());
}

}  // namespace

TicketStore::TicketStore(Database& database, ByteVector secret)
    : database_(&database), secret_(std::move(secret)) {}

Result<TicketStore> TicketStore::create(Database& database, Random& random) {
  ByteVector fresh(32);
  random.fill(fresh);
  // Two nodes that open the file at once must end with the same secret.
  auto made =
      database.run("insert into secret values ('ticket_salt', ?) on conflict do nothing", {fresh});
  if (!made) return fail(made);
  auto rows = database.run("select value from secret where name = 'ticket_salt'");
  if (!rows) return fail(rows);
  return TicketStore(database, std::get<ByteVector>((*rows)[0][0]));
}

Result<void> TicketStore::add(const TicketRow& row, WallTime now) {
  return database_->transaction([&](Database& database) -> Result<void> {
    auto purged = database.run("delete from ticket where expires_us <= ?", {us(now)});
    if (!purged) return fail(purged);
    auto added = database.run(
        "insert into ticket (" + std::string(kColumns) + ") values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        {row.id, row.user, row.connection, blob(row.hash), blob(row.stored_key),
         blob(row.server_key), row.credential, us(row.created_at), us(row.expires_at)});
    if (!added) return fail(added);
    auto capped = database.run(
        "delete from ticket where user = ?1 and rowid not in (select rowid from ticket where "
        "user = ?1 order by created_us desc, rowid desc limit ?2)",
        {row.user, static_cast<std::int64_t>(kPerUserMax)});
    if (!capped) return fail(capped);
    return ok();
  });
}

Result<std::vector<TicketRow>> TicketStore::live(std::string_view user, std::string_view connection,
                                                 WallTime now) {
  return select(
      *database_,
      "user = ? and connection = ? and expires_us > ? order by created_us desc, rowid desc",
      {std::string(user), std::string(connection), us(now)});
}

Result<std::optional<TicketRow>> TicketStore::by_id(std::string_view id, WallTime now) {
  return first(select(*database_, "id = ? and expires_us > ?", {std::string(id), us(now)}));
}

Result<std::optional<TicketRow>> TicketStore::by_hash(const Digest& hash, WallTime now) {
  return first(select(*database_, "hash = ? and expires_us > ?", {blob(hash), us(now)}));
}

}  // namespace sallyport::store

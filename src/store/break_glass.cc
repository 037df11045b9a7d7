#include "store/break_glass.h"

#include "store/times.h"

namespace sallyport::store {
namespace {

constexpr std::size_t listed_max = 200;
constexpr std::size_t page_max = 500;

Result<std::vector<BreakGlassRow>> select(Database& database, std::string_view where,
                                          const std::vector<Value>& parameters) {
  auto rows = database.run(
      "select session, user, requester, connection, ticket, reason, started_us, due_us, "
      "reviewed_by, reviewed_us, finding, protocol from break_glass " +
          std::string(where),
      parameters, page_max);
  if (!rows) return fail(rows);
  std::vector<BreakGlassRow> all;
  for (const Row& row : *rows) {
    all.push_back({.session = std::get<std::string>(row[0]),
                   .user = std::get<std::string>(row[1]),
                   .requester = std::get<std::string>(row[2]),
                   .protocol = std::get<std::string>(row[11]),
                   .connection = std::get<std::string>(row[3]),
                   .ticket = std::get<std::string>(row[4]),
                   .reason = std::get<std::string>(row[5]),
                   .started_at = time_of(row[6]),
                   .review_due_at = time_of(row[7]),
                   .reviewed_by = std::get<std::string>(row[8]),
                   .reviewed_at = time_of(row[9]),
                   .finding = std::get<std::string>(row[10])});
  }
  return all;
}

}  // namespace

Result<void> BreakGlassStore::add(const BreakGlassRow& row) {
  auto purged =
      database_->run("delete from break_glass where reviewed_by <> '' and reviewed_us <= ?",
                     {us(row.started_at - kept)});
  if (!purged) return fail(purged);
  auto added = database_->run(
      "insert into break_glass select ?, ?, ?, ?, ?, ?, ?, ?, '', 0, '', ? where (select count(*) "
      "from break_glass where user = ? and reviewed_by = '') < ? returning session",
      {row.session, row.user, row.requester, row.connection, row.ticket, row.reason,
       us(row.started_at), us(row.review_due_at), row.protocol, row.user,
       static_cast<std::int64_t>(unreviewed_max)});
  if (!added) return fail(added);
  if (added->empty()) return fail(Errc::too_large, "too many sessions of theirs await a review");
  return ok();
}

Result<std::optional<BreakGlassRow>> BreakGlassStore::find(std::string_view session) {
  auto rows = select(*database_, "where session = ?", {std::string(session)});
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  return std::move(rows->front());
}

Result<std::vector<BreakGlassRow>> BreakGlassStore::list(
    bool all, const std::function<bool(const BreakGlassRow&)>& wanted) {
  std::vector<BreakGlassRow> found;
  for (std::int64_t read = 0; found.size() < listed_max; read += page_max) {
    auto page = select(*database_,
                       all ? "order by started_us desc, session limit ? offset ?"
                           : "where reviewed_by = '' order by started_us, session limit ? offset ?",
                       {static_cast<std::int64_t>(page_max), read});
    if (!page) return fail(page);
    for (BreakGlassRow& row : *page) {
      if (found.size() < listed_max && wanted(row)) found.push_back(std::move(row));
    }
    if (page->size() < page_max) break;
  }
  return found;
}

Result<bool> BreakGlassStore::review(std::string_view session, std::string_view by,
                                     std::string_view finding, WallTime now) {
  auto rows = database_->run(
      "update break_glass set reviewed_by = ?, reviewed_us = ?, finding = ? "
      "where session = ? and reviewed_by = '' returning session",
      {std::string(by), us(now), std::string(finding), std::string(session)});
  if (!rows) return fail(rows);
  return !rows->empty();
}

}  // namespace sallyport::store

#include "store/approvals.h"

#include "store/times.h"

namespace sallyport::store {
namespace {

constexpr std::string_view columns =
    "id, hash, requester, state, body, created_us, ends_us, closed_by, uses_left";

Result<std::vector<ApprovalRow>> select(Database& database, std::string_view where,
                                        const std::vector<Value>& parameters,
                                        std::size_t rows_max) {
  auto rows =
      database.run("select " + std::string(columns) + " from approval " + std::string(where),
                   parameters, rows_max);
  if (!rows) return fail(rows);
  std::vector<ApprovalRow> all;
  for (const Row& row : *rows) {
    all.push_back({.id = std::get<std::string>(row[0]),
                   .hash = std::get<std::string>(row[1]),
                   .requester = std::get<std::string>(row[2]),
                   .state = std::get<std::string>(row[3]),
                   .body = std::get<std::string>(row[4]),
                   .created_at = time_of(row[5]),
                   .ends_at = time_of(row[6]),
                   .closed_by = std::get<std::string>(row[7]),
                   .uses_left = std::get<std::int64_t>(row[8])});
  }
  return all;
}

Result<std::size_t> number(Result<std::vector<Row>> rows) {
  if (!rows) return fail(rows);
  return static_cast<std::size_t>(std::get<std::int64_t>((*rows)[0][0]));
}

}  // namespace

Result<void> ApprovalStore::add(const ApprovalRow& row) {
  auto done = database_->run(
      "insert into approval (" + std::string(columns) + ") values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {row.id, row.hash, row.requester, row.state, row.body, us(row.created_at), us(row.ends_at),
       row.closed_by, row.uses_left});
  return done ? ok() : fail(done);
}

Result<std::optional<ApprovalRow>> ApprovalStore::find(std::string_view id) {
  auto rows = select(*database_, "where id = ?", {std::string(id)}, 1);
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  return std::move(rows->front());
}

Result<std::vector<ApprovalRow>> ApprovalStore::open_for(std::string_view hash) {
  return select(*database_,
                "where hash = ? and state in ('pending', 'approved') order by created_us desc, id",
                {std::string(hash)}, 1000);
}

Result<std::vector<ApprovalRow>> ApprovalStore::list(const std::vector<std::string>& states,
                                                     std::size_t rows_max) {
  std::string where;
  std::vector<Value> parameters;
  for (const std::string& state : states) {
    where += where.empty() ? "where state in (?" : ", ?";
    parameters.emplace_back(state);
  }
  if (!where.empty()) where += ") ";
  parameters.emplace_back(static_cast<std::int64_t>(rows_max));
  return select(*database_, where + "order by created_us desc, id limit ?", parameters, rows_max);
}

Result<std::vector<ApprovalRow>> ApprovalStore::overdue(WallTime now, std::size_t rows_max) {
  return select(*database_,
                "where state in ('pending', 'approved') and ends_us <= ? order by ends_us limit ?",
                {us(now), static_cast<std::int64_t>(rows_max)}, rows_max);
}

Result<std::size_t> ApprovalStore::count(std::string_view requester, std::string_view state,
                                         WallTime now) {
  return number(database_->run(
      "select count(*) from approval where requester = ? and state = ? and ends_us > ?",
      {std::string(requester), std::string(state), us(now)}));
}

Result<std::size_t> ApprovalStore::count_since(std::string_view requester, WallTime since) {
  return number(
      database_->run("select count(*) from approval where requester = ? and created_us > ?",
                     {std::string(requester), us(since)}));
}

Result<void> ApprovalStore::purge(WallTime before) {
  return database_->transaction([&](Database& database) -> Result<void> {
    constexpr std::string_view which =
        "(select id from approval where created_us < ?1 and ends_us < ?1)";
    for (const std::string_view sql :
         {"delete from approval_vote where request in ", "delete from approval where id in "}) {
      auto done = database.run(std::string(sql) + std::string(which), {us(before)});
      if (!done) return fail(done);
    }
    return ok();
  });
}

Result<bool> ApprovalStore::move(std::string_view id, std::string_view from, std::string_view to,
                                 WallTime ends_at, std::string_view closed_by) {
  auto rows = database_->run(
      "update approval set state = ?, ends_us = ?, closed_by = ? where id = ? and state = ? "
      "returning id",
      {std::string(to), us(ends_at), std::string(closed_by), std::string(id), std::string(from)});
  if (!rows) return fail(rows);
  return !rows->empty();
}

Result<std::vector<ApprovalRow>> ApprovalStore::of(std::string_view requester,
                                                   std::string_view state, std::size_t rows_max) {
  return select(*database_, "where requester = ? and state = ? order by created_us, id limit ?",
                {std::string(requester), std::string(state), static_cast<std::int64_t>(rows_max)},
                rows_max);
}

Result<bool> ApprovalStore::use(std::string_view id, std::string_view state,
                                std::string_view used_up, WallTime now,
                                std::optional<std::int64_t> left) {
  auto rows = database_->run(
      "update approval set uses_left = uses_left - 1, "
      "state = case when uses_left = 1 then ? else state end "
      "where id = ? and state = ? and uses_left > 0 and ends_us > ? and ? in (0, uses_left) "
      "returning id",
      {std::string(used_up), std::string(id), std::string(state), us(now), left.value_or(0)});
  if (!rows) return fail(rows);
  return !rows->empty();
}

Result<bool> ApprovalStore::vote(const VoteRow& vote) {
  auto rows = database_->run(
      "insert into approval_vote (request, voter, name, credential, approve, reason, address, "
      "at_us) values (?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing returning voter",
      {vote.request, vote.voter, vote.name, vote.credential, std::int64_t{vote.approve},
       vote.reason, vote.address, us(vote.at)});
  if (!rows) return fail(rows);
  return !rows->empty();
}

Result<std::vector<VoteRow>> ApprovalStore::votes(std::string_view request) {
  auto rows = database_->run(
      "select voter, name, credential, approve, reason, address, at_us from approval_vote where "
      "request = ? "
      "order by at_us, voter",
      {std::string(request)});
  if (!rows) return fail(rows);
  std::vector<VoteRow> votes;
  for (const Row& row : *rows) {
    votes.push_back({.request = std::string(request),
                     .voter = std::get<std::string>(row[0]),
                     .name = std::get<std::string>(row[1]),
                     .credential = std::get<std::string>(row[2]),
                     .approve = std::get<std::int64_t>(row[3]) != 0,
                     .reason = std::get<std::string>(row[4]),
                     .address = std::get<std::string>(row[5]),
                     .at = time_of(row[6])});
  }
  return votes;
}

}  // namespace sallyport::store

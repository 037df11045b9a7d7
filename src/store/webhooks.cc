#include "store/webhooks.h"

#include "store/times.h"

namespace sallyport::store {

Result<std::size_t> DeliveryStore::add(const DeliveryRow& row, std::size_t rows_max) {
  std::size_t gone = 0;
  auto done = database_->transaction([&](Database& database) -> Result<void> {
    auto added = database.run(
        "insert into delivery (id, hook, body, urgent, created_us, next_us, attempts) "
        "values (?, ?, ?, ?, ?, ?, 0)",
        {row.id, row.hook, row.body, std::int64_t{row.urgent}, us(row.created_at),
         us(row.next_at)});
    if (!added) return fail(added);
    auto removed = database.run(
        "delete from delivery where number in (select number from delivery where hook = ? "
        "order by urgent desc, number desc limit -1 offset ?) returning number",
        {row.hook, static_cast<std::int64_t>(rows_max)}, rows_max + 1);
    if (!removed) return fail(removed);
    gone = removed->size();
    return ok();
  });
  if (!done) return fail(done);
  return gone;
}

Result<std::vector<DeliveryRow>> DeliveryStore::due(WallTime now, std::size_t rows_max) {
  auto rows = database_->run(
      "select number, id, hook, body, urgent, created_us, next_us, attempts from delivery "
      "where next_us <= ? order by urgent desc, attempts, number limit ?",
      {us(now), static_cast<std::int64_t>(rows_max)}, rows_max);
  if (!rows) return fail(rows);
  std::vector<DeliveryRow> all;
  for (const Row& row : *rows) {
    all.push_back({.number = std::get<std::int64_t>(row[0]),
                   .id = std::get<std::string>(row[1]),
                   .hook = std::get<std::string>(row[2]),
                   .body = std::get<std::string>(row[3]),
                   .urgent = std::get<std::int64_t>(row[4]) != 0,
                   .created_at = time_of(row[5]),
                   .next_at = time_of(row[6]),
                   .attempts = std::get<std::int64_t>(row[7])});
  }
  return all;
}

Result<void> DeliveryStore::again(std::int64_t number, std::int64_t attempts, WallTime next_at) {
  auto done = database_->run("update delivery set attempts = ?, next_us = ? where number = ?",
                             {attempts, us(next_at), number});
  if (!done) return fail(done);
  return ok();
}

Result<void> DeliveryStore::remove(std::int64_t number) {
  auto done = database_->run("delete from delivery where number = ?", {number});
  if (!done) return fail(done);
  return ok();
}

Result<std::size_t> DeliveryStore::count() {
  auto rows = database_->run("select count(*) from delivery");
  if (!rows) return fail(rows);
  return static_cast<std::size_t>(std::get<std::int64_t>((*rows)[0][0]));
}

}  // namespace sallyport::store

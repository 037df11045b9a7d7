#include "store/webhooks.h"

namespace sallyport::store {
namespace {

std::int64_t us(WallTime time) {
  return time.time_since_epoch().count();
}

WallTime time_of(const Value& value) {
  return WallTime(std::chrono::microseconds(std::get<std::int64_t>(value)));
}

}  // namespace

Result<std::size_t> DeliveryStore::add(const DeliveryRow& row, std::size_t rows_max) {
  std::size_t gone = 0;
  auto done = database_->transaction([&](Database& database) -> Result<void> {
    auto added = database.run(
        "insert into delivery (id, hook, body, created_us, next_us, attempts) "
        "values (?, ?, ?, ?, ?, 0)",
        {row.id, row.hook, row.body, us(row.created_at), us(row.next_at)});
    if (!added) return fail(added);
    auto removed = database.run(
        "delete from delivery where number in (select number from delivery order by number desc "
        "limit -1 offset ?) returning number",
        {static_cast<std::int64_t>(rows_max)}, rows_max + 1);
    if (!removed) return fail(removed);
    gone = removed->size();
    return ok();
  });
  if (!done) return fail(done);
  return gone;
}

Result<std::vector<DeliveryRow>> DeliveryStore::due(WallTime now, std::size_t rows_max) {
  auto rows = database_->run(
      "select number, id, hook, body, created_us, next_us, attempts from delivery "
      "where next_us <= ? order by number limit ?",
      {us(now), static_cast<std::int64_t>(rows_max)}, rows_max);
  if (!rows) return fail(rows);
  std::vector<DeliveryRow> all;
  for (const Row& row : *rows) {
    all.push_back({.number = std::get<std::int64_t>(row[0]),
                   .id = std::get<std::string>(row[1]),
                   .hook = std::get<std::string>(row[2]),
                   .body = std::get<std::string>(row[3]),
                   .created_at = time_of(row[4]),
                   .next_at = time_of(row[5]),
                   .attempts = std::get<std::int64_t>(row[6])});
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

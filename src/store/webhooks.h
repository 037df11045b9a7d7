#pragma once
// Messages to others that wait to be delivered, at rest: what has happened is told after a restart
// too.

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/database.h"

namespace sallyport::store {

struct DeliveryRow {
  std::int64_t number = 0;  // of the store; later ones are higher
  std::string id;           // the same at every attempt
  std::string hook;         // by name
  std::string body;
  WallTime created_at{};
  WallTime next_at{};
  std::int64_t attempts = 0;
};

class DeliveryStore {
 public:
  /// `database` must outlive it.
  explicit DeliveryStore(Database& database) : database_(&database) {}

  /// Above `rows_max` the oldest go: how many did.
  Result<std::size_t> add(const DeliveryRow& row, std::size_t rows_max);
  /// Those whose time has come, the oldest first.
  Result<std::vector<DeliveryRow>> due(WallTime now, std::size_t rows_max);
  Result<void> again(std::int64_t number, std::int64_t attempts, WallTime next_at);
  Result<void> remove(std::int64_t number);
  Result<std::size_t> count();

 private:
  Database* database_;
};

}  // namespace sallyport::store

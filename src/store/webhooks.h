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
  bool urgent = false;  // goes before all that is not, and stays for longer
  WallTime created_at{};
  WallTime next_at{};
  std::int64_t attempts = 0;
};

class DeliveryStore {
 public:
  /// `database` must outlive it.
  explicit DeliveryStore(Database& database) : database_(&database) {}

  /// Above `rows_max` of one hook its oldest go, urgent ones last: how many did.
  Result<std::size_t> add(const DeliveryRow& row, std::size_t rows_max);
  /// Those whose time has come: urgent ones first, then what has been tried least, then the oldest.
  Result<std::vector<DeliveryRow>> due(WallTime now, std::size_t rows_max);
  Result<void> again(std::int64_t number, std::int64_t attempts, WallTime next_at);
  Result<void> remove(std::int64_t number);
  Result<std::size_t> count();

 private:
  Database* database_;
};

}  // namespace sallyport::store

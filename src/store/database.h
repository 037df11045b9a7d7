#pragma once
// The embedded store: one SQLite file, write-ahead log, one connection under a mutex. Small and
// rare statements only; nothing on the path of a command.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace sallyport::store {

using Value = std::variant<std::monostate, std::int64_t, std::string, ByteVector>;
using Row = std::vector<Value>;

/// Safe from any thread.
class Database {
 public:
  /// Opens or creates `path` (mode 0600) and brings its schema up to date. ":memory:" for tests.
  static Result<std::unique_ptr<Database>> open(const std::string& path);
  ~Database();

  /// One statement with its parameters; returns its rows, at most `rows_max`.
  Result<std::vector<Row>> run(std::string_view sql, const std::vector<Value>& parameters = {},
                               std::size_t rows_max = 10'000);

  /// Several statements as one transaction: all or none.
  Result<void> transaction(const std::function<Result<void>(Database&)>& body);

 private:
  struct State;
  explicit Database(std::unique_ptr<State> state);
  Result<void> migrate();

  std::unique_ptr<State> state_;
};

}  // namespace sallyport::store

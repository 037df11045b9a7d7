#pragma once
// How a catalog is read from a server: the queries to send, and what their rows mean. Does no I/O.
// The session that sends them has an empty search_path, so that definitions come with every name
// qualified, and sends them all in one transaction that reads only.

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "protocol/postgres/catalog/catalog.h"

namespace sallyport::postgres::catalog {

struct LoadLimits {
  /// About what a catalog keeps in memory; a table of twenty columns takes some 750 bytes.
  std::size_t bytes_max = std::size_t{256} << 20;
};

/// In this order; every result column is text.
std::vector<std::string> load_queries(int server_major);

using Row = std::span<const std::optional<std::string_view>>;

/// Takes the rows of the queries, in any order within one query, query after query.
class Loader {
 public:
  Loader(int server_major, std::string user, LoadLimits limits = {});

  /// A row of the query of this index. too_large: above the limit, with what to do about it.
  Result<void> row(std::size_t query, Row row);
  /// All rows of all queries were given.
  Result<std::shared_ptr<const Catalog>> finish(std::uint64_t epoch);

 private:
  using Reader = Result<void> (Loader::*)(Row);
  static std::span<const Reader> readers();
  Result<void> database(Row row);
  Result<void> schema(Row row);
  Result<void> relation(Row row);
  Result<void> column(Row row);
  Result<void> inheritance(Row row);
  Result<void> rule(Row row);
  Result<void> trigger(Row row);
  Result<void> type(Row row);
  Result<void> check(Row row);
  Result<void> function(Row row);
  Result<void> argument(Row row);
  Result<void> operator_(Row row);
  Result<void> cast(Row row);
  Result<void> run(Row row);
  Result<void> key(Row row);

  std::string_view name(const std::optional<std::string_view>& text);
  std::string_view copy(const std::optional<std::string_view>& text);
  template <class T>
  T* known(std::unordered_map<Oid, std::size_t>& places, std::vector<T>& list, Oid oid);

  LoadLimits limits_;
  Contents contents_;
  std::deque<std::string> text_;
  std::unordered_set<std::string_view> names_;
  std::unordered_map<Oid, std::size_t> relations_;
  std::unordered_map<Oid, std::size_t> types_;
  std::unordered_map<Oid, std::size_t> functions_;
  std::size_t bytes_ = 0;
};

}  // namespace sallyport::postgres::catalog

#pragma once
// CatalogDesk: what is known of the databases behind the gateway, shared by all workers. A catalog
// is read over a connection of its own that is closed at once, so that nobody who drops or renames
// a database waits for us; one at a time for each database, whoever asks. It is read again when DDL
// went through the gateway, when a name is not in it, and when it is old; while a database cannot
// be read the last catalog holds for a while, and then there is none.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "guard/guard.h"
#include "net/helpers.h"
#include "protocol/postgres/catalog/catalog.h"
#include "protocol/postgres/options.h"
#include "protocol/postgres/sql/rewrite.h"

namespace sallyport::postgres {

class CatalogDesk {
 public:
  /// Both must outlive the desk.
  CatalogDesk(Guard& guard, Random& random) : guard_(guard), random_(random) {}
  CatalogDesk(const CatalogDesk&) = delete;
  CatalogDesk& operator=(const CatalogDesk&) = delete;

  enum class Want : std::uint8_t {
    current,  // not older than the DDL that was seen
    newer,    // read after this call, unless that was done within the last second
  };
  /// On a worker's thread. Fails if it cannot be read; the error's text is for the operator.
  Task<Result<std::shared_ptr<const catalog::Catalog>>> get(std::shared_ptr<const Target> target,
                                                            std::string database, Want want);

  /// How much a statement would touch, for an approver to read, or why nobody can say: guessed by
  /// the target's planner over a connection of the gateway's own (upstream_explain.cc).
  struct Estimated {
    std::string database;
    sql::Names names;
    const Command& command;
    const std::vector<std::uint32_t>& types;  // of its parameters
  };
  Task<std::string> estimate(std::shared_ptr<const Target> target, sql::Parser& parser,
                             Estimated asked);

  /// Definitions in this database changed, or may have. Any thread.
  void changed(const std::string& connection, const std::string& database);
  /// Something went wrong that an old catalog would explain: read it again, but wait for nothing.
  /// On a worker's thread.
  void doubted(std::shared_ptr<const Target> target, const std::string& database);
  /// So that get() at once has what it needs, and the caller need not wait: null if it has not.
  std::shared_ptr<const catalog::Catalog> at_hand(const Target& target,
                                                  const std::string& database);

 private:
  using Key = std::pair<std::string, std::string>;  // connection, database
  struct Entry {
    std::shared_ptr<const catalog::Catalog> catalog;
    std::string problem;       // of the last attempt
    std::uint64_t wanted = 1;  // changes that were seen
    std::uint64_t has = 0;     // up to which the catalog shows them
    SteadyTime read_at{};      // when reading of it began
    SteadyTime tried_at{};     // when the last attempt ended
    bool reading = false;
    std::vector<net::Handover<bool>::Giver> waiting;
  };

  bool is_current(const Entry& entry, const Target& target) const;
  static Task<void> read(CatalogDesk& desk, std::shared_ptr<const Target> target,
                         std::string database);
  Task<Result<std::shared_ptr<const catalog::Catalog>>> read_now(
      std::shared_ptr<const Target> target, const std::string& database, std::uint64_t epoch);
  void done(const Key& key, std::uint64_t shows, SteadyTime began,
            Result<std::shared_ptr<const catalog::Catalog>> catalog);

  Guard& guard_;
  Random& random_;
  std::mutex mutex_;
  std::map<Key, Entry> entries_;
  std::uint64_t epoch_ = 0;
};

}  // namespace sallyport::postgres

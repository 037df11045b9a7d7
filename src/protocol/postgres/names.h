#pragma once
// The names of a session: prepared statements and portals, whether the protocol or SQL made them
// (the server has one namespace for both), and cursors. The gateway decides by this table, so the
// table may never know a name as something else than the server does. A definition is pending until
// the server confirms it, and is undone if the server refuses or skips it.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "guard/guard.h"
#include "policy/connection_facts.h"
#include "protocol/postgres/detection.h"
#include "protocol/postgres/sql/actions.h"
#include "protocol/postgres/sql/analysis.h"

namespace sallyport::postgres {

/// Counts bytes of a session for as long as it lives.
class Held {
 public:
  Held() = default;
  Held(std::size_t& total, std::size_t bytes) : total_(&total), bytes_(bytes) { total += bytes; }
  Held(Held&& other) noexcept
      : total_(std::exchange(other.total_, nullptr)), bytes_(other.bytes_) {}
  Held& operator=(Held&& other) noexcept {
    std::swap(total_, other.total_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Held() {
    if (total_ != nullptr) *total_ -= bytes_;
  }

 private:
  std::size_t* total_ = nullptr;
  std::size_t bytes_ = 0;
};

struct Shield;  // masking.h

/// What a client got of a portal or a cursor, or of one command.
struct Given {
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
};

/// The limits that hold for an answer. It counts in all of `given`: a cursor is read in parts.
struct Limited {
  policy::AnswerLimits most;
  std::vector<std::shared_ptr<Given>> given;
};

/// A text as the client wrote it, and as the server got it: with its masks.
struct Sent {
  std::string sql;
  std::string as;  // empty: the same
  std::shared_ptr<const sql::Analysis> analysis;
  std::vector<std::uint32_t> parameter_types;

  const std::string& sent() const { return as.empty() ? sql : as; }
};

/// A prepared statement. `batch` is the number of the batch (up to a Sync) whose confirmation it
/// waits for; 0 once the server has confirmed it.
struct Prepared {
  std::string sql;
  std::string as;                              // what was sent, where that is not `sql`
  std::string as_sha256;                       // in hex, if a Parse with `as` is in the ledger
  std::vector<std::uint32_t> parameter_types;  // as the client gave them
  std::shared_ptr<const sql::Analysis> analysis;
  std::shared_ptr<const Shield> shield;
  std::shared_ptr<const LookedAtColumns> looked_at;  // once described
  std::uint64_t batch = 0;
  Held held;
  /// What it would do, worked out at its first use, while names mean what they meant then.
  mutable std::optional<sql::Decidable> decidable;
  mutable std::uint64_t decidable_place = 0;
};

/// A bound statement, with the Permit of the Execute that comes next. A portal whose first Execute
/// was suspended has none, and the next Execute asks again.
struct Portal {
  std::shared_ptr<const Prepared> prepared;
  std::vector<Parameter> parameters;
  std::optional<Permit> permit;
  std::optional<Outcome> outcome;                    // of the Execute that is running
  std::optional<std::uint16_t> columns;              // of its rows, once described
  std::shared_ptr<const LookedAtColumns> looked_at;  // the same
  std::shared_ptr<const Shield> shield;              // what its rows may not show
  std::optional<Limited> limited;                    // how much of them there may be
  Given given;                                       // how much of them there was
  std::uint64_t meant_at = 0;                        // as for a cursor
  WallTime good_until{};  // of the approval that its Permit rests on, if it does
  std::uint64_t batch = 0;
  Held held;
};

/// What a DECLAREd cursor reads.
struct Cursor {
  std::string sql;
  std::string as;  // what was sent, where that is not `sql`
  std::shared_ptr<const sql::Analysis> analysis;
  bool hold = false;
  /// The server reads it as names were when it was declared.
  std::uint64_t meant_at = 0;
  std::shared_ptr<Given> given = std::make_shared<Given>();
  Held held;
};

constexpr std::size_t names_max = 10'000;  // of each kind; a client that leaks ends there

class Names {
 public:
  std::shared_ptr<Prepared> prepared(std::string_view name) const;
  std::shared_ptr<Portal> portal(std::string_view name) const;
  const Cursor* cursor(std::string_view name) const;

  /// Makes `name` mean `prepared`. Returns what it meant before, for undo(). False: too many names.
  bool define(const std::string& name, std::shared_ptr<Prepared> prepared,
              std::shared_ptr<Prepared>& before);
  /// The server did not take the definition. What the name meant before is restored, but for the
  /// unnamed statement, of which nobody can then say what the server holds.
  void undo(const std::string& name, const std::shared_ptr<Prepared>& prepared,
            std::shared_ptr<Prepared> before);
  void forget_prepared(std::string_view name);
  void forget_all_prepared() { prepared_.clear(); }

  bool define(const std::string& name, std::shared_ptr<Portal> portal);
  void undo(const std::string& name, const std::shared_ptr<Portal>& portal);
  void forget_portal(std::string_view name);
  /// The server may have a portal of that name, or had one in this transaction: what fails on the
  /// way or is rolled back to a savepoint is not followed.
  bool had_portal(std::string_view name) const { return portals_had_.contains(name); }
  /// The transaction ended: every confirmed portal is gone, and every cursor WITHOUT HOLD.
  void transaction_ended();
  /// A simple query ran: the unnamed statement and portal are gone.
  void forget_unnamed();

  bool define(const std::string& name, Cursor cursor);
  void forget_cursor(std::string_view name);
  void forget_all_cursors() { cursors_.clear(); }

 private:
  std::map<std::string, std::shared_ptr<Prepared>, std::less<>> prepared_;
  std::map<std::string, std::shared_ptr<Portal>, std::less<>> portals_;
  std::map<std::string, Cursor, std::less<>> cursors_;
  std::set<std::string, std::less<>> portals_had_;
};

}  // namespace sallyport::postgres

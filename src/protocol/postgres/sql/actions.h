#pragma once
// From an Analysis to what the policies are asked: actions on resources, and context.stmt.
// What is not understood has no actions, and a command without actions is denied.

#include <string>
#include <string_view>
#include <vector>

#include "core/model.h"
#include "protocol/postgres/sql/analysis.h"

namespace sallyport::postgres::sql {

/// Where unqualified names are looked up. The session owns one and keeps it true.
struct Place {
  std::string connection;
  std::string database;
  /// Major version of the server. Functions that are newer than it are somebody's own there; 0:
  /// not known, and then all that are not in the oldest version supported.
  int server_major = 0;
  /// What `SHOW search_path` says, in order, "$user" already replaced. Pinned by the gateway.
  std::vector<std::string> search_path = {"public"};
  /// The transaction that is open changed search_path, so that its end may change it back.
  bool path_may_return = true;
};

struct Decidable {
  std::vector<Action> actions;  // sorted, each once; empty: refuse, and why_not says why
  SqlContext context;
  bool read_only = false;  // Command::read_only
  std::string why_not;     // for the client, when there are no actions
};

/// All actions of all statements together, so that they are decided before any is sent.
/// Statements that touch nothing (transaction control, harmless SET, SHOW, SELECT 1) need
/// "connect" on the Database, the right that the session already proved.
/// A string is refused where its statements, decided one after the other as they run, might be
/// decided otherwise: after a new search_path.
Decidable decidable(const Analysis& analysis, std::string_view sql, const Place& place);

/// Why the statements of one string cannot be looked at together where it matters which relations
/// their names stand for, as for masks: DDL, SET and DO come before others. Empty: they can.
std::string why_definitions_matter(const Analysis& analysis);

/// What comes after it may find other objects under the same names: search_path and the objects
/// themselves may change by it. A session must not trust names before it is answered. What code in
/// the database does to search_path nobody tells (docs/decisions/0004).
bool may_change_names(const Statement& statement);
/// Code that the text does not show may run: DO, CALL, functions that are not PostgreSQL's own.
bool runs_unseen_code(const Statement& statement);

/// Settings that a client may change without asking: they steer formats, not meaning.
bool is_harmless_setting(std::string_view name);
/// Settings that nobody may change through the gateway, because reading SQL depends on them.
bool is_pinned_setting(std::string_view name);
/// It would make a pinned setting something else than it is; what says the same is fine.
bool breaks_pin(const SettingChange& change);

}  // namespace sallyport::postgres::sql

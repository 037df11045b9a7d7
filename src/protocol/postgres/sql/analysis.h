#pragma once
// What a SQL text would do, in plain values: every relation, column, routine and setting it names.
// Purely syntactic: no catalog, no search_path (actions.h resolves names), no policy.
// What is not understood says so and why; there is no default that skips something unknown.
//
// What the text alone cannot tell, so that it takes the catalog:
// - in which schema of the search_path a name is;
// - what views, rules, triggers, policies, partitions, inheritance and cascades reach;
// - that x.f is a call of f(x), where x is a row of a relation or of a sub-query;
// - that lower(x) or a = b are somebody's own, of the same name for other types;
// - casts on assignment, and the types of bound parameters.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "protocol/postgres/sql/parser.h"

namespace sallyport::postgres::sql {

/// A name as the server reads it: folded, unquoted, cut to 63 bytes. Parts not written are empty.
struct Name {
  std::string catalog;
  std::string schema;
  std::string name;

  auto operator<=>(const Name&) const = default;
  /// "schema.name", for people and tests.
  std::string to_string() const;
};

enum class Use : std::uint8_t {
  select,
  insert,
  update,
  delete_,
  truncate,
  lock,
  create,
  alter,
  drop,
  grant,
  maintain,
  trigger
};
std::string_view to_string(Use use);

/// A relation, with CTE names resolved out: only what the catalog would be asked for.
struct RelationUse {
  Name name;
  Use use = Use::select;
  std::string alias;       // as it is called inside its query; the name where there is none
  bool temporary = false;  // CREATE TEMP ... and SELECT INTO TEMP
  bool in_from = false;    // an item of FROM, which a sub-query could stand for

  bool operator==(const RelationUse&) const = default;
};

/// Anything else in the catalog that a statement makes, changes or removes.
struct ObjectUse {
  std::string kind;  // "schema", "function", "type", "role", "database", "extension" ...
  Name name;
  Use use = Use::create;

  bool operator==(const ObjectUse&) const = default;
};

enum class ColumnRole : std::uint8_t {
  output,
  filter,
  join,
  group,
  order,
  assignment,
  returning,
  other
};
std::string_view to_string(ColumnRole role);

/// A column that is named, or `*`. A bare name that could be a column of several relations, or a
/// whole-row reference, is reported as it is written: the catalog has to tell.
struct ColumnUse {
  std::string qualifier;  // "c" of c.email, "s.c" of s.c.email, or empty
  std::string column;     // "*" for all of them
  ColumnRole role = ColumnRole::other;
  /// Index in Statement::relations where the text alone says which; -1 where it does not.
  int relation = -1;
  /// The name is that of a relation in scope, so that the value is the whole row.
  bool whole_row = false;

  bool operator==(const ColumnUse&) const = default;
};

enum class RoutineClass : std::uint8_t {
  pure,         // depends on its arguments only, or on nothing that matters (now, version)
  session,      // reads or changes what dies with the session and decides nothing
  catalog,      // tells definitions, comments or sizes of objects, as a relation of pg_catalog does
  reads_data,   // reads tables, files, statistics or other sessions by name, text or number
  dynamic_sql,  // runs a text as SQL
  writes,       // changes data or sequences
  admin,        // changes the server or other sessions
  settings,     // changes settings: set_config
  internal,     // PostgreSQL's own machinery (input, operators, indexes), for nobody to call
  unknown,      // not a system function that we know: the user's own, or newer than our list
};
std::string_view to_string(RoutineClass routine_class);

/// A function that is called, by whatever syntax: f(x), x.f, an operator, a cast to a type that is
/// not PostgreSQL's own.
struct RoutineUse {
  Name name;
  RoutineClass routine_class = RoutineClass::unknown;
  /// The class holds for servers of this major version and newer; to an older one the name is
  /// somebody's own function. 0: for all that are supported.
  int since = 0;

  bool operator==(const RoutineUse&) const = default;
};

struct SettingChange {
  std::string name;                  // lower case; "all" for RESET ALL; "transaction" modes apart
  std::optional<std::string> value;  // nullopt: not a constant, or back to the default
  bool local = false;                // SET LOCAL, set_config(..., true)
  bool reset = false;                // RESET, SET ... TO DEFAULT

  bool operator==(const SettingChange&) const = default;
};

enum class TransactionEffect : std::uint8_t {
  none,
  begin,
  commit,
  rollback,
  savepoint,
  release,
  rollback_to,
  prepare,
  commit_prepared,
  rollback_prepared
};
std::string_view to_string(TransactionEffect effect);

enum class NamedEffect : std::uint8_t { none, define, execute, deallocate };
enum class CursorEffect : std::uint8_t { none, declare, fetch, move, close };
std::string_view to_string(NamedEffect effect);
std::string_view to_string(CursorEffect effect);

/// Where COPY gets or puts its rows.
enum class CopyEnd : std::uint8_t { none, client, file, program };
std::string_view to_string(CopyEnd end);

struct Statement {
  /// One lower-case word: "select", "insert", "create_table", "copy_to", "begin" ...
  std::string kind;
  std::size_t offset = 0;  // bytes, in the analysed text
  std::size_t length = 0;

  /// False: nothing below may be relied on, and the statement must be refused.
  bool understood = true;
  std::string why_not;

  std::vector<RelationUse> relations;
  std::vector<ObjectUse> objects;
  std::vector<ColumnUse> columns;
  std::vector<RoutineUse> routines;
  std::vector<SettingChange> settings;
  /// Roles that are made, changed, removed, granted, granted to, assumed or made owner; "public",
  /// "current_user", "session_user" and "current_role" as such.
  std::vector<std::string> roles;

  /// UPDATE and DELETE: there is a WHERE that names a column or a cursor. SELECT: likewise in every
  /// arm at its top level. Any UPDATE or DELETE inside without one makes it false.
  bool has_where = false;
  /// It can only read, so far as the text alone tells: no lock, no INTO, no write anywhere inside,
  /// no routine that is not known to be harmless.
  bool read_only = false;
  /// It runs SQL that is not in its text: DO, bodies of routines, query_to_xml and the like.
  bool dynamic_sql = false;

  TransactionEffect transaction = TransactionEffect::none;
  /// BEGIN, START and SET TRANSACTION: READ WRITE or READ ONLY is asked for.
  std::optional<bool> transaction_read_only;

  NamedEffect prepared = NamedEffect::none;
  std::string prepared_name;  // empty with deallocate: ALL

  CursorEffect cursor = CursorEffect::none;
  std::string cursor_name;  // empty with close: ALL
  bool cursor_hold = false;

  CopyEnd copy = CopyEnd::none;
  std::string copy_format;  // "text", "csv" or "binary"; empty: not a COPY

  bool explain_analyze = false;

  /// The statement inside EXPLAIN, PREPARE, DECLARE, COPY (query), CREATE VIEW, CREATE TABLE AS,
  /// CREATE RULE. Its uses are not repeated above, except in read_only and dynamic_sql.
  std::vector<Statement> nested;

  bool operator==(const Statement&) const = default;
};

struct Analysis {
  std::vector<Statement> statements;  // empty: an empty query

  /// PostgreSQL would not parse it, or it is more than we take: no statements, and why. Safe to
  /// show to the client, whose own text it quotes.
  bool understood = true;
  std::string why_not;
  std::uint32_t error_position = 0;  // 1-based characters, 0: none

  /// The tree depends on constants that the shape of the text does not show (settings, COPY
  /// options): not to be kept under a shape.
  bool depends_on_literals = false;

  /// Of the text's shape, hex; empty where nobody has worked it out.
  std::string fingerprint;

  bool operator==(const Analysis&) const = default;
};

/// A relation in FROM, where it stands in the text. Names of CTEs are none.
struct FromSite {
  std::size_t location = 0;  // bytes: of its name, behind ONLY
  Name name;
  std::string called;    // its alias, or its name
  bool aliased = false;  // an alias follows it in the text
  bool renamed = false;  // with a list of column names
  bool only = false;
  bool sampled = false;  // TABLESAMPLE
};

/// Parses and analyses. An Error is the sandbox's (limits); text that is not SQL is an Analysis
/// that is not understood. `sites`, if given, gets the relations in FROM.
Result<Analysis> analyse(Parser& parser, std::string_view sql,
                         std::vector<FromSite>* sites = nullptr);

/// The whole of an analysis, a statement a line; what the table test compares.
std::string to_string(const Analysis& analysis);

}  // namespace sallyport::postgres::sql

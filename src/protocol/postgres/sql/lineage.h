#pragma once
// Where values come from and what they decide, to the column: which columns of which relations a
// statement reads, in which role, and from which columns each of its outputs is made. Names are
// resolved as the server would, against a catalog. No policy, and no per-function reasoning: what
// is computed from a column is that column.
//
// Errs on the side of more: a column that is listed may not matter, one that matters is listed, or
// `cannot_tell` says that this statement may not be decided by its columns.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "protocol/postgres/catalog/catalog.h"
#include "protocol/postgres/sql/analysis.h"
#include "protocol/postgres/sql/parser.h"

namespace sallyport::postgres::sql {

using catalog::Catalog;
using catalog::Oid;
using catalog::SearchPath;

/// A column of a relation. System columns (ctid, xmin ...) have negative numbers.
struct ColumnId {
  Oid relation = 0;
  std::int16_t number = 0;

  auto operator<=>(const ColumnId&) const = default;
};
/// What a function returns is a source as well: this number, and the function's OID.
constexpr std::int16_t function_result = 0x7FFF;

using Sources = std::vector<ColumnId>;  // sorted, each once

/// A set of ColumnRole.
class Roles {
 public:
  Roles() = default;
  Roles(ColumnRole role) : bits_(static_cast<std::uint16_t>(1U << static_cast<unsigned>(role))) {}
  bool has(ColumnRole role) const { return (bits_ & Roles(role).bits_) != 0; }
  bool empty() const { return bits_ == 0; }
  /// In any other role than these.
  bool beyond(Roles others) const { return (bits_ & ~others.bits_) != 0; }
  Roles& operator|=(Roles other) {
    bits_ |= other.bits_;
    return *this;
  }
  friend Roles operator|(Roles a, Roles b) { return a |= b; }
  bool operator==(const Roles&) const = default;

 private:
  std::uint16_t bits_ = 0;
};
std::string to_string(Roles roles);

using ColumnRoles = std::map<std::int16_t, Roles>;

/// A relation where the text itself names it: what rewriting would replace.
struct Reference {
  Oid relation = 0;
  Use use = Use::select;     // how the statement uses it there; a target may be read as well
  std::size_t location = 0;  // of the name, in bytes from the start of the analysed text
  std::string alias;         // as columns are qualified with it; the name where there is none
  bool has_alias = false;
  bool only = false;       // FROM ONLY t
  bool locked = false;     // under FOR UPDATE or the like
  bool whole_row = false;  // used as a value: row_to_json(c), c::text
  bool sampled = false;    // TABLESAMPLE, which is for tables only
  /// Read or assigned here, directly. Of a view its own columns, not what they are made of.
  ColumnRoles columns;

  bool operator==(const Reference&) const = default;
};

/// A relation that is reached, however: by the text, a view, a function's body, inheritance.
struct Reach {
  ColumnRoles columns;
  bool by_text = false;      // the text names it
  bool by_view = false;      // through the definition of a view that it names
  bool by_function = false;  // in the body of a function, where no rewriting gets to
  bool operator==(const Reach&) const = default;
};

struct OutputColumn {
  std::string name;
  Sources sources;     // base columns, and those of the views on the way
  bool plain = false;  // exactly one column as it is, which RowDescription names as its origin

  bool operator==(const OutputColumn&) const = default;
};

/// A value that a change puts somewhere.
struct Assignment {
  ColumnId target;  // number 0: all columns, or some that cannot be told
  Sources sources;

  bool operator==(const Assignment&) const = default;
};

struct Lineage {
  std::string kind;                   // as Statement::kind
  std::vector<Reference> references;  // in order of location
  std::map<Oid, Reach> reached;
  std::vector<Assignment> assignments;
  /// Rows that go to the client, or into the table, view, cursor or COPY that the statement makes.
  std::vector<OutputColumn> outputs;
  /// There may be more outputs, in any place, that have these sources.
  bool open = false;
  Sources open_sources;
  /// Somebody's own functions that may run, triggers and operators included; sorted.
  std::vector<Oid> functions;

  /// Not empty: something is not understood, or reads what only running it tells. Where classified
  /// columns could be involved the statement must be refused. Safe to show to the client.
  std::vector<std::string> cannot_tell;
  /// A name is not in the catalog, which may be older than the database.
  bool unknown_name = false;

  bool operator==(const Lineage&) const = default;
};

/// How a session looks names up.
struct Lookup {
  SearchPath path;
  /// Temporary relations that the session made: they hold only what it was shown.
  std::set<std::string, std::less<>> temporary;
};

/// Traces statements against one catalog and keeps what it learns of views and functions. Belongs
/// to one thread.
class Tracer {
 public:
  /// `parser` must outlive it.
  Tracer(Parser& parser, std::shared_ptr<const Catalog> catalog);
  ~Tracer();
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  /// One for each statement of the text. An Error is the parser's limits; a text that is not SQL
  /// has no statements.
  Result<std::vector<Lineage>> trace(std::string_view sql, const Lookup& lookup);

  /// All columns from which values of this one may come, itself first: through views, generated
  /// columns, parents and children. A column is classified if any of them is.
  /// nullopt: cannot tell, so that it must be taken for classified.
  std::optional<Sources> sources_of(ColumnId column);

  const Catalog& catalog() const { return *catalog_; }

 private:
  struct State;
  std::shared_ptr<const Catalog> catalog_;
  std::unique_ptr<State> state_;
};

/// A line for what the table tests compare, with names instead of OIDs.
std::string to_string(const Lineage& lineage, const Catalog& catalog);

}  // namespace sallyport::postgres::sql

#pragma once
// What a database defines, as the gateway knows it at one moment: schemas, relations, columns,
// types, functions, operators, casts. Immutable once made, so that workers share it; how it is
// loaded is none of its business. Plain value structs, so that a test writes one down.
//
// Names are as the server keeps them (folded, unquoted). Definitions are the server's own text,
// read under an empty search_path: every name in them that is not of pg_catalog is qualified.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"

namespace sallyport::postgres::catalog {

using Oid = std::uint32_t;

/// Objects below are PostgreSQL's own, made by initdb.
constexpr Oid first_normal_oid = 16384;

struct Schema {
  Oid oid = 0;
  std::string_view name;
};

enum class RelationKind : char {
  table = 'r',
  partitioned_table = 'p',
  view = 'v',
  materialized_view = 'm',
  foreign_table = 'f',
  sequence = 'S',
  composite = 'c',
  toast = 't',
};

struct Column {
  std::string_view name;
  Oid type = 0;
  std::int32_t type_modifier = -1;
  std::int16_t number = 0;  // attnum: gaps are dropped columns
  bool not_null = false;
  bool has_default = false;
  /// 's' stored, 'v' virtual; 0: not generated. Catalog::generation_of says from what.
  char generated = 0;
  char identity = 0;  // 'a' always, 'd' by default; 0: none
  bool in_primary_key = false;
};

struct Relation {
  Oid oid = 0;
  Oid schema = 0;
  std::string_view name;
  RelationKind kind = RelationKind::table;
  bool is_partition = false;
  bool row_security = false;
  bool temporary = false;       // of some session, perhaps not this one
  Oid row_type = 0;             // pg_type of a whole row
  std::vector<Column> columns;  // in order of number, without dropped ones
  std::string_view definition;  // of views, materialized ones too: SELECT ...;

  bool is_view() const {
    return kind == RelationKind::view || kind == RelationKind::materialized_view;
  }
  const Column* column(std::string_view column_name) const;
  const Column* column(std::int16_t number) const;
};

/// A child or a partition, whose rows are read with the parent's.
struct Inheritance {
  Oid child = 0;
  Oid parent = 0;
};

/// A rule that is not the one that makes a view a view.
struct Rule {
  Oid relation = 0;
  std::string_view name;
  char event = 0;  // '1' select, '2' update, '3' insert, '4' delete
  bool instead = false;
  std::string_view definition;  // CREATE RULE ...;
};

/// A user's trigger; those of foreign keys are not here.
struct Trigger {
  Oid relation = 0;
  std::string_view name;
  Oid function = 0;
  std::uint16_t type = 0;  // tgtype: 1 row, 2 before, 4 insert, 8 delete, 16 update, 32 truncate
};

/// Somebody's own function that runs when a row is written or a value becomes of a domain: in a
/// default, a check, an index, a partition's key, its statistics; or when another function is
/// called: in the default of an argument. Triggers are not here.
struct Runs {
  Oid owner = 0;  // the relation, the domain, or the other function
  Oid function = 0;
};

/// What a generated column is made from.
struct Generation {
  Oid relation = 0;
  std::int16_t column = 0;
  std::string_view expression;
};

enum class TypeKind : char {
  base = 'b',
  composite = 'c',
  domain = 'd',
  enumeration = 'e',
  pseudo = 'p',
  range = 'r',
  multirange = 'm',
};

/// Types of whole rows of tables and views are not here: Relation::row_type says them.
struct Type {
  Oid oid = 0;
  Oid schema = 0;
  std::string_view name;
  TypeKind kind = TypeKind::base;
  char category = 'U';  // typcategory: 'S' string, 'N' numeric, 'D' date and time ...
  Oid base = 0;         // of a domain
  std::int32_t base_modifier = -1;
  bool not_null = false;  // a domain's
  Oid element = 0;        // of an array
  Oid relation = 0;       // of a composite: its relation
  Oid input = 0;          // function that reads its text: somebody's own for types that are
  std::vector<std::string_view> checks;  // of a domain: CHECK (...)
};

struct Argument {
  std::string_view name;  // empty: unnamed
  Oid type = 0;
  char mode = 'i';  // 'i' in, 'o' out, 'b' both, 'v' variadic, 't' column of a table
};

struct Function {
  Oid oid = 0;
  Oid schema = 0;
  std::string_view name;
  std::string_view language;  // "sql", "plpgsql", "c", "internal" ...
  char kind = 'f';            // 'f' function, 'p' procedure, 'a' aggregate, 'w' window
  char volatility = 'v';      // 'i', 's', 'v'
  bool security_definer = false;
  bool returns_set = false;
  bool standard_body = false;  // RETURN x or BEGIN ATOMIC ... END: fixed when it was made
  /// SET search_path: names in its body are looked up there, not where the caller does.
  bool fixes_path = false;
  std::vector<std::string_view> search_path;
  Oid result = 0;
  Oid variadic = 0;                 // element type of a VARIADIC argument
  std::uint16_t defaults = 0;       // the last so many inputs may be left out
  std::vector<Argument> arguments;  // inputs and outputs, in order
  /// Of somebody's own functions: the text of sql and plpgsql; others have none.
  std::string_view body;
  /// Of aggregates: the functions it is made of.
  std::vector<Oid> parts;

  std::size_t inputs() const;
  /// It can be called with so many arguments.
  bool takes(std::size_t count) const;
  bool is_system() const { return oid < first_normal_oid; }
};

/// Somebody's own: those of PostgreSQL are known by list.
struct Operator {
  Oid oid = 0;
  Oid schema = 0;
  std::string_view name;
  Oid left = 0;  // 0: prefix
  Oid right = 0;
  Oid result = 0;
  Oid function = 0;
};

/// Somebody's own.
struct Cast {
  Oid source = 0;
  Oid target = 0;
  Oid function = 0;    // 0: by bytes, or by the text forms
  char context = 'e';  // 'i' implicit, 'a' on assignment, 'e' explicit
};

/// Everything, as it was read. Views need to live only until Catalog::make returns.
struct Contents {
  std::string database;
  Oid database_oid = 0;
  int server_major = 0;
  std::string user;  // "$user" of the search_path
  std::vector<Schema> schemas;
  std::vector<Relation> relations;
  std::vector<Inheritance> inheritance;
  std::vector<Rule> rules;
  std::vector<Trigger> triggers;
  std::vector<Generation> generations;
  std::vector<Runs> runs;
  std::vector<Type> types;
  std::vector<Function> functions;
  std::vector<Operator> operators;
  std::vector<Cast> casts;
};

/// Schemas in the order in which the server looks a name up, "$user" already replaced, as
/// sql::Place has them. pg_catalog comes first unless it is listed.
using SearchPath = std::vector<std::string>;

class Catalog {
 public:
  /// Indexes and copies. `epoch` is another one for every load. Fails on what contradicts itself:
  /// an object in a schema that is not there, or two of one OID.
  static Result<std::shared_ptr<const Catalog>> make(Contents contents, std::uint64_t epoch);
  Catalog(const Catalog&) = delete;
  Catalog& operator=(const Catalog&) = delete;

  std::uint64_t epoch() const { return epoch_; }
  const std::string& database() const { return contents_.database; }
  Oid database_oid() const { return contents_.database_oid; }
  int server_major() const { return contents_.server_major; }
  /// What it keeps in memory, about.
  std::size_t bytes() const { return bytes_; }
  std::size_t relation_count() const { return contents_.relations.size(); }
  /// Two catalogs that say the same, but for the epoch, have one digest.
  std::uint64_t digest() const { return digest_; }

  // By OID; null: not known.
  const Schema* schema(Oid oid) const;
  const Relation* relation(Oid oid) const;
  const Relation* relation_of_row_type(Oid type) const;
  const Type* type(Oid oid) const;
  const Function* function(Oid oid) const;
  std::string_view schema_name(Oid oid) const;
  /// "schema.name", for people.
  std::string name_of(const Relation& relation) const;

  // By name, as the server would.
  const Schema* schema(std::string_view name) const;
  /// `schema` empty: along the path. Temporary relations of sessions are not found.
  /// All that a bare name could mean, in the order of `path`: the first is what it means.
  std::vector<const Relation*> relations(std::string_view name, const SearchPath& path) const;
  const Relation* relation(std::string_view schema, std::string_view name,
                           const SearchPath& path) const;
  const Type* type(std::string_view schema, std::string_view name, const SearchPath& path) const;
  /// All functions of that name which a call could mean, whatever the types: where there are
  /// several the server chooses by types, and any of them may run.
  std::vector<const Function*> functions(std::string_view schema, std::string_view name,
                                         const SearchPath& path) const;
  std::vector<const Operator*> operators(std::string_view schema, std::string_view name,
                                         const SearchPath& path) const;

  /// Those that inherit from it or are its partitions, however deep, without itself.
  std::vector<const Relation*> descendants(Oid relation) const;
  /// What it inherits from or is a partition of, however far up.
  std::vector<const Relation*> ancestors(Oid relation) const;
  std::span<const Rule> rules_of(Oid relation) const;
  std::span<const Trigger> triggers_of(Oid relation) const;
  /// What runs when a row of the relation is written, or a value becomes of the domain.
  std::span<const Runs> runs_of(Oid owner) const;
  /// Empty: not a generated column.
  std::string_view generation_of(Oid relation, std::int16_t column) const;
  std::span<const Cast> casts() const { return contents_.casts; }

  std::span<const Type> types() const { return contents_.types; }
  std::span<const Relation> relations() const { return contents_.relations; }
  std::span<const Schema> schemas() const { return contents_.schemas; }

 private:
  class Names;
  Catalog() = default;

  /// A name in a schema -> index of it in its list. Several functions and operators share one.
  using Index = std::vector<std::uint32_t>;  // sorted by (schema, name)
  template <class T>
  std::span<const std::uint32_t> find(const std::vector<T>& list, const Index& index, Oid schema,
                                      std::string_view name) const;
  template <class T>
  std::vector<const T*> find_all(const std::vector<T>& list, const Index& index,
                                 std::string_view schema, std::string_view name,
                                 const SearchPath& path) const;
  std::vector<Oid> schemas_of(std::string_view schema, const SearchPath& path) const;

  Contents contents_;
  std::deque<std::string> text_;  // what all views point into
  std::uint64_t epoch_ = 0;
  std::uint64_t digest_ = 0;
  std::size_t bytes_ = 0;
  Index relations_by_name_;
  Index types_by_name_;
  Index functions_by_name_;
  Index operators_by_name_;
  std::vector<std::pair<Oid, std::uint32_t>> relations_by_row_type_;
  std::vector<Inheritance> by_child_;  // contents_.inheritance is by parent
};

}  // namespace sallyport::postgres::catalog

#pragma once
// Walks one statement and follows its values: what FROM gives names to, what each expression is
// made of, what the statement puts out. Internal to the lineage (lineage.h). Works on the names of
// one text only; what views and functions are made of is added afterwards (lineage.cc).

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/postgres/sql/lineage.h"
#include "protocol/postgres/sql/tree.h"

namespace sallyport::postgres::sql {

/// A column of something that the text names: which mention, which column. Two mentions of one
/// relation are two things.
struct Source {
  std::uint32_t mention = 0;
  std::int16_t number = 0;

  auto operator<=>(const Source&) const = default;
};

/// What an expression is made of.
struct Flow {
  std::vector<Source> sources;  // sorted, each once
  bool plain = false;           // one column, as it is
  /// Of a whole row: its columns.
  std::shared_ptr<const struct Columns> row;
};

struct Field {
  std::string name;
  Flow flow;
};

struct Columns {
  std::vector<Field> fields;
  /// There may be more, in any place, with any name, made of `open_sources`.
  bool open = false;
  std::vector<Source> open_sources;
};

/// A relation where it is named, or a function that is called.
struct Mention {
  Reference reference;  // of a relation
  Oid function = 0;     // 0: it is a relation
};

struct Flowing {
  Source target;  // the mention of the target
  std::vector<Source> sources;
};

/// All that one text says, before views and functions are followed.
struct Findings {
  std::string kind;
  std::vector<Mention> mentions;
  Columns outputs;
  std::vector<Flowing> assignments;
  std::set<Oid> domains;  // values become of these types: their checks run
  std::vector<std::string> cannot_tell;
  bool unknown_name = false;
};

/// What all traces of one text have in common: a text costs at most this much.
struct TraceBudget {
  std::size_t steps = 0;
  static constexpr std::size_t steps_max = 4'000'000;
};

class Trace {
 public:
  struct Place {
    const Catalog& catalog;
    const Lookup& lookup;
    TraceBudget& budget;
    /// Names that are variables: parameters of a function, of PL/pgSQL. Nothing flows in by them.
    const std::set<std::string, std::less<>>* variables = nullptr;
    /// A function's name, as which its parameters may be qualified.
    std::string_view function;
  };
  Trace(const Place& place, Findings& out);

  /// A whole statement of any kind.
  void statement(const Node& node);
  /// An expression over the columns of `relation`, if that is not null: a generated column, a
  /// check.
  void expression(Value value, const catalog::Relation* relation);

 private:
  /// Something in FROM that columns can be qualified with.
  struct Range {
    std::string name;
    std::string schema;  // where the text may qualify it further
    std::shared_ptr<const Columns> columns;
    int mention = -1;
    Oid relation = 0;  // it has the columns of the system, and may be given to functions
  };
  struct Scope {
    std::vector<Range> ranges;
    Columns columns;              // as they can be named without a qualifier
    std::vector<Field> outputs;   // of the select list, for ORDER BY and GROUP BY
    std::vector<Source> windows;  // what named windows are made of
  };
  /// What an item of FROM adds to its scope.
  struct Item {
    std::vector<Range> ranges;
    Columns columns;
  };
  struct Cte {
    std::string name;
    Object fields;
    std::size_t scopes = 0;  // how many scopes it sees
    std::size_t ctes = 0;    // how many other WITH queries
    enum class State : std::uint8_t { waiting, running, done } state = State::waiting;
    Columns columns;  // so far
    bool used_itself = false;
  };

  // Queries (trace.cc).
  Columns query(const Node& node);
  Columns body(const Node& node);
  Columns select(Object fields);
  Columns set_operation(Object fields);
  void select_list(Object fields, std::string_view list, Columns& out);
  void star(const std::vector<std::string>& qualifier, Columns& out);
  void order(Object fields, std::string_view list, ColumnRole role, bool outputs_first);
  void windows(Object fields);
  std::size_t with(Object fields);
  void run_cte(std::size_t index);
  Columns run_recursive(std::size_t index, const Node& inner);
  void utility(const Node& node);
  void copy(Object fields);

  // Changes (trace_change.cc).
  Columns insert(Object fields);
  Columns update(Object fields);
  Columns delete_(Object fields);
  Columns merge(Object fields);
  int target(Object fields, Use use);
  void triggers(const catalog::Relation& relation, Use use);
  void assign(int mention, std::string_view column, const Flow& flow);
  void assign_list(Object fields, std::string_view list, int mention, Columns* values);
  void insert_row(Object fields, std::string_view list, int mention, const Columns& values,
                  Columns* excluded);
  void on_conflict(Object clause, int mention, const Columns& proposed);
  Columns returning(Object fields, int mention);

  // FROM (trace_from.cc).
  void from(Array items);
  Item from_item(const Node& item);
  Item range_var(Object fields);
  Item subselect(Object fields);
  Item function_item(Object fields);
  Item table_function(const Node& item);
  Item join(Object fields);
  Columns function_columns(Object call, const Flow& flow, std::size_t definitions,
                           std::string_view called);
  int mention(Object range_var, Use use, const catalog::Relation& relation);
  const catalog::Relation* resolve(Object range_var);
  std::shared_ptr<Columns> columns_of(const catalog::Relation& relation, int mention);
  void add_item(Item item);
  static void rename(Columns& columns, Object alias);
  Range range_of(const catalog::Relation& relation, int mention, std::string name);

  // Expressions (trace_expression.cc).
  Flow flow(Value value);
  Flow flow(const Node& node);
  Flow flow_of(Object from, std::string_view name);
  Flow fields_flow(Object fields);
  Flow column(Object fields);
  Flow unqualified(const std::string& name);
  Flow qualified(const std::vector<std::string>& qualifier, const std::string& name);
  const Range* range(const std::vector<std::string>& qualifier);
  Flow whole_row(const Range& range);
  Flow field_of(const Flow& row, const std::string& name);
  Flow indirection(Object fields);
  Flow sublink(Object fields);
  Flow call(Object fields);
  void call_by_name(const Name& name, std::size_t arguments, Flow& flow);
  void call_function(const catalog::Function& function, Flow& flow);
  void operator_(const Name& name, Flow& flow);
  void type(Object fields, Flow& flow);
  void type(Oid type);

  // Findings.
  void use(const Flow& flow, ColumnRole role) { use(flow.sources, role); }
  void use(const std::vector<Source>& sources, ColumnRole role);
  void use(const Columns& columns, ColumnRole role);
  void cannot_tell(std::string why);
  void unknown(std::string why);
  bool spend(std::size_t steps);
  bool deeper();
  void add(std::vector<Source>& to, const std::vector<Source>& more);
  void add(Flow& to, const Flow& more) { add(to.sources, more.sources); }
  std::vector<Source> all_of(const Columns& columns);

  const Place place_;
  Findings& out_;
  std::vector<Scope> scopes_;
  std::vector<Cte> ctes_;
  std::map<std::size_t, int> by_location_;  // mentions of relations
  std::map<Oid, int> by_function_;          // mentions of functions
  int depth_ = 0;
  bool stopped_ = false;
};

/// Reads a tree that stays valid as long as this lives, unlike read_tree()'s.
class OwnTree {
 public:
  Result<Value> read(std::string_view json);

 private:
  simdjson::dom::parser parser_;
};

}  // namespace sallyport::postgres::sql

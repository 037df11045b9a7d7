#pragma once
// Walks a statement and notes what it names. Queries are in walker.cc, what they read from in
// from.cc, expressions in expression.cc, everything else in utility.h. Every kind of node that may
// occur is listed there; an unlisted one, or an unlisted struct inside one, makes the statement not
// understood.

#include <string>
#include <string_view>
#include <vector>

#include "protocol/postgres/sql/analysis.h"
#include "protocol/postgres/sql/tree.h"

namespace sallyport::postgres::sql {

/// What all walkers of one text have in common.
struct Survey {
  bool depends_on_literals = false;
  /// Steps taken so far that may grow faster than the text: a statement costs at most this much.
  std::size_t steps = 0;
  std::vector<FromSite>* sites = nullptr;  // where wanted
  static constexpr std::size_t steps_max = 4'000'000;
  /// What is found is kept, in ten times the room that it took in the text: 50,000 findings.
  static constexpr std::size_t steps_of_finding = 80;
};

constexpr int kWalkDepthMax = 1000;

class Walker {
 public:
  /// `out` gets the findings. `nested`: the statement is inside another one.
  Walker(Statement& out, Survey& survey, bool nested)
      : out_(out), survey_(survey), nested_(nested) {}

  /// A whole statement of any kind.
  void statement(const Node& node);

 private:
  friend class Utility;

  /// How bare relations inside a part are used; nullopt: there must be none.
  struct Part {
    ColumnRole role = ColumnRole::other;
    std::optional<Use> relation;
  };
  /// One thing in FROM, or the target of a change.
  struct Source {
    std::string schema;
    std::string name;
    int relation = -1;      // in Statement::relations; -1 for what is not in the catalog
    bool proposed = false;  // "excluded": the columns are of the relation, the values are not
    /// A function: alias.x is x(alias) if it has no column x.
    bool function = false;
    std::vector<std::string> columns;   // of a function, as far as the text names them
    std::vector<std::string> expanded;  // of a sub-query: what is_expansion() says
  };
  using Scope = std::vector<Source>;
  /// A relation that a statement changes, and whether it also reads it, which asks for more.
  struct Target {
    int relation = -1;
    bool read = false;
  };

  // Queries.
  void query(const Node& node);
  void body(const Node& node);
  void select(Object fields);
  void insert(Object fields);
  void update(Object fields);
  void delete_(Object fields);
  void merge(Object fields);
  void merge_when(Object fields, int target);
  void with(Object fields);
  void set_operation(Object fields);
  void select_list(Object fields);
  void into(Object clause);
  void locking(Object fields, std::size_t first);
  void returning(Object fields);
  void on_conflict(Object clause);
  void assignments(Object fields, std::string_view list);
  void where_of_change(Object fields);
  int begin_target(Object fields, Use use);
  void end_target();
  void note_where(Object fields);
  bool finish_reads() const;

  // FROM.
  void from(Array items);
  void from_item(const Node& item);
  void range_var(Object fields);
  void subselect(Object fields, std::string called);
  void function(Object fields, std::string called);
  void sample(Object fields);
  void join(Object fields);
  void add_source(Source source) { scopes_.back().push_back(std::move(source)); }

  // Expressions.
  void value(Value value, Part part, std::string_view name);
  void fields(Object object, Part part);
  void child(Object from, std::string_view name, Part part);
  void visit(const Node& node, Part part);
  void column(Object fields, Part part);
  const Source* source_of(const std::vector<std::string>& qualifier);
  void attribute(const std::string& name, const Source* source);
  bool is_expanded(const Node& value);
  void indirection(Object fields, Part part);
  void call(Object fields, Part part);
  void setting_call(Object fields, const std::string& row_setting);
  void operator_(Array name);
  void type(Object fields);
  void option(Value argument);
  void definition(const Node& node, Part part);
  void constraint(Object fields, Part part);
  void cascade(Object fields);
  void newer_syntax(std::string_view function, int since);

  int add_relation(Object range_var, Use use);
  void add_column(ColumnUse use, bool proposed = false);
  void add_routine(RoutineUse use);
  void add_unknown_routine(Name name);
  void add_role(Object role_spec);
  void not_understood(std::string why);
  bool is_cte(Object range_var);
  bool spend(std::size_t steps);

  Statement& out_;
  Survey& survey_;
  const bool nested_;
  std::vector<Scope> scopes_;
  std::vector<Target> targets_;
  std::vector<std::string> ctes_;  // names visible here, innermost last
  std::vector<bool> locked_;       // by index in Statement::relations
  int depth_ = 0;
  bool wrote_without_where_ = false;
  bool locks_ = false;
  bool outermost_ = true;
  bool sampling_ = false;
  bool settings_allowed_ = false;  // here and now set_config is always and once evaluated
  std::string row_setting_;        // what "name" is here and now, if that is a row of pg_settings
};

/// A call of information_schema._pg_expandarray, as JDBC has it: a row of "x" and "n".
bool is_expansion(const Node& node);

/// Parts of a name: a List of Strings, a String, a TypeName or an ObjectWithArgs.
Name name_of(Value value);
Name name_of(Array strings);
Name name_of_range_var(Object range_var);
std::string lower(std::string_view text);

/// A statement that is no query; false: its kind is not known.
bool utility(Walker& walker, Statement& out, Survey& survey, const Node& node);

}  // namespace sallyport::postgres::sql

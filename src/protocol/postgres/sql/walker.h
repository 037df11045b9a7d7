#pragma once
// Walks queries and expressions and notes what they name. Every kind of node that may occur is
// listed in walker.cc; an unlisted one, or an unlisted struct inside one, makes the statement not
// understood. Utility statements (utility.cc) use it for the parts that are expressions.

#include <vector>

#include "protocol/postgres/sql/analysis.h"
#include "protocol/postgres/sql/tree.h"

namespace sallyport::postgres::sql {

class Walker {
 public:
  /// `out` gets the findings, `analysis` the flag depends_on_literals.
  Walker(Statement& out, Analysis& analysis) : out_(out), analysis_(analysis) {}

  /// A whole statement of any kind.
  void statement(const Node& node);

 private:
  friend class Utility;

  /// How bare relations inside a part are used; nullopt: there must be none.
  struct Part {
    ColumnRole role = ColumnRole::other;
    std::optional<Use> relation;
  };
  /// One thing in FROM. `relation` is -1 for what is not a relation of the catalog.
  struct Source {
    std::string schema;
    std::string name;
    int relation = -1;
  };
  using Scope = std::vector<Source>;

  // Queries.
  void query(const Node& node);
  void select(Object fields);
  void insert(Object fields);
  void update(Object fields);
  void delete_(Object fields);
  void merge(Object fields);
  void with(Object fields);
  void set_operation(Object fields);
  void into(Object clause);
  void locking(Object fields);
  void returning(Object fields);
  void on_conflict(Object clause);
  void assignments(Object fields, std::string_view list);
  int target(Object fields, Use use);
  void note_where(Object fields);

  // FROM.
  void from(Array items);
  void from_item(const Node& item);
  void range_var(Object fields, Use use);
  void join(Object fields);

  // Everything else.
  void value(Value value, Part part, std::string_view name);
  void fields(Object object, Part part);
  void child(Object from, std::string_view name, Part part);
  void visit(const Node& node, Part part);
  void column(Object fields, Part part);
  void call(Object fields, Part part);
  void setting_call(Object fields);
  void result_target(Object fields, Part part);
  void operator_name(Object fields, std::string_view name);

  int add_relation(Object range_var, Use use);
  void not_understood(std::string why);
  bool is_cte(Object range_var) const;

  Statement& out_;
  Analysis& analysis_;
  std::vector<Scope> scopes_;
  std::vector<std::string> ctes_;  // names visible here, innermost last
  int depth_ = 0;
  bool wrote_without_where_ = false;
  bool locks_ = false;
  bool outermost_ = true;
};

/// Parts of a name: a List of Strings, a String, a TypeName or an ObjectWithArgs.
Name name_of(Value value);
Name name_of(Array strings);
Name name_of_range_var(Object range_var);

/// A statement that is no query; false: its kind is not known.
bool utility(Walker& walker, Statement& out, Analysis& analysis, const Node& node);

}  // namespace sallyport::postgres::sql

#include "protocol/postgres/sql/planning.h"

#include <algorithm>

#include "protocol/postgres/sql/analysis.h"
#include "protocol/postgres/sql/mentions.h"
#include "protocol/postgres/sql/tree.h"

namespace sallyport::postgres::sql {
namespace {

using catalog::Catalog;
using catalog::Function;
using catalog::Oid;
using catalog::Relation;
using catalog::RelationKind;
using catalog::Type;
using catalog::TypeKind;

constexpr int depth_max = 32;  // of types in types

bool is_system(Oid oid) {
  return oid < catalog::first_normal_oid;
}

class Planning {
 public:
  Planning(const Catalog& catalog, const Names& names, const Mentions& mentions)
      : catalog_(catalog), names_(names), mentions_(mentions) {}

  std::string why_not(const std::vector<Statement>& statements, std::span<const Oid> types) {
    for (const Statement& statement : statements) {
      if (auto why = relations(statement); !why.empty()) return why;
    }
    for (const Oid type : types) {
      if (auto why = this->type(type); !why.empty()) return why;
    }
    for (const auto* const names : {&mentions_.types, &mentions_.called}) {
      for (const std::string& name : *names) {
        if (auto why = named_type(name); !why.empty()) return why;
      }
    }
    // x.f is a call of f(x) where x has no column f.
    for (const auto* const names : {&mentions_.called, &mentions_.names}) {
      for (const std::string& name : *names) {
        if (auto why = functions(name); !why.empty()) return why;
      }
    }
    if (auto why = operators(); !why.empty()) return why;
    return casts();
  }

 private:
  /// Only a superuser makes code of these languages; an aggregate is made of anybody's.
  bool is_quiet(Oid function) const {
    if (is_system(function)) return true;
    const Function* const found = catalog_.function(function);
    return found != nullptr && is_quiet(*found);
  }
  bool is_quiet(const Function& function) const {
    const bool builtin = function.language == "c" || function.language == "internal";
    return function.is_system() || (builtin && function.kind != 'a');
  }

  bool all_quiet(Oid owner) const {
    return std::ranges::all_of(catalog_.runs_of(owner),
                               [&](const catalog::Runs& runs) { return is_quiet(runs.function); });
  }

  std::string relations(const Statement& statement) {
    for (const RelationUse& use : statement.relations) {
      if (auto why = relation(use); !why.empty()) return why;
    }
    for (const Statement& nested : statement.nested) {
      if (auto why = relations(nested); !why.empty()) return why;
    }
    return {};
  }

  std::string relation(const RelationUse& use) {
    const std::string& name = use.name.name;
    if (use.temporary || use.name.schema == "pg_temp" || names_.temporary.contains(name)) {
      return name + " is there only for the session";
    }
    const Relation* const found = catalog_.relation(use.name.schema, name, names_.path);
    if (found == nullptr) return name + " is not known";
    if (is_system(found->oid)) return {};
    const bool stored = found->kind == RelationKind::table ||
                        found->kind == RelationKind::partitioned_table ||
                        found->kind == RelationKind::materialized_view;
    if (!stored) return name + " is not a table";
    if (found->row_security) return name + " has policies of its own";
    if (!catalog_.rules_of(found->oid).empty()) return name + " has rules";
    std::vector<const Relation*> all = catalog_.descendants(found->oid);
    all.push_back(found);
    for (const Relation* const ancestor : catalog_.ancestors(found->oid)) all.push_back(ancestor);
    for (const Relation* const one : all) {
      if (!all_quiet(one->oid)) return std::string(one->name) + " is defined with functions";
      if (one->kind == RelationKind::foreign_table) {
        return std::string(one->name) + " is not a table";
      }
      for (const catalog::Column& column : one->columns) {
        if (auto why = type(column.type); !why.empty()) return why;
      }
    }
    return {};
  }

  /// Values of it are read, checked and written by the server's own code. It may come up then.
  std::string type(Oid oid, int depth = 0) {
    if (is_system(oid)) return {};
    if (!types_.insert(oid).second) return {};
    const Type* const found = catalog_.type(oid);
    if (found == nullptr) return "a type is not known";
    const std::string what = "the type " + std::string(found->name);
    if (depth > depth_max) return what + " is nested too deep";
    if (found->kind == TypeKind::enumeration) return {};
    if (found->kind == TypeKind::domain && all_quiet(oid)) return type(found->base, depth + 1);
    if (found->kind == TypeKind::base && found->element != 0) {
      return type(found->element, depth + 1);
    }
    if (found->kind == TypeKind::base && is_quiet(found->input)) return {};
    return what + " may run functions";
  }

  std::string named_type(std::string_view name) {
    for (const catalog::Schema& schema : catalog_.schemas()) {
      if (const Type* const found = catalog_.type(schema.name, name, {})) {
        if (auto why = type(found->oid); !why.empty()) return why;
      }
      const Relation* const row = catalog_.relation(schema.name, name, {});
      if (row != nullptr && !is_system(row->oid) && mentions_.types.contains(name)) {
        return "rows of " + std::string(name) + " as values may run functions";
      }
    }
    return {};
  }

  std::string functions(std::string_view name) const {
    for (const catalog::Schema& schema : catalog_.schemas()) {
      for (const Function* const one : catalog_.functions(schema.name, name, {})) {
        if (!is_quiet(*one)) return std::string(name) + " may be a function";
      }
    }
    return {};
  }

  /// Whether a value of it may come up: of the server's own types always.
  bool comes_up(Oid type) const { return is_system(type) || types_.contains(type); }

  std::string operators() const {
    // BETWEEN, USING, IN, LIKE, ORDER BY and CASE use these without their names.
    std::set<std::string, std::less<>> used = {
        "=", "<>", "<", ">", "<=", ">=", "~~", "!~~", "~~*", "!~~*", "~", "!~"};
    used.insert(mentions_.operators.begin(), mentions_.operators.end());
    for (const std::string& name : used) {
      for (const catalog::Schema& schema : catalog_.schemas()) {
        for (const catalog::Operator* const one : catalog_.operators(schema.name, name, {})) {
          const bool met = comes_up(one->left) && comes_up(one->right);
          if (met && !is_quiet(one->function)) return "the operator " + name + " is somebody's own";
        }
      }
    }
    return {};
  }

  std::string casts() const {
    for (const catalog::Cast& cast : catalog_.casts()) {
      const bool met = comes_up(cast.source) && comes_up(cast.target);
      if (met && cast.function != 0 && !is_quiet(cast.function)) return "a cast is somebody's own";
    }
    return {};
  }

  const Catalog& catalog_;
  const Names& names_;
  const Mentions& mentions_;
  std::set<Oid> types_;  // somebody's own, that may come up
};

}  // namespace

Result<std::string> runs_in_planning(Parser& parser, std::string_view sql, const Catalog& catalog,
                                     const Names& names, std::span<const Oid> types) {
  auto analysis = analyse(parser, sql);
  if (!analysis) return fail(analysis);
  if (!analysis->understood) return analysis->why_not;
  for (const Statement& statement : analysis->statements) {
    if (!statement.understood) return statement.why_not;
  }
  auto parsed = parser.parse(sql);
  if (!parsed) return fail(parsed);
  auto root = read_tree(parsed->tree);
  if (!root) return fail(root);
  const Mentions mentions = mentions_of(*root);
  return Planning(catalog, names, mentions).why_not(analysis->statements, types);
}

}  // namespace sallyport::postgres::sql

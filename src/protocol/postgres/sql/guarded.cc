#include "protocol/postgres/sql/guarded.h"

#include <algorithm>
#include <unordered_set>

#include "protocol/postgres/sql/mask_sql.h"
#include "protocol/postgres/sql/routines.h"
#include "protocol/postgres/sql/unseen.h"

namespace sallyport::postgres::sql {
namespace {

using catalog::Relation;
using catalog::RelationKind;
using Words = std::unordered_set<std::string_view>;

/// The others make, change or run definitions, or reach past the statement.
const Words& allowed_kinds() {
  static const Words kinds = {"select",
                              "insert",
                              "update",
                              "delete",
                              "merge",
                              "select_into",
                              "copy_to",
                              "copy_from",
                              "create_table_as",
                              "explain",
                              "prepare",
                              "execute",
                              "deallocate",
                              "declare_cursor",
                              "fetch",
                              "move",
                              "close",
                              "begin",
                              "commit",
                              "rollback",
                              "savepoint",
                              "release",
                              "rollback_to",
                              "set",
                              "reset",
                              "show",
                              "discard",
                              "set_transaction",
                              "set_constraints",
                              "discard_all",
                              "lock",
                              "truncate",
                              "create_table",
                              "create_index",
                              "create_sequence",
                              "create_schema",
                              "alter_sequence",
                              "alter_table",
                              "drop",
                              "vacuum",
                              "analyze",
                              "unlisten"};
  return kinds;
}

/// Relations of pg_catalog that tell what definitions do not: samples of the data, statements of
/// other sessions, the text that the gateway itself sent.
bool tells_data(std::string_view name) {
  static const Words allowed = {
      "pg_statistic_ext",       "pg_stat_user_tables",   "pg_stat_all_tables",
      "pg_stat_sys_tables",     "pg_stat_user_indexes",  "pg_stat_all_indexes",
      "pg_stat_sys_indexes",    "pg_statio_user_tables", "pg_statio_all_tables",
      "pg_statio_user_indexes", "pg_statio_all_indexes", "pg_stat_database"};
  static const Words denied = {"pg_largeobject",
                               "pg_prepared_statements",
                               "pg_prepared_xacts",
                               "pg_cursors",
                               "pg_authid",
                               "pg_shadow",
                               "pg_user_mapping",
                               "pg_user_mappings",
                               "pg_subscription",
                               "pg_hba_file_rules",
                               "pg_ident_file_mappings",
                               "pg_file_settings",
                               "pg_config",
                               "pg_replication_slots",
                               "pg_locks",
                               "pg_shmem_allocations",
                               "pg_backend_memory_contexts"};
  if (name.starts_with("pg_stat") && !allowed.contains(name)) return true;
  return denied.contains(name);
}

/// Extensions put the like of it into any schema.
bool tells_data_anywhere(std::string_view name) {
  return name.starts_with("pg_stat_") || name.starts_with("pg_buffercache") ||
         name.starts_with("pg_walinspect");
}

bool writes(Use use) {
  return use == Use::insert || use == Use::update || use == Use::delete_;
}

bool is_target(const Statement& statement, const RelationUse& use) {
  return statement.kind == "merge" ||
         std::ranges::any_of(statement.relations, [&](const RelationUse& other) {
           return writes(other.use) && other.name == use.name && other.alias == use.alias;
         });
}

WhyNot masked_for_you(std::string what, std::string hint = "") {
  return {.text = std::move(what) + " while columns are masked for you", .hint = std::move(hint)};
}

}  // namespace

bool reads_harmlessly(std::string_view routine) {
  static const Words names = {
      "currval",      "lastval",        "nextval",      "pg_current_xact_id",    "pg_sleep",
      "pg_sleep_for", "pg_sleep_until", "txid_current", "pg_sequence_last_value"};
  return names.contains(routine);
}

WhyNot Guarded::why_not(const Statement& statement) const {
  if (!statement.understood) return {.text = statement.why_not};
  const std::string kind = statement.kind;
  if (definition && kind != "select") {
    return {.text = "its definition is more than a query"};
  }
  if (!allowed_kinds().contains(kind) || statement.dynamic_sql || statement.copy == CopyEnd::file ||
      statement.copy == CopyEnd::program) {
    return masked_for_you(kind + " is not possible");
  }
  if (kind == "create_schema" && !statement.nested.empty()) {
    return masked_for_you("a schema with what is in it cannot be made by one statement",
                          "make the schema first");
  }
  const bool unbound = definition || kind == "prepare" || kind == "execute";
  if (mentions.reads_gateway_setting || (!mentions.setting_parameters.empty() && unbound)) {
    return masked_for_you("a setting may only be read by its name",
                          "current_setting takes a constant");
  }
  for (const SettingChange& setting : statement.settings) {
    if (setting.name.starts_with(gateway_setting_prefix)) {
      return {.text = "the gateway keeps " + setting.name + " as it is"};
    }
  }
  const bool by_name = std::ranges::any_of(statement.nested, [](const Statement& nested) {
    return nested.prepared == NamedEffect::execute;
  });
  if (statement.explain_analyze && (replaced || by_name)) {
    return masked_for_you("EXPLAIN ANALYZE of what is masked is not possible",
                          "EXPLAIN without ANALYZE shows the plan");
  }
  for (const RoutineUse& use : statement.routines) {
    if (auto why = routine(use); !why.text.empty()) return why;
  }
  if (auto why = unseen_code(statement); !why.text.empty()) return why;
  for (const RelationUse& use : statement.relations) {
    if (auto why = relation(statement, use); !why.text.empty()) return why;
  }
  if (auto why = laundering(statement); !why.text.empty()) return why;
  for (const Statement& nested : statement.nested) {
    if (auto why = why_not(nested); !why.text.empty()) return why;
  }
  return {};
}

// ---- Relations ---------------------------------------------------------------------------------

WhyNot Guarded::system_relation(const RelationUse& use) const {
  if (tells_data(use.name.name)) {
    return masked_for_you(use.name.name + " tells values of the data and cannot be read");
  }
  return {};
}

WhyNot Guarded::relation(const Statement& statement, const RelationUse& use) const {
  if (use.use == Use::create || is_temporary(use)) return {};
  const std::string& name = use.name.name;
  const Relation* const found = catalog.relation(use.name.schema, name, path);
  if (found == nullptr) {
    const bool system = use.name.schema == "pg_catalog" ||
                        use.name.schema == "information_schema" ||
                        (use.name.schema.empty() && catalog_relation_since(name) != 0);
    if (system) return system_relation(use);
    return {.text = "relation \"" + use.name.to_string() + "\" is not known to the gateway",
            .hint = "if it is new, try again",
            .unknown_name = true};
  }
  if (found->oid < catalog::first_normal_oid) {
    if (catalog.schema_name(found->schema) == "pg_toast") {
      return masked_for_you("the server's own storage cannot be read");
    }
    return system_relation(use);
  }
  if (tells_data_anywhere(name)) return system_relation(use);
  if (found->kind == RelationKind::foreign_table) {
    return masked_for_you("the foreign table " + name + " cannot be used",
                          "nobody can say what it reads");
  }
  if (writes(use.use) && !catalog.rules_of(found->oid).empty()) {
    return masked_for_you(name +
                          " has rules, which the gateway does not follow, and cannot be "
                          "changed");
  }
  if (writes(use.use) || use.use == Use::truncate) {
    if (auto why = written(use, *found); !why.text.empty()) return why;
  }
  const Reached reached = reach(*found);
  if (reached.unclear && !use.in_from) {
    return masked_for_you(name + " cannot be looked through and cannot be used");
  }
  const bool is_protected = reached.protection != nullptr || reached.through_view;
  const bool qualified = is_protected && (use.in_from || statement.kind == "copy_to");
  if (!qualified) {
    if (auto why = other_of_that_name(use); !why.text.empty()) return why;
  }
  if (!is_protected) return {};
  switch (use.use) {
    case Use::select:
      if (use.in_from || statement.kind == "copy_to") return {};
      if (is_target(statement, use)) return target(statement, use, *found, reached);
      return masked_for_you(name + " cannot be read in this way");
    case Use::insert:
    case Use::update:
    case Use::delete_:
      return target(statement, use, *found, reached);
    case Use::lock:
      return {};
    case Use::truncate:
      if (reached.protection == nullptr || reached.protection->filters.empty()) return {};
      return masked_for_you(name + " has rows that you may not see, so it cannot be emptied");
    case Use::maintain:
      if (statement.kind == "vacuum" || statement.kind == "analyze") return {};
      break;
    case Use::create:
    case Use::alter:
    case Use::drop:
    case Use::grant:
    case Use::trigger:
      break;
  }
  return masked_for_you("the definition of " + name + " cannot be changed");
}

/// What the name means now may be dropped before the server looks it up, in a transaction that
/// nobody sees yet or in one that ends meanwhile. Then it would mean the next one.
WhyNot Guarded::other_of_that_name(const RelationUse& use) const {
  if (!use.name.schema.empty() || definition) return {};
  const auto all = catalog.relations(use.name.name, path);
  for (std::size_t i = 1; i < all.size(); ++i) {
    const Reached reached = reach(*all[i]);
    if (reached.protection == nullptr && !reached.through_view && !reached.unclear) continue;
    const std::string schema(catalog.schema_name(all[i]->schema));
    return masked_for_you(
        "the name " + use.name.name + " could also mean " + schema + "." + use.name.name +
            " and cannot be used without a schema",
        "write " + std::string(catalog.schema_name(all[0]->schema)) + "." + use.name.name);
  }
  return {};
}

/// Giving values is possible, reading them is not, not even by what happens.
WhyNot Guarded::target(const Statement& statement, const RelationUse& use, const Relation& relation,
                       const Reached& reached) const {
  const std::string& name = use.name.name;
  if (reached.through_view) return masked_for_you("the view " + name + " cannot be written to");
  if (!reached.protection->filters.empty() && use.use != Use::insert) {
    return masked_for_you(name + " has rows that you may not see, so its rows cannot be changed");
  }
  if (reached.protection->masked.empty()) return {};
  if (use.alias == "excluded") return masked_for_you("a table cannot be called excluded");
  if (mentions.all) {
    return masked_for_you("whole rows of " + name + " cannot be read back",
                          "name the columns that you need");
  }
  for (const std::string& row : mentions.bare) {
    if (row == use.alias || row == name || mentions.row_names.contains(row)) {
      return masked_for_you("whole rows of " + name + " cannot be read back",
                            "name the columns that you need");
    }
  }
  for (const MaskedColumn& masked : reached.protection->masked) {
    const catalog::Column* const column = relation.column(masked.number);
    if (column == nullptr || !mentions.names.contains(column->name)) continue;
    return {.text = "the column " + name + "." + std::string(column->name) +
                    " is masked for you (" + masked.classification +
                    ") and cannot be read by a statement that changes " + name,
            .hint = "give its new value as a constant or a parameter, and find rows by others"};
  }
  if (statement.kind == "insert" && mentions.conflict_on_any) {
    return masked_for_you("ON CONFLICT would tell which values " + name + " has",
                          "name the columns: ON CONFLICT (id)");
  }
  return {};
}

/// A temporary relation of this session. One that is called like a relation for everybody is not
/// taken for it: it goes when its transaction is rolled back, and the name means the other then.
bool Guarded::is_temporary(const RelationUse& use) const {
  if (use.temporary || use.name.schema == "pg_temp") return true;
  if (!use.name.schema.empty() || temporary == nullptr || !temporary->contains(use.name.name)) {
    return false;
  }
  return std::ranges::none_of(catalog.schemas(), [&](const catalog::Schema& schema) {
    return catalog.relation(schema.name, use.name.name, {}) != nullptr;
  });
}

bool Guarded::any_written(const Statement& statement) const {
  return std::ranges::any_of(statement.relations,
                             [&](const RelationUse& use) {
                               return (use.use == Use::insert || use.use == Use::update ||
                                       use.use == Use::create) &&
                                      !is_temporary(use);
                             }) ||
         std::ranges::any_of(statement.nested,
                             [&](const Statement& nested) { return any_written(nested); });
}

/// Masked values that are written somewhere look like values there.
WhyNot Guarded::laundering(const Statement& statement) const {
  if (!replaced || !any_written(statement)) return {};
  const auto met = [](const auto& some, const auto& others) {
    return std::ranges::any_of(some,
                               [&](const std::string& name) { return others.contains(name); });
  };
  if (hidden_names || mentions.all || met(replaced_names, mentions.names) ||
      met(replaced_rows, mentions.bare)) {
    return masked_for_you("masked values cannot be written into a table",
                          "read only columns that are not masked");
  }
  return {};
}

// ---- Functions ---------------------------------------------------------------------------------

WhyNot Guarded::routine(const RoutineUse& use) const {
  const std::string& name = use.name.name;
  const auto functions = catalog.functions(use.name.schema, name, path);
  // A system function may have been given other types by somebody.
  for (const catalog::Function* const candidate : functions) {
    if (candidate->is_system()) continue;
    if (const std::string why = unseen.function(*candidate, path); !why.empty()) {
      return masked_for_you(why + ", and cannot be called");
    }
  }
  switch (use.routine_class) {
    case RoutineClass::pure:
    case RoutineClass::session:
    case RoutineClass::catalog:
    case RoutineClass::settings:
      return {};
    case RoutineClass::reads_data:
    case RoutineClass::writes:
    case RoutineClass::admin:
      if (reads_harmlessly(name)) return {};
      break;
    case RoutineClass::dynamic_sql:
    case RoutineClass::internal:
      break;
    case RoutineClass::unknown: {
      if (!functions.empty()) {
        const bool ours =
            std::ranges::any_of(functions, [](const auto* f) { return f->is_system(); });
        if (!ours) return {};
        break;  // of PostgreSQL, and not on our list
      }
      const auto operators = catalog.operators(use.name.schema, name, path);
      const bool known = !operators.empty() || !mentions.called.contains(name) ||
                         catalog.type(use.name.schema, name, path) != nullptr;
      if (known) return {};
      return {.text = "function \"" + use.name.to_string() + "\" is not known to the gateway",
              .hint = "if it is new, try again",
              .unknown_name = true};
    }
  }
  return masked_for_you("the function " + name + " cannot be called");
}

/// Operators, casts and checks of types are functions as well.
WhyNot Guarded::unseen_code(const Statement& statement) const {
  // x.f is a call of f(x) where x has no column f.
  for (const std::string& name : mentions.names) {
    for (const catalog::Schema& schema : catalog.schemas()) {
      for (const catalog::Function* const one : catalog.functions(schema.name, name, {})) {
        if (one->is_system() || one->inputs() == 0) continue;
        if (auto why = unseen.function(*one, path); !why.empty()) {
          return masked_for_you(name + " may be a function: " + why);
        }
      }
    }
  }
  // BETWEEN, USING and CASE use these without their names.
  std::set<std::string, std::less<>> operators = {"=", "<>", "<", ">", "<=", ">="};
  operators.insert(mentions.operators.begin(), mentions.operators.end());
  for (const std::string& name : operators) {
    for (const catalog::Schema& schema : catalog.schemas()) {
      for (const catalog::Operator* const one : catalog.operators(schema.name, name, {})) {
        if (auto why = unseen.function(one->function, path); !why.empty()) {
          return masked_for_you("the operator " + name + " cannot be used: " + why);
        }
      }
    }
  }
  std::set<catalog::Oid> relations;
  for (const RelationUse& use : statement.relations) {
    if (const Relation* const found = catalog.relation(use.name.schema, use.name.name, path)) {
      relations.insert(found->oid);
    }
  }
  if (auto why = unseen.types(mentions, relations, path); !why.empty()) {
    return masked_for_you("a cast or a check would run by itself: " + why);
  }
  return {};
}

/// Triggers, defaults, checks and indexes.
WhyNot Guarded::written(const RelationUse& use, const Relation& relation) const {
  if (auto why = unseen.writing(relation, use.use, path); !why.empty()) {
    return masked_for_you(std::string(relation.name) + " cannot be changed: " + why);
  }
  return {};
}

}  // namespace sallyport::postgres::sql

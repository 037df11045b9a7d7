#include "protocol/postgres/sql/actions.h"

#include <algorithm>
#include <unordered_set>

#include "base/bytes.h"
#include "base/crypto.h"
#include "core/resource_id.h"
#include "protocol/postgres/sql/routines.h"
#include "protocol/postgres/sql/shape.h"

namespace sallyport::postgres::sql {

namespace {

using Words = std::unordered_set<std::string_view>;

std::string hash_of(std::string_view text) {
  return to_hex(sha256(as_bytes(text)));
}

std::string_view action_of(Use use) {
  switch (use) {
    case Use::select:
      return "sql:select";
    case Use::insert:
      return "sql:insert";
    case Use::update:
    case Use::lock:
      return "sql:update";
    case Use::delete_:
      return "sql:delete";
    case Use::truncate:
      return "sql:truncate";
    case Use::create:
      return "sql:create";
    case Use::drop:
      return "sql:drop";
    case Use::grant:
      return "sql:grant";
    case Use::alter:
    case Use::maintain:
    case Use::trigger:
      return "sql:alter";
  }
  return "sql:alter";
}

class Mapper {
 public:
  Mapper(const Place& place, Decidable& out) : place_(place), out_(out) {}

  void statement(const Statement& statement) {
    for (const auto& relation : statement.relations) table(relation);
    for (const auto& object : statement.objects) thing(object);
    for (const auto& routine : statement.routines) call(routine);
    for (const auto& setting : statement.settings) set(setting);
    if (statement.kind == "do") routine("sql:call", {.schema = "pg_catalog", .name = "do"});
    if (statement.copy == CopyEnd::file || statement.copy == CopyEnd::program) {
      database("sql:copy_file");
    }
    if (statement.transaction == TransactionEffect::prepare ||
        statement.transaction == TransactionEffect::commit_prepared ||
        statement.transaction == TransactionEffect::rollback_prepared) {
      database("sql:set");
    }
    for (const auto& nested : statement.nested) this->statement(nested);
  }

  /// Needs no more than the right to be connected.
  void connect() { database("connect"); }

 private:
  void add(std::string_view action, std::string_view type, std::string id) {
    out_.actions.push_back({.name = std::string(action),
                            .resource = {.type = std::string(type), .id = std::move(id)}});
  }
  void database(std::string_view action) {
    add(action, "Database", resource_id({place_.connection, place_.database}));
  }
  void refuse(std::string why) {
    if (out_.why_not.empty()) out_.why_not = std::move(why);
  }

  /// Every schema that the name may be found in. Without a catalog nobody knows which one it is,
  /// so all of them must be permitted.
  std::vector<std::string> schemas(const Name& name) {
    if (!name.catalog.empty() && name.catalog != place_.database) {
      refuse("database \"" + name.catalog + "\" is not this one");
      return {};
    }
    if (!name.schema.empty()) return {name.schema};
    if (place_.search_path.empty()) {
      refuse("search_path is empty: write schema.name for \"" + name.name + "\"");
    }
    return place_.search_path;
  }

  void table(const RelationUse& use) {
    const std::string_view action = action_of(use.use);
    if (use.use == Use::grant) return database(action);
    std::vector<std::string> where;
    const bool system = use.name.schema.empty() && use.use != Use::create;
    if (system && is_catalog_relation(use.name.name)) {
      where = {"pg_catalog"};
    } else {
      where = use.temporary ? std::vector<std::string>{"pg_temp"} : schemas(use.name);
      // Newer than our list, perhaps: it must be permitted as either.
      if (system && use.name.name.starts_with("pg_")) where.emplace_back("pg_catalog");
    }
    for (const auto& schema : where) {
      add(action, "Table",
          resource_id({place_.connection, place_.database, schema, use.name.name}));
    }
  }

  void routine(std::string_view action, const Name& name) {
    for (const auto& schema : schemas(name)) {
      add(action, "Routine", resource_id({place_.connection, place_.database, schema, name.name}));
    }
  }

  void thing(const ObjectUse& object) {
    const std::string_view action = action_of(object.use);
    if (object.kind == "function") return routine(action, object.name);
    if (object.kind == "schema") {
      return add(action, "DbSchema",
                 resource_id({place_.connection, place_.database, object.name.name}));
    }
    if (object.kind == "type") {
      for (const auto& schema : schemas(object.name)) {
        add(action, "DbSchema", resource_id({place_.connection, place_.database, schema}));
      }
      return;
    }
    database(action);
  }

  void call(const RoutineUse& use) {
    if (use.routine_class == RoutineClass::pure || use.routine_class == RoutineClass::session) {
      return;
    }
    Name name = use.name;
    if (name.schema.empty() && use.routine_class != RoutineClass::unknown &&
        use.routine_class != RoutineClass::dynamic_sql) {
      name.schema = "pg_catalog";
    }
    if (name.schema.empty() && use.routine_class == RoutineClass::dynamic_sql) {
      routine("sql:call", name);
      name.schema = "pg_catalog";
    }
    routine("sql:call", name);
  }

  void set(const SettingChange& change) {
    if (is_pinned_setting(change.name) && !change.reset) {
      return refuse("the gateway keeps " + change.name + " as it is");
    }
    if (change.name == "all" || is_harmless_setting(change.name)) return;
    if (is_pinned_setting(change.name)) return;
    database("sql:set");
  }

  const Place& place_;
  Decidable& out_;
};

/// What later statements of the same string would have to be read in the light of.
bool changes_meaning(const Statement& statement) {
  static const Words kinds = {"do", "call", "discard_all", "execute"};
  if (!statement.settings.empty() || kinds.contains(statement.kind)) return true;
  if (statement.kind.starts_with("create") || statement.kind.starts_with("alter") ||
      statement.kind.starts_with("drop") || statement.kind == "select_into") {
    return true;
  }
  return std::ranges::any_of(statement.nested, changes_meaning);
}

}  // namespace

bool is_harmless_setting(std::string_view name) {
  static const Words names = {"application_name",
                              "bytea_output",
                              "client_min_messages",
                              "datestyle",
                              "default_text_search_config",
                              "extra_float_digits",
                              "geqo",
                              "intervalstyle",
                              "jit",
                              "lc_monetary",
                              "lc_numeric",
                              "lc_time",
                              "lock_timeout",
                              "statement_timeout",
                              "timezone",
                              "idle_in_transaction_session_timeout",
                              "synchronize_seqscans",
                              "xmlbinary",
                              "xmloption",
                              "transaction_isolation",
                              "default_transaction_isolation",
                              "transaction_deferrable",
                              "default_transaction_deferrable",
                              "plan_cache_mode",
                              "quote_all_identifiers"};
  return names.contains(name);
}

bool is_pinned_setting(std::string_view name) {
  static const Words names = {
      "standard_conforming_strings", "client_encoding", "backslash_quote",
      "escape_string_warning",       "array_nulls",     "transform_null_equals"};
  return names.contains(name);
}

Decidable decidable(const Analysis& analysis, std::string_view sql, const Place& place) {
  Decidable out;
  if (!analysis.understood) {
    out.why_not = analysis.why_not;
    return out;
  }
  const bool many = analysis.statements.size() > 1;
  out.read_only = true;
  Mapper mapper(place, out);
  for (const auto& statement : analysis.statements) {
    if (!statement.understood) out.why_not = statement.why_not;
    if (many && changes_meaning(statement)) {
      out.why_not = "a statement that changes what names mean must be sent by itself";
    }
    if (!out.why_not.empty()) break;
    mapper.statement(statement);
    if (out.context.kind.empty()) out.context.kind = statement.kind;
    out.context.dynamic_sql = out.context.dynamic_sql || statement.dynamic_sql;
    const bool neutral = statement.transaction != TransactionEffect::none &&
                         statement.transaction < TransactionEffect::prepare &&
                         statement.transaction_read_only != false;
    const bool named = statement.prepared == NamedEffect::execute ||
                       statement.cursor == CursorEffect::fetch ||
                       statement.cursor == CursorEffect::move;
    out.read_only = out.read_only && (statement.read_only || neutral || named);
    if (!out.why_not.empty()) break;
  }
  if (!out.why_not.empty()) {
    out.actions.clear();
    out.read_only = false;
    return out;
  }
  if (out.actions.empty()) mapper.connect();
  std::ranges::sort(out.actions);
  out.actions.erase(std::ranges::unique(out.actions).begin(), out.actions.end());
  out.context.has_where =
      !analysis.statements.empty() &&
      std::ranges::all_of(analysis.statements, [](const Statement& s) { return s.has_where; });
  if (out.context.kind.empty()) out.context.kind = "empty";
  out.context.multi = many;
  out.context.fingerprint = hash_of(shape_of(sql).value_or(std::string(sql)));
  out.context.hash = hash_of(sql);
  return out;
}

}  // namespace sallyport::postgres::sql

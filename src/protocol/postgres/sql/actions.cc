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

constexpr int kOldestServer = 13;

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
    for (const auto& schema : schemas_of(use)) {
      add(action, "Table",
          resource_id({place_.connection, place_.database, schema, use.name.name}));
    }
  }

  std::vector<std::string> schemas_of(const RelationUse& use) {
    if (use.temporary) return {"pg_temp"};
    const bool may_be_system = use.name.schema.empty() && use.use != Use::create;
    const int since = may_be_system ? catalog_relation_since(use.name.name) : 0;
    if (since != 0 && is_on_server(since) && !catalog_is_shadowed()) return {"pg_catalog"};
    std::vector<std::string> where = schemas(use.name);
    // Newer than our list, perhaps: it must be permitted as either.
    if (may_be_system && use.name.name.starts_with("pg_")) where.emplace_back("pg_catalog");
    return where;
  }

  bool is_on_server(int since) const {
    return since <= kOldestServer || since <= place_.server_major;
  }

  /// pg_catalog is searched first unless the path says where.
  bool catalog_is_shadowed() const {
    const auto found = std::ranges::find(place_.search_path, "pg_catalog");
    return found != place_.search_path.end() && found != place_.search_path.begin();
  }

  void routine(std::string_view action, const Name& name) {
    for (const auto& schema : schemas(name)) {
      add(action, "Routine", resource_id({place_.connection, place_.database, schema, name.name}));
    }
  }

  void thing(const ObjectUse& object) {
    const std::string_view action = action_of(object.use);
    if (object.kind == "function") return routine(action, object.name);
    if (object.kind == "setting") return database("sql:set");
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
    const bool bare = use.name.schema.empty();
    RoutineClass routine_class = use.routine_class;
    const bool ours = !bare || (is_on_server(use.since) && !catalog_is_shadowed());
    if (!ours && routine_class != RoutineClass::dynamic_sql) routine_class = RoutineClass::unknown;
    if (routine_class == RoutineClass::catalog) {
      return table(
          {.name = {.schema = "pg_catalog", .name = std::string(catalog_of(use.name.name))}});
    }
    if (is_harmless(routine_class)) return;
    out_.read_only = false;
    Name name = use.name;
    if (!bare) return routine("sql:call", name);
    const bool ours_alone =
        routine_class != RoutineClass::unknown && routine_class != RoutineClass::dynamic_sql;
    if (!ours_alone) routine("sql:call", name);
    // What runs SQL is there or elsewhere; and our lists may be older than the server.
    const bool perhaps_ours =
        routine_class == RoutineClass::dynamic_sql || use.routine_class != RoutineClass::unknown ||
        name.name.starts_with("pg_") || name.name.starts_with("binary_upgrade_");
    if (!perhaps_ours) return;
    name.schema = "pg_catalog";
    routine("sql:call", name);
  }

  void set(const SettingChange& change) {
    // Back to what the gateway's own login set, the role too.
    if (change.reset) return;
    if (breaks_pin(change)) return refuse("the gateway keeps " + change.name + " as it is");
    if (is_pinned_setting(change.name) || is_harmless_change(change)) return;
    database("sql:set");
  }

  /// Below NOTICE the server tells what it thinks: plans, with the constants in them.
  static bool is_harmless_change(const SettingChange& change) {
    if (change.name != "client_min_messages") return is_harmless_setting(change.name);
    static const Words levels = {"notice", "warning", "error"};
    return change.value && levels.contains(*change.value);
  }

  const Place& place_;
  Decidable& out_;
};

bool names_anything_unqualified(const Statement& statement) {
  const auto bare = [](const auto& use) { return use.name.schema.empty(); };
  return std::ranges::any_of(statement.relations, bare) ||
         std::ranges::any_of(statement.objects, bare) ||
         std::ranges::any_of(statement.routines, bare) ||
         std::ranges::any_of(statement.nested, names_anything_unqualified);
}

/// What the end of a transaction undoes may be a search_path.
bool ends_transaction(const Statement& statement) {
  return statement.transaction == TransactionEffect::commit ||
         statement.transaction == TransactionEffect::rollback ||
         statement.transaction == TransactionEffect::rollback_to ||
         statement.transaction == TransactionEffect::prepare;
}

/// It may leave another search_path behind, so far as its text tells.
bool may_change_path(const Statement& statement) {
  static const Words names = {"search_path", "role", "session_authorization", "all"};
  return statement.kind.starts_with("discard") || statement.kind == "execute" ||
         std::ranges::any_of(statement.settings,
                             [](const auto& one) { return names.contains(one.name); }) ||
         std::ranges::any_of(statement.nested, may_change_path);
}

/// Why the statements of one string cannot be decided together, or empty.
std::string why_not_together(const std::vector<Statement>& statements, const Place& place) {
  if (statements.size() < 2) return {};
  bool ended = false;
  for (const auto& statement : statements) {
    const bool is_last = &statement == &statements.back();
    // What comes last changes names for nobody: pools send RESET ALL at the end of a string.
    if (!is_last && may_change_path(statement)) {
      return "a statement that changes what names mean must be sent by itself";
    }
    if (ended && place.path_may_return && names_anything_unqualified(statement)) {
      return "what comes after the end of a transaction must be sent by itself";
    }
    ended = ended || ends_transaction(statement);
  }
  return {};
}

/// Begins, ends and the like write nothing themselves; EXECUTE and FETCH do what they name, which
/// the session adds.
bool may_be_read_only(const Statement& statement) {
  if (statement.read_only) return true;
  const bool neutral = statement.transaction != TransactionEffect::none &&
                       statement.transaction < TransactionEffect::prepare &&
                       statement.transaction_read_only != false;
  const bool named =
      statement.kind == "execute" || statement.kind == "fetch" || statement.kind == "move";
  return (neutral || named) && statement.relations.empty() && !statement.dynamic_sql &&
         std::ranges::all_of(statement.routines,
                             [](const auto& use) { return is_harmless(use.routine_class); });
}

}  // namespace

std::string why_definitions_matter(const Analysis& analysis) {
  const auto& statements = analysis.statements;
  if (statements.size() < 2) return {};
  if (!std::any_of(statements.begin(), statements.end() - 1, may_change_names)) return {};
  return "a statement that changes what names mean must be sent by itself while columns are masked "
         "for you";
}

bool runs_unseen_code(const Statement& statement) {
  return statement.dynamic_sql || statement.kind == "do" || statement.kind == "call" ||
         std::ranges::any_of(statement.routines,
                             [](const RoutineUse& use) {
                               return use.routine_class == RoutineClass::unknown ||
                                      use.routine_class == RoutineClass::dynamic_sql;
                             }) ||
         std::ranges::any_of(statement.nested, runs_unseen_code);
}

bool may_change_names(const Statement& statement) {
  static const Words kinds = {"discard", "discard_all", "execute", "select_into"};
  const std::string_view kind = statement.kind;
  return !statement.settings.empty() || kinds.contains(kind) || kind.starts_with("create") ||
         kind.starts_with("alter") || kind.starts_with("drop") || runs_unseen_code(statement) ||
         std::ranges::any_of(statement.nested, may_change_names);
}

bool is_harmless_setting(std::string_view name) {
  static const Words names = {"application_name",
                              "bytea_output",
                              "client_min_messages",
                              "datestyle",
                              "escape_string_warning",  // of strings that are not allowed here
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
  static const Words names = {"standard_conforming_strings", "client_encoding", "backslash_quote",
                              "array_nulls", "transform_null_equals"};
  return names.contains(name);
}

bool breaks_pin(const SettingChange& change) {
  if (!is_pinned_setting(change.name) || change.reset) return false;
  std::string plain;
  for (const char c : change.value.value_or("")) {
    if (c >= 'A' && c <= 'Z') plain.push_back(static_cast<char>(c - 'A' + 'a'));
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) plain.push_back(c);
  }
  if (change.name == "client_encoding") return plain != "utf8" && plain != "unicode";
  if (change.name == "standard_conforming_strings") return plain != "on" && plain != "true";
  return true;
}

Decidable decidable(const Analysis& analysis, std::string_view sql, const Place& place) {
  Decidable out;
  if (!analysis.understood) {
    out.why_not = analysis.why_not;
    return out;
  }
  out.why_not = why_not_together(analysis.statements, place);
  out.read_only = true;
  Mapper mapper(place, out);
  for (const auto& statement : analysis.statements) {
    if (!statement.understood && out.why_not.empty()) out.why_not = "not understood";
    if (!statement.understood && !statement.why_not.empty()) out.why_not = statement.why_not;
    if (!out.why_not.empty()) break;
    mapper.statement(statement);
    if (out.context.kind.empty()) out.context.kind = statement.kind;
    out.context.dynamic_sql = out.context.dynamic_sql || statement.dynamic_sql;
    out.read_only = out.read_only && may_be_read_only(statement);
  }
  if (!out.why_not.empty()) return {.why_not = std::move(out.why_not)};
  if (out.actions.empty()) mapper.connect();
  std::ranges::sort(out.actions);
  out.actions.erase(std::ranges::unique(out.actions).begin(), out.actions.end());
  out.context.has_where =
      !analysis.statements.empty() &&
      std::ranges::all_of(analysis.statements, [](const Statement& s) { return s.has_where; });
  if (out.context.kind.empty()) out.context.kind = "empty";
  out.context.multi = analysis.statements.size() > 1;
  out.context.fingerprint =
      analysis.fingerprint.empty() ? fingerprint_of(sql, shape_of(sql)) : analysis.fingerprint;
  out.context.hash = to_hex(sha256(as_bytes(sql)));
  return out;
}

}  // namespace sallyport::postgres::sql

// Statements that are no queries: what each makes, changes, removes, sets or names.

#include <algorithm>
#include <unordered_map>

#include "protocol/postgres/sql/walker.h"

namespace sallyport::postgres::sql {

class Utility {
 public:
  Utility(Walker& walker, Statement& out, Analysis& analysis)
      : walker_(walker), out_(out), analysis_(analysis) {}

  bool run(const Node& node) {
    using Handler = void (Utility::*)(Object);
    struct Entry {
      std::string_view kind;
      Handler handler;
    };
    static const std::unordered_map<std::string_view, Entry> entries = {
        {"TransactionStmt", {"begin", &Utility::transaction}},
        {"VariableSetStmt", {"set", &Utility::set}},
        {"VariableShowStmt", {"show", &Utility::nothing}},
        {"ConstraintsSetStmt", {"set_constraints", &Utility::nothing}},
        {"DiscardStmt", {"discard", &Utility::discard}},
        {"PrepareStmt", {"prepare", &Utility::prepare}},
        {"ExecuteStmt", {"execute", &Utility::execute}},
        {"DeallocateStmt", {"deallocate", &Utility::deallocate}},
        {"DeclareCursorStmt", {"declare_cursor", &Utility::declare}},
        {"FetchStmt", {"fetch", &Utility::fetch}},
        {"ClosePortalStmt", {"close", &Utility::close}},
        {"ExplainStmt", {"explain", &Utility::explain}},
        {"CopyStmt", {"copy_to", &Utility::copy}},
        {"CallStmt", {"call", &Utility::call}},
        {"DoStmt", {"do", &Utility::do_}},
        {"ListenStmt", {"listen", &Utility::listen}},
        {"UnlistenStmt", {"unlisten", &Utility::nothing}},
        {"NotifyStmt", {"notify", &Utility::notify}},
        {"LockStmt", {"lock", &Utility::lock}},
        {"TruncateStmt", {"truncate", &Utility::truncate}},
        {"VacuumStmt", {"vacuum", &Utility::vacuum}},
        {"ClusterStmt", {"cluster", &Utility::maintain}},
        {"ReindexStmt", {"reindex", &Utility::maintain}},
        {"RefreshMatViewStmt", {"refresh_view", &Utility::maintain}},
        {"CheckPointStmt", {"checkpoint", &Utility::alter_database}},
        {"CreateStmt", {"create_table", &Utility::create_table}},
        {"CreateTableAsStmt", {"create_table_as", &Utility::create_table_as}},
        {"ViewStmt", {"create_view", &Utility::create_view}},
        {"IndexStmt", {"create_index", &Utility::create_index}},
        {"CreateSeqStmt", {"create_sequence", &Utility::create_sequence}},
        {"AlterSeqStmt", {"alter_sequence", &Utility::alter_sequence}},
        {"CreateSchemaStmt", {"create_schema", &Utility::create_schema}},
        {"CreateFunctionStmt", {"create_function", &Utility::create_function}},
        {"AlterFunctionStmt", {"alter_function", &Utility::alter_function}},
        {"CreateTrigStmt", {"create_trigger", &Utility::create_trigger}},
        {"RuleStmt", {"create_rule", &Utility::create_rule}},
        {"CreatePolicyStmt", {"create_policy", &Utility::policy}},
        {"AlterPolicyStmt", {"alter_policy", &Utility::policy}},
        {"CreateDomainStmt", {"create_domain", &Utility::create_domain}},
        {"CreateEnumStmt", {"create_type", &Utility::create_type}},
        {"CreateRangeStmt", {"create_type", &Utility::create_type}},
        {"CompositeTypeStmt", {"create_type", &Utility::create_composite}},
        {"AlterEnumStmt", {"alter_type", &Utility::alter_type}},
        {"AlterTypeStmt", {"alter_type", &Utility::alter_type}},
        {"AlterDomainStmt", {"alter_domain", &Utility::alter_type}},
        {"AlterTableStmt", {"alter_table", &Utility::alter_table}},
        {"RenameStmt", {"alter_rename", &Utility::alter_object}},
        {"AlterObjectSchemaStmt", {"alter_schema_of", &Utility::alter_object}},
        {"AlterOwnerStmt", {"alter_owner", &Utility::alter_object}},
        {"CommentStmt", {"comment", &Utility::comment}},
        {"DropStmt", {"drop", &Utility::drop}},
        {"GrantStmt", {"grant", &Utility::grant}},
        {"GrantRoleStmt", {"grant_role", &Utility::roles}},
        {"CreateRoleStmt", {"create_role", &Utility::roles}},
        {"AlterRoleStmt", {"alter_role", &Utility::roles}},
        {"DropRoleStmt", {"drop_role", &Utility::roles}},
        {"ReassignOwnedStmt", {"reassign_owned", &Utility::roles}},
        {"DropOwnedStmt", {"drop_owned", &Utility::roles}},
        {"AlterDefaultPrivilegesStmt", {"alter_default_privileges", &Utility::roles}},
        {"CreatedbStmt", {"create_database", &Utility::create_database}},
        {"DropdbStmt", {"drop_database", &Utility::drop_database}},
        {"AlterDatabaseStmt", {"alter_database", &Utility::alter_database}},
        {"CreateExtensionStmt", {"create_extension", &Utility::create_database}},
        {"AlterExtensionStmt", {"alter_extension", &Utility::alter_database}},
        {"CreateStatsStmt", {"create_statistics", &Utility::create_statistics}},
    };
    const auto found = entries.find(node.kind);
    if (found == entries.end()) return false;
    out_.kind = found->second.kind;
    (this->*found->second.handler)(node.fields);
    return true;
  }

 private:
  static constexpr Walker::Part kExpression{};

  void nothing(Object) {}

  void nest(const Node& node) {
    Statement inner;
    Walker(inner, analysis_).statement(node);
    out_.has_where = inner.has_where;
    out_.nested.push_back(std::move(inner));
  }
  bool nest(Object fields, std::string_view name) {
    const auto inner = node(fields, name);
    if (inner) nest(*inner);
    return inner.has_value();
  }
  void relation(Object fields, std::string_view name, Use use) {
    if (const auto found = object(fields, name)) walker_.add_relation(*found, use);
  }
  void relations(Object fields, std::string_view name, Use use) {
    walker_.child(fields, name, {.relation = use});
  }
  void thing(std::string kind, Name name, Use use) {
    out_.objects.push_back({.kind = std::move(kind), .name = std::move(name), .use = use});
  }
  void walk(Object fields, std::initializer_list<std::string_view> names, Walker::Part part = {}) {
    for (const auto name : names) walker_.child(fields, name, part);
  }

  // ---- Sessions ----

  void transaction(Object fields) {
    struct Effect {
      std::string_view word;
      TransactionEffect effect;
    };
    static const std::unordered_map<std::string_view, Effect> effects = {
        {"TRANS_STMT_BEGIN", {"begin", TransactionEffect::begin}},
        {"TRANS_STMT_START", {"begin", TransactionEffect::begin}},
        {"TRANS_STMT_COMMIT", {"commit", TransactionEffect::commit}},
        {"TRANS_STMT_ROLLBACK", {"rollback", TransactionEffect::rollback}},
        {"TRANS_STMT_SAVEPOINT", {"savepoint", TransactionEffect::savepoint}},
        {"TRANS_STMT_RELEASE", {"release", TransactionEffect::release}},
        {"TRANS_STMT_ROLLBACK_TO", {"rollback_to", TransactionEffect::rollback_to}},
        {"TRANS_STMT_PREPARE", {"prepare_transaction", TransactionEffect::prepare}},
        {"TRANS_STMT_COMMIT_PREPARED", {"commit_prepared", TransactionEffect::commit_prepared}},
        {"TRANS_STMT_ROLLBACK_PREPARED",
         {"rollback_prepared", TransactionEffect::rollback_prepared}},
    };
    const auto found = effects.find(text(fields, "kind"));
    if (found == effects.end()) return walker_.not_understood("an unknown transaction command");
    out_.kind = found->second.word;
    out_.transaction = found->second.effect;
    transaction_modes(fields, "options");
  }

  void transaction_modes(Object fields, std::string_view list) {
    const auto options = array(fields, list);
    if (!options) return;
    for (Value item : *options) {
      const auto option = node(item);
      if (!option || text(option->fields, "defname") != "transaction_read_only") continue;
      const auto arg = node(option->fields, "arg");
      const auto value = arg ? object(arg->fields, "ival") : std::nullopt;
      out_.transaction_read_only = value && number(*value, "ival") != 0;
    }
  }

  void set(Object fields) {
    analysis_.depends_on_literals = true;
    const std::string_view kind = text(fields, "kind");
    SettingChange change{.name = std::string(text(fields, "name"))};
    std::ranges::transform(change.name, change.name.begin(), [](unsigned char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : static_cast<char>(c);
    });
    change.local = flag(fields, "is_local");
    change.reset = kind == "VAR_SET_DEFAULT" || kind == "VAR_RESET" || kind == "VAR_RESET_ALL";
    if (kind == "VAR_RESET" || kind == "VAR_RESET_ALL") out_.kind = "reset";
    if (kind == "VAR_RESET_ALL") change.name = "all";
    if (kind == "VAR_SET_MULTI") {
      transaction_modes(fields, "args");
      out_.kind = "set_transaction";
      if (change.name == "transaction") return;
      if (change.name == "session characteristics") {
        out_.settings.push_back({.name = "default_transaction_read_only"});
        return;
      }
      return walker_.not_understood("SET " + change.name + " is not supported");
    }
    if (kind == "VAR_SET_CURRENT") return walker_.not_understood("FROM CURRENT outside a function");
    if (kind == "VAR_SET_VALUE") change.value = setting_value(fields);
    out_.settings.push_back(std::move(change));
  }

  /// As SHOW would write it: a list is joined by ", ".
  std::optional<std::string> setting_value(Object fields) {
    const auto args = array(fields, "args");
    if (!args) return std::nullopt;
    std::string value;
    for (Value item : *args) {
      const auto constant = node(item);
      if (!constant || constant->kind != "A_Const") return std::nullopt;
      if (!value.empty()) value += ", ";
      if (const auto string = string_of(item)) {
        value += *string;
      } else if (const auto integer = object(constant->fields, "ival")) {
        value += std::to_string(number(*integer, "ival"));
      } else if (const auto real = object(constant->fields, "fval")) {
        value += text(*real, "fval");
      } else {
        return std::nullopt;
      }
    }
    return value;
  }

  void discard(Object fields) {
    if (text(fields, "target") != "DISCARD_ALL") return;
    out_.kind = "discard_all";
    out_.settings.push_back({.name = "session_authorization", .reset = true});
    out_.settings.push_back({.name = "all", .reset = true});
    out_.prepared = NamedEffect::deallocate;
    out_.cursor = CursorEffect::close;
  }

  void prepare(Object fields) {
    out_.prepared = NamedEffect::define;
    out_.prepared_name = text(fields, "name");
    if (!nest(fields, "query")) walker_.not_understood("PREPARE of nothing");
  }
  void execute(Object fields) {
    out_.prepared = NamedEffect::execute;
    out_.prepared_name = text(fields, "name");
    walk(fields, {"params"});
  }
  void deallocate(Object fields) {
    out_.prepared = NamedEffect::deallocate;
    out_.prepared_name = text(fields, "name");
  }
  void declare(Object fields) {
    constexpr std::int64_t hold = 0x20;
    out_.cursor = CursorEffect::declare;
    out_.cursor_name = text(fields, "portalname");
    out_.cursor_hold = (number(fields, "options") & hold) != 0;
    if (!nest(fields, "query")) walker_.not_understood("DECLARE of nothing");
  }
  void fetch(Object fields) {
    const bool move = flag(fields, "ismove");
    if (move) out_.kind = "move";
    out_.cursor = move ? CursorEffect::move : CursorEffect::fetch;
    out_.cursor_name = text(fields, "portalname");
  }
  void close(Object fields) {
    out_.cursor = CursorEffect::close;
    out_.cursor_name = text(fields, "portalname");
  }

  void explain(Object fields) {
    analysis_.depends_on_literals = true;  // (ANALYZE 'off')
    if (const auto options = array(fields, "options")) {
      for (Value item : *options) {
        const auto option = node(item);
        if (!option || text(option->fields, "defname") != "analyze") continue;
        const auto arg = field(option->fields, "arg");
        const auto word = arg ? string_of(*arg) : std::nullopt;
        out_.explain_analyze = !(word && (*word == "false" || *word == "off"));
      }
    }
    if (!nest(fields, "query")) walker_.not_understood("EXPLAIN of nothing");
  }

  void copy(Object fields) {
    analysis_.depends_on_literals = true;
    const bool into = flag(fields, "is_from");
    out_.kind = into ? "copy_from" : "copy_to";
    const bool named = !text(fields, "filename").empty();
    out_.copy = flag(fields, "is_program")           ? CopyEnd::program
                : named || field(fields, "filename") ? CopyEnd::file
                                                     : CopyEnd::client;
    out_.copy_format = "text";
    if (const auto options = array(fields, "options")) {
      for (Value item : *options) {
        const auto option = node(item);
        if (!option || text(option->fields, "defname") != "format") continue;
        const auto arg = field(option->fields, "arg");
        out_.copy_format = std::string(arg ? string_of(*arg).value_or("") : "");
      }
    }
    relation(fields, "relation", into ? Use::insert : Use::select);
    const bool all = !array(fields, "attlist");
    if (all && !out_.relations.empty()) {
      out_.columns.push_back({.column = "*",
                              .role = into ? ColumnRole::assignment : ColumnRole::output,
                              .relation = 0});
    } else if (!all) {
      for (Value item : *array(fields, "attlist")) {
        out_.columns.push_back({.column = std::string(string_of(item).value_or("")),
                                .role = into ? ColumnRole::assignment : ColumnRole::output,
                                .relation = 0});
      }
    }
    nest(fields, "query");
    walk(fields, {"whereClause"}, {.role = ColumnRole::filter});
  }

  void call(Object fields) {
    if (const auto inner = object(fields, "funccall"))
      walker_.call(*inner, kExpression);
    else
      walker_.not_understood("CALL of nothing");
  }
  void do_(Object) { out_.dynamic_sql = true; }
  void listen(Object) {
    out_.routines.push_back({.name = {.schema = "pg_catalog", .name = "listen"},
                             .routine_class = RoutineClass::reads_data});
  }
  void notify(Object) {
    out_.routines.push_back({.name = {.schema = "pg_catalog", .name = "pg_notify"},
                             .routine_class = RoutineClass::writes});
  }

  void lock(Object fields) {
    constexpr std::int64_t access_share = 1;
    const bool reads = number(fields, "mode") == access_share;
    relations(fields, "relations", reads ? Use::select : Use::lock);
  }
  void truncate(Object fields) { relations(fields, "relations", Use::truncate); }
  void vacuum(Object fields) {
    if (!flag(fields, "is_vacuumcmd")) out_.kind = "analyze";
    const auto rels = array(fields, "rels");
    if (!rels) return alter_database(fields);
    for (Value item : *rels) {
      const auto one = node(item);
      if (one) relation(one->fields, "relation", Use::maintain);
    }
  }
  void maintain(Object fields) {
    if (object(fields, "relation"))
      relation(fields, "relation", Use::maintain);
    else
      alter_database(fields);
  }
  void alter_database(Object) { thing("database", {}, Use::alter); }
  void create_database(Object) { thing("database", {}, Use::create); }
  void drop_database(Object) { thing("database", {}, Use::drop); }

  // ---- Definitions ----

  void create_table(Object fields) {
    relation(fields, "relation", Use::create);
    relations(fields, "inhRelations", Use::alter);
    walk(fields, {"tableElts", "constraints", "nnconstraints", "partspec", "partbound",
                  "ofTypename", "options"});
  }
  void create_table_as(Object fields) {
    const auto into = object(fields, "into");
    if (!into) return walker_.not_understood("CREATE TABLE AS without a table");
    relation(*into, "rel", Use::create);
    if (!nest(fields, "query")) walker_.not_understood("CREATE TABLE AS of nothing");
    if (text(fields, "objtype") == "OBJECT_MATVIEW") out_.kind = "create_materialized_view";
  }
  void create_view(Object fields) {
    relation(fields, "view", Use::create);
    if (!nest(fields, "query")) walker_.not_understood("a view of nothing");
  }
  void create_index(Object fields) {
    relation(fields, "relation", Use::alter);
    walk(fields, {"indexParams", "indexIncludingParams", "whereClause", "options"});
  }
  void create_sequence(Object fields) { relation(fields, "sequence", Use::create); }
  void alter_sequence(Object fields) { relation(fields, "sequence", Use::alter); }

  void create_schema(Object fields) {
    thing("schema", {.name = std::string(text(fields, "schemaname"))}, Use::create);
    if (out_.objects.back().name.name.empty()) {
      return walker_.not_understood("CREATE SCHEMA without a name");
    }
    if (array(fields, "schemaElts")) {
      walker_.not_understood("CREATE SCHEMA with elements: create them one by one");
    }
  }

  void create_function(Object fields) {
    const auto name = array(fields, "funcname");
    thing("function", name ? name_of(*name) : Name{}, Use::create);
    walk(fields, {"parameters", "returnType"});
    if (const auto body = field(fields, "sql_body")) nest_body(*body);
    if (const auto options = array(fields, "options")) {
      for (Value item : *options) {
        const auto option = node(item);
        if (option && text(option->fields, "defname") == "set") {
          walker_.not_understood("a function that changes settings is not supported");
        }
      }
    }
  }
  void nest_body(Value body, int depth = 0) {
    if (depth > 3) return;
    if (Array items; body.get(items) == simdjson::SUCCESS) {
      for (Value item : items) nest_body(item, depth);
      return;
    }
    const auto found = node(body);
    if (!found) return;
    if (found->kind == "List") {
      if (const auto items = field(found->fields, "items")) nest_body(*items, depth + 1);
    } else if (found->kind == "ReturnStmt") {
      walk(found->fields, {"returnval"});
    } else {
      nest(*found);
    }
  }
  void alter_function(Object fields) {
    const auto function = object(fields, "func");
    const auto name = function ? array(*function, "objname") : std::nullopt;
    thing("function", name ? name_of(*name) : Name{}, Use::alter);
    if (const auto actions = array(fields, "actions")) {
      for (Value item : *actions) {
        const auto option = node(item);
        if (option && text(option->fields, "defname") == "set") {
          walker_.not_understood("a function that changes settings is not supported");
        }
      }
    }
  }
  void create_trigger(Object fields) {
    relation(fields, "relation", Use::alter);
    relation(fields, "constrrel", Use::select);
    const auto name = array(fields, "funcname");
    out_.routines.push_back(
        {.name = name ? name_of(*name) : Name{}, .routine_class = RoutineClass::unknown});
    walk(fields, {"whenClause"});
  }
  void create_rule(Object fields) {
    relation(fields, "relation", Use::alter);
    walk(fields, {"whereClause"});
    if (const auto actions = field(fields, "actions")) nest_body(*actions);
  }
  void policy(Object fields) {
    relation(fields, "table", Use::alter);
    walk(fields, {"qual", "with_check"});
  }
  void create_domain(Object fields) {
    const auto name = array(fields, "domainname");
    thing("type", name ? name_of(*name) : Name{}, Use::create);
    walk(fields, {"constraints", "collClause"});
  }
  void create_type(Object fields) {
    const auto name = array(fields, "typeName");
    thing("type", name ? name_of(*name) : Name{}, Use::create);
  }
  void create_composite(Object fields) {
    const auto name = object(fields, "typevar");
    thing("type", name ? name_of_range_var(*name) : Name{}, Use::create);
    walk(fields, {"coldeflist"});
  }
  void alter_type(Object fields) {
    const auto name = array(fields, "typeName");
    thing("type", name ? name_of(*name) : Name{}, Use::alter);
    walk(fields, {"def"});
  }
  void alter_table(Object fields) {
    relation(fields, "relation", Use::alter);
    walk(fields, {"cmds"}, {.relation = Use::alter});
  }
  void create_statistics(Object fields) {
    relations(fields, "relations", Use::alter);
    walk(fields, {"exprs"});
  }

  // ---- Objects of many kinds ----

  static std::string kind_of(std::string_view type) {
    static const std::unordered_map<std::string_view, std::string_view> kinds = {
        {"OBJECT_TABLE", "relation"},     {"OBJECT_VIEW", "relation"},
        {"OBJECT_MATVIEW", "relation"},   {"OBJECT_SEQUENCE", "relation"},
        {"OBJECT_INDEX", "relation"},     {"OBJECT_FOREIGN_TABLE", "relation"},
        {"OBJECT_COLUMN", "part"},        {"OBJECT_TABCONSTRAINT", "part"},
        {"OBJECT_TRIGGER", "part"},       {"OBJECT_RULE", "part"},
        {"OBJECT_POLICY", "part"},        {"OBJECT_FUNCTION", "function"},
        {"OBJECT_PROCEDURE", "function"}, {"OBJECT_ROUTINE", "function"},
        {"OBJECT_AGGREGATE", "function"}, {"OBJECT_SCHEMA", "schema"},
        {"OBJECT_TYPE", "type"},          {"OBJECT_DOMAIN", "type"},
        {"OBJECT_STATISTIC_EXT", "type"}, {"OBJECT_DATABASE", "database"},
        {"OBJECT_EXTENSION", "database"},
    };
    const auto found = kinds.find(type);
    return found == kinds.end() ? "" : std::string(found->second);
  }

  /// An object by its type; the last name of a part is its own, those before it its relation's.
  void object_use(std::string_view type, Value value, Use use) {
    const std::string kind = kind_of(type);
    if (kind == "part") {
      const auto list = node(value);
      const auto items = list ? array(list->fields, "items") : std::nullopt;
      if (!items || items->size() < 2 || items->size() > 4) {
        return walker_.not_understood("an object without its table");
      }
      const Name full = name_of(*items);
      // name_of keeps the last three of up to four parts: shift them by one.
      Name relation{.schema = full.catalog, .name = full.schema};
      out_.relations.push_back({.name = std::move(relation), .use = Use::alter});
    } else if (kind == "relation") {
      out_.relations.push_back({.name = name_of(value), .use = use});
    } else if (!kind.empty()) {
      thing(kind, kind == "database" ? Name{} : name_of(value), use);
    } else {
      walker_.not_understood(std::string(type) + " is not supported");
    }
  }

  void drop(Object fields) {
    const std::string_view type = text(fields, "removeType");
    const auto objects = array(fields, "objects");
    if (!objects) return walker_.not_understood("DROP of nothing");
    for (Value item : *objects) object_use(type, item, Use::drop);
  }
  void alter_object(Object fields) {
    if (object(fields, "relation")) return relation(fields, "relation", Use::alter);
    std::string_view type = text(fields, "objectType");
    if (type.empty()) type = text(fields, "renameType");
    if (type == "OBJECT_SCHEMA" && !field(fields, "object")) {
      return thing("schema", {.name = std::string(text(fields, "subname"))}, Use::alter);
    }
    const auto value = field(fields, "object");
    if (!value) return walker_.not_understood("ALTER of something that is not supported");
    object_use(type, *value, Use::alter);
  }
  void comment(Object fields) {
    const auto value = field(fields, "object");
    if (!value) return walker_.not_understood("COMMENT on nothing");
    object_use(text(fields, "objtype"), *value, Use::alter);
  }
  void grant(Object fields) {
    if (!flag(fields, "is_grant")) out_.kind = "revoke";
    roles(fields);
  }
  /// Rights are one action on the database, whatever they are for.
  void roles(Object) { thing("role", {}, Use::grant); }

  Walker& walker_;
  Statement& out_;
  Analysis& analysis_;
};

bool utility(Walker& walker, Statement& out, Analysis& analysis, const Node& node) {
  return Utility(walker, out, analysis).run(node);
}

}  // namespace sallyport::postgres::sql

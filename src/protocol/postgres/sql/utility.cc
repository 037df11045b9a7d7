#include "protocol/postgres/sql/utility.h"

#include <algorithm>
#include <unordered_map>

#include "protocol/postgres/sql/routines.h"

namespace sallyport::postgres::sql {

namespace {

constexpr std::size_t kNameBytesMax = 63;

/// As the server cuts names off: at 63 bytes, not inside a character.
std::string_view cut_name(std::string_view name) {
  if (name.size() <= kNameBytesMax) return name;
  std::size_t end = kNameBytesMax;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80) --end;
  return name.substr(0, end);
}

std::string quoted(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

/// A schema in a list, as SHOW search_path writes it.
std::string schema_in_list(std::string_view written) {
  const std::string_view name = cut_name(written);
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  const bool bare = !name.empty() && std::ranges::all_of(name, plain) && name.front() > '9';
  return bare ? std::string(name) : quoted(name);
}

}  // namespace

const Utility::Entry* Utility::entry_of(std::string_view node_kind) {
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
      {"CreateEnumStmt", {"create_type", &Utility::create_enum}},
      {"CreateRangeStmt", {"create_type", &Utility::create_range}},
      {"CompositeTypeStmt", {"create_type", &Utility::create_composite}},
      {"AlterEnumStmt", {"alter_type", &Utility::alter_type}},
      {"AlterTypeStmt", {"alter_type", &Utility::alter_type}},
      {"AlterDomainStmt", {"alter_domain", &Utility::alter_type}},
      {"AlterTableStmt", {"alter_table", &Utility::alter_table}},
      {"RenameStmt", {"alter_rename", &Utility::rename}},
      {"AlterObjectSchemaStmt", {"alter_schema_of", &Utility::move}},
      {"AlterOwnerStmt", {"alter_owner", &Utility::alter_owner}},
      {"CommentStmt", {"comment", &Utility::comment}},
      {"DropStmt", {"drop", &Utility::drop}},
      {"GrantStmt", {"grant", &Utility::grant}},
      {"GrantRoleStmt", {"grant_role", &Utility::grant_role}},
      {"CreateRoleStmt", {"create_role", &Utility::role_statement}},
      {"AlterRoleStmt", {"alter_role", &Utility::role_statement}},
      {"DropRoleStmt", {"drop_role", &Utility::role_statement}},
      {"ReassignOwnedStmt", {"reassign_owned", &Utility::reassign}},
      {"DropOwnedStmt", {"drop_owned", &Utility::reassign}},
      {"AlterDefaultPrivilegesStmt", {"alter_default_privileges", &Utility::default_privileges}},
      {"CreatedbStmt", {"create_database", &Utility::create_database}},
      {"DropdbStmt", {"drop_database", &Utility::drop_database}},
      {"AlterDatabaseStmt", {"alter_database", &Utility::alter_database}},
      {"CreateExtensionStmt", {"create_extension", &Utility::extension}},
      {"AlterExtensionStmt", {"alter_extension", &Utility::extension}},
      {"CreateStatsStmt", {"create_statistics", &Utility::create_statistics}},
      {"AlterStatsStmt", {"alter_statistics", &Utility::alter_statistics}},
      {"DefineStmt", {"create_type", &Utility::define}},
      {"CreateCastStmt", {"create_cast", &Utility::create_cast}},
      {"CreateConversionStmt", {"create_conversion", &Utility::create_conversion}},
      {"CreateTransformStmt", {"create_transform", &Utility::create_transform}},
      {"CreateOpClassStmt", {"create_operator_class", &Utility::operator_class}},
      {"CreateOpFamilyStmt", {"create_operator_family", &Utility::operator_class}},
      {"AlterOpFamilyStmt", {"alter_operator_family", &Utility::operator_class}},
      {"AlterOperatorStmt", {"alter_operator", &Utility::alter_operator}},
      {"AlterTSConfigurationStmt", {"alter_text_search", &Utility::alter_text_search}},
      {"AlterTSDictionaryStmt", {"alter_text_search", &Utility::alter_text_search}},
      {"AlterCollationStmt", {"alter_collation", &Utility::alter_collation}},
      {"CreatePLangStmt", {"create_language", &Utility::handled_object}},
      {"CreateAmStmt", {"create_access_method", &Utility::handled_object}},
      {"CreateEventTrigStmt", {"create_event_trigger", &Utility::handled_object}},
      {"AlterEventTrigStmt", {"alter_event_trigger", &Utility::alter_in_database}},
      {"CreateFdwStmt", {"create_foreign_data_wrapper", &Utility::handled_object}},
      {"AlterFdwStmt", {"alter_foreign_data_wrapper", &Utility::handled_object}},
      {"CreateForeignServerStmt", {"create_server", &Utility::create_in_database}},
      {"AlterForeignServerStmt", {"alter_server", &Utility::alter_in_database}},
      {"CreateForeignTableStmt", {"create_foreign_table", &Utility::create_foreign_table}},
      {"ImportForeignSchemaStmt", {"import_foreign_schema", &Utility::import_foreign_schema}},
      {"CreateUserMappingStmt", {"create_user_mapping", &Utility::user_mapping}},
      {"AlterUserMappingStmt", {"alter_user_mapping", &Utility::user_mapping}},
      {"DropUserMappingStmt", {"drop_user_mapping", &Utility::user_mapping}},
      {"CreatePublicationStmt", {"create_publication", &Utility::publication}},
      {"AlterPublicationStmt", {"alter_publication", &Utility::publication}},
      {"CreateSubscriptionStmt", {"create_subscription", &Utility::create_in_database}},
      {"AlterSubscriptionStmt", {"alter_subscription", &Utility::alter_in_database}},
      {"DropSubscriptionStmt", {"drop_subscription", &Utility::drop_in_database}},
      {"CreateTableSpaceStmt", {"create_tablespace", &Utility::create_in_database}},
      {"AlterTableSpaceOptionsStmt", {"alter_tablespace", &Utility::alter_in_database}},
      {"DropTableSpaceStmt", {"drop_tablespace", &Utility::drop_in_database}},
      {"AlterTableMoveAllStmt", {"alter_table", &Utility::alter_database}},
      {"AlterRoleSetStmt", {"alter_role", &Utility::kept_setting}},
      {"AlterDatabaseSetStmt", {"alter_database", &Utility::kept_setting}},
      {"AlterDatabaseRefreshCollStmt", {"alter_database", &Utility::alter_database}},
      {"AlterSystemStmt", {"alter_system", &Utility::kept_setting}},
      {"AlterObjectDependsStmt", {"alter_depends", &Utility::depends}},
      {"AlterExtensionContentsStmt", {"alter_extension", &Utility::extension_contents}},
      {"SecLabelStmt", {"security_label", &Utility::label}},
      {"LoadStmt", {"load", &Utility::load}},
  };
  const auto found = entries.find(node_kind);
  return found == entries.end() ? nullptr : &found->second;
}

bool Utility::run(const Node& node) {
  const Entry* const entry = entry_of(node.kind);
  if (entry == nullptr) return false;
  out_.kind = entry->kind;
  (this->*entry->handler)(node.fields);
  if (node.kind != "GrantStmt" && node.kind != "GrantRoleStmt") walker_.cascade(node.fields);
  return true;
}

bool utility(Walker& walker, Statement& out, Survey& survey, const Node& node) {
  return Utility(walker, out, survey).run(node);
}

// ---- Findings ----------------------------------------------------------------------------------

void Utility::nest(const Node& node) {
  Statement inner;
  Walker(inner, survey_, true).statement(node);
  out_.has_where = inner.has_where;
  out_.nested.push_back(std::move(inner));
}

void Utility::nest(Object fields, std::string_view name) {
  if (const auto inner = node(fields, name)) {
    nest(*inner);
  } else {
    not_understood(out_.kind + " of nothing");
  }
}

void Utility::relation(Object fields, std::string_view name, Use use) {
  if (const auto found = object(fields, name)) {
    walker_.add_relation(*found, use);
  } else {
    not_understood(out_.kind + " without a relation");
  }
}

void Utility::relations(Object fields, std::string_view name, Use use) {
  walker_.child(fields, name, {.relation = use});
}

void Utility::thing(std::string kind, Name name, Use use) {
  const bool needs_name = kind == "function" || kind == "type" || kind == "schema";
  if (needs_name && name.name.empty()) not_understood("a " + kind + " without a name");
  out_.objects.push_back({.kind = std::move(kind), .name = std::move(name), .use = use});
}

void Utility::walk(Object fields, std::initializer_list<std::string_view> names,
                   Walker::Part part) {
  for (const auto name : names) walker_.child(fields, name, part);
}

void Utility::options(Object fields, std::string_view name) {
  walker_.child(fields, name, {});
}

void Utility::role(Object fields, std::string_view name) {
  if (const auto found = object(fields, name)) {
    const auto wrapped = node(*field(fields, name));
    walker_.add_role(wrapped ? wrapped->fields : *found);
  }
}

void Utility::roles(Object fields, std::string_view name) {
  const auto items = array(fields, name);
  if (!items) return;
  for (Value item : *items) {
    const auto found = node(item);
    if (found && found->kind == "RoleSpec") {
      walker_.add_role(found->fields);
    } else if (found && found->kind == "AccessPriv") {
      out_.roles.emplace_back(text(found->fields, "priv_name"));
    } else {
      not_understood("an unknown kind of role");
    }
  }
}

// ---- Transactions and settings -----------------------------------------------------------------

void Utility::transaction(Object fields) {
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
      {"TRANS_STMT_ROLLBACK_PREPARED", {"rollback_prepared", TransactionEffect::rollback_prepared}},
  };
  const auto found = effects.find(text(fields, "kind"));
  if (found == effects.end()) return not_understood("an unknown transaction command");
  out_.kind = found->second.word;
  out_.transaction = found->second.effect;
  transaction_modes(fields, "options");
}

void Utility::transaction_modes(Object fields, std::string_view list) {
  const auto items = array(fields, list);
  if (!items) return;
  for (Value item : *items) {
    const auto option = node(item);
    if (!option) return not_understood("an unknown transaction mode");
    if (text(option->fields, "defname") != "transaction_read_only") continue;
    const auto arg = node(option->fields, "arg");
    const auto value = arg ? object(arg->fields, "ival") : std::nullopt;
    const bool read_only = value && number(*value, "ival") != 0;
    // READ ONLY, READ WRITE: the last one holds, but who writes both means no good.
    out_.transaction_read_only = out_.transaction_read_only.value_or(true) && read_only;
  }
}

void Utility::set(Object fields) {
  survey_.depends_on_literals = true;
  const std::string_view kind = text(fields, "kind");
  SettingChange change{.name = lower(text(fields, "name"))};
  change.local = flag(fields, "is_local");
  if (kind == "VAR_SET_MULTI") return set_many(fields, change.name);
  if (kind == "VAR_RESET_ALL") change.name = "all";
  if (kind == "VAR_SET_VALUE") {
    change.value = setting_value(fields, change.name);
  } else if (kind == "VAR_SET_DEFAULT" || kind == "VAR_RESET" || kind == "VAR_RESET_ALL") {
    change.reset = true;
    if (kind != "VAR_SET_DEFAULT") out_.kind = "reset";
  } else {
    return not_understood("an unknown form of SET");
  }
  if (change.name.empty()) return not_understood("SET of nothing");
  const bool role = change.name == "role" || change.name == "session_authorization";
  if (role && !change.reset) out_.roles.push_back(change.value.value_or("?"));
  out_.settings.push_back(std::move(change));
}

void Utility::set_many(Object fields, const std::string& name) {
  out_.kind = "set_transaction";
  transaction_modes(fields, "args");
  if (name == "transaction" || name == "transaction snapshot") return;
  if (name != "session characteristics") return not_understood("SET " + name + " is not supported");
  out_.settings.push_back({.name = "default_transaction_read_only"});
}

/// As SHOW would write it: a list is joined by ", ", and of search_path each part is one name.
std::optional<std::string> Utility::setting_value(Object fields, std::string_view name) {
  const auto args = array(fields, "args");
  if (!args) return std::nullopt;
  std::string value;
  bool first = true;
  for (Value item : *args) {
    const auto constant = node(item);
    if (!constant || constant->kind != "A_Const") return std::nullopt;
    if (!first) value += ", ";
    first = false;
    if (const auto string = string_of(item)) {
      value += name == "search_path" ? schema_in_list(*string) : std::string(*string);
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

void Utility::discard(Object fields) {
  if (text(fields, "target") != "DISCARD_ALL") return;
  out_.kind = "discard_all";
  out_.settings.push_back({.name = "session_authorization", .reset = true});
  out_.settings.push_back({.name = "all", .reset = true});
  out_.prepared = NamedEffect::deallocate;
  out_.cursor = CursorEffect::close;
}

// ---- Names of statements and cursors -----------------------------------------------------------

void Utility::prepare(Object fields) {
  out_.prepared = NamedEffect::define;
  out_.prepared_name = text(fields, "name");
  walk(fields, {"argtypes"});
  nest(fields, "query");
}

void Utility::execute(Object fields) {
  out_.prepared = NamedEffect::execute;
  out_.prepared_name = text(fields, "name");
  walk(fields, {"params"});
}

void Utility::deallocate(Object fields) {
  out_.prepared = NamedEffect::deallocate;
  out_.prepared_name = text(fields, "name");
}

void Utility::declare(Object fields) {
  constexpr std::int64_t hold = 0x20;
  out_.cursor = CursorEffect::declare;
  out_.cursor_name = text(fields, "portalname");
  out_.cursor_hold = (number(fields, "options") & hold) != 0;
  nest(fields, "query");
}

void Utility::fetch(Object fields) {
  survey_.depends_on_literals = true;  // how many, and which way
  const bool move = flag(fields, "ismove");
  if (move) out_.kind = "move";
  out_.cursor = move ? CursorEffect::move : CursorEffect::fetch;
  out_.cursor_name = text(fields, "portalname");
}

void Utility::close(Object fields) {
  out_.cursor = CursorEffect::close;
  out_.cursor_name = text(fields, "portalname");
}

// ---- EXPLAIN, COPY, calls ----------------------------------------------------------------------

void Utility::explain(Object fields) {
  survey_.depends_on_literals = true;  // (ANALYZE 'off')
  options(fields, "options");
  if (const auto items = array(fields, "options")) {
    for (Value item : *items) {
      const auto option = node(item);
      if (!option || text(option->fields, "defname") != "analyze") continue;
      const auto arg = field(option->fields, "arg");
      const auto word = arg ? string_of(*arg) : std::nullopt;
      out_.explain_analyze = !(word && (*word == "false" || *word == "off"));
    }
  }
  nest(fields, "query");
}

void Utility::copy(Object fields) {
  survey_.depends_on_literals = true;
  const bool into = flag(fields, "is_from");
  out_.kind = into ? "copy_from" : "copy_to";
  out_.copy = flag(fields, "is_program")  ? CopyEnd::program
              : field(fields, "filename") ? CopyEnd::file
                                          : CopyEnd::client;
  out_.copy_format = "text";
  options(fields, "options");
  if (const auto items = array(fields, "options")) {
    for (Value item : *items) {
      const auto option = node(item);
      if (!option || text(option->fields, "defname") != "format") continue;
      const auto arg = field(option->fields, "arg");
      out_.copy_format = std::string(arg ? string_of(*arg).value_or("") : "");
    }
  }
  if (field(fields, "query")) {
    nest(fields, "query");
  } else {
    relation(fields, "relation", into ? Use::insert : Use::select);
    copy_columns(fields, into ? ColumnRole::assignment : ColumnRole::output);
  }
  walk(fields, {"whereClause"}, {.role = ColumnRole::filter});
}

void Utility::copy_columns(Object fields, ColumnRole role) {
  const auto columns = array(fields, "attlist");
  if (!columns) return walker_.add_column({.column = "*", .role = role, .relation = 0});
  for (Value item : *columns) {
    walker_.add_column(
        {.column = std::string(string_of(item).value_or("")), .role = role, .relation = 0});
  }
}

void Utility::call(Object fields) {
  if (const auto inner = object(fields, "funccall")) {
    walker_.call(*inner, {});
  } else {
    not_understood("CALL of nothing");
  }
}

void Utility::do_(Object) {
  out_.dynamic_sql = true;
  survey_.depends_on_literals = true;
}

void Utility::listen(Object) {
  walker_.add_routine({.name = {.schema = "pg_catalog", .name = "listen"},
                       .routine_class = RoutineClass::reads_data});
}

void Utility::notify(Object) {
  walker_.add_routine(classify_routine({.schema = "pg_catalog", .name = "pg_notify"}));
}

// ---- Tables as a whole -------------------------------------------------------------------------

void Utility::lock(Object fields) {
  constexpr std::int64_t access_share = 1;
  const bool reads = number(fields, "mode") == access_share;
  relations(fields, "relations", reads ? Use::select : Use::lock);
}

void Utility::truncate(Object fields) {
  relations(fields, "relations", Use::truncate);
}

void Utility::vacuum(Object fields) {
  if (!flag(fields, "is_vacuumcmd")) out_.kind = "analyze";
  options(fields, "options");
  const auto rels = array(fields, "rels");
  if (!rels) return alter_database(fields);
  for (Value item : *rels) {
    const auto one = node(item);
    if (!one) return not_understood("an unknown relation");
    relation(one->fields, "relation", Use::maintain);
  }
}

void Utility::maintain(Object fields) {
  if (object(fields, "relation")) {
    relation(fields, "relation", Use::maintain);
  } else {
    alter_database(fields);
  }
}

void Utility::alter_database(Object) {
  thing("database", {}, Use::alter);
}
void Utility::create_database(Object) {
  thing("database", {}, Use::create);
}
void Utility::drop_database(Object) {
  thing("database", {}, Use::drop);
}

}  // namespace sallyport::postgres::sql

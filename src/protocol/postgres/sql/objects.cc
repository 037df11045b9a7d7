// Statements that define and change what is neither a relation nor a routine of the usual kind:
// operators, casts, aggregates, text search, foreign data, publications, settings of roles ...
// What has a schema is asked for on the schema, everything else on the database. Where one names
// functions that the server will call without anybody writing them, that is a call of theirs and
// dynamic SQL.

#include <unordered_set>

#include "protocol/postgres/sql/actions.h"
#include "protocol/postgres/sql/routines.h"
#include "protocol/postgres/sql/utility.h"

namespace sallyport::postgres::sql {

namespace {

using Words = std::unordered_set<std::string_view>;

/// Options whose value is the name of a function.
bool names_function(std::string_view option) {
  static const Words names = {"sfunc",      "sfunc1",    "sfunc2",       "finalfunc", "combinefunc",
                              "serialfunc", "msfunc",    "deserialfunc", "minvfunc",  "mfinalfunc",
                              "procedure",  "function",  "restrict",     "join",      "input",
                              "output",     "receive",   "send",         "typmod_in", "typmod_out",
                              "analyze",    "subscript", "init",         "lexize",    "start",
                              "gettoken",   "end",       "headline",     "lextypes",  "handler",
                              "validator",  "canonical", "subtype_diff"};
  return names.contains(option);
}

}  // namespace

/// A function that the server is told to call by itself.
void Utility::support_function(const Name& name) {
  survey_.depends_on_literals = true;  // a name may be written as a string
  out_.dynamic_sql = true;
  if (name.name.empty()) return;  // NONE, or a word that is none
  RoutineUse use = classify_routine(name);
  // One of PostgreSQL's own: it may be called where its name says nothing of it.
  walker_.add_routine(std::move(use));
}

void Utility::support_functions(Object fields, std::string_view list) {
  const auto items = array(fields, list);
  if (!items) return;
  for (Value item : *items) {
    const auto option = node(item);
    if (!option) return not_understood("an unknown option");
    const auto arg = field(option->fields, "arg");
    if (!arg) continue;
    if (names_function(lower(text(option->fields, "defname")))) {
      support_function(name_of(*arg));
    } else {
      walker_.option(*arg);
    }
  }
}

/// `name` is a list of Strings, or a struct with an "objname".
void Utility::support_function_in(Object fields, std::string_view name) {
  if (const auto parts = array(fields, name)) return support_function(name_of(*parts));
  const auto function = object(fields, name);
  const auto parts = function ? array(*function, "objname") : std::nullopt;
  if (parts) support_function(name_of(*parts));
}

void Utility::in_schema(Object fields, std::string_view list, Use use) {
  const auto name = array(fields, list);
  thing("type", name ? name_of(*name) : Name{}, use);
}

/// CREATE AGGREGATE, OPERATOR, TYPE, TEXT SEARCH ..., COLLATION.
void Utility::define(Object fields) {
  const std::string_view kind = text(fields, "kind");
  const auto parts = array(fields, "defnames");
  const Name name = parts ? name_of(*parts) : Name{};
  if (kind == "OBJECT_AGGREGATE") {
    out_.kind = "create_aggregate";
    out_.dynamic_sql = true;
    thing("function", name, Use::create);
    if (flag(fields, "replace")) thing("function", name, Use::alter);
  } else {
    out_.kind = kind == "OBJECT_TYPE"        ? "create_type"
                : kind == "OBJECT_OPERATOR"  ? "create_operator"
                : kind == "OBJECT_COLLATION" ? "create_collation"
                                             : "create_text_search";
    thing("type", name, Use::create);
  }
  support_functions(fields, "definition");
}

void Utility::create_cast(Object fields) {
  thing("database", {}, Use::create);
  walk_type(fields, "sourcetype");
  walk_type(fields, "targettype");
  out_.dynamic_sql = true;
  support_function_in(fields, "func");
}

void Utility::walk_type(Object fields, std::string_view name) {
  if (const auto type = object(fields, name)) walker_.type(*type);
}

void Utility::create_conversion(Object fields) {
  in_schema(fields, "conversion_name", Use::create);
  support_function_in(fields, "func_name");
}

void Utility::create_transform(Object fields) {
  thing("database", {}, Use::create);
  walk_type(fields, "type_name");
  support_function_in(fields, "fromsql");
  support_function_in(fields, "tosql");
}

void Utility::operator_class(Object fields) {
  if (array(fields, "opclassname")) in_schema(fields, "opclassname", Use::create);
  const bool alters = out_.kind == "alter_operator_family";
  if (array(fields, "opfamilyname")) {
    in_schema(fields, "opfamilyname",
              alters || out_.kind == "create_operator_class" ? Use::alter : Use::create);
  }
  walk_type(fields, "datatype");
  out_.dynamic_sql = true;
  const auto items = array(fields, "items");
  if (!items) return;
  constexpr std::int64_t function = 2;
  for (Value item : *items) {
    const auto member = node(item);
    if (!member || member->kind != "CreateOpClassItem") return not_understood("an unknown member");
    if (number(member->fields, "itemtype") == function) support_function_in(member->fields, "name");
  }
}

/// Languages, access methods, event triggers, foreign-data wrappers: the database's own, with
/// functions behind them.
void Utility::handled_object(Object fields) {
  thing("database", {}, out_.kind.starts_with("create") ? Use::create : Use::alter);
  out_.dynamic_sql = true;
  for (const std::string_view name :
       {"plhandler", "plinline", "plvalidator", "handler_name", "funcname"}) {
    support_function_in(fields, name);
  }
  support_functions(fields, "func_options");
  options(fields, "options");
}

/// Whatever else is the database's: servers, tablespaces, subscriptions.
void Utility::create_in_database(Object fields) {
  thing("database", {}, Use::create);
  options(fields, "options");
}
void Utility::alter_in_database(Object fields) {
  thing("database", {}, Use::alter);
  options(fields, "options");
}
void Utility::drop_in_database(Object) {
  thing("database", {}, Use::drop);
}

void Utility::user_mapping(Object fields) {
  rights();
  role(fields, "user");
  options(fields, "options");
}

void Utility::create_foreign_table(Object fields) {
  const auto base = object(fields, "base");
  if (!base) return not_understood("a foreign table without columns");
  create_table(*base);
  thing("database", {}, Use::create);  // it reads from elsewhere
  options(fields, "options");
}

void Utility::import_foreign_schema(Object fields) {
  thing("database", {}, Use::create);
  thing("schema", {.name = std::string(text(fields, "local_schema"))}, Use::create);
  out_.dynamic_sql = true;  // which tables it makes, the other server says
  options(fields, "options");
}

/// What is published is read by whoever subscribes.
void Utility::publication(Object fields) {
  thing("database", {}, out_.kind == "create_publication" ? Use::create : Use::alter);
  options(fields, "options");
  const auto items = array(fields, "pubobjects");
  if (!items) return;
  for (Value item : *items) {
    const auto published = node(item);
    if (!published || published->kind != "PublicationObjSpec") {
      return not_understood("an unknown publication");
    }
    const auto table = object(published->fields, "pubtable");
    if (!table) continue;
    relation(*table, "relation", Use::select);
    walk(*table, {"whereClause"}, {.role = ColumnRole::filter});
  }
}

/// ALTER ROLE, DATABASE and SYSTEM ... SET: for sessions to come. What the gateway keeps as it is
/// it sets in every one of them.
void Utility::kept_setting(Object fields) {
  survey_.depends_on_literals = true;
  thing("database", {}, Use::alter);
  thing("setting", {}, Use::alter);
  if (out_.kind == "alter_role") {
    rights();
    role(fields, "role");
  }
  const auto stated = object(fields, "setstmt");
  if (!stated) return not_understood("a setting without a name");
  checked_setting(*stated);
}

/// The setting of a function, a role or a database, which this session does not follow.
void Utility::checked_setting(Object fields) {
  const auto wrapped = field(fields, "VariableSetStmt");
  Object inner;
  if (wrapped && wrapped->get(inner) == simdjson::SUCCESS) fields = inner;
  const std::string name = lower(text(fields, "name"));
  const std::string_view kind = text(fields, "kind");
  const bool sets = kind == "VAR_SET_VALUE" || kind == "VAR_SET_CURRENT";
  if (sets && is_pinned_setting(name)) {
    not_understood("the gateway keeps " + name + " as it is");
  }
  if (sets && (name == "role" || name == "session_authorization")) {
    thing("setting", {}, Use::alter);
  }
}

void Utility::alter_operator(Object fields) {
  const auto operator_name = object(fields, "opername");
  const auto parts = operator_name ? array(*operator_name, "objname") : std::nullopt;
  thing("type", parts ? name_of(*parts) : Name{}, Use::alter);
  out_.dynamic_sql = true;
  support_functions(fields, "options");
}

void Utility::alter_text_search(Object fields) {
  in_schema(fields, array(fields, "cfgname") ? "cfgname" : "dictname", Use::alter);
  options(fields, "options");
}
void Utility::alter_collation(Object fields) {
  in_schema(fields, "collname", Use::alter);
}
void Utility::alter_statistics(Object fields) {
  in_schema(fields, "defnames", Use::alter);
}

void Utility::label(Object fields) {
  comment(fields);
}

void Utility::depends(Object fields) {
  named_here(fields, text(fields, "objectType"), Use::alter);
}

void Utility::extension_contents(Object fields) {
  thing("database", {}, Use::alter);
  named_here(fields, text(fields, "objtype"), Use::alter);
}

void Utility::load(Object fields) {
  alter_in_database(fields);
  out_.dynamic_sql = true;
}

}  // namespace sallyport::postgres::sql

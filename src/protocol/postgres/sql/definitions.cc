// Statements that define, change and remove what is in the catalog.

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "protocol/postgres/sql/utility.h"

namespace sallyport::postgres::sql {

namespace {

/// What an object is to us: a relation, a part of one, a function ... Empty: not supported.
std::string_view kind_of(std::string_view type) {
  static const std::unordered_map<std::string_view, std::string_view> kinds = {
      {"OBJECT_TABLE", "relation"},
      {"OBJECT_VIEW", "relation"},
      {"OBJECT_MATVIEW", "relation"},
      {"OBJECT_SEQUENCE", "relation"},
      {"OBJECT_INDEX", "relation"},
      {"OBJECT_FOREIGN_TABLE", "relation"},
      {"OBJECT_COLUMN", "part"},
      {"OBJECT_ATTRIBUTE", "part"},
      {"OBJECT_TABCONSTRAINT", "part"},
      {"OBJECT_TRIGGER", "part"},
      {"OBJECT_RULE", "part"},
      {"OBJECT_POLICY", "part"},
      {"OBJECT_FUNCTION", "function"},
      {"OBJECT_PROCEDURE", "function"},
      {"OBJECT_ROUTINE", "function"},
      {"OBJECT_AGGREGATE", "function"},
      {"OBJECT_SCHEMA", "schema"},
      {"OBJECT_TYPE", "type"},
      {"OBJECT_DOMAIN", "type"},
      {"OBJECT_STATISTIC_EXT", "statistics"},
      {"OBJECT_DATABASE", "database"},
      {"OBJECT_EXTENSION", "database"},
      {"OBJECT_ROLE", "role"},
      {"OBJECT_COLLATION", "type"},
      {"OBJECT_CONVERSION", "type"},
      {"OBJECT_OPERATOR", "type"},
      {"OBJECT_TSCONFIGURATION", "type"},
      {"OBJECT_TSDICTIONARY", "type"},
      {"OBJECT_TSPARSER", "type"},
      {"OBJECT_TSTEMPLATE", "type"},
      {"OBJECT_OPCLASS", "class"},
      {"OBJECT_OPFAMILY", "class"},
      {"OBJECT_DOMCONSTRAINT", "type part"},
      {"OBJECT_CAST", "database"},
      {"OBJECT_TRANSFORM", "database"},
      {"OBJECT_LANGUAGE", "database"},
      {"OBJECT_FDW", "database"},
      {"OBJECT_FOREIGN_SERVER", "database"},
      {"OBJECT_PUBLICATION", "database"},
      {"OBJECT_SUBSCRIPTION", "database"},
      {"OBJECT_TABLESPACE", "database"},
      {"OBJECT_EVENT_TRIGGER", "database"},
      {"OBJECT_ACCESS_METHOD", "database"},
      {"OBJECT_LARGEOBJECT", "database"},
  };
  const auto found = kinds.find(type);
  return found == kinds.end() ? "" : found->second;
}

}  // namespace

// ---- Relations ---------------------------------------------------------------------------------

void Utility::create_table(Object fields) {
  relation(fields, "relation", Use::create);
  relations(fields, "inhRelations", Use::alter);
  walk(fields, {"tableElts", "constraints", "nnconstraints", "partspec", "partbound", "ofTypename",
                "options"});
}

void Utility::create_table_as(Object fields) {
  const auto into = object(fields, "into");
  if (!into) return not_understood("CREATE TABLE AS without a table");
  relation(*into, "rel", Use::create);
  options(*into, "options");
  nest(fields, "query");
  if (text(fields, "objtype") == "OBJECT_MATVIEW") out_.kind = "create_materialized_view";
}

void Utility::create_view(Object fields) {
  relation(fields, "view", Use::create);
  // What reads the old one reads the new one.
  if (flag(fields, "replace")) relation(fields, "view", Use::alter);
  options(fields, "options");
  nest(fields, "query");
}

void Utility::create_index(Object fields) {
  relation(fields, "relation", Use::alter);
  walk(fields, {"indexParams", "indexIncludingParams", "whereClause", "options"});
}

void Utility::create_sequence(Object fields) {
  relation(fields, "sequence", Use::create);
  options(fields, "options");
}

void Utility::alter_sequence(Object fields) {
  relation(fields, "sequence", Use::alter);
  options(fields, "options");
}

void Utility::alter_table(Object fields) {
  relation(fields, "relation", Use::alter);
  walk(fields, {"cmds"}, {.relation = Use::alter});
}

void Utility::create_statistics(Object fields) {
  const auto items = array(fields, "relations");
  const bool plain = items && std::all_of(items->begin(), items->end(), [](Value item) {
                       const auto from = node(item);
                       return from && from->kind == "RangeVar";
                     });
  if (plain) {
    relations(fields, "relations", Use::alter);
  } else if (items) {  // the server says that it takes tables only
    walker_.scopes_.emplace_back();
    walker_.from(*items);
    walker_.scopes_.pop_back();
  }
  walk(fields, {"exprs"});
}

void Utility::policy(Object fields) {
  relation(fields, "table", Use::alter);
  roles(fields, "roles");
  walk(fields, {"qual", "with_check"});
}

// ---- What runs later ---------------------------------------------------------------------------

void Utility::create_function(Object fields) {
  const auto parts = array(fields, "funcname");
  const Name name = parts ? name_of(*parts) : Name{};
  thing("function", name, Use::create);
  if (flag(fields, "replace")) thing("function", name, Use::alter);
  walk(fields, {"parameters", "returnType"});
  function_settings(fields, "options");
  const auto sql = field(fields, "sql_body");
  if (sql) {
    body(*sql);
  } else {
    out_.dynamic_sql = true;  // a text in whatever language
  }
}

/// BEGIN ATOMIC ...; END, RETURN expression, or the actions of a rule.
void Utility::body(Value value, int depth) {
  if (depth > 3) return not_understood("a body within a body");
  if (Array items; value.get(items) == simdjson::SUCCESS) {
    for (Value item : items) body(item, depth);
    return;
  }
  Object object;
  if (value.get(object) == simdjson::SUCCESS && object.begin() == object.end()) return;
  const auto found = node(value);
  if (!found) return not_understood("an unknown body");
  if (found->kind == "List") {
    if (const auto items = field(found->fields, "items")) body(*items, depth + 1);
  } else if (found->kind == "ReturnStmt") {
    walk(found->fields, {"returnval"});
  } else {
    nest(*found);
  }
}

void Utility::alter_function(Object fields) {
  const auto function = object(fields, "func");
  const auto name = function ? array(*function, "objname") : std::nullopt;
  thing("function", name ? name_of(*name) : Name{}, Use::alter);
  function_settings(fields, "actions");
}

/// CREATE FUNCTION ... SET x: holds while it runs.
void Utility::function_settings(Object fields, std::string_view list) {
  const auto items = array(fields, list);
  if (!items) return;
  for (Value item : *items) {
    const auto option = node(item);
    if (!option || text(option->fields, "defname") != "set") continue;
    const auto stated = node(option->fields, "arg");
    if (!stated) return not_understood("a setting without a name");
    checked_setting(stated->fields);
    out_.dynamic_sql = true;  // what its body says is not read as it will be
  }
}

void Utility::create_trigger(Object fields) {
  relation(fields, "relation", Use::alter);
  if (object(fields, "constrrel")) {
    relation(fields, "constrrel", Use::select);
    relation(fields, "constrrel", Use::trigger);
  }
  const auto name = array(fields, "funcname");
  walker_.add_unknown_routine(name ? name_of(*name) : Name{});
  walk(fields, {"whenClause"});
}

void Utility::create_rule(Object fields) {
  relation(fields, "relation", Use::alter);
  walk(fields, {"whereClause"});
  if (const auto actions = field(fields, "actions")) body(*actions);
}

/// Runs a script that is on the server.
void Utility::extension(Object fields) {
  thing("database", {}, out_.kind == "create_extension" ? Use::create : Use::alter);
  options(fields, "options");
  out_.dynamic_sql = true;
}

// ---- Schemas and types -------------------------------------------------------------------------

void Utility::create_schema(Object fields) {
  std::string schema(text(fields, "schemaname"));
  const auto owner = object(fields, "authrole");
  if (schema.empty() && owner) schema = text(*owner, "rolename");  // AUTHORIZATION alone names it
  if (schema.empty() && owner) {
    thing("database", {}, Use::create);  // CURRENT_ROLE names it, and that is the server's to know
  } else {
    thing("schema", {.name = schema}, Use::create);
  }
  if (owner) {
    role(fields, "authrole");
    rights();
  }
  if (const auto elements = array(fields, "schemaElts")) elements_of_schema(schema, *elements);
}

namespace {

void collect_created(const Statement& statement, std::unordered_set<std::string>& names) {
  for (const auto& use : statement.relations) {
    if (use.use == Use::create) names.insert(use.name.name);
  }
}

/// What is there by then is meant. What comes later may be meant: then both are asked for.
void move_into(Statement& statement, const std::string& schema,
               const std::unordered_set<std::string>& there,
               const std::unordered_set<std::string>& created) {
  std::vector<RelationUse> both;
  for (auto& use : statement.relations) {
    if (!use.name.schema.empty() || !created.contains(use.name.name)) continue;
    if (!there.contains(use.name.name)) both.push_back(use);
    use.name.schema = schema;
  }
  statement.relations.insert(statement.relations.end(), both.begin(), both.end());
  for (auto& nested : statement.nested) move_into(nested, schema, there, created);
}

/// The server makes the parts of a schema by their kind, and those of a kind as they are written.
std::size_t rank_of(const Statement& element) {
  static constexpr std::array<std::string_view, 6> kinds{
      "create_sequence", "create_table", "create_view", "create_index", "create_trigger", "grant"};
  return static_cast<std::size_t>(std::ranges::find(kinds, element.kind) - kinds.begin());
}

}  // namespace

/// The schema is new and searched first: a bare name of what is made here is in it.
void Utility::elements_of_schema(const std::string& schema, Array elements) {
  const std::size_t first = out_.nested.size();
  std::unordered_set<std::string> created;
  for (Value element : elements) {
    const auto inner = node(element);
    if (!inner) return not_understood("an unknown part of a schema");
    nest(*inner);
    collect_created(out_.nested.back(), created);
  }
  std::vector<Statement*> in_order;
  for (std::size_t i = first; i < out_.nested.size(); ++i) in_order.push_back(&out_.nested[i]);
  std::ranges::stable_sort(in_order, {}, [](const Statement* one) { return rank_of(*one); });
  std::unordered_set<std::string> there;
  for (Statement* element : in_order) {
    collect_created(*element, there);  // it may refer to itself
    move_into(*element, schema, there, created);
  }
}

void Utility::create_domain(Object fields) {
  const auto name = array(fields, "domainname");
  thing("type", name ? name_of(*name) : Name{}, Use::create);
  walk(fields, {"typeName", "constraints", "collClause"});
}

void Utility::create_enum(Object fields) {
  const auto name = array(fields, "typeName");
  thing("type", name ? name_of(*name) : Name{}, Use::create);
}

void Utility::create_range(Object fields) {
  create_enum(fields);
  const auto params = array(fields, "params");
  if (!params) return not_understood("a range of nothing");
  for (Value item : *params) {
    const auto option = node(item);
    if (!option) return not_understood("an unknown option");
    const std::string_view name = text(option->fields, "defname");
    const auto arg = field(option->fields, "arg");
    if (!arg) return not_understood("an option without a value");
    walker_.option(*arg);
    if (name == "canonical" || name == "subtype_diff") walker_.add_unknown_routine(name_of(*arg));
  }
}

void Utility::create_composite(Object fields) {
  const auto name = object(fields, "typevar");
  thing("type", name ? name_of_range_var(*name) : Name{}, Use::create);
  walk(fields, {"coldeflist"});
}

void Utility::alter_type(Object fields) {
  const auto name = array(fields, "typeName");
  thing("type", name ? name_of(*name) : Name{}, Use::alter);
  walk(fields, {"def", "options"});
}

// ---- Objects of many kinds ---------------------------------------------------------------------

/// Something of a relation: its last name is its own, those before it are the relation's.
void Utility::part_use(Value value) {
  const auto list = node(value);
  const auto items = list ? array(list->fields, "items") : std::nullopt;
  if (!items || items->size() < 2 || items->size() > 4) {
    return not_understood("an object without its table");
  }
  std::vector<std::string> parts;
  for (Value item : *items) parts.emplace_back(string_of(item).value_or(""));
  parts.pop_back();
  Name name{.name = parts.back()};
  if (parts.size() > 1) name.schema = parts[parts.size() - 2];
  if (parts.size() > 2) name.catalog = parts[parts.size() - 3];
  if (name.name.empty()) return not_understood("an object without its table");
  out_.relations.push_back({.name = name, .use = Use::alter, .alias = name.name});
}

/// A constraint of a domain: the type, or its name, is the first of the list.
void Utility::type_part_use(Value value, Use use) {
  const auto list = node(value);
  const auto items = list ? array(list->fields, "items") : std::nullopt;
  if (!items || items->size() == 0) return not_understood("an object without its type");
  const auto first = node(items->at(0));
  const Value type = items->at(0);
  thing("type", first && first->kind == "TypeName" ? name_of(type) : name_of(*items), use);
}

/// An operator class or family: access method, schema, name.
void Utility::class_use(Value value, Use use) {
  const auto list = node(value);
  const auto items = list ? array(list->fields, "items") : std::nullopt;
  if (!items || items->size() < 2 || items->size() > 4) {
    return not_understood("an object without its access method");
  }
  Name name = name_of(*items);
  if (items->size() == 2) name.schema.clear();
  if (items->size() == 3) name.catalog.clear();
  thing("type", std::move(name), use);
}

void Utility::object_use(std::string_view type, Value value, Use use) {
  const std::string_view kind = kind_of(type);
  if (kind.empty()) return not_understood(std::string(type) + " is not supported");
  if (kind == "part") return part_use(value);
  if (kind == "type part") return type_part_use(value, use);
  if (kind == "class") return class_use(value, use);
  if (kind == "database" || kind == "role") return thing(std::string(kind), {}, use);
  Name name = name_of(value);
  if (name.name.empty()) return not_understood("an object without a name");
  if (kind == "relation") {
    out_.relations.push_back({.name = name, .use = use, .alias = name.name});
  } else {
    thing(kind == "statistics" ? "type" : std::string(kind), std::move(name), use);
  }
}

/// The object that RENAME, SET SCHEMA and OWNER TO are about.
bool Utility::named_here(Object fields, std::string_view type, Use use) {
  if (object(fields, "relation")) {
    relation(fields, "relation", use);
  } else if (const auto value = field(fields, "object")) {
    object_use(type, *value, use);
  } else {
    not_understood("ALTER of something that is not supported");
  }
  return out_.understood;
}

/// The new name may be one that policies speak of: it is created as well.
void Utility::rename(Object fields) {
  const std::string_view type = text(fields, "renameType");
  const std::string_view kind = kind_of(type);
  const std::string new_name(text(fields, "newname"));
  if (kind == "schema") {
    thing("schema", {.name = std::string(text(fields, "subname"))}, Use::alter);
    return thing("schema", {.name = new_name}, Use::create);
  }
  if (kind == "database") return thing("database", {}, Use::alter);
  if (kind == "role") {
    out_.roles = {std::string(text(fields, "subname")), new_name};
    return rights();
  }
  if (kind.empty()) return not_understood(std::string(type) + " is not supported");
  if (!named_here(fields, type, Use::alter)) return;
  if (kind == "relation") {
    RelationUse renamed = out_.relations.back();
    renamed.use = Use::create;
    renamed.name.name = renamed.alias = new_name;
    out_.relations.push_back(std::move(renamed));
  } else if (kind == "function" || kind == "type" || kind == "class") {
    ObjectUse renamed = out_.objects.back();
    thing(renamed.kind, {.schema = renamed.name.schema, .name = new_name}, Use::create);
  }
}

void Utility::move(Object fields) {
  const std::string_view type = text(fields, "objectType");
  const std::string schema(text(fields, "newschema"));
  if (!named_here(fields, type, Use::alter)) return;
  const std::string_view kind = kind_of(type);
  if (kind == "relation") {
    RelationUse moved = out_.relations.back();
    moved.use = Use::create;
    moved.name.schema = schema;
    out_.relations.push_back(std::move(moved));
  } else if (kind == "function" || kind == "type" || kind == "class" || kind == "statistics") {
    ObjectUse moved = out_.objects.back();
    thing(moved.kind, {.schema = schema, .name = moved.name.name}, Use::create);
  } else if (kind != "database") {
    not_understood("SET SCHEMA of something that is not supported");
  }
}

void Utility::alter_owner(Object fields) {
  if (!named_here(fields, text(fields, "objectType"), Use::alter)) return;
  role(fields, "newowner");
  rights();
}

void Utility::comment(Object fields) {
  const auto value = field(fields, "object");
  if (!value) return not_understood("COMMENT on nothing");
  object_use(text(fields, "objtype"), *value, Use::alter);
}

void Utility::drop(Object fields) {
  const std::string_view type = text(fields, "removeType");
  const auto objects = array(fields, "objects");
  if (!objects) return not_understood("DROP of nothing");
  for (Value item : *objects) object_use(type, item, Use::drop);
}

// ---- Rights ------------------------------------------------------------------------------------

void Utility::grant(Object fields) {
  if (!flag(fields, "is_grant")) out_.kind = "revoke";
  rights();
  roles(fields, "grantees");
  role(fields, "grantor");
  granted_objects(fields);
}

/// Which relations, where they are named. Rights on other things are rights on the database.
void Utility::granted_objects(Object fields) {
  const std::string_view type = text(fields, "objtype");
  if (text(fields, "targtype") != "ACL_TARGET_OBJECT") return;
  if (type == "OBJECT_TABLE" || type == "OBJECT_SEQUENCE") {
    relations(fields, "objects", Use::grant);
  }
}

void Utility::grant_role(Object fields) {
  if (!flag(fields, "is_grant")) out_.kind = "revoke_role";
  rights();
  roles(fields, "granted_roles");
  roles(fields, "grantee_roles");
  role(fields, "grantor");
}

void Utility::default_privileges(Object fields) {
  rights();
  if (const auto action = object(fields, "action")) {
    roles(*action, "grantees");
  } else {
    not_understood("ALTER DEFAULT PRIVILEGES without an action");
  }
}

void Utility::role_statement(Object fields) {
  rights();
  if (object(fields, "role")) {
    role(fields, "role");
  } else if (!text(fields, "role").empty()) {
    out_.roles.emplace_back(text(fields, "role"));
  }
  roles(fields, "roles");
  const auto items = array(fields, "options");
  if (!items) return;
  for (Value item : *items) {
    const auto option = node(item);
    if (!option) return not_understood("an unknown option");
    const auto members = node(option->fields, "arg");
    if (members && members->kind == "List") roles(members->fields, "items");
  }
}

void Utility::reassign(Object fields) {
  rights();
  if (out_.kind == "drop_owned") thing("database", {}, Use::drop);
  roles(fields, "roles");
  role(fields, "newrole");
}

}  // namespace sallyport::postgres::sql

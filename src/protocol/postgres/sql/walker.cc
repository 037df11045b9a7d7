#include "protocol/postgres/sql/walker.h"

#include <algorithm>
#include <unordered_set>

#include "protocol/postgres/sql/routines.h"

namespace sallyport::postgres::sql {

namespace {

constexpr int kDepthMax = 1000;

using Names = std::unordered_set<std::string_view>;

/// Nodes whose fields are walked and that name nothing by themselves.
const Names kWalked = {
    "A_Expr",
    "BoolExpr",
    "NullTest",
    "BooleanTest",
    "CaseExpr",
    "CaseWhen",
    "CoalesceExpr",
    "MinMaxExpr",
    "RowExpr",
    "A_ArrayExpr",
    "A_Indirection",
    "A_Indices",
    "TypeCast",
    "CollateClause",
    "NamedArgExpr",
    "SortBy",
    "WindowDef",
    "GroupingFunc",
    "GroupingSet",
    "XmlExpr",
    "XmlSerialize",
    "MultiAssignRef",
    "List",
    "TypeName",
    "JsonValueExpr",
    "JsonIsPredicate",
    "JsonBehavior",
    "JsonArgument",
    "JsonFuncExpr",
    "JsonTableColumn",
    "JsonKeyValue",
    "JsonParseExpr",
    "JsonScalarExpr",
    "JsonSerializeExpr",
    "JsonObjectConstructor",
    "JsonArrayConstructor",
    "JsonObjectAgg",
    "JsonArrayAgg",
    "RangeTableFuncCol",
    "SubLink",
    // DDL
    "ColumnDef",
    "Constraint",
    "DefElem",
    "IndexElem",
    "PartitionElem",
    "PartitionSpec",
    "PartitionBoundSpec",
    "PartitionRangeDatum",
    "PartitionCmd",
    "TableLikeClause",
    "FunctionParameter",
    "StatsElem",
    "AlterTableCmd",
    "ReplicaIdentityStmt",
    "ATAlterConstraint",
    "TriggerTransition",
    "AccessPriv",
    "VacuumRelation",
    "ObjectWithArgs",
    "CreateOpClassItem",
};

/// Nodes without anything inside that names something.
const Names kLeaves = {
    "A_Const",          "Integer",  "Float",           "Boolean",       "String",
    "BitString",        "A_Star",   "ParamRef",        "SetToDefault",  "SQLValueFunction",
    "MergeSupportFunc", "RoleSpec", "ReturningOption", "CurrentOfExpr",
};

/// Fields that hold a struct without its kind around it, all of whose fields are walked.
const Names kStructs = {
    "typeName",    "over",       "context_item", "value",      "arg",        "expr",
    "output",      "on_empty",   "on_error",     "pathspec",   "format",     "returning",
    "constructor", "collClause", "alias",        "argType",    "returnType", "partspec",
    "partbound",   "bound",      "infer",        "ofTypename", "val",        "newowner",
    "storedtype",  "func",
};
/// Likewise, when it is a relation.
const Names kRelations = {"relation", "pktable", "name", "table", "identitySequence", "rel"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

/// True if the condition names a column or a cursor: `WHERE true` does not count.
bool names_something(Value value, int depth = 0) {
  if (depth > kDepthMax * 3) return false;
  if (Array items; value.get(items) == simdjson::SUCCESS) {
    return std::any_of(items.begin(), items.end(),
                       [&](Value v) { return names_something(v, depth + 1); });
  }
  Object fields;
  if (value.get(fields) != simdjson::SUCCESS) return false;
  for (const auto& [key, inner] : fields) {
    if (key == "ColumnRef" || key == "CurrentOfExpr") return true;
    if (names_something(inner, depth + 1)) return true;
  }
  return false;
}

}  // namespace

Name name_of(Array strings) {
  std::vector<std::string> parts;
  for (Value item : strings) {
    const auto part = string_of(item);
    parts.emplace_back(part.value_or(""));
  }
  Name name;
  if (!parts.empty()) name.name = parts.back();
  if (parts.size() > 1) name.schema = parts[parts.size() - 2];
  if (parts.size() > 2) name.catalog = parts[parts.size() - 3];
  return name;
}

Name name_of(Value value) {
  if (Array items; value.get(items) == simdjson::SUCCESS) return name_of(items);
  const auto found = node(value);
  if (!found) return {};
  if (found->kind == "String") return {.name = std::string(text(found->fields, "sval"))};
  for (const std::string_view list : {"items", "names", "objname"}) {
    if (const auto items = array(found->fields, list)) return name_of(*items);
  }
  return {};
}

Name name_of_range_var(Object range_var) {
  return {.catalog = std::string(text(range_var, "catalogname")),
          .schema = std::string(text(range_var, "schemaname")),
          .name = std::string(text(range_var, "relname"))};
}

void Walker::not_understood(std::string why) {
  if (!out_.understood) return;
  out_.understood = false;
  out_.why_not = std::move(why);
}

// ---- Statements --------------------------------------------------------------------------------

void Walker::statement(const Node& node) {
  const std::string_view kind = node.kind;
  if (kind == "SelectStmt" || kind == "InsertStmt" || kind == "UpdateStmt" ||
      kind == "DeleteStmt" || kind == "MergeStmt") {
    out_.kind = lower(kind.substr(0, kind.size() - 4));
    query(node);
  } else if (!utility(*this, out_, analysis_, node)) {
    if (out_.kind.empty()) out_.kind = "unknown";
    not_understood("statement of kind " + std::string(kind) + " is not known");
  }
  if (wrote_without_where_) out_.has_where = false;
  bool reads = out_.understood && !locks_ && !out_.dynamic_sql;
  for (const auto& relation : out_.relations) reads = reads && relation.use == Use::select;
  for (const auto& routine : out_.routines) {
    if (routine.routine_class == RoutineClass::dynamic_sql) out_.dynamic_sql = true;
    reads = reads && (routine.routine_class == RoutineClass::pure ||
                      routine.routine_class == RoutineClass::session);
  }
  for (const auto& nested : out_.nested) {
    out_.dynamic_sql = out_.dynamic_sql || nested.dynamic_sql;
    reads = reads && nested.read_only;
    if (!nested.understood) not_understood(nested.why_not);
  }
  const bool may_read = out_.kind == "select" || out_.kind == "show" || out_.kind == "explain" ||
                        out_.kind == "fetch" || out_.kind == "declare_cursor" ||
                        out_.kind == "copy_to" || out_.kind == "prepare";
  out_.read_only = reads && may_read && out_.understood && !out_.dynamic_sql &&
                   out_.copy != CopyEnd::file && out_.copy != CopyEnd::program &&
                   out_.settings.empty() && out_.kind != "fetch";
}

// ---- Queries -----------------------------------------------------------------------------------

void Walker::query(const Node& node) {
  if (++depth_ > kDepthMax) {
    not_understood("nested too deeply");
    --depth_;
    return;
  }
  const std::size_t ctes = ctes_.size();
  const bool outermost = std::exchange(outermost_, false);
  with(node.fields);
  scopes_.emplace_back();
  if (node.kind == "SelectStmt")
    select(node.fields);
  else if (node.kind == "InsertStmt")
    insert(node.fields);
  else if (node.kind == "UpdateStmt")
    update(node.fields);
  else if (node.kind == "DeleteStmt")
    delete_(node.fields);
  else if (node.kind == "MergeStmt")
    merge(node.fields);
  else
    not_understood("a query of kind " + std::string(node.kind) + " is not known");
  if (outermost && node.kind != "InsertStmt" && node.kind != "MergeStmt") note_where(node.fields);
  scopes_.pop_back();
  ctes_.resize(ctes);
  --depth_;
}

/// A set operation has a WHERE when all its arms have one.
void Walker::note_where(Object fields) {
  std::vector<Object> arms{fields};
  bool all = true;
  for (std::size_t i = 0; i < arms.size() && all; ++i) {
    const auto left = object(arms[i], "larg");
    const auto right = object(arms[i], "rarg");
    if (left && right) {
      const Object l = *left;
      const Object r = *right;
      arms.push_back(l);
      arms.push_back(r);
      continue;
    }
    const auto where = field(arms[i], "whereClause");
    all = where && names_something(*where);
  }
  out_.has_where = all;
}

/// The names of a WITH are seen by what comes after them, with RECURSIVE by all of them.
void Walker::with(Object fields) {
  const auto clause = object(fields, "withClause");
  if (!clause) return;
  const auto items = array(*clause, "ctes");
  if (!items) return;
  const bool recursive = flag(*clause, "recursive");
  if (recursive) {
    for (Value item : *items) {
      if (const auto cte = node(item)) ctes_.emplace_back(text(cte->fields, "ctename"));
    }
  }
  for (Value item : *items) {
    const auto cte = node(item);
    if (!cte || cte->kind != "CommonTableExpr") return not_understood("an unknown WITH item");
    const auto inner = node(cte->fields, "ctequery");
    if (!inner) return not_understood("a WITH item without a query");
    query(*inner);
    if (const auto cycle = object(cte->fields, "cycle_clause")) this->fields(*cycle, {});
    if (!recursive) ctes_.emplace_back(text(cte->fields, "ctename"));
  }
}

void Walker::select(Object fields) {
  if (object(fields, "larg")) return set_operation(fields);
  if (const auto clause = object(fields, "intoClause")) into(*clause);
  if (const auto items = array(fields, "fromClause")) from(*items);
  child(fields, "targetList", {.role = ColumnRole::output});
  child(fields, "whereClause", {.role = ColumnRole::filter});
  child(fields, "groupClause", {.role = ColumnRole::group});
  child(fields, "havingClause", {.role = ColumnRole::filter});
  child(fields, "distinctClause", {.role = ColumnRole::group});
  child(fields, "windowClause", {.role = ColumnRole::order});
  child(fields, "sortClause", {.role = ColumnRole::order});
  child(fields, "valuesLists", {.role = ColumnRole::output});
  child(fields, "limitOffset", {});
  child(fields, "limitCount", {});
  locking(fields);
}

void Walker::set_operation(Object fields) {
  if (const auto clause = object(fields, "intoClause")) into(*clause);
  for (const std::string_view side : {"larg", "rarg"}) {
    const auto arm = object(fields, side);
    if (!arm) return not_understood("a set operation with one arm");
    query({.kind = "SelectStmt", .fields = *arm});
  }
  child(fields, "sortClause", {.role = ColumnRole::order});
  child(fields, "limitOffset", {});
  child(fields, "limitCount", {});
  locking(fields);
}

void Walker::into(Object clause) {
  const auto relation = object(clause, "rel");
  if (!relation) return not_understood("INTO without a table");
  add_relation(*relation, Use::create);
  if (out_.kind == "select") out_.kind = "select_into";
  child(clause, "options", {});
}

void Walker::locking(Object fields) {
  const auto clauses = array(fields, "lockingClause");
  if (!clauses) return;
  locks_ = true;
  // FOR UPDATE without OF locks every relation of the query, and of its sub-queries.
  const std::size_t known = out_.relations.size();
  for (std::size_t i = 0; i < known; ++i) {
    RelationUse locked = out_.relations[i];
    if (locked.use != Use::select) continue;
    locked.use = Use::lock;
    out_.relations.push_back(std::move(locked));
  }
}

int Walker::target(Object fields, Use use) {
  const auto relation = object(fields, "relation");
  if (!relation) {
    not_understood("no target relation");
    return -1;
  }
  const int index = add_relation(*relation, use);
  const auto alias = object(*relation, "alias");
  scopes_.back().push_back({.schema = alias ? "" : std::string(text(*relation, "schemaname")),
                            .name = out_.relations[static_cast<std::size_t>(index)].alias,
                            .relation = index});
  return index;
}

void Walker::assignments(Object fields, std::string_view list) {
  const auto items = array(fields, list);
  if (!items) return;
  for (Value item : *items) {
    const auto target = node(item);
    if (!target || target->kind != "ResTarget") return not_understood("an unknown assignment");
    const int relation = scopes_.back().empty() ? -1 : scopes_.back().front().relation;
    out_.columns.push_back({.column = std::string(text(target->fields, "name")),
                            .role = ColumnRole::assignment,
                            .relation = relation});
    child(target->fields, "indirection", {});
    child(target->fields, "val", {.role = ColumnRole::other});
  }
}

void Walker::returning(Object fields) {
  const auto clause = object(fields, "returningClause");
  if (!clause) return;
  if (const auto options = array(*clause, "options")) {
    for (Value item : *options) {
      const auto option = node(item);
      if (option) {
        scopes_.back().push_back({.name = std::string(text(option->fields, "value")),
                                  .relation = scopes_.back().front().relation});
      }
    }
  }
  child(*clause, "exprs", {.role = ColumnRole::returning});
}

void Walker::on_conflict(Object clause) {
  const int relation = scopes_.back().front().relation;
  if (text(clause, "action") == "ONCONFLICT_UPDATE") {
    RelationUse updated = out_.relations[static_cast<std::size_t>(relation)];
    updated.use = Use::update;
    out_.relations.push_back(std::move(updated));
  }
  scopes_.back().push_back({.name = "excluded", .relation = relation});
  if (const auto infer = object(clause, "infer"))
    this->fields(*infer, {.role = ColumnRole::filter});
  assignments(clause, "targetList");
  child(clause, "whereClause", {.role = ColumnRole::filter});
}

void Walker::insert(Object fields) {
  if (target(fields, Use::insert) < 0) return;
  assignments(fields, "cols");
  if (const auto source = node(fields, "selectStmt")) {
    // The source does not see the target.
    Scope hidden = std::exchange(scopes_.back(), {});
    query(*source);
    scopes_.back() = std::move(hidden);
  }
  if (const auto clause = object(fields, "onConflictClause")) on_conflict(*clause);
  returning(fields);
}

void Walker::update(Object fields) {
  if (target(fields, Use::update) < 0) return;
  if (const auto items = array(fields, "fromClause")) from(*items);
  assignments(fields, "targetList");
  child(fields, "whereClause", {.role = ColumnRole::filter});
  returning(fields);
  const auto where = field(fields, "whereClause");
  if (!where || !names_something(*where)) wrote_without_where_ = true;
}

void Walker::delete_(Object fields) {
  if (target(fields, Use::delete_) < 0) return;
  if (const auto items = array(fields, "usingClause")) from(*items);
  child(fields, "whereClause", {.role = ColumnRole::filter});
  returning(fields);
  const auto where = field(fields, "whereClause");
  if (!where || !names_something(*where)) wrote_without_where_ = true;
}

void Walker::merge(Object fields) {
  const int index = target(fields, Use::select);
  if (index < 0) return;
  if (const auto source = node(fields, "sourceRelation")) from_item(*source);
  child(fields, "joinCondition", {.role = ColumnRole::join});
  const auto clauses = array(fields, "mergeWhenClauses");
  if (!clauses) return not_understood("MERGE without WHEN");
  for (Value item : *clauses) {
    const auto when = node(item);
    if (!when || when->kind != "MergeWhenClause") return not_understood("an unknown WHEN");
    const std::string_view command = text(when->fields, "commandType");
    RelationUse written = out_.relations[static_cast<std::size_t>(index)];
    if (command == "CMD_UPDATE")
      written.use = Use::update;
    else if (command == "CMD_INSERT")
      written.use = Use::insert;
    else if (command == "CMD_DELETE")
      written.use = Use::delete_;
    else if (command != "CMD_NOTHING")
      return not_understood("an unknown action of MERGE");
    if (written.use != Use::select) out_.relations.push_back(std::move(written));
    child(when->fields, "condition", {.role = ColumnRole::filter});
    assignments(when->fields, "targetList");
    child(when->fields, "values", {});
  }
  wrote_without_where_ = true;
  returning(fields);
}

// ---- FROM --------------------------------------------------------------------------------------

void Walker::from(Array items) {
  for (Value item : items) {
    const auto source = node(item);
    if (!source) return not_understood("an empty FROM item");
    from_item(*source);
  }
}

void Walker::from_item(const Node& item) {
  if (++depth_ > kDepthMax) {
    not_understood("nested too deeply");
    --depth_;
    return;
  }
  const auto alias = object(item.fields, "alias");
  const std::string called = alias ? std::string(text(*alias, "aliasname")) : std::string();
  if (item.kind == "RangeVar") {
    range_var(item.fields, Use::select);
  } else if (item.kind == "JoinExpr") {
    join(item.fields);
  } else if (item.kind == "RangeSubselect") {
    const auto inner = node(item.fields, "subquery");
    Scope hidden;
    const bool lateral = flag(item.fields, "lateral");
    if (!lateral) hidden = std::exchange(scopes_.back(), {});
    if (inner)
      query(*inner);
    else
      not_understood("a sub-query without a query");
    if (!lateral) scopes_.back() = std::move(hidden);
    scopes_.back().push_back({.name = called});
  } else if (item.kind == "RangeFunction") {
    child(item.fields, "functions", {});
    child(item.fields, "coldeflist", {});
    scopes_.back().push_back({.name = called});
  } else if (item.kind == "RangeTableFunc" || item.kind == "JsonTable") {
    fields(item.fields, {});
    scopes_.back().push_back({.name = called});
  } else if (item.kind == "RangeTableSample") {
    if (const auto sampled = node(item.fields, "relation"))
      from_item(*sampled);
    else
      not_understood("TABLESAMPLE of nothing");
    if (const auto method = array(item.fields, "method")) {
      const Name name = name_of(*method);
      const bool known = name.schema.empty() && (name.name == "system" || name.name == "bernoulli");
      if (!known) out_.routines.push_back({.name = name, .routine_class = RoutineClass::unknown});
    }
    child(item.fields, "args", {});
    child(item.fields, "repeatable", {});
  } else {
    not_understood("a FROM item of kind " + std::string(item.kind) + " is not known");
  }
  --depth_;
}

void Walker::join(Object fields) {
  for (const std::string_view side : {"larg", "rarg"}) {
    const auto item = node(fields, side);
    if (!item) return not_understood("a join of nothing");
    from_item(*item);
  }
  if (const auto columns = array(fields, "usingClause")) {
    for (Value column : *columns) {
      out_.columns.push_back(
          {.column = std::string(string_of(column).value_or("")), .role = ColumnRole::join});
    }
  }
  child(fields, "quals", {.role = ColumnRole::join});
}

bool Walker::is_cte(Object range_var) const {
  if (!text(range_var, "schemaname").empty() || !text(range_var, "catalogname").empty()) {
    return false;
  }
  return std::ranges::find(ctes_, text(range_var, "relname")) != ctes_.end();
}

int Walker::add_relation(Object range_var, Use use) {
  const auto alias = object(range_var, "alias");
  out_.relations.push_back(
      {.name = name_of_range_var(range_var),
       .use = use,
       .alias = std::string(alias ? text(*alias, "aliasname") : text(range_var, "relname")),
       .temporary = text(range_var, "relpersistence") == "t"});
  return static_cast<int>(out_.relations.size()) - 1;
}

void Walker::range_var(Object fields, Use use) {
  const auto alias = object(fields, "alias");
  std::string called(alias ? text(*alias, "aliasname") : text(fields, "relname"));
  if (is_cte(fields)) {
    scopes_.back().push_back({.name = std::move(called)});
    return;
  }
  const int index = add_relation(fields, use);
  scopes_.back().push_back({.schema = alias ? "" : std::string(text(fields, "schemaname")),
                            .name = std::move(called),
                            .relation = index});
}

// ---- Expressions -------------------------------------------------------------------------------

void Walker::child(Object from, std::string_view name, Part part) {
  if (const auto found = field(from, name)) value(*found, part, name);
}

void Walker::fields(Object object, Part part) {
  for (const auto& [key, inner] : object) value(inner, part, key);
}

void Walker::value(Value value, Part part, std::string_view name) {
  if (!out_.understood) return;
  if (Array items; value.get(items) == simdjson::SUCCESS) {
    for (Value item : items) this->value(item, part, name);
    return;
  }
  Object inner;
  if (value.get(inner) != simdjson::SUCCESS || inner.begin() == inner.end()) return;
  if (++depth_ > kDepthMax) {
    not_understood("nested too deeply");
  } else if (const auto found = node(value)) {
    visit(*found, part);
  } else if (field(inner, "relname")) {
    if (part.relation && kRelations.contains(name))
      add_relation(inner, *part.relation);
    else
      not_understood("a relation where none is expected");
  } else if (kStructs.contains(name)) {
    fields(inner, part);
  } else {
    not_understood("an unknown part: " + std::string(name));
  }
  --depth_;
}

void Walker::visit(const Node& node, Part part) {
  if (node.kind == "ColumnRef") return column(node.fields, part);
  if (node.kind == "FuncCall") return call(node.fields, part);
  if (node.kind == "ResTarget") return result_target(node.fields, part);
  if (kLeaves.contains(node.kind)) return;
  if (node.kind == "SelectStmt") return query(node);
  if (node.kind == "JsonTablePathSpec") return fields(node.fields, part);
  if (node.kind == "RangeVar" && part.relation) {
    add_relation(node.fields, *part.relation);
    return;
  }
  if (node.kind == "JsonArrayQueryConstructor") {
    child(node.fields, "query", part);
    return;
  }
  if (!kWalked.contains(node.kind)) {
    return not_understood("a part of kind " + std::string(node.kind) + " is not known");
  }
  operator_name(node.fields, node.kind == "SubLink" ? "operName" : "name");
  if (node.kind == "SortBy") operator_name(node.fields, "useOp");
  if (node.kind == "IndexElem" && !text(node.fields, "name").empty()) {
    out_.columns.push_back({.column = std::string(text(node.fields, "name")), .role = part.role});
  }
  if (node.kind == "TableLikeClause") part.relation = Use::select;
  if (node.kind == "Constraint") part.relation = Use::select;
  fields(node.fields, part);
}

/// OPERATOR(schema.op) may be anybody's function.
void Walker::operator_name(Object fields, std::string_view name) {
  const auto parts = array(fields, name);
  if (!parts) return;
  const Name found = name_of(*parts);
  if (found.schema.empty() || found.schema == "pg_catalog") return;
  out_.routines.push_back({.name = found, .routine_class = RoutineClass::unknown});
}

void Walker::result_target(Object fields, Part part) {
  child(fields, "indirection", part);
  child(fields, "val", part);
}

void Walker::column(Object fields, Part part) {
  const auto list = array(fields, "fields");
  if (!list) return not_understood("a column without a name");
  std::vector<std::string> parts;
  for (Value item : *list) {
    const auto piece = node(item);
    if (!piece) return not_understood("a column without a name");
    parts.emplace_back(piece->kind == "A_Star" ? "*" : text(piece->fields, "sval"));
  }
  ColumnUse use{.column = parts.back(), .role = part.role};
  parts.pop_back();
  for (const auto& piece : parts) use.qualifier += (use.qualifier.empty() ? "" : ".") + piece;

  std::size_t sources = 0;
  int only = -1;
  bool found = false;
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend() && !found; ++scope) {
    for (const Source& source : *scope) {
      ++sources;
      only = source.relation;
      const bool named = parts.size() == 1 ? parts[0] == source.name
                                           : parts.size() > 1 && parts.back() == source.name &&
                                                 parts[parts.size() - 2] == source.schema;
      if (named && !found) {
        use.relation = source.relation;
        found = true;
      }
      if (parts.empty() && use.column == source.name) use.whole_row = true;
    }
  }
  if (parts.empty() && sources == 1 && !use.whole_row) use.relation = only;
  out_.columns.push_back(std::move(use));
}

void Walker::call(Object fields, Part part) {
  const auto parts = array(fields, "funcname");
  if (!parts) return not_understood("a call without a name");
  const Name name = name_of(*parts);
  const RoutineClass routine_class = classify_routine(name);
  out_.routines.push_back({.name = name, .routine_class = routine_class});
  if (routine_class == RoutineClass::settings) setting_call(fields);
  child(fields, "args", part);
  child(fields, "agg_order", {.role = ColumnRole::order});
  child(fields, "agg_filter", {.role = ColumnRole::filter});
  child(fields, "over", {.role = ColumnRole::order});
}

/// set_config(name, value, is_local)
void Walker::setting_call(Object fields) {
  analysis_.depends_on_literals = true;
  const auto args = array(fields, "args");
  if (!args || args->size() != 3) return not_understood("set_config with unusual arguments");
  const auto name = string_of(args->at(0));
  if (!name) return not_understood("set_config of a computed name");
  SettingChange change{.name = lower(*name)};
  if (const auto value = string_of(args->at(1))) change.value = std::string(*value);
  const auto third = node(args->at(2));
  if (third && third->kind == "A_Const") {
    if (const auto constant = object(third->fields, "boolval")) {
      change.local = flag(*constant, "boolval");
    }
  }
  out_.settings.push_back(std::move(change));
}

}  // namespace sallyport::postgres::sql

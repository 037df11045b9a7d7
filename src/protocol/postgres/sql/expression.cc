// Expressions, and the parts of definitions that hold expressions.

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "protocol/postgres/sql/routines.h"
#include "protocol/postgres/sql/walker.h"

namespace sallyport::postgres::sql {

namespace {

constexpr std::size_t kNameBytesMax = 63;

using Names = std::unordered_set<std::string_view>;

/// Nodes whose fields are walked and that name nothing by themselves.
const Names kWalked = {
    "A_ArrayExpr",
    "A_Expr",
    "A_Indices",
    "BoolExpr",
    "BooleanTest",
    "CaseExpr",
    "CaseWhen",
    "CoalesceExpr",
    "CollateClause",
    "GroupingFunc",
    "GroupingSet",
    "JsonArgument",
    "JsonArrayAgg",
    "JsonArrayConstructor",
    "JsonArrayQueryConstructor",
    "JsonBehavior",
    "JsonFuncExpr",
    "JsonIsPredicate",
    "JsonKeyValue",
    "JsonObjectAgg",
    "JsonObjectConstructor",
    "JsonParseExpr",
    "JsonScalarExpr",
    "JsonSerializeExpr",
    "JsonTableColumn",
    "JsonTablePathSpec",
    "JsonValueExpr",
    "List",
    "MinMaxExpr",
    "MultiAssignRef",
    "NamedArgExpr",
    "NullTest",
    "RangeTableFuncCol",
    "ResTarget",
    "RowExpr",
    "SortBy",
    "SubLink",
    "TypeCast",
    "WindowDef",
    "XmlExpr",
    "XmlSerialize",
};

/// Likewise in definitions.
const Names kDefinitions = {
    "ATAlterConstraint", "AlterTableCmd",       "ColumnDef",          "Constraint",
    "FunctionParameter", "IndexElem",           "PartitionBoundSpec", "PartitionCmd",
    "PartitionElem",     "PartitionRangeDatum", "PartitionSpec",      "ReplicaIdentityStmt",
    "StatsElem",         "TableLikeClause",
};

/// Nodes without anything inside that names something.
const Names kLeaves = {
    "A_Const",  "A_Star",   "BitString",       "Boolean",      "CurrentOfExpr",    "Float",
    "Integer",  "ParamRef", "ReturningOption", "SetToDefault", "SQLValueFunction", "String",
    "RoleSpec",
};

/// Fields that hold a struct without its kind around it, all of whose fields are walked.
const Names kStructs = {
    "alias",    "arg",      "bound",     "collClause", "constructor", "context_item", "expr",
    "format",   "newowner", "on_empty",  "on_error",   "output",      "over",         "partbound",
    "partspec", "pathspec", "returning", "val",        "value",
};
/// Likewise, when it is a type, and when it is a relation.
const Names kTypes = {"typeName", "argType", "returnType", "ofTypename"};
const Names kRelations = {"relation", "name", "identitySequence"};

/// What older servers take for a call of somebody's function.
struct Newer {
  std::string_view function;
  int since;
};
const std::unordered_map<std::string_view, Newer> kNewer = {
    {"JsonArrayAgg", {"json_arrayagg", 16}},
    {"JsonArrayConstructor", {"json_array", 16}},
    {"JsonArrayQueryConstructor", {"json_array", 16}},
    {"JsonObjectAgg", {"json_objectagg", 16}},
    {"JsonObjectConstructor", {"json_object", 16}},
    {"JsonParseExpr", {"json", 17}},
    {"JsonScalarExpr", {"json_scalar", 17}},
    {"JsonSerializeExpr", {"json_serialize", 17}},
    {"MergeSupportFunc", {"merge_action", 17}},
};
const std::unordered_map<std::string_view, std::string_view> kJsonFunctions = {
    {"JSON_EXISTS_OP", "json_exists"},
    {"JSON_QUERY_OP", "json_query"},
    {"JSON_VALUE_OP", "json_value"},
};

}  // namespace

bool is_expression_node(std::string_view kind) {
  return kWalked.contains(kind) || kLeaves.contains(kind);
}

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
  if (++depth_ > kWalkDepthMax) {
    not_understood("nested too deeply");
  } else if (const auto found = node(value)) {
    visit(*found, part);
  } else if (kTypes.contains(name)) {
    type(inner);
  } else if (field(inner, "relname")) {
    if (part.relation && kRelations.contains(name)) {
      add_relation(inner, *part.relation);
    } else {
      not_understood("a relation where none is expected");
    }
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
  if (node.kind == "SelectStmt") return query(node);
  if (node.kind == "A_Indirection") return indirection(node.fields, part);
  if (node.kind == "TypeName") return type(node.fields);
  if (node.kind == "DefElem") {
    if (const auto argument = field(node.fields, "arg")) option(*argument);
    return;
  }
  if (node.kind == "RangeVar" && part.relation) {
    add_relation(node.fields, *part.relation);
    return;
  }
  if (const auto newer = kNewer.find(node.kind); newer != kNewer.end()) {
    newer_syntax(newer->second.function, newer->second.since);
  }
  if (kLeaves.contains(node.kind) || node.kind == "MergeSupportFunc") return;
  if (kDefinitions.contains(node.kind)) return definition(node, part);
  if (!kWalked.contains(node.kind)) {
    return not_understood("a part of kind " + std::string(node.kind) + " is not known");
  }
  if (node.kind == "A_Expr" &&
      text(node.fields, "kind").find("BETWEEN") == std::string_view::npos) {
    if (const auto name = array(node.fields, "name")) operator_(*name);
  } else if (node.kind == "SubLink") {
    if (const auto name = array(node.fields, "operName")) operator_(*name);
  } else if (node.kind == "SortBy") {
    if (const auto name = array(node.fields, "useOp")) operator_(*name);
  } else if (node.kind == "JsonFuncExpr") {
    const auto function = kJsonFunctions.find(text(node.fields, "op"));
    if (function == kJsonFunctions.end()) return not_understood("an unknown JSON function");
    newer_syntax(function->second, 17);
  }
  fields(node.fields, part);
}

void Walker::newer_syntax(std::string_view function, int since) {
  add_routine({.name = {.name = std::string(function)},
               .routine_class = RoutineClass::pure,
               .since = since});
}

/// OPERATOR(schema.op), or one that is not PostgreSQL's, is anybody's function.
void Walker::operator_(Array name) {
  Name found = name_of(name);
  if (!is_system_operator(found)) add_unknown_routine(std::move(found));
}

/// A value becomes of a type by its input function or a cast, which are anybody's too.
void Walker::type(Object fields) {
  const auto names = array(fields, "names");
  if (!names) return not_understood("a type without a name");
  if (const auto modifiers = array(fields, "typmods")) {
    for (Value item : *modifiers) {
      const auto modifier = node(item);
      if (modifier && modifier->kind != "A_Const" && modifier->kind != "ColumnRef" &&
          modifier->kind != "Integer") {
        return not_understood("a type modifier that is not a constant");
      }
    }
  }
  if (flag(fields, "pct_type")) return;  // the type of some column
  Name name = name_of(*names);
  // 'x'::regclass looks a name up.
  if (name.name.starts_with("reg") || name.name.starts_with("_reg")) {
    survey_.depends_on_literals = true;
  }
  if (!is_system_type(name)) add_unknown_routine(std::move(name));
}

/// The value of an option: constants and words, which may look like types.
void Walker::option(Value argument) {
  if (Array items; argument.get(items) == simdjson::SUCCESS) {
    for (Value item : items) option(item);
    return;
  }
  const auto found = node(argument);
  if (!found) return not_understood("an unknown option");
  if (found->kind == "List") {
    if (const auto items = field(found->fields, "items")) option(*items);
  } else if (found->kind != "TypeName" && !kLeaves.contains(found->kind)) {
    not_understood("an option that is not a constant");
  }
}

// ---- Columns -----------------------------------------------------------------------------------

const Walker::Source* Walker::source_of(const std::vector<std::string>& qualifier) {
  const std::string& name = qualifier.back();
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    if (!spend(scope->size())) return nullptr;
    for (const Source& source : *scope) {
      if (source.name != name) continue;
      // A schema that is written here need not be written there.
      if (qualifier.size() == 1 || source.schema == qualifier[qualifier.size() - 2] ||
          (source.schema.empty() && source.relation >= 0 &&
           out_.relations[static_cast<std::size_t>(source.relation)].name.name == name)) {
        return &source;
      }
    }
  }
  return nullptr;
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
  if (parts.empty()) return not_understood("a column without a name");
  ColumnUse use{.column = parts.back(), .role = part.role};
  parts.pop_back();
  if (!parts.empty()) {
    for (const auto& piece : parts) use.qualifier += (use.qualifier.empty() ? "" : ".") + piece;
    const Source* const source = source_of(parts);
    if (source != nullptr) use.relation = source->relation;
    const bool proposed = source != nullptr && source->proposed;
    const bool changed_row = source == nullptr && (parts.back() == "old" || parts.back() == "new");
    if (use.column != "*" && !changed_row) attribute(use.column, source);
    return add_column(std::move(use), proposed);
  }
  std::size_t sources = 0;
  int only = -1;
  for (const Scope& scope : scopes_) {
    if (!spend(scope.size())) return;
    for (const Source& source : scope) {
      ++sources;
      only = source.relation;
      if (use.column == source.name) use.whole_row = true;
    }
  }
  if (sources == 1 && !use.whole_row) use.relation = only;
  add_column(std::move(use));
}

/// x.name is name(x), if x has no column of that name and there is such a function. Columns of
/// relations and sub-queries are taken for columns unless they are called like a function that is
/// not harmless; whatever else has columns must say which.
void Walker::attribute(const std::string& name, const Source* source) {
  if (source == nullptr && scopes_.empty()) return;  // of the table that is being defined
  const bool row = source != nullptr && !source->function;
  if (source != nullptr && source->function &&
      (name == source->name || std::ranges::find(source->columns, name) != source->columns.end())) {
    return;
  }
  RoutineUse use = classify_routine({.name = name});
  if (use.routine_class == RoutineClass::unknown) {
    if (!row && !is_system_output(name)) add_routine(std::move(use));
    return;
  }
  const bool silent =
      use.routine_class == RoutineClass::pure || use.routine_class == RoutineClass::session;
  if (silent && (row || use.since == 0)) return;
  if (row && use.routine_class == RoutineClass::internal) return;
  add_routine(std::move(use));
}

bool is_expansion(const Node& node) {
  const auto name = node.kind == "FuncCall" ? array(node.fields, "funcname") : std::nullopt;
  return name && name_of(*name) == Name{.schema = "information_schema", .name = "_pg_expandarray"};
}

/// Its fields are no functions: a call of _pg_expandarray, or a column of a sub-query that is one.
bool Walker::is_expanded(const Node& value) {
  if (is_expansion(value)) return true;
  const auto names = value.kind == "ColumnRef" ? array(value.fields, "fields") : std::nullopt;
  if (!names || names->size() != 2) return false;
  const auto qualifier = string_of(names->at(0));
  const auto column = string_of(names->at(1));
  if (!qualifier || !column) return false;
  const Source* const source = source_of({std::string(*qualifier)});
  return source != nullptr &&
         std::ranges::find(source->expanded, *column) != source->expanded.end();
}

/// (x).name, (x)[1]
void Walker::indirection(Object fields, Part part) {
  const auto arg = node(fields, "arg");
  const auto steps = array(fields, "indirection");
  if (!arg || !steps) return not_understood("a part of nothing");
  static const Source scalar{.function = true};
  const Source* source = &scalar;
  if (arg->kind == "ColumnRef") {
    const auto names = array(arg->fields, "fields");
    const auto only = names && names->size() == 1 ? string_of(names->at(0)) : std::nullopt;
    if (only) {
      const Source* const row = source_of({std::string(*only)});
      if (row != nullptr) source = row;
    }
  }
  child(fields, "arg", part);
  const bool expanded = is_expanded(*arg);
  for (Value item : *steps) {
    const auto step = node(item);
    if (!step) return not_understood("a part of nothing");
    const std::string_view named = step->kind == "String" ? text(step->fields, "sval") : "";
    if (expanded && steps->size() == 1 && (named == "n" || named == "x")) return;
    if (step->kind == "String") {
      attribute(std::string(text(step->fields, "sval")), source);
    } else if (step->kind != "A_Star") {
      visit(*step, part);
    }
    source = &scalar;
  }
}

// ---- Calls -------------------------------------------------------------------------------------

void Walker::call(Object fields, Part part) {
  const bool settings_allowed = std::exchange(settings_allowed_, false);
  const std::string row_setting = std::exchange(row_setting_, {});
  const auto parts = array(fields, "funcname");
  if (!parts) return not_understood("a call without a name");
  RoutineUse use = classify_routine(name_of(*parts));
  const bool sets = use.routine_class == RoutineClass::settings;
  add_routine(std::move(use));
  if (sets && !settings_allowed && row_setting.empty()) {
    return not_understood("set_config may only be called as SELECT set_config(...)");
  }
  if (sets) setting_call(fields, row_setting);
  child(fields, "args", part);
  child(fields, "agg_order", {.role = ColumnRole::order});
  child(fields, "agg_filter", {.role = ColumnRole::filter});
  child(fields, "over", {.role = ColumnRole::order});
}

/// set_config(name, value, is_local). With `row_setting` the name must be the column of that name,
/// and it happens or not: not for settings that the session follows.
void Walker::setting_call(Object fields, const std::string& row_setting) {
  static const Names followed = {"search_path", "role", "session_authorization",
                                 "application_name"};
  const auto args = array(fields, "args");
  if (!args || args->size() != 3) return not_understood("set_config with unusual arguments");
  SettingChange change;
  if (row_setting.empty()) {
    const auto name = string_of(args->at(0));
    if (!name) return not_understood("set_config of a computed name");
    change.name = lower(*name);
  } else {
    const auto column = node(args->at(0));
    const auto names =
        column && column->kind == "ColumnRef" ? array(column->fields, "fields") : std::nullopt;
    change.name = lower(row_setting);
    if (!names || names->size() != 1 || string_of(names->at(0)) != "name" ||
        followed.contains(change.name)) {
      return not_understood("set_config of a computed name");
    }
  }
  const auto third = node(args->at(2));
  const auto local = third ? object(third->fields, "boolval") : std::nullopt;
  if (local) change.local = flag(*local, "boolval");
  // The server cuts names off at 63 bytes: a value that could hold a longer one is not known.
  const auto value = string_of(args->at(1));
  const bool whole = change.name != "search_path" || (value && value->size() <= kNameBytesMax);
  if (value && local && whole) change.value = std::string(*value);
  out_.settings.push_back(std::move(change));
}

// ---- Parts of definitions ----------------------------------------------------------------------

void Walker::definition(const Node& node, Part part) {
  if (node.kind == "Constraint") return constraint(node.fields, part);
  if (node.kind == "IndexElem" && !text(node.fields, "name").empty()) {
    add_column({.column = std::string(text(node.fields, "name")), .role = part.role});
  }
  if (node.kind == "TableLikeClause") part.relation = Use::select;
  if (node.kind == "AlterTableCmd") {
    cascade(node.fields);
    if (const auto owner = object(node.fields, "newowner")) {
      add_role(*owner);
      out_.objects.push_back({.kind = "role", .use = Use::grant});
    }
  }
  fields(node.fields, part);
}

void Walker::constraint(Object fields, Part part) {
  if (const auto referenced = object(fields, "pktable")) {
    // It can tell which rows there are, and can keep them from being deleted.
    add_relation(*referenced, Use::select);
    add_relation(*referenced, Use::trigger);
  }
  if (const auto exclusions = array(fields, "exclusions")) {
    for (Value item : *exclusions) {
      const auto pair = node(item);
      const auto items = pair ? array(pair->fields, "items") : std::nullopt;
      const auto second = items && items->size() == 2 ? node(items->at(1)) : std::nullopt;
      const auto name = second ? array(second->fields, "items") : std::nullopt;
      if (!name) return not_understood("an unknown exclusion");
      operator_(*name);
    }
  }
  for (const auto& [key, inner] : fields) {
    if (key != "pktable") value(inner, part, key);
  }
}

/// CASCADE reaches what the statement does not name.
void Walker::cascade(Object fields) {
  if (text(fields, "behavior") != "DROP_CASCADE") return;
  out_.objects.push_back({.kind = "cascade", .use = Use::drop});
}

}  // namespace sallyport::postgres::sql

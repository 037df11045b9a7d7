// Expressions: what is computed from a column is that column. Functions, operators and types are
// looked up only to see whether they are somebody's own.

#include <algorithm>
#include <array>

#include "protocol/postgres/sql/routines.h"
#include "protocol/postgres/sql/trace.h"
#include "protocol/postgres/sql/walker.h"

namespace sallyport::postgres::sql {

namespace {

constexpr std::array<std::pair<std::string_view, std::int16_t>, 6> kSystemColumns = {
    {{"ctid", -1}, {"xmin", -2}, {"cmin", -3}, {"xmax", -4}, {"cmax", -5}, {"tableoid", -6}}};

std::int16_t system_column(std::string_view name) {
  for (const auto& [known, number] : kSystemColumns) {
    if (known == name) return number;
  }
  return 0;
}

}  // namespace

Flow Trace::flow_of(Object from, std::string_view name) {
  const auto found = field(from, name);
  return found ? flow(*found) : Flow{};
}

Flow Trace::fields_flow(Object fields) {
  Flow all;
  for (const auto& [key, inner] : fields) add(all, flow(inner));
  return all;
}

/// Whatever is written there: a list, a node, a struct without its kind, a plain value.
Flow Trace::flow(Value value) {
  if (Array items; value.get(items) == simdjson::SUCCESS) {
    Flow all;
    for (Value item : items) add(all, flow(item));
    return all;
  }
  Object inner;
  if (value.get(inner) != simdjson::SUCCESS || inner.begin() == inner.end()) return {};
  if (!deeper()) return {};
  Flow made;
  if (const auto found = node(value)) {
    made = flow(*found);
  } else if (field(inner, "relname")) {
    cannot_tell("a relation where none is expected");
  } else if (array(inner, "names")) {
    type(inner, made);
  } else {
    made = fields_flow(inner);
  }
  --depth_;
  return made;
}

Flow Trace::flow(const Node& node) {
  if (node.kind == "ColumnRef") return column(node.fields);
  if (node.kind == "FuncCall") return call(node.fields);
  if (node.kind == "SubLink") return sublink(node.fields);
  if (node.kind == "A_Indirection") return indirection(node.fields);
  Flow made;
  if (node.kind == "TypeName") {
    type(node.fields, made);
    return made;
  }
  if (node.kind == "SelectStmt") {
    made.sources = all_of(query(node));
    return made;
  }
  if (node.kind == "DefElem") return flow_of(node.fields, "arg");
  if (!is_expression_node(node.kind)) {
    cannot_tell("a part of kind " + std::string(node.kind) + " is not followed");
    return made;
  }
  if (node.kind == "A_Expr") {
    const std::string_view kind = text(node.fields, "kind");
    if (kind.find("BETWEEN") != std::string_view::npos) {
      for (const char* op : {">=", "<=", "<", ">"}) operator_({.name = op}, made);
    } else if (const auto name = array(node.fields, "name")) {
      operator_(name_of(*name), made);
    }
    add(made, flow_of(node.fields, "lexpr"));
    add(made, flow_of(node.fields, "rexpr"));
    return made;
  }
  if (node.kind == "CaseExpr" && field(node.fields, "arg")) operator_({.name = "="}, made);
  if (node.kind == "SortBy") {
    if (const auto name = array(node.fields, "useOp")) operator_(name_of(*name), made);
  }
  // What is passed on as it is keeps its row.
  if (node.kind == "CollateClause" || node.kind == "NamedArgExpr") {
    made = flow_of(node.fields, "arg");
    made.plain = false;
    return made;
  }
  add(made, fields_flow(node.fields));
  return made;
}

Flow Trace::sublink(Object fields) {
  Flow made = flow_of(fields, "testexpr");
  if (const auto name = array(fields, "operName")) {
    operator_(name_of(*name), made);
  } else if (field(fields, "testexpr")) {
    operator_({.name = "="}, made);
  }
  const auto inner = node(fields, "subselect");
  if (!inner) {
    cannot_tell("a sub-query without a query");
    return made;
  }
  const Columns columns = query(*inner);
  if (text(fields, "subLinkType") == "EXISTS_SUBLINK") return made;
  if (columns.fields.size() == 1 && !columns.open && made.sources.empty()) {
    made = columns.fields.front().flow;
    made.plain = false;
    return made;
  }
  add(made.sources, all_of(columns));
  return made;
}

// ---- Columns -----------------------------------------------------------------------------------

Flow Trace::column(Object fields) {
  std::vector<std::string> parts;
  bool star = false;
  for (Value item : items(fields, "fields")) {
    const auto piece = node(item);
    if (piece && piece->kind == "A_Star") {
      star = true;
    } else {
      parts.emplace_back(string_of(item).value_or(""));
    }
  }
  if (star) {  // count(t.*), row(t.*): all columns as one value
    if (parts.empty()) return {.sources = all_of(scopes_.back().columns)};
    if (const Range* const found = range(parts)) return whole_row(*found);
    return qualified({parts.begin(), parts.end() - 1}, parts.back());
  }
  if (parts.empty()) {
    cannot_tell("a column without a name");
    return {};
  }
  std::string name = std::move(parts.back());
  parts.pop_back();
  return parts.empty() ? unqualified(name) : qualified(parts, name);
}

/// A column of the innermost query that has one, else the row of a relation of that name.
Flow Trace::unqualified(const std::string& name) {
  Flow made;
  bool open = false;
  bool found = false;
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend() && !found; ++scope) {
    if (!spend(scope->columns.fields.size())) return made;
    for (const Field& field : scope->columns.fields) {
      if (field.name != name) continue;
      // One and the same where it is alone; where several are, the server says that it is not
      // clear, or they are one.
      if (!found && !open) {
        made = field.flow;
      } else {
        add(made, field.flow);
        made.plain = false;
      }
      found = true;
    }
    if (!found && scope->columns.open) {
      open = true;
      made.plain = false;
      add(made.sources, scope->columns.open_sources);
    }
    if (!found && system_column(name) != 0) {
      for (const Range& range : scope->ranges) {
        if (range.relation == 0) continue;
        add(made.sources, {{.mention = static_cast<std::uint32_t>(range.mention),
                            .number = system_column(name)}});
        open = true;
      }
    }
  }
  if (found) return made;
  if (const Range* const row = range({name})) {
    Flow whole = whole_row(*row);
    add(whole, made);
    return whole;
  }
  if (!open) unknown("column \"" + name + "\" is not known");
  return made;
}

const Trace::Range* Trace::range(const std::vector<std::string>& qualifier) {
  if (qualifier.size() > 3) return nullptr;
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    if (!spend(scope->ranges.size())) return nullptr;
    for (const Range& range : scope->ranges) {
      if (range.name != qualifier.back()) continue;
      if (qualifier.size() == 1 || range.schema == qualifier[qualifier.size() - 2]) return &range;
    }
  }
  return nullptr;
}

Flow Trace::whole_row(const Range& range) {
  Flow made{.sources = all_of(*range.columns), .row = range.columns};
  if (range.mention >= 0) {
    out_.mentions[static_cast<std::size_t>(range.mention)].reference.whole_row = true;
  }
  return made;
}

Flow Trace::qualified(const std::vector<std::string>& qualifier, const std::string& name) {
  const Range* const found = range(qualifier);
  if (found == nullptr) {
    // In a policy, a rule or a trigger: rows of the relation that it belongs to.
    unknown("\"" + qualifier.back() + "\" of " + qualifier.back() + "." + name + " is not in FROM");
    return {};
  }
  if (!spend(found->columns->fields.size())) return {};
  Flow made;
  bool several = false;
  for (const Field& field : found->columns->fields) {
    if (field.name != name) continue;
    if (several) {
      add(made, field.flow);
      made.plain = false;
    } else {
      made = field.flow;
    }
    several = true;
  }
  if (several) return made;
  if (found->relation != 0 && system_column(name) != 0) {
    return {.sources = {{.mention = static_cast<std::uint32_t>(found->mention),
                         .number = system_column(name)}}};
  }
  // x.f is f(x).
  return field_of(whole_row(*found), name);
}

/// A field of a row, or a function that is called with it.
Flow Trace::field_of(const Flow& row, const std::string& name) {
  if (row.row != nullptr) {
    for (const Field& field : row.row->fields) {
      if (field.name == name) return field.flow;
    }
  }
  Flow made{.sources = row.sources};
  const bool closed = row.row != nullptr && !row.row->open;
  const auto functions = place_.catalog.functions("", name, place_.lookup.path);
  bool called = false;
  for (const catalog::Function* function : functions) {
    if (!function->takes(1)) continue;
    call_function(*function, made);
    called = true;
  }
  if (called && classify_routine({.name = name}).routine_class != RoutineClass::unknown) {
    call_by_name({.name = name}, 1, made);
  }
  if (!called && closed) unknown("column \"" + name + "\" is not known");
  return made;
}

/// (x).name, (x)[1], (x).*
Flow Trace::indirection(Object fields) {
  Flow made = flow_of(fields, "arg");
  for (Value item : items(fields, "indirection")) {
    const auto step = node(item);
    if (!step) continue;
    if (step->kind == "String") {
      made = field_of(made, std::string(text(step->fields, "sval")));
    } else if (step->kind != "A_Star") {
      add(made, flow(*step));
      made.row = nullptr;
    }
    made.plain = false;
  }
  return made;
}

// ---- Calls -------------------------------------------------------------------------------------

Flow Trace::call(Object fields) {
  Flow made;
  const auto parts = array(fields, "funcname");
  if (!parts) {
    cannot_tell("a call without a name");
    return made;
  }
  std::size_t count = 0;
  for (Value item : items(fields, "args")) {
    add(made, flow(item));
    ++count;
  }
  const Flow ordered = flow_of(fields, "agg_order");
  const Flow filtered = flow_of(fields, "agg_filter");
  Flow over = flow_of(fields, "over");
  if (const auto window = object(fields, "over")) {
    const bool named = !text(*window, "name").empty() || !text(*window, "refname").empty();
    if (named) add(over.sources, scopes_.back().windows);
  }
  use(ordered, ColumnRole::order);
  use(filtered, ColumnRole::filter);
  use(over, ColumnRole::order);
  add(made, ordered);
  add(made, filtered);
  add(made, over);
  if (flag(fields, "agg_within_group")) {
    if (const auto order = array(fields, "agg_order")) count += order->size();
  }
  const bool any = flag(fields, "func_variadic");
  call_by_name(name_of(*parts), any ? static_cast<std::size_t>(-1) : count, made);
  return made;
}

/// `arguments`: -1 for any number, as with VARIADIC an_array.
void Trace::call_by_name(const Name& name, std::size_t arguments, Flow& flow) {
  const bool any = arguments == static_cast<std::size_t>(-1);
  bool system = false;
  bool known = false;
  for (const catalog::Function* function :
       place_.catalog.functions(name.schema, name.name, place_.lookup.path)) {
    if (function->is_system()) {
      system = true;
    } else if (any || function->takes(arguments)) {
      call_function(*function, flow);
      known = true;
    }
  }
  switch (classify_routine(name).routine_class) {
    case RoutineClass::pure:
    case RoutineClass::session:
    case RoutineClass::catalog:
    case RoutineClass::writes:
    case RoutineClass::admin:
    case RoutineClass::settings:
      return;
    case RoutineClass::reads_data:
      return cannot_tell("function " + name.to_string() + " reads what its name does not tell");
    case RoutineClass::dynamic_sql:
      return cannot_tell("function " + name.to_string() + " runs a text as SQL");
    case RoutineClass::internal:
      return cannot_tell("function " + name.to_string() + " is not for calling");
    case RoutineClass::unknown:
      break;
  }
  // (a).b in other words: a type's name is a cast, which types() looks at.
  if (known) return;
  if (system && name.schema == "information_schema") return;
  const catalog::Type* const type = place_.catalog.type(name.schema, name.name, place_.lookup.path);
  if (type != nullptr && arguments == 1) return this->type(type->oid);
  if (is_system_type(name)) return;
  if (system) return cannot_tell("system function " + name.to_string() + " is not known");
  unknown("function " + name.to_string() + " is not known");
}

void Trace::call_function(const catalog::Function& function, Flow& flow) {
  if (function.is_system()) return;
  auto found = by_function_.find(function.oid);
  if (found == by_function_.end()) {
    out_.mentions.push_back({.function = function.oid});
    found = by_function_.emplace(function.oid, static_cast<int>(out_.mentions.size()) - 1).first;
  }
  // It decides by its arguments what it reads and returns.
  use(flow.sources, ColumnRole::other);
  add(flow.sources,
      {{.mention = static_cast<std::uint32_t>(found->second), .number = function_result}});
  flow.plain = false;
  flow.row = nullptr;
}

void Trace::operator_(const Name& name, Flow& flow) {
  for (const catalog::Operator* op :
       place_.catalog.operators(name.schema, name.name, place_.lookup.path)) {
    if (const catalog::Function* const function = place_.catalog.function(op->function)) {
      call_function(*function, flow);
    }
  }
}

void Trace::type(Object fields, Flow& flow) {
  for (Value item : items(fields, "typmods")) {
    const auto modifier = node(item);
    // numeric(a, b): words, not columns.
    if (modifier && modifier->kind != "A_Const" && modifier->kind != "ColumnRef" &&
        modifier->kind != "Integer") {
      cannot_tell("a type modifier that is not a constant");
    }
  }
  if (flag(fields, "pct_type")) return;
  const auto names = array(fields, "names");
  if (!names) return cannot_tell("a type without a name");
  const Name name = name_of(*names);
  const catalog::Type* const found =
      place_.catalog.type(name.schema, name.name, place_.lookup.path);
  if (found == nullptr) {
    const bool row =
        place_.catalog.relation(name.schema, name.name, place_.lookup.path) != nullptr ||
        place_.lookup.temporary.contains(name.name);
    if (!row && !is_system_type(name)) unknown("type " + name.to_string() + " is not known");
    return;
  }
  type(found->oid);
  for (const catalog::Cast& cast : place_.catalog.casts()) {
    if (cast.target != found->oid && cast.source != found->oid) continue;
    if (const catalog::Function* const function = place_.catalog.function(cast.function)) {
      call_function(*function, flow);
    }
  }
}

/// A value becomes of this type: its input function and its checks run.
void Trace::type(Oid oid) {
  for (int depth = 0; oid >= catalog::first_normal_oid && depth < 32; ++depth) {
    const catalog::Type* const type = place_.catalog.type(oid);
    if (type == nullptr) return;
    if (!type->checks.empty()) out_.domains.insert(type->oid);
    Flow ignored;
    if (const catalog::Function* const input = place_.catalog.function(type->input)) {
      call_function(*input, ignored);
    }
    oid = type->kind == catalog::TypeKind::domain ? type->base : type->element;
  }
}

}  // namespace sallyport::postgres::sql

// Statements and queries: what they put out, and what decides it.

#include "protocol/postgres/sql/trace.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "protocol/postgres/sql/walker.h"

namespace sallyport::postgres::sql {

namespace {

/// Levels of expressions and queries. The frames here are larger than those of the Walker.
constexpr int kTraceDepthMax = 500;
constexpr std::size_t kReasonsMax = 16;
/// Rounds until the columns of a recursive query no longer change; then all are made of all.
constexpr int kRoundsMax = 8;

}  // namespace

Result<Value> OwnTree::read(std::string_view json) {
  constexpr std::size_t depth_max = 3000;
  if (parser_.allocate(std::max(json.size(), std::size_t{4} << 10), depth_max) !=
      simdjson::SUCCESS) {
    return fail(Errc::too_large, "no memory for the tree of a definition");
  }
  Value root;
  if (parser_.parse(json.data(), json.size(), false).get(root) != simdjson::SUCCESS) {
    return fail(Errc::malformed, "the tree of a definition");
  }
  return root;
}

Trace::Trace(const Place& place, Findings& out) : place_(place), out_(out) {
  scopes_.emplace_back();
  if (place_.variables == nullptr) return;
  // A variable may be a row: v.x.
  auto variables = std::make_shared<Columns>();
  const auto unknown_row = std::make_shared<const Columns>(Columns{.open = true});
  for (const std::string& name : *place_.variables) {
    variables->fields.push_back({.name = name, .flow = {.row = unknown_row}});
    scopes_.back().ranges.push_back({.name = name, .columns = unknown_row});
  }
  scopes_.back().columns = *variables;
  if (!place_.function.empty()) {
    scopes_.back().ranges.push_back(
        {.name = std::string(place_.function), .columns = std::move(variables)});
  }
}

// ---- Findings ----------------------------------------------------------------------------------

void Trace::cannot_tell(std::string why) {
  auto& reasons = out_.cannot_tell;
  if (reasons.size() < kReasonsMax && std::ranges::find(reasons, why) == reasons.end()) {
    reasons.push_back(std::move(why));
  }
}

void Trace::unknown(std::string why) {
  out_.unknown_name = true;
  cannot_tell(std::move(why));
}

bool Trace::spend(std::size_t steps) {
  place_.budget.steps += steps + 1;
  if (!stopped_ && place_.budget.steps > TraceBudget::steps_max) {
    stopped_ = true;
    cannot_tell("it has too many columns to follow");
  }
  return !stopped_;
}

bool Trace::deeper() {
  if (depth_ < kTraceDepthMax && spend(1)) {
    ++depth_;
    return true;
  }
  cannot_tell("it is nested too deeply to follow its columns");
  return false;
}

void Trace::add(std::vector<Source>& to, const std::vector<Source>& more) {
  if (more.empty() || !spend(to.size() + more.size())) return;
  if (to.empty()) {
    to = more;
    return;
  }
  std::vector<Source> both;
  both.reserve(to.size() + more.size());
  std::ranges::set_union(to, more, std::back_inserter(both));
  to = std::move(both);
}

std::vector<Source> Trace::all_of(const Columns& columns) {
  std::vector<Source> all = columns.open_sources;
  for (const Field& field : columns.fields) add(all, field.flow.sources);
  return all;
}

void Trace::use(const std::vector<Source>& sources, ColumnRole role) {
  if (!spend(sources.size())) return;
  for (const Source& source : sources) {
    out_.mentions[source.mention].reference.columns[source.number] |= role;
  }
}

void Trace::use(const Columns& columns, ColumnRole role) {
  for (const Field& field : columns.fields) use(field.flow, role);
  use(columns.open_sources, role);
}

// ---- Queries -----------------------------------------------------------------------------------

Columns Trace::query(const Node& node) {
  if (!deeper()) return {.open = true};
  const std::size_t ctes = with(node.fields);
  scopes_.emplace_back();
  Columns outputs = body(node);
  scopes_.pop_back();
  // Those of RECURSIVE that nothing asked for still run, if they change something.
  for (std::size_t i = ctes; i < ctes_.size(); ++i) run_cte(i);
  ctes_.erase(ctes_.begin() + static_cast<std::ptrdiff_t>(ctes), ctes_.end());
  --depth_;
  return outputs;
}

Columns Trace::body(const Node& node) {
  if (node.kind == "SelectStmt") return select(node.fields);
  if (node.kind == "InsertStmt") return insert(node.fields);
  if (node.kind == "UpdateStmt") return update(node.fields);
  if (node.kind == "DeleteStmt") return delete_(node.fields);
  if (node.kind == "MergeStmt") return merge(node.fields);
  cannot_tell("a query of kind " + std::string(node.kind) + " is not known");
  return {.open = true};
}

std::size_t Trace::with(Object fields) {
  const std::size_t first = ctes_.size();
  const auto clause = object(fields, "withClause");
  const auto items = clause ? array(*clause, "ctes") : std::nullopt;
  if (!items) return first;
  const bool recursive = flag(*clause, "recursive");
  const std::size_t scopes = scopes_.size();
  for (Value item : *items) {
    const auto found = node(item);
    if (!found || found->kind != "CommonTableExpr") {
      cannot_tell("an unknown WITH item");
      continue;
    }
    ctes_.push_back({.name = std::string(text(found->fields, "ctename")),
                     .fields = found->fields,
                     .scopes = scopes,
                     .ctes = ctes_.size()});
    if (!recursive) run_cte(ctes_.size() - 1);
  }
  if (recursive) {
    // They may name each other in any order.
    for (std::size_t i = first; i < ctes_.size(); ++i) ctes_[i].ctes = ctes_.size();
  }
  return first;
}

/// In the scopes where it is written, not where it is named.
void Trace::run_cte(std::size_t index) {
  if (ctes_[index].state != Cte::State::waiting) return;
  ctes_[index].state = Cte::State::running;
  const Object fields = ctes_[index].fields;
  const auto inner = node(fields, "ctequery");
  if (!inner) return cannot_tell("a WITH item without a query");

  std::vector<Scope> scopes(
      std::make_move_iterator(scopes_.begin() + static_cast<std::ptrdiff_t>(ctes_[index].scopes)),
      std::make_move_iterator(scopes_.end()));
  scopes_.resize(ctes_[index].scopes);
  std::vector<Cte> ctes;
  const std::size_t visible = ctes_[index].ctes;
  // With RECURSIVE the whole list is visible, itself too; else those before it.
  const std::size_t kept = std::max(visible, index + 1);
  for (std::size_t i = kept; i < ctes_.size(); ++i) ctes.push_back(std::move(ctes_[i]));
  ctes_.resize(kept);

  Columns columns = run_recursive(index, *inner);
  rename(columns, fields);
  if (object(fields, "search_clause") || object(fields, "cycle_clause")) {
    // Columns of their own, made of all.
    columns.open = true;
    columns.open_sources = all_of(columns);
  }
  for (Cte& cte : ctes) ctes_.push_back(std::move(cte));
  for (Scope& scope : scopes) scopes_.push_back(std::move(scope));
  ctes_[index].columns = std::move(columns);
  ctes_[index].state = Cte::State::done;
}

/// Until what it puts out no longer changes what it puts out.
Columns Trace::run_recursive(std::size_t index, const Node& inner) {
  const Object fields = ctes_[index].fields;
  Columns columns;
  for (int round = 0;; ++round) {
    const Columns made = query(inner);
    bool changed = columns.fields.size() != made.fields.size() || columns.open != made.open;
    columns.fields.resize(std::max(columns.fields.size(), made.fields.size()));
    columns.open = columns.open || made.open;
    const auto merge = [&](std::vector<Source>& to, const std::vector<Source>& more) {
      const std::size_t before = to.size();
      add(to, more);
      changed = changed || to.size() != before;
    };
    for (std::size_t i = 0; i < made.fields.size(); ++i) {
      columns.fields[i].name = made.fields[i].name;
      columns.fields[i].flow.row = made.fields[i].flow.row;
      merge(columns.fields[i].flow.sources, made.fields[i].flow.sources);
    }
    merge(columns.open_sources, made.open_sources);
    if (!ctes_[index].used_itself) return made;
    if (!changed || stopped_) return columns;
    if (round == kRoundsMax) {
      const std::vector<Source> all = all_of(columns);
      for (Field& field : columns.fields) field.flow.sources = all;
      columns.open_sources = all;
      ctes_[index].columns = columns;
      rename(ctes_[index].columns, fields);
      (void)query(inner);  // once more, for the roles
      return columns;
    }
    ctes_[index].columns = columns;
    rename(ctes_[index].columns, fields);
  }
}

Columns Trace::select(Object fields) {
  if (object(fields, "larg")) return set_operation(fields);
  Columns outputs;
  if (const auto lists = array(fields, "valuesLists")) {
    for (Value list : *lists) {
      const auto row = node(list);
      const auto items = row ? array(row->fields, "items") : std::nullopt;
      if (!items) continue;
      std::size_t i = 0;
      for (Value item : *items) {
        if (outputs.fields.size() == i) {
          outputs.fields.push_back({.name = "column" + std::to_string(i + 1)});
        }
        add(outputs.fields[i++].flow, flow(item));
      }
    }
  }
  const std::size_t first = out_.mentions.size();
  if (const auto items = array(fields, "fromClause")) from(*items);
  windows(fields);
  select_list(fields, "targetList", outputs);
  use(flow_of(fields, "whereClause"), ColumnRole::filter);
  if (!outputs.fields.empty()) scopes_.back().outputs = outputs.fields;
  order(fields, "groupClause", ColumnRole::group, false);
  use(flow_of(fields, "havingClause"), ColumnRole::filter);
  order(fields, "distinctClause", ColumnRole::group, true);
  if (const auto distinct = array(fields, "distinctClause")) {
    const bool plain = distinct->size() == 0 || !node(distinct->at(0));
    if (plain) use(outputs, ColumnRole::group);
  }
  order(fields, "sortClause", ColumnRole::order, true);
  use(flow_of(fields, "limitOffset"), ColumnRole::other);
  use(flow_of(fields, "limitCount"), ColumnRole::other);
  if (array(fields, "lockingClause")) {
    for (std::size_t i = first; i < out_.mentions.size(); ++i) {
      if (out_.mentions[i].reference.use == Use::select) out_.mentions[i].reference.locked = true;
    }
  }
  return outputs;
}

Columns Trace::set_operation(Object fields) {
  const auto left = object(fields, "larg");
  const auto right = object(fields, "rarg");
  if (!left || !right) {
    cannot_tell("a set operation with one arm");
    return {.open = true};
  }
  Columns outputs = query({.kind = "SelectStmt", .fields = *left});
  // The recursive arm of a WITH RECURSIVE sees what the other one puts out.
  for (std::size_t i = ctes_.size(); i-- > 0;) {
    if (ctes_[i].state == Cte::State::running && ctes_[i].columns.fields.empty() &&
        !ctes_[i].columns.open) {
      ctes_[i].columns = outputs;
      rename(ctes_[i].columns, ctes_[i].fields);
    }
    if (ctes_[i].state == Cte::State::running) break;
  }
  const Columns other = query({.kind = "SelectStmt", .fields = *right});
  if (outputs.open || other.open) {
    std::vector<Source> all = all_of(outputs);
    add(all, all_of(other));
    outputs.open = true;
    outputs.open_sources = all;
    for (Field& field : outputs.fields) field.flow = {.sources = all};
  } else {
    for (std::size_t i = 0; i < outputs.fields.size(); ++i) {
      Flow& flow = outputs.fields[i].flow;
      if (i < other.fields.size()) add(flow, other.fields[i].flow);
      flow.plain = false;
      flow.row = nullptr;
    }
  }
  // UNION, EXCEPT and INTERSECT compare rows, but for UNION ALL.
  if (!(flag(fields, "all") && text(fields, "op") == "SETOP_UNION")) {
    use(outputs, ColumnRole::group);
  }
  scopes_.back().outputs = outputs.fields;
  order(fields, "sortClause", ColumnRole::order, true);
  use(flow_of(fields, "limitOffset"), ColumnRole::other);
  use(flow_of(fields, "limitCount"), ColumnRole::other);
  return outputs;
}

namespace {

/// What the server calls an output that has no alias, where that is a name of the text.
std::string output_name(const Node& node, int depth = 0) {
  if (depth > 50) return "?column?";
  if (node.kind == "ColumnRef") {
    const auto parts = array(node.fields, "fields");
    if (parts && parts->size() > 0) {
      return std::string(string_of(parts->at(parts->size() - 1)).value_or("?column?"));
    }
  }
  if (node.kind == "FuncCall") {
    const auto parts = array(node.fields, "funcname");
    if (parts) return name_of(*parts).name;
  }
  if (node.kind == "A_Indirection") {
    const auto steps = array(node.fields, "indirection");
    for (std::size_t i = steps ? steps->size() : 0; i-- > 0;) {
      if (const auto name = string_of(steps->at(i))) return std::string(*name);
    }
    if (const auto inner = sql::node(node.fields, "arg")) return output_name(*inner, depth + 1);
  }
  if (node.kind == "TypeCast" || node.kind == "CollateClause") {
    const auto inner = sql::node(node.fields, "arg");
    std::string name = inner ? output_name(*inner, depth + 1) : "?column?";
    if (name != "?column?") return name;
    if (const auto type = object(node.fields, "typeName")) {
      if (const auto parts = array(*type, "names")) return name_of(*parts).name;
    }
  }
  if (node.kind == "SubLink" && text(node.fields, "subLinkType") == "EXPR_SUBLINK") {
    const auto inner = sql::node(node.fields, "subselect");
    const auto list = inner ? array(inner->fields, "targetList") : std::nullopt;
    const auto target = list && list->size() > 0 ? sql::node(list->at(0)) : std::nullopt;
    if (target) {
      if (const auto name = text(target->fields, "name"); !name.empty()) return std::string(name);
      if (const auto value = sql::node(target->fields, "val")) {
        return output_name(*value, depth + 1);
      }
    }
  }
  if (node.kind == "CoalesceExpr") return "coalesce";
  if (node.kind == "CaseExpr") {
    const auto otherwise = sql::node(node.fields, "defresult");
    std::string name = otherwise ? output_name(*otherwise, depth + 1) : "?column?";
    return name == "?column?" ? "case" : name;
  }
  if (node.kind == "RowExpr") return "row";
  return "?column?";
}

}  // namespace

void Trace::select_list(Object fields, std::string_view list, Columns& out) {
  const auto items = array(fields, list);
  if (!items) return;
  for (Value item : *items) {
    const auto target = node(item);
    const auto value = target ? node(target->fields, "val") : std::nullopt;
    if (!value) {
      cannot_tell("an unknown output");
      continue;
    }
    if (value->kind == "ColumnRef") {
      const auto parts = array(value->fields, "fields");
      const auto last =
          parts && parts->size() > 0 ? node(parts->at(parts->size() - 1)) : std::nullopt;
      if (last && last->kind == "A_Star") {
        std::vector<std::string> qualifier;
        for (std::size_t i = 0; i + 1 < parts->size(); ++i) {
          qualifier.emplace_back(string_of(parts->at(i)).value_or(""));
        }
        star(qualifier, out);
        continue;
      }
    }
    Flow made = flow(*value);
    if (value->kind == "A_Indirection") {
      const auto steps = array(value->fields, "indirection");
      const auto last =
          steps && steps->size() > 0 ? node(steps->at(steps->size() - 1)) : std::nullopt;
      if (last && last->kind == "A_Star") {
        if (made.row != nullptr && !made.row->open) {
          for (const Field& field : made.row->fields) out.fields.push_back(field);
        } else {
          out.open = true;
          add(out.open_sources, made.sources);
        }
        continue;
      }
    }
    std::string name(text(target->fields, "name"));
    if (name.empty()) name = output_name(*value);
    out.fields.push_back({.name = std::move(name), .flow = std::move(made)});
  }
}

void Trace::star(const std::vector<std::string>& qualifier, Columns& out) {
  const Columns* columns = &scopes_.back().columns;
  if (!qualifier.empty()) {
    const Range* const found = range(qualifier);
    if (found == nullptr) {
      out.open = true;
      return cannot_tell("\"" + qualifier.back() + "\" is not in FROM");
    }
    columns = found->columns.get();
  }
  if (!spend(columns->fields.size())) return;
  out.fields.insert(out.fields.end(), columns->fields.begin(), columns->fields.end());
  if (!columns->open) return;
  out.open = true;
  add(out.open_sources, columns->open_sources);
}

/// Lists of expressions that may also be numbers or names of outputs.
void Trace::order(Object fields, std::string_view list, ColumnRole role, bool outputs_first) {
  (void)outputs_first;  // where both could be meant, both are
  const auto items = array(fields, list);
  if (!items) return;
  for (Value item : *items) {
    auto inner = node(item);
    if (!inner) continue;
    Flow made;
    if (inner->kind == "SortBy") {
      if (const auto op = array(inner->fields, "useOp")) operator_(name_of(*op), made);
      inner = node(inner->fields, "node");
      if (!inner) continue;
    }
    const auto& outputs = scopes_.back().outputs;
    if (inner->kind == "A_Const") {
      const auto number_node = object(inner->fields, "ival");
      const std::int64_t which = number_node ? number(*number_node, "ival") : 0;
      if (which >= 1 && static_cast<std::size_t>(which) <= outputs.size()) {
        add(made, outputs[static_cast<std::size_t>(which) - 1].flow);
      } else {
        for (const Field& field : outputs) add(made, field.flow);  // behind a * perhaps
      }
    } else {
      bool named = false;
      if (inner->kind == "ColumnRef") {
        const auto parts = array(inner->fields, "fields");
        const auto only = parts && parts->size() == 1 ? string_of(parts->at(0)) : std::nullopt;
        for (const Field& field : outputs) {
          if (!only || field.name != *only) continue;
          add(made, field.flow);
          named = true;
        }
        // Named as an output, it need not be a column of FROM; but if it is one, that may be meant.
        if (named && only) {
          for (const Field& field : scopes_.back().columns.fields) {
            if (field.name == *only) add(made, field.flow);
          }
          if (scopes_.back().columns.open) add(made.sources, scopes_.back().columns.open_sources);
        }
      }
      if (!named) add(made, flow(*inner));
    }
    use(made, role);
  }
}

void Trace::windows(Object fields) {
  const auto items = array(fields, "windowClause");
  if (!items) return;
  for (Value item : *items) {
    const auto window = node(item);
    if (!window) continue;
    const Flow made = fields_flow(window->fields);
    use(made, ColumnRole::order);
    add(scopes_.back().windows, made.sources);
  }
}

// ---- Statements --------------------------------------------------------------------------------

void Trace::statement(const Node& node) {
  static const std::unordered_set<std::string_view> queries = {
      "SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"};
  if (!queries.contains(node.kind)) return utility(node);
  out_.outputs = query(node);
  use(out_.outputs, node.kind == "SelectStmt" ? ColumnRole::output : ColumnRole::returning);
}

void Trace::expression(Value value, const catalog::Relation* relation) {
  if (relation != nullptr) {
    out_.mentions.push_back({.reference = {.relation = relation->oid, .alias = ""}});
    const int only = static_cast<int>(out_.mentions.size()) - 1;
    scopes_.emplace_back();
    scopes_.back().ranges.push_back(range_of(*relation, only, std::string(relation->name)));
    scopes_.back().columns = *scopes_.back().ranges.back().columns;
  }
  out_.outputs.fields.push_back({.name = "", .flow = flow(value)});
  use(out_.outputs, ColumnRole::output);
}

void Trace::copy(Object fields) {
  if (const auto inner = node(fields, "query")) {
    out_.outputs = query(*inner);
    return use(out_.outputs, ColumnRole::output);
  }
  const auto name = object(fields, "relation");
  if (!name) return cannot_tell("COPY of nothing");
  const bool from = flag(fields, "is_from");
  const catalog::Relation* const relation = resolve(*name);
  if (relation == nullptr) return;
  const int index = mention(*name, from ? Use::insert : Use::select, *relation);
  scopes_.emplace_back();
  scopes_.back().ranges.push_back(range_of(*relation, index, std::string(relation->name)));
  scopes_.back().columns = *scopes_.back().ranges.back().columns;
  const auto list = array(fields, "attlist");
  if (from) triggers(*relation, Use::insert);
  for (Value item : items(fields, "attlist")) {
    const std::string column(string_of(item).value_or(""));
    if (from) {
      assign(index, column, {});
    } else {
      out_.outputs.fields.push_back({.name = column, .flow = unqualified(column)});
    }
  }
  if (!list && from) assign(index, "", {});
  if (!list && !from) star({}, out_.outputs);
  if (!from) use(out_.outputs, ColumnRole::output);
  use(flow_of(fields, "whereClause"), ColumnRole::filter);
}

void Trace::utility(const Node& node) {
  static const std::unordered_set<std::string_view> plain = {"TransactionStmt",
                                                             "VariableSetStmt",
                                                             "VariableShowStmt",
                                                             "DiscardStmt",
                                                             "DeallocateStmt",
                                                             "FetchStmt",
                                                             "ClosePortalStmt",
                                                             "ListenStmt",
                                                             "UnlistenStmt",
                                                             "NotifyStmt",
                                                             "CheckPointStmt",
                                                             "ConstraintsSetStmt",
                                                             "AlterSystemStmt",
                                                             "LoadStmt",
                                                             "CreateRoleStmt",
                                                             "AlterRoleStmt",
                                                             "AlterRoleSetStmt",
                                                             "DropRoleStmt",
                                                             "GrantStmt",
                                                             "GrantRoleStmt",
                                                             "CreatedbStmt",
                                                             "DropdbStmt",
                                                             "AlterDatabaseStmt",
                                                             "CreateSchemaStmt",
                                                             "CreateExtensionStmt",
                                                             "DropStmt",
                                                             "CommentStmt",
                                                             "CreateSeqStmt",
                                                             "AlterSeqStmt",
                                                             "VacuumStmt",
                                                             "TruncateStmt",
                                                             "ReindexStmt",
                                                             "CreateEnumStmt",
                                                             "AlterEnumStmt",
                                                             "DropOwnedStmt",
                                                             "ReassignOwnedStmt",
                                                             "LockStmt",
                                                             "ClusterStmt",
                                                             "AlterDefaultPrivilegesStmt"};
  /// Statements with one query inside.
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 4> inside = {
      {{"ExplainStmt", "query"},
       {"PrepareStmt", "query"},
       {"DeclareCursorStmt", "query"},
       {"CreateTableAsStmt", "query"}}};
  for (const auto& [kind, name] : inside) {
    if (node.kind != kind) continue;
    const auto inner = sql::node(node.fields, name);
    if (!inner) return cannot_tell("a statement without its query");
    return statement(*inner);
  }
  if (node.kind == "ViewStmt") {
    const auto inner = sql::node(node.fields, "query");
    if (!inner) return cannot_tell("a view without a query");
    statement(*inner);
    return rename(out_.outputs, node.fields);
  }
  if (node.kind == "CopyStmt") return copy(node.fields);
  if (node.kind == "ExecuteStmt") {
    const Flow parameters = flow_of(node.fields, "params");
    return use(parameters, ColumnRole::other);
  }
  if (node.kind == "CallStmt") {
    const auto called = object(node.fields, "funccall");
    if (!called) return cannot_tell("a call of nothing");
    const Flow made = call(*called);
    out_.outputs = {.open = true, .open_sources = made.sources};
    return use(out_.outputs, ColumnRole::output);
  }
  if (node.kind == "ReturnStmt") {
    out_.outputs.fields.push_back({.name = "", .flow = flow_of(node.fields, "returnval")});
    return use(out_.outputs, ColumnRole::output);
  }
  if (plain.contains(node.kind)) return;
  cannot_tell("a statement of this kind (" + std::string(node.kind) +
              ") is not followed to its columns");
}

}  // namespace sallyport::postgres::sql

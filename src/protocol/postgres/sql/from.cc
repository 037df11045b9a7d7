// What is in FROM, and the names it gives to what comes after it.

#include <algorithm>

#include "protocol/postgres/sql/walker.h"

namespace sallyport::postgres::sql {

namespace {

std::vector<std::string> column_names(Object from, std::string_view list) {
  std::vector<std::string> names;
  const auto items = array(from, list);
  if (!items) return names;
  for (Value item : *items) {
    const auto found = node(item);
    if (!found) continue;
    const bool definition = found->kind == "ColumnDef";
    names.emplace_back(text(found->fields, definition ? "colname" : "sval"));
  }
  return names;
}

}  // namespace

void Walker::from(Array items) {
  for (Value item : items) {
    const auto source = node(item);
    if (!source) return not_understood("an empty FROM item");
    from_item(*source);
  }
}

void Walker::from_item(const Node& item) {
  if (++depth_ > kWalkDepthMax) {
    not_understood("nested too deeply");
    --depth_;
    return;
  }
  const auto alias = object(item.fields, "alias");
  std::string called(alias ? text(*alias, "aliasname") : "");
  if (item.kind == "RangeVar") {
    range_var(item.fields);
  } else if (item.kind == "JoinExpr") {
    join(item.fields);
  } else if (item.kind == "RangeSubselect") {
    subselect(item.fields, std::move(called));
  } else if (item.kind == "RangeFunction") {
    function(item.fields, std::move(called));
  } else if (item.kind == "RangeTableFunc" || item.kind == "JsonTable") {
    fields(item.fields, {});
    add_source({.name = std::move(called)});
  } else if (item.kind == "RangeTableSample") {
    sample(item.fields);
  } else {
    not_understood("a FROM item of kind " + std::string(item.kind) + " is not known");
  }
  --depth_;
}

void Walker::subselect(Object fields, std::string called) {
  const auto inner = node(fields, "subquery");
  if (!inner) return not_understood("a sub-query without a query");
  Scope hidden;
  const bool lateral = flag(fields, "lateral");
  if (!lateral) hidden = std::exchange(scopes_.back(), {});
  query(*inner);
  if (!lateral) scopes_.back() = std::move(hidden);
  Source source{.name = std::move(called)};
  if (const auto outputs = array(inner->fields, "targetList")) {
    for (Value output : *outputs) {
      const auto target = node(output);
      const auto value = target ? node(target->fields, "val") : std::nullopt;
      if (value && is_expansion(*value)) source.expanded.emplace_back(text(target->fields, "name"));
    }
  }
  add_source(std::move(source));
}

void Walker::function(Object fields, std::string called) {
  child(fields, "functions", {});
  child(fields, "coldeflist", {});
  Source source{.name = std::move(called), .function = true};
  source.columns = column_names(fields, "coldeflist");
  if (const auto alias = object(fields, "alias")) {
    const auto names = column_names(*alias, "colnames");
    source.columns.insert(source.columns.end(), names.begin(), names.end());
  }
  // [function, column definitions] each; a function without an alias is called by its name.
  const auto functions = array(fields, "functions");
  for (Value item : functions.value_or(Array())) {
    const auto pair = node(item);
    const auto items = pair ? array(pair->fields, "items") : std::nullopt;
    if (!items || items->size() == 0) return not_understood("an unknown function in FROM");
    const auto called_function = node(items->at(0));
    if (called_function && called_function->kind == "FuncCall") {
      const auto parts = array(called_function->fields, "funcname");
      if (parts && source.name.empty()) source.name = name_of(*parts).name;
    }
    if (pair) {
      for (Value definitions : *items) {
        const auto list = node(definitions);
        if (!list || list->kind != "List") continue;
        const auto names = column_names(list->fields, "items");
        source.columns.insert(source.columns.end(), names.begin(), names.end());
      }
    }
  }
  add_source(std::move(source));
}

void Walker::sample(Object fields) {
  if (const auto sampled = node(fields, "relation")) {
    sampling_ = true;
    from_item(*sampled);
    sampling_ = false;
  } else {
    not_understood("TABLESAMPLE of nothing");
  }
  const auto method = array(fields, "method");
  const Name name = method ? name_of(*method) : Name{};
  const bool known = name.schema.empty() && (name.name == "system" || name.name == "bernoulli");
  if (!known) add_unknown_routine(name);
  child(fields, "args", {});
  child(fields, "repeatable", {});
}

void Walker::join(Object fields) {
  const std::size_t first = scopes_.back().size();
  for (const std::string_view side : {"larg", "rarg"}) {
    const auto item = node(fields, side);
    if (!item) return not_understood("a join of nothing");
    from_item(*item);
  }
  if (const auto columns = array(fields, "usingClause")) {
    for (Value column : *columns) {
      add_column({.column = std::string(string_of(column).value_or("")), .role = ColumnRole::join});
    }
  }
  if (flag(fields, "isNatural")) add_column({.column = "*", .role = ColumnRole::join});
  child(fields, "quals", {.role = ColumnRole::join});
  if (const auto alias = object(fields, "join_using_alias")) {
    add_source({.name = std::string(text(*alias, "aliasname"))});
  }
  if (const auto alias = object(fields, "alias")) {
    // It hides what it joins.
    auto& scope = scopes_.back();
    scope.erase(scope.begin() + static_cast<std::ptrdiff_t>(first), scope.end());
    add_source({.name = std::string(text(*alias, "aliasname"))});
  }
}

bool Walker::is_cte(Object range_var) {
  if (!text(range_var, "schemaname").empty() || !text(range_var, "catalogname").empty()) {
    return false;
  }
  spend(ctes_.size());
  return std::ranges::find(ctes_, text(range_var, "relname")) != ctes_.end();
}

void Walker::range_var(Object fields) {
  const auto alias = object(fields, "alias");
  std::string called(alias ? text(*alias, "aliasname") : text(fields, "relname"));
  if (is_cte(fields)) return add_source({.name = std::move(called)});
  const int index = add_relation(fields, Use::select);
  RelationUse& use = out_.relations[static_cast<std::size_t>(index)];
  use.in_from = true;
  if (survey_.sites != nullptr) {
    survey_.sites->push_back({.location = static_cast<std::size_t>(number(fields, "location")),
                              .name = use.name,
                              .called = called,
                              .aliased = alias.has_value(),
                              .renamed = alias && array(*alias, "colnames"),
                              .only = !flag(fields, "inh"),
                              .sampled = sampling_});
  }
  add_source({.schema = alias ? "" : std::string(text(fields, "schemaname")),
              .name = std::move(called),
              .relation = index});
}

}  // namespace sallyport::postgres::sql

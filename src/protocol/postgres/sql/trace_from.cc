// What is in FROM, and the columns it gives names to.

#include <algorithm>

#include "protocol/postgres/sql/trace.h"
#include "protocol/postgres/sql/walker.h"

namespace sallyport::postgres::sql {

namespace {

std::vector<std::string> names_in(Object from, std::string_view list) {
  std::vector<std::string> names;
  for (Value item : items(from, list)) {
    const auto found = node(item);
    if (!found) continue;
    const bool definition = found->kind == "ColumnDef";
    names.emplace_back(text(found->fields, definition ? "colname" : "sval"));
  }
  return names;
}

}  // namespace

/// `alias`: an Alias, a CommonTableExpr or a ViewStmt, which may name columns by position.
void Trace::rename(Columns& columns, Object alias) {
  std::vector<std::string> names = names_in(alias, "colnames");
  if (names.empty()) names = names_in(alias, "aliascolnames");
  if (names.empty()) names = names_in(alias, "aliases");
  if (names.empty()) return;
  if (columns.open) {
    // Which one is which cannot be told: each may be any.
    std::vector<Source> all = columns.open_sources;
    for (const Field& field : columns.fields) {
      std::vector<Source> both;
      std::ranges::set_union(all, field.flow.sources, std::back_inserter(both));
      all = std::move(both);
    }
    columns.fields.clear();
    for (std::string& name : names) {
      columns.fields.push_back({.name = std::move(name), .flow = {.sources = all}});
    }
    columns.open_sources = std::move(all);
    return;
  }
  for (std::size_t i = 0; i < names.size() && i < columns.fields.size(); ++i) {
    columns.fields[i].name = std::move(names[i]);
  }
}

const catalog::Relation* Trace::resolve(Object range_var) {
  const Name name = name_of_range_var(range_var);
  if (!name.catalog.empty() && name.catalog != place_.catalog.database()) {
    unknown("database \"" + name.catalog + "\" is not this one");
    return nullptr;
  }
  const bool temporary = (name.schema.empty() && place_.lookup.temporary.contains(name.name)) ||
                         name.schema == "pg_temp" || name.schema.starts_with("pg_temp_");
  if (temporary) return nullptr;
  const catalog::Relation* const found =
      place_.catalog.relation(name.schema, name.name, place_.lookup.path);
  if (found == nullptr) unknown("relation \"" + name.to_string() + "\" is not known");
  return found;
}

int Trace::mention(Object range_var, Use use, const catalog::Relation& relation) {
  const auto location = static_cast<std::size_t>(number(range_var, "location"));
  if (const auto found = by_location_.find(location); found != by_location_.end()) {
    if (out_.mentions[static_cast<std::size_t>(found->second)].reference.use == use) {
      return found->second;
    }
  }
  const auto alias = object(range_var, "alias");
  Mention made{
      .reference = {.relation = relation.oid,
                    .use = use,
                    .location = location,
                    .alias = std::string(alias ? text(*alias, "aliasname") : relation.name),
                    .has_alias = alias.has_value(),
                    .only = !flag(range_var, "inh")}};
  const int index = static_cast<int>(out_.mentions.size());
  out_.mentions.push_back(std::move(made));
  by_location_[location] = index;
  return index;
}

std::shared_ptr<Columns> Trace::columns_of(const catalog::Relation& relation, int mention) {
  auto columns = std::make_shared<Columns>();
  if (!spend(relation.columns.size())) return columns;
  columns->fields.reserve(relation.columns.size());
  for (const catalog::Column& column : relation.columns) {
    const Source source{.mention = static_cast<std::uint32_t>(mention), .number = column.number};
    Flow flow{.sources = {source}, .plain = true};
    columns->fields.push_back({.name = std::string(column.name), .flow = std::move(flow)});
  }
  return columns;
}

Trace::Range Trace::range_of(const catalog::Relation& relation, int mention, std::string name) {
  return {.name = std::move(name),
          .columns = columns_of(relation, mention),
          .mention = mention,
          .relation = relation.oid};
}

void Trace::add_item(Item item) {
  Scope& scope = scopes_.back();
  for (Range& range : item.ranges) scope.ranges.push_back(std::move(range));
  for (Field& field : item.columns.fields) scope.columns.fields.push_back(std::move(field));
  scope.columns.open = scope.columns.open || item.columns.open;
  add(scope.columns.open_sources, item.columns.open_sources);
}

void Trace::from(Array items) {
  for (Value item : items) {
    const auto source = node(item);
    if (!source) {
      cannot_tell("an empty FROM item");
      continue;
    }
    add_item(from_item(*source));
  }
}

Trace::Item Trace::from_item(const Node& item) {
  if (!deeper()) return {.columns = {.open = true}};
  Item made;
  if (item.kind == "RangeVar") {
    made = range_var(item.fields);
  } else if (item.kind == "JoinExpr") {
    made = join(item.fields);
  } else if (item.kind == "RangeSubselect") {
    made = subselect(item.fields);
  } else if (item.kind == "RangeFunction") {
    made = function_item(item.fields);
  } else if (item.kind == "RangeTableFunc" || item.kind == "JsonTable") {
    made = table_function(item);
  } else if (item.kind == "RangeTableSample") {
    const auto sampled = node(item.fields, "relation");
    if (sampled) made = from_item(*sampled);
    for (const Range& range : made.ranges) {
      if (range.mention >= 0) {
        out_.mentions[static_cast<std::size_t>(range.mention)].reference.sampled = true;
      }
    }
    Flow method;
    const auto name = array(item.fields, "method");
    const Name called = name ? name_of(*name) : Name{};
    if (called != Name{.name = "system"} && called != Name{.name = "bernoulli"}) {
      call_by_name(called, 1, method);
    }
    add(method, flow_of(item.fields, "args"));
    add(method, flow_of(item.fields, "repeatable"));
    use(method, ColumnRole::other);
  } else {
    cannot_tell("a FROM item of kind " + std::string(item.kind) + " is not known");
    made.columns.open = true;
  }
  --depth_;
  return made;
}

Trace::Item Trace::range_var(Object fields) {
  const auto alias = object(fields, "alias");
  std::string called(alias ? text(*alias, "aliasname") : text(fields, "relname"));
  Range made{.name = std::move(called)};
  Columns columns;
  bool found = false;
  if (text(fields, "schemaname").empty()) {
    for (std::size_t i = ctes_.size(); i-- > 0 && !found;) {
      if (ctes_[i].name != text(fields, "relname")) continue;
      if (ctes_[i].state == Cte::State::waiting) run_cte(i);
      if (ctes_[i].state == Cte::State::running) {
        // Without RECURSIVE it does not see itself.
        if (ctes_[i].ctes <= i) continue;
        ctes_[i].used_itself = true;
      }
      columns = ctes_[i].columns;
      found = true;
    }
  }
  if (!found) {
    if (const catalog::Relation* const relation = resolve(fields)) {
      made.mention = mention(fields, Use::select, *relation);
      made.relation = relation->oid;
      if (!alias) made.schema = place_.catalog.schema_name(relation->schema);
      columns = *columns_of(*relation, made.mention);
    } else {
      columns.open = true;
    }
  }
  if (alias) rename(columns, *alias);
  made.columns = std::make_shared<const Columns>(columns);
  Item item{.columns = std::move(columns)};
  item.ranges.push_back(std::move(made));
  return item;
}

Trace::Item Trace::subselect(Object fields) {
  const auto inner = node(fields, "subquery");
  if (!inner) {
    cannot_tell("a sub-query without a query");
    return {.columns = {.open = true}};
  }
  Columns columns;
  if (flag(fields, "lateral")) {
    columns = query(*inner);
  } else {
    Scope hidden = std::exchange(scopes_.back(), {});
    columns = query(*inner);
    scopes_.back() = std::move(hidden);
  }
  const auto alias = object(fields, "alias");
  Item item;
  if (alias) {
    rename(columns, *alias);
    item.ranges.push_back({.name = std::string(text(*alias, "aliasname")),
                           .columns = std::make_shared<const Columns>(columns)});
  }
  item.columns = std::move(columns);
  return item;
}

/// What a function in FROM has for columns; open where the catalog does not say.
Columns Trace::function_columns(Object call, const Flow& flow, std::size_t definitions,
                                std::string_view called) {
  Columns columns;
  const auto parts = array(call, "funcname");
  if (!parts || definitions > 0) return columns;
  const Name name = name_of(*parts);
  const auto args = array(call, "args");
  const std::size_t count = args ? args->size() : 0;
  const catalog::Function* only = nullptr;
  bool several = false;
  for (const catalog::Function* function :
       place_.catalog.functions(name.schema, name.name, place_.lookup.path)) {
    if (!function->takes(count)) continue;
    several = only != nullptr;
    only = function;
    if (several) break;
  }
  columns.open = true;
  columns.open_sources = flow.sources;
  if (only == nullptr || several) return columns;
  std::vector<std::string> names;
  for (const catalog::Argument& argument : only->arguments) {
    if (argument.mode == 'i' || argument.mode == 'v') continue;
    names.emplace_back(argument.name);
  }
  const catalog::Relation* relation = place_.catalog.relation_of_row_type(only->result);
  const catalog::Type* const type = place_.catalog.type(only->result);
  if (relation == nullptr && type != nullptr && type->relation != 0) {
    relation = place_.catalog.relation(type->relation);
  }
  if (names.empty() && relation != nullptr) {
    for (const catalog::Column& column : relation->columns) names.emplace_back(column.name);
  } else if (names.empty()) {
    const bool scalar = type != nullptr && type->kind != catalog::TypeKind::pseudo;
    if (!scalar) return columns;
    names.emplace_back(called.empty() ? name.name : called);
  }
  columns.open = false;
  for (std::string& column : names) {
    columns.fields.push_back({.name = std::move(column), .flow = {.sources = flow.sources}});
  }
  return columns;
}

Trace::Item Trace::function_item(Object fields) {
  const auto alias = object(fields, "alias");
  std::string called(alias ? text(*alias, "aliasname") : "");
  Columns columns;
  const std::vector<std::string> definitions = names_in(fields, "coldeflist");
  for (Value item : items(fields, "functions")) {
    const auto pair = node(item);
    const auto items = pair ? array(pair->fields, "items") : std::nullopt;
    const auto call = items && items->size() > 0 ? node(items->at(0)) : std::nullopt;
    if (!call) {
      cannot_tell("an unknown function in FROM");
      columns.open = true;
      continue;
    }
    std::vector<std::string> own = definitions;
    if (items->size() > 1) {
      if (const auto list = node(items->at(1))) own = names_in(list->fields, "items");
    }
    const Flow made = flow(*call);
    Columns some;
    if (call->kind == "FuncCall") {
      some = function_columns(call->fields, made, own.size(), called);
      const auto parts = array(call->fields, "funcname");
      if (called.empty() && parts) called = name_of(*parts).name;
    } else {
      some.open = own.empty();
      some.open_sources = made.sources;
    }
    for (std::string& name : own) {
      some.fields.push_back({.name = std::move(name), .flow = {.sources = made.sources}});
    }
    for (Field& field : some.fields) columns.fields.push_back(std::move(field));
    columns.open = columns.open || some.open;
    add(columns.open_sources, some.open_sources);
  }
  if (flag(fields, "ordinality")) columns.fields.push_back({.name = "ordinality"});
  if (alias) rename(columns, *alias);
  Item item;
  item.ranges.push_back(
      {.name = std::move(called), .columns = std::make_shared<const Columns>(columns)});
  item.columns = std::move(columns);
  return item;
}

/// XMLTABLE and JSON_TABLE: columns made of their document.
Trace::Item Trace::table_function(const Node& item) {
  const Flow made = fields_flow(item.fields);
  Columns columns{.open = true, .open_sources = made.sources};
  const auto alias = object(item.fields, "alias");
  Item out;
  if (alias) {
    rename(columns, *alias);
    out.ranges.push_back({.name = std::string(text(*alias, "aliasname")),
                          .columns = std::make_shared<const Columns>(columns)});
  }
  out.columns = std::move(columns);
  return out;
}

Trace::Item Trace::join(Object fields) {
  Item sides[2];
  Scope before = scopes_.back();  // the right side and the condition see the left, and no others
  for (std::size_t side = 0; side < 2; ++side) {
    const auto inner = node(fields, side == 0 ? "larg" : "rarg");
    if (!inner) {
      cannot_tell("a join of nothing");
      return {.columns = {.open = true}};
    }
    sides[side] = from_item(*inner);
    add_item(sides[side]);
  }
  use(flow_of(fields, "quals"), ColumnRole::join);
  scopes_.back() = std::move(before);

  Columns& left = sides[0].columns;
  Columns& right = sides[1].columns;
  std::vector<std::string> shared = {};
  for (Value column : items(fields, "usingClause")) {
    shared.emplace_back(string_of(column).value_or(""));
  }
  const auto has = [](const Columns& columns, std::string_view name) {
    return std::ranges::find(columns.fields, name, &Field::name) != columns.fields.end();
  };
  if (flag(fields, "isNatural")) {
    for (const Field& field : left.fields) {
      if (!spend(right.fields.size())) break;
      if (right.open || has(right, field.name)) shared.push_back(field.name);
    }
    if (left.open) {
      for (const Field& field : right.fields) shared.push_back(field.name);
    }
    if (left.open) use(left.open_sources, ColumnRole::join);
    if (right.open) use(right.open_sources, ColumnRole::join);
  }
  Columns merged;
  for (const std::string& name : shared) {
    if (has(merged, name)) continue;
    Field field{.name = name};
    for (const Columns* side : {&left, &right}) {
      bool found = false;
      for (const Field& own : side->fields) {
        if (own.name != name) continue;
        add(field.flow, own.flow);
        found = true;
      }
      if (!found && side->open) add(field.flow.sources, side->open_sources);
    }
    operator_({.name = "="}, field.flow);
    use(field.flow, ColumnRole::join);
    merged.fields.push_back(std::move(field));
  }
  Columns using_columns = merged;
  for (const Columns* side : {&left, &right}) {
    if (!spend(side->fields.size() * (shared.size() + 1))) break;
    for (const Field& field : side->fields) {
      if (std::ranges::find(shared, field.name) == shared.end()) merged.fields.push_back(field);
    }
    merged.open = merged.open || side->open;
    add(merged.open_sources, side->open_sources);
  }

  Item item;
  if (const auto alias = object(fields, "alias")) {
    rename(merged, *alias);
    item.ranges.push_back({.name = std::string(text(*alias, "aliasname")),
                           .columns = std::make_shared<const Columns>(merged)});
  } else {
    for (Item& side : sides) {
      for (Range& range : side.ranges) item.ranges.push_back(std::move(range));
    }
    if (const auto alias_of_using = object(fields, "join_using_alias")) {
      item.ranges.push_back({.name = std::string(text(*alias_of_using, "aliasname")),
                             .columns = std::make_shared<const Columns>(using_columns)});
    }
  }
  item.columns = std::move(merged);
  return item;
}

}  // namespace sallyport::postgres::sql

// INSERT, UPDATE, DELETE, MERGE: what goes where, and what comes back.

#include <algorithm>

#include "protocol/postgres/sql/trace.h"
#include "protocol/postgres/sql/walker.h"

namespace sallyport::postgres::sql {

namespace {

constexpr std::uint16_t kOnInsert = 4;
constexpr std::uint16_t kOnDelete = 8;
constexpr std::uint16_t kOnUpdate = 16;

}  // namespace

int Trace::target(Object fields, Use use) {
  const auto name = object(fields, "relation");
  if (!name) {
    cannot_tell("no target relation");
    return -1;
  }
  const auto alias = object(*name, "alias");
  std::string called(alias ? text(*alias, "aliasname") : text(*name, "relname"));
  const catalog::Relation* const relation = resolve(*name);
  Range range{.name = std::move(called)};
  int index = -1;
  if (relation != nullptr) {
    index = mention(*name, use, *relation);
    range = range_of(*relation, index, std::move(range.name));
    if (!alias) range.schema = place_.catalog.schema_name(relation->schema);
  } else {
    range.columns = std::make_shared<const Columns>(Columns{.open = true});
  }
  Item item{.columns = *range.columns};
  item.ranges.push_back(std::move(range));
  add_item(std::move(item));
  return index;
}

/// What the server runs by itself when rows change.
void Trace::triggers(const catalog::Relation& relation, Use use) {
  const std::uint16_t on = use == Use::insert    ? kOnInsert
                           : use == Use::delete_ ? kOnDelete
                                                 : kOnUpdate;
  const char event = use == Use::insert ? '3' : use == Use::delete_ ? '4' : '2';
  std::vector<Oid> affected{relation.oid};
  for (const catalog::Relation* child : place_.catalog.descendants(relation.oid)) {
    affected.push_back(child->oid);
  }
  if (!spend(affected.size())) return;
  for (const Oid oid : affected) {
    for (const catalog::Trigger& trigger : place_.catalog.triggers_of(oid)) {
      if ((trigger.type & on) == 0) continue;
      const catalog::Function* const function = place_.catalog.function(trigger.function);
      Flow ignored;
      if (function != nullptr) call_function(*function, ignored);
    }
    for (const catalog::Rule& rule : place_.catalog.rules_of(oid)) {
      if (rule.event == event) {
        cannot_tell("rule \"" + std::string(rule.name) + "\" changes what this does to " +
                    place_.catalog.name_of(relation));
      }
    }
  }
}

void Trace::assign(int mention, std::string_view column, const Flow& flow) {
  if (mention < 0) return;
  Reference& reference = out_.mentions[static_cast<std::size_t>(mention)].reference;
  const catalog::Relation* const relation = place_.catalog.relation(reference.relation);
  std::int16_t number = 0;
  if (relation != nullptr && !column.empty()) {
    const catalog::Column* const found = relation->column(column);
    if (found == nullptr) {
      unknown("column \"" + std::string(column) + "\" is not known");
    } else {
      number = found->number;
      type(found->type);
    }
  }
  if (number != 0) {
    reference.columns[number] |= ColumnRole::assignment;
  } else if (relation != nullptr) {
    if (!spend(relation->columns.size())) return;
    for (const catalog::Column& each : relation->columns) {
      reference.columns[each.number] |= ColumnRole::assignment;
      type(each.type);
    }
  }
  use(flow, ColumnRole::other);
  out_.assignments.push_back(
      {.target = {.mention = static_cast<std::uint32_t>(mention), .number = number},
       .sources = flow.sources});
}

/// SET a = x, (b, c) = (...). `values`: what each column becomes, for "excluded".
void Trace::assign_list(Object fields, std::string_view list, int mention, Columns* values) {
  for (Value item : items(fields, list)) {
    const auto set = node(item);
    if (!set || set->kind != "ResTarget") {
      cannot_tell("an unknown assignment");
      continue;
    }
    const std::string_view name = text(set->fields, "name");
    Flow made = flow_of(set->fields, "val");
    const Flow index = flow_of(set->fields, "indirection");
    add(made, index);
    assign(mention, name, made);
    if (values != nullptr) values->fields.push_back({.name = std::string(name), .flow = made});
  }
}

/// INSERT (a, b) of rows with these columns, by position.
void Trace::insert_row(Object fields, std::string_view list, int mention, const Columns& values,
                       Columns* excluded) {
  const auto columns = array(fields, list);
  std::vector<std::string> names;
  for (Value item : items(fields, list)) {
    const auto column = node(item);
    names.emplace_back(column ? text(column->fields, "name") : "");
    if (column) (void)flow_of(column->fields, "indirection");
  }
  if (!columns && mention >= 0) {
    const catalog::Relation* const relation = place_.catalog.relation(
        out_.mentions[static_cast<std::size_t>(mention)].reference.relation);
    if (relation != nullptr && spend(relation->columns.size())) {
      for (const catalog::Column& column : relation->columns) names.emplace_back(column.name);
    }
  }
  const std::vector<Source> all = values.open ? all_of(values) : std::vector<Source>{};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool by_position = !values.open && i < values.fields.size();
    if (!values.open && !by_position) break;
    const Flow flow = by_position ? values.fields[i].flow : Flow{.sources = all};
    assign(mention, names[i], flow);
    if (excluded != nullptr) {
      excluded->fields.push_back({.name = names[i], .flow = {.sources = flow.sources}});
    }
  }
  // Columns that are left out get their defaults.
  if (excluded != nullptr) excluded->open = true;
}

void Trace::on_conflict(Object clause, int mention, const Columns& proposed) {
  if (const auto infer = object(clause, "infer")) {
    for (const std::string_view list : {"indexElems", "whereClause"}) {
      const auto items = array(*infer, list);
      if (!items) {
        use(flow_of(*infer, list), ColumnRole::filter);
        continue;
      }
      for (Value item : *items) {
        const auto element = node(item);
        if (!element) continue;
        const std::string name(text(element->fields, "name"));
        Flow made = name.empty() ? Flow{} : unqualified(name);
        add(made, flow_of(element->fields, "expr"));
        use(made, ColumnRole::filter);
      }
    }
  }
  Range excluded{.name = "excluded", .columns = std::make_shared<const Columns>(proposed)};
  scopes_.back().ranges.push_back(std::move(excluded));
  assign_list(clause, "targetList", mention, nullptr);
  use(flow_of(clause, "whereClause"), ColumnRole::filter);
  scopes_.back().ranges.pop_back();
}

Columns Trace::returning(Object fields, int mention) {
  Columns out;
  const auto clause = object(fields, "returningClause");
  if (!clause) return out;
  std::vector<std::string> names{"old", "new"};
  for (Value item : items(*clause, "options")) {
    if (const auto option = node(item)) names.emplace_back(text(option->fields, "value"));
  }
  const std::size_t before = scopes_.back().ranges.size();
  const std::shared_ptr<const Columns> columns =
      before == 0 ? std::make_shared<const Columns>(Columns{.open = true})
                  : scopes_.back().ranges.front().columns;
  for (std::string& name : names) {
    scopes_.back().ranges.push_back(
        {.name = std::move(name), .columns = columns, .mention = mention});
  }
  select_list(*clause, "exprs", out);
  scopes_.back().ranges.resize(std::min(before, scopes_.back().ranges.size()));
  return out;
}

Columns Trace::insert(Object fields) {
  const int index = target(fields, Use::insert);
  Columns proposed;
  if (const auto source = node(fields, "selectStmt")) {
    // The source does not see the target.
    Scope hidden = std::exchange(scopes_.back(), {});
    const Columns values = query(*source);
    scopes_.back() = std::move(hidden);
    insert_row(fields, "cols", index, values, &proposed);
  }
  if (index >= 0) {
    triggers(
        *place_.catalog.relation(out_.mentions[static_cast<std::size_t>(index)].reference.relation),
        Use::insert);
  }
  if (const auto clause = object(fields, "onConflictClause")) {
    if (index >= 0 && text(*clause, "action") == "ONCONFLICT_UPDATE") {
      triggers(*place_.catalog.relation(
                   out_.mentions[static_cast<std::size_t>(index)].reference.relation),
               Use::update);
    }
    on_conflict(*clause, index, proposed);
  }
  return returning(fields, index);
}

Columns Trace::update(Object fields) {
  const int index = target(fields, Use::update);
  if (const auto items = array(fields, "fromClause")) from(*items);
  assign_list(fields, "targetList", index, nullptr);
  use(flow_of(fields, "whereClause"), ColumnRole::filter);
  if (index >= 0) {
    triggers(
        *place_.catalog.relation(out_.mentions[static_cast<std::size_t>(index)].reference.relation),
        Use::update);
  }
  return returning(fields, index);
}

Columns Trace::delete_(Object fields) {
  const int index = target(fields, Use::delete_);
  if (const auto items = array(fields, "usingClause")) from(*items);
  use(flow_of(fields, "whereClause"), ColumnRole::filter);
  if (index >= 0) {
    triggers(
        *place_.catalog.relation(out_.mentions[static_cast<std::size_t>(index)].reference.relation),
        Use::delete_);
  }
  return returning(fields, index);
}

Columns Trace::merge(Object fields) {
  const int index = target(fields, Use::update);
  if (const auto source = node(fields, "sourceRelation")) add_item(from_item(*source));
  use(flow_of(fields, "joinCondition"), ColumnRole::join);
  for (Value item : items(fields, "mergeWhenClauses")) {
    const auto when = node(item);
    if (!when) continue;
    use(flow_of(when->fields, "condition"), ColumnRole::filter);
    const std::string_view command = text(when->fields, "commandType");
    if (index >= 0) {
      const catalog::Relation& relation = *place_.catalog.relation(
          out_.mentions[static_cast<std::size_t>(index)].reference.relation);
      if (command == "CMD_INSERT") triggers(relation, Use::insert);
      if (command == "CMD_UPDATE") triggers(relation, Use::update);
      if (command == "CMD_DELETE") triggers(relation, Use::delete_);
    }
    if (command == "CMD_INSERT") {
      Columns values;
      for (Value value : items(when->fields, "values")) {
        values.fields.push_back({.name = "", .flow = flow(value)});
      }
      insert_row(when->fields, "targetList", index, values, nullptr);
    } else {
      assign_list(when->fields, "targetList", index, nullptr);
    }
  }
  return returning(fields, index);
}

}  // namespace sallyport::postgres::sql

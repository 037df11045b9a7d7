#include "protocol/postgres/sql/walker.h"

#include <algorithm>
#include <array>

#include "protocol/postgres/sql/routines.h"

namespace sallyport::postgres::sql {

namespace {

/// True if the condition names a column or a cursor: `WHERE true` does not count.
bool names_something(Value value, int depth = 0) {
  if (depth > kWalkDepthMax * 3) return false;
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

/// `SELECT set_config(...), set_config(...)` and nothing more but current_setting('...').
bool only_sets(Object fields) {
  static constexpr std::array<std::string_view, 3> known = {"targetList", "limitOption", "op"};
  for (const auto& [key, ignored] : fields) {
    if (std::ranges::find(known, key) == known.end()) return false;
  }
  const auto items = array(fields, "targetList");
  return items && std::all_of(items->begin(), items->end(), [](Value item) {
           const auto target = node(item);
           const auto inner = target ? node(target->fields, "val") : std::nullopt;
           const auto name = inner ? array(inner->fields, "funcname") : std::nullopt;
           if (!inner || inner->kind != "FuncCall" || !name) return false;
           const std::string called = name_of(*name).name;
           return called == "set_config" || called == "current_setting";
         });
}

/// The one name of a column reference, or empty.
std::string_view bare_column(std::optional<Node> node) {
  const auto names =
      node && node->kind == "ColumnRef" ? array(node->fields, "fields") : std::nullopt;
  return names && names->size() == 1 ? string_of(names->at(0)).value_or("") : std::string_view();
}

/// `... FROM pg_settings WHERE name = 'x'`, with which pg_dump sets what not every server has: "x".
std::string_view one_setting(Object fields) {
  static constexpr std::array<std::string_view, 5> known = {"targetList", "fromClause",
                                                            "whereClause", "limitOption", "op"};
  for (const auto& [key, ignored] : fields) {
    if (std::ranges::find(known, key) == known.end()) return {};
  }
  const auto from = array(fields, "fromClause");
  const auto table = from && from->size() == 1 ? node(from->at(0)) : std::nullopt;
  if (!table || table->kind != "RangeVar") return {};
  const Name name = name_of_range_var(table->fields);
  if (name.name != "pg_settings" || !(name.schema.empty() || name.schema == "pg_catalog"))
    return {};
  const auto where = node(fields, "whereClause");
  if (!where || where->kind != "A_Expr" || text(where->fields, "kind") != "AEXPR_OP") return {};
  const auto op = array(where->fields, "name");
  if (!op || name_of(*op) != Name{.name = "="}) return {};
  if (bare_column(node(where->fields, "lexpr")) != "name") return {};
  const auto value = field(where->fields, "rexpr");
  return value ? string_of(*value).value_or("") : std::string_view();
}

}  // namespace

Name name_of(Array strings) {
  std::vector<std::string> parts;
  for (Value item : strings) parts.emplace_back(string_of(item).value_or(""));
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

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// ---- Findings ----------------------------------------------------------------------------------

void Walker::not_understood(std::string why) {
  if (!out_.understood) return;
  out_.understood = false;
  out_.why_not = std::move(why);
}

bool Walker::spend(std::size_t steps) {
  survey_.steps += steps;
  if (survey_.steps > Survey::steps_max) not_understood("it names too many things");
  return out_.understood;
}

int Walker::add_relation(Object range_var, Use use) {
  spend(Survey::steps_of_finding);
  const auto alias = object(range_var, "alias");
  RelationUse added{
      .name = name_of_range_var(range_var),
      .use = use,
      .alias = std::string(alias ? text(*alias, "aliasname") : text(range_var, "relname")),
      .temporary = text(range_var, "relpersistence") == "t"};
  if (added.name.name.empty()) not_understood("a relation without a name");
  out_.relations.push_back(std::move(added));
  return static_cast<int>(out_.relations.size()) - 1;
}

/// A relation that is changed is also read where a column of it may be meant, or its rows go out.
void Walker::add_column(ColumnUse use, bool proposed) {
  spend(Survey::steps_of_finding);
  if (use.role != ColumnRole::assignment && !proposed) {
    for (Target& target : targets_) {
      target.read = target.read || use.relation < 0 || use.relation == target.relation;
    }
  }
  out_.columns.push_back(std::move(use));
}

void Walker::add_routine(RoutineUse use) {
  spend(Survey::steps_of_finding);
  // What it does depends on its arguments: names of relations, of settings, of anything.
  if (use.routine_class != RoutineClass::pure) survey_.depends_on_literals = true;
  if (use.name.name.empty()) not_understood("a function without a name");
  out_.routines.push_back(std::move(use));
}

void Walker::add_unknown_routine(Name name) {
  add_routine({.name = std::move(name), .routine_class = RoutineClass::unknown});
}

void Walker::add_role(Object role_spec) {
  const std::string_view type = text(role_spec, "roletype");
  if (type == "ROLESPEC_CSTRING") {
    out_.roles.emplace_back(text(role_spec, "rolename"));
  } else if (type == "ROLESPEC_CURRENT_USER") {
    out_.roles.emplace_back("current_user");
  } else if (type == "ROLESPEC_CURRENT_ROLE") {
    out_.roles.emplace_back("current_role");
  } else if (type == "ROLESPEC_SESSION_USER") {
    out_.roles.emplace_back("session_user");
  } else if (type == "ROLESPEC_PUBLIC") {
    out_.roles.emplace_back("public");
  } else {
    not_understood("an unknown kind of role");
  }
}

// ---- Statements --------------------------------------------------------------------------------

void Walker::statement(const Node& node) {
  const std::string_view kind = node.kind;
  if (kind == "SelectStmt" || kind == "InsertStmt" || kind == "UpdateStmt" ||
      kind == "DeleteStmt" || kind == "MergeStmt") {
    out_.kind = lower(kind.substr(0, kind.size() - 4));
    query(node);
  } else if (!utility(*this, out_, survey_, node)) {
    if (out_.kind.empty()) out_.kind = "unknown";
    not_understood("statement of kind " + std::string(kind) + " is not known");
  }
  if (wrote_without_where_) out_.has_where = false;
  for (const auto& routine : out_.routines) {
    if (routine.routine_class == RoutineClass::dynamic_sql) out_.dynamic_sql = true;
  }
  for (const auto& nested : out_.nested) {
    out_.dynamic_sql = out_.dynamic_sql || nested.dynamic_sql;
    if (!nested.understood) not_understood(nested.why_not);
  }
  out_.read_only = finish_reads();
}

bool Walker::finish_reads() const {
  static constexpr std::array<std::string_view, 6> kinds = {"select",         "show",    "explain",
                                                            "declare_cursor", "copy_to", "prepare"};
  if (!out_.understood || out_.dynamic_sql || locks_) return false;
  if (std::ranges::find(kinds, out_.kind) == kinds.end()) return false;
  if (out_.copy == CopyEnd::file || out_.copy == CopyEnd::program) return false;
  return out_.settings.empty() && out_.objects.empty() && out_.roles.empty() &&
         std::ranges::all_of(out_.relations, [](const auto& r) { return r.use == Use::select; }) &&
         std::ranges::all_of(out_.routines,
                             [](const auto& r) { return is_harmless(r.routine_class); }) &&
         std::ranges::all_of(out_.nested, [](const auto& n) { return n.read_only; });
}

// ---- Queries -----------------------------------------------------------------------------------

void Walker::query(const Node& node) {
  if (++depth_ > kWalkDepthMax) {
    not_understood("nested too deeply");
    --depth_;
    return;
  }
  const std::size_t ctes = ctes_.size();
  const bool outermost = std::exchange(outermost_, false);
  settings_allowed_ = false;
  row_setting_.clear();
  if (outermost && !nested_ && out_.kind == "select") {
    settings_allowed_ = only_sets(node.fields);
    row_setting_ = one_setting(node.fields);
  }
  with(node.fields);
  scopes_.emplace_back();
  body(node);
  if (outermost && node.kind != "InsertStmt" && node.kind != "MergeStmt") note_where(node.fields);
  scopes_.pop_back();
  ctes_.resize(ctes);
  --depth_;
}

void Walker::body(const Node& node) {
  if (node.kind == "SelectStmt") {
    select(node.fields);
  } else if (node.kind == "InsertStmt") {
    insert(node.fields);
  } else if (node.kind == "UpdateStmt") {
    update(node.fields);
  } else if (node.kind == "DeleteStmt") {
    delete_(node.fields);
  } else if (node.kind == "MergeStmt") {
    merge(node.fields);
  } else {
    not_understood("a query of kind " + std::string(node.kind) + " is not known");
  }
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
  if (!items) return not_understood("WITH without queries");
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
  const std::size_t first = out_.relations.size();
  if (const auto clause = object(fields, "intoClause")) into(*clause);
  if (const auto items = array(fields, "fromClause")) from(*items);
  select_list(fields);
  child(fields, "whereClause", {.role = ColumnRole::filter});
  child(fields, "groupClause", {.role = ColumnRole::group});
  child(fields, "havingClause", {.role = ColumnRole::filter});
  child(fields, "distinctClause", {.role = ColumnRole::group});
  child(fields, "windowClause", {.role = ColumnRole::order});
  child(fields, "sortClause", {.role = ColumnRole::order});
  child(fields, "valuesLists", {.role = ColumnRole::output});
  child(fields, "limitOffset", {});
  child(fields, "limitCount", {});
  locking(fields, first);
}

void Walker::select_list(Object fields) {
  const auto items = array(fields, "targetList");
  if (!items) return;
  const bool allowed = std::exchange(settings_allowed_, false);
  for (Value item : *items) {
    const auto target = node(item);
    if (!target || target->kind != "ResTarget") return not_understood("an unknown output");
    settings_allowed_ = allowed;
    child(target->fields, "val", {.role = ColumnRole::output});
    child(target->fields, "indirection", {.role = ColumnRole::output});
    settings_allowed_ = false;
  }
}

void Walker::set_operation(Object fields) {
  const std::size_t first = out_.relations.size();
  if (const auto clause = object(fields, "intoClause")) into(*clause);
  for (const std::string_view side : {"larg", "rarg"}) {
    const auto arm = object(fields, side);
    if (!arm) return not_understood("a set operation with one arm");
    query({.kind = "SelectStmt", .fields = *arm});
  }
  child(fields, "sortClause", {.role = ColumnRole::order});
  child(fields, "limitOffset", {});
  child(fields, "limitCount", {});
  locking(fields, first);
}

void Walker::into(Object clause) {
  const auto relation = object(clause, "rel");
  if (!relation) return not_understood("INTO without a table");
  add_relation(*relation, Use::create);
  if (out_.kind == "select") out_.kind = "select_into";
  child(clause, "options", {});
}

/// FOR UPDATE without OF locks every relation of the query and of its sub-queries, and with OF we
/// take it for the same. `first`: the first relation of the query.
void Walker::locking(Object fields, std::size_t first) {
  if (!array(fields, "lockingClause")) return;
  locks_ = true;
  const std::size_t known = out_.relations.size();
  locked_.resize(known);
  if (!spend((known - first) * Survey::steps_of_finding)) return;
  for (std::size_t i = first; i < known; ++i) {
    if (locked_[i] || out_.relations[i].use != Use::select) continue;
    locked_[i] = true;
    RelationUse locked = out_.relations[i];
    locked.use = Use::lock;
    out_.relations.push_back(std::move(locked));
  }
}

// ---- Changes -----------------------------------------------------------------------------------

int Walker::begin_target(Object fields, Use use) {
  const auto relation = object(fields, "relation");
  if (!relation) {
    not_understood("no target relation");
    return -1;
  }
  const int index = add_relation(*relation, use);
  if (text(*relation, "relname") == "pg_settings") {
    not_understood("pg_settings may not be written to, use SET");
  }
  const auto alias = object(*relation, "alias");
  add_source({.schema = alias ? "" : std::string(text(*relation, "schemaname")),
              .name = out_.relations[static_cast<std::size_t>(index)].alias,
              .relation = index});
  targets_.push_back({.relation = index});
  return index;
}

/// To read what one changes takes the right to read it, as in the server.
void Walker::end_target() {
  const Target target = targets_.back();
  targets_.pop_back();
  if (!target.read) return;
  RelationUse read = out_.relations[static_cast<std::size_t>(target.relation)];
  read.use = Use::select;
  out_.relations.push_back(std::move(read));
}

void Walker::assignments(Object fields, std::string_view list) {
  const auto items = array(fields, list);
  if (!items) return;
  for (Value item : *items) {
    const auto target = node(item);
    if (!target || target->kind != "ResTarget") return not_understood("an unknown assignment");
    const int relation = scopes_.back().empty() ? -1 : scopes_.back().front().relation;
    add_column({.column = std::string(text(target->fields, "name")),
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
      if (!option) return not_understood("an unknown option of RETURNING");
      add_source({.name = std::string(text(option->fields, "value")),
                  .relation = scopes_.back().front().relation});
    }
  }
  child(*clause, "exprs", {.role = ColumnRole::returning});
}

void Walker::on_conflict(Object clause) {
  const int relation = scopes_.back().front().relation;
  const std::string_view action = text(clause, "action");
  if (action == "ONCONFLICT_UPDATE") {
    RelationUse updated = out_.relations[static_cast<std::size_t>(relation)];
    updated.use = Use::update;
    out_.relations.push_back(std::move(updated));
  } else if (action != "ONCONFLICT_NOTHING") {
    return not_understood("an unknown action of ON CONFLICT");
  }
  if (const auto infer = object(clause, "infer")) {
    // Which rows there are shows in what happens.
    targets_.back().read = true;
    this->fields(*infer, {.role = ColumnRole::filter});
  }
  add_source({.name = "excluded", .relation = relation, .proposed = true});
  assignments(clause, "targetList");
  child(clause, "whereClause", {.role = ColumnRole::filter});
}

void Walker::insert(Object fields) {
  if (begin_target(fields, Use::insert) < 0) return;
  assignments(fields, "cols");
  if (const auto source = node(fields, "selectStmt")) {
    if (!array(fields, "cols")) {
      add_column({.column = "*",
                  .role = ColumnRole::assignment,
                  .relation = scopes_.back().front().relation});
    }
    // The source does not see the target.
    Scope hidden = std::exchange(scopes_.back(), {});
    std::vector<Target> outside = std::exchange(targets_, {});
    query(*source);
    targets_ = std::move(outside);
    scopes_.back() = std::move(hidden);
  }
  if (const auto clause = object(fields, "onConflictClause")) on_conflict(*clause);
  returning(fields);
  end_target();
}

void Walker::update(Object fields) {
  if (begin_target(fields, Use::update) < 0) return;
  if (const auto items = array(fields, "fromClause")) from(*items);
  assignments(fields, "targetList");
  where_of_change(fields);
  returning(fields);
  end_target();
}

void Walker::delete_(Object fields) {
  if (begin_target(fields, Use::delete_) < 0) return;
  if (const auto items = array(fields, "usingClause")) from(*items);
  where_of_change(fields);
  returning(fields);
  end_target();
}

void Walker::where_of_change(Object fields) {
  child(fields, "whereClause", {.role = ColumnRole::filter});
  const auto where = field(fields, "whereClause");
  if (!where || !names_something(*where)) wrote_without_where_ = true;
}

void Walker::merge(Object fields) {
  const int index = begin_target(fields, Use::select);
  if (index < 0) return;
  targets_.pop_back();  // it is read in any case
  if (const auto source = node(fields, "sourceRelation")) {
    from_item(*source);
  } else {
    return not_understood("MERGE without a source");
  }
  child(fields, "joinCondition", {.role = ColumnRole::join});
  const auto clauses = array(fields, "mergeWhenClauses");
  if (!clauses) return not_understood("MERGE without WHEN");
  for (Value item : *clauses) {
    const auto when = node(item);
    if (!when || when->kind != "MergeWhenClause") return not_understood("an unknown WHEN");
    merge_when(when->fields, index);
  }
  wrote_without_where_ = true;
  returning(fields);
}

void Walker::merge_when(Object fields, int target) {
  const std::string_view command = text(fields, "commandType");
  RelationUse written = out_.relations[static_cast<std::size_t>(target)];
  if (command == "CMD_UPDATE") {
    written.use = Use::update;
  } else if (command == "CMD_INSERT") {
    written.use = Use::insert;
  } else if (command == "CMD_DELETE") {
    written.use = Use::delete_;
  } else if (command != "CMD_NOTHING") {
    return not_understood("an unknown action of MERGE");
  }
  if (written.use != Use::select) out_.relations.push_back(std::move(written));
  child(fields, "condition", {.role = ColumnRole::filter});
  assignments(fields, "targetList");
  child(fields, "values", {});
}

}  // namespace sallyport::postgres::sql

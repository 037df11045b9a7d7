// Puts together what one text says (trace.h) with what views, functions and types say that it
// names, by following their definitions. Each definition is read once and kept.

#include "protocol/postgres/sql/lineage.h"

#include <algorithm>
#include <deque>

#include "protocol/postgres/sql/trace.h"

namespace sallyport::postgres::sql {

namespace {

constexpr std::size_t kReasonsMax = 16;
/// Definitions that are kept: what they found counts in about this many columns, then all are
/// forgotten.
constexpr std::size_t kKeptColumnsMax = 1'000'000;
/// Columns that one column may come from.
constexpr std::size_t kSourcesMax = 100'000;

bool is_relation(const ColumnId& id) {
  return id.number != function_result;
}

void add_reason(std::vector<std::string>& reasons, std::string why) {
  if (reasons.size() < kReasonsMax && std::ranges::find(reasons, why) == reasons.end()) {
    reasons.push_back(std::move(why));
  }
}

/// What a view, a function or an expression of the catalog is made of.
struct Definition {
  std::map<ColumnId, Roles> used;
  std::set<Oid> relations;
  std::set<Oid> functions;
  std::set<Oid> domains;
  std::vector<Sources> outputs;
  bool open = false;
  Sources all;  // of all outputs together
  std::vector<std::string> cannot_tell;
  bool unknown_name = false;

  std::size_t size() const {
    std::size_t columns = 1 + used.size() + all.size();
    for (const Sources& sources : outputs) columns += sources.size();
    return columns;
  }
};

}  // namespace

struct Tracer::State {
  State(Parser& parser_to_use, const Catalog& catalog_to_use)
      : parser(parser_to_use), catalog(catalog_to_use) {}

  // Definitions.
  const Definition& view(const catalog::Relation& relation);
  const Definition& function(const catalog::Function& function, const SearchPath& path);
  const Definition& domain(const catalog::Type& type);
  const Definition& generation(const catalog::Relation& relation, std::int16_t column);
  void read_sql(Definition& definition, std::string_view sql, const Trace::Place& place);
  void read_expression(Definition& definition, std::string_view expression,
                       const Trace::Place& place, const catalog::Relation* relation);
  void read_function(Definition& definition, const catalog::Function& function,
                     const SearchPath& path);
  void take(Definition& definition, Findings& findings);

  // Following.
  void finish(Findings& findings, const Lookup& lookup, Lineage& out);
  bool edges(ColumnId column, const SearchPath& path, std::deque<ColumnId>& next,
             std::vector<std::string>& reasons);
  const Sources& closure(ColumnId column, const SearchPath& path,
                         std::vector<std::string>& reasons);
  void forget_if_large();

  Parser& parser;
  const Catalog& catalog;
  std::map<std::pair<Oid, std::string>, Definition> definitions;  // by OID, and what else matters
  struct Closure {
    Sources sources;
    std::vector<std::string> reasons;
  };
  std::map<std::pair<ColumnId, std::string>, Closure> closures;
  std::size_t kept = 0;
};

namespace {

Sources ids_of(const std::vector<Source>& sources, const std::vector<Mention>& mentions) {
  Sources ids;
  ids.reserve(sources.size());
  for (const Source& source : sources) {
    const Mention& mention = mentions[source.mention];
    ids.push_back(mention.function != 0
                      ? ColumnId{.relation = mention.function, .number = function_result}
                      : ColumnId{.relation = mention.reference.relation, .number = source.number});
  }
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
  return ids;
}

void merge(Sources& to, const Sources& more) {
  Sources both;
  both.reserve(to.size() + more.size());
  std::ranges::set_union(to, more, std::back_inserter(both));
  to = std::move(both);
}

std::string key_of(const SearchPath& path) {
  std::string key;
  for (const std::string& schema : path) key += schema + '\0';
  return key;
}

const SearchPath kNoPath;

}  // namespace

// ---- Definitions -------------------------------------------------------------------------------

void Tracer::State::take(Definition& definition, Findings& findings) {
  for (const Mention& mention : findings.mentions) {
    if (mention.function != 0) {
      definition.functions.insert(mention.function);
      for (const auto& [number, roles] : mention.reference.columns) {
        definition.used[{mention.function, function_result}] |= roles;
      }
      continue;
    }
    definition.relations.insert(mention.reference.relation);
    for (const auto& [number, roles] : mention.reference.columns) {
      definition.used[{mention.reference.relation, number}] |= roles;
    }
  }
  definition.domains.merge(findings.domains);
  definition.outputs.clear();
  for (const Field& field : findings.outputs.fields) {
    definition.outputs.push_back(ids_of(field.flow.sources, findings.mentions));
    merge(definition.all, definition.outputs.back());
  }
  definition.open = findings.outputs.open;
  merge(definition.all, ids_of(findings.outputs.open_sources, findings.mentions));
  for (std::string& why : findings.cannot_tell) {
    add_reason(definition.cannot_tell, std::move(why));
  }
  definition.unknown_name = definition.unknown_name || findings.unknown_name;
}

/// All statements of a text; its outputs are those of the last one.
void Tracer::State::read_sql(Definition& definition, std::string_view sql,
                             const Trace::Place& place) {
  auto parsed = parser.parse(sql);
  if (!parsed || parsed->rejected) {
    return add_reason(definition.cannot_tell, "a definition cannot be parsed");
  }
  OwnTree tree;
  auto root = tree.read(parsed->tree);
  Object top;
  if (!root || root->get(top) != simdjson::SUCCESS) {
    return add_reason(definition.cannot_tell, "a definition cannot be read");
  }
  for (Value item : items(top, "stmts")) {
    Object raw;
    if (item.get(raw) != simdjson::SUCCESS) continue;
    const auto statement = node(raw, "stmt");
    if (!statement) continue;
    // BEGIN ATOMIC ... END comes wrapped in the statement that could make it.
    std::vector<Node> statements;
    if (statement->kind == "CreateFunctionStmt") {
      std::vector<Value> open;
      if (const auto body = field(statement->fields, "sql_body")) open.push_back(*body);
      while (!open.empty()) {
        const Value next = open.back();
        open.pop_back();
        const auto inner = node(next);
        if (!inner) continue;
        if (inner->kind != "List") {
          statements.push_back(*inner);
          continue;
        }
        const auto items = array(inner->fields, "items");
        std::vector<Value> some;
        if (items) {
          for (Value each : *items) some.push_back(each);
        }
        open.insert(open.end(), some.rbegin(), some.rend());
      }
    } else {
      statements.push_back(*statement);
    }
    for (const Node& each : statements) {
      Findings findings;
      Trace(place, findings).statement(each);
      take(definition, findings);
    }
  }
}

void Tracer::State::read_expression(Definition& definition, std::string_view expression,
                                    const Trace::Place& place, const catalog::Relation* relation) {
  auto parsed = parser.parse("SELECT " + std::string(expression));
  if (!parsed || parsed->rejected) {
    return add_reason(definition.cannot_tell, "an expression cannot be parsed");
  }
  OwnTree tree;
  auto root = tree.read(parsed->tree);
  Object top;
  Object raw;
  if (!root || root->get(top) != simdjson::SUCCESS) {
    return add_reason(definition.cannot_tell, "an expression cannot be read");
  }
  const auto statements = array(top, "stmts");
  const bool one =
      statements && statements->size() == 1 && statements->at(0).get(raw) == simdjson::SUCCESS;
  const auto select = one ? node(raw, "stmt") : std::nullopt;
  const auto list = select ? array(select->fields, "targetList") : std::nullopt;
  const auto target = list && list->size() == 1 ? node(list->at(0)) : std::nullopt;
  const auto value = target ? field(target->fields, "val") : std::nullopt;
  if (!value) return add_reason(definition.cannot_tell, "an expression cannot be read");
  Findings findings;
  Trace(place, findings).expression(*value, relation);
  take(definition, findings);
}

const Definition& Tracer::State::view(const catalog::Relation& relation) {
  const auto [found, added] = definitions.try_emplace({relation.oid, "view"});
  Definition& definition = found->second;
  if (!added) return definition;
  TraceBudget budget;
  const Lookup lookup;
  if (relation.definition.empty()) {
    add_reason(definition.cannot_tell,
               "the definition of " + catalog.name_of(relation) + " is not known");
  } else {
    read_sql(definition, relation.definition,
             {.catalog = catalog, .lookup = lookup, .budget = budget});
  }
  if (definition.open || definition.outputs.size() != relation.columns.size()) {
    add_reason(definition.cannot_tell,
               "the columns of " + catalog.name_of(relation) + " are not those of its definition");
  }
  kept += definition.size();
  return definition;
}

const Definition& Tracer::State::domain(const catalog::Type& type) {
  const auto [found, added] = definitions.try_emplace({type.oid, "domain"});
  Definition& definition = found->second;
  if (!added) return definition;
  static const std::set<std::string, std::less<>> variables = {"value"};
  TraceBudget budget;
  const Lookup lookup;
  for (const std::string_view check : type.checks) {
    read_expression(
        definition, check,
        {.catalog = catalog, .lookup = lookup, .budget = budget, .variables = &variables}, nullptr);
  }
  kept += definition.size();
  return definition;
}

const Definition& Tracer::State::generation(const catalog::Relation& relation,
                                            std::int16_t column) {
  const auto [found, added] =
      definitions.try_emplace({relation.oid, "generated " + std::to_string(column)});
  Definition& definition = found->second;
  if (!added) return definition;
  TraceBudget budget;
  const Lookup lookup;
  const std::string_view expression = catalog.generation_of(relation.oid, column);
  if (expression.empty()) {
    add_reason(definition.cannot_tell,
               "what a column of " + catalog.name_of(relation) + " is generated from is not known");
  } else {
    read_expression(definition, expression,
                    {.catalog = catalog, .lookup = lookup, .budget = budget}, &relation);
  }
  kept += definition.size();
  return definition;
}

const Definition& Tracer::State::function(const catalog::Function& function,
                                          const SearchPath& path) {
  const bool own_path = function.fixes_path || function.standard_body;
  const auto [found, added] = definitions.try_emplace(
      {function.oid, own_path ? std::string("body") : "body " + key_of(path)});
  Definition& definition = found->second;
  if (!added) return definition;
  read_function(definition, function, path);
  kept += definition.size();
  return definition;
}

void Tracer::State::read_function(Definition& definition, const catalog::Function& function,
                                  const SearchPath& path) {
  const std::string name =
      std::string(catalog.schema_name(function.schema)) + "." + std::string(function.name);
  if (function.kind == 'a' || function.kind == 'w') {
    for (const Oid part : function.parts) {
      if (part >= catalog::first_normal_oid) {
        definition.functions.insert(part);
        definition.all.push_back({part, function_result});
      }
    }
    std::ranges::sort(definition.all);
    if (function.kind == 'a') return;
  }
  if (function.language == "c" || function.language == "internal") {
    // Only a superuser makes one, and an immutable one reads nothing: it would not be immutable.
    if (function.volatility != 'i') {
      add_reason(definition.cannot_tell, "function " + name + " is in language " +
                                             std::string(function.language) + " and not immutable");
    }
    return;
  }
  if (function.language != "sql") {
    return add_reason(definition.cannot_tell,
                      "function " + name + " is in language " + std::string(function.language));
  }
  if (function.body.empty()) {
    return add_reason(definition.cannot_tell, "the body of function " + name + " is not known");
  }
  Lookup lookup;
  if (function.fixes_path) {
    lookup.path.assign(function.search_path.begin(), function.search_path.end());
  } else if (!function.standard_body) {
    lookup.path = path;
  }
  std::set<std::string, std::less<>> variables;
  for (const catalog::Argument& argument : function.arguments) {
    if (!argument.name.empty()) variables.emplace(argument.name);
  }
  TraceBudget budget;
  const Trace::Place place{.catalog = catalog,
                           .lookup = lookup,
                           .budget = budget,
                           .variables = &variables,
                           .function = function.name};
  if (function.standard_body) {
    read_sql(definition,
             "CREATE FUNCTION f() RETURNS void LANGUAGE sql " + std::string(function.body), place);
  } else {
    read_sql(definition, function.body, place);
  }
  for (std::string& why : definition.cannot_tell) why = "in function " + name + ": " + why;
}

// ---- Following ---------------------------------------------------------------------------------

/// What the values of a column are made of, one step further. False: cannot tell.
bool Tracer::State::edges(ColumnId column, const SearchPath& path, std::deque<ColumnId>& next,
                          std::vector<std::string>& reasons) {
  const auto follow = [&](const Definition& definition, const Sources& sources) {
    for (const std::string& why : definition.cannot_tell) add_reason(reasons, why);
    next.insert(next.end(), sources.begin(), sources.end());
    return definition.cannot_tell.empty();
  };
  if (!is_relation(column)) {
    const catalog::Function* const called = catalog.function(column.relation);
    if (called == nullptr) return false;
    const Definition& definition = function(*called, path);
    return follow(definition, definition.all);
  }
  const catalog::Relation* const relation = catalog.relation(column.relation);
  if (relation == nullptr) return false;
  if (column.number <= 0 || relation->oid < catalog::first_normal_oid) return true;
  if (relation->is_view()) {
    const Definition& definition = view(*relation);
    const auto position = static_cast<std::size_t>(std::ranges::distance(
        relation->columns.begin(),
        std::ranges::find(relation->columns, column.number, &catalog::Column::number)));
    return follow(definition, position < definition.outputs.size() ? definition.outputs[position]
                                                                   : definition.all);
  }
  const catalog::Column* const own = relation->column(column.number);
  if (own == nullptr) return false;
  // The same data under the same name: a child's rows are the parent's.
  for (const auto& relatives :
       {catalog.ancestors(relation->oid), catalog.descendants(relation->oid)}) {
    for (const catalog::Relation* relative : relatives) {
      if (const catalog::Column* const same = relative->column(own->name)) {
        next.push_back({relative->oid, same->number});
      }
    }
  }
  if (own->generated == 0) return true;
  const Definition& definition = generation(*relation, column.number);
  return follow(definition, definition.all);
}

const Sources& Tracer::State::closure(ColumnId column, const SearchPath& path,
                                      std::vector<std::string>& reasons) {
  const auto [found, added] = closures.try_emplace({column, key_of(path)});
  Closure& made = found->second;
  if (added) {
    std::set<ColumnId> seen{column};
    std::deque<ColumnId> open{column};
    std::deque<ColumnId> next;
    while (!open.empty() && seen.size() < kSourcesMax) {
      const ColumnId each = open.front();
      open.pop_front();
      next.clear();
      if (!edges(each, path, next, made.reasons)) {
        add_reason(made.reasons, "what a column is made of cannot be followed");
      }
      for (const ColumnId& id : next) {
        if (seen.insert(id).second) open.push_back(id);
      }
    }
    if (!open.empty()) add_reason(made.reasons, "a column comes from too many others");
    for (const ColumnId& id : seen) {
      if (is_relation(id)) made.sources.push_back(id);
    }
    kept += made.sources.size();
  }
  for (const std::string& why : made.reasons) add_reason(reasons, why);
  return made.sources;
}

void Tracer::State::finish(Findings& findings, const Lookup& lookup, Lineage& out) {
  out.unknown_name = findings.unknown_name;
  for (std::string& why : findings.cannot_tell) add_reason(out.cannot_tell, std::move(why));

  // What the text says itself.
  struct Use {
    ColumnId column;
    Roles roles;
  };
  std::vector<Use> uses;
  struct Open {
    Oid oid;
    enum class Kind : std::uint8_t { view, function, domain } kind;
    bool by_function;
  };
  std::vector<Open> open;
  for (Mention& mention : findings.mentions) {
    if (mention.function != 0) {
      open.push_back({mention.function, Open::Kind::function, true});
      for (const auto& [number, roles] : mention.reference.columns) {
        uses.push_back({{mention.function, function_result}, roles});
      }
      continue;
    }
    const Oid oid = mention.reference.relation;
    out.reached[oid].by_text = true;
    open.push_back({oid, Open::Kind::view, false});
    for (const auto& [number, roles] : mention.reference.columns) {
      uses.push_back({{oid, number}, roles});
    }
    out.references.push_back(mention.reference);
  }
  for (const Oid domain : findings.domains) open.push_back({domain, Open::Kind::domain, true});
  std::ranges::sort(out.references, {},
                    [](const Reference& r) { return std::pair(r.location, r.relation); });

  const auto add_use = [&](const Use& use) {
    for (const ColumnId& id : closure(use.column, lookup.path, out.cannot_tell)) {
      Reach& reach = out.reached[id.relation];
      reach.columns[id.number] |= use.roles;
      if (!reach.by_text && !reach.by_function) reach.by_view = true;
    }
  };

  // What views, functions and checks say, that it names and they name.
  std::set<std::tuple<Oid, Open::Kind, bool>> seen;
  std::set<Oid> functions;
  for (std::size_t i = 0; i < open.size(); ++i) {
    const Open each = open[i];
    if (!seen.insert({each.oid, each.kind, each.by_function}).second) continue;
    const Definition* definition = nullptr;
    if (each.kind == Open::Kind::view) {
      const catalog::Relation* const relation = catalog.relation(each.oid);
      if (relation == nullptr) continue;
      for (const catalog::Relation* child : catalog.descendants(each.oid)) {
        Reach& reach = out.reached[child->oid];
        (each.by_function ? reach.by_function : reach.by_view) = true;
      }
      // Those of PostgreSQL are known by name.
      if (!relation->is_view() || relation->oid < catalog::first_normal_oid) continue;
      definition = &view(*relation);
    } else if (each.kind == Open::Kind::function) {
      const catalog::Function* const called = catalog.function(each.oid);
      if (called == nullptr) continue;
      functions.insert(each.oid);
      definition = &function(*called, lookup.path);
    } else if (const catalog::Type* const type = catalog.type(each.oid)) {
      definition = &domain(*type);
    }
    if (definition == nullptr) continue;
    for (const std::string& why : definition->cannot_tell) add_reason(out.cannot_tell, why);
    out.unknown_name = out.unknown_name || definition->unknown_name;
    for (const auto& [column, roles] : definition->used) {
      Use use{column, roles};
      for (const ColumnId& id : closure(use.column, lookup.path, out.cannot_tell)) {
        Reach& reach = out.reached[id.relation];
        reach.columns[id.number] |= use.roles;
        (each.by_function ? reach.by_function : reach.by_view) = true;
      }
    }
    for (const Oid oid : definition->relations) {
      Reach& reach = out.reached[oid];
      (each.by_function ? reach.by_function : reach.by_view) = true;
      open.push_back({oid, Open::Kind::view, each.by_function});
    }
    for (const Oid oid : definition->functions) open.push_back({oid, Open::Kind::function, true});
    for (const Oid oid : definition->domains) open.push_back({oid, Open::Kind::domain, true});
  }
  for (const Use& use : uses) add_use(use);
  out.functions.assign(functions.begin(), functions.end());

  const auto follow = [&](const std::vector<Source>& sources) {
    Sources all;
    for (const ColumnId& id : ids_of(sources, findings.mentions)) {
      merge(all, closure(id, lookup.path, out.cannot_tell));
    }
    return all;
  };
  for (Field& field : findings.outputs.fields) {
    out.outputs.push_back({.name = std::move(field.name),
                           .sources = follow(field.flow.sources),
                           .plain = field.flow.plain && field.flow.sources.size() == 1});
  }
  out.open = findings.outputs.open;
  out.open_sources = follow(findings.outputs.open_sources);
  for (const Flowing& flowing : findings.assignments) {
    const Reference& target = findings.mentions[flowing.target.mention].reference;
    out.assignments.push_back(
        {.target = {target.relation, flowing.target.number}, .sources = follow(flowing.sources)});
  }
}

void Tracer::State::forget_if_large() {
  if (kept < kKeptColumnsMax) return;
  definitions.clear();
  closures.clear();
  kept = 0;
}

// ---- Tracer ------------------------------------------------------------------------------------

Tracer::Tracer(Parser& parser, std::shared_ptr<const Catalog> catalog)
    : catalog_(std::move(catalog)), state_(std::make_unique<State>(parser, *catalog_)) {}
Tracer::~Tracer() = default;

Result<std::vector<Lineage>> Tracer::trace(std::string_view sql, const Lookup& lookup) {
  state_->forget_if_large();
  auto parsed = state_->parser.parse(sql);
  if (!parsed) return fail(parsed);
  std::vector<Lineage> lineages;
  if (parsed->rejected) return lineages;
  std::vector<Findings> all;
  {
    auto root = read_tree(parsed->tree);
    if (!root) return fail(root);
    Object top;
    if (root->get(top) != simdjson::SUCCESS) return fail(Errc::malformed, "tree: not an object");
    TraceBudget budget;
    for (Value item : items(top, "stmts")) {
      Object raw;
      const auto statement = item.get(raw) == simdjson::SUCCESS ? node(raw, "stmt") : std::nullopt;
      if (!statement) return fail(Errc::malformed, "tree: a statement without a body");
      Findings& findings = all.emplace_back();
      findings.kind = statement->kind;
      Trace({.catalog = *catalog_, .lookup = lookup, .budget = budget}, findings)
          .statement(*statement);
    }
  }
  // Only now: reading definitions needs the parser again.
  for (Findings& findings : all) {
    Lineage& lineage = lineages.emplace_back();
    lineage.kind = findings.kind;
    state_->finish(findings, lookup, lineage);
  }
  return lineages;
}

std::optional<Sources> Tracer::sources_of(ColumnId column) {
  state_->forget_if_large();
  std::vector<std::string> reasons;
  const Sources sources = state_->closure(column, kNoPath, reasons);
  if (!reasons.empty()) return std::nullopt;
  return sources;
}

}  // namespace sallyport::postgres::sql

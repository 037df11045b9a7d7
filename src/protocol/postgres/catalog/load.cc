#include "protocol/postgres/catalog/load.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace sallyport::postgres::catalog {

namespace {

Oid oid_of(const std::optional<std::string_view>& text) {
  Oid value = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

int number_of(const std::optional<std::string_view>& text) {
  int value = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

char letter_of(const std::optional<std::string_view>& text, char otherwise = 0) {
  return text && !text->empty() ? text->front() : otherwise;
}

bool is_true(const std::optional<std::string_view>& text) {
  return text == "t";
}

/// A search_path as pg_proc.proconfig has it. None where it holds what only a session can tell.
std::vector<std::string> path_of(std::string_view text) {
  std::vector<std::string> path;
  std::size_t at = 0;
  while (at < text.size()) {
    while (at < text.size() && (text[at] == ' ' || text[at] == ',')) ++at;
    std::string schema;
    if (at < text.size() && text[at] == '"') {
      for (++at; at < text.size(); ++at) {
        if (text[at] == '"') {
          if (at + 1 == text.size() || text[at + 1] != '"') break;
          ++at;
        }
        schema.push_back(text[at]);
      }
      ++at;
    } else {
      while (at < text.size() && text[at] != ',' && text[at] != ' ') schema.push_back(text[at++]);
    }
    if (schema == "$user") return {};
    if (!schema.empty()) path.push_back(std::move(schema));
  }
  return path;
}

constexpr std::string_view kSchemas = "select oid, nspname from pg_catalog.pg_namespace";

constexpr std::string_view kDatabase =
    "select oid, datname, pg_catalog.current_setting('server_version_num') "
    "from pg_catalog.pg_database where datname = pg_catalog.current_database()";

// Indexes, TOAST tables and the schemas of sessions' temporary objects are left out.
constexpr std::string_view kRelations =
    "select c.oid, c.relnamespace, c.relname, c.relkind, c.relispartition, c.relrowsecurity, "
    "c.relpersistence = 't', c.reltype, "
    "case when c.relkind in ('v', 'm') and c.oid >= 16384 "
    "then pg_catalog.pg_get_viewdef(c.oid) end "
    "from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
    "where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c') "
    "and n.nspname !~ '^pg_(toast|temp_|toast_temp_)'";

constexpr std::string_view kColumns =
    "select a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.atthasdef, "
    "a.attgenerated, a.attidentity, "
    "case when a.attgenerated <> '' then pg_catalog.pg_get_expr(d.adbin, d.adrelid) end "
    "from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid "
    "join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
    "left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum "
    "and a.attgenerated <> '' "
    "where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', "
    "'c') "
    "and n.nspname !~ '^pg_(toast|temp_|toast_temp_)'";

constexpr std::string_view kInheritance = "select inhrelid, inhparent from pg_catalog.pg_inherits";

constexpr std::string_view kRules =
    "select ev_class, rulename, ev_type, is_instead, pg_catalog.pg_get_ruledef(oid) "
    "from pg_catalog.pg_rewrite where ev_type <> '1' and oid >= 16384";

constexpr std::string_view kTriggers =
    "select tgrelid, tgname, tgfoid, tgtype from pg_catalog.pg_trigger where not tgisinternal";

// Rows of tables and views, and arrays of those, are left out: they would be two for each table.
constexpr std::string_view kTypes =
    "select t.oid, t.typnamespace, t.typname, t.typtype, t.typcategory, t.typbasetype, "
    "t.typtypmod, t.typnotnull, t.typelem, t.typrelid, t.typinput::pg_catalog.oid "
    "from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace "
    "left join pg_catalog.pg_class c on c.oid = t.typrelid "
    "left join pg_catalog.pg_type e on e.oid = t.typelem and t.typcategory = 'A' "
    "left join pg_catalog.pg_class ec on ec.oid = e.typrelid "
    "where (c.oid is null or c.relkind = 'c') and (ec.oid is null or ec.relkind = 'c') "
    "and n.nspname !~ '^pg_(toast|temp_|toast_temp_)'";

constexpr std::string_view kChecks =
    "select contypid, pg_catalog.pg_get_expr(conbin, 0) from pg_catalog.pg_constraint "
    "where contypid <> 0 and contype = 'c'";

constexpr std::string_view kFunctions =
    "select p.oid, p.pronamespace, p.proname, l.lanname, p.prokind, p.provolatile, p.prosecdef, "
    "p.proretset, p.prorettype, p.provariadic, p.pronargdefaults, "
    "case when p.oid >= 16384 and l.lanname in ('sql', 'plpgsql') then {body} end, {standard}, "
    "(select pg_catalog.substr(s, 13) from pg_catalog.unnest(p.proconfig) s "
    "where s like 'search\\_path=%'), "
    "a.aggtransfn::pg_catalog.oid, a.aggfinalfn::pg_catalog.oid, a.aggcombinefn::pg_catalog.oid, "
    "a.aggmtransfn::pg_catalog.oid, a.aggminvtransfn::pg_catalog.oid, "
    "a.aggmfinalfn::pg_catalog.oid "
    "from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace "
    "join pg_catalog.pg_language l on l.oid = p.prolang "
    "left join pg_catalog.pg_aggregate a on a.aggfnoid = p.oid "
    "where n.nspname !~ '^pg_(toast|temp_|toast_temp_)'";

constexpr std::string_view kArguments =
    "select p.oid, coalesce(p.proargnames[a.n], ''), "
    "coalesce(p.proallargtypes[a.n], p.proargtypes[a.n - 1]), coalesce(p.proargmodes[a.n], 'i') "
    "from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace, "
    "pg_catalog.generate_series(1, coalesce(pg_catalog.cardinality(p.proallargtypes), "
    "p.pronargs::pg_catalog.int4)) a(n) "
    "where n.nspname !~ '^pg_(toast|temp_|toast_temp_)' order by p.oid, a.n";

constexpr std::string_view kOperators =
    "select oid, oprnamespace, oprname, oprleft, oprright, oprresult, oprcode::pg_catalog.oid "
    "from pg_catalog.pg_operator where oid >= 16384";

constexpr std::string_view kCasts =
    "select castsource, casttarget, castfunc, castcontext from pg_catalog.pg_cast "
    "where oid >= 16384";

// PostgreSQL's own are not in pg_depend. An operator is its function.
constexpr std::string_view kRuns =
    "with f as (select d.classid, d.objid, case when d.refclassid = "
    "'pg_catalog.pg_proc'::pg_catalog.regclass then d.refobjid else (select "
    "o.oprcode::pg_catalog.oid from pg_catalog.pg_operator o where o.oid = d.refobjid) end as "
    "runs from pg_catalog.pg_depend d where d.refobjid >= 16384 and d.refclassid in "
    "('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_operator'::pg_catalog.regclass)) "
    "select a.adrelid, f.runs from f join pg_catalog.pg_attrdef a on a.oid = f.objid "
    "where f.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass union "
    "select case when c.conrelid <> 0 then c.conrelid else c.contypid end, f.runs "
    "from f join pg_catalog.pg_constraint c on c.oid = f.objid "
    "where f.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass union "
    "select f.objid, f.runs from f where f.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass "
    "union "
    "select i.indrelid, f.runs from f join pg_catalog.pg_index i on i.indexrelid = f.objid "
    "where f.classid = 'pg_catalog.pg_class'::pg_catalog.regclass union "
    "select p.partrelid, f.runs from f join pg_catalog.pg_partitioned_table p "
    "on p.partrelid = f.objid where f.classid = 'pg_catalog.pg_class'::pg_catalog.regclass union "
    "select s.stxrelid, f.runs from f join pg_catalog.pg_statistic_ext s on s.oid = f.objid "
    "where f.classid = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass";

constexpr std::string_view kKeys =
    "select conrelid, pg_catalog.unnest(conkey) from pg_catalog.pg_constraint where contype = 'p'";

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  const std::size_t at = text.find(what);
  return text.replace(at, what.size(), with);
}

}  // namespace

std::vector<std::string> load_queries(int server_major) {
  const bool standard = server_major >= 14;
  std::string functions(kFunctions);
  functions = replaced(
      std::move(functions), "{body}",
      standard ? "coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc)" : "p.prosrc");
  functions =
      replaced(std::move(functions), "{standard}", standard ? "p.prosqlbody is not null" : "false");
  std::vector<std::string> queries;
  for (const std::string_view query :
       {kDatabase, kSchemas, kRelations, kColumns, kInheritance, kRules, kTriggers, kTypes, kChecks,
        std::string_view(functions), kArguments, kOperators, kCasts, kRuns, kKeys}) {
    queries.emplace_back(query);
  }
  return queries;
}

std::span<const Loader::Reader> Loader::readers() {
  static constexpr std::array<Reader, 15> all = {
      &Loader::database,    &Loader::schema,   &Loader::relation, &Loader::column,
      &Loader::inheritance, &Loader::rule,     &Loader::trigger,  &Loader::type,
      &Loader::check,       &Loader::function, &Loader::argument, &Loader::operator_,
      &Loader::cast,        &Loader::run,      &Loader::key};
  return all;
}

Loader::Loader(int server_major, std::string user, LoadLimits limits) : limits_(limits) {
  contents_.server_major = server_major;
  contents_.user = std::move(user);
}

std::string_view Loader::copy(const std::optional<std::string_view>& text) {
  if (!text || text->empty()) return {};
  bytes_ += text->size() + sizeof(std::string);
  return text_.emplace_back(*text);
}

std::string_view Loader::name(const std::optional<std::string_view>& text) {
  if (!text || text->empty()) return {};
  if (const auto found = names_.find(*text); found != names_.end()) return *found;
  return *names_.insert(copy(text)).first;
}

template <class T>
T* Loader::known(std::unordered_map<Oid, std::size_t>& places, std::vector<T>& list, Oid oid) {
  const auto found = places.find(oid);
  return found == places.end() ? nullptr : &list[found->second];
}

Result<void> Loader::row(std::size_t query, Row row) {
  static constexpr std::array<std::size_t, 15> widths = {3, 2,  9, 10, 2, 5, 4, 11,
                                                         2, 20, 4, 7,  4, 2, 2};
  if (query >= widths.size() || row.size() != widths[query]) {
    return fail(Errc::malformed, "a row of the catalog with other columns than asked for");
  }
  auto read = (this->*readers()[query])(row);
  if (read && bytes_ > limits_.bytes_max) {
    return fail(Errc::too_large, "the catalog is above the limit of " +
                                     std::to_string(limits_.bytes_max) + " bytes (" +
                                     std::to_string(contents_.relations.size()) +
                                     " relations so far); raise the limit, or take schemas away");
  }
  return read;
}

Result<std::shared_ptr<const Catalog>> Loader::finish(std::uint64_t epoch) {
  if (contents_.database_oid == 0) return fail(Errc::malformed, "a catalog without its database");
  return Catalog::make(std::move(contents_), epoch);
}

Result<void> Loader::database(Row row) {
  contents_.database_oid = oid_of(row[0]);
  contents_.database = row[1].value_or("");
  return ok();
}

Result<void> Loader::schema(Row row) {
  contents_.schemas.push_back({.oid = oid_of(row[0]), .name = name(row[1])});
  bytes_ += sizeof(Schema);
  return ok();
}

Result<void> Loader::relation(Row row) {
  const Oid oid = oid_of(row[0]);
  relations_.emplace(oid, contents_.relations.size());
  contents_.relations.push_back({.oid = oid,
                                 .schema = oid_of(row[1]),
                                 .name = name(row[2]),
                                 .kind = static_cast<RelationKind>(letter_of(row[3], 'r')),
                                 .is_partition = is_true(row[4]),
                                 .row_security = is_true(row[5]),
                                 .temporary = is_true(row[6]),
                                 .row_type = oid_of(row[7]),
                                 .definition = copy(row[8])});
  bytes_ += sizeof(Relation);
  return ok();
}

Result<void> Loader::column(Row row) {
  Relation* const relation = known(relations_, contents_.relations, oid_of(row[0]));
  if (relation == nullptr) return fail(Errc::malformed, "a column of no relation");
  const auto number = static_cast<std::int16_t>(number_of(row[1]));
  relation->columns.push_back({.name = name(row[2]),
                               .type = oid_of(row[3]),
                               .type_modifier = number_of(row[4]),
                               .number = number,
                               .not_null = is_true(row[5]),
                               .has_default = is_true(row[6]),
                               .generated = letter_of(row[7]),
                               .identity = letter_of(row[8])});
  bytes_ += sizeof(Column);
  if (row[9]) {
    contents_.generations.push_back(
        {.relation = relation->oid, .column = number, .expression = copy(row[9])});
    bytes_ += sizeof(Generation);
  }
  return ok();
}

Result<void> Loader::inheritance(Row row) {
  contents_.inheritance.push_back({.child = oid_of(row[0]), .parent = oid_of(row[1])});
  bytes_ += 2 * sizeof(Inheritance);
  return ok();
}

Result<void> Loader::rule(Row row) {
  contents_.rules.push_back({.relation = oid_of(row[0]),
                             .name = name(row[1]),
                             .event = letter_of(row[2]),
                             .instead = is_true(row[3]),
                             .definition = copy(row[4])});
  bytes_ += sizeof(Rule);
  return ok();
}

Result<void> Loader::trigger(Row row) {
  contents_.triggers.push_back({.relation = oid_of(row[0]),
                                .name = name(row[1]),
                                .function = oid_of(row[2]),
                                .type = static_cast<std::uint16_t>(number_of(row[3]))});
  bytes_ += sizeof(Trigger);
  return ok();
}

Result<void> Loader::type(Row row) {
  const Oid oid = oid_of(row[0]);
  types_.emplace(oid, contents_.types.size());
  const char category = letter_of(row[4], 'U');
  contents_.types.push_back({.oid = oid,
                             .schema = oid_of(row[1]),
                             .name = name(row[2]),
                             .kind = static_cast<TypeKind>(letter_of(row[3], 'b')),
                             .category = category,
                             .base = oid_of(row[5]),
                             .base_modifier = number_of(row[6]),
                             .not_null = is_true(row[7]),
                             .element = category == 'A' ? oid_of(row[8]) : 0,
                             .relation = oid_of(row[9]),
                             .input = oid_of(row[10])});
  bytes_ += sizeof(Type);
  return ok();
}

Result<void> Loader::check(Row row) {
  Type* const type = known(types_, contents_.types, oid_of(row[0]));
  if (type != nullptr) type->checks.push_back(copy(row[1]));
  return ok();
}

Result<void> Loader::function(Row row) {
  const Oid oid = oid_of(row[0]);
  functions_.emplace(oid, contents_.functions.size());
  Function made{.oid = oid,
                .schema = oid_of(row[1]),
                .name = name(row[2]),
                .language = name(row[3]),
                .kind = letter_of(row[4], 'f'),
                .volatility = letter_of(row[5], 'v'),
                .security_definer = is_true(row[6]),
                .returns_set = is_true(row[7]),
                .standard_body = is_true(row[12]),
                .fixes_path = row[13].has_value(),
                .result = oid_of(row[8]),
                .variadic = oid_of(row[9]),
                .defaults = static_cast<std::uint16_t>(number_of(row[10])),
                .body = copy(row[11])};
  for (const std::string& schema : path_of(row[13].value_or(""))) {
    made.search_path.push_back(name(std::string_view(schema)));
  }
  for (std::size_t i = 14; i < row.size(); ++i) {
    if (const Oid part = oid_of(row[i]); part != 0) made.parts.push_back(part);
  }
  contents_.functions.push_back(std::move(made));
  bytes_ += sizeof(Function);
  return ok();
}

Result<void> Loader::argument(Row row) {
  Function* const function = known(functions_, contents_.functions, oid_of(row[0]));
  if (function == nullptr) return fail(Errc::malformed, "an argument of no function");
  function->arguments.push_back(
      {.name = name(row[1]), .type = oid_of(row[2]), .mode = letter_of(row[3], 'i')});
  bytes_ += sizeof(Argument);
  return ok();
}

Result<void> Loader::operator_(Row row) {
  contents_.operators.push_back({.oid = oid_of(row[0]),
                                 .schema = oid_of(row[1]),
                                 .name = name(row[2]),
                                 .left = oid_of(row[3]),
                                 .right = oid_of(row[4]),
                                 .result = oid_of(row[5]),
                                 .function = oid_of(row[6])});
  bytes_ += sizeof(Operator);
  return ok();
}

Result<void> Loader::cast(Row row) {
  contents_.casts.push_back({.source = oid_of(row[0]),
                             .target = oid_of(row[1]),
                             .function = oid_of(row[2]),
                             .context = letter_of(row[3], 'e')});
  bytes_ += sizeof(Cast);
  return ok();
}

Result<void> Loader::run(Row row) {
  if (row[0] && row[1]) {
    contents_.runs.push_back({.owner = oid_of(row[0]), .function = oid_of(row[1])});
    bytes_ += sizeof(Runs);
  }
  return ok();
}

Result<void> Loader::key(Row row) {
  Relation* const relation = known(relations_, contents_.relations, oid_of(row[0]));
  if (relation == nullptr) return ok();
  const auto found = std::ranges::find(relation->columns, number_of(row[1]), &Column::number);
  if (found != relation->columns.end()) found->in_primary_key = true;
  return ok();
}

}  // namespace sallyport::postgres::catalog

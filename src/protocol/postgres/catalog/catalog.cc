#include "protocol/postgres/catalog/catalog.h"

#include <algorithm>
#include <functional>
#include <unordered_set>

namespace sallyport::postgres::catalog {

namespace {

constexpr std::size_t kChunkBytes = std::size_t{64} << 10;
constexpr std::size_t kDepthMax = 64;  // of inheritance; the server's own limit is its stack

template <class T>
const T* by_oid(const std::vector<T>& list, Oid oid) {
  const auto found = std::ranges::lower_bound(list, oid, {}, &T::oid);
  return found != list.end() && found->oid == oid ? &*found : nullptr;
}

/// Sorts by OID; false: one is there twice, or none.
template <class T>
bool sort_by_oid(std::vector<T>& list) {
  std::ranges::sort(list, {}, &T::oid);
  list.shrink_to_fit();
  return (list.empty() || list.front().oid != 0) &&
         std::ranges::adjacent_find(list, {}, &T::oid) == list.end();
}

template <class T>
std::vector<std::uint32_t> index_by_name(const std::vector<T>& list) {
  std::vector<std::uint32_t> index(list.size());
  for (std::uint32_t i = 0; i < index.size(); ++i) index[i] = i;
  std::ranges::sort(index, {}, [&](std::uint32_t i) {
    return std::tuple(list[i].schema, list[i].name, list[i].oid);
  });
  return index;
}

/// A running hash over all that a catalog says.
class Digest {
 public:
  void add(std::string_view text) {
    number(text.size());
    number(std::hash<std::string_view>()(text));
  }
  void number(std::uint64_t value) {
    state_ = (state_ ^ value) * 0x9E3779B97F4A7C15u;
    state_ ^= state_ >> 29;
  }
  template <class... Numbers>
  void numbers(Numbers... values) {
    (number(static_cast<std::uint64_t>(values)), ...);
  }
  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0x5A117B07;
};

}  // namespace

const Column* Relation::column(std::string_view column_name) const {
  const auto found = std::ranges::find(columns, column_name, &Column::name);
  return found == columns.end() ? nullptr : &*found;
}

const Column* Relation::column(std::int16_t number) const {
  const auto found = std::ranges::lower_bound(columns, number, {}, &Column::number);
  return found != columns.end() && found->number == number ? &*found : nullptr;
}

std::size_t Function::inputs() const {
  return static_cast<std::size_t>(std::ranges::count_if(arguments, [](const Argument& a) {
    return a.mode == 'i' || a.mode == 'b' || a.mode == 'v';
  }));
}

bool Function::takes(std::size_t count) const {
  // A CALL also names the outputs of a procedure.
  const std::size_t most = kind == 'p' ? arguments.size() : inputs();
  const std::size_t fewest = inputs() - std::min<std::size_t>(defaults, inputs());
  if (variadic != 0) return count + 1 >= fewest;
  return count >= fewest && count <= most;
}

/// Keeps texts, each name once.
class Catalog::Names {
 public:
  explicit Names(std::deque<std::string>& out) : out_(out) {}

  void keep(std::string_view& name) {
    if (const auto found = known_.find(name); found != known_.end()) {
      name = *found;
      return;
    }
    copy(name);
    known_.insert(name);
  }
  void copy(std::string_view& text) {
    if (text.empty()) {
      text = {};
      return;
    }
    if (chunk_ == nullptr || chunk_->capacity() - chunk_->size() < text.size()) {
      chunk_ = &out_.emplace_back();
      chunk_->reserve(std::max(kChunkBytes, text.size()));
      bytes_ += chunk_->capacity();
    }
    const std::size_t at = chunk_->size();
    chunk_->append(text);
    text = std::string_view(*chunk_).substr(at);
  }
  std::size_t bytes() const { return bytes_; }

 private:
  std::deque<std::string>& out_;
  std::string* chunk_ = nullptr;
  std::size_t bytes_ = 0;
  std::unordered_set<std::string_view> known_;
};

Result<std::shared_ptr<const Catalog>> Catalog::make(Contents contents, std::uint64_t epoch) {
  std::shared_ptr<Catalog> made(new Catalog());
  made->epoch_ = epoch;
  made->contents_ = std::move(contents);
  Contents& all = made->contents_;
  if (!sort_by_oid(all.schemas) || !sort_by_oid(all.relations) || !sort_by_oid(all.types) ||
      !sort_by_oid(all.functions) || !sort_by_oid(all.operators)) {
    return fail(Errc::malformed, "catalog: two objects of one OID");
  }
  const auto known = [&](const auto& object) { return made->schema(object.schema) != nullptr; };
  if (!std::ranges::all_of(all.relations, known) || !std::ranges::all_of(all.types, known) ||
      !std::ranges::all_of(all.functions, known) || !std::ranges::all_of(all.operators, known)) {
    return fail(Errc::malformed, "catalog: an object in a schema that is not there");
  }

  Names names(made->text_);
  Digest digest;
  std::size_t bytes = sizeof(Catalog);
  const auto count = [&]<class T>(const std::vector<T>& list) {
    bytes += list.capacity() * sizeof(T);
  };
  digest.add(all.database);
  digest.numbers(all.database_oid, all.server_major);
  for (Schema& schema : all.schemas) {
    names.keep(schema.name);
    digest.number(schema.oid);
    digest.add(schema.name);
  }
  for (Relation& relation : all.relations) {
    names.keep(relation.name);
    names.copy(relation.definition);
    digest.numbers(relation.oid, relation.schema, relation.kind, relation.is_partition,
                   relation.row_security, relation.row_type);
    digest.add(relation.name);
    digest.add(relation.definition);
    relation.columns.shrink_to_fit();
    count(relation.columns);
    std::ranges::sort(relation.columns, {}, &Column::number);
    for (Column& column : relation.columns) {
      names.keep(column.name);
      digest.numbers(column.number, column.type, column.type_modifier, column.not_null,
                     column.has_default, column.generated, column.identity, column.in_primary_key);
      digest.add(column.name);
    }
  }
  std::ranges::sort(all.inheritance, {},
                    [](const Inheritance& i) { return std::pair(i.parent, i.child); });
  made->by_child_ = all.inheritance;
  std::ranges::sort(made->by_child_, {},
                    [](const Inheritance& i) { return std::pair(i.child, i.parent); });
  for (const Inheritance& one : all.inheritance) digest.numbers(one.child, one.parent);
  std::ranges::sort(all.rules, {}, [](const Rule& r) { return std::pair(r.relation, r.name); });
  for (Rule& rule : all.rules) {
    names.keep(rule.name);
    names.copy(rule.definition);
    digest.numbers(rule.relation, rule.event, rule.instead);
    digest.add(rule.definition);
  }
  std::ranges::sort(all.triggers, {},
                    [](const Trigger& t) { return std::pair(t.relation, t.name); });
  for (Trigger& trigger : all.triggers) {
    names.keep(trigger.name);
    digest.numbers(trigger.relation, trigger.function, trigger.type);
  }
  std::ranges::sort(all.runs, {}, [](const Runs& r) { return std::pair(r.owner, r.function); });
  for (const Runs& one : all.runs) digest.numbers(one.owner, one.function);
  std::ranges::sort(all.generations, {},
                    [](const Generation& g) { return std::pair(g.relation, g.column); });
  for (Generation& one : all.generations) {
    names.copy(one.expression);
    digest.numbers(one.relation, one.column);
    digest.add(one.expression);
  }
  for (Type& type : all.types) {
    names.keep(type.name);
    digest.numbers(type.oid, type.schema, type.kind, type.base, type.element, type.relation,
                   type.input);
    digest.add(type.name);
    for (std::string_view& check : type.checks) {
      names.copy(check);
      digest.add(check);
    }
    count(type.checks);
  }
  for (Function& function : all.functions) {
    names.keep(function.name);
    names.keep(function.language);
    names.copy(function.body);
    digest.numbers(function.oid, function.schema, function.kind, function.volatility,
                   function.security_definer, function.standard_body, function.fixes_path,
                   function.result, function.variadic, function.defaults);
    digest.add(function.name);
    digest.add(function.body);
    for (Argument& argument : function.arguments) {
      names.keep(argument.name);
      digest.numbers(argument.type, argument.mode);
    }
    for (std::string_view& schema : function.search_path) {
      names.keep(schema);
      digest.add(schema);
    }
    count(function.arguments);
    count(function.search_path);
    count(function.parts);
  }
  for (Operator& op : all.operators) {
    names.keep(op.name);
    digest.numbers(op.oid, op.schema, op.left, op.right, op.function);
    digest.add(op.name);
  }
  for (const Cast& cast : all.casts) {
    digest.numbers(cast.source, cast.target, cast.function, cast.context);
  }

  made->relations_by_name_ = index_by_name(all.relations);
  made->types_by_name_ = index_by_name(all.types);
  made->functions_by_name_ = index_by_name(all.functions);
  made->operators_by_name_ = index_by_name(all.operators);
  auto& by_row_type = made->relations_by_row_type_;
  for (std::uint32_t i = 0; i < all.relations.size(); ++i) {
    if (all.relations[i].row_type != 0) by_row_type.emplace_back(all.relations[i].row_type, i);
  }
  std::ranges::sort(by_row_type);
  by_row_type.shrink_to_fit();

  count(all.schemas);
  count(all.relations);
  count(all.inheritance);
  count(all.rules);
  count(all.triggers);
  count(all.generations);
  count(all.runs);
  count(all.types);
  count(all.functions);
  count(all.operators);
  count(all.casts);
  count(made->relations_by_name_);
  count(made->types_by_name_);
  count(made->functions_by_name_);
  count(made->operators_by_name_);
  count(by_row_type);
  count(made->by_child_);
  made->bytes_ = bytes + names.bytes();
  made->digest_ = digest.value();
  return std::shared_ptr<const Catalog>(std::move(made));
}

// ---- By OID ------------------------------------------------------------------------------------

const Schema* Catalog::schema(Oid oid) const {
  return by_oid(contents_.schemas, oid);
}
const Relation* Catalog::relation(Oid oid) const {
  return by_oid(contents_.relations, oid);
}
const Type* Catalog::type(Oid oid) const {
  return by_oid(contents_.types, oid);
}
const Function* Catalog::function(Oid oid) const {
  return by_oid(contents_.functions, oid);
}

const Relation* Catalog::relation_of_row_type(Oid type) const {
  const auto found = std::ranges::lower_bound(relations_by_row_type_, type, {},
                                              &std::pair<Oid, std::uint32_t>::first);
  if (type == 0 || found == relations_by_row_type_.end() || found->first != type) return nullptr;
  return &contents_.relations[found->second];
}

std::string_view Catalog::schema_name(Oid oid) const {
  const Schema* const found = schema(oid);
  return found == nullptr ? std::string_view() : found->name;
}

std::string Catalog::name_of(const Relation& relation) const {
  return std::string(schema_name(relation.schema)) + "." + std::string(relation.name);
}

// ---- By name -----------------------------------------------------------------------------------

const Schema* Catalog::schema(std::string_view name) const {
  const auto found = std::ranges::find(contents_.schemas, name, &Schema::name);
  return found == contents_.schemas.end() ? nullptr : &*found;
}

template <class T>
std::span<const std::uint32_t> Catalog::find(const std::vector<T>& list, const Index& index,
                                             Oid schema, std::string_view name) const {
  const auto found = std::ranges::equal_range(
      index, std::pair(schema, name), {},
      [&](std::uint32_t i) { return std::pair(list[i].schema, list[i].name); });
  return {found.begin(), found.end()};
}

std::vector<Oid> Catalog::schemas_of(std::string_view schema, const SearchPath& path) const {
  std::vector<Oid> oids;
  const auto add = [&](std::string_view name) {
    if (const Schema* const found = this->schema(name)) oids.push_back(found->oid);
  };
  if (!schema.empty()) {
    add(schema);
    return oids;
  }
  if (std::ranges::find(path, "pg_catalog") == path.end()) add("pg_catalog");
  for (const std::string& name : path) add(name);
  return oids;
}

template <class T>
std::vector<const T*> Catalog::find_all(const std::vector<T>& list, const Index& index,
                                        std::string_view schema, std::string_view name,
                                        const SearchPath& path) const {
  std::vector<const T*> found;
  for (const Oid oid : schemas_of(schema, path)) {
    for (const std::uint32_t i : find(list, index, oid, name)) found.push_back(&list[i]);
  }
  return found;
}

std::vector<const Relation*> Catalog::relations(std::string_view name,
                                                const SearchPath& path) const {
  return find_all(contents_.relations, relations_by_name_, "", name, path);
}

const Relation* Catalog::relation(std::string_view schema, std::string_view name,
                                  const SearchPath& path) const {
  const auto found = find_all(contents_.relations, relations_by_name_, schema, name, path);
  return found.empty() ? nullptr : found.front();
}

const Type* Catalog::type(std::string_view schema, std::string_view name,
                          const SearchPath& path) const {
  const auto found = find_all(contents_.types, types_by_name_, schema, name, path);
  return found.empty() ? nullptr : found.front();
}

std::vector<const Function*> Catalog::functions(std::string_view schema, std::string_view name,
                                                const SearchPath& path) const {
  return find_all(contents_.functions, functions_by_name_, schema, name, path);
}

std::vector<const Operator*> Catalog::operators(std::string_view schema, std::string_view name,
                                                const SearchPath& path) const {
  return find_all(contents_.operators, operators_by_name_, schema, name, path);
}

// ---- What belongs to a relation ----------------------------------------------------------------

namespace {

/// Follows a list that is sorted by `from`, however far, each once and without the first.
template <class From, class To>
std::vector<Oid> follow(const std::vector<Inheritance>& list, Oid first, From from, To to) {
  std::vector<Oid> found{first};
  std::size_t level_end = 1;
  for (std::size_t i = 0, depth = 0; i < found.size() && depth < kDepthMax; ++i) {
    const auto next = std::ranges::equal_range(list, found[i], {}, from);
    for (const Inheritance& one : next) {
      if (std::ranges::find(found, one.*to) == found.end()) found.push_back(one.*to);
    }
    if (i + 1 == level_end) {
      level_end = found.size();
      ++depth;
    }
  }
  found.erase(found.begin());
  return found;
}

}  // namespace

std::vector<const Relation*> Catalog::descendants(Oid relation) const {
  std::vector<const Relation*> out;
  for (const Oid oid :
       follow(contents_.inheritance, relation, &Inheritance::parent, &Inheritance::child)) {
    if (const Relation* const found = this->relation(oid)) out.push_back(found);
  }
  return out;
}

std::vector<const Relation*> Catalog::ancestors(Oid relation) const {
  std::vector<const Relation*> out;
  for (const Oid oid : follow(by_child_, relation, &Inheritance::child, &Inheritance::parent)) {
    if (const Relation* const found = this->relation(oid)) out.push_back(found);
  }
  return out;
}

std::span<const Rule> Catalog::rules_of(Oid relation) const {
  const auto found = std::ranges::equal_range(contents_.rules, relation, {}, &Rule::relation);
  return {found.begin(), found.end()};
}

std::span<const Trigger> Catalog::triggers_of(Oid relation) const {
  const auto found = std::ranges::equal_range(contents_.triggers, relation, {}, &Trigger::relation);
  return {found.begin(), found.end()};
}

std::span<const Runs> Catalog::runs_of(Oid owner) const {
  const auto found = std::ranges::equal_range(contents_.runs, owner, {}, &Runs::owner);
  return {found.begin(), found.end()};
}

std::string_view Catalog::generation_of(Oid relation, std::int16_t column) const {
  const auto found =
      std::ranges::lower_bound(contents_.generations, std::pair(relation, column), {},
                               [](const Generation& g) { return std::pair(g.relation, g.column); });
  if (found == contents_.generations.end() || found->relation != relation ||
      found->column != column) {
    return {};
  }
  return found->expression;
}

}  // namespace sallyport::postgres::catalog

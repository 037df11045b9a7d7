#include "protocol/postgres/sql/unseen.h"

#include <algorithm>
#include <array>

#include "protocol/postgres/sql/routines.h"
#include "protocol/postgres/sql/tokens.h"

namespace sallyport::postgres::sql {
namespace {

using catalog::Function;
using catalog::Oid;
using catalog::Relation;
using catalog::SearchPath;

constexpr int depth_max = 32;
constexpr std::size_t words_max = 20'000;

/// They make, change or run what no word of the body shows.
bool runs_more(std::string_view word) {
  static constexpr std::array<std::string_view, 8> words = {
      "execute", "create", "alter", "drop", "grant", "copy", "refresh", "reassign"};
  return std::ranges::find(words, word) != words.end();
}

/// tgtype.
std::uint16_t event_of(Use use) {
  switch (use) {
    case Use::insert:
      return 4;
    case Use::delete_:
      return 8;
    case Use::update:
      return 16;
    case Use::truncate:
      return 32;
    default:
      return 0;
  }
}

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// The statements of RETURN x and BEGIN ATOMIC ... END.
std::string statements_of(std::string_view body) {
  constexpr std::string_view begin = "BEGIN ATOMIC";
  constexpr std::string_view end = "END";
  body = trimmed(body);
  if (body.starts_with("RETURN ")) return "SELECT " + std::string(body.substr(7));
  if (body.starts_with(begin) && body.ends_with(end)) {
    return std::string(body.substr(begin.size(), body.size() - begin.size() - end.size()));
  }
  return std::string(body);
}

}  // namespace

std::string Unseen::function(Oid oid, const SearchPath& path) {
  const Function* const found = catalog_.function(oid);
  return found == nullptr ? "a function is not known" : function(*found, path);
}

std::string Unseen::function(const Function& function, const SearchPath& path) {
  if (function.is_system()) return {};
  const auto [found, added] = known_.try_emplace(function.oid);
  if (!added) return found->second;
  if (depth_ >= depth_max) return found->second = "functions are nested too deeply";
  ++depth_;
  std::string why = read(function, path);
  --depth_;
  return known_[function.oid] = std::move(why);
}

std::string Unseen::read(const Function& function, const SearchPath& path) {
  const std::string name(function.name);
  // Defaults of its arguments.
  for (const catalog::Runs& runs : catalog_.runs_of(function.oid)) {
    if (auto why = this->function(runs.function, path); !why.empty()) return why;
  }
  if (function.kind == 'a' || function.kind == 'w') {
    for (const Oid part : function.parts) {
      if (auto why = this->function(part, path); !why.empty()) return why;
    }
    if (function.kind == 'a') return {};
  }
  // Only a superuser makes one, and what an extension says of its code is as good as its code.
  const bool native = function.language == "c" || function.language == "internal";
  if (native && function.volatility == 'i') return {};
  if (function.language == "plpgsql" && !function.body.empty()) {
    return read_plpgsql(function, path);
  }
  if (function.language != "sql" || function.body.empty()) {
    return "the body of the function " + name + " cannot be analysed";
  }
  SearchPath own(function.search_path.begin(), function.search_path.end());
  const std::string body =
      function.standard_body ? statements_of(function.body) : std::string(function.body);
  auto inner = rewrite_(body, function.fixes_path || function.standard_body ? own : path);
  if (!inner) return inner.error().detail;
  if (inner->changed) return "the function " + name + " reads what is masked or filtered for you";
  if (!inner->refused.empty()) return "the function " + name + ": " + inner->refused;
  return {};
}

/// Without a grammar: no word of it may be the name of something protected, nor of code that is.
std::string Unseen::read_plpgsql(const Function& function, const SearchPath& path) {
  const std::string name = "the function " + std::string(function.name);
  const auto words = words_of(function.body);
  if (!words || words->size() > words_max) return name + " cannot be analysed";
  for (std::size_t i = 0; i < words->size(); ++i) {
    const std::string& word = (*words)[i];
    const std::string_view next = i + 1 < words->size() ? std::string_view((*words)[i + 1]) : "";
    if (runs_more(word) || (word == "do" && (next == "'" || next == "language"))) {
      return name + " runs what cannot be analysed (" + word + ")";
    }
    if (auto why = this->word(word, next == "(", path); !why.empty()) return name + why;
  }
  return {};
}

std::string Unseen::word(std::string_view word, bool called, const SearchPath& path) {
  for (const catalog::Schema& schema : catalog_.schemas()) {
    const bool system = schema.oid < catalog::first_normal_oid && schema.name != "public";
    if (system) continue;
    if (const Relation* const relation = catalog_.relation(schema.name, word, {})) {
      const Reached reached = reach_(*relation);
      if (reached.unclear || reached.through_view || reached.protection != nullptr) {
        return " reads " + std::string(word) + ", which is masked or filtered for you";
      }
    }
    for (const Function* const candidate : catalog_.functions(schema.name, word, {})) {
      if (auto why = function(*candidate, path); !why.empty()) return " calls: " + why;
    }
  }
  if (!called) return {};
  switch (
      classify_routine({.catalog = "", .schema = "", .name = std::string(word)}).routine_class) {
    case RoutineClass::pure:
    case RoutineClass::session:
    case RoutineClass::catalog:
    case RoutineClass::settings:
    case RoutineClass::unknown:  // a keyword, a variable, or one of the above
      return {};
    case RoutineClass::reads_data:
    case RoutineClass::writes:
    case RoutineClass::admin:
    case RoutineClass::dynamic_sql:
    case RoutineClass::internal:
      break;
  }
  if (reads_harmlessly(word)) return {};
  return " calls " + std::string(word);
}

/// A trigger sees whole rows of the table that it is on, masked columns too.
std::string Unseen::trigger(const Function& function, const Relation& relation,
                            const SearchPath& path) {
  if (auto why = this->function(function, path); !why.empty()) return why;
  const Reached reached = reach_(relation);
  if (reached.protection == nullptr || reached.protection->masked.empty()) return {};
  const std::string tells = "the trigger function " + std::string(function.name) +
                            " may pass masked values of " + std::string(relation.name) + " on";
  const auto words = function.language == "plpgsql" ? words_of(function.body) : std::nullopt;
  if (!words) return tells;
  for (std::size_t i = 0; i < words->size(); ++i) {
    const std::string& word = (*words)[i];
    for (const MaskedColumn& masked : reached.protection->masked) {
      const catalog::Column* const column = relation.column(masked.number);
      if (column != nullptr && column->name == word) return tells;
    }
    if (word != "new" && word != "old") continue;
    const std::string_view next = i + 1 < words->size() ? std::string_view((*words)[i + 1]) : "";
    const std::string_view after = i + 2 < words->size() ? std::string_view((*words)[i + 2]) : "";
    const bool returned = i > 0 && (*words)[i - 1] == "return" && next == ";";
    const bool one_column = next == "." && after != "*";
    if (!returned && !one_column) return tells;
  }
  return {};
}

std::string Unseen::writing(const Relation& relation, Use use, const SearchPath& path) {
  std::vector<const Relation*> all = catalog_.descendants(relation.oid);
  all.push_back(&relation);
  for (const Relation* const ancestor : catalog_.ancestors(relation.oid)) all.push_back(ancestor);
  if (relation.is_view()) {
    // The server writes to what the view is made of: anything that its definition may name.
    const auto words = words_of(relation.definition);
    if (!words || ++depth_ > depth_max) return "the view cannot be followed";
    for (const std::string& word : *words) {
      for (const catalog::Schema& schema : catalog_.schemas()) {
        if (schema.oid < catalog::first_normal_oid && schema.name != "public") continue;
        const Relation* const base = catalog_.relation(schema.name, word, {});
        if (base == nullptr || base->oid == relation.oid) continue;
        if (auto why = writing(*base, use, path); !why.empty()) return why;
      }
    }
    --depth_;
  }
  const std::uint16_t event = event_of(use);
  for (const Relation* const one : all) {
    for (const catalog::Trigger& trigger : catalog_.triggers_of(one->oid)) {
      if ((trigger.type & event) == 0) continue;
      const Function* const function = catalog_.function(trigger.function);
      if (function == nullptr) return "a trigger of " + std::string(one->name) + " is not known";
      if (function->is_system()) continue;
      if (auto why = this->trigger(*function, *one, path); !why.empty()) return why;
    }
    if (use != Use::insert && use != Use::update) continue;
    for (const catalog::Runs& runs : catalog_.runs_of(one->oid)) {
      if (auto why = function(runs.function, path); !why.empty()) return why;
    }
    for (const catalog::Column& column : one->columns) {
      for (const catalog::Runs& runs : catalog_.runs_of(column.type)) {
        if (auto why = function(runs.function, path); !why.empty()) return why;
      }
    }
  }
  return {};
}

bool Unseen::comes_up(Oid type, const Mentions& mentions, const std::set<Oid>& relations) {
  if (type < catalog::first_normal_oid) return true;
  std::string_view name;
  if (const catalog::Type* const found = catalog_.type(type)) name = found->name;
  const Relation* const row = catalog_.relation_of_row_type(type);
  if (row != nullptr) {
    if (relations.contains(row->oid)) return true;
    name = row->name;
  }
  if (name.empty() || mentions.types.contains(name) || mentions.called.contains(name)) return true;
  // What functions of somebody's own take and return is not looked at.
  const bool own_called = std::ranges::any_of(mentions.called, [&](const std::string& called) {
    return std::ranges::any_of(catalog_.schemas(), [&](const catalog::Schema& schema) {
      return std::ranges::any_of(catalog_.functions(schema.name, called, {}),
                                 [](const Function* f) { return !f->is_system(); });
    });
  });
  if (own_called) return true;
  return std::ranges::any_of(relations, [&](Oid oid) {
    const Relation* const relation = catalog_.relation(oid);
    return relation != nullptr &&
           std::ranges::any_of(relation->columns, [&](const catalog::Column& column) {
             if (column.type == type) return true;
             const catalog::Type* const of = catalog_.type(column.type);
             return of != nullptr && of->oid >= catalog::first_normal_oid &&
                    (of->base == type || of->element == type || of->relation != 0);
           });
  });
}

std::string Unseen::types(const Mentions& mentions, const std::set<Oid>& relations,
                          const SearchPath& path) {
  for (const catalog::Cast& cast : catalog_.casts()) {
    if (cast.function == 0 || !comes_up(cast.source, mentions, relations) ||
        !comes_up(cast.target, mentions, relations)) {
      continue;
    }
    if (auto why = function(cast.function, path); !why.empty()) return why;
  }
  for (const std::string& name : mentions.types) {
    for (const catalog::Schema& schema : catalog_.schemas()) {
      const catalog::Type* const type = catalog_.type(schema.name, name, {});
      if (type == nullptr || type->oid < catalog::first_normal_oid) continue;
      for (const catalog::Runs& runs : catalog_.runs_of(type->oid)) {
        if (auto why = function(runs.function, path); !why.empty()) return why;
      }
      // Whose text form is read by a function of somebody's own.
      if (type->input >= catalog::first_normal_oid) {
        if (auto why = function(type->input, path); !why.empty()) return why;
      }
    }
  }
  return {};
}

}  // namespace sallyport::postgres::sql

// From names as written to types: which declaration a name means, and whether what is declared
// makes sense.

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "cedar/hint.h"
#include "cedar/schema_written.h"

namespace sallyport::cedar {
namespace {

template <class T>
using Try = std::expected<T, SchemaError>;

std::unexpected<SchemaError> wrong(Place place, std::string message) {
  return std::unexpected(SchemaError{place, std::move(message)});
}

std::optional<Kind> built_in(std::string_view name) {
  if (name == "Bool") return Kind::boolean;
  if (name == "Long") return Kind::number;
  if (name == "String") return Kind::string;
  if (name == "ipaddr") return Kind::ip;
  if (name == "decimal") return Kind::decimal;
  if (name == "datetime") return Kind::datetime;
  if (name == "duration") return Kind::duration;
  return std::nullopt;
}

constexpr std::string_view built_in_space = "__cedar::";

using NameSet = std::set<std::string, std::less<>>;

/// All names that are declared, and the rules of what may be declared beside what.
class Declared {
 public:
  explicit Declared(const Declarations& all) : all_(all) {}

  Try<void> collect() {
    for (const WrittenEntity& written : all_.entities) {
      if (!entities_.insert(in_space(written.space, written.name)).second) {
        return wrong(written.place, "entity " + written.name + " is declared twice");
      }
    }
    for (const WrittenCommon& written : all_.commons) {
      if (!commons_.emplace(in_space(written.space, written.name), &written).second) {
        return wrong(written.place, "type " + written.name + " is declared twice");
      }
    }
    for (const WrittenAction& written : all_.actions) {
      const std::string type = in_space(written.space, "Action");
      if (!actions_.insert({type, written.id}).second) {
        return wrong(written.place, "action " + quoted(written.id) + " is declared twice");
      }
      action_types_.insert(type);
    }
    return no_shadows();
  }

  bool is_entity(std::string_view name) const {
    return entities_.contains(name) || action_types_.contains(name);
  }
  bool is_declared_entity(std::string_view name) const { return entities_.contains(name); }
  bool is_action(const ActionType::Ref& action) const { return actions_.contains(action); }

  const WrittenCommon* common(std::string_view name) const {
    const auto at = commons_.find(name);
    return at == commons_.end() ? nullptr : at->second;
  }
  /// Bool, String, ipaddr ...: always as __cedar::X, as X where nothing declared is called so.
  std::optional<Kind> built_in_type(std::string_view name) const {
    if (name.starts_with(built_in_space)) return built_in(name.substr(built_in_space.size()));
    if (entities_.contains(name) || commons_.contains(name)) return std::nullopt;
    return built_in(name);
  }
  std::vector<std::string_view> known() const {
    std::vector<std::string_view> names{"Bool",   "Long",     "String",  "Set",
                                        "ipaddr", "datetime", "decimal", "duration"};
    names.insert(names.end(), entities_.begin(), entities_.end());
    for (const auto& [name, written] : commons_) names.push_back(name);
    return names;
  }

 private:
  /// A name without a namespace means the same everywhere: no namespace may declare it again.
  Try<void> no_shadows() const {
    const auto shadows = [&](const std::string& space, std::string_view name) {
      return !space.empty() && (entities_.contains(name) || commons_.contains(name));
    };
    for (const WrittenEntity& written : all_.entities) {
      if (shadows(written.space, written.name)) return shadow(written.place, written.name);
    }
    for (const WrittenCommon& written : all_.commons) {
      if (shadows(written.space, written.name)) return shadow(written.place, written.name);
    }
    for (const WrittenAction& written : all_.actions) {
      if (!written.space.empty() && actions_.contains({"Action", written.id})) {
        return shadow(written.place, quoted(written.id));
      }
    }
    return {};
  }
  static std::unexpected<SchemaError> shadow(Place place, std::string_view name) {
    return wrong(
        place, fmt::format("{} is declared outside of any namespace too, and would hide it", name));
  }

  const Declarations& all_;
  NameSet entities_;
  NameSet action_types_;
  std::map<std::string, const WrittenCommon*, std::less<>> commons_;
  std::set<ActionType::Ref> actions_;
};

/// In the order in which a name is looked for: in its namespace, then outside of any.
std::vector<std::string> meanings(std::string_view name, std::string_view space) {
  std::vector<std::string> all;
  const bool plain = name.find("::") == std::string_view::npos;
  if (plain && !space.empty()) all.push_back(in_space(space, name));
  all.emplace_back(name);
  return all;
}

class Resolver {
 public:
  explicit Resolver(const Declared& names) : names_(names) {}

  Try<Type> type(const WrittenType& written, std::string_view space, std::uint32_t depth = 0) {
    if (depth > 2 * type_nesting_max) return wrong(written.place, "this type is nested too deep");
    if (++resolved_ > resolved_types_max) {
      return wrong(written.place, "the types of this schema are too large");
    }
    using Form = WrittenType::Form;
    switch (written.form) {
      case Form::built_in:
        return Type{.kind = written.kind};
      case Form::set: {
        auto element = type(written.members[0].type, space, depth + 1);
        if (!element) return element;
        Type set{.kind = Kind::set};
        set.element = std::make_shared<const Type>(std::move(*element));
        return set;
      }
      case Form::record:
        return record(written, space, depth);
      case Form::name:
      case Form::entity:
      case Form::common:
        return named(written, space, depth);
    }
    return wrong(written.place, "unknown form of type");
  }

  Try<std::string> entity_name(const WrittenName& written, std::string_view space) const {
    for (std::string& name : meanings(written.name, space)) {
      // Actions have types too, but none that an entity can be in or an action apply to.
      if (names_.is_declared_entity(name)) return std::move(name);
      if (names_.is_entity(name)) break;
    }
    return undeclared("entity type", written.name, written.place);
  }

  Try<ActionType::Ref> action(const WrittenActionRef& written, std::string_view space) const {
    const std::string_view type = written.type.empty() ? "Action" : std::string_view(written.type);
    for (std::string& meaning : meanings(type, space)) {
      ActionType::Ref ref{std::move(meaning), written.id};
      if (names_.is_action(ref)) return ref;
    }
    return wrong(written.place, "there is no action " + quoted(written.id));
  }

  /// Every common type must make sense, used or not.
  Try<void> check(const WrittenCommon& common) {
    auto resolved = of_common(common, common.place, 0);
    if (!resolved) return std::unexpected(resolved.error());
    return {};
  }

 private:
  Try<Type> named(const WrittenType& written, std::string_view space, std::uint32_t depth) {
    for (const std::string& name : meanings(written.name, space)) {
      if (written.form != WrittenType::Form::entity) {
        if (const WrittenCommon* const common = names_.common(name)) {
          return of_common(*common, written.place, depth);
        }
        if (const auto kind = names_.built_in_type(name)) return Type{.kind = *kind};
      }
      if (written.form != WrittenType::Form::common && names_.is_entity(name)) {
        return Type{.kind = Kind::entity, .entity_type = name};
      }
    }
    return undeclared(written.form == WrittenType::Form::entity ? "entity type" : "type",
                      written.name, written.place);
  }

  Try<Type> of_common(const WrittenCommon& common, Place place, std::uint32_t depth) {
    if (!open_.insert(&common).second) {
      return wrong(place, "type " + common.name + " contains itself");
    }
    auto resolved = type(common.type, common.space, depth + 1);
    open_.erase(&common);
    return resolved;
  }

  Try<Type> record(const WrittenType& written, std::string_view space, std::uint32_t depth) {
    Type record{.kind = Kind::record};
    for (const WrittenType::Member& member : written.members) {
      auto resolved = type(member.type, space, depth + 1);
      if (!resolved) return resolved;
      record.attributes.push_back({member.name, std::move(*resolved), member.required});
    }
    std::ranges::sort(record.attributes, {}, &Attribute::name);
    return record;
  }

  std::unexpected<SchemaError> undeclared(std::string_view what, std::string_view name,
                                          Place place) const {
    const std::string hint = did_you_mean(name, names_.known());
    return wrong(place, fmt::format("there is no {} {}{}", what, name,
                                    hint.empty() ? "" : " (hint: " + hint + ")"));
  }

  const Declared& names_;
  std::set<const WrittenCommon*> open_;
  std::size_t resolved_ = 0;
};

Try<EntityType> resolve(const WrittenEntity& written, Resolver& resolver) {
  EntityType entity{.name = in_space(written.space, written.name)};
  entity.is_enum = written.ids.has_value();
  if (entity.is_enum) entity.ids = *written.ids;
  auto shape = resolver.type(written.shape, written.space);
  if (!shape) return std::unexpected(shape.error());
  if (shape->kind != Kind::record) {
    return wrong(written.place, "the attributes of an entity type are a record");
  }
  entity.shape = std::move(*shape);
  if (written.tags) {
    auto tags = resolver.type(*written.tags, written.space);
    if (!tags) return std::unexpected(tags.error());
    entity.tags = std::move(*tags);
  }
  for (const WrittenName& parent : written.parents) {
    auto name = resolver.entity_name(parent, written.space);
    if (!name) return std::unexpected(name.error());
    entity.parents.push_back(std::move(*name));
  }
  return entity;
}

Try<std::vector<std::string>> resolve(const std::vector<WrittenName>& written,
                                      std::string_view space, const Resolver& resolver) {
  std::vector<std::string> names;
  for (const WrittenName& name : written) {
    auto resolved = resolver.entity_name(name, space);
    if (!resolved) return std::unexpected(resolved.error());
    names.push_back(std::move(*resolved));
  }
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  return names;
}

Try<ActionType> resolve(const WrittenAction& written, Resolver& resolver) {
  ActionType action{.type = in_space(written.space, "Action"), .id = written.id};
  auto context = resolver.type(written.context, written.space);
  if (!context) return std::unexpected(context.error());
  if (context->kind != Kind::record) {
    return wrong(written.place, "the context of an action is a record");
  }
  action.context = std::move(*context);
  auto principals = resolve(written.principals, written.space, resolver);
  if (!principals) return std::unexpected(principals.error());
  action.principals = std::move(*principals);
  auto resources = resolve(written.resources, written.space, resolver);
  if (!resources) return std::unexpected(resources.error());
  action.resources = std::move(*resources);
  for (const WrittenActionRef& parent : written.parents) {
    auto ref = resolver.action(parent, written.space);
    if (!ref) return std::unexpected(ref.error());
    action.parents.push_back(std::move(*ref));
  }
  return action;
}

constexpr std::size_t hierarchy_max = 500'000;  // ancestors of all types, and of all actions

/// All that can be reached over parents; what can reach itself is among its own ancestors.
template <class Key, class ParentsOf>
std::vector<Key> reach(const std::vector<Key>& parents, ParentsOf parents_of) {
  std::set<Key> seen;
  std::vector<Key> open = parents;
  while (!open.empty()) {
    Key key = std::move(open.back());
    open.pop_back();
    if (!seen.insert(key).second) continue;
    const std::vector<Key>& above = parents_of(key);
    open.insert(open.end(), above.begin(), above.end());
  }
  return {seen.begin(), seen.end()};
}

Try<void> close(std::vector<EntityType>& entities) {
  std::map<std::string, const std::vector<std::string>*> parents;
  for (const EntityType& entity : entities) parents[entity.name] = &entity.parents;
  std::size_t total = 0;
  for (EntityType& entity : entities) {
    entity.ancestors =
        reach(entity.parents, [&](const std::string& name) -> const std::vector<std::string>& {
          return *parents.at(name);
        });
    total += entity.ancestors.size();
    if (total > hierarchy_max) return wrong(0, "the hierarchy of entity types is too large");
  }
  return {};
}

Try<void> close(std::vector<ActionType>& actions, const Declarations& all) {
  using Ref = ActionType::Ref;
  std::map<Ref, const std::vector<Ref>*> parents;
  for (const ActionType& action : actions) parents[{action.type, action.id}] = &action.parents;
  std::size_t total = 0;
  for (std::size_t i = 0; i < actions.size(); ++i) {
    ActionType& action = actions[i];
    action.ancestors = reach(action.parents, [&](const Ref& ref) -> const std::vector<Ref>& {
      return *parents.at(ref);
    });
    total += action.ancestors.size();
    if (total > hierarchy_max) return wrong(0, "the hierarchy of actions is too large");
    if (std::ranges::binary_search(action.ancestors, Ref{action.type, action.id})) {
      return wrong(all.actions[i].place, "action " + quoted(action.id) + " is in itself");
    }
  }
  return {};
}

}  // namespace

std::expected<ResolvedSchema, SchemaError> resolve_schema(const Declarations& all) {
  for (const std::size_t count : {all.entities.size(), all.actions.size(), all.commons.size()}) {
    if (count > schema_types_max) {
      return wrong(0, fmt::format("more than {} declarations", schema_types_max));
    }
  }
  Declared names(all);
  if (auto collected = names.collect(); !collected) return std::unexpected(collected.error());
  Resolver resolver(names);
  for (const WrittenCommon& common : all.commons) {
    if (auto checked = resolver.check(common); !checked) return std::unexpected(checked.error());
  }
  ResolvedSchema schema;
  for (const WrittenEntity& written : all.entities) {
    auto entity = resolve(written, resolver);
    if (!entity) return std::unexpected(entity.error());
    schema.entities.push_back(std::move(*entity));
  }
  for (const WrittenAction& written : all.actions) {
    auto action = resolve(written, resolver);
    if (!action) return std::unexpected(action.error());
    schema.actions.push_back(std::move(*action));
  }
  if (auto closed = close(schema.entities); !closed) return std::unexpected(closed.error());
  if (auto closed = close(schema.actions, all); !closed) return std::unexpected(closed.error());
  std::ranges::sort(schema.entities, {}, &EntityType::name);
  std::ranges::sort(schema.actions, {}, [](const ActionType& action) {
    return std::pair<std::string_view, std::string_view>(action.type, action.id);
  });
  return schema;
}

}  // namespace sallyport::cedar

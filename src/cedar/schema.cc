#include "cedar/schema.h"

#include <algorithm>

#include <fmt/format.h>

#include "cedar/lexer.h"
#include "cedar/schema_written.h"
#include "cedar/source.h"

namespace sallyport::cedar {
namespace {

auto action_key(const ActionType& action) {
  return std::pair<std::string_view, std::string_view>(action.type, action.id);
}

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::boolean:
      return "Bool";
    case Kind::number:
      return "Long";
    case Kind::string:
      return "String";
    default:
      return to_string(kind);
  }
}

/// As far as the word or symbol at `offset` goes.
Span word_at(std::string_view text, Place offset) {
  const auto tokens = lex(text.substr(std::min<std::size_t>(offset, text.size())).substr(0, 256));
  const std::size_t length = tokens && !tokens->empty() ? tokens->front().text.size() : 1;
  return {offset, offset + static_cast<std::uint32_t>(length)};
}

}  // namespace

const Attribute* Type::attribute(std::string_view name) const {
  const auto at = std::ranges::lower_bound(attributes, name, {}, &Attribute::name);
  return at != attributes.end() && at->name == name ? &*at : nullptr;
}

std::string Type::to_string() const {
  switch (kind) {
    case Kind::none:
      return "nothing";
    case Kind::entity:
      return entity_type;
    case Kind::set:
      return fmt::format("Set<{}>", element->to_string());
    case Kind::record: {
      std::string text = "{";
      for (const Attribute& attribute : attributes) {
        if (text.size() > 1) text += ", ";
        text += fmt::format("{}{}: {}", attribute.name, attribute.required ? "" : "?",
                            attribute.type.to_string());
      }
      return text + "}";
    }
    default:
      return std::string(name_of(kind));
  }
}

bool ActionType::is_in(std::string_view ancestor_type, std::string_view ancestor_id) const {
  if (type == ancestor_type && id == ancestor_id) return true;
  return std::ranges::any_of(ancestors, [&](const Ref& ref) {
    return ref.type == ancestor_type && ref.id == ancestor_id;
  });
}

bool is_action_type(std::string_view type) {
  return type == "Action" || type.ends_with("::Action");
}

Result<Schema> Schema::parse(std::string_view file, std::string_view text) {
  if (text.size() > schema_bytes_max) {
    return fail(Errc::too_large, fmt::format("{}: larger than {} bytes", file, schema_bytes_max));
  }
  const auto wrong = [&](const SchemaError& error) {
    return fail(Errc::malformed,
                fmt::format("{}\n{}", located(file, text, error.place, error.message),
                            underlined(text, word_at(text, error.place))));
  };
  const auto written = read_schema_text(text);
  if (!written) return wrong(written.error());
  auto resolved = resolve_schema(*written);
  if (!resolved) return wrong(resolved.error());
  Schema schema;
  schema.entities_ = std::move(resolved->entities);
  schema.actions_ = std::move(resolved->actions);
  return schema;
}

Result<Schema> Schema::parse_json(std::string_view file, std::string_view json) {
  std::vector<std::string> places;
  const auto wrong = [&](const SchemaError& error) {
    const std::string& place = places.at(error.place);
    return fail(Errc::malformed, place.empty()
                                     ? fmt::format("{}: {}", file, error.message)
                                     : fmt::format("{}: {}: {}", file, place, error.message));
  };
  const auto written = read_schema_json(json, places);
  if (!written) return wrong(written.error());
  auto resolved = resolve_schema(*written);
  if (!resolved) return wrong(resolved.error());
  Schema schema;
  schema.entities_ = std::move(resolved->entities);
  schema.actions_ = std::move(resolved->actions);
  return schema;
}

const EntityType* Schema::entity(std::string_view name) const {
  const auto at = std::ranges::lower_bound(entities_, name, {}, &EntityType::name);
  return at != entities_.end() && at->name == name ? &*at : nullptr;
}

const ActionType* Schema::action(std::string_view type, std::string_view id) const {
  const auto at = std::ranges::lower_bound(actions_, std::pair(type, id), {}, action_key);
  return at != actions_.end() && at->type == type && at->id == id ? &*at : nullptr;
}

void Schema::add_actions(EntityBuilder& builder) const {
  Arena& arena = builder.arena();
  for (const ActionType& action : actions_) {
    std::vector<const EntityUid*> parents;
    for (const auto& parent : action.parents) parents.push_back(arena.uid(parent.type, parent.id));
    builder.add(arena.uid(action.type, action.id), parents, {});
  }
}

bool Schema::may_be_in(std::string_view below, std::string_view above) const {
  if (below == above) return true;
  if (const EntityType* const type = entity(below)) {
    if (std::ranges::binary_search(type->ancestors, above)) return true;
  }
  if (!is_action_type(below)) return false;
  return std::ranges::any_of(actions_, [&](const ActionType& action) {
    return action.type == below && holds(action.ancestors, above, &ActionType::Ref::type);
  });
}

}  // namespace sallyport::cedar

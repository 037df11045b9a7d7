#include "cedar/conform.h"

#include <algorithm>

#include <fmt/format.h>

namespace sallyport::cedar {
namespace {

std::string expected(const Type& type, const Value& value) {
  return fmt::format("{} is expected, not {}", type.to_string(),
                     value ? to_string(value.kind()) : "nothing");
}

Misfit below(std::string_view name, Misfit found) {
  return fmt::format("{}: {}", quoted(name), *found);
}

/// An id that an enum does not have, an action that the schema does not have.
Misfit unknown_uid(const EntityUid& uid, const Schema& schema) {
  if (is_action_type(uid.type)) {
    if (schema.action(uid.type, uid.id) != nullptr) return {};
    return fmt::format("the schema has no action {}", uid.to_string());
  }
  const EntityType* const type = schema.entity(uid.type);
  if (type == nullptr) return fmt::format("the schema has no entity type {}", uid.type);
  if (!type->is_enum || std::ranges::find(type->ids, uid.id) != type->ids.end()) return {};
  return fmt::format("{} has no entity {}", uid.type, quoted(uid.id));
}

/// Both are sorted by name.
Misfit record_misfit(std::span<const Field> fields, const std::vector<Attribute>& attributes,
                     const Schema& schema) {
  std::size_t at = 0;
  for (const Attribute& attribute : attributes) {
    if (at < fields.size() && fields[at].name < attribute.name) break;  // one too many
    if (at == fields.size() || fields[at].name != attribute.name) {
      if (attribute.required) return fmt::format("{} is missing", quoted(attribute.name));
      continue;
    }
    if (Misfit found = misfit(fields[at].value, attribute.type, schema)) {
      return below(attribute.name, std::move(found));
    }
    ++at;
  }
  if (at == fields.size()) return {};
  return fmt::format("{} is not an attribute here", quoted(fields[at].name));
}

Misfit action_misfit(const Entity& entity, const Schema& schema) {
  const EntityUid& uid = *entity.uid;
  const ActionType* const action = schema.action(uid.type, uid.id);
  if (action == nullptr) return fmt::format("the schema has no such action");
  const bool same = entity.attributes.as_record().empty() && entity.tags.as_record().empty() &&
                    entity.ancestors.size() == action->ancestors.size() &&
                    std::ranges::all_of(entity.ancestors, [&](const EntityUid* above) {
                      return action->is_in(above->type, above->id);
                    });
  if (same) return {};
  return "the schema declares this action otherwise";
}

Misfit head_misfit(const EntityUid& uid, const std::vector<std::string>& types,
                   std::string_view what, const Schema& schema) {
  if (Misfit found = unknown_uid(uid, schema)) return found;
  if (std::ranges::binary_search(types, uid.type)) return {};
  return fmt::format("the action is not for {} of type {}", what, uid.type);
}

}  // namespace

Misfit misfit(const Value& value, const Type& type, const Schema& schema) {
  if (!value.is(type.kind)) return expected(type, value);
  switch (type.kind) {
    case Kind::entity:
      if (value.as_entity().type != type.entity_type) {
        return fmt::format("{} is expected, not {}", type.entity_type, value.as_entity().type);
      }
      return unknown_uid(value.as_entity(), schema);
    case Kind::set:
      for (const Value& item : value.as_set()) {
        if (Misfit found = misfit(item, *type.element, schema)) return found;
      }
      return {};
    case Kind::record:
      return record_misfit(value.as_record(), type.attributes, schema);
    default:
      return {};
  }
}

Misfit misfit(const Entity& entity, const Schema& schema) {
  const EntityUid& uid = *entity.uid;
  if (is_action_type(uid.type)) return action_misfit(entity, schema);
  if (Misfit found = unknown_uid(uid, schema)) return found;
  const EntityType& type = *schema.entity(uid.type);
  if (Misfit found = record_misfit(entity.attributes.as_record(), type.shape.attributes, schema)) {
    return found;
  }
  for (const Field& tag : entity.tags.as_record()) {
    if (!type.tags) return fmt::format("entities of type {} have no tags", uid.type);
    if (Misfit found = misfit(tag.value, *type.tags, schema)) return below(tag.name, found);
  }
  for (const EntityUid* const above : entity.ancestors) {
    if (!std::ranges::binary_search(type.ancestors, above->type)) {
      return fmt::format("entities of type {} are not in a {}", uid.type, above->type);
    }
    if (Misfit found = unknown_uid(*above, schema)) return found;
  }
  return {};
}

Misfit misfit(const Entities& entities, const Schema& schema) {
  for (const Entity& entity : entities.entities()) {
    if (Misfit found = misfit(entity, schema)) {
      return fmt::format("{}: {}", entity.uid->to_string(), *found);
    }
  }
  return {};
}

Misfit misfit(const Request& request, const Schema& schema) {
  const ActionType* const action = schema.action(request.action->type, request.action->id);
  if (action == nullptr) {
    return fmt::format("the schema has no action {}", request.action->to_string());
  }
  if (Misfit found = head_misfit(*request.principal, action->principals, "principals", schema)) {
    return found;
  }
  if (Misfit found = head_misfit(*request.resource, action->resources, "resources", schema)) {
    return found;
  }
  if (Misfit found = misfit(request.context, action->context, schema)) {
    return fmt::format("the context: {}", *found);
  }
  return {};
}

}  // namespace sallyport::cedar

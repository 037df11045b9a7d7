#pragma once
// A Cedar schema in its text form: entity types, action hierarchy, what actions apply to, the
// types of attributes and contexts. It gives the readers of JSON the types to read with, and the
// caller the actions. Strict validation of policies is not here.

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cedar/entities.h"

namespace sallyport::cedar {

constexpr std::size_t schema_bytes_max = 4 << 20;

struct Attribute;

/// A type with all names resolved. Shared parts are immutable.
struct Type {
  Kind kind = Kind::none;               // of the values; entity, set and record say more below
  std::string entity_type;              // entity
  std::shared_ptr<const Type> element;  // set
  std::vector<Attribute> attributes;    // record, sorted by name

  const Attribute* attribute(std::string_view name) const;
};

struct Attribute {
  std::string name;
  Type type;
  bool required = true;
};

struct EntityType {
  std::string name;  // with its namespace
  std::vector<std::string> parents;
  Type shape;  // a record
  std::optional<Type> tags;
  std::vector<std::string> ids;  // of an enum: the only ones
  bool is_enum = false;
};

struct ActionType {
  std::string type = "Action";  // with its namespace
  std::string id;
  struct Ref {
    std::string type;
    std::string id;
  };
  std::vector<Ref> parents;
  std::vector<std::string> principals;  // both empty: it applies to nothing
  std::vector<std::string> resources;
  Type context;  // a record
};

class Schema {
 public:
  static Result<Schema> parse(std::string_view file, std::string_view text);

  const EntityType* entity(std::string_view name) const;
  const ActionType* action(std::string_view type, std::string_view id) const;
  const std::vector<EntityType>& entities() const { return entities_; }
  const std::vector<ActionType>& actions() const { return actions_; }
  /// The action hierarchy as entities, for `action in ...`.
  void add_actions(EntityBuilder& builder) const;

 private:
  std::vector<EntityType> entities_;  // sorted by name
  std::vector<ActionType> actions_;   // sorted by type and id
};

}  // namespace sallyport::cedar

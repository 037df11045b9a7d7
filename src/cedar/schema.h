#pragma once
// A Cedar schema, from its text or its JSON form: entity types, the action hierarchy, what actions
// apply to, the types of attributes, tags and contexts. Policies are checked against it by
// validate.h, entities and requests by conform.h. Immutable once read.

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
constexpr std::size_t schema_types_max = 20'000;     // entity types, and actions
constexpr std::size_t resolved_types_max = 200'000;  // after common types were put in

struct Attribute;

/// A type with all names resolved. Shared parts are immutable.
struct Type {
  /// What is known of a boolean without evaluating; only `any` in a schema.
  enum class Known : std::uint8_t { any, yes, no };

  Kind kind = Kind::none;               // of the values; entity, set and record say more below
  Known known = Known::any;             // boolean
  std::string entity_type;              // entity
  std::shared_ptr<const Type> element;  // set
  std::vector<Attribute> attributes;    // record, sorted by name

  const Attribute* attribute(std::string_view name) const;
  /// As a schema's text would write it.
  std::string to_string() const;
};

struct Attribute {
  std::string name;
  Type type;
  bool required = true;
};

struct EntityType {
  std::string name;  // with its namespace
  std::vector<std::string> parents;
  std::vector<std::string> ancestors;  // of all generations, sorted
  Type shape;                          // a record
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
    auto operator<=>(const Ref&) const = default;
  };
  std::vector<Ref> parents;
  std::vector<Ref> ancestors;           // of all generations, sorted
  std::vector<std::string> principals;  // both empty: it applies to nothing
  std::vector<std::string> resources;
  Type context;  // a record

  /// The same action, or one below `ancestor`.
  bool is_in(std::string_view ancestor_type, std::string_view ancestor_id) const;
};

/// Whether entities of that type are actions: "Action", "Ns::Action".
bool is_action_type(std::string_view type);

class Schema {
 public:
  /// Both fail on the first error: of a text with file:line:column and the place underlined, of
  /// JSON with the path of what is wrong.
  static Result<Schema> parse(std::string_view file, std::string_view text);
  static Result<Schema> parse_json(std::string_view file, std::string_view json);

  const EntityType* entity(std::string_view name) const;
  const ActionType* action(std::string_view type, std::string_view id) const;
  const std::vector<EntityType>& entities() const { return entities_; }
  const std::vector<ActionType>& actions() const { return actions_; }
  /// The action hierarchy as entities, for `action in ...`.
  void add_actions(EntityBuilder& builder) const;
  /// Whether an entity of type `below` could be in one of type `above`.
  bool may_be_in(std::string_view below, std::string_view above) const;

 private:
  std::vector<EntityType> entities_;  // sorted by name
  std::vector<ActionType> actions_;   // sorted by type and id
};

}  // namespace sallyport::cedar

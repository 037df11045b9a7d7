#pragma once
// A schema as it is written, before its names are resolved: what the readers of both schema formats
// make, and what schema_resolve.cc turns into a Schema. Inside of this room only.

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cedar/lexer.h"
#include "cedar/schema.h"

namespace sallyport::cedar {

constexpr std::uint32_t type_nesting_max = 64;

/// What a name or a type was read from. The text reader's places are byte offsets; the JSON
/// reader's are numbers of paths ("NS/entityTypes/User/shape").
using Place = std::uint32_t;

struct WrittenType {
  enum class Form : std::uint8_t {
    name,      // a common type, an entity type or a built-in one
    entity,    // an entity type
    common,    // a common type or a built-in one
    built_in,  // `kind`
    set,       // of members[0]
    record,
  };
  struct Member;
  Form form = Form::record;
  Kind kind = Kind::none;
  Place place = 0;
  std::string name;
  std::vector<Member> members;
};

struct WrittenType::Member {
  std::string name;
  bool required = true;
  WrittenType type;
};

struct WrittenName {
  std::string name;
  Place place = 0;
};

struct WrittenEntity {
  std::string space;  // the namespace, or empty
  std::string name;   // without it
  Place place = 0;
  std::vector<WrittenName> parents;
  WrittenType shape;
  std::optional<WrittenType> tags;
  std::optional<std::vector<std::string>> ids;  // of an enum
};

struct WrittenActionRef {
  std::string type;  // empty: Action of this namespace or of none
  std::string id;
  Place place = 0;
};

struct WrittenAction {
  std::string space;
  std::string id;
  Place place = 0;
  std::vector<WrittenActionRef> parents;
  std::vector<WrittenName> principals;
  std::vector<WrittenName> resources;
  WrittenType context;
};

struct WrittenCommon {
  std::string space;
  std::string name;
  Place place = 0;
  WrittenType type;
};

struct Declarations {
  std::vector<WrittenEntity> entities;
  std::vector<WrittenAction> actions;
  std::vector<WrittenCommon> commons;
};

struct SchemaError {
  Place place = 0;
  std::string message;
};

/// "space::name", or just the name.
std::string in_space(std::string_view space, std::string_view name);
/// Why a declaration may not have that name (of a common type), or empty.
std::string bad_declared_name(std::string_view name, bool common);

std::expected<Declarations, SchemaError> read_schema_text(std::string_view text);
/// `places` gets the paths that the errors' places count.
std::expected<Declarations, SchemaError> read_schema_json(std::string_view json,
                                                          std::vector<std::string>& places);

struct ResolvedSchema {
  std::vector<EntityType> entities;  // sorted by name
  std::vector<ActionType> actions;   // sorted by type and id
};
std::expected<ResolvedSchema, SchemaError> resolve_schema(const Declarations& all);

}  // namespace sallyport::cedar

#pragma once
// Entities, contexts and uids from Cedar's JSON. With a schema, the forms it makes clear are read
// too: {"type","id"} for an entity, a plain string for an ip or a decimal.

#include <cstddef>
#include <string_view>

#include "base/result.h"
#include "cedar/entities.h"
#include "cedar/schema.h"

namespace sallyport::cedar {

constexpr std::size_t json_bytes_max = 64 << 20;
constexpr std::size_t json_depth_max = 64;

/// An array of entities: uid, attrs, parents, tags. With a schema its actions are added.
Result<Entities> entities_from_json(std::string_view json, const Schema* schema = nullptr);

/// One value in `arena`. `type` may be null.
Result<Value> value_from_json(std::string_view json, Arena& arena, const Type* type = nullptr);

}  // namespace sallyport::cedar

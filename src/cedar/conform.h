#pragma once
// Whether a request and its entities are what the schema says. Validated policies cannot err on
// those that are, but for an overflow and an entity that does not exist. Allocates only to say what
// is wrong.

#include <optional>
#include <string>

#include "cedar/entities.h"
#include "cedar/evaluate.h"
#include "cedar/schema.h"

namespace sallyport::cedar {

/// All of these: what is wrong, or nothing.
using Misfit = std::optional<std::string>;

Misfit misfit(const Value& value, const Type& type, const Schema& schema);
/// Type, attributes, tags and ancestors; an enum's id; an action exactly as the schema has it.
Misfit misfit(const Entity& entity, const Schema& schema);
/// Of a store itself, not of the one below it.
Misfit misfit(const Entities& entities, const Schema& schema);
/// The types of principal and resource are those the action is for, and the context is its context.
Misfit misfit(const Request& request, const Schema& schema);

}  // namespace sallyport::cedar

#pragma once
// What the heads of policies name, against the schema, and what they could ever cover.

#include <string_view>

#include "base/result.h"
#include "cedar/authorize.h"
#include "cedar/schema.h"

namespace sallyport::policy {

/// Refuses a head that names an action or an entity type the schema does not have: it would never
/// match, and a forbid that never matches protects nothing.
Result<void> check_heads(const cedar::PolicySet& set, const cedar::Schema& schema);

/// Whether the head could cover some write (anything in sql:any that is not in sql:read).
/// `entities` has the action hierarchy.
bool names_a_write(const cedar::ActionScope& scope, const cedar::Schema& schema,
                   const cedar::Entities& entities);

/// Whether the head could cover something that SQL writes to on the connection.
bool reaches(const cedar::Scope& resource, std::string_view connection,
             const cedar::Entities& entities);

}  // namespace sallyport::policy

#pragma once
// What the heads of policies could ever cover.

#include <string_view>

#include "cedar/authorize.h"
#include "cedar/schema.h"

namespace sallyport::policy {

/// Whether the head could cover some write (anything in sql:any that is not in sql:read).
/// `entities` has the action hierarchy.
bool names_a_write(const cedar::ActionScope& scope, const cedar::Schema& schema,
                   const cedar::Entities& entities);

/// Whether the head could cover something that SQL writes to on the connection.
bool reaches(const cedar::Scope& resource, std::string_view connection,
             const cedar::Entities& entities);

}  // namespace sallyport::policy

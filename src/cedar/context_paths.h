#pragma once
// What the conditions of a policy set read of a request's context: two contexts with the same
// values at these paths get the same answer. Found in the compiled conditions, whether or not an
// evaluation would come that far.

#include <string_view>
#include <vector>

#include "cedar/authorize.h"

namespace sallyport::cedar {

/// `context.auth.acr` is {"auth", "acr"}; `context` itself, in any other use, is {}.
struct ContextPath {
  std::vector<std::string_view> names;  // in the set's memory
  bool presence = false;                // read by `has` alone: whether it is there, not what it is

  auto operator<=>(const ContextPath&) const = default;
};

/// Sorted, without duplicates. A path may go on through an entity: `context.subject.email`.
std::vector<ContextPath> context_paths(const PolicySet& set);
/// Of one policy of the set.
std::vector<ContextPath> context_paths(const PolicySet& set, const Policy& policy);

/// The value at the path, or of kind none. A path that goes on through an entity ends there: what
/// that one's attributes are is for the entities to say.
Value value_at(const Value& context, const ContextPath& path);

}  // namespace sallyport::cedar

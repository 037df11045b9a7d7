#pragma once
// What the annotations of policies say about approvals: who is asked, how many, for how long. They
// route and never protect, so what cannot route as meant is refused when the policies are loaded.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cedar/authorize.h"
#include "cedar/validate.h"
#include "core/model.h"

namespace sallyport::policy {

constexpr std::uint32_t quorum_max = 100;
constexpr std::size_t approvers_max = 64;  // groups, of one policy
constexpr std::chrono::hours route_ttl_max{24 * 30};

/// The policies that look at `context.approval`, in the order of the set.
struct ApprovalPolicy {
  const cedar::Policy* policy = nullptr;
  Route route;  // without approvers: nobody can give it
};

/// Adds to `errors` annotations that are not what they are meant to be: a quorum that is no number,
/// @approvers on a policy that does not look at the approval, and such; to `warnings` policies that
/// look at it and say of nobody who gives it.
std::vector<ApprovalPolicy> approval_policies(const cedar::PolicySet& set,
                                              cedar::Validation& findings);

/// "2 of dba or sre"
std::string who_approves(const Route& route);

}  // namespace sallyport::policy

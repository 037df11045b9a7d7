#pragma once
// What a denied command lacks: would an approval allow it? Inside of this room only.

#include <functional>
#include <optional>
#include <span>

#include "core/model.h"
#include "policy/routes.h"

namespace sallyport::policy {

/// Asks again with an approval that nobody has given: `decide` says what the policies answer with
/// it in the context. First of kind "statement", bound to the command, then of kind "list", bound
/// as well, then of kind "window", which never is for DDL and administration. Nothing if no
/// approval would allow the command, or if one would and a policy that it is for does not say who
/// gives it.
std::optional<Hold> what_if(const Command& command, WallTime now, const Decision& denied,
                            std::span<const ApprovalPolicy> policies,
                            const std::function<Decision(const Approval&)>& decide);

/// Why a held command does not go on, for the client.
std::string why_held(const Decision& denied, const Hold& hold);

}  // namespace sallyport::policy

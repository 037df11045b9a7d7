#pragma once
// All that a decision of one set of policies can depend on, as bytes: equal keys, equal decisions.

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cedar/context_paths.h"
#include "core/model.h"

namespace sallyport::policy {

constexpr std::size_t key_bytes_max = 16 * 1024;

/// What goes into keys of the context, or nullopt if the set reads something that is new with every
/// command: the time, a statement's hash, an approval, the whole context.
std::optional<std::vector<cedar::ContextPath>> key_paths(const cedar::PolicySet& set);

/// A key is what these two append: what all commands of a session have in common, and the rest.
/// False if there is none: it makes no sense, or is too large.
bool add_session(const Session& session, WallTime now, const std::vector<cedar::ContextPath>& paths,
                 std::string& key);
bool add_command(const Command& command, const std::vector<cedar::ContextPath>& paths,
                 std::string& key);

}  // namespace sallyport::policy

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

/// Overwrites `key`. False if there is none: the command makes no sense, or is too large.
bool make_key(const Session& session, const Command& command, WallTime now,
              const std::vector<cedar::ContextPath>& paths, std::string& key);

}  // namespace sallyport::policy

#pragma once
// All that a decision of one set of policies can depend on, as bytes: equal keys, equal decisions.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "cedar/context_paths.h"
#include "cedar/schema.h"
#include "core/model.h"

namespace sallyport::policy {

constexpr std::size_t key_bytes_max = 16 * 1024;

/// What of the context goes into the keys of one set of policies.
class KeyPlan {
 public:
  KeyPlan() = default;
  /// `actions` has the action hierarchy. The set must outlive it.
  KeyPlan(const cedar::PolicySet& set, const cedar::Schema& schema, const cedar::Entities& actions);

  /// A policy that is for one of the chain and one of the actions, as far as its head goes, reads
  /// something that is new with every command: the time, a statement's hash, an approval, the whole
  /// context.
  bool is_always_new(const Session& session, const Command& command) const;

  /// What the other policies read.
  const std::vector<cedar::ContextPath>& paths() const { return paths_; }

 private:
  bool is_always_new(std::string_view action, const Session& session) const;

  std::vector<cedar::ContextPath> paths_;
  // Policies that read what is always new, by the name of each action that they are for.
  std::map<std::string, std::vector<const cedar::Policy*>, std::less<>> fleeting_;
};

/// A key is what these two append: what all commands of a session have in common, and the rest.
/// False if there is none: it makes no sense, or is too large.
bool add_session(const Session& session, WallTime now, const std::vector<cedar::ContextPath>& paths,
                 std::string& key);
bool add_command(const Command& command, const std::vector<cedar::ContextPath>& paths,
                 std::string& key);

}  // namespace sallyport::policy

#include "policy/decision_key.h"

#include <algorithm>
#include <array>
#include <concepts>
#include <iterator>
#include <span>

#include "policy/context.h"

namespace sallyport::policy {
namespace {

using cedar::ContextPath;
using cedar::Kind;
using cedar::Value;

constexpr std::size_t scratch_bytes = 4096;

/// Attributes of the context that are hardly ever the same twice. Keys hold values, so leaving one
/// out of this list costs memory and no correctness.
constexpr std::array<std::array<std::string_view, 2>, 6> fleeting{{
    {"now", ""},
    {"auth", "mfaAge"},
    {"approval", ""},
    {"hash", ""},
    {"stmt", "hash"},
    {"stmt", "estRows"},
}};

/// Whether reading `path` reads a fleeting attribute, or something in it or around it.
bool is_fleeting(const ContextPath& path) {
  return std::ranges::any_of(fleeting, [&](const auto& attribute) {
    const std::size_t length = attribute[1].empty() ? 1 : 2;
    // That a record is there says nothing of what is in it.
    if (path.presence && path.names.size() < length) return false;
    const std::size_t common = std::min(length, path.names.size());
    return std::equal(path.names.begin(), path.names.begin() + static_cast<std::ptrdiff_t>(common),
                      attribute.begin());
  });
}

/// The rest of the context is the session's.
bool of_command(const ContextPath& path) {
  return is_of_command(path.names.front());
}

/// False only if the head is for other principals. Groups are in nothing but the tenant.
bool may_cover(const cedar::Scope& scope, const Identity& identity) {
  using enum cedar::Scope::Kind;
  const bool by_type = scope.kind == is || scope.kind == is_in;
  if (by_type && scope.type.text != cedar_type(identity.kind)) return false;
  if (scope.kind == equal) {
    return scope.entity->type == cedar_type(identity.kind) && scope.entity->id == identity.id;
  }
  if ((scope.kind == in || scope.kind == is_in) && scope.entity->type == "Group") {
    return std::ranges::find(identity.groups, scope.entity->id) != identity.groups.end();
  }
  return true;
}

/// Appends so that no two different sequences of values make the same bytes.
class KeyWriter {
 public:
  explicit KeyWriter(std::string& key) : key_(key) {}

  template <std::integral T>
  void add(T number) {
    key_.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  void add(std::string_view text) {
    add(std::uint64_t{text.size()});
    key_.append(text);
  }
  void add(const std::string& text) { add(std::string_view(text)); }
  void add(IdentityKind kind) { add(static_cast<std::uint8_t>(kind)); }
  void add(const std::vector<std::string>& texts) {
    add(std::uint64_t{texts.size()});
    for (const std::string& text : texts) add(text);
  }

  /// Every field, used by a policy or not: a new field does not compile before it is here.
  void add(const Identity& identity) {
    const auto& [kind, id, issuer, subject, display_name, email, groups, owner, attested, active,
                 job] = identity;
    add(kind);
    add(id);
    add(issuer);
    add(subject);
    add(display_name);
    add(email);
    add(groups);
    add(owner);
    add(attested);
    add(active);
    add(std::uint64_t{job.size()});
    for (const auto& [name, value] : job) {
      add(name);
      add(value);
    }
  }
  void add(const Action& action) {
    add(action.name);
    add(action.resource.type);
    add(action.resource.id);
  }

  /// Of a path that is only asked for its presence: whether an entity has an attribute depends on
  /// which entity it is.
  void add(const Value& value, bool presence) {
    if (presence && !value.is(Kind::entity)) {
      add(static_cast<std::uint8_t>(value.kind()));
    } else {
      add(value);
    }
  }

  void add(const Value& value) {
    add(static_cast<std::uint8_t>(value.kind()));
    switch (value.kind()) {
      case Kind::none:
        return;
      case Kind::string:
        return add(value.as_string());
      case Kind::entity:
        add(value.as_entity().type);
        return add(value.as_entity().id);
      case Kind::set:
        add(std::uint64_t{value.as_set().size()});
        for (const Value& item : value.as_set()) add(item);
        return;
      case Kind::record:
        add(std::uint64_t{value.as_record().size()});
        for (const cedar::Field& field : value.as_record()) {
          add(field.name);
          add(field.value);
        }
        return;
      case Kind::ip:
        for (const std::uint8_t byte : value.as_ip().bytes) add(byte);
        add(value.as_ip().prefix);
        return add(value.as_ip().v6);
      case Kind::boolean:
      case Kind::number:
      case Kind::decimal:
      case Kind::datetime:
      case Kind::duration:
        return add(value.as_number());
    }
  }

 private:
  std::string& key_;
};

}  // namespace

KeyPlan::KeyPlan(const cedar::PolicySet& set, const cedar::Schema& schema,
                 const cedar::Entities& actions) {
  for (const cedar::Policy& policy : set.policies()) {
    std::vector<ContextPath> paths = cedar::context_paths(set, policy);
    if (std::ranges::none_of(paths, is_fleeting)) {
      paths_.insert(paths_.end(), std::make_move_iterator(paths.begin()),
                    std::make_move_iterator(paths.end()));
      continue;
    }
    for (const cedar::ActionType& action : schema.actions()) {
      if (cedar::covers(policy.action, cedar::make_uid(action.type, action.id), actions)) {
        fleeting_[action.id].push_back(&policy);
      }
    }
  }
  std::ranges::sort(paths_);
  const auto twice = std::ranges::unique(paths_);
  paths_.erase(twice.begin(), twice.end());
}

bool KeyPlan::is_always_new(const Session& session, const Command& command) const {
  if (fleeting_.empty()) return false;
  if (session.chain.delegated() && is_always_new("act_for", session)) return true;
  std::string_view asked;
  return std::ranges::any_of(command.actions, [&](const Action& action) {
    if (action.name == asked) return false;  // most actions of a command are the same one
    asked = action.name;
    return is_always_new(asked, session);
  });
}

bool KeyPlan::is_always_new(std::string_view action, const Session& session) const {
  const auto found = fleeting_.find(action);
  if (found == fleeting_.end()) return false;
  return std::ranges::any_of(found->second, [&](const cedar::Policy* policy) {
    return std::ranges::any_of(session.chain.identities, [&](const Identity& identity) {
      return may_cover(policy->principal, identity);
    });
  });
}

bool add_session(const Session& session, WallTime now, const std::vector<ContextPath>& paths,
                 std::string& key) {
  if (session.chain.identities.empty()) return false;
  KeyWriter writer(key);
  writer.add(session.tenant);
  writer.add(session.connection);
  writer.add(std::uint64_t{session.chain.identities.size()});
  for (const Identity& identity : session.chain.identities) {
    writer.add(identity);
    if (key.size() > key_bytes_max) return false;
  }
  // The values as the policies would see them, not what they are made of.
  alignas(16) std::array<std::byte, scratch_bytes> scratch;
  cedar::Arena arena(scratch);
  const auto context = session_context(session, now, arena);
  if (!context) return false;
  for (const ContextPath& path : paths) {
    if (!of_command(path)) writer.add(value_at(*context, path), path.presence);
  }
  return key.size() <= key_bytes_max;
}

bool add_command(const Command& command, const std::vector<ContextPath>& paths, std::string& key) {
  if (command.actions.empty()) return false;
  KeyWriter writer(key);
  writer.add(std::uint64_t{command.actions.size()});
  for (const Action& action : command.actions) {
    writer.add(action);
    if (key.size() > key_bytes_max) return false;
  }
  alignas(16) std::array<std::byte, scratch_bytes> scratch;
  cedar::Arena arena(scratch);
  const auto context = command_context(command, arena);
  writer.add(context.has_value());
  if (context) {
    for (const ContextPath& path : paths) {
      if (of_command(path)) writer.add(value_at(*context, path), path.presence);
    }
  }
  return key.size() <= key_bytes_max;
}

}  // namespace sallyport::policy

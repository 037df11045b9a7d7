#include "policy/command_entities.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "core/resource_id.h"
#include "policy/policies.h"

namespace sallyport::policy {
namespace {

using cedar::Arena;
using cedar::EntityUid;
using cedar::Field;
using cedar::Value;

/// The types along a path, by the number of parts.
constexpr std::array<std::string_view, 5> path_types{"Connection", "Database", "DbSchema", "Table",
                                                     "Column"};

std::size_t parts_of(std::string_view type) {
  if (type == "Routine") return 4;
  if (type == "RowFilter") return 5;
  const auto at = std::ranges::find(path_types, type);
  return at == path_types.end() ? 0 : static_cast<std::size_t>(at - path_types.begin()) + 1;
}

class Builder {
 public:
  Builder(const cedar::Entities& shared, const ConnectionFacts& connection, const Session& session,
          const CommandContext& context)
      : builder_(&shared),
        connection_(connection),
        vote_(std::get_if<VoteContext>(&context)),
        http_(std::get_if<HttpContext>(&context)) {
    tenant_ = arena().uid("Tenant", session.tenant);
  }

  Result<const EntityUid*> identity(const Identity& identity) {
    if (identity.id.empty()) return fail(Errc::invalid, "an identity of the chain has no id");
    if (identity.groups.size() > groups_max) {
      return fail(Errc::too_large, fmt::format("{} is in more than {} groups",
                                               cedar::quoted(identity.id), groups_max));
    }
    const EntityUid* const uid = arena().uid(cedar_type(identity.kind), identity.id);
    if (!seen_.insert({std::string(uid->type), identity.id}).second) {
      return fail(Errc::invalid, uid->to_string() + " is in the chain twice");
    }
    std::vector<const EntityUid*> parents{tenant_};
    for (const std::string& name : identity.groups) parents.push_back(group(name));
    builder_.add(uid, parents, attributes(identity));
    return uid;
  }

  Result<const EntityUid*> resource(const Resource& resource) {
    if (resource.type == "ApprovalRequest" && vote_ != nullptr) return approval_request(resource);
    if (resource.type == "Endpoint") return endpoint(resource);
    if (resource.type == "Field") return field(resource);
    const auto parts = resource_parts(resource.id);
    const std::size_t wanted = parts_of(resource.type);
    if (wanted == 0) {
      return fail(Errc::invalid, "resources of type " + resource.type + " are not modelled");
    }
    if (parts.size() != wanted) {
      return fail(Errc::invalid, cedar::quoted(resource.id) + " is no id of a " + resource.type);
    }
    if (parts[0] != resource_part(connection_.name)) {
      return fail(Errc::invalid, cedar::quoted(resource.id) + " is not on the connection " +
                                     cedar::quoted(connection_.name));
    }
    const EntityUid* parent = nullptr;
    std::size_t length = parts[0].size();
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (i > 0) length += 1 + parts[i].size();
      const bool last = i + 1 == parts.size();
      parent = node(last ? std::string_view(resource.type) : path_types[i],
                    std::string_view(resource.id).substr(0, length), parent, parts);
    }
    return parent;
  }

  Result<cedar::Entities> finish() {
    if (http_ != nullptr) bag(*http_);
    return builder_.finish();
  }

 private:
  Arena& arena() { return builder_.arena(); }

  /// Below the resource groups of the connection it is for.
  const EntityUid* approval_request(const Resource& resource) {
    const EntityUid* const uid = arena().uid(resource.type, resource.id);
    if (!seen_.insert({resource.type, resource.id}).second) return uid;
    std::vector<const EntityUid*> parents{tenant_};
    for (const std::string& name : connection_.resource_groups) {
      parents.push_back(arena().uid("ResourceGroup", name));
    }
    std::vector<Value> actors;
    for (const std::string& actor : vote_->actors) actors.push_back(arena().entity("Agent", actor));
    // The schema knows users alone. No user's id has a control character in it.
    const Identity& requester = vote_->requester;
    const std::string id = requester.kind == IdentityKind::user
                               ? requester.id
                               : "\x1f" + std::string(cedar_type(requester.kind)) + requester.id;
    const Field attributes[] = {{"requester", arena().entity("User", id)},
                                {"actors", arena().set(actors)},
                                {"target", arena().string(vote_->target)},
                                {"risk", Value::number(vote_->risk)}};
    builder_.add(uid, parents, arena().record(attributes));
    return uid;
  }

  /// All that is known of it is in its id, so that one id is one entity.
  Result<const EntityUid*> endpoint(const Resource& resource) {
    const auto name = endpoint_name(resource.id);
    if (!name) return fail(Errc::invalid, cedar::quoted(resource.id) + " is no id of an Endpoint");
    if (name->connection != resource_part(connection_.name)) {
      return fail(Errc::invalid, cedar::quoted(resource.id) + " is not on the connection " +
                                     cedar::quoted(connection_.name));
    }
    const EntityUid* const uid = arena().uid(resource.type, resource.id);
    if (!seen_.insert({resource.type, resource.id}).second) return uid;
    std::vector<const EntityUid*> parents{arena().uid("Connection", name->connection)};
    const Field attributes[] = {{"method", arena().string(name->method)},
                                {"path", arena().string(name->path)}};
    builder_.add(uid, parents, arena().record(attributes));
    return uid;
  }

  /// "crm/pii.email": what the answers of a connection hold of that class.
  Result<const EntityUid*> field(const Resource& resource) {
    const auto parts = resource_parts(resource.id);
    if (parts.size() != 2 || parts[0] != resource_part(connection_.name)) {
      return fail(Errc::invalid, cedar::quoted(resource.id) + " is no field of the connection " +
                                     cedar::quoted(connection_.name));
    }
    const EntityUid* const uid = arena().uid(resource.type, resource.id);
    if (!seen_.insert({resource.type, resource.id}).second) return uid;
    const EntityUid* const parents[] = {arena().uid("Connection", parts[0]),
                                        arena().uid("Classification", resource_name(parts[1]))};
    builder_.add(uid, parents, {});
    return uid;
  }

  /// The bag of parameters that the context names.
  void bag(const HttpContext& http) {
    std::vector<Field> tags;
    for (const auto& [name, value] : http.parameters) {
      tags.push_back({arena().text(name), arena().string(value)});
    }
    builder_.add(arena().uid("Bag", http.query), {}, {}, arena().record(tags));
  }

  const EntityUid* group(const std::string& name) {
    const EntityUid* const uid = arena().uid("Group", name);
    if (seen_.insert({"Group", name}).second) builder_.add(uid, std::span(&tenant_, 1), {});
    return uid;
  }

  Value attributes(const Identity& identity) {
    std::vector<Field> fields{{"tenant", Value::borrow(tenant_)}};
    switch (identity.kind) {
      case IdentityKind::user:
        fields.push_back({"email", arena().string(identity.email)});
        fields.push_back({"active", Value::boolean(identity.active)});
        break;
      case IdentityKind::agent:
        if (!identity.owner.empty()) {
          fields.push_back({"owner", arena().entity("User", identity.owner)});
        }
        fields.push_back({"kind", Value::borrow("agent")});
        // An agent has no `active` of its own: one that is switched off vouches for nothing.
        fields.push_back({"attested", Value::boolean(identity.attested && identity.active)});
        break;
      case IdentityKind::workload:
        fields.push_back({"issuer", arena().string(identity.issuer)});
        for (const auto& [name, value] : identity.job) {
          fields.push_back({arena().text(name), arena().string(value)});
        }
        break;
    }
    return arena().record(fields);
  }

  /// One step of a path. The connection itself is shared and already there.
  const EntityUid* node(std::string_view type, std::string_view id, const EntityUid* parent,
                        const std::vector<std::string_view>& parts) {
    const EntityUid* const uid = arena().uid(type, id);
    if (parent == nullptr) return uid;
    if (!seen_.insert({std::string(type), std::string(id)}).second) return uid;
    std::vector<const EntityUid*> parents{parent};
    if (type == "Column") {
      for (const std::string& label :
           connection_.classifications(resource_name(parts[1]), resource_name(parts[2]),
                                       resource_name(parts[3]), resource_name(parts[4]))) {
        parents.push_back(arena().uid("Classification", label));
      }
    }
    builder_.add(uid, parents, {});
    return uid;
  }

  cedar::EntityBuilder builder_;
  const ConnectionFacts& connection_;
  const VoteContext* const vote_;
  const HttpContext* const http_;
  const EntityUid* tenant_ = nullptr;
  std::set<std::pair<std::string, std::string>> seen_;
};

}  // namespace

Result<CommandEntities> command_entities(const cedar::Entities& shared,
                                         const ConnectionFacts& connection, const Session& session,
                                         const std::vector<Action>& actions,
                                         const CommandContext& context) {
  Builder builder(shared, connection, session, context);
  CommandEntities made;
  for (const Identity& identity : session.chain.identities) {
    auto uid = builder.identity(identity);
    if (!uid) return fail(uid);
    made.principals.push_back(*uid);
  }
  for (const Action& action : actions) {
    auto uid = builder.resource(action.resource);
    if (!uid) return fail(uid);
    made.resources.push_back(*uid);
  }
  auto store = builder.finish();
  if (!store) return fail(store);
  made.store = std::move(*store);
  return made;
}

std::vector<std::string> classification_path(std::string_view classification) {
  std::vector<std::string> path;
  for (std::size_t dot = classification.find('.');; dot = classification.find('.', dot + 1)) {
    path.emplace_back(classification.substr(0, dot));
    if (dot == std::string_view::npos) return path;
  }
}

void add_connection(cedar::EntityBuilder& builder, const ConnectionFacts& connection,
                    std::string_view tenant) {
  Arena& arena = builder.arena();
  std::vector<const EntityUid*> parents{arena.uid("Tenant", tenant)};
  for (const std::string& group : connection.resource_groups) {
    parents.push_back(arena.uid("ResourceGroup", group));
  }
  const Field attributes[] = {{"protocol", arena.string(connection.protocol)},
                              {"env", arena.string(connection.env)}};
  std::vector<Field> tags;
  for (const auto& [key, value] : connection.tags) {
    tags.push_back({arena.text(key), arena.string(value)});
  }
  builder.add(arena.uid("Connection", resource_part(connection.name)), parents,
              arena.record(attributes), arena.record(tags));
}

}  // namespace sallyport::policy

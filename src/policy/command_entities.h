#pragma once
// The Cedar entities of one command: the chain's identities with their groups, and the resources
// with exactly the ancestors that their ids imply.

#include <vector>

#include "base/result.h"
#include "cedar/entities.h"
#include "core/model.h"
#include "policy/connection_facts.h"

namespace sallyport::policy {

struct CommandEntities {
  cedar::Entities store;
  std::vector<const cedar::EntityUid*> principals;  // one for each identity of the chain
  std::vector<const cedar::EntityUid*> resources;   // one for each action
};

/// `shared` has the tenant, the connection and what lies above it, and must outlive the result.
/// Fails when the chain or a resource makes no sense: two identities that are the same, an id with
/// the wrong number of parts for its type, a resource of another connection. `context` is the
/// command's: what an ApprovalRequest among the resources is, and the parameters of a query.
Result<CommandEntities> command_entities(const cedar::Entities& shared,
                                         const ConnectionFacts& connection, const Session& session,
                                         const std::vector<Action>& actions,
                                         const CommandContext& context = {});

/// What all commands share: tenant, connections, resource groups, classifications.
void add_connection(cedar::EntityBuilder& builder, const ConnectionFacts& connection,
                    std::string_view tenant);
/// Classification::"pii.email" below Classification::"pii", and so on.
std::vector<std::string> classification_path(std::string_view classification);

}  // namespace sallyport::policy

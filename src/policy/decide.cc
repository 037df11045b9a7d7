// Putting a command's questions to the policies.

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "cedar/conform.h"
#include "policy/asking.h"
#include "policy/heads.h"
#include "policy/policies.h"
#include "policy/what_if.h"

namespace sallyport::policy {
namespace {

using cedar::EntityUid;

constexpr std::size_t context_bytes = 4096;

Decision denied(std::uint64_t epoch, std::string reason) {
  Decision decision;
  decision.policy_epoch = epoch;
  decision.reason = std::move(reason);
  return decision;
}

/// What no policy can repair.
std::string senseless(const Policies& policies, const Session& session, const Command& command) {
  if (session.chain.identities.empty()) return "the session has no identity";
  if (session.chain.identities.size() > chain_max) {
    return fmt::format("the chain has more than {} identities", chain_max);
  }
  if (session.tenant != policies.tenant()) return "the session belongs to another tenant";
  if (policies.connection(session.connection) == nullptr) {
    return fmt::format("there is no connection {}", cedar::quoted(session.connection));
  }
  if (command.actions.empty()) {
    return "the command could not be analysed, so it cannot be decided";
  }
  if (command.actions.size() > actions_max) {
    return fmt::format("the command needs more than {} decisions", actions_max);
  }
  return {};
}

}  // namespace

Decision Policies::decide(const Session& session, const Command& command, WallTime now) const {
  cedar::Scratch scratch;
  return decide(session, command, now, scratch);
}

Decision Policies::decide(const Session& session, const Command& command, WallTime now,
                          cedar::Scratch& scratch, const Approval* approval) const {
  if (std::string reason = senseless(*this, session, command); !reason.empty()) {
    return denied(epoch_, std::move(reason));
  }
  auto entities =
      command_entities(shared_, *connection(session.connection), session, command.actions,
                       command.context);
  if (!entities) return denied(epoch_, std::move(entities.error().detail));
  if (auto misfit = cedar::misfit(entities->store, schema_)) {
    return denied(epoch_, std::move(*misfit));
  }
  alignas(16) std::array<std::byte, context_bytes> memory;
  cedar::Arena arena(memory);
  auto context = contexts(session, command, now, arena, approval);
  if (!context) return denied(epoch_, std::move(context.error().detail));

  Decision decision = Asking(set_, schema_, *entities, *context, scratch).all(session, command);
  decision.policy_epoch = epoch_;
  if (decision.verdict == Verdict::deny && approval == nullptr && may_be_held(command)) {
    decision.hold =
        what_if(command, now, decision, approval_policies_, [&](const Approval& hypothetical) {
          return decide(session, command, now, scratch, &hypothetical);
        });
    if (decision.hold) {
      decision.verdict = Verdict::hold;
      decision.reason = why_held(decision, *decision.hold);
    }
  }
  return decision;
}

/// Whether a policy that looks at approvals is for some of it.
bool Policies::may_be_held(const Command& command) const {
  return std::ranges::any_of(approval_policies_, [&](const ApprovalPolicy& each) {
    return std::ranges::any_of(command.actions, [&](const Action& action) {
      return cedar::covers(each.policy->action, cedar::make_uid("Action", action.name), shared_);
    });
  });
}

bool Policies::may_write(const Session& session) const {
  const ConnectionFacts* const facts = connection(session.connection);
  if (facts == nullptr || session.chain.identities.empty() || session.tenant != tenant_) {
    return false;
  }
  const auto entities = command_entities(shared_, *facts, session, {});
  if (!entities) return false;
  return std::ranges::all_of(entities->principals, [&](const EntityUid* principal) {
    return std::ranges::any_of(set_.policies(), [&](const cedar::Policy& policy) {
      return policy.effect == cedar::Effect::permit &&
             cedar::covers(policy.principal, *principal, entities->store) &&
             names_a_write(policy.action, schema_, shared_) &&
             reaches(policy.resource, facts->name, shared_);
    });
  });
}

}  // namespace sallyport::policy

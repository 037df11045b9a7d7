// Putting a command's questions to the policies.

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "cedar/conform.h"
#include "core/resource_id.h"
#include "policy/command_entities.h"
#include "policy/context.h"
#include "policy/heads.h"
#include "policy/policies.h"

namespace sallyport::policy {
namespace {

using cedar::EntityUid;
using cedar::Value;

constexpr std::size_t context_bytes = 4096;

Decision denied(std::uint64_t epoch, std::string reason) {
  Decision decision;
  decision.policy_epoch = epoch;
  decision.reason = std::move(reason);
  return decision;
}

std::string describe(std::string_view type, std::string_view id) {
  return fmt::format("{} {}", type, cedar::quoted(id));
}

/// "may not connect to Connection "shop"".
std::string describe(const Action& action) {
  const std::string resource = describe(action.resource.type, action.resource.id);
  if (action.name == "act_for") return "may not act for " + resource;
  if (action.name == "connect") return "may not connect to " + resource;
  return fmt::format("may not {} on {}", action.name, resource);
}

std::string why(const Answer& answer) {
  if (!answer.errors.empty()) return answer.errors.front();
  if (answer.policies.empty()) return "no policy permits it";
  return fmt::format("policy {} forbids it", cedar::quoted(answer.policies.front()));
}

/// Asks all questions of one command.
class Asking {
 public:
  Asking(const cedar::PolicySet& set, const cedar::Schema& schema, const CommandEntities& entities,
         const Contexts& contexts, cedar::Scratch& scratch)
      : set_(set), schema_(schema), entities_(entities), contexts_(contexts), scratch_(scratch) {}

  void ask(const EntityUid& principal, const Action& action, const EntityUid& resource,
           Decision& decision) const {
    Answer answer{.principal = principal.to_string(), .action = action};
    const EntityUid action_uid = cedar::make_uid("Action", action.name);
    const cedar::ActionType* const type = schema_.action(action_uid.type, action_uid.id);
    const Value context = type != nullptr ? context_of(*type) : Value();
    if (std::string problem = unmodelled(type, principal, resource, context); !problem.empty()) {
      answer.errors.push_back(std::move(problem));
    } else {
      answer_from(
          set_.authorize({&principal, &action_uid, &resource, context}, entities_.store, scratch_),
          answer);
    }
    note(principal, std::move(answer), decision);
  }

 private:
  Value context_of(const cedar::ActionType& type) const {
    return type.context.attribute("stmt") != nullptr ? contexts_.sql : contexts_.base;
  }

  /// Why the schema does not allow the question, or nothing.
  std::string unmodelled(const cedar::ActionType* type, const EntityUid& principal,
                         const EntityUid& resource, const Value& context) const {
    if (type == nullptr) return "the schema has no such action";
    if (std::ranges::find(type->principals, principal.type) == type->principals.end()) {
      return fmt::format("the action is not for principals of type {}", principal.type);
    }
    if (std::ranges::find(type->resources, resource.type) == type->resources.end()) {
      return fmt::format("the action is not for resources of type {}", resource.type);
    }
    if (!context) return "the command does not say what its statement is";
    return context_problem(*type, context);
  }

  /// Why the context is none of the action's, or nothing. All identities are asked with the same.
  const std::string& context_problem(const cedar::ActionType& type, const Value& context) const {
    if (checked_ != &type) {
      checked_ = &type;
      checked_problem_ = cedar::misfit(context, type.context, schema_).value_or("");
      if (!checked_problem_.empty()) checked_problem_.insert(0, "the context: ");
    }
    return checked_problem_;
  }

  static void answer_from(const cedar::Answer& from, Answer& answer) {
    for (const cedar::Policy* const policy : from.reasons) answer.policies.push_back(policy->id);
    for (const cedar::EvaluationError& error : from.errors) {
      answer.errors.push_back(fmt::format("policy {} could not be evaluated: {}",
                                          cedar::quoted(error.policy->id), error.message));
    }
    answer.allowed = from.allowed && from.errors.empty();
  }

  static void note(const EntityUid& principal, Answer answer, Decision& decision) {
    if (!answer.allowed && decision.reason.empty()) {
      decision.reason = fmt::format("{} {}: {}", describe(principal.type, principal.id),
                                    describe(answer.action), why(answer));
    }
    decision.answers.push_back(std::move(answer));
  }

  const cedar::PolicySet& set_;
  const cedar::Schema& schema_;
  const CommandEntities& entities_;
  const Contexts& contexts_;
  cedar::Scratch& scratch_;
  mutable const cedar::ActionType* checked_ = nullptr;
  mutable std::string checked_problem_;
};

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
                          cedar::Scratch& scratch) const {
  if (std::string reason = senseless(*this, session, command); !reason.empty()) {
    return denied(epoch_, std::move(reason));
  }
  auto entities =
      command_entities(shared_, *connection(session.connection), session, command.actions);
  if (!entities) return denied(epoch_, std::move(entities.error().detail));
  if (auto misfit = cedar::misfit(entities->store, schema_)) {
    return denied(epoch_, std::move(*misfit));
  }
  alignas(16) std::array<std::byte, context_bytes> memory;
  cedar::Arena arena(memory);
  auto context = contexts(session, command, now, arena);
  if (!context) return denied(epoch_, std::move(context.error().detail));

  Decision decision{.policy_epoch = epoch_};
  const Asking asking(set_, schema_, *entities, *context, scratch);
  const auto& principals = entities->principals;
  const Identity& subject = session.chain.subject();
  const Action act_for{"act_for", {std::string(cedar_type(subject.kind)), subject.id}};
  for (std::size_t i = 1; i < principals.size(); ++i) {
    asking.ask(*principals[i], act_for, *principals[0], decision);
  }
  for (std::size_t i = 0; i < command.actions.size(); ++i) {
    for (const EntityUid* const principal : principals) {
      asking.ask(*principal, command.actions[i], *entities->resources[i], decision);
    }
  }
  const bool all = std::ranges::all_of(decision.answers, &Answer::allowed);
  decision.verdict = all ? Verdict::allow : Verdict::deny;
  return decision;
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

#include "policy/asking.h"

#include <algorithm>

#include <fmt/format.h>

#include "cedar/conform.h"

namespace sallyport::policy {
namespace {

using cedar::EntityUid;
using cedar::Value;

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

void answer_from(const cedar::Answer& from, Answer& answer) {
  for (const cedar::Policy* const policy : from.reasons) answer.policies.push_back(policy->id);
  for (const cedar::EvaluationError& error : from.errors) {
    answer.errors.push_back(fmt::format("policy {} could not be evaluated: {}",
                                        cedar::quoted(error.policy->id), error.message));
  }
  answer.allowed = from.allowed && from.errors.empty();
}

}  // namespace

std::string may_not(const Answer& answer) {
  const auto uid = cedar::parse_uid(answer.principal);
  return fmt::format("{} {}", uid ? describe(uid->type, uid->id) : answer.principal,
                     describe(answer.action));
}

Decision Asking::all(const Session& session, const Command& command) const {
  Decision decision;
  const auto& principals = entities_.principals;
  const Identity& subject = session.chain.subject();
  const Action act_for{"act_for", {std::string(cedar_type(subject.kind)), subject.id}};
  for (std::size_t i = 1; i < principals.size(); ++i) {
    ask(*principals[i], act_for, *principals[0], decision);
  }
  for (std::size_t i = 0; i < command.actions.size(); ++i) {
    for (const EntityUid* const principal : principals) {
      ask(*principal, command.actions[i], *entities_.resources[i], decision);
    }
  }
  const Answer* const no = decision.refused();
  decision.verdict = no == nullptr ? Verdict::allow : Verdict::deny;
  if (no != nullptr) decision.reason = may_not(*no) + ": " + why(*no);
  return decision;
}

void Asking::ask(const EntityUid& principal, const Action& action, const EntityUid& resource,
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
  decision.answers.push_back(std::move(answer));
}

Value Asking::context_of(const cedar::ActionType& type) const {
  const bool of_command = type.context.attribute("stmt") != nullptr ||
                          type.context.attribute("bodyBytes") != nullptr;
  return of_command ? contexts_.command : contexts_.base;
}

/// Why the schema does not allow the question, or nothing.
std::string Asking::unmodelled(const cedar::ActionType* type, const EntityUid& principal,
                               const EntityUid& resource, const Value& context) const {
  if (type == nullptr) return "the schema has no such action";
  if (std::ranges::find(type->principals, principal.type) == type->principals.end()) {
    return fmt::format("the action is not for principals of type {}", principal.type);
  }
  if (std::ranges::find(type->resources, resource.type) == type->resources.end()) {
    return fmt::format("the action is not for resources of type {}", resource.type);
  }
  if (!context) return "the command does not say what it is";
  return context_problem(*type, context);
}

/// Why the context is none of the action's, or nothing. All identities are asked with the same.
const std::string& Asking::context_problem(const cedar::ActionType& type,
                                           const Value& context) const {
  if (checked_ != &type) {
    checked_ = &type;
    checked_problem_ = cedar::misfit(context, type.context, schema_).value_or("");
    if (!checked_problem_.empty()) checked_problem_.insert(0, "the context: ");
  }
  return checked_problem_;
}

}  // namespace sallyport::policy

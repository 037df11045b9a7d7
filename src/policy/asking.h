#pragma once
// The questions of one command, put to a policy set in one context. Inside of this room only.

#include <string>

#include "cedar/authorize.h"
#include "cedar/schema.h"
#include "core/model.h"
#include "policy/command_entities.h"
#include "policy/context.h"

namespace sallyport::policy {

class Asking {
 public:
  /// All must outlive it.
  Asking(const cedar::PolicySet& set, const cedar::Schema& schema, const CommandEntities& entities,
         const Contexts& contexts, cedar::Scratch& scratch)
      : set_(set), schema_(schema), entities_(entities), contexts_(contexts), scratch_(scratch) {}

  /// Each agent is asked whether it may act for the subject, then each identity for each action.
  /// Allow if all say yes, else deny with the first no as the reason.
  Decision all(const Session& session, const Command& command) const;

 private:
  void ask(const cedar::EntityUid& principal, const Action& action,
           const cedar::EntityUid& resource, Decision& decision) const;
  cedar::Value context_of(const cedar::ActionType& type) const;
  std::string unmodelled(const cedar::ActionType* type, const cedar::EntityUid& principal,
                         const cedar::EntityUid& resource, const cedar::Value& context) const;
  const std::string& context_problem(const cedar::ActionType& type,
                                     const cedar::Value& context) const;

  const cedar::PolicySet& set_;
  const cedar::Schema& schema_;
  const CommandEntities& entities_;
  const Contexts& contexts_;
  cedar::Scratch& scratch_;
  mutable const cedar::ActionType* checked_ = nullptr;
  mutable std::string checked_problem_;
};

/// "User "alice" may not sql:select on Table "shop/shop/public/t"".
std::string may_not(const Answer& answer);

}  // namespace sallyport::policy

#include "cedar/authorize.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "cedar/policy_json.h"

namespace sallyport::cedar {
namespace {

bool is_type(const Name& type, const EntityUid& uid) {
  return type.hash == uid.type_hash && type.text == uid.type;
}

bool head_covers(const Scope& scope, const EntityUid& uid, const Entity* entity) {
  switch (scope.kind) {
    case Scope::Kind::any:
      return true;
    case Scope::Kind::equal:
      return uid == *scope.entity;
    case Scope::Kind::in:
      return is_in(uid, entity, *scope.entity);
    case Scope::Kind::is:
      return is_type(scope.type, uid);
    case Scope::Kind::is_in:
      return is_type(scope.type, uid) && is_in(uid, entity, *scope.entity);
  }
  return false;
}

bool head_covers(const ActionScope& scope, const EntityUid& uid, const Entity* entity) {
  if (scope.kind == ActionScope::Kind::any) return true;
  return std::ranges::any_of(scope.entities, [&](const EntityUid* named) {
    return scope.kind == ActionScope::Kind::equal ? uid == *named : is_in(uid, entity, *named);
  });
}

}  // namespace

bool covers(const Scope& scope, const EntityUid& uid, const Entities& entities) {
  return head_covers(scope, uid, entities.find(uid));
}

bool covers(const ActionScope& scope, const EntityUid& uid, const Entities& entities) {
  return head_covers(scope, uid, entities.find(uid));
}

bool covers(const Policy& policy, const Request& request, const Entities& entities) {
  return covers(policy.action, *request.action, entities) &&
         covers(policy.resource, *request.resource, entities) &&
         covers(policy.principal, *request.principal, entities);
}

Result<PolicySet> PolicySet::parse(std::string_view file, std::string_view text, Ids ids) {
  return parse({{std::string(file), std::string(text)}}, ids);
}

Result<PolicySet> PolicySet::parse(const std::vector<PolicyText>& texts, Ids ids,
                                   std::vector<TemplateLink> links) {
  PolicySet set;
  std::vector<Policy> all;
  for (const PolicyText& text : texts) {
    auto parsed = text.file.ends_with(".json")
                      ? read_policies_json(text.file, text.text, set.program_, all, links)
                      : parse_policies(text.file, text.text, ids, set.program_, all);
    if (!parsed) return fail(parsed);
  }
  if (auto finished = set.finish(std::move(all), links); !finished) return fail(finished);
  return set;
}

Result<void> PolicySet::finish(std::vector<Policy> all, const std::vector<TemplateLink>& links) {
  std::set<std::string, std::less<>> ids;
  for (Policy& policy : all) {
    ids.insert(policy.id);
    (policy.is_template() ? templates_ : policies_).push_back(std::move(policy));
  }
  for (const TemplateLink& link : links) {
    if (!ids.insert(link.id).second) {
      return fail(Errc::invalid, "policy id " + quoted(link.id) + " is used twice");
    }
    auto policy = linked(link);
    if (!policy) return fail(policy, "link " + quoted(link.id));
    policies_.push_back(std::move(*policy));
  }
  if (policies_.size() > policies_max) {
    return fail(Errc::too_large, fmt::format("more than {} policies", policies_max));
  }
  index_ = PolicyIndex(policies_);
  return ok();
}

Result<Policy> PolicySet::linked(const TemplateLink& link) {
  const auto of = std::ranges::find(templates_, link.template_id, &Policy::id);
  if (of == templates_.end()) {
    return fail(Errc::invalid, "there is no template " + quoted(link.template_id));
  }
  Policy policy = *of;
  policy.id = link.id;
  policy.template_id = link.template_id;
  const auto fill = [&](Scope& scope, const std::optional<UidText>& value,
                        std::string_view slot) -> Result<void> {
    if (scope.slot != value.has_value()) {
      return fail(Errc::invalid, fmt::format("the template has {} slot {}, the link {} a value",
                                             scope.slot ? "the" : "no", slot,
                                             value ? "gives it" : "does not give it"));
    }
    if (!value) return ok();
    scope.slot = false;
    scope.linked = true;
    scope.entity = program_.arena->uid(value->type, value->id);
    return ok();
  };
  if (auto filled = fill(policy.principal, link.principal, "?principal"); !filled) {
    return fail(filled);
  }
  if (auto filled = fill(policy.resource, link.resource, "?resource"); !filled) {
    return fail(filled);
  }
  return policy;
}

const Policy* PolicySet::find(std::string_view id) const {
  for (const std::vector<Policy>* const list : {&policies_, &templates_}) {
    const auto at = std::ranges::find(*list, id, &Policy::id);
    if (at != list->end()) return &*at;
  }
  return nullptr;
}

Answer PolicySet::authorize(const Request& request, const Entities& entities) const {
  Scratch scratch;
  return authorize(request, entities, scratch);
}

const Answer& PolicySet::authorize(const Request& request, const Entities& entities,
                                   Scratch& scratch) const {
  const KnownEntities known{entities.find(*request.principal), entities.find(*request.action),
                            entities.find(*request.resource)};
  index_.find(*request.principal, *request.action, *request.resource, known, scratch.candidates_);
  Answer& answer = scratch.answer_;
  answer.reasons.clear();
  answer.errors.clear();
  bool forbidden = false;
  for (const std::uint32_t number : scratch.candidates_) {
    evaluate(policies_[number], request, entities, known, scratch, forbidden);
  }
  answer.allowed = !forbidden && !answer.reasons.empty();
  return answer;
}

void PolicySet::evaluate(const Policy& policy, const Request& request, const Entities& entities,
                         const KnownEntities& known, Scratch& scratch, bool& forbidden) const {
  if (!head_covers(policy.action, *request.action, known.action) ||
      !head_covers(policy.resource, *request.resource, known.resource) ||
      !head_covers(policy.principal, *request.principal, known.principal)) {
    return;
  }
  Answer& answer = scratch.answer_;
  if (policy.condition) {
    scratch.arena_.reset();
    Evaluator evaluator(program_, entities, request, known, scratch.arena_);
    const Value value = evaluator.evaluate(*policy.condition);
    if (!value) answer.errors.push_back({&policy, evaluator.error()});
    if (!value || !value.as_bool()) return;
  }
  const bool is_forbid = policy.effect == Effect::forbid;
  if (is_forbid && !forbidden) {
    answer.reasons.clear();
    forbidden = true;
  }
  if (is_forbid == forbidden) answer.reasons.push_back(&policy);
}

}  // namespace sallyport::cedar

#include "cedar/authorize.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "cedar/policy_json.h"

namespace sallyport::cedar {
namespace {

constexpr std::size_t scratch_bytes = 2048;  // on the stack: most requests need no more

bool is_type(const Name& type, const EntityUid& uid) {
  return type.hash == uid.type_hash && type.text == uid.type;
}

}  // namespace

bool covers(const Scope& scope, const EntityUid& uid, const Entities& entities) {
  switch (scope.kind) {
    case Scope::Kind::any:
      return true;
    case Scope::Kind::equal:
      return uid == *scope.entity;
    case Scope::Kind::in:
      return entities.is_in(uid, *scope.entity);
    case Scope::Kind::is:
      return is_type(scope.type, uid);
    case Scope::Kind::is_in:
      return is_type(scope.type, uid) && entities.is_in(uid, *scope.entity);
  }
  return false;
}

bool covers(const ActionScope& scope, const EntityUid& uid, const Entities& entities) {
  if (scope.kind == ActionScope::Kind::any) return true;
  return std::ranges::any_of(scope.entities, [&](const EntityUid* entity) {
    return scope.kind == ActionScope::Kind::equal ? uid == *entity : entities.is_in(uid, *entity);
  });
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
  index();
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

void PolicySet::index() {
  for (std::uint32_t i = 0; i < policies_.size(); ++i) {
    const ActionScope& scope = policies_[i].action;
    if (scope.kind == ActionScope::Kind::any) any_action_.push_back(i);
    for (const EntityUid* const action : scope.entities) by_action_.push_back({action->hash, i});
  }
  std::ranges::sort(by_action_, [](const ByAction& a, const ByAction& b) {
    return a.hash != b.hash ? a.hash < b.hash : a.policy < b.policy;
  });
}

const Policy* PolicySet::find(std::string_view id) const {
  for (const std::vector<Policy>* const list : {&policies_, &templates_}) {
    const auto at = std::ranges::find(*list, id, &Policy::id);
    if (at != list->end()) return &*at;
  }
  return nullptr;
}

void PolicySet::add_candidates(std::uint64_t action_hash,
                               std::vector<std::uint32_t>& candidates) const {
  auto at = std::ranges::lower_bound(by_action_, action_hash, {}, &ByAction::hash);
  for (; at != by_action_.end() && at->hash == action_hash; ++at) candidates.push_back(at->policy);
}

Answer PolicySet::authorize(const Request& request, const Entities& entities) const {
  // Only policies whose head names this action or an ancestor of it, or no action at all.
  std::vector<std::uint32_t> candidates;
  candidates.reserve(any_action_.size() + 32);
  candidates = any_action_;
  add_candidates(request.action->hash, candidates);
  if (const Entity* const action = entities.find(*request.action)) {
    for (const EntityUid* const ancestor : action->ancestors) {
      add_candidates(ancestor->hash, candidates);
    }
  }
  std::ranges::sort(candidates);
  const auto repeated = std::ranges::unique(candidates);
  candidates.erase(repeated.begin(), repeated.end());

  alignas(16) std::array<std::byte, scratch_bytes> scratch;
  Arena arena(scratch);
  Answer answer;
  bool forbidden = false;
  for (const std::uint32_t index : candidates) {
    evaluate(index, request, entities, arena, answer, forbidden);
  }
  answer.allowed = !forbidden && !answer.reasons.empty();
  return answer;
}

void PolicySet::evaluate(std::uint32_t index, const Request& request, const Entities& entities,
                         Arena& arena, Answer& answer, bool& forbidden) const {
  const Policy& policy = policies_[index];
  if (!covers(policy, request, entities)) return;
  if (policy.condition) {
    Evaluator evaluator(program_, entities, request, arena);
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

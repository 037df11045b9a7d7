#include "cedar/policy_index.h"

#include <algorithm>
#include <bit>

namespace sallyport::cedar {

void PolicyIndex::Table::close() {
  std::ranges::sort(filed_, [](const Filed& a, const Filed& b) {
    return a.hash != b.hash ? a.hash < b.hash : a.policy < b.policy;
  });
  if (filed_.empty()) return;
  slots_.resize(std::bit_ceil(filed_.size() * 2));
  for (std::uint32_t i = 0; i < filed_.size();) {
    std::uint32_t end = i;
    while (end < filed_.size() && filed_[end].hash == filed_[i].hash) ++end;
    std::size_t at = filed_[i].hash & (slots_.size() - 1);
    while (slots_[at].count != 0) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = {filed_[i].hash, i, end - i};
    i = end;
  }
}

void PolicyIndex::Table::find(std::uint64_t hash, std::vector<std::uint32_t>& found) const {
  if (slots_.empty()) return;
  for (std::size_t at = hash & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
    const Slot& slot = slots_[at];
    if (slot.count == 0) return;
    if (slot.hash != hash) continue;
    for (std::uint32_t i = 0; i < slot.count; ++i) found.push_back(filed_[slot.begin + i].policy);
    return;
  }
}

PolicyIndex::PolicyIndex(const std::vector<Policy>& policies) {
  for (std::uint32_t i = 0; i < policies.size(); ++i) file(policies[i], i);
  for (Table* const table :
       {&principals_, &resources_, &actions_, &principal_types_, &resource_types_}) {
    table->close();
  }
}

void PolicyIndex::file(const Policy& policy, std::uint32_t number) {
  const Scope& principal = policy.principal;
  const Scope& resource = policy.resource;
  if (principal.kind == Scope::Kind::equal) return principals_.add(principal.entity->hash, number);
  if (resource.kind == Scope::Kind::equal) return resources_.add(resource.entity->hash, number);
  if (principal.entity != nullptr) return principals_.add(principal.entity->hash, number);
  if (resource.entity != nullptr) return resources_.add(resource.entity->hash, number);
  if (policy.action.kind != ActionScope::Kind::any) {
    for (const EntityUid* const action : policy.action.entities) {
      actions_.add(action->hash, number);
    }
    return;
  }
  if (principal.kind == Scope::Kind::is) return principal_types_.add(principal.type.hash, number);
  if (resource.kind == Scope::Kind::is) return resource_types_.add(resource.type.hash, number);
  rest_.push_back(number);
}

void PolicyIndex::find_below(const Table& table, const EntityUid& uid, const Entity* entity,
                             std::vector<std::uint32_t>& found) {
  if (table.empty()) return;
  table.find(uid.hash, found);
  if (entity == nullptr) return;
  for (const EntityUid* const above : entity->ancestors) table.find(above->hash, found);
}

void PolicyIndex::find(const EntityUid& principal, const EntityUid& action,
                       const EntityUid& resource, const KnownEntities& known,
                       std::vector<std::uint32_t>& found) const {
  found.assign(rest_.begin(), rest_.end());
  find_below(principals_, principal, known.principal, found);
  find_below(resources_, resource, known.resource, found);
  find_below(actions_, action, known.action, found);
  principal_types_.find(principal.type_hash, found);
  resource_types_.find(resource.type_hash, found);
  std::ranges::sort(found);
  // A policy that names several actions is found once for each.
  const auto repeated = std::ranges::unique(found);
  found.erase(repeated.begin(), repeated.end());
}

}  // namespace sallyport::cedar

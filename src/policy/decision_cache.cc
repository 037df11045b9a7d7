#include "policy/decision_cache.h"

#include <algorithm>

#include "base/check.h"
#include "base/metrics.h"
#include "policy/decision_key.h"

namespace sallyport::policy {
namespace {

metrics::Counter& counter(std::string_view result) {
  return metrics::counter("sallyport_decision_cache_total",
                          "Decisions by where they came from: hit, the cache; miss, the policies; "
                          "uncached, the policies, and not kept as a policy reads what is new "
                          "with every command, or as it is too large.",
                          {{"result", std::string(result)}});
}

struct Metrics {
  metrics::Counter& hit = counter("hit");
  metrics::Counter& miss = counter("miss");
  metrics::Counter& uncached = counter("uncached");
};

Metrics& counters() {
  static Metrics metrics;
  return metrics;
}

/// Made by the policies, and by all that they say.
bool may_be_kept(const Decision& decision) {
  return !decision.answers.empty() &&
         std::ranges::all_of(decision.answers,
                             [](const Answer& answer) { return answer.errors.empty(); });
}

/// About what it takes: the texts, and what holds them.
std::size_t bytes_of(const std::string& text) {
  return sizeof text + text.size();
}

std::size_t bytes_of(const Decision& decision) {
  std::size_t bytes = sizeof decision + decision.reason.size();
  for (const Answer& answer : decision.answers) {
    bytes += sizeof answer + answer.principal.size() + answer.action.name.size() +
             answer.action.resource.type.size() + answer.action.resource.id.size();
    for (const std::string& policy : answer.policies) bytes += bytes_of(policy);
  }
  return bytes;
}

constexpr std::size_t entry_bytes = 192;  // its nodes in the list and the table

}  // namespace

DecisionCache::DecisionCache(std::size_t entries_max, std::size_t bytes_max)
    : entries_max_(entries_max), bytes_max_(bytes_max) {}

std::shared_ptr<const Decision> DecisionCache::decide(
    const std::shared_ptr<const Policies>& policies, const Session& session, const Command& command,
    WallTime now) {
  if (policies != policies_) start_over(policies);
  const KeyPlan& plan = policies->key_plan();
  const bool has_key =
      !plan.is_always_new(session, command) && make_key(session, command, now, plan.paths());
  if (has_key) {
    if (const auto found = by_key_.find(key_); found != by_key_.end()) {
      ++hits_;
      counters().hit.add();
      entries_.splice(entries_.begin(), entries_, found->second);
      return entries_.front().decision;
    }
  }
  ++misses_;
  (has_key ? counters().miss : counters().uncached).add();
  auto decision =
      std::make_shared<const Decision>(policies->decide(session, command, now, scratch_));
  if (has_key && may_be_kept(*decision)) keep(key_, decision);
  return decision;
}

DecisionCache::Fixed::Fixed(DecisionCache& cache, const Session& session)
    : cache_(cache), session_(session) {
  SALLYPORT_CHECK(cache.fixed_.try_emplace(&session).second);
}

/// Into key_. The first byte keeps the two kinds apart.
bool DecisionCache::make_key(const Session& session, const Command& command, WallTime now,
                             const std::vector<cedar::ContextPath>& paths) {
  const auto fixed = fixed_.find(&session);
  if (fixed == fixed_.end()) {
    key_.assign(1, '\0');
    return add_session(session, now, paths, key_) && add_command(command, paths, key_);
  }
  if (!fixed->second) {
    key_.clear();
    if (!add_session(session, now, paths, key_)) return false;
    fixed->second = sha256(as_bytes(key_));
  }
  key_.assign(1, '\1');
  key_ += as_text(*fixed->second);
  return add_command(command, paths, key_);
}

void DecisionCache::start_over(const std::shared_ptr<const Policies>& policies) {
  by_key_.clear();
  entries_.clear();
  bytes_ = 0;
  for (auto& [session, common] : fixed_) common.reset();
  policies_ = policies;
}

void DecisionCache::keep(std::string key, std::shared_ptr<const Decision> decision) {
  const std::size_t bytes = entry_bytes + key.size() + bytes_of(*decision);
  if (bytes > bytes_max_ / 8) return;
  bytes_ += bytes;
  entries_.push_front({.key = std::move(key), .decision = std::move(decision), .bytes = bytes});
  by_key_.emplace(entries_.front().key, entries_.begin());
  while (entries_.size() > entries_max_ || bytes_ > bytes_max_) {
    bytes_ -= entries_.back().bytes;
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

}  // namespace sallyport::policy

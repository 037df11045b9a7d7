#include "policy/what_if.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "policy/asking.h"

namespace sallyport::policy {
namespace {

constexpr std::chrono::minutes what_if_ttl{1};

/// Above any that a policy asks for.
constexpr std::uint32_t what_if_quorum = 1'000'000;

/// Or runs what the actions do not tell, so that another text of the same actions does anything.
bool is_administrative(const Action& action) {
  constexpr std::string_view names[] = {"sql:create",    "sql:alter", "sql:drop",
                                        "sql:grant",     "sql:set",   "sql:copy_file",
                                        "sql:replicate", "sql:call",  "sql:truncate"};
  return std::ranges::find(names, action.name) != std::ranges::end(names);
}

bool has(const std::vector<std::string>& ids, const std::string& id) {
  return std::ranges::find(ids, id) != ids.end();
}

/// Policies that changed an answer: a permit that came to hold, a forbid that no longer does.
void add_difference(const Answer& no, const Answer& yes, std::vector<std::string>& ids) {
  const auto add = [&](const std::vector<std::string>& from, const std::vector<std::string>& but) {
    for (const std::string& id : from) {
      if (!has(but, id) && !has(ids, id)) ids.push_back(id);
    }
  };
  if (no.allowed) return;
  add(no.policies, {});  // the forbids: an answer of yes has none
  add(yes.policies, no.policies);
}

/// Where those send whoever asks. Empty if one of them that looks at approvals names nobody, or
/// none of them does.
std::vector<Route> routes_of(const std::vector<std::string>& ids,
                             std::span<const ApprovalPolicy> policies) {
  std::vector<Route> routes;
  for (const ApprovalPolicy& each : policies) {
    if (!has(ids, each.route.policy)) continue;
    if (each.route.approvers.empty()) return {};
    routes.push_back(each.route);
  }
  return routes;
}

class WhatIf {
 public:
  WhatIf(const Command& command, WallTime now, const Decision& denied,
         std::span<const ApprovalPolicy> policies,
         const std::function<Decision(const Approval&)>& decide)
      : command_(command), now_(now), denied_(denied), policies_(policies), decide_(decide) {}

  std::optional<Hold> answer() const {
    std::optional<Hold> once = with("statement");
    for (const std::string_view kind : {"list", "window"}) {
      const bool asked = !once || std::ranges::all_of(once->routes, [&](const Route& route) {
        return route.mode == kind;
      });
      if (!asked) continue;
      if (std::optional<Hold> open = with(kind)) return open;
    }
    return once;
  }

 private:
  std::optional<Hold> with(std::string_view kind) const {
    const std::string_view hash = approval_hash(command_.context);
    if (kind != "window" && hash.empty()) return std::nullopt;
    if (kind == "window" && std::ranges::any_of(command_.actions, is_administrative)) {
      return std::nullopt;
    }
    const Approval approval{.id = "what-if",
                            .kind = std::string(kind),
                            .quorum = what_if_quorum,
                            .bound_hash = std::string(kind != "window" ? hash : ""),
                            .expires = now_ + what_if_ttl};
    const Decision allowed = decide_(approval);
    if (allowed.verdict != Verdict::allow) return std::nullopt;
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < denied_.answers.size(); ++i) {
      add_difference(denied_.answers[i], allowed.answers[i], ids);
    }
    Hold hold{.kind = std::string(kind), .routes = routes_of(ids, policies_)};
    if (hold.routes.empty()) return std::nullopt;
    return hold;
  }

  const Command& command_;
  WallTime now_;
  const Decision& denied_;
  std::span<const ApprovalPolicy> policies_;
  const std::function<Decision(const Approval&)>& decide_;
};

}  // namespace

std::optional<Hold> what_if(const Command& command, WallTime now, const Decision& denied,
                            std::span<const ApprovalPolicy> policies,
                            const std::function<Decision(const Approval&)>& decide) {
  return WhatIf(command, now, denied, policies, decide).answer();
}

std::string why_held(const Decision& denied, const Hold& hold) {
  std::string who;
  for (const Route& route : hold.routes) {
    if (!who.empty()) who += " and ";
    who += who_approves(route);
  }
  return fmt::format("{} without an approval by {}", may_not(*denied.refused()), who);
}

}  // namespace sallyport::policy

#include "policy/routes.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/numbers.h"
#include "cedar/context_paths.h"
#include "cedar/extension.h"
#include "cedar/hint.h"

namespace sallyport::policy {
namespace {

using cedar::Annotation;
using cedar::Finding;

/// Those that need an approval to route.
constexpr std::array<std::string_view, 4> of_approvals{"approvers", "quorum", "ttl", "mode"};

bool reads_approval(const cedar::PolicySet& set, const cedar::Policy& policy) {
  return std::ranges::any_of(cedar::context_paths(set, policy), [](const cedar::ContextPath& path) {
    return path.names.empty() || path.names.front() == "approval";
  });
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

class Reader {
 public:
  Reader(const cedar::PolicySet& set, const cedar::Policy& policy, cedar::Validation& findings)
      : set_(set), policy_(policy), findings_(findings), route_{.policy = policy.id} {}

  Route read(bool reads_approval) {
    for (const Annotation& annotation : policy_.annotations) {
      if (std::ranges::find(of_approvals, annotation.name) != of_approvals.end()) {
        if (!reads_approval) {
          error(annotation,
                fmt::format("@{} on a policy that does not look at context.approval: it applies "
                            "without one",
                            annotation.name),
                "annotations route, they never protect: add `context has approval && ...`");
        } else {
          value(annotation);
        }
      } else if (annotation.name == "alert") {
        route_.alert = annotation.value;
      } else if (annotation.name == "review") {
        route_.review = annotation.value;
        if (!seconds(annotation)) error(annotation, "@review is a time such as \"24h\"");
      } else {
        misspelt(annotation);
      }
    }
    if (reads_approval && route_.approvers.empty()) {
      findings_.warnings.push_back(
          cedar::finding(set_, policy_, Finding::Kind::annotation, {},
                         "it looks at context.approval, and nobody is named who may give one",
                         "add @approvers(\"some-group\")"));
    }
    return std::move(route_);
  }

 private:
  void error(const Annotation& annotation, std::string message, std::string hint = {}) {
    findings_.errors.push_back(cedar::finding(set_, policy_, Finding::Kind::annotation,
                                              annotation.at, std::move(message), std::move(hint)));
  }

  void value(const Annotation& annotation) {
    if (annotation.name == "approvers") return approvers(annotation);
    if (annotation.name == "quorum") {
      const auto number = parse_number<std::uint32_t>(annotation.value);
      if (!number || *number == 0 || *number > quorum_max) {
        return error(annotation, fmt::format("@quorum is a number from 1 to {}", quorum_max));
      }
      route_.quorum = *number;
    } else if (annotation.name == "ttl") {
      const auto ttl = seconds(annotation);
      if (!ttl) return error(annotation, "@ttl is a time such as \"30m\", of at most 30 days");
      route_.ttl = *ttl;
    } else if (annotation.value == "statement" || annotation.value == "list" ||
               annotation.value == "window") {
      route_.mode = annotation.value;
    } else {
      error(annotation, "@mode is \"statement\", \"list\" or \"window\"");
    }
  }

  void approvers(const Annotation& annotation) {
    std::string_view rest = annotation.value;
    while (true) {
      const std::size_t comma = rest.find(',');
      const std::string_view group = trimmed(rest.substr(0, comma));
      if (group.empty() || route_.approvers.size() == approvers_max) {
        return error(annotation, "@approvers is a group, or several with commas between them");
      }
      route_.approvers.emplace_back(group);
      if (comma == std::string_view::npos) return;
      rest = rest.substr(comma + 1);
    }
  }

  static std::optional<std::chrono::seconds> seconds(const Annotation& annotation) {
    const auto ms = cedar::parse_duration(annotation.value);
    const std::chrono::milliseconds time(ms ? *ms : 0);
    if (time < std::chrono::seconds(1) || time > route_ttl_max) return std::nullopt;
    return std::chrono::duration_cast<std::chrono::seconds>(time);
  }

  void misspelt(const Annotation& annotation) {
    // Short names are near to too many words.
    const std::vector<std::string_view> known{"approvers", "quorum", "review"};
    if (annotation.name.size() < 5) return;
    const std::string hint = cedar::did_you_mean(annotation.name, known);
    if (hint.empty()) return;
    findings_.warnings.push_back(
        cedar::finding(set_, policy_, Finding::Kind::annotation, annotation.at,
                       fmt::format("nothing reads @{}", annotation.name), hint));
  }

  const cedar::PolicySet& set_;
  const cedar::Policy& policy_;
  cedar::Validation& findings_;
  Route route_;
};

}  // namespace

std::vector<ApprovalPolicy> approval_policies(const cedar::PolicySet& set,
                                              cedar::Validation& findings) {
  std::vector<ApprovalPolicy> all;
  for (const cedar::Policy& policy : set.policies()) {
    const bool reads = reads_approval(set, policy);
    Route route = Reader(set, policy, findings).read(reads);
    if (reads) all.push_back({&policy, std::move(route)});
  }
  return all;
}

std::string who_approves(const Route& route) {
  return fmt::format("{} of {}", route.quorum, fmt::join(route.approvers, " or "));
}

}  // namespace sallyport::policy

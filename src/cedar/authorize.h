#pragma once
// A policy set and the question put to it, with Cedar's own answer: any satisfied forbid denies,
// else any satisfied permit allows, else deny. A policy whose evaluation fails is skipped and
// reported; who wants failures to deny looks at `errors`.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cedar/entities.h"
#include "cedar/evaluate.h"
#include "cedar/parser.h"
#include "cedar/policy_index.h"
#include "cedar/program.h"

namespace sallyport::cedar {

struct EvaluationError {
  const Policy* policy = nullptr;
  std::string message;
};

/// Valid as long as the PolicySet that gave it.
struct Answer {
  bool allowed = false;
  /// Allowed: the satisfied permits. Denied: the satisfied forbids. In the order of the set.
  std::vector<const Policy*> reasons;
  std::vector<EvaluationError> errors;
};

/// The memory that answers are made in. Whoever asks again and again keeps one, and asking then
/// allocates nothing. Not for two threads at a time.
class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

 private:
  friend class PolicySet;
  std::vector<std::uint32_t> candidates_;
  Answer answer_;
  alignas(16) std::array<std::byte, 4096> bytes_;
  Arena arena_{bytes_};
};

/// A policy made of a template: the entities that its slots stand for. A value for each slot that
/// the template has, and no other.
struct TemplateLink {
  std::string template_id;
  std::string id;  // of the policy that is made
  std::optional<UidText> principal;
  std::optional<UidText> resource;
};

/// Immutable: any number of threads may ask at once.
class PolicySet {
 public:
  /// Fails on the first error, with its file:line:column.
  static Result<PolicySet> parse(std::string_view file, std::string_view text,
                                 Ids ids = Ids::by_position);
  /// One set of several texts; ids are unique over all of them. A file whose name ends with .json
  /// is read as JSON (policy_json.h), whose links count too.
  static Result<PolicySet> parse(const std::vector<PolicyText>& texts,
                                 Ids ids = Ids::from_annotation,
                                 std::vector<TemplateLink> links = {});

  Answer authorize(const Request& request, const Entities& entities) const;
  /// The answer is in `scratch`, until it is used again.
  const Answer& authorize(const Request& request, const Entities& entities, Scratch& scratch) const;

  /// What decides: static policies and links.
  const std::vector<Policy>& policies() const { return policies_; }
  const std::vector<Policy>& templates() const { return templates_; }
  /// The policy or template of that id, or null.
  const Policy* find(std::string_view id) const;
  const Program& program() const { return program_; }

 private:
  Result<void> finish(std::vector<Policy> all, const std::vector<TemplateLink>& links);
  Result<Policy> linked(const TemplateLink& link);
  void evaluate(const Policy& policy, const Request& request, const Entities& entities,
                const KnownEntities& known, Scratch& scratch, bool& forbidden) const;

  Program program_;
  std::vector<Policy> policies_;
  std::vector<Policy> templates_;
  PolicyIndex index_;
};

/// Whether one part of a head covers that entity.
bool covers(const Scope& scope, const EntityUid& uid, const Entities& entities);
bool covers(const ActionScope& scope, const EntityUid& uid, const Entities& entities);
/// Whether the head of `policy` (everything but its conditions) covers the request.
bool covers(const Policy& policy, const Request& request, const Entities& entities);

}  // namespace sallyport::cedar

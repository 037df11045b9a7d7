#pragma once
// The policies in force: an immutable snapshot that decides on the commands of a session. Any
// number of threads may ask one snapshot at once; a reload makes a new one.
//
// Stricter than plain Cedar: an evaluation error, an action or resource that the schema does not
// know, a chain or address that makes no sense, and a command without actions all deny.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cedar/authorize.h"
#include "cedar/schema.h"
#include "cedar/validate.h"
#include "core/model.h"
#include "policy/connection_facts.h"
#include "policy/decision_key.h"
#include "policy/routes.h"

namespace sallyport::policy {

constexpr std::size_t actions_max = 4'096;  // of one command
constexpr std::size_t groups_max = 1'024;   // of one identity
constexpr std::size_t chain_max = 16;

/// The schema of the product: policies/schema.cedarschema, built in.
std::string_view builtin_schema();

class Policies {
 public:
  /// From the texts of policy files. A policy's id is its @id, or its place. Fails on the first
  /// syntax error, on all errors of strict validation against the schema (each with
  /// file:line:column, the place underlined and a hint), on a classification that cannot match.
  /// What is wrong in one policy refuses the set whole.
  static Result<std::shared_ptr<const Policies>> make(const std::vector<cedar::PolicyText>& texts,
                                                      std::vector<ConnectionFacts> connections,
                                                      std::string tenant = "default");

  ~Policies();
  Policies(const Policies&) = delete;

  /// One answer for each agent of the chain to `act_for` the subject, then one for each identity
  /// and each action. Allowed only when all answers are yes. Never fails: what cannot be decided
  /// is denied, and the reason says why.
  /// Held where an approval is all that is missing, and somebody may give it.
  Decision decide(const Session& session, const Command& command, WallTime now) const;
  /// The same, in memory that is used again: for who decides all day (decision_cache.h). With
  /// `approval` in the context, if it is not null; then nothing is held.
  Decision decide(const Session& session, const Command& command, WallTime now,
                  cedar::Scratch& scratch, const Approval* approval = nullptr) const;

  /// False when no permit's head, whatever its conditions, could let the whole chain change
  /// anything on the session's connection.
  bool may_write(const Session& session) const;

  /// Names this set of policies, schema and facts: the same contents have the same epoch anywhere.
  std::uint64_t epoch() const { return epoch_; }
  const std::string& tenant() const { return tenant_; }
  const cedar::PolicySet& set() const { return set_; }
  const cedar::Schema& schema() const { return schema_; }
  /// What the validation found that is no error: policies that can never apply, and such.
  const std::vector<cedar::Finding>& warnings() const { return warnings_; }
  const ConnectionFacts* connection(std::string_view name) const;
  /// What a decision depends on beside chain and actions.
  const KeyPlan& key_plan() const { return key_plan_; }

 private:
  Policies(cedar::PolicySet set, cedar::Schema schema, std::vector<ConnectionFacts> connections,
           std::string tenant);

  Result<void> build_shared_entities();

  bool may_be_held(const Command& command) const;

  cedar::PolicySet set_;
  std::vector<ApprovalPolicy> approval_policies_;
  std::vector<cedar::Finding> warnings_;
  cedar::Schema schema_;
  std::map<std::string, ConnectionFacts, std::less<>> connections_;
  std::string tenant_;
  std::uint64_t epoch_ = 0;
  KeyPlan key_plan_;
  cedar::Entities shared_;  // actions, tenant, connections, their groups, classifications
};

}  // namespace sallyport::policy

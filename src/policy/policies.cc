#include "policy/policies.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/crypto.h"
#include "cedar/conform.h"
#include "core/resource_id.h"
#include "policy/command_entities.h"
#include "policy/decision_key.h"

namespace sallyport::policy {
namespace {

/// A digest of everything that decides, so that a record says by which policies it was made.
std::uint64_t epoch_of(const std::vector<cedar::PolicyText>& texts,
                       const std::vector<ConnectionFacts>& connections, std::string_view tenant) {
  Sha256 digest;
  const auto add = [&](std::string_view text) {
    digest.update(as_bytes(std::to_string(text.size()) + ":"));
    digest.update(as_bytes(text));
  };
  add(builtin_schema());
  add(tenant);
  for (const cedar::PolicyText& text : texts) add(text.text);
  for (const ConnectionFacts& facts : connections) {
    add(facts.name);
    add(facts.protocol);
    add(facts.env);
    for (const auto& [key, value] : facts.tags) add(key + "=" + value);
    for (const std::string& group : facts.resource_groups) add("group " + group);
    for (const auto& rule : facts.classification) add(rule.pattern + " " + rule.classification);
    for (const auto& [classification, mask] : facts.masks) add(classification + " " + mask);
    for (const auto& rule : facts.row_filters) {
      add(rule.table + " " + rule.name);
      add(rule.condition);
    }
    add(fmt::format("{} rows, {} bytes", facts.answer_limits.rows_max,
                    facts.answer_limits.bytes_max));
  }
  // 53 bits: whole in every JSON reader.
  return read_u64(digest.finish()) >> 11;
}

constexpr std::size_t errors_shown_max = 20;

/// All that is wrong, one below the other.
std::unexpected<Error> refuse(const std::vector<cedar::Finding>& errors) {
  std::string detail;
  for (std::size_t i = 0; i < std::min(errors.size(), errors_shown_max); ++i) {
    if (i > 0) detail += "\n";
    detail += errors[i].to_string();
  }
  if (errors.size() > errors_shown_max) {
    detail += fmt::format("\nand {} more errors", errors.size() - errors_shown_max);
  }
  return fail(Errc::invalid, std::move(detail));
}

}  // namespace

Policies::Policies(cedar::PolicySet set, cedar::Schema schema,
                   std::vector<ConnectionFacts> connections, std::string tenant)
    : set_(std::move(set)), schema_(std::move(schema)), tenant_(std::move(tenant)) {
  for (ConnectionFacts& facts : connections) {
    std::string name = facts.name;
    connections_.emplace(std::move(name), std::move(facts));
  }
}

Policies::~Policies() = default;

Result<std::shared_ptr<const Policies>> Policies::make(const std::vector<cedar::PolicyText>& texts,
                                                       std::vector<ConnectionFacts> connections,
                                                       std::string tenant) {
  auto schema = cedar::Schema::parse("schema.cedarschema", builtin_schema());
  if (!schema) return fail(schema);
  auto set = cedar::PolicySet::parse(texts, cedar::Ids::from_annotation);
  if (!set) return fail(set);
  for (const ConnectionFacts& facts : connections) {
    // Of HTTP they are paths of JSON, which whoever masks by them has read.
    const bool columns = facts.protocol != "http";
    for (const ClassificationRule& rule : facts.classification) {
      if (!columns) break;
      if (auto checked = check_rule(rule); !checked) return fail(checked, facts.name);
    }
    for (const RowFilterRule& rule : facts.row_filters) {
      if (auto checked = check_filter(rule); !checked) return fail(checked, facts.name);
    }
  }
  const std::uint64_t epoch = epoch_of(texts, connections, tenant);
  const std::size_t count = connections.size();
  std::shared_ptr<Policies> policies(
      new Policies(std::move(*set), std::move(*schema), std::move(connections), std::move(tenant)));
  policies->epoch_ = epoch;
  if (policies->connections_.size() != count) {
    return fail(Errc::invalid, "two connections have the same name");
  }
  cedar::Validation found = cedar::validate(policies->set_, policies->schema_);
  policies->approval_policies_ = approval_policies(policies->set_, found);
  if (!found.ok()) return refuse(found.errors);
  policies->warnings_ = std::move(found.warnings);
  if (auto built = policies->build_shared_entities(); !built) return fail(built);
  policies->key_plan_ = KeyPlan(policies->set_, policies->schema_, policies->shared_);
  return policies;
}

const ConnectionFacts* Policies::connection(std::string_view name) const {
  const auto at = connections_.find(name);
  return at == connections_.end() ? nullptr : &at->second;
}

Result<void> Policies::build_shared_entities() {
  cedar::EntityBuilder builder;
  cedar::Arena& arena = builder.arena();
  schema_.add_actions(builder);
  const cedar::EntityUid* const tenant = arena.uid("Tenant", tenant_);
  builder.add(tenant, {}, {});
  std::set<std::string> groups;
  std::set<std::string> labels;
  for (const auto& [name, facts] : connections_) {
    add_connection(builder, facts, tenant_);
    groups.insert(facts.resource_groups.begin(), facts.resource_groups.end());
    for (const ClassificationRule& rule : facts.classification) {
      for (std::string& label : classification_path(rule.classification)) {
        labels.insert(std::move(label));
      }
    }
  }
  for (const std::string& group : groups) {
    builder.add(arena.uid("ResourceGroup", group), std::span(&tenant, 1), {});
  }
  for (const std::string& label : labels) {
    std::vector<const cedar::EntityUid*> parents;
    if (const std::size_t dot = label.rfind('.'); dot != std::string::npos) {
      parents.push_back(arena.uid("Classification", label.substr(0, dot)));
    }
    builder.add(arena.uid("Classification", label), parents, {});
  }
  auto store = builder.finish();
  if (!store) return fail(store);
  if (auto misfit = cedar::misfit(*store, schema_)) return fail(Errc::invalid, std::move(*misfit));
  shared_ = std::move(*store);
  return ok();
}

}  // namespace sallyport::policy

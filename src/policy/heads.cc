#include "policy/heads.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/resource_id.h"

namespace sallyport::policy {
namespace {

using cedar::EntityUid;
using cedar::Scope;

/// The edits between two words (Levenshtein), for a hint.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row[b.size()];
}

/// " (hint: did you mean X?)" or nothing.
template <class Items, class Name>
std::string nearest(std::string_view word, const Items& items, Name name) {
  std::string_view best;
  std::size_t best_distance = 4;  // further away is no hint
  if (word.size() > 64) return {};
  for (const auto& item : items) {
    const std::size_t edits = distance(word, name(item));
    if (edits >= best_distance) continue;
    best = name(item);
    best_distance = edits;
  }
  return best.empty() ? std::string() : fmt::format(" (hint: did you mean {}?)", best);
}

std::unexpected<Error> wrong(const cedar::Policy& policy, std::string_view what) {
  return fail(Errc::invalid, fmt::format("{}:{}:{}: policy {}: {}", policy.file, policy.line,
                                         policy.column, cedar::quoted(policy.id), what));
}

Result<void> check_type(const cedar::Policy& policy, std::string_view type,
                        const cedar::Schema& schema) {
  if (schema.entity(type) != nullptr) return ok();
  const std::string hint = nearest(type, schema.entities(), [](const cedar::EntityType& entity) {
    return std::string_view(entity.name);
  });
  return wrong(policy, fmt::format("the schema has no entity type {}{}", type, hint));
}

Result<void> check_scope(const cedar::Policy& policy, const Scope& scope,
                         const cedar::Schema& schema) {
  if (scope.entity != nullptr) {
    if (auto checked = check_type(policy, scope.entity->type, schema); !checked) return checked;
  }
  const bool typed = scope.kind == Scope::Kind::is || scope.kind == Scope::Kind::is_in;
  return typed ? check_type(policy, scope.type.text, schema) : ok();
}

Result<void> check_action(const cedar::Policy& policy, const EntityUid& action,
                          const cedar::Schema& schema) {
  if (schema.action(action.type, action.id) != nullptr) return ok();
  const std::string hint = nearest(action.id, schema.actions(), [](const cedar::ActionType& known) {
    return std::string_view(known.id);
  });
  return wrong(policy,
               fmt::format("the schema has no action {}{}", cedar::quoted(action.id), hint));
}

bool is_sql_resource(std::string_view type) {
  return type == "Database" || type == "DbSchema" || type == "Table" || type == "Column" ||
         type == "Routine";
}

/// Whether something SQL can write to on the connection is, or could be, in `entity`.
bool holds_some(const EntityUid& entity, std::string_view connection,
                const cedar::Entities& entities) {
  if (entity.type == "Connection" || is_sql_resource(entity.type)) {
    return resource_parts(entity.id)[0] == resource_part(connection);
  }
  if (entity.type == "Classification") return true;
  const std::string id = resource_part(connection);
  return entities.is_in(cedar::make_uid("Connection", id), entity);
}

}  // namespace

Result<void> check_heads(const cedar::PolicySet& set, const cedar::Schema& schema) {
  for (const cedar::Policy& policy : set.policies()) {
    if (auto checked = check_scope(policy, policy.principal, schema); !checked) return checked;
    if (auto checked = check_scope(policy, policy.resource, schema); !checked) return checked;
    for (const EntityUid* const action : policy.action.entities) {
      if (auto checked = check_action(policy, *action, schema); !checked) return checked;
    }
  }
  return ok();
}

bool names_a_write(const cedar::ActionScope& scope, const cedar::Schema& schema,
                   const cedar::Entities& entities) {
  const EntityUid any = cedar::make_uid("Action", "sql:any");
  const EntityUid read = cedar::make_uid("Action", "sql:read");
  return std::ranges::any_of(schema.actions(), [&](const cedar::ActionType& action) {
    const EntityUid uid = cedar::make_uid(action.type, action.id);
    return !action.resources.empty() && entities.is_in(uid, any) && !entities.is_in(uid, read) &&
           cedar::covers(scope, uid, entities);
  });
}

bool reaches(const Scope& resource, std::string_view connection, const cedar::Entities& entities) {
  switch (resource.kind) {
    case Scope::Kind::any:
      return true;
    case Scope::Kind::equal:
      return is_sql_resource(resource.entity->type) &&
             holds_some(*resource.entity, connection, entities);
    case Scope::Kind::in:
      return holds_some(*resource.entity, connection, entities);
    case Scope::Kind::is:
      return is_sql_resource(resource.type.text);
    case Scope::Kind::is_in:
      return is_sql_resource(resource.type.text) &&
             holds_some(*resource.entity, connection, entities);
  }
  return true;
}

}  // namespace sallyport::policy

#include "policy/heads.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/resource_id.h"

namespace sallyport::policy {
namespace {

using cedar::EntityUid;
using cedar::Scope;

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

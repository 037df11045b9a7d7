// Any bytes as entities and as a context, without a schema and with one. What is read has a
// hierarchy that holds together, and can be checked and asked about.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "cedar/authorize.h"
#include "cedar/conform.h"
#include "cedar/json.h"

using namespace sallyport::cedar;

namespace {

const Schema& schema() {
  static const Schema made = *Schema::parse("schema", R"(
      entity Group in [Group];
      entity Color enum ["red", "green"];
      entity User in [Group] = {
        name?: String, level: Long, ip?: ipaddr, price?: decimal, at?: datetime, age?: duration,
        boss?: User, colors?: Set<Color>, address?: {street?: String, zip: Long}
      } tags Set<String>;
      action read;
      action view in [read] appliesTo {
        principal: User, resource: [User, Group],
        context: {ip?: ipaddr, at?: datetime, who?: User, list?: Set<Long>}
      };)");
  return made;
}

const PolicySet& policies() {
  static const PolicySet made = *PolicySet::parse("policies", R"(
      permit (principal in Group::"g", action, resource) when {
        principal.level > 1 && principal has address.zip && principal.hasTag("t") &&
        principal.getTag("t").contains("a") && context has ip && context.ip.isLoopback() };
      forbid (principal, action, resource) when {
        principal has boss && principal.boss in resource && [principal, resource].contains(principal) };)");
  return made;
}

void use(const Entities& entities, const Value& context) {
  for (const Entity& entity : entities.entities()) {
    SALLYPORT_CHECK(entities.find(*entity.uid) == &entity);
    SALLYPORT_CHECK(entities.is_in(*entity.uid, *entity.uid));
    for (const EntityUid* const ancestor : entity.ancestors) {
      SALLYPORT_CHECK(entities.is_in(*entity.uid, *ancestor));
    }
    (void)misfit(entity, schema());
  }
  if (entities.entities().empty()) return;
  const Request request{entities.entities().front().uid, entities.entities().back().uid,
                        entities.entities().back().uid, context};
  (void)misfit(request, schema());
  (void)policies().authorize(request, entities);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Arena arena;
  const ActionType* const view = schema().action("Action", "view");
  const auto typed = value_from_json(text, arena, &view->context);
  const auto plain = value_from_json(text, arena);
  const Value context = typed && typed->kind() == Kind::record   ? *typed
                        : plain && plain->kind() == Kind::record ? *plain
                                                                 : arena.record({});
  if (const auto entities = entities_from_json(text)) use(*entities, context);
  if (const auto entities = entities_from_json(text, &schema())) {
    // What the schema made readable is what it says, but for what conformance alone looks at.
    use(*entities, context);
  }
  return 0;
}

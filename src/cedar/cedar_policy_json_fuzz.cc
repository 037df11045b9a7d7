// Any bytes as JSON policies. What is read says the same after a way through JSON, and can be
// written as text, checked against a schema and asked.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "cedar/policy_json.h"
#include "cedar/validate.h"

using namespace sallyport::cedar;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto set = PolicySet::parse({{"fuzz.json", std::string(text)}});
  if (!set) return 0;
  const std::string json = to_json(*set);
  const auto again = PolicySet::parse({{"again.json", json}});
  // One level of `&&` in a chain is more in JSON than in the tree, so a deep one may be refused.
  if (again) SALLYPORT_CHECK(to_json(*again) == json);
  for (const Policy& policy : set->policies()) (void)to_text(policy, set->program());
  static const Schema schema = *Schema::parse(
      "schema",
      "entity A in [A] = {a?: A, b: Long} tags String; action x appliesTo {principal: A, "
      "resource: A, context: {c?: Set<String>}};");
  (void)validate(*set, schema);
  Arena arena;
  const Request request{arena.uid("A", "a"), arena.uid("Action", "x"), arena.uid("A", "b"),
                        arena.record({})};
  (void)set->authorize(request, Entities());
  return 0;
}

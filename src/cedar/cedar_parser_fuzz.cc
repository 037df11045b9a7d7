// Any bytes as policies. What parses is evaluated, checked, formatted (twice, to the same) and
// written as text and JSON that say the same.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "cedar/format.h"
#include "cedar/policy_json.h"
#include "cedar/validate.h"

using namespace sallyport::cedar;

namespace {

std::string json_of(const std::vector<Policy>& policies, const Program& program) {
  std::string json;
  for (const Policy& policy : policies) json += to_json(policy, program) + "\n";
  return json;
}

void check_formatting(std::string_view text, const PolicySet& set) {
  const auto formatted = format_policies("fuzz", text);
  SALLYPORT_CHECK(formatted.has_value());
  const auto again = format_policies("fuzz", *formatted);
  SALLYPORT_CHECK(again && *again == *formatted);
  const auto same = PolicySet::parse("fuzz", *formatted);
  SALLYPORT_CHECK(same && json_of(same->policies(), same->program()) ==
                              json_of(set.policies(), set.program()));
}

void check_writing(const PolicySet& set) {
  std::string text;
  for (const Policy& policy : set.policies()) text += to_text(policy, set.program()) + "\n";
  const auto same = PolicySet::parse("fuzz", text);
  // Parentheses that were not there may be one too many for the limit on nesting.
  if (!same) return;
  SALLYPORT_CHECK(json_of(same->policies(), same->program()) ==
                  json_of(set.policies(), set.program()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)parse_uid(text);
  const auto set = PolicySet::parse("fuzz", text);
  if (!set) return 0;
  check_formatting(text, *set);
  check_writing(*set);
  static const Schema schema = *Schema::parse(
      "schema",
      "entity User in [User] = {a?: User, b: Long} tags String; entity Doc; action view appliesTo "
      "{principal: User, resource: [User, Doc], context: {c?: Set<String>}};");
  (void)validate(*set, schema);
  Arena arena;
  const Request request{arena.uid("User", "alice"), arena.uid("Action", "view"),
                        arena.uid("Doc", "d"), arena.record({})};
  (void)set->authorize(request, Entities());
  return 0;
}

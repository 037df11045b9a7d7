// Any bytes as a schema in its JSON form. What is read is used as a caller would: entities and
// policies are checked against it, and reading it again gives the same.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "cedar/conform.h"
#include "cedar/validate.h"

using namespace sallyport::cedar;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto schema = Schema::parse_json("fuzz", text);
  if (!schema) return 0;
  EntityBuilder builder;
  schema->add_actions(builder);
  const auto actions = builder.finish();
  SALLYPORT_CHECK(actions && !misfit(*actions, *schema));
  const auto again = Schema::parse_json("fuzz", text);
  SALLYPORT_CHECK(again && again->entities().size() == schema->entities().size());
  for (std::size_t i = 0; i < schema->entities().size(); ++i) {
    SALLYPORT_CHECK(schema->entities()[i].shape.to_string() ==
                    again->entities()[i].shape.to_string());
  }
  static const PolicySet set = *PolicySet::parse(
      "fuzz",
      "permit (principal, action, resource) when { context has a.b && principal == resource };");
  (void)validate(set, *schema);
  return 0;
}

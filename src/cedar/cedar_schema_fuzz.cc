// Any bytes as a schema, in both forms. Whatever is read is used as a caller would.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cedar/schema.h"

using namespace sallyport::cedar;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool json : {false, true}) {
    const auto schema = json ? Schema::parse_json("fuzz", text) : Schema::parse("fuzz", text);
    if (!schema) continue;
    EntityBuilder builder;
    schema->add_actions(builder);
    (void)builder.finish();
    for (const EntityType& type : schema->entities()) (void)type.shape.to_string();
  }
  return 0;
}

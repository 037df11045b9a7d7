// Any bytes as policies, as a schema and as entities; what parses is evaluated.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cedar/authorize.h"
#include "cedar/json.h"

using namespace sallyport::cedar;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)Schema::parse("fuzz", text);
  (void)parse_uid(text);
  const auto entities = entities_from_json(text);
  const auto set = PolicySet::parse("fuzz", text);
  if (!set) return 0;
  Arena arena;
  const Request request{arena.uid("User", "alice"), arena.uid("Action", "view"),
                        arena.uid("Doc", "d"), arena.record({})};
  (void)set->authorize(request, entities ? *entities : Entities());
  return 0;
}

// The JSON of a target's plan, which is not to be believed.

#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "protocol/postgres/plan.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto summary = sallyport::postgres::plan_summary(
      std::string_view(reinterpret_cast<const char*>(data), size));
  if (summary) SALLYPORT_CHECK(summary->starts_with("about ") && summary->size() < 2000);
  return 0;
}

// Any document: it is compiled or refused with a line, and what is compiled answers any request.

#include <string>

#include "base/check.h"
#include "content/openapi.h"
#include "content/request_fields.h"

using namespace sallyport;
using namespace sallyport::content;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)request_fields(text, std::vector<std::string>{"$.a", "$.paths.b"});
  const auto api = OpenApi::load(text, "x.yaml");
  if (!api) {
    SALLYPORT_CHECK(api.error().detail.starts_with("x.yaml:"));
    return 0;
  }
  for (const Operation& operation : (*api)->operations()) {
    const auto selector = (*api)->response(operation, 200, "application/json");
    SALLYPORT_CHECK(selector != nullptr);
    SALLYPORT_CHECK((*api)->response(operation, 404, "x/y") != nullptr);
    const auto match = (*api)->match(operation.method, operation.path);
    if (match) SALLYPORT_CHECK(match->operation->method == operation.method);
  }
  return 0;
}

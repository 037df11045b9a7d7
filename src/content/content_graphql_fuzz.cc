// Any text as a document and as a request: it is understood within its limits, or refused.

#include <string>

#include "base/check.h"
#include "content/graphql.h"

using namespace sallyport;
using namespace sallyport::content;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto operation = parse_graphql(text, "")) {
    SALLYPORT_CHECK(!operation->fields.empty());
    for (const std::string& field : operation->fields) SALLYPORT_CHECK(text.contains(field));
  }
  if (const auto operations = graphql_request(text)) SALLYPORT_CHECK(!operations->empty());
  return 0;
}

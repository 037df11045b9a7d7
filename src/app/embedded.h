#pragma once
// Files of the source tree that the binary carries, so that `sallyport demo` needs nothing else.

#include <string_view>
#include <vector>

namespace sallyport::app {

struct EmbeddedFile {
  std::string_view name;
  std::string_view text;
};

/// policies/*.cedar: the starter policies. (The schema is in policy/.)
const std::vector<EmbeddedFile>& embedded_policies();
/// src/app/demo/*: the sample data.
const std::vector<EmbeddedFile>& embedded_demo();
/// docs/reference/openapi.json.
const std::vector<EmbeddedFile>& embedded_api();

}  // namespace sallyport::app

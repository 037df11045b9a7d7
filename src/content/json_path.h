#pragma once
// The paths of rules: a subset of JSONPath (RFC 9535): names, wildcards and "anywhere below". What
// would have to count or compare (indexes, slices, filters) is refused.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sallyport::content {

struct JsonPathStep {
  bool anywhere = false;            // "..": at any depth below
  std::optional<std::string> name;  // nullopt: every member and every element

  bool operator==(const JsonPathStep&) const = default;
};

/// "$.a['b c'][*]..d"
Result<std::vector<JsonPathStep>> parse_json_path(std::string_view path);

}  // namespace sallyport::content

#pragma once
// The members of a request's JSON that policies may see. Read as strictly as an answer that is
// masked: what a target could understand differently is an error.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "content/json_lexer.h"

namespace sallyport::content {

struct RequestField {
  enum class Kind : std::uint8_t { text, number, boolean, null };
  Kind kind = Kind::text;
  std::string value;  // a text without its escapes; else as written

  bool operator==(const RequestField&) const = default;
};

/// By the paths that were asked for ("$.order.amount": names only), as far as they are there. Fails
/// on what is not strict JSON (the same name twice anywhere), and where an object or an array is in
/// the place of a value, or above the limits.
Result<std::map<std::string, RequestField>> request_fields(std::string_view body,
                                                           std::span<const std::string> paths,
                                                           const JsonLimits& limits = {});

}  // namespace sallyport::content

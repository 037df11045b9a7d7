#pragma once
// What a GraphQL request would do: the executable language of the October 2021 edition, parsed as
// far as an authorisation needs it. Which fields exist and what they return is the schema's, which
// this does not know: root fields are named as the request names them, aliases apart.

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace sallyport::content {

struct GraphqlLimits {
  std::uint32_t bytes_max = 128 * 1024;
  std::uint32_t tokens_max = 5000;
  std::uint32_t depth_max = 16;     // of selections, through fragments
  std::uint32_t aliases_max = 30;   // of an operation, through fragments: each field again
  std::uint32_t fields_max = 2000;  // selected by an operation, through fragments
  std::uint32_t batch_max = 10;     // operations in one request
};

struct GraphqlOperation {
  enum class Kind : std::uint8_t { query, mutation, subscription };
  Kind kind = Kind::query;
  std::string name;  // or empty
  /// The names of the fields that are selected at the root, sorted, each once; through fragments,
  /// and whatever @skip and @include say. With the introspection fields __schema and __type.
  std::vector<std::string> fields;

  bool operator==(const GraphqlOperation&) const = default;
};
std::string_view to_string(GraphqlOperation::Kind kind);

/// The operation of a document that would be run: `name`, or the only one. Fails on what is not a
/// document, on what no target could run (a fragment that is missing, or within itself), on @defer
/// and @stream, and above the limits.
Result<GraphqlOperation> parse_graphql(std::string_view document, std::string_view name,
                                       const GraphqlLimits& limits = {});

/// Documents by the SHA-256 that stands for them, in lower-case hex. One without its text in the
/// request must be here; one with it must be what it says, whether it is here or not.
using PersistedQueries = std::map<std::string, std::string, std::less<>>;

/// The operations of the JSON that a POST has as its body: {"query": ..., "operationName": ...}, or
/// a list of them. Members that a target could take for other names of a query are refused.
Result<std::vector<GraphqlOperation>> graphql_request(std::string_view body,
                                                      const GraphqlLimits& limits = {},
                                                      const PersistedQueries& persisted = {});

/// The same of the parameters of a GET, as names and decoded values: a query only.
Result<GraphqlOperation> graphql_get(
    std::span<const std::pair<std::string, std::string>> parameters,
    const GraphqlLimits& limits = {}, const PersistedQueries& persisted = {});

}  // namespace sallyport::content

#pragma once
// OpenApi: an OpenAPI document (3.0 or 3.1, JSON or YAML), compiled: which operation a request is,
// and what of its answers is classified. What the document does not describe has no operation, and
// what has no operation is denied. docs/reference/http-content.md says what is read of it.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "content/path_template.h"
#include "content/selector.h"

namespace sallyport::content {

struct Operation {
  std::string id;      // operationId, or "GET /customers/{id}" where there is none
  std::string method;  // upper case
  std::string path;    // its template, with the base path
  std::vector<std::string> tags;
  /// x-context: paths of the members of a request's JSON that policies see (request_fields).
  std::vector<std::string> context;
  /// x-limits: request_bytes, response_bytes.
  std::optional<std::uint64_t> request_bytes_max;
  std::optional<std::uint64_t> response_bytes_max;
};

struct OperationMatch {
  const Operation* operation;                                   // lives as long as the OpenApi
  std::vector<std::pair<std::string, std::string>> parameters;  // of the path
};

struct OpenApiOptions {
  /// Instead of the one of `servers`: "/api/v2", or "/" for none.
  std::optional<std::string> base_path;
  /// Hold for every answer, besides the schemas.
  std::vector<PathRule> paths;
};

/// Immutable; shared by all workers.
class OpenApi {
 public:
  /// `name` stands for the file in errors: "crm.yaml:12: ...", a line for each problem.
  static Result<std::shared_ptr<const OpenApi>> load(std::string_view text, std::string_view name,
                                                     const OpenApiOptions& options = {});

  /// `path` is decoded and normalised. The methods of a path are those of its most specific
  /// template: where "/customers/me" has no DELETE, "/customers/{id}" does not lend it one.
  std::optional<OperationMatch> match(std::string_view method, std::string_view path) const;

  /// What is classified in an answer. One that the document does not describe is classified, as a
  /// whole, as all that the described answers of its operation hold. Never null.
  std::shared_ptr<const Selector> response(const Operation& operation, int status,
                                           std::string_view media_type) const;

  std::span<const Operation> operations() const { return operations_; }
  /// All classes in it, sorted.
  const std::vector<std::string>& classes() const { return classes_; }

 private:
  friend class OpenApiLoader;
  /// "200", "2XX" or "default" to media types ("*/*" too) to selectors.
  using Media = std::map<std::string, std::shared_ptr<const Selector>, std::less<>>;
  struct Responses {
    std::map<std::string, Media, std::less<>> by_status;
    std::shared_ptr<const Selector> undescribed;
  };
  struct Path {
    PathTemplate path;
    std::map<std::string, std::uint32_t, std::less<>> operations;  // by method
  };
  const Path* find(std::string_view method, std::string_view path) const;

  std::vector<Operation> operations_;
  std::vector<Responses> responses_;  // of the same numbers
  std::vector<Path> paths_;
  PathIndex index_;
  std::vector<std::string> classes_;
};

}  // namespace sallyport::content

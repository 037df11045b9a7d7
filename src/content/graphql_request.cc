// How GraphQL comes over HTTP: what is in a body or a query string besides the document.

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/crypto.h"
#include "content/document.h"
#include "content/graphql.h"

namespace sallyport::content {
namespace {

/// As they were written, before any of it is understood.
struct Parts {
  std::optional<std::string> query;
  std::string operation_name;
  std::optional<std::string> hash;  // of a persisted query
};

std::unexpected<Error> wrong(std::string_view what) {
  return fail(Errc::malformed, "GraphQL: " + std::string(what));
}

Result<void> read_extensions(const DocumentValue& extensions, Parts& parts) {
  if (extensions.kind == DocumentValue::Kind::null) return ok();
  if (!extensions.is_map()) return wrong("extensions that are no object");
  const DocumentValue* const persisted = extensions.find("persistedQuery");
  if (persisted == nullptr) return ok();
  const DocumentValue* const hash = persisted->find("sha256Hash");
  if (hash == nullptr || !hash->quoted) return wrong("a persisted query without sha256Hash");
  parts.hash = hash->text;
  return ok();
}

Result<GraphqlOperation> understand(const Parts& parts, const GraphqlLimits& limits,
                                    const PersistedQueries& persisted) {
  if (!parts.query && !parts.hash) return wrong("a request without a query");
  if (!parts.query) {
    const auto known = persisted.find(*parts.hash);
    if (known == persisted.end()) {
      return fail(Errc::denied, "GraphQL: a persisted query that is not known here");
    }
    return parse_graphql(known->second, parts.operation_name, limits);
  }
  if (parts.hash && to_hex(sha256(as_bytes(*parts.query))) != *parts.hash) {
    return wrong("a query that is not the one its hash says");
  }
  return parse_graphql(*parts.query, parts.operation_name, limits);
}

Result<GraphqlOperation> read_one(const DocumentValue& request, const GraphqlLimits& limits,
                                  const PersistedQueries& persisted) {
  if (!request.is_map()) return wrong("a request that is no object");
  Parts parts;
  for (const auto& [name, value] : request.members) {
    const bool null = value.kind == DocumentValue::Kind::null;
    if (name == "query") {
      if (null) continue;
      if (!value.quoted) return wrong("a query that is no text");
      parts.query = value.text;
    } else if (name == "operationName") {
      if (null) continue;
      if (!value.quoted || value.text.empty()) return wrong("an operationName that is no name");
      parts.operation_name = value.text;
    } else if (name == "extensions") {
      if (auto done = read_extensions(value, parts); !done) return fail(done);
    } else if (name != "variables") {
      return wrong(fmt::format("'{}' in a request", name.substr(0, 50)));
    } else if (!null && !value.is_map()) {
      return wrong("variables that are no object");
    }
  }
  return understand(parts, limits, persisted);
}

}  // namespace

Result<std::vector<GraphqlOperation>> graphql_request(std::string_view body,
                                                      const GraphqlLimits& limits,
                                                      const PersistedQueries& persisted) {
  auto document = read_json_document(body);
  if (!document) return wrong("line " + document.error().detail);
  std::vector<GraphqlOperation> operations;
  if (!document->is_list()) {
    auto one = read_one(*document, limits, persisted);
    if (!one) return fail(one);
    operations.push_back(*std::move(one));
    return operations;
  }
  if (document->items.empty() || document->items.size() > limits.batch_max) {
    return fail(Errc::too_large,
                fmt::format("GraphQL: a batch has 1 to {} requests", limits.batch_max));
  }
  for (const DocumentValue& request : document->items) {
    auto one = read_one(request, limits, persisted);
    if (!one) return fail(one);
    operations.push_back(*std::move(one));
  }
  return operations;
}

Result<GraphqlOperation> graphql_get(
    std::span<const std::pair<std::string, std::string>> parameters, const GraphqlLimits& limits,
    const PersistedQueries& persisted) {
  DocumentValue request{.kind = DocumentValue::Kind::map};
  for (const auto& [name, text] : parameters) {
    if (request.find(name) != nullptr) return wrong("a parameter twice");
    DocumentValue value{.kind = DocumentValue::Kind::scalar, .text = text, .quoted = true};
    if (name == "variables" || name == "extensions") {
      auto json = read_json_document(text);
      if (!json) return wrong(name + " that are no JSON");
      value = *std::move(json);
    }
    request.members.push_back({name, std::move(value)});
  }
  auto operation = read_one(request, limits, persisted);
  if (operation && operation->kind != GraphqlOperation::Kind::query) {
    return wrong("only a query may be a GET");
  }
  return operation;
}

}  // namespace sallyport::content

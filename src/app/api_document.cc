#include "app/api_document.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/embedded.h"
#include "identity/json.h"

namespace sallyport::app {
namespace {

constexpr std::size_t document_bytes_max = 1 << 20;

std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return lowered;
}

}  // namespace

std::string_view api_document() {
  return embedded_api().front().text;
}

Result<std::vector<std::string>> undocumented(const admin::Router& router,
                                              std::string_view document) {
  auto parsed = identity::Json::parse(document, document_bytes_max);
  if (!parsed) return fail(parsed, "the OpenAPI document");
  const identity::Json* const paths = parsed->member("paths");
  if (paths == nullptr || paths->object() == nullptr) {
    return fail(Errc::malformed, "the OpenAPI document has no paths");
  }
  std::vector<std::string> missing;
  for (const auto& [method, route] : router.routes()) {
    if (!route.starts_with("/api/v1/")) continue;
    const bool there = std::ranges::any_of(*paths->object(), [&](const auto& path) {
      // A prefix stands for all paths under it.
      const bool fits = route.ends_with('/') ? path.first.starts_with(route) : path.first == route;
      return fits && path.second.has(lower(method));
    });
    if (!there) missing.push_back(method + " " + route);
  }
  return missing;
}

Result<void> add_api_document(admin::Router& router) {
  router.add("GET", "/api/v1/openapi.json", admin::at_once([](const http::Request&) {
               return http::Response::json(200, std::string(api_document()));
             }));
  auto missing = undocumented(router, api_document());
  if (!missing) return fail(missing);
  if (missing->empty()) return ok();
  return fail(Errc::invalid, fmt::format("a bug: docs/reference/openapi.json does not have {}",
                                         fmt::join(*missing, ", ")));
}

}  // namespace sallyport::app

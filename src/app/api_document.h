#pragma once
// The OpenAPI document of the REST API: docs/reference/openapi.json, which the binary carries.

#include <string>
#include <string_view>
#include <vector>

#include "admin/router.h"
#include "base/result.h"

namespace sallyport::app {

std::string_view api_document();

/// Adds GET /api/v1/openapi.json, for anybody. Call it when all other routes are there: fails, and
/// names it, if one under /api/v1 is not in the document. Then nobody forgets it.
Result<void> add_api_document(admin::Router& router);

/// Method and path of the routes under /api/v1 that `document` does not have.
Result<std::vector<std::string>> undocumented(const admin::Router& router,
                                              std::string_view document);

}  // namespace sallyport::app

#include "app/api_document.h"

#include <gtest/gtest.h>

namespace sallyport::app {
namespace {

admin::Handler nothing() {
  return admin::at_once([](const http::Request&) { return http::Response::json(200, "{}"); });
}

TEST(ApiDocument, NamesTheRoutesThatItDoesNotHave) {
  admin::Router router;
  router.add("GET", "/healthz", nothing());
  router.add("GET", "/api/v1/whoami", nothing());
  router.add_prefix("POST", "/api/v1/approvals/", nothing());
  EXPECT_EQ(undocumented(router, api_document()).value(), std::vector<std::string>{});
  router.add("POST", "/api/v1/whoami", nothing());
  router.add_prefix("DELETE", "/api/v1/approvals/", nothing());
  router.add("GET", "/api/v1/secrets", nothing());
  auto missing = undocumented(router, api_document()).value();
  std::ranges::sort(missing);
  EXPECT_EQ(missing, (std::vector<std::string>{"DELETE /api/v1/approvals/", "GET /api/v1/secrets",
                                               "POST /api/v1/whoami"}));
  EXPECT_FALSE(add_api_document(router));
}

TEST(ApiDocument, IsServedWhereAllIsDocumented) {
  admin::Router router;
  ASSERT_TRUE(add_api_document(router));
  EXPECT_NE(router.match("GET", "/api/v1/openapi.json").handler, nullptr);
  EXPECT_FALSE(undocumented(router, "{}"));
}

}  // namespace
}  // namespace sallyport::app

// The router: an exact path before a prefix, the longest prefix before a shorter one.

#include "admin/router.h"

#include <gtest/gtest.h>

namespace sallyport::admin {
namespace {

Handler says(std::string word) {
  return at_once([word](const http::Request&) { return http::Response::text(200, word); });
}

TEST(Router, PrefersExactPathsThenTheLongestPrefix) {
  Router router;
  router.add("GET", "/api/me", says("exact"));
  router.add_prefix("GET", "/api/", says("api"));
  router.add_prefix("GET", "/api/v1/", says("v1"));
  router.add_prefix("GET", "/", says("console"));
  EXPECT_EQ(router.match("GET", "/api/me").route, "/api/me");
  EXPECT_EQ(router.match("GET", "/api/me/").route, "/api/");
  EXPECT_EQ(router.match("GET", "/api/v1/x").route, "/api/v1/");
  EXPECT_EQ(router.match("GET", "/api/v1").route, "/api/");
  EXPECT_EQ(router.match("GET", "/api").route, "/");
  EXPECT_EQ(router.match("GET", "/").route, "/");
}

TEST(Router, KnowsNoOtherPaths) {
  Router router;
  router.add("GET", "/healthz", says("x"));
  router.add_prefix("GET", "/api/", says("x"));
  for (const auto* path : {"/", "/health", "/healthz/", "/HEALTHZ", "/ap", "/api"}) {
    EXPECT_EQ(router.match("GET", path).route, "") << path;
    EXPECT_EQ(router.match("GET", path).handler, nullptr) << path;
  }
}

TEST(Router, SaysWhichMethodsAPathHas) {
  Router router;
  router.add("GET", "/a", says("x"));
  router.add("POST", "/a", says("y"));
  router.add("DELETE", "/b", says("z"));
  EXPECT_EQ(router.match("PUT", "/a").handler, nullptr);
  EXPECT_EQ(router.match("PUT", "/a").allow, "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(router.match("GET", "/b").allow, "DELETE, OPTIONS");
  EXPECT_EQ(router.match("HEAD", "/a").handler, router.match("GET", "/a").handler);
  EXPECT_EQ(router.match("HEAD", "/b").handler, nullptr);
  EXPECT_EQ(router.match("get", "/a").handler, nullptr);
}

TEST(RouterDeathTest, ASecondHandlerForTheSameIsABug) {
  Router router;
  router.add("GET", "/a", says("x"));
  EXPECT_DEATH(router.add("GET", "/a", says("y")), "");
  EXPECT_DEATH(router.add("GET", "a", says("y")), "");
  EXPECT_DEATH(router.add_prefix("GET", "/a", says("y")), "");
}

}  // namespace
}  // namespace sallyport::admin

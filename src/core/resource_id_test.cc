#include "core/resource_id.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

TEST(ResourceId, JoinsPartsWithSlashes) {
  EXPECT_EQ(resource_id({"shop"}), "shop");
  EXPECT_EQ(resource_id({"shop", "app", "public", "customers"}), "shop/app/public/customers");
}

TEST(ResourceId, ASlashInANameDoesNotMakeAPath) {
  EXPECT_EQ(resource_id({"shop", "app", "public/credentials"}), "shop/app/public%2Fcredentials");
  EXPECT_EQ(resource_parts(resource_id({"a/b", "c"})).size(), 2u);
}

TEST(ResourceId, ANameThatLooksEscapedIsNotTakenForOne) {
  EXPECT_EQ(resource_id({"public%2Fcredentials"}), "public%252Fcredentials");
  EXPECT_NE(resource_id({"a%2Fb"}), resource_id({"a/b"}));
}

TEST(ResourceId, EmptyPartsKeepTheirPlace) {
  EXPECT_EQ(resource_id({"shop", "", "t"}), "shop//t");
  EXPECT_EQ(resource_parts("shop//t").size(), 3u);
}

TEST(ResourceId, NamesComeBackUnchanged) {
  for (const std::string_view name : {"", "plain", "a/b", "%", "%2F", "%25", "/%/", "\u00e9\"'"}) {
    EXPECT_EQ(resource_name(resource_part(name)), name);
  }
}

TEST(EndpointId, IsReadBackAsItWasMade) {
  const std::string id = endpoint_id("crm/a", "POST", "/customers/4 2/x");
  EXPECT_EQ(id, "crm%2Fa/POST /customers/4 2/x");
  const auto name = endpoint_name(id);
  ASSERT_TRUE(name);
  EXPECT_EQ(name->connection, "crm%2Fa");
  EXPECT_EQ(name->method, "POST");
  EXPECT_EQ(name->path, "/customers/4 2/x");
}

TEST(EndpointId, RefusesWhatIsNone) {
  for (const char* const id : {"", "crm", "crm/", "crm/GET", "crm/GET x", "/GET /x", "crm/ /x",
                               "crm/a/b /x"}) {
    EXPECT_FALSE(endpoint_name(id)) << id;
  }
}

}  // namespace
}  // namespace sallyport

#include "admin/api.h"

#include <gtest/gtest.h>

#include "identity/json.h"
#include "identity/test_support.h"
#include "net/reactor.h"

namespace sallyport::admin {
namespace {

namespace id = identity;

class ApiTest : public ::testing::Test {
 protected:
  http::Response call(std::string method, std::string path, std::string body,
                      std::optional<std::string> token) {
    http::Request request{.method = std::move(method), .path = std::move(path)};
    request.body = std::move(body);
    if (token) request.headers.add("Authorization", "bearer " + *token);
    return reactor->run_to_end(api.handle(std::move(request)));
  }
  std::string token(std::map<std::string, std::string> changes = {}) {
    return key.sign_jwt("at+jwt", id::testing::claims(std::move(changes)));
  }
  static id::Json json(const http::Response& response) {
    return id::Json::parse(response.body, 1 << 20).value();
  }

  id::testing::FixedClock clock;
  id::testing::MapFetcher fetcher;
  id::SigningKey key = id::SigningKey::generate();
  std::unique_ptr<net::Reactor> reactor = net::Reactor::make().value();
  std::unique_ptr<id::Authenticator> authenticator =
      id::Authenticator::create({id::testing::issuer_options(key)}, clock, fetcher).value();
  std::unique_ptr<store::Database> database = store::Database::open(":memory:").value();
  store::TicketStore store = store::TicketStore::create(*database, system_random()).value();
  id::Tickets tickets{store, clock, system_random()};
  Api api{{.connections = {{.name = "shop",
                            .protocol = "postgres",
                            .host = "gw.example",
                            .port = 6432,
                            .database = "shop"},
                           {.name = "secret", .protocol = "postgres"}},
           .issuer = "https://login.example.com",
           .client_id = "sallyport-cli",
           .audience = "https://gateway.example.com"},
          *authenticator,
          tickets,
          [](const id::Credential&, const ApiConnection& one) { return one.name != "secret"; }};
};

TEST_F(ApiTest, SaysWhoTheTokenIs) {
  const auto response = call("GET", "/api/v1/whoami", "", token({{"groups", R"(["support"])"}}));
  ASSERT_EQ(response.status, 200);
  const auto body = json(response);
  EXPECT_EQ(body.text("name"), "alice");
  const auto& alice = (*body.member("chain")->array())[0];
  EXPECT_EQ(alice.text("id"), "alice");
  EXPECT_EQ(alice.member("groups")->strings(), std::vector<std::string>{"support"});
  EXPECT_EQ(response.headers.get("Cache-Control"), "no-store");
}

TEST_F(ApiTest, ListsOnlyWhatMayBeUsed) {
  const auto body = json(call("GET", "/api/v1/connections", "", token()));
  const auto& all = *body.member("connections")->array();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].text("name"), "shop");
  EXPECT_EQ(all[0].member("port")->integer(), 6432);
}

TEST_F(ApiTest, MintsATicketThatWorks) {
  const auto response = call("POST", "/api/v1/tickets", R"({"connection":"shop"})", token());
  ASSERT_EQ(response.status, 201) << response.body;
  const auto body = json(response);
  EXPECT_EQ(body.text("user"), "alice");
  EXPECT_EQ(body.text("host"), "gw.example");
  EXPECT_TRUE(tickets.redeem_text(*body.text("ticket"), "shop").has_value());
}

TEST_F(ApiTest, TellsAForbiddenConnectionFromAMissingOneByNothing) {
  const auto forbidden = call("POST", "/api/v1/tickets", R"({"connection":"secret"})", token());
  const auto missing = call("POST", "/api/v1/tickets", R"({"connection":"nothing"})", token());
  EXPECT_EQ(forbidden.status, 404);
  EXPECT_EQ(forbidden.body, missing.body);
}

TEST_F(ApiTest, RefusesBodiesItCannotRead) {
  for (const std::string bad :
       {"", "[]", "{}", R"({"connection":7})", R"({"connection":"shop","connection":"x"})"}) {
    EXPECT_EQ(call("POST", "/api/v1/tickets", bad, token()).status, 400) << bad;
  }
  EXPECT_EQ(call("POST", "/api/v1/tickets", std::string(5000, ' '), token()).status, 400);
}

TEST_F(ApiTest, WantsATokenAndSaysWhatIsWrongWithIt) {
  const auto none = call("GET", "/api/v1/whoami", "", std::nullopt);
  EXPECT_EQ(none.status, 401);
  EXPECT_EQ(none.headers.get("Content-Type"), "application/problem+json");
  EXPECT_TRUE(none.headers.get("WWW-Authenticate"));
  clock.advance(std::chrono::seconds(480));
  const auto expired = json(call("GET", "/api/v1/whoami", "", token()));
  EXPECT_EQ(expired.text("detail"), "the token expired 3 minutes ago");
  EXPECT_EQ(expired.text("hint"), "run `sallyport login`");
  EXPECT_EQ(call("POST", "/api/v1/tickets", "", "x.y.z").status, 401);
}

TEST_F(ApiTest, TellsAClientWhereToLogIn) {
  const auto body = json(call("GET", "/.well-known/oauth-protected-resource", "", std::nullopt));
  EXPECT_EQ(body.text("resource"), "https://gateway.example.com");
  EXPECT_EQ(body.member("authorization_servers")->strings(),
            std::vector<std::string>{"https://login.example.com"});
  EXPECT_EQ(body.text("sallyport_client_id"), "sallyport-cli");
}

TEST_F(ApiTest, IsReachedThroughTheRouter) {
  Router router;
  api.add_routes(router);
  EXPECT_NE(router.match("POST", "/api/v1/tickets").handler, nullptr);
  EXPECT_EQ(router.match("GET", "/api/v1/tickets").handler, nullptr);
}

}  // namespace
}  // namespace sallyport::admin

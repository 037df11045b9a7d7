#include "approval/webhooks.h"

#include <gtest/gtest.h>

#include "base/crypto.h"

namespace sallyport::approval {
namespace {

using namespace std::chrono_literals;

constexpr WallTime at{std::chrono::seconds(1614265330)};

Request request() {
  Request made{.id = "apr_1", .tenant = "default", .connection = "shop", .database = "shop"};
  made.requester.chain.identities = {{.id = "alice"}};
  made.text = "delete from orders where note = '<!channel> ```x'";
  made.estimate = "about 3 rows";
  made.routes = {{.policy = "p", .approvers = {"dba"}, .quorum = 2}};
  made.actions = {{"sql:delete", {"Table", "shop/shop/public/orders"}}};
  return made;
}

// The example of the Standard Webhooks specification.
TEST(WebhookSignature, IsThatOfStandardWebhooks) {
  const auto headers =
      signature_headers("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek",
                        at, R"({"test": 2432232314})");
  ASSERT_EQ(headers.size(), 3U);
  EXPECT_EQ(headers[0].second, "msg_p5jXN8AQM9LWM0D4loKWxJek");
  EXPECT_EQ(headers[1].second, "1614265330");
  EXPECT_EQ(headers[2].second, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(WebhookSignature, TakesASecretThatIsNoBase64AsItIs) {
  const auto headers = signature_headers("simple", "m", at, "{}");
  EXPECT_EQ(headers[2].second,
            "v1," + to_base64(hmac_sha256(as_bytes("simple"), as_bytes("m.1614265330.{}"))));
}

TEST(WebhookBody, SaysWhatWouldBeDone) {
  const std::string body = webhook_body("requested", request(), "alice", at);
  for (const std::string_view part :
       {R"("type":"approval.requested")", R"("id":"apr_1")", R"("who":"alice")",
        R"("estimate":"about 3 rows")", R"("quorum":2)", R"(shop/shop/public/orders)"}) {
    EXPECT_NE(body.find(part), std::string::npos) << part << "\n" << body;
  }
  Request with_values = request();
  with_values.parameters = {{.value = "hunter2"}};
  EXPECT_EQ(webhook_body("requested", with_values, "alice", at).find("hunter2"), std::string::npos);
}

TEST(SlackBody, LetsNothingOutOfItsBlock) {
  const std::string body = slack_body("requested", request(), "alice");
  EXPECT_EQ(body.find("<!channel>"), std::string::npos);
  EXPECT_NE(body.find("&lt;!channel&gt; '''x"), std::string::npos) << body;
  EXPECT_NE(body.find(R"("action_id":"approve")"), std::string::npos);
  EXPECT_EQ(slack_body("denied", request(), "dana").find("action_id"), std::string::npos);
  // What does not fit whole has no buttons.
  Request longer = request();
  longer.text += std::string(3000, 'x');
  EXPECT_EQ(slack_body("requested", longer, "alice").find("action_id"), std::string::npos);
  longer = request();
  longer.parameters = {{.value = "1"}};
  EXPECT_EQ(slack_body("requested", longer, "alice").find("action_id"), std::string::npos);
}

class DeliveryStoreTest : public testing::Test {
 protected:
  void add(std::string id, std::size_t rows_max = 100) {
    auto added =
        store_.add({.id = std::move(id), .hook = "h", .body = "{}", .next_at = at}, rows_max);
    ASSERT_TRUE(added) << added.error().detail;
    gone_ += *added;
  }
  std::vector<std::string> due(WallTime now) {
    std::vector<std::string> ids;
    for (const auto& row : store_.due(now, 10).value()) ids.push_back(row.id);
    return ids;
  }
  std::unique_ptr<store::Database> database_ = store::Database::open(":memory:").value();
  store::DeliveryStore store_{*database_};
  std::size_t gone_ = 0;
};

TEST_F(DeliveryStoreTest, KeepsTheirOrderAndTheirTime) {
  add("a");
  add("b");
  EXPECT_EQ(due(at - 1s), std::vector<std::string>{});
  EXPECT_EQ(due(at), (std::vector<std::string>{"a", "b"}));
  ASSERT_TRUE(store_.again(1, 1, at + 5s));
  EXPECT_EQ(due(at), std::vector<std::string>{"b"});
  EXPECT_EQ(due(at + 5s), (std::vector<std::string>{"a", "b"}));
  ASSERT_TRUE(store_.remove(1));
  EXPECT_EQ(due(at + 5s), std::vector<std::string>{"b"});
}

TEST_F(DeliveryStoreTest, IsBounded) {
  for (int i = 0; i < 5; ++i) add(std::to_string(i), 3);
  EXPECT_EQ(gone_, 2U);
  EXPECT_EQ(due(at), (std::vector<std::string>{"2", "3", "4"}));
}

}  // namespace
}  // namespace sallyport::approval

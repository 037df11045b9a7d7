#include "approval/webhooks.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "base/bytes.h"
#include "base/crypto.h"
#include "identity/json.h"

namespace sallyport::approval {
namespace {

using namespace std::chrono_literals;

constexpr WallTime at{std::chrono::seconds(1614265330)};

Request request() {
  Request made{.id = "apr_1", .tenant = "default", .connection = "shop", .database = "shop"};
  made.kind = "statement";
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
}

TEST(SlackBody, HasButtonsWhereItShowsAllThatIsApproved) {
  const auto has_buttons = [](const Request& one) {
    const bool found = slack_body("requested", one, "alice").contains(R"("action_id":"approve")");
    EXPECT_EQ(found, fits_slack(one));
    return found;
  };
  Request plain = request();
  plain.text = "delete from orders where a < 1 & b > 2";
  plain.bound = {"search_path: public", "temporary relation: orders"};
  plain.safeguards = {{.action = {"reveal", {"Column", "shop/shop/public/orders/card"}},
                       .effect = "partial (pii.card)"}};
  EXPECT_TRUE(has_buttons(plain));
  const std::string body = slack_body("requested", plain, "alice");
  for (const std::string_view part :
       {"database: shop", "search_path: public", "temporary relation: orders",
        "touches: sql:delete Table shop/shop/public/orders",
        "safeguard: partial (pii.card) shop/shop/public/orders/card"}) {
    EXPECT_NE(body.find(part), std::string::npos) << part << "\n" << body;
  }
  EXPECT_EQ(slack_body("denied", plain, "dana").find("action_id"), std::string::npos);

  const auto without = [&](const std::function<void(Request&)>& change) {
    Request changed = plain;
    change(changed);
    return !has_buttons(changed);
  };
  EXPECT_TRUE(without([](Request& one) { one.kind = "window"; }));
  EXPECT_TRUE(without([](Request& one) { one.text += std::string(3000, 'x'); }));
  EXPECT_TRUE(without([](Request& one) { one.text += std::string(1000, '&'); }));
  EXPECT_TRUE(without([](Request& one) { one.text += "`x`"; }));  // shown as something else
  EXPECT_TRUE(without([](Request& one) { one.text += "\r"; }));
  EXPECT_TRUE(without([](Request& one) { one.text += "\xe2\x80\xae"; }));  // turned around
  EXPECT_TRUE(without([](Request& one) { one.text += "\xff"; }));
  EXPECT_TRUE(without([](Request& one) { one.parameters = {{.value = "1"}}; }));
  EXPECT_TRUE(without([](Request& one) { one.database.assign(3000, 'x'); }));
  EXPECT_TRUE(without([](Request& one) {
    for (int i = 0; i < 200; ++i) one.bound.push_back("temporary relation: x" + std::to_string(i));
  }));
  EXPECT_TRUE(without([](Request& one) { one.actions.resize(1000, one.actions.front()); }));
  EXPECT_TRUE(without([](Request& one) { one.safeguards.resize(1000, one.safeguards.front()); }));
}

TEST(Webhooks, AReceiverThatDoesNotAnswerHoldsUpNoShutdown) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof(address);
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(bind(listener, raw, size), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  ASSERT_EQ(getsockname(listener, raw, &size), 0);
  auto database = *store::Database::open(":memory:");
  std::chrono::steady_clock::time_point began;
  {
    Webhooks hooks(*database, system_clock(), system_random(),
                   {{.name = "a",
                     .url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/",
                     .secret = "secret",
                     .events = {"requested"}}});
    hooks.tell("requested", request(), "alice");
    const int client = accept(listener, nullptr, nullptr);  // and not a word
    ASSERT_GE(client, 0);
    began = std::chrono::steady_clock::now();
    close(listener);
    // The socket stays open until it has stopped.
    std::thread([client] {
      std::this_thread::sleep_for(4s);
      close(client);
    }).detach();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - began, 3s);
  // It waits for the next start.
  EXPECT_EQ(store::DeliveryStore(*database).due(system_clock().now(), 10)->size(), 1U);
}

/// What Slack refuses a message for.
TEST(SlackBody, IsNeverTooLongForSlack) {
  Request hostile = request();
  hostile.requester.chain.identities[0].id = std::string(4000, '<');
  hostile.text = std::string(4000, '&') + "\xff" + std::string(4000, '>');
  hostile.estimate = std::string(4000, '<');
  hostile.bound = {std::string(4000, '&')};
  hostile.routes.assign(200, {.policy = "p&p", .approvers = {"d<a"}, .quorum = 2});
  for (const std::string_view event : {"requested", "denied"}) {
    const std::string body = slack_body(event, hostile, std::string(4000, '&'));
    EXPECT_TRUE(is_utf8(body));
    const auto message = identity::Json::parse(body, 1 << 20);
    ASSERT_TRUE(message);
    for (const identity::Json& block : *message->member("blocks")->array()) {
      if (block.text("type") != "section") continue;
      const auto text = block.member("text")->text("text");
      EXPECT_GT(text->size(), 0U);
      EXPECT_LE(text->size(), 3000U);
      EXPECT_FALSE(text->contains("&a ") || text->contains("&am ") || text->contains("&l "));
    }
  }
}

class DeliveryStoreTest : public testing::Test {
 protected:
  void add(std::string id, std::size_t rows_max = 100, std::string hook = "h",
           bool urgent = false) {
    auto added = store_.add({.id = std::move(id),
                             .hook = std::move(hook),
                             .body = "{}",
                             .urgent = urgent,
                             .next_at = at},
                            rows_max);
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
  EXPECT_EQ(due(at + 5s), (std::vector<std::string>{"b", "a"}));  // what was tried least first
  ASSERT_TRUE(store_.remove(1));
  EXPECT_EQ(due(at + 5s), std::vector<std::string>{"b"});
}

TEST_F(DeliveryStoreTest, IsBounded) {
  for (int i = 0; i < 5; ++i) add(std::to_string(i), 3);
  EXPECT_EQ(gone_, 2U);
  EXPECT_EQ(due(at), (std::vector<std::string>{"2", "3", "4"}));
}

TEST_F(DeliveryStoreTest, IsBoundedForEachHookAndKeepsAlertsForLongest) {
  add("other", 3, "other");
  add("alert", 3, "h", true);
  for (int i = 0; i < 5; ++i) add(std::to_string(i), 3);
  EXPECT_EQ(gone_, 3U);
  EXPECT_EQ(due(at), (std::vector<std::string>{"alert", "other", "3", "4"}));
}

}  // namespace
}  // namespace sallyport::approval

#include "admin/slack_api.h"

#include <gtest/gtest.h>

#include "base/crypto.h"
#include "http/message.h"

namespace sallyport::admin {
namespace {

using namespace std::chrono_literals;

// The example in Slack's documentation of "Verifying requests from Slack".
constexpr std::string_view secret = "8f742231b10e8888abcd99yyyzzz85a5";
constexpr std::string_view timestamp = "1531420618";
constexpr std::string_view signature =
    "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
constexpr std::string_view body =
    "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"
    "channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&"
    "response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%"
    "2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121."
    "803a0bc887a14d10d2c447fce8b6703c";
constexpr WallTime at{std::chrono::seconds(1531420618)};

TEST(SlackSignature, IsAsSlackDocumentsIt) {
  EXPECT_TRUE(check_slack_signature(secret, timestamp, signature, body, at));
  EXPECT_TRUE(check_slack_signature(secret, timestamp, signature, body, at + 299s));
}

TEST(SlackSignature, IsNotTakenOtherwise) {
  EXPECT_FALSE(check_slack_signature(secret, timestamp, signature, body, at + 301s));
  EXPECT_FALSE(check_slack_signature(secret, timestamp, signature, body, at - 301s));
  EXPECT_FALSE(check_slack_signature(secret, "1531420619", signature, body, at));
  EXPECT_FALSE(check_slack_signature(secret, timestamp, signature, std::string(body) + "x", at));
  EXPECT_FALSE(check_slack_signature("another", timestamp, signature, body, at));
  EXPECT_FALSE(check_slack_signature(secret, timestamp, "", body, at));
  EXPECT_FALSE(check_slack_signature(secret, timestamp, signature.substr(3), body, at));
  for (const std::string_view bad :
       {"", "now", "-1", "9223372036854775807", "-9223372036854775808", "99999999999999999999"}) {
    EXPECT_FALSE(check_slack_signature(secret, bad, signature, body, at)) << bad;
  }
  // With no secret configured nothing is signed, not even with none.
  const std::string none = "v0=" + to_hex(hmac_sha256({}, as_bytes("v0:1531420618:x")));
  EXPECT_FALSE(check_slack_signature("", timestamp, none, "x", at));
}

std::string form(std::string_view json) {
  return "payload=" + http::url_encode(json);
}

TEST(SlackClicks, AreReadOrRefused) {
  const auto click = read_slack_click(form(
      R"({"type":"block_actions","team":{"id":"T1"},"user":{"id":"U1","username":"dana"},
          "actions":[{"action_id":"approve","value":"apr_1","type":"button"}],
          "response_url":"https://hooks.slack.com/actions/1"})"));
  ASSERT_TRUE(click) << click.error().detail;
  EXPECT_EQ(click->user, "U1");
  EXPECT_EQ(click->team, "T1");
  EXPECT_TRUE(click->approve);
  EXPECT_EQ(click->request, "apr_1");
  EXPECT_EQ(click->answer_url, "https://hooks.slack.com/actions/1");
  for (
      const std::string_view bad :
      {R"({})", R"([])", R"({"type":"view_submission"})", R"({"type":"block_actions"})",
       R"({"type":"block_actions","actions":[]})",
       R"({"type":"block_actions","user":{"id":"U1"},"actions":[{"action_id":"drop","value":"a"}]})",
       R"({"type":"block_actions","user":{},"actions":[{"action_id":"deny","value":"a"}]})",
       R"({"type":"block_actions","user":"U1","actions":[{"action_id":"deny","value":"a"}]})",
       R"({"type":"block_actions","user":{"id":"U1"},"actions":[{"action_id":"deny"}]})",
       R"({"type":"block_actions","user":{"id":"U1"},"actions":[
            {"action_id":"deny","value":"a"},{"action_id":"approve","value":"b"}]})"}) {
    EXPECT_FALSE(read_slack_click(form(bad))) << bad;
  }
  EXPECT_FALSE(read_slack_click("payload=%"));
  EXPECT_FALSE(read_slack_click("x=1"));
}

}  // namespace
}  // namespace sallyport::admin

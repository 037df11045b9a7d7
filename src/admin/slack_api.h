#pragma once
// Slack's side of approvals: what people click under a message comes to /api/v1/slack/interactive,
// signed by Slack. The person is whom the configuration says that Slack's user is, and the vote is
// put to the policies like any other.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "admin/approvals_api.h"
#include "admin/router.h"
#include "approval/desk.h"
#include "approval/webhooks.h"
#include "base/clock.h"
#include "base/result.h"

namespace sallyport::admin {

/// Whether Slack signed it (v0: HMAC-SHA256 over "v0:timestamp:body", in hex), not more than five
/// minutes ago.
Result<void> check_slack_signature(std::string_view secret, std::string_view timestamp,
                                   std::string_view signature, std::string_view body, WallTime now);

/// What somebody clicked. Fails on whatever is not a click on one of our buttons.
struct SlackClick {
  std::string team;
  std::string user;
  bool approve = false;
  std::string request;
  std::string answer_url;
};
Result<SlackClick> read_slack_click(std::string_view body);

class SlackApi {
 public:
  struct Options {
    std::string signing_secret;  // empty: nobody may vote there
    std::string team;            // empty: any that signs with the secret
  };
  /// Who Slack's user is, or nothing.
  using WhoIs = std::function<std::optional<identity::Credential>(const std::string& slack_user)>;

  /// The references must outlive it.
  SlackApi(Options options, WhoIs who_is, approval::Desk& desk, approval::Webhooks& webhooks,
           ApprovalsApi::WhyNot why_not, const Clock& clock);

  void use(Options options) { options_ = std::move(options); }
  /// POST /api/v1/slack/interactive
  void add_routes(Router& router);
  http::Response handle(const http::Request& request);

 private:
  std::string vote(const SlackClick& click, const std::string& address);

  Options options_;
  WhoIs who_is_;
  approval::Desk& desk_;
  approval::Webhooks& webhooks_;
  ApprovalsApi::WhyNot why_not_;
  const Clock& clock_;
};

}  // namespace sallyport::admin

#include "admin/slack_api.h"

#include <boost/json.hpp>

#include "admin/api.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/numbers.h"
#include "http/message.h"
#include "identity/json.h"

namespace sallyport::admin {
namespace {

using identity::Json;

constexpr std::chrono::seconds signature_s_max{300};
constexpr std::size_t payload_bytes_max = 256 * 1024;

metrics::Counter& counter(std::string_view result) {
  return metrics::counter("sallyport_slack_votes_total", "Clicks in Slack, by what became of them.",
                          {{"result", std::string(result)}});
}

std::string text(const Json* object, std::string_view name) {
  return object == nullptr ? std::string() : std::string(object->text(name).value_or(""));
}

}  // namespace

Result<void> check_slack_signature(std::string_view secret, std::string_view timestamp,
                                   std::string_view signature, std::string_view body,
                                   WallTime now) {
  const auto seconds = parse_number<std::int64_t>(timestamp);
  if (secret.empty() || !seconds) return fail(Errc::denied, "no signature of Slack's");
  const std::int64_t ours =
      std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  // Compared before any subtraction: it may be any number.
  if (*seconds < ours - signature_s_max.count() || *seconds > ours + signature_s_max.count()) {
    return fail(Errc::denied, "the signature is too old, or a clock is wrong");
  }
  const std::string signed_text = "v0:" + std::string(timestamp) + ":" + std::string(body);
  const std::string expected = "v0=" + to_hex(hmac_sha256(as_bytes(secret), as_bytes(signed_text)));
  if (!equal_in_constant_time(as_bytes(expected), as_bytes(signature))) {
    return fail(Errc::denied, "the signature is wrong");
  }
  return ok();
}

Result<SlackClick> read_slack_click(std::string_view body) {
  const auto form = http::parse_form(body);
  const auto payload = form ? form->find("payload") : decltype(form->end())();
  if (!form || payload == form->end()) return fail(Errc::malformed, "no payload");
  auto document = Json::parse(payload->second, payload_bytes_max);
  if (!document) return fail(document);
  const Json* const actions = document->member("actions");
  if (document->text("type") != "block_actions" || actions == nullptr ||
      actions->array() == nullptr || actions->array()->size() != 1) {
    return fail(Errc::malformed, "not one click on a button");
  }
  const Json& action = actions->array()->front();
  const auto verb = action.text("action_id");
  if (verb != "approve" && verb != "deny") return fail(Errc::malformed, "no button of ours");
  SlackClick click{.team = text(document->member("team"), "id"),
                   .user = text(document->member("user"), "id"),
                   .approve = verb == "approve",
                   .request = text(&action, "value"),
                   .answer_url = text(&*document, "response_url")};
  if (click.user.empty() || click.request.empty()) return fail(Errc::malformed, "nobody clicked");
  return click;
}

SlackApi::SlackApi(Options options, WhoIs who_is, approval::Desk& desk,
                   approval::Webhooks& webhooks, ApprovalsApi::WhyNot why_not, const Clock& clock)
    : options_(std::move(options)),
      who_is_(std::move(who_is)),
      desk_(desk),
      webhooks_(webhooks),
      why_not_(std::move(why_not)),
      clock_(clock) {}

void SlackApi::add_routes(Router& router) {
  router.add("POST", "/api/v1/slack/interactive",
             at_once([this](const http::Request& request) { return handle(request); }));
}

http::Response SlackApi::handle(const http::Request& request) {
  const auto header = [&](std::string_view name) { return request.headers.get(name).value_or(""); };
  auto good = check_slack_signature(options_.signing_secret, header("X-Slack-Request-Timestamp"),
                                    header("X-Slack-Signature"), request.body, clock_.now());
  if (!good) {
    counter("bad_signature").add();
    log::warn("click of Slack refused",
              {{"ip", request.client_ip}, {"detail", good.error().detail}});
    return problem(401, "Not authenticated", good.error().detail,
                   "approvals.slack.signing_secret must be that of the app in Slack");
  }
  auto click = read_slack_click(request.body);
  if (!click) {
    counter("malformed").add();
    return problem(400, "Bad request", click.error().detail);
  }
  if (!options_.team.empty() && click->team != options_.team) {
    counter("other_team").add();
    return problem(403, "Not permitted", "another workspace than approvals.slack.team");
  }
  const std::string told = vote(*click, request.client_ip);
  (void)webhooks_.answer_slack(
      click->answer_url,
      boost::json::serialize(boost::json::object{
          {"response_type", "ephemeral"}, {"replace_original", false}, {"text", told}}));
  // Slack shows nothing of it, but whoever tests the endpoint sees what happened.
  return fresh(200, boost::json::object{{"text", told}});
}

std::string SlackApi::vote(const SlackClick& click, const std::string& address) {
  const auto who = who_is_(click.user);
  if (!who) {
    counter("unknown_user").add();
    log::warn("vote of an unknown user of Slack", {{"slack_user", click.user}});
    return "approvals.slack.users does not say who you are here (" + click.user.substr(0, 64) + ")";
  }
  auto found = desk_.find(click.request);
  if (!found) return "the requests for approval cannot be read right now";
  if (!*found) return "there is no such request";
  if (click.approve && !approval::fits_slack(**found)) {
    counter("not_shown").add();
    return "not counted: Slack does not show all of it; `sallyport approvals show " + (*found)->id +
           "` does";
  }
  if (const auto why_not = why_not_(**found, *who, click.approve, address)) {
    counter("not_permitted").add();
    return "not permitted: " + *why_not;
  }
  auto voted = desk_.vote(click.request, *who, click.approve, "in Slack", address);
  if (!voted) {
    counter("not_counted").add();
    return "not counted: " + voted.error().detail;
  }
  counter("voted").add();
  const std::size_t missing = voted->votes_missing();
  std::string told = click.request + " is " + std::string(to_string(voted->state));
  if (voted->state == approval::State::pending) {
    told += ", " + std::to_string(missing) + " more must say yes";
  }
  return told;
}

}  // namespace sallyport::admin

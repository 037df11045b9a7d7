#include "identity/logout.h"

#include "base/log.h"
#include "base/metrics.h"
#include "identity/issuer_parts.h"

namespace sallyport::identity {
namespace {

constexpr int kFailuresMax = 60;  // per address, in Attempts::kWindow

metrics::Counter& logouts(const char* result) {
  return metrics::counter("sallyport_backchannel_logouts_total",
                          "Logout tokens that issuers sent, by result.", {{"result", result}});
}

}  // namespace

Logout::Logout(const Authenticator& authenticator, Revocations& revocations, const Clock& clock,
               Recorder record)
    : authenticator_(authenticator),
      revocations_(revocations),
      clock_(clock),
      record_(std::move(record)),
      attempts_(clock) {}

net::Task<http::Response> Logout::handle(http::Request request) {
  // A good one always passes: whoever sends bad ones from an issuer's address must not keep it from
  // telling of logouts.
  const auto refuse = [&](std::string_view description, std::string_view detail) {
    const std::string network = network_of(request.client_ip);
    if (attempts_.wait(network, kFailuresMax).count() > 0) {
      return oauth_error("temporarily_unavailable", "too many bad logout tokens", 429);
    }
    attempts_.failed(network);
    logouts("refused").add();
    log::warn("logout token refused", {{"ip", request.client_ip}, {"reason", detail}});
    return oauth_error("invalid_request", description);
  };
  const auto form = http::parse_form(request.body);
  if (!form) co_return refuse("malformed or repeated parameters", "malformed form");
  auto told = co_await authenticator_.verify_logout(field(*form, "logout_token"));
  if (!told) {
    if (told.error().kind == CredentialError::Kind::unavailable) {
      co_return oauth_error("temporarily_unavailable", told.error().message, 503);
    }
    co_return refuse("the logout token is not valid", told.error().detail);
  }
  const std::string id = told->issuer + "\n" + told->id;
  const SteadyTime now = clock_.steady();
  if (seen_.find(id, now) != nullptr) {
    co_return refuse("the logout token was used before", "jti was seen before");
  }
  const std::string who = told->subject.empty() ? "session " + told->session : told->subject;
  auto kept = revocations_.log_out(told->issuer, told->subject, told->session);
  logouts("done").add();
  // Where the map is full, a replay ends what was ended already, and more: that is the safe side.
  if (kept) (void)seen_.put(id, true, now + (told->expires_at - clock_.now()) + kSkew, now);
  log::info("logged out by the issuer", {{"who", who}, {"issuer", told->issuer}});
  auto recorded = co_await record_(
      {.who = who, .action = "logout", .target = told->issuer, .detail = "sid " + told->session});
  if (!kept || !recorded) {
    log::error("logout in force, but not kept",
               {{"detail", !kept ? kept.error().detail : recorded.error().detail}});
    co_return oauth_error("temporarily_unavailable", "the logout cannot be kept; try again", 503);
  }
  http::Response response{.status = 200};
  response.headers.add("Cache-Control", "no-store");
  co_return response;
}

}  // namespace sallyport::identity

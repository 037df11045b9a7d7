#include "cli/client_oauth.h"

#include <algorithm>
#include <thread>

#include "base/crypto.h"
#include "cli/client_http.h"
#include "cli/client_loopback.h"
#include "http/message.h"
#include "identity/fetcher.h"
#include "identity/jwt.h"

namespace sallyport::cli {
namespace {

using identity::Json;

constexpr std::chrono::seconds kBrowserMax{300};
constexpr std::int64_t kSkewS = 60;

std::int64_t seconds_of(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

std::string random_text(Random& random) {
  ByteVector bytes(32);
  random.fill(bytes);
  return to_base64url(bytes);
}

std::string form_of(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string text;
  for (const auto& [name, value] : fields) {
    if (value.empty()) continue;
    text += (text.empty() ? "" : "&") + name + "=" + http::url_encode(value);
  }
  return text;
}

/// RFC 8707 wants an address; an audience that is only a name is set at the issuer.
std::string resource_of(const LoginPlace& place) {
  return place.audience.contains("://") ? place.audience : "";
}

std::string scope_of(const LoginPlace& place) {
  std::string scope = "openid profile email";
  if (place.offers_refresh) scope += " offline_access";
  for (const std::string& more : place.more_scopes) scope += " " + more;
  return scope;
}

std::string oauth_problem(const Json& answer, int status) {
  std::string text = "the issuer refused the login";
  if (const auto said = answer.text("error_description")) return text + ": " + std::string(*said);
  if (const auto said = answer.text("error")) return text + ": " + std::string(*said);
  return text + " with status " + std::to_string(status);
}

Result<ClientState> state_from(const Json& tokens, const LoginPlace& place,
                               std::string_view nonce) {
  const auto access = tokens.text("access_token");
  if (!access) return fail(Errc::malformed, "the issuer gave no access token");
  const WallTime now = system_clock().now();
  const auto id_token = tokens.text("id_token");
  if (!id_token) return fail(Errc::denied, "the issuer gave no ID token");
  if (auto checked = check_id_token(*id_token, place, nonce, now); !checked) return fail(checked);
  const auto* seconds = tokens.member("expires_in");
  return ClientState{.gateway = place.gateway,
                     .ca_file = place.ca_file,
                     .token_endpoint = place.token_endpoint,
                     .client_id = place.client_id,
                     .access_token = std::string(*access),
                     .refresh_token = std::string(tokens.text("refresh_token").value_or("")),
                     .expires_s = seconds_of(now) + (seconds ? seconds->integer().value_or(0) : 0)};
}

Result<Json> discover(const std::string& issuer, const std::string& ca_file) {
  std::string base = issuer;
  if (base.ends_with('/')) base.pop_back();
  auto answer = http_call({.url = base + "/.well-known/openid-configuration", .ca_file = ca_file});
  if (!answer) return fail(answer);
  auto document = answer->json();
  if (answer->status != 200 || !document.is_object()) {
    return fail(Errc::unavailable, issuer + " does not say how to log in");
  }
  if (document.text("issuer") != issuer) {
    return fail(Errc::denied, issuer + " answers for another issuer");
  }
  return document;
}

bool lists(const Json& document, std::string_view name, std::string_view value) {
  const Json* member = document.member(name);
  const auto all = member == nullptr ? std::nullopt : member->strings();
  return all && std::ranges::find(*all, value) != all->end();
}

}  // namespace

Result<LoginPlace> find_login_place(const std::string& gateway, const std::string& ca_file) {
  auto answer =
      http_call({.url = gateway + "/.well-known/oauth-protected-resource", .ca_file = ca_file});
  if (!answer) return fail(answer);
  const auto metadata = answer->json();
  const Json* servers = metadata.member("authorization_servers");
  const auto issuers = servers == nullptr ? std::nullopt : servers->strings();
  const auto client_id = metadata.text("sallyport_client_id");
  if (answer->status != 200 || !issuers || issuers->empty() || !client_id) {
    return fail(Errc::unavailable, gateway + " is not a Sallyport gateway");
  }
  auto document = discover(issuers->front(), ca_file);
  if (!document) return fail(document);
  const Json* with_iss = document->member("authorization_response_iss_parameter_supported");
  LoginPlace place{
      .gateway = gateway,
      .ca_file = ca_file,
      .audience = std::string(metadata.text("resource").value_or("")),
      .client_id = std::string(*client_id),
      .issuer = issuers->front(),
      .authorization_endpoint = std::string(document->text("authorization_endpoint").value_or("")),
      .token_endpoint = std::string(document->text("token_endpoint").value_or("")),
      .device_endpoint = std::string(document->text("device_authorization_endpoint").value_or("")),
      .answers_with_iss = with_iss != nullptr && with_iss->boolean().value_or(false),
      .offers_refresh = lists(*document, "scopes_supported", "offline_access")};
  for (const auto& url : {place.authorization_endpoint, place.token_endpoint}) {
    if (!identity::is_fetchable(url)) {
      return fail(Errc::denied, place.issuer + " has no https endpoint to log in at");
    }
  }
  return place;
}

Result<void> check_id_token(std::string_view token, const LoginPlace& place, std::string_view nonce,
                            WallTime now) {
  const auto jws = identity::parse_jws(token);
  const auto claims = jws ? Json::parse(jws->payload, identity::kTokenBytesMax)
                          : Result<Json>(fail(Errc::malformed, ""));
  if (!claims) return fail(Errc::denied, "the issuer's ID token cannot be read");
  const Json* audience = claims->member("aud");
  const auto all = audience == nullptr ? std::nullopt : audience->strings();
  const Json* expires = claims->member("exp");
  const auto ends = expires == nullptr ? std::nullopt : expires->integer();
  if (claims->text("iss") != place.issuer || !all ||
      std::ranges::find(*all, place.client_id) == all->end() ||
      (claims->has("azp") && claims->text("azp") != place.client_id)) {
    return fail(Errc::denied, "the ID token is of another issuer or for another client");
  }
  if (!ends || *ends + kSkewS <= seconds_of(now)) return fail(Errc::denied, "the ID token expired");
  if (!nonce.empty() && claims->text("nonce") != nonce) {
    return fail(Errc::denied, "the ID token is of another login");
  }
  return ok();
}

Result<ClientState> login_by_browser(const LoginPlace& place, Random& random,
                                     const std::function<void(const std::string&)>& show) {
  auto loopback = Loopback::open();
  if (!loopback) return fail(loopback);
  const std::string redirect_uri = (*loopback)->redirect_uri();
  const std::string state = random_text(random);
  const std::string nonce = random_text(random);
  const std::string verifier = random_text(random);
  const std::string scope = scope_of(place);
  show(place.authorization_endpoint + (place.authorization_endpoint.contains('?') ? "&" : "?") +
       form_of({{"response_type", "code"},
                {"client_id", place.client_id},
                {"redirect_uri", redirect_uri},
                {"scope", scope},
                {"state", state},
                {"nonce", nonce},
                {"prompt", place.offers_refresh ? "consent" : ""},  // OpenID Core section 11
                {"resource", resource_of(place)},
                {"code_challenge", to_base64url(sha256(as_bytes(verifier)))},
                {"code_challenge_method", "S256"}}));

  auto answer = (*loopback)->wait(state, kBrowserMax);
  if (!answer) return fail(answer);
  // RFC 9207: an answer of another issuer would make us send its code to ours.
  if (place.answers_with_iss ? (*answer)["iss"] != place.issuer
                             : answer->contains("iss") && (*answer)["iss"] != place.issuer) {
    return fail(Errc::denied, "the answer came from another issuer");
  }
  if (answer->contains("error")) {
    return fail(Errc::denied, "the login was refused: " + (answer->contains("error_description")
                                                               ? (*answer)["error_description"]
                                                               : (*answer)["error"]));
  }
  auto exchanged = http_call({.url = place.token_endpoint,
                              .ca_file = place.ca_file,
                              .form = form_of({{"grant_type", "authorization_code"},
                                               {"code", (*answer)["code"]},
                                               {"client_id", place.client_id},
                                               {"redirect_uri", redirect_uri},
                                               {"resource", resource_of(place)},
                                               {"code_verifier", verifier}})});
  if (!exchanged) return fail(exchanged);
  const auto tokens = exchanged->json();
  if (exchanged->status != 200) {
    return fail(Errc::denied, oauth_problem(tokens, exchanged->status));
  }
  return state_from(tokens, place, nonce);
}

Result<ClientState> login_by_device(
    const LoginPlace& place,
    const std::function<void(const std::string&, const std::string&, const std::string&)>& show) {
  if (!identity::is_fetchable(place.device_endpoint)) {
    return fail(Errc::invalid, place.issuer + " has no device login; leave out --device");
  }
  auto started = http_call({.url = place.device_endpoint,
                            .ca_file = place.ca_file,
                            .form = form_of({{"client_id", place.client_id},
                                             {"scope", scope_of(place)},
                                             {"resource", resource_of(place)}})});
  if (!started) return fail(started);
  const auto grant = started->json();
  const auto device_code = grant.text("device_code");
  const auto user_code = grant.text("user_code");
  const auto page = grant.text("verification_uri");
  if (started->status != 200 || !device_code || !user_code || !page) {
    return fail(Errc::denied, oauth_problem(grant, started->status));
  }
  show(std::string(*page), std::string(*user_code),
       std::string(grant.text("verification_uri_complete").value_or("")));

  const auto number = [&](std::string_view name, std::int64_t otherwise, std::int64_t most) {
    const Json* member = grant.member(name);
    const auto value = member == nullptr ? otherwise : member->integer().value_or(otherwise);
    return std::chrono::seconds(std::clamp<std::int64_t>(value, 1, most));
  };
  auto interval = number("interval", 5, 60);
  const SteadyTime ends = system_clock().steady() + number("expires_in", 600, 3600);
  const std::string form = form_of({{"grant_type", "urn:ietf:params:oauth:grant-type:device_code"},
                                    {"device_code", std::string(*device_code)},
                                    {"client_id", place.client_id}});
  while (system_clock().steady() < ends) {
    std::this_thread::sleep_for(interval);
    auto polled = http_call({.url = place.token_endpoint, .ca_file = place.ca_file, .form = form});
    if (!polled) return fail(polled);
    const auto tokens = polled->json();
    if (polled->status == 200) return state_from(tokens, place, "");
    const auto error = tokens.text("error");
    if (error == "slow_down") interval += std::chrono::seconds(5);
    if (error != "slow_down" && error != "authorization_pending") {
      return fail(Errc::denied, oauth_problem(tokens, polled->status));
    }
  }
  return fail(Errc::timeout, "nobody logged in in time; run `sallyport login --device` again");
}

}  // namespace sallyport::cli

// The token endpoint (RFC 6749 section 3.2), the device endpoint (RFC 8628), and what they issue.

#include <array>
#include <boost/json.hpp>

#include "http/text.h"
#include "identity/issuer.h"
#include "identity/issuer_parts.h"
#include "identity/json.h"
#include "identity/jwt.h"

namespace sallyport::identity {
namespace {

constexpr std::chrono::seconds kDeviceTtl{600};
constexpr std::chrono::seconds kRefreshTtl{12 * 3600};
// No vowels, so that no word comes out (RFC 8628 section 6.1).
constexpr std::string_view kUserCodeLetters = "BCDFGHJKLMNPQRSTVWXZ";
constexpr std::size_t kUserCodeLength = 8;

std::string new_user_code(Random& random) {
  std::string code;
  while (code.size() < kUserCodeLength) {
    std::array<std::byte, 1> byte{};
    random.fill(byte);
    const auto value = std::to_integer<std::size_t>(byte[0]);
    if (value < 240) code += kUserCodeLetters[value % kUserCodeLetters.size()];
  }
  return code;
}

std::int64_t seconds_of(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

bool has_scope(std::string_view scopes, std::string_view wanted) {
  return (" " + std::string(scopes) + " ").contains(" " + std::string(wanted) + " ");
}

/// A client's id and secret, from the header or from the form (RFC 6749 section 2.3.1).
std::pair<std::string, std::string> client_of(const http::Request& request,
                                              const std::map<std::string, std::string>& form) {
  const auto header = request.headers.get("Authorization").value_or("");
  if (header.size() > 6 && http::equal_ignoring_case(header.substr(0, 6), "basic ")) {
    const auto bytes = from_base64(header.substr(6));
    if (!bytes) return {};
    const std::string_view text = as_text(*bytes);
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return {};
    const auto pair = http::parse_form("id=" + std::string(text.substr(0, colon)) +
                                       "&secret=" + std::string(text.substr(colon + 1)));
    if (!pair) return {};
    return {field(*pair, "id"), field(*pair, "secret")};
  }
  return {field(form, "client_id"), field(form, "client_secret")};
}

}  // namespace

http::Response Issuer::token(const http::Request& request) {
  const auto form = http::parse_form(request.body);
  if (!form) return oauth_error("invalid_request", "malformed or repeated parameters");
  const auto grant = field(*form, "grant_type");
  if (grant == "client_credentials") return token_for_agent(request, *form);
  if (!is_public_client(field(*form, "client_id"))) {
    return oauth_error("invalid_client", "unknown client", 401);
  }
  if (grant == "authorization_code") return token_for_code(*form);
  if (grant == "refresh_token") return token_for_refresh(*form);
  if (grant == "urn:ietf:params:oauth:grant-type:device_code") return token_for_device(*form);
  return oauth_error("unsupported_grant_type", "this grant is not supported");
}

http::Response Issuer::token_for_code(const Form& form) {
  const auto code = codes_.take(field(form, "code"), clock_.steady());
  const auto verifier = field(form, "code_verifier");
  if (!code || code->login.client_id != field(form, "client_id") ||
      code->redirect_uri != field(form, "redirect_uri") || verifier.size() < 43 ||
      verifier.size() > 128 ||
      !equal_in_constant_time(as_bytes(to_base64url(sha256(as_bytes(verifier)))),
                              as_bytes(code->challenge))) {
    return oauth_error("invalid_grant", "the code is wrong, used or expired");
  }
  return tokens_of(code->login, random_hex(random_, 16));
}

http::Response Issuer::token_for_device(const Form& form) {
  const SteadyTime now = clock_.steady();
  const auto text = field(form, "device_code");
  Device* device = devices_.find(text, now);
  if (device == nullptr || device->client_id != field(form, "client_id")) {
    return oauth_error("expired_token", "the device code is unknown or has expired");
  }
  if (device->state == Device::State::pending) {
    const bool hasty = now < device->polled + device->interval;
    device->polled = now;
    if (!hasty) return oauth_error("authorization_pending", "nobody has logged in yet");
    device->interval += std::chrono::seconds(5);
    return oauth_error("slow_down", "ask less often");
  }
  return tokens_of(devices_.take(text, now)->login, random_hex(random_, 16));
}

http::Response Issuer::token_for_refresh(const Form& form) {
  const SteadyTime now = clock_.steady();
  Refresh* refresh = refreshes_.find(field(form, "refresh_token"), now);
  if (refresh == nullptr || refresh->login.client_id != field(form, "client_id")) {
    return oauth_error("invalid_grant", "the refresh token is unknown or has expired");
  }
  if (std::exchange(refresh->used, true)) {
    // Used twice: either copy may be the thief's, so none goes on (RFC 9700 section 4.14).
    const std::string family = refresh->family;
    refreshes_.erase_if([&](const Refresh& other) { return other.family == family; });
    return oauth_error("invalid_grant", "the refresh token was used before");
  }
  return tokens_of(refresh->login, refresh->family);
}

http::Response Issuer::token_for_agent(const http::Request& request, const Form& form) {
  const auto [client_id, secret] = client_of(request, form);
  const auto* known = agent(client_id);
  const std::string key = "agent " + network_of(request.client_ip);
  if (attempts_.wait(key, 20).count() > 0) {
    return oauth_error("temporarily_unavailable", "too many attempts", 429);
  }
  if (known == nullptr ||
      !equal_in_constant_time(sha256(as_bytes(secret)), sha256(as_bytes(known->secret)))) {
    attempts_.failed(key);
    auto response = oauth_error("invalid_client", "unknown client or wrong secret", 401);
    response.headers.add("WWW-Authenticate", "Basic realm=\"sallyport\"");
    return response;
  }
  const auto now = clock_.now();
  const auto token =
      key_.sign_jwt("at+jwt", boost::json::serialize(boost::json::object{
                                  {"iss", options_.url},
                                  {"aud", options_.audience},
                                  {"sub", client_id},
                                  {"client_id", client_id},
                                  {"jti", random_hex(random_, 16)},
                                  {"iat", seconds_of(now)},
                                  {"exp", seconds_of(now + options_.token_ttl_s)},
                                  {"groups", boost::json::value_from(known->groups)}}));
  return fresh_json(200, boost::json::serialize(
                             boost::json::object{{"access_token", token},
                                                 {"token_type", "Bearer"},
                                                 {"expires_in", options_.token_ttl_s.count()}}));
}

std::string Issuer::access_token(const BuiltinIssuerOptions::User& user, std::string_view client_id,
                                 std::string_view scope, WallTime at,
                                 std::chrono::seconds ttl) const {
  const auto now = clock_.now();
  return key_.sign_jwt("at+jwt", boost::json::serialize(boost::json::object{
                                     {"iss", options_.url},
                                     {"aud", options_.audience},
                                     {"sub", user.name},
                                     {"client_id", client_id},
                                     {"jti", random_hex(random_, 16)},
                                     {"iat", seconds_of(now)},
                                     {"exp", seconds_of(now + ttl)},
                                     {"auth_time", seconds_of(at)},
                                     {"acr", "pwd"},
                                     {"scope", scope},
                                     {"preferred_username", user.name},
                                     {"name", user.display_name},
                                     {"email", user.email},
                                     {"groups", boost::json::value_from(user.groups)}}));
}

http::Response Issuer::tokens_of(const Login& login, std::string family) {
  const auto* known = user(login.user);
  if (known == nullptr) return oauth_error("invalid_grant", "the user is gone");
  const auto now = clock_.now();
  boost::json::object answer{{"access_token", access_token(*known, login.client_id, login.scope,
                                                           login.at, options_.token_ttl_s)},
                             {"token_type", "Bearer"},
                             {"expires_in", options_.token_ttl_s.count()},
                             {"scope", login.scope}};
  if (has_scope(login.scope, "openid")) {
    boost::json::object claims{{"iss", options_.url},
                               {"sub", known->name},
                               {"aud", login.client_id},
                               {"iat", seconds_of(now)},
                               {"exp", seconds_of(now + std::chrono::seconds(300))},
                               {"auth_time", seconds_of(login.at)},
                               {"acr", "pwd"},
                               {"preferred_username", known->name},
                               {"name", known->display_name},
                               {"email", known->email}};
    if (!login.nonce.empty()) claims["nonce"] = login.nonce;
    answer["id_token"] = key_.sign_jwt("JWT", boost::json::serialize(claims));
  }
  if (has_scope(login.scope, "offline_access")) {
    const std::string text = random_hex(random_, 32);
    const SteadyTime steady = clock_.steady();
    // The family ends 12 hours after the login, however often it is refreshed.
    const auto left =
        kRefreshTtl - std::chrono::duration_cast<std::chrono::seconds>(now - login.at);
    if (left.count() > 0 && refreshes_.put(text, {.login = login, .family = std::move(family)},
                                           steady + left, steady)) {
      answer["refresh_token"] = text;
    }
  }
  return fresh_json(200, boost::json::serialize(answer));
}

http::Response Issuer::device_authorization(const http::Request& request) {
  const auto form = http::parse_form(request.body);
  if (!form || !is_public_client(field(*form, "client_id"))) {
    return oauth_error("invalid_client", "unknown client", 401);
  }
  const SteadyTime now = clock_.steady();
  const std::string text = random_hex(random_, 32);
  const std::string code = new_user_code(random_);
  Device device{.client_id = field(*form, "client_id"),
                .scope = field(*form, "scope").substr(0, 512),
                .user_code = code,
                .polled = now - std::chrono::seconds(60)};
  if (!devices_.put(text, std::move(device), now + kDeviceTtl, now)) {
    return oauth_error("temporarily_unavailable", "too many devices wait", 503);
  }
  const std::string shown = code.substr(0, 4) + "-" + code.substr(4);
  const std::string page = options_.url + "/oauth2/device";
  return fresh_json(200, boost::json::serialize(boost::json::object{
                             {"device_code", text},
                             {"user_code", shown},
                             {"verification_uri", page},
                             {"verification_uri_complete", page + "?user_code=" + shown},
                             {"expires_in", kDeviceTtl.count()},
                             {"interval", 5}}));
}

http::Response Issuer::userinfo(const http::Request& request) const {
  const auto refuse = [] {
    auto response = oauth_error("invalid_token", "present an access token of this issuer", 401);
    response.headers.add("WWW-Authenticate", "Bearer error=\"invalid_token\"");
    return response;
  };
  const auto header = request.headers.get("Authorization").value_or("");
  if (header.size() < 7 || !http::equal_ignoring_case(header.substr(0, 7), "bearer ")) {
    return refuse();
  }
  const auto jws = parse_jws(http::trim(header.substr(7)));
  const auto own = PublicKey::from_jwk(key_.public_jwk());
  if (!jws || !own || !verify_jws(*jws, *own)) return refuse();
  const Issuers issuers{.all = {options()}};
  const auto credential = credential_from(*jws, issuers.all[0], issuers, {}, clock_.now());
  if (!credential) return refuse();
  const auto* known = user(credential->chain.subject().subject);
  if (known == nullptr) return refuse();
  return fresh_json(200, boost::json::serialize(boost::json::object{
                             {"sub", known->name},
                             {"preferred_username", known->name},
                             {"name", known->display_name},
                             {"email", known->email},
                             {"groups", boost::json::value_from(known->groups)}}));
}

Result<std::string> Issuer::mint_token(std::string_view name, std::chrono::seconds ttl) const {
  const auto* known = user(name);
  if (known == nullptr) return fail(Errc::invalid, "no user " + std::string(name));
  return access_token(*known, kCliClient, "openid profile email db:read", clock_.now(), ttl);
}

}  // namespace sallyport::identity

#include "identity/issuer.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <set>

#include "identity/fetcher.h"
#include "identity/issuer_pages.h"
#include "identity/issuer_parts.h"

namespace sallyport::identity {
namespace {

constexpr std::string_view kCliRedirect = "http://127.0.0.1/callback";
constexpr std::array<std::string_view, 3> kLoopback{"http://127.0.0.1", "http://[::1]",
                                                    "http://localhost"};

/// A loopback redirect without its port (RFC 8252 section 7.3), anything else as it is.
std::string without_loopback_port(std::string_view uri) {
  for (const auto& origin : kLoopback) {
    if (!uri.starts_with(origin)) continue;
    const auto rest = uri.substr(origin.size());
    const auto path = rest.find('/');
    if (!rest.starts_with(':') || path == std::string_view::npos) break;
    const auto port = rest.substr(1, path - 1);
    if (port.empty() || port.find_first_not_of("0123456789") != std::string_view::npos) break;
    return std::string(origin) + std::string(rest.substr(path));
  }
  return std::string(uri);
}

Result<void> check(const BuiltinIssuerOptions& options) {
  if (!is_fetchable(options.url) || std::ranges::count(options.url, '/') != 2) {
    return fail(Errc::invalid, "the issuer's url is https://host:port without a path");
  }
  if (options.audience.empty()) return fail(Errc::invalid, "the issuer needs an audience");
  std::set<std::string> names{std::string(kCliClient)};
  for (const auto& user : options.users) {
    if (user.name.empty() || !names.insert(user.name).second) {
      return fail(Errc::invalid, "user '" + user.name + "' is nameless or there twice");
    }
  }
  // An agent named like a user could pass for it: both become `sub`.
  for (const auto& agent : options.agents) {
    if (agent.client_id.empty() || !names.insert(agent.client_id).second) {
      return fail(Errc::invalid, "agent '" + agent.client_id + "' has a name that is taken");
    }
    if (agent.secret.size() < 8) {
      return fail(Errc::invalid, "agent '" + agent.client_id + "' needs a secret of 8 or more");
    }
  }
  for (const auto& client : options.clients) {
    if (client.client_id.empty() || !names.insert(client.client_id).second) {
      return fail(Errc::invalid, "client '" + client.client_id + "' has a name that is taken");
    }
  }
  return ok();
}

}  // namespace

http::Response fresh_json(int status, std::string body) {
  auto response = http::Response::json(status, std::move(body));
  response.headers.add("Cache-Control", "no-store");
  return response;
}

http::Response oauth_error(std::string_view code, std::string_view description, int status) {
  return fresh_json(status, boost::json::serialize(boost::json::object{
                                {"error", code}, {"error_description", description}}));
}

std::string origin_of(std::string_view url) {
  const auto host = url.find("//");
  if (host == std::string_view::npos) return "";
  return std::string(url.substr(0, url.find_first_of("/?#", host + 2)));
}

Result<std::unique_ptr<Issuer>> Issuer::create(BuiltinIssuerOptions options, SigningKey key,
                                               const Clock& clock, Random& random) {
  if (auto checked = check(options); !checked) return fail(checked);
  return std::unique_ptr<Issuer>(new Issuer(std::move(options), std::move(key), clock, random));
}

Issuer::Issuer(BuiltinIssuerOptions options, SigningKey key, const Clock& clock, Random& random)
    : options_(std::move(options)),
      key_(std::move(key)),
      clock_(clock),
      random_(random),
      csrf_secret_(random_hex(random, 32)),
      nobody_hash_(hash_password(random_hex(random, 16), random)),
      attempts_(clock) {}

Result<BuiltinIssuerOptions> Issuer::use(BuiltinIssuerOptions options) {
  if (auto checked = check(options); !checked) return fail(checked);
  return std::exchange(options_, std::move(options));
}

const std::vector<std::string_view>& Issuer::paths() {
  static const std::vector<std::string_view> all{
      "/.well-known/openid-configuration",
      "/.well-known/oauth-authorization-server",
      "/.well-known/jwks.json",
      "/oauth2/authorize",
      "/oauth2/device_authorization",
      "/oauth2/device",
      "/oauth2/token",
      "/oauth2/userinfo",
  };
  return all;
}

net::Task<http::Response> Issuer::handle(http::Request request) {
  const bool get = request.method == "GET";
  const bool post = request.method == "POST";
  const std::string_view path = request.path;
  if (get && (path == paths()[0] || path == paths()[1])) co_return discovery();
  if (get && path == paths()[2]) co_return keys();
  if ((get || post) && path == "/oauth2/authorize")
    co_return co_await authorize(std::move(request));
  if ((get || post) && path == "/oauth2/device") co_return co_await device(std::move(request));
  if (post && path == "/oauth2/device_authorization") co_return device_authorization(request);
  if (post && path == "/oauth2/token") co_return token(request);
  if ((get || post) && path == "/oauth2/userinfo") co_return userinfo(request);
  if (std::ranges::find(paths(), path) != paths().end()) {
    co_return oauth_error("invalid_request", "this method is not for this path", 405);
  }
  co_return oauth_error("invalid_request", "no such path", 404);
}

http::Response Issuer::discovery() const {
  const auto at = [&](std::string_view path) { return options_.url + std::string(path); };
  auto response = http::Response::json(
      200, boost::json::serialize(boost::json::object{
               {"issuer", options_.url},
               {"authorization_endpoint", at("/oauth2/authorize")},
               {"token_endpoint", at("/oauth2/token")},
               {"device_authorization_endpoint", at("/oauth2/device_authorization")},
               {"userinfo_endpoint", at("/oauth2/userinfo")},
               {"jwks_uri", at("/.well-known/jwks.json")},
               {"response_types_supported", {"code"}},
               {"response_modes_supported", {"query"}},
               {"grant_types_supported",
                {"authorization_code", "refresh_token", "client_credentials",
                 "urn:ietf:params:oauth:grant-type:device_code",
                 "urn:ietf:params:oauth:grant-type:token-exchange"}},
               {"code_challenge_methods_supported", {"S256"}},
               {"token_endpoint_auth_methods_supported",
                {"none", "client_secret_basic", "client_secret_post"}},
               {"subject_types_supported", {"public"}},
               {"id_token_signing_alg_values_supported", {"ES256"}},
               {"scopes_supported", {"openid", "profile", "email", "offline_access"}},
               {"authorization_response_iss_parameter_supported", true}}));
  response.headers.add("Cache-Control", "max-age=300");
  return response;
}

http::Response Issuer::keys() const {
  std::string all = key_.public_jwk();
  for (const std::string& other : options_.other_keys) all += "," + other;
  auto response = http::Response::json(200, R"({"keys":[)" + all + "]}");
  response.headers.add("Cache-Control", "max-age=300");
  return response;
}

IssuerOptions Issuer::options() const {
  IssuerOptions trust{.name = "builtin",
                      .url = options_.url,
                      .audience = options_.audience,
                      .algorithms = {Algorithm::es256},
                      .jwks = R"({"keys":[)" + key_.public_jwk() + "]}"};
  for (const auto& agent : options_.agents) {
    trust.agents.push_back({.client_id = agent.client_id,
                            .id = agent.client_id,
                            .display_name = agent.display_name,
                            .owner = agent.owner,
                            .groups = agent.groups,
                            .attested = true});
  }
  return trust;
}

const BuiltinIssuerOptions::User* Issuer::user(std::string_view name) const {
  const auto found = std::ranges::find(options_.users, name, &BuiltinIssuerOptions::User::name);
  return found == options_.users.end() ? nullptr : &*found;
}

const BuiltinIssuerOptions::Agent* Issuer::agent(std::string_view client_id) const {
  const auto found =
      std::ranges::find(options_.agents, client_id, &BuiltinIssuerOptions::Agent::client_id);
  return found == options_.agents.end() ? nullptr : &*found;
}

bool Issuer::is_public_client(std::string_view client_id) const {
  return client_id == kCliClient || std::ranges::any_of(options_.clients, [&](const auto& client) {
           return client.client_id == client_id;
         });
}

bool Issuer::redirect_is_allowed(std::string_view client_id, std::string_view uri) const {
  // A control character or a fragment would end up in our Location header.
  if (uri.contains('#') ||
      std::ranges::any_of(uri, [](char c) { return c <= 0x20 || c == 0x7f; })) {
    return false;
  }
  const auto wanted = without_loopback_port(uri);
  if (client_id == kCliClient) return wanted == kCliRedirect;
  for (const auto& client : options_.clients) {
    if (client.client_id != client_id) continue;
    return std::ranges::any_of(client.redirect_uris, [&](const std::string& allowed) {
      return allowed == uri || without_loopback_port(allowed) == wanted;
    });
  }
  return false;
}

}  // namespace sallyport::identity

#include "admin/api.h"

#include <algorithm>
#include <boost/json.hpp>

#include "base/log.h"
#include "http/text.h"
#include "identity/json.h"

namespace sallyport::admin {
namespace {

constexpr std::size_t kBodyBytesMax = 4096;
constexpr std::string_view kMetadata = "/.well-known/oauth-protected-resource";

boost::json::object identity_json(const Identity& identity) {
  boost::json::object object{{"kind", cedar_type(identity.kind)},
                             {"id", identity.id},
                             {"issuer", identity.issuer},
                             {"subject", identity.subject},
                             {"groups", boost::json::value_from(identity.groups)}};
  if (!identity.display_name.empty()) object["name"] = identity.display_name;
  if (!identity.email.empty()) object["email"] = identity.email;
  if (!identity.owner.empty()) object["owner"] = identity.owner;
  return object;
}

boost::json::object connection_json(const ApiConnection& connection) {
  boost::json::object object{{"name", connection.name},
                             {"protocol", connection.protocol},
                             {"host", connection.host},
                             {"port", connection.port},
                             {"database", connection.database}};
  if (!connection.url.empty()) object["url"] = connection.url;
  return object;
}

/// What the body says beside the connection: a ticket and a purpose, and whether this is
/// break-glass. An answer if it may not be said.
std::optional<http::Response> read_stated(const identity::Json& body,
                                          identity::Credential& credential) {
  constexpr std::size_t bytes_max = 500;
  identity::Stated& stated = credential.stated;
  stated = {.ticket = std::string(body.text("ticket").value_or("")),
            .purpose = std::string(body.text("purpose").value_or(""))};
  if (const identity::Json* const flag = body.member("break_glass")) {
    const auto value = flag->boolean();
    if (!value) return problem(400, "Bad request", "break_glass is true or false");
    stated.break_glass = *value;
  }
  if (stated.ticket.size() > bytes_max || stated.purpose.size() > bytes_max) {
    return problem(400, "Bad request", "ticket and purpose have at most 500 bytes each");
  }
  if (!stated.break_glass) return std::nullopt;
  if (credential.chain.delegated() || credential.chain.subject().kind != IdentityKind::user) {
    return problem(403, "Not permitted", "break-glass is for people, and not for agents");
  }
  if (stated.ticket.empty() || stated.purpose.empty()) {
    return problem(400, "Bad request", "break-glass needs a ticket and a purpose",
                   "sallyport connect shop --break-glass --ticket INC-1 --reason '...'");
  }
  return std::nullopt;
}

/// The token of "Authorization: Bearer ..." (or another scheme, with its space), or "".
std::string_view token_of(const http::Request& request, std::string_view scheme) {
  const auto header = request.headers.get("Authorization").value_or("");
  if (header.size() <= scheme.size() ||
      !http::equal_ignoring_case(header.substr(0, scheme.size()), scheme)) {
    return "";
  }
  return http::trim(header.substr(scheme.size()));
}

/// The one proof beside the token, or "" where there is not just one.
std::string proof_of(const http::Request& request) {
  std::vector<std::string_view> proofs;
  for (const http::Header& header : request.headers.all) {
    if (http::equal_ignoring_case(header.name, "DPoP")) proofs.push_back(header.value);
  }
  return proofs.size() == 1 ? std::string(proofs.front()) : "";
}

http::Response unauthorized(std::string_view detail, std::string_view hint) {
  auto response = admin::problem(401, "Not authenticated", detail, hint);
  response.headers.add("WWW-Authenticate", "DPoP error=\"invalid_token\", algs=\"" +
                                               std::string(identity::dpop_algorithms) + "\"");
  response.headers.add("WWW-Authenticate", "Bearer error=\"invalid_token\", resource_metadata=\"" +
                                               std::string(kMetadata) + "\"");
  return response;
}

}  // namespace

net::Task<std::expected<identity::Credential, http::Response>> authenticate(
    const identity::Authenticator& authenticator, const http::Request& request) {
  std::string bearer(token_of(request, "Bearer "));
  std::string bound(token_of(request, "DPoP "));
  if (bearer.empty() && bound.empty()) {
    co_return std::unexpected(
        unauthorized("no bearer token in the Authorization header", "run `sallyport login`"));
  }
  auto check = bound.empty() ? authenticator.verify_token(std::move(bearer))
                             : authenticator.verify_proven(
                                   std::move(bound), proof_of(request),
                                   {.method = request.method, .path = request.path, .token = {}});
  auto credential = co_await std::move(check);
  if (!credential) {
    const identity::CredentialError& error = credential.error();
    log::info("token refused", {{"ip", request.client_ip}, {"reason", error.detail}});
    if (error.kind == identity::CredentialError::Kind::unavailable) {
      co_return std::unexpected(problem(503, "Unavailable", error.message, error.hint));
    }
    co_return std::unexpected(unauthorized(error.message, error.hint));
  }
  co_return std::move(*credential);
}

http::Response fresh(int status, const boost::json::value& body) {
  auto response = http::Response::json(status, boost::json::serialize(body));
  response.headers.add("Cache-Control", "no-store");
  return response;
}

http::Response problem(int status, std::string_view title, std::string_view detail,
                       std::string_view hint) {
  boost::json::object body{
      {"type", "about:blank"}, {"title", title}, {"status", status}, {"detail", detail}};
  if (!hint.empty()) body["hint"] = hint;
  http::Response response{.status = status};
  response.headers.add("Content-Type", "application/problem+json");
  response.headers.add("Cache-Control", "no-store");
  response.body = boost::json::serialize(body);
  return response;
}

Api::Api(ApiOptions options, const identity::Authenticator& authenticator,
         identity::Tickets& tickets, MayConnect may_connect)
    : options_(std::move(options)),
      authenticator_(authenticator),
      tickets_(tickets),
      may_connect_(std::move(may_connect)) {}

const std::vector<std::pair<std::string_view, std::string_view>>& Api::routes() {
  static const std::vector<std::pair<std::string_view, std::string_view>> all{
      {"GET", "/api/v1/whoami"},
      {"GET", "/api/v1/connections"},
      {"POST", "/api/v1/tickets"},
      {"GET", kMetadata}};
  return all;
}

void Api::add_routes(Router& router) {
  const Handler handler = [this](http::Request request) { return handle(std::move(request)); };
  for (const auto& [method, path] : routes()) router.add(method, path, handler);
}

net::Task<http::Response> Api::handle(http::Request request) {
  if (request.path == kMetadata) co_return metadata();
  auto credential = co_await authenticate(authenticator_, request);
  if (!credential) co_return std::move(credential.error());
  if (request.path == "/api/v1/whoami") co_return whoami(*credential);
  if (request.path == "/api/v1/connections") co_return connections(*credential);
  if (request.path == "/api/v1/tickets") co_return mint(*credential, request.body);
  co_return problem(404, "Not found", "there is no such path in this API");
}

http::Response Api::metadata() const {
  boost::json::array servers{options_.issuer};  // the first is where people log in
  if (!options_.token_service.empty() && options_.token_service != options_.issuer) {
    servers.emplace_back(options_.token_service);
  }
  return fresh(200, boost::json::object{{"resource", options_.audience},
                                        {"authorization_servers", std::move(servers)},
                                        {"bearer_methods_supported", boost::json::array{"header"}},
                                        {"sallyport_client_id", options_.client_id}});
}

http::Response Api::whoami(const identity::Credential& credential) const {
  boost::json::array chain;
  for (const auto& identity : credential.chain.identities) chain.push_back(identity_json(identity));
  const auto& authentication = credential.authentication;
  boost::json::object how{{"method", authentication.method},
                          {"expires_at", to_iso8601(authentication.expires_at)},
                          {"scopes", boost::json::value_from(authentication.scopes)}};
  if (!authentication.acr.empty()) how["acr"] = authentication.acr;
  if (authentication.authenticated_at != WallTime{}) {
    how["authenticated_at"] = to_iso8601(authentication.authenticated_at);
  }
  return fresh(200, boost::json::object{{"name", credential.chain.to_string()},
                                        {"chain", std::move(chain)},
                                        {"authentication", std::move(how)}});
}

bool Api::may_connect(const identity::Credential& credential,
                      const ApiConnection& connection) const {
  return !may_connect_ || may_connect_(credential, connection);
}

http::Response Api::connections(const identity::Credential& credential) const {
  boost::json::array all;
  for (const auto& connection : options_.connections) {
    if (may_connect(credential, connection)) all.push_back(connection_json(connection));
  }
  return fresh(200, boost::json::object{{"connections", std::move(all)}});
}

http::Response Api::mint(const identity::Credential& credential, std::string_view body) const {
  const auto document = identity::Json::parse(body, kBodyBytesMax);
  const auto name = document ? document->text("connection") : std::nullopt;
  if (!name) {
    return problem(400, "Bad request", "the body is no JSON object with a connection",
                   R"(send {"connection":"shop"})");
  }
  identity::Credential asked = credential;
  if (auto bad = read_stated(*document, asked)) return std::move(*bad);
  const auto found = std::ranges::find(options_.connections, *name, &ApiConnection::name);
  // One that may not be used and one that is not there look the same.
  if (found == options_.connections.end() || !may_connect(asked, *found)) {
    return problem(
        404, "No such connection", "there is no connection of that name that you may use",
        "`sallyport whoami` shows who you are here, GET /api/v1/connections what you may use");
  }
  auto ticket = tickets_.mint(asked, found->name);
  if (!ticket) {
    if (ticket.error().code == Errc::denied) {
      return unauthorized("the token is about to expire", "run `sallyport login`");
    }
    log::error("ticket not minted", {{"error", ticket.error().detail}});
    return problem(503, "Unavailable", "the ticket cannot be kept right now", "try again");
  }
  boost::json::object minted{
      {"ticket", ticket->text},      {"user", ticket->user},
      {"connection", found->name},   {"protocol", found->protocol},
      {"host", found->host},         {"port", found->port},
      {"database", found->database}, {"expires_at", to_iso8601(ticket->expires_at)}};
  if (!found->url.empty()) minted["url"] = found->url;
  return fresh(201, minted);
}

}  // namespace sallyport::admin

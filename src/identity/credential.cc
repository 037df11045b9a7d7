#include "identity/credential.h"

#include <boost/json.hpp>

#include "identity/json.h"

namespace sallyport::identity {
namespace {

constexpr std::size_t kCredentialBytesMax = 256 * 1024;

boost::json::array strings(const std::vector<std::string>& all) {
  boost::json::array array;
  for (const auto& one : all) array.emplace_back(one);
  return array;
}

boost::json::object identity_json(const Identity& identity) {
  boost::json::object claims;
  for (const auto& [name, value] : identity.job) claims[name] = value;
  return {{"claims", std::move(claims)}, {"kind", std::string(cedar_type(identity.kind))},
          {"id", identity.id},           {"issuer", identity.issuer},
          {"subject", identity.subject}, {"display_name", identity.display_name},
          {"email", identity.email},     {"groups", strings(identity.groups)},
          {"owner", identity.owner},     {"attested", identity.attested},
          {"active", identity.active}};
}

std::string text(const Json& object, std::string_view name) {
  return std::string(object.text(name).value_or(""));
}

bool flag(const Json& object, std::string_view name) {
  const Json* member = object.member(name);
  return member != nullptr && member->boolean().value_or(false);
}

Result<std::vector<std::string>> list(const Json& object, std::string_view name) {
  const Json* member = object.member(name);
  auto all = member == nullptr ? std::nullopt : member->strings();
  if (!all) return fail(Errc::malformed, "credential without " + std::string(name));
  return *all;
}

Result<WallTime> time(const Json& object, std::string_view name) {
  const Json* member = object.member(name);
  const auto us = member == nullptr ? std::nullopt : member->integer();
  if (!us) return fail(Errc::malformed, "credential without " + std::string(name));
  return WallTime(std::chrono::microseconds(*us));
}

Result<Identity> identity_from(const Json& object) {
  Identity identity{.id = text(object, "id"),
                    .issuer = text(object, "issuer"),
                    .subject = text(object, "subject"),
                    .display_name = text(object, "display_name"),
                    .email = text(object, "email"),
                    .owner = text(object, "owner"),
                    .attested = flag(object, "attested"),
                    .active = flag(object, "active")};
  const auto kind = text(object, "kind");
  for (const auto one : {IdentityKind::user, IdentityKind::agent, IdentityKind::workload}) {
    if (kind == cedar_type(one)) identity.kind = one;
  }
  if (kind != cedar_type(identity.kind) || identity.id.empty()) {
    return fail(Errc::malformed, "credential with an unknown identity");
  }
  auto groups = list(object, "groups");
  if (!groups) return fail(groups);
  identity.groups = std::move(*groups);
  const Json* const claims = object.member("claims");
  if (claims != nullptr && claims->object() != nullptr) {
    for (const auto& [name, value] : *claims->object()) {
      identity.job.emplace(name, value.string().value_or(""));
    }
  }
  return identity;
}

}  // namespace

std::string CredentialError::to_string() const {
  return hint.empty() ? message : message + ": " + hint;
}

std::string to_json(const Credential& credential) {
  boost::json::array chain;
  for (const auto& identity : credential.chain.identities) chain.push_back(identity_json(identity));
  const auto& authentication = credential.authentication;
  return boost::json::serialize(boost::json::object{
      {"chain", chain},
      {"method", authentication.method},
      {"acr", authentication.acr},
      {"authenticated_us", authentication.authenticated_at.time_since_epoch().count()},
      {"sender_bound", authentication.sender_bound},
      {"device_managed", authentication.device_managed},
      {"scopes", strings(authentication.scopes)},
      {"expires_us", authentication.expires_at.time_since_epoch().count()},
      {"issued_us", authentication.issued_at.time_since_epoch().count()},
      {"login_session", authentication.login_session},
      {"transaction", authentication.transaction},
      {"connection", authentication.connection},
      {"delegation", authentication.delegation},
      {"break_glass", credential.stated.break_glass},
      {"ticket", credential.stated.ticket},
      {"purpose", credential.stated.purpose}});
}

Result<Credential> credential_from_json(std::string_view json) {
  auto document = Json::parse(json, kCredentialBytesMax);
  if (!document) return fail(document);
  Credential credential;
  const Json* chain = document->member("chain");
  if (chain == nullptr || chain->array() == nullptr || chain->array()->empty()) {
    return fail(Errc::malformed, "credential without a chain");
  }
  for (const Json& one : *chain->array()) {
    auto identity = identity_from(one);
    if (!identity) return fail(identity);
    credential.chain.identities.push_back(std::move(*identity));
  }
  auto scopes = list(*document, "scopes");
  auto authenticated_at = time(*document, "authenticated_us");
  auto expires_at = time(*document, "expires_us");
  if (!scopes) return fail(scopes);
  if (!authenticated_at) return fail(authenticated_at);
  auto issued_at = time(*document, "issued_us");
  if (!expires_at) return fail(expires_at);
  if (!issued_at) return fail(issued_at);
  credential.authentication = {.method = text(*document, "method"),
                               .acr = text(*document, "acr"),
                               .authenticated_at = *authenticated_at,
                               .sender_bound = flag(*document, "sender_bound"),
                               .device_managed = flag(*document, "device_managed"),
                               .scopes = std::move(*scopes),
                               .expires_at = *expires_at,
                               .issued_at = *issued_at,
                               .login_session = text(*document, "login_session"),
                               .transaction = text(*document, "transaction"),
                               .connection = text(*document, "connection"),
                               .delegation = text(*document, "delegation")};
  credential.stated = {.break_glass = flag(*document, "break_glass"),
                       .ticket = text(*document, "ticket"),
                       .purpose = text(*document, "purpose")};
  return credential;
}

}  // namespace sallyport::identity

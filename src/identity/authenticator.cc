#include "identity/authenticator.h"

#include <algorithm>
#include <set>

#include "base/log.h"

namespace sallyport::identity {
namespace {

using Kind = CredentialError::Kind;

std::unexpected<CredentialError> refuse(Kind kind, std::string detail) {
  return std::unexpected(refusal(kind, std::move(detail)));
}

Result<void> check_options(const std::vector<IssuerOptions>& issuers) {
  std::set<std::string> names;
  std::set<std::string> urls;
  for (const auto& issuer : issuers) {
    const std::string& name = issuer.name.empty() ? issuer.url : issuer.name;
    const auto say = [&](std::string_view problem) {
      return fail(Errc::invalid, "issuer '" + name + "': " + std::string(problem));
    };
    const bool primary = &issuer == &issuers.front();
    if ((issuer.name.empty() && !primary) || issuer.name.contains('|')) {
      return say("needs a name without '|'");
    }
    const std::string& discovery = issuer.openid_configuration_url;
    if (!is_fetchable(issuer.url) || (!discovery.empty() && !is_fetchable(discovery))) {
      return say("url must be https (http only on loopback)");
    }
    if (issuer.audience.empty()) return say("needs an audience");
    if (issuer.algorithms.empty()) return say("allows no algorithm");
    if (!names.insert(issuer.name).second) return say("is there twice");
    if (!urls.insert(issuer.url).second) return say("has the url of another issuer");
    if (!issuer.jwks.empty()) {
      if (auto set = parse_jwks(issuer.jwks); !set) return say("jwks: " + set.error().detail);
    }
    std::set<std::string> agents;
    for (const auto& agent : issuer.agents) {
      if (agent.client_id.empty()) return say("an agent needs a client_id");
      if (!agents.insert(agent.client_id).second) return say("an agent is there twice");
    }
  }
  return ok();
}

}  // namespace

Authenticator::Authenticator(Issuers issuers, const Clock& clock, Fetcher& fetcher)
    : issuers_(std::move(issuers)), clock_(clock) {
  for (const auto& issuer : issuers_.all) {
    keys_.push_back(std::make_unique<KeyCache>(issuer, clock, fetcher));
  }
}

Result<std::unique_ptr<Authenticator>> Authenticator::create(std::vector<IssuerOptions> issuers,
                                                             const Clock& clock, Fetcher& fetcher) {
  if (auto checked = check_options(issuers); !checked) return fail(checked);
  return std::unique_ptr<Authenticator>(
      new Authenticator({.all = std::move(issuers)}, clock, fetcher));
}

net::Task<CredentialResult<Credential>> Authenticator::verify_token(
    std::string token, Presentation presentation) const {
  auto jws = parse_jws(token);
  if (!jws) {
    const bool header = jws.error().code == Errc::denied;
    co_return refuse(header ? Kind::algorithm : Kind::malformed, jws.error().detail);
  }
  auto url = unverified_issuer(*jws);
  if (!url) co_return refuse(Kind::malformed, url.error().detail);
  const IssuerOptions* issuer = issuers_.find(*url);
  if (issuer == nullptr) co_return refuse(Kind::unknown_issuer, "iss is not configured");
  if (std::ranges::find(issuer->algorithms, jws->algorithm) == issuer->algorithms.end()) {
    co_return refuse(Kind::algorithm, std::string(to_string(jws->algorithm)) +
                                          " is not allowed for issuer " + issuer->name);
  }

  auto& cache = *keys_[static_cast<std::size_t>(issuer - issuers_.all.data())];
  auto key = co_await cache.find(jws->kid, jws->algorithm);
  if (!key) co_return refuse(Kind::unavailable, key.error().detail);
  if (*key == nullptr) {
    co_return refuse(Kind::unknown_key, "no key for this kid and alg at issuer " + issuer->name);
  }
  if (auto verified = verify_jws(*jws, **key); !verified) {
    co_return refuse(Kind::signature, verified.error().detail);
  }
  co_return credential_from(*jws, *issuer, issuers_, presentation, clock_.now());
}

std::vector<std::pair<std::string, KeyCache::Metrics>> Authenticator::metrics() const {
  std::vector<std::pair<std::string, KeyCache::Metrics>> all;
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    all.emplace_back(issuers_.all[i].url, keys_[i]->metrics());
  }
  return all;
}

}  // namespace sallyport::identity

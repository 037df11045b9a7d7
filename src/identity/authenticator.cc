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

Authenticator::Authenticator(const Clock& clock, Fetcher& fetcher, std::optional<Own> own,
                             const Revocations* revocations)
    : clock_(clock), fetcher_(fetcher), own_(std::move(own)), revocations_(revocations) {}

Result<std::unique_ptr<Authenticator>> Authenticator::create(std::vector<IssuerOptions> issuers,
                                                             const Clock& clock, Fetcher& fetcher,
                                                             std::optional<IssuerOptions> own,
                                                             const Revocations* revocations) {
  std::optional<Own> ours;
  if (own) {
    auto set = parse_jwks(own->jwks);
    if (!set || set->keys.size() != 1) return fail(Errc::invalid, "the token service has no key");
    ours.emplace(std::move(*own), set->keys.front());
  }
  std::unique_ptr<Authenticator> made(
      new Authenticator(clock, fetcher, std::move(ours), revocations));
  if (auto used = made->use(std::move(issuers)); !used) return fail(used);
  return made;
}

Result<void> Authenticator::use(std::vector<IssuerOptions> issuers) {
  if (auto checked = check_options(issuers); !checked) return checked;
  state_.store(make_state(std::move(issuers)));
  return ok();
}

std::shared_ptr<const Authenticator::State> Authenticator::make_state(
    std::vector<IssuerOptions> issuers) const {
  const auto before = state_.load();
  auto state = std::make_shared<State>();
  state->issuers.all = std::move(issuers);
  for (const auto& issuer : state->issuers.all) {
    const auto* const old = before == nullptr ? nullptr : before->issuers.find(issuer.url);
    const bool same = old != nullptr && old->jwks == issuer.jwks &&
                      old->ca_file == issuer.ca_file &&
                      old->openid_configuration_url == issuer.openid_configuration_url;
    state->keys.push_back(
        same ? before->keys[static_cast<std::size_t>(old - before->issuers.all.data())]
             : std::make_shared<KeyCache>(issuer, clock_, fetcher_));
  }
  return state;
}

std::shared_ptr<const Issuers> Authenticator::issuers() const {
  const auto state = state_.load();
  return {state, &state->issuers};
}

net::Task<CredentialResult<Authenticator::Signed>> Authenticator::verify_signature(
    std::string token) const {
  auto jws = parse_jws(token);
  if (!jws) {
    const bool header = jws.error().code == Errc::denied;
    co_return refuse(header ? Kind::algorithm : Kind::malformed, jws.error().detail);
  }
  auto url = unverified_issuer(*jws);
  if (!url) co_return refuse(Kind::malformed, url.error().detail);
  Signed found{.jws = std::move(*jws), .state = state_.load()};  // a reload may replace the state
  // A built-in issuer has the same address: the key tells their tokens apart.
  if (own_ && *url == own_->options.url && found.jws.kid == own_->key->kid()) {
    if (auto verified = verify_jws(found.jws, *own_->key); !verified) {
      co_return refuse(Kind::signature, verified.error().detail);
    }
    found.issuer = &own_->options;
    co_return std::move(found);
  }
  const IssuerOptions* issuer = found.issuer = found.state->issuers.find(*url);
  if (issuer == nullptr) co_return refuse(Kind::unknown_issuer, "iss is not configured");
  const Algorithm algorithm = found.jws.algorithm;
  if (std::ranges::find(issuer->algorithms, algorithm) == issuer->algorithms.end()) {
    co_return refuse(Kind::algorithm, std::string(to_string(algorithm)) +
                                          " is not allowed for issuer " + issuer->name);
  }

  auto& cache =
      *found.state->keys[static_cast<std::size_t>(issuer - found.state->issuers.all.data())];
  auto key = co_await cache.find(found.jws.kid, algorithm);
  if (!key) co_return refuse(Kind::unavailable, key.error().detail);
  if (*key == nullptr) {
    co_return refuse(Kind::unknown_key, "no key for this kid and alg at issuer " + issuer->name);
  }
  if (auto verified = verify_jws(found.jws, **key); !verified) {
    co_return refuse(Kind::signature, verified.error().detail);
  }
  co_return std::move(found);
}

net::Task<CredentialResult<Credential>> Authenticator::verify_token(
    std::string token, Presentation presentation) const {
  auto found = co_await verify_signature(std::move(token));
  if (!found) co_return std::unexpected(std::move(found.error()));
  auto credential = credential_from(found->jws, *found->issuer, found->state->issuers, presentation,
                                    clock_.now());
  if (!credential || revocations_ == nullptr) co_return credential;
  if (auto why = revocations_->problem(credential->chain, credential->authentication)) {
    auto error = refusal(Kind::revoked, *why);
    error.message = std::move(*why);
    co_return std::unexpected(std::move(error));
  }
  co_return credential;
}

net::Task<CredentialResult<Credential>> Authenticator::verify_proven(
    std::string token, std::string proof, DpopProofs::Request request) const {
  const auto bad_proof = [](std::string why) {
    auto error = refusal(Kind::unbound, "proof: " + why);
    error.message = "the DPoP proof is not good: " + std::move(why);
    error.hint = "make one for each request, with htm, htu, iat, jti and ath";
    return std::unexpected(std::move(error));
  };
  if (!proofs_) co_return bad_proof("none are taken here");
  // The token first: only its holder may have us make keys of what is written in a proof, and
  // remember it.
  auto claimed = DpopProofs::claimed_key(proof);
  if (!claimed) co_return bad_proof(claimed.error().detail);
  auto credential = co_await verify_token(token, {.dpop_key = *claimed});
  if (!credential) co_return credential;
  request.token = token;
  auto proved = proofs_->check(proof, request);
  if (!proved) co_return bad_proof(proved.error().detail);
  if (*proved != *claimed) co_return bad_proof("it is of another key");
  co_return credential;
}

net::Task<CredentialResult<LogoutToken>> Authenticator::verify_logout(std::string token) const {
  auto found = co_await verify_signature(std::move(token));
  if (!found) co_return std::unexpected(std::move(found.error()));
  if (found->issuer->token_service) co_return refuse(Kind::unknown_issuer, "we end no logins");
  co_return logout_from(found->jws, *found->issuer, clock_.now());
}

std::vector<std::pair<std::string, KeyCache::Metrics>> Authenticator::metrics() const {
  std::vector<std::pair<std::string, KeyCache::Metrics>> all;
  const auto state = state_.load();
  for (std::size_t i = 0; i < state->keys.size(); ++i) {
    all.emplace_back(state->issuers.all[i].url, state->keys[i]->metrics());
  }
  return all;
}

}  // namespace sallyport::identity

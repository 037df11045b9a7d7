#include "identity/token_service.h"

#include <algorithm>
#include <boost/json.hpp>
#include <ranges>

#include "base/log.h"
#include "base/metrics.h"
#include "http/text.h"
#include "identity/issuer_parts.h"
#include "identity/json.h"
#include "identity/jwt.h"

namespace sallyport::identity {
namespace {

constexpr std::string_view kAccessToken = "urn:ietf:params:oauth:token-type:access_token";
constexpr std::string_view kJwt = "urn:ietf:params:oauth:token-type:jwt";
constexpr std::chrono::seconds kLifetimeMin{1};
// In Attempts::kWindow, which is five minutes.
constexpr int kFailuresMax = 60;     // per address
constexpr int kExchangesMax = 3000;  // per agent

struct Metrics {
  metrics::Counter& issued = result("issued");
  metrics::Counter& refused = result("refused");
  metrics::Counter& limited = result("limited");
  metrics::Counter& failed = result("failed");

  static metrics::Counter& result(const char* name) {
    return metrics::counter("sallyport_token_exchanges_total", "Token exchanges, by result.",
                            {{"result", name}});
  }
};

Metrics& counters() {
  static Metrics metrics;
  return metrics;
}

std::int64_t seconds_of(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> all;
  for (const auto word : std::views::split(text, ' ')) {
    if (!word.empty()) all.emplace_back(word.begin(), word.end());
  }
  return all;
}

std::string joined(const std::vector<std::string>& all) {
  std::string text;
  for (const auto& one : all) text += (text.empty() ? "" : " ") + one;
  return text;
}

bool same(const Identity& a, const Identity& b) {
  return (a.kind == b.kind && a.id == b.id) || (a.issuer == b.issuer && a.subject == b.subject);
}

/// The chain as RFC 8693 nests it: the current actor outside, those before it inside.
boost::json::object act_of(const Chain& chain) {
  boost::json::object act;
  for (const Identity& identity : chain.identities | std::views::drop(1)) {
    boost::json::object outer{
        {"iss", identity.issuer}, {"sub", identity.subject}, {"sub_profile", "ai_agent"}};
    if (!act.empty()) outer["act"] = std::move(act);
    act = std::move(outer);
  }
  return act;
}

/// The subject's word on who may act, which holds for what is made of its token too.
std::string may_act_of(std::string_view token, std::string_view issuer) {
  const auto jws = parse_jws(token);
  if (!jws) return "";
  const auto claims = Json::parse(jws->payload, kTokenBytesMax);
  const Json* const may_act = claims ? claims->member("may_act") : nullptr;
  if (may_act == nullptr) return "";
  return boost::json::serialize(
      boost::json::object{{"iss", may_act->has("iss") ? may_act->text("iss").value_or("") : issuer},
                          {"sub", may_act->text("sub").value_or("")}});
}

}  // namespace

IssuerOptions TokenService::trust(const TokenServiceOptions& options, const SigningKey& key) {
  return {.name = "sallyport",
          .url = options.url,
          .audience = options.audience,
          .algorithms = {Algorithm::es256},
          .jwks = R"({"keys":[)" + key.public_jwk() + "]}",
          .token_service = true};
}

TokenService::TokenService(TokenServiceOptions options, SigningKey key,
                           const Authenticator& authenticator, const Delegations& delegations,
                           const Clock& clock, Random& random, Recorder record)
    : options_(std::move(options)),
      key_(std::move(key)),
      authenticator_(authenticator),
      delegations_(delegations),
      clock_(clock),
      random_(random),
      record_(std::move(record)),
      attempts_(clock) {}

http::Response TokenService::metadata() const {
  auto response =
      http::Response::json(200, boost::json::serialize(boost::json::object{
                                    {"issuer", options_.url},
                                    {"token_endpoint", options_.url + "/oauth2/token"},
                                    {"jwks_uri", options_.url + "/.well-known/jwks.json"},
                                    {"grant_types_supported", {kExchangeGrant}},
                                    {"response_types_supported", boost::json::array{}},
                                    {"token_endpoint_auth_methods_supported", {"none"}}}));
  response.headers.add("Cache-Control", "max-age=300");
  return response;
}

net::Task<http::Response> TokenService::exchange(http::Request request) {
  const std::string address = "ip " + network_of(request.client_ip);
  if (const auto wait = attempts_.wait(address, kFailuresMax); wait.count() > 0) {
    counters().limited.add();
    auto response = oauth_error("temporarily_unavailable", "too many failed exchanges", 429);
    response.headers.add("Retry-After", std::to_string(wait.count()));
    co_return response;
  }
  const auto form = http::parse_form(request.body);
  std::string who;
  Outcome<http::Response> answered =
      std::unexpected(Refused{"invalid_request", "malformed or repeated parameters", ""});
  if (form) answered = co_await answer(*form, who);
  if (answered) co_return std::move(*answered);

  const Refused& refused = answered.error();
  if (refused.status == 429) {
    counters().limited.add();
    co_return oauth_error(refused.code, refused.description, refused.status);
  }
  if (refused.status < 500) {
    attempts_.failed(address);
    counters().refused.add();
  } else {
    counters().failed.add();
  }
  const std::string detail = refused.detail.empty() ? refused.description : refused.detail;
  log::warn("token exchange refused",
            {{"who", who}, {"ip", request.client_ip}, {"reason", detail}});
  auto recorded = co_await record_({.who = who,
                                    .action = "token.refused",
                                    .target = options_.audience,
                                    .detail = detail + ", from " + request.client_ip});
  if (!recorded) log::error("refused exchange not recorded", {{"detail", recorded.error().detail}});
  co_return oauth_error(refused.code, refused.description, refused.status);
}

net::Task<TokenService::Outcome<http::Response>> TokenService::answer(const Form& form,
                                                                      std::string& who) {
  auto actor = co_await actor_of(form);
  if (!actor) co_return std::unexpected(std::move(actor.error()));
  who = actor->chain.to_string();
  const std::string key = "agent " + actor->chain.subject().id;
  if (attempts_.wait(key, kExchangesMax).count() > 0) {
    co_return std::unexpected(
        Refused{"temporarily_unavailable", "this agent exchanges too often", "", 429});
  }
  attempts_.failed(key);  // here: one more in the window
  if (auto target = check_target(form); !target) {
    co_return std::unexpected(std::move(target.error()));
  }
  auto asked = co_await subject_of(form, *actor);
  if (!asked) co_return std::unexpected(std::move(asked.error()));
  who = asked->subject.chain.to_string() + " via " + who;
  co_return co_await issue(std::move(*asked));
}

net::Task<TokenService::Outcome<Credential>> TokenService::actor_of(const Form& form) {
  const auto bad = [](std::string description, std::string detail = "") {
    return std::unexpected(Refused{"invalid_request", std::move(description), std::move(detail)});
  };
  const std::string token = field(form, "actor_token");
  const std::string type = field(form, "actor_token_type");
  if (token.empty()) {
    co_return bad(
        "no actor_token: a token is issued to an agent that shows its own, never to one "
        "that only shows the user's");
  }
  if (type != kAccessToken && type != kJwt)
    co_return bad("actor_token_type is not an access token");
  auto actor = co_await authenticator_.verify_token(token);
  if (!actor) {
    if (actor.error().kind == CredentialError::Kind::unavailable) {
      co_return std::unexpected(Refused{"temporarily_unavailable", actor.error().message, "", 503});
    }
    co_return bad("actor_token: " + actor.error().message, "actor_token: " + actor.error().detail);
  }
  if (actor->chain.delegated())
    co_return bad("actor_token is itself delegated; use the agent's own");
  if (actor->chain.subject().kind != IdentityKind::agent) {
    co_return bad("actor_token is not of an agent that is registered here");
  }
  // There is no client authentication but the actor's token, so what is said must agree with it.
  const std::string client = field(form, "client_id");
  if (!client.empty() && client != actor->chain.subject().subject) {
    co_return std::unexpected(Refused{"invalid_client", "client_id is not the actor's", "", 401});
  }
  co_return std::move(*actor);
}

TokenService::Outcome<void> TokenService::check_target(const Form& form) const {
  for (const char* const name : {"audience", "resource"}) {
    const std::string wanted = field(form, name);
    const auto issuers = authenticator_.issuers();
    const bool ours =
        wanted.empty() || wanted == options_.audience || wanted == options_.url ||
        std::ranges::find(issuers->all, wanted, &IssuerOptions::audience) != issuers->all.end();
    if (!ours) {
      return std::unexpected(Refused{"invalid_target", std::string(name) + " is not this gateway",
                                     std::string(name) + " is another's"});
    }
  }
  const std::string type = field(form, "requested_token_type");
  if (!type.empty() && type != kAccessToken && type != kJwt) {
    return std::unexpected(Refused{"invalid_request", "only access tokens are issued here", ""});
  }
  return {};
}

net::Task<TokenService::Outcome<TokenService::Asked>> TokenService::subject_of(
    const Form& form, const Credential& actor) {
  const auto bad = [](std::string description, std::string detail = "") {
    return std::unexpected(Refused{"invalid_request", std::move(description), std::move(detail)});
  };
  const std::string token = field(form, "subject_token");
  const std::string type = field(form, "subject_token_type");
  const Identity& agent = actor.chain.subject();
  if (token.empty()) co_return bad("no subject_token");
  if (type == kDelegationType) {
    auto given = delegations_.redeem(token, agent);
    if (!given && given.error().code != Errc::denied) {
      co_return std::unexpected(Refused{"temporarily_unavailable", "the delegation cannot be read",
                                        given.error().detail, 503});
    }
    if (!given) {
      co_return std::unexpected(Refused{"invalid_grant", given.error().detail, ""});
    }
    co_return asked_of(std::move(*given), actor, form);
  }
  if (type != kAccessToken && type != kJwt) {
    co_return bad("subject_token_type is not an access token");
  }
  auto subject = co_await authenticator_.verify_token(token, {.exchanged_by = agent});
  if (!subject) {
    if (subject.error().kind == CredentialError::Kind::unavailable) {
      co_return std::unexpected(
          Refused{"temporarily_unavailable", subject.error().message, "", 503});
    }
    co_return bad("subject_token: " + subject.error().message,
                  "subject_token: " + subject.error().detail);
  }
  const std::string issuer = subject->chain.subject().issuer;
  auto asked = asked_of(std::move(*subject), actor, form);
  if (asked) asked->may_act = may_act_of(token, issuer);
  co_return asked;
}

TokenService::Outcome<TokenService::Asked> TokenService::asked_of(Credential subject,
                                                                  const Credential& actor,
                                                                  const Form& form) const {
  const auto bad = [](std::string description) {
    return std::unexpected(Refused{"invalid_request", std::move(description), ""});
  };
  if (subject.chain.subject().kind != IdentityKind::user) {
    return bad("subject_token is not of a person");
  }
  Asked asked{.subject = std::move(subject), .actor = actor.chain.subject()};
  const Chain& chain = asked.subject.chain;
  const auto is_actor = [&](const Identity& other) { return same(other, asked.actor); };
  if (std::ranges::any_of(chain.identities, is_actor)) {
    return bad("the agent already stands in the chain of subject_token");
  }
  if (chain.identities.size() > kActorDepthMax) {
    return bad("the chain would have more than " + std::to_string(kActorDepthMax) + " actors");
  }
  const auto& held = asked.subject.authentication.scopes;
  asked.scope = field(form, "scope");
  if (asked.scope.empty()) asked.scope = joined(held);
  for (const std::string& one : words(asked.scope)) {
    if (std::ranges::find(held, one) != held.end()) continue;
    return std::unexpected(Refused{"invalid_scope", "subject_token does not have that scope",
                                   "scope wider than the subject's"});
  }
  asked.expires_at =
      std::min<WallTime>({clock_.now() + kLifetimeMax, asked.subject.authentication.expires_at,
                          actor.authentication.expires_at});
  if (asked.expires_at < clock_.now() + kLifetimeMin) return bad("a token is about to expire");
  return asked;
}

std::string TokenService::claims_of(const Asked& asked, const Credential& made) const {
  const Identity& subject = made.chain.subject();
  const Authentication& how = made.authentication;
  boost::json::object claims{{"iss", options_.url},
                             {"aud", options_.audience},
                             {"sub", subject.subject},
                             {"sub_iss", subject.issuer},
                             {"sub_id", subject.id},
                             {"act", act_of(made.chain)},
                             {"client_id", asked.actor.subject},
                             {"jti", random_hex(random_, 16)},
                             {"txn", how.transaction},
                             {"iat", seconds_of(how.issued_at)},
                             {"exp", seconds_of(how.expires_at)},
                             {"scope", asked.scope},
                             {"groups", boost::json::value_from(subject.groups)}};
  const auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) claims[name] = value;
  };
  add("name", subject.display_name);
  add("email", subject.email);
  add("acr", how.acr);
  add("sid", how.login_session);
  add("connection", how.connection);
  add("delegation", how.delegation);
  if (how.authenticated_at != WallTime{}) claims["auth_time"] = seconds_of(how.authenticated_at);
  if (!asked.may_act.empty()) claims["may_act"] = boost::json::parse(asked.may_act);
  return boost::json::serialize(claims);
}

net::Task<TokenService::Outcome<http::Response>> TokenService::issue(Asked asked) {
  Credential made = asked.subject;
  made.chain.identities.push_back(asked.actor);
  made.authentication.transaction = random_hex(random_, 16);
  made.authentication.issued_at = clock_.now();
  made.authentication.expires_at = asked.expires_at;
  const std::string token = key_.sign_jwt("at+jwt", claims_of(asked, made));
  if (token.size() > kTokenBytesMax) {
    co_return std::unexpected(Refused{"invalid_request", "the token would be too large", ""});
  }
  const auto& how = made.authentication;
  auto recorded = co_await record_(
      {.who = made.chain.to_string(),
       .action = "token.exchanged",
       .target = options_.audience,
       .detail = "txn " + how.transaction + ", scope \"" + asked.scope + "\", expires " +
                 to_iso8601(how.expires_at) +
                 (how.delegation.empty() ? "" : ", delegation " + how.delegation)});
  if (!recorded) {
    co_return std::unexpected(Refused{"temporarily_unavailable",
                                      "the exchange cannot be recorded, so there is no token",
                                      recorded.error().detail, 503});
  }
  counters().issued.add();
  log::info("token exchanged", {{"who", made.chain.to_string()}, {"txn", how.transaction}});
  const auto left = std::chrono::floor<std::chrono::seconds>(how.expires_at - clock_.now());
  co_return fresh_json(
      200, boost::json::serialize(boost::json::object{{"access_token", token},
                                                      {"issued_token_type", kAccessToken},
                                                      {"token_type", "Bearer"},
                                                      {"expires_in", left.count()},
                                                      {"scope", asked.scope}}));
}

}  // namespace sallyport::identity

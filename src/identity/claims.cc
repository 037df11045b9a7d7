#include "identity/claims.h"

#include <algorithm>
#include <ranges>

#include "http/text.h"
#include "identity/json.h"

namespace sallyport::identity {
namespace {

using Kind = CredentialError::Kind;

constexpr std::size_t kNameBytesMax = 256;
// Above, a logout would be forgotten (store::LogoutStore) before what it ended.
constexpr std::chrono::hours kLifetimeMax{24 * 366};

std::unexpected<CredentialError> refuse(Kind kind, std::string detail) {
  return std::unexpected(refusal(kind, std::move(detail)));
}

/// A claim by its name, or by a path with dots ("realm_access.roles"). A name may have dots itself
/// ("kubernetes.io.namespace"): the longest that is there counts.
const Json* claim(const Json& claims, std::string_view path) {
  if (const Json* exact = claims.member(path)) return exact;
  for (auto dot = path.rfind('.'); dot != std::string_view::npos && dot > 0;
       dot = path.rfind('.', dot - 1)) {
    if (const Json* inner = claims.member(path.substr(0, dot))) {
      return claim(*inner, path.substr(dot + 1));
    }
  }
  return nullptr;
}

/// Good to be an id or a group: short UTF-8 (JSON saw to that) without control characters.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytesMax && std::ranges::none_of(text, [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

std::string display(const Json& claims, std::string_view name) {
  const Json* value = claim(claims, name);
  const auto text = value == nullptr ? std::nullopt : value->string();
  return text && is_name(*text) ? std::string(*text) : "";
}

std::string ago(std::chrono::seconds passed) {
  const auto count = passed.count();
  const auto say = [](std::int64_t number, std::string_view unit) {
    return std::to_string(number) + " " + std::string(unit) + (number == 1 ? "" : "s") + " ago";
  };
  if (count < 120) return say(count, "second");
  if (count < 120 * 60) return say(count / 60, "minute");
  if (count < 48 * 3600) return say(count / 3600, "hour");
  return say(count / 86400, "day");
}

struct Times {
  std::chrono::seconds expires{};
  std::optional<std::chrono::seconds> issued;
  std::optional<std::chrono::seconds> authenticated;
};

CredentialResult<std::optional<std::chrono::seconds>> time_claim(const Json& claims,
                                                                 std::string_view name) {
  const Json* value = claims.member(name);
  if (value == nullptr) return std::nullopt;
  const auto number = value->integer();
  if (!number || *number < 0) {
    return refuse(Kind::claims, std::string(name) + " is not a whole number of seconds");
  }
  return std::chrono::seconds(*number);
}

CredentialResult<Times> check_times(const Json& claims, bool iat_required, WallTime wall) {
  const auto now = std::chrono::floor<std::chrono::seconds>(wall.time_since_epoch());
  auto expires = time_claim(claims, "exp");
  auto issued = time_claim(claims, "iat");
  auto not_before = time_claim(claims, "nbf");
  auto authenticated = time_claim(claims, "auth_time");
  for (auto* one : {&expires, &issued, &not_before, &authenticated}) {
    if (!*one) return std::unexpected(one->error());
  }
  if (!*expires) return refuse(Kind::claims, "no exp");
  if (!*issued && iat_required) return refuse(Kind::claims, "no iat");
  if (now - kSkew >= **expires) {
    auto error = refusal(Kind::expired, "exp is past");
    error.message = "the token expired " + ago(now - **expires);
    return std::unexpected(std::move(error));
  }
  if (**expires > now + kLifetimeMax) return refuse(Kind::claims, "exp is above 366 days ahead");
  for (const auto& start : {*issued, *not_before}) {
    if (start && *start > now + kSkew) return refuse(Kind::not_yet_valid, "iat or nbf is to come");
  }
  if (*authenticated && **authenticated > now + kSkew) {
    return refuse(Kind::claims, "auth_time is to come");
  }
  return Times{.expires = **expires, .issued = *issued, .authenticated = *authenticated};
}

CredentialResult<void> check_audience(const Json& claims, const IssuerOptions& issuer) {
  const Json* audience = claims.member("aud");
  const auto all = audience == nullptr ? std::nullopt : audience->strings();
  if (!all) return refuse(Kind::claims, "no aud");
  if (std::ranges::find(*all, issuer.audience) == all->end()) {
    auto error = refusal(Kind::wrong_audience, "aud does not name us");
    error.hint = "ask its issuer for a token whose audience is " + issuer.audience;
    return std::unexpected(std::move(error));
  }
  return {};
}

CredentialResult<void> check_type(const Jws& jws, const Json& claims, const IssuerOptions& issuer) {
  std::string wanted;
  for (const char c : issuer.access_token_typ) wanted.push_back(http::to_lower(c));
  const bool any = wanted == "none" && (jws.typ.empty() || jws.typ == "jwt" || jws.typ == "jose");
  if (jws.typ != wanted && !any) return refuse(Kind::wrong_type, "typ is '" + jws.typ + "'");
  if (wanted != "at+jwt") {
    // Where typ tells nothing, what only ID and logout tokens carry does.
    if (claims.has("nonce") || claims.has("at_hash") || claims.has("events")) {
      return refuse(Kind::wrong_type, "looks like an ID token");
    }
    return {};
  }
  for (const std::string_view name : {"client_id", "jti"}) {  // RFC 9068 section 2.2
    if (!claims.text(name)) return refuse(Kind::claims, "no " + std::string(name));
  }
  return {};
}

/// True if the token is bound to a key and the connection proves that one.
CredentialResult<bool> check_binding(const Json& claims, const Presentation& presentation) {
  const Json* confirmation = claims.member("cnf");
  if (!presentation.dpop_key.empty() && (confirmation == nullptr || !confirmation->has("jkt"))) {
    auto error = refusal(Kind::unbound, "comes with a proof, but is not bound to a key");
    error.message = "the token is not bound to the key of the DPoP proof";
    error.hint = "present it as a Bearer token, or ask its issuer for one with cnf.jkt";
    return std::unexpected(std::move(error));
  }
  if (confirmation == nullptr) return false;
  const auto thumbprint = confirmation->text("x5t#S256");
  const auto key = confirmation->text("jkt");
  const auto* members = confirmation->object();
  if (key && members->size() == 1) {
    if (key->empty() || *key != presentation.dpop_key) {
      return refuse(Kind::unbound, "DPoP proof is missing or of another key");
    }
    return true;
  }
  if (!thumbprint || members == nullptr || members->size() != 1) {
    return refuse(Kind::unbound, "bound by a method that is not supported");
  }
  if (!presentation.client_certificate_sha256 ||
      to_base64url(*presentation.client_certificate_sha256) != *thumbprint) {
    return refuse(Kind::unbound, "client certificate is missing or another one");
  }
  return true;
}

CredentialResult<std::vector<std::string>> groups_of(const Json& claims,
                                                     const IssuerOptions& issuer) {
  const Json* value = claim(claims, issuer.groups_claim);
  if (value == nullptr) return std::vector<std::string>{};
  auto groups = value->strings();
  if (!groups || groups->size() > kGroupsMax || !std::ranges::all_of(*groups, is_name)) {
    return refuse(Kind::claims, "groups are not a list of names, or too many");
  }
  return *groups;
}

std::vector<std::string> scopes_of(const Json& claims) {
  std::vector<std::string> scopes;
  for (const std::string_view name : {"scope", "scp"}) {
    const Json* value = claims.member(name);
    const auto parts = value == nullptr ? std::nullopt : value->strings();
    for (const auto& part : parts.value_or(std::vector<std::string>{})) {
      for (std::size_t at = 0; at < part.size();) {
        const auto space = std::min(part.find(' ', at), part.size());
        if (space > at) scopes.push_back(part.substr(at, space - at));
        at = space + 1;
      }
    }
  }
  return scopes;
}

CredentialResult<Identity> agent_identity(const AgentOptions& agent, const IssuerOptions& issuer,
                                          const Issuers& issuers) {
  auto id =
      agent.id.empty() ? issuers.id_of(issuer, agent.client_id) : Result<std::string>(agent.id);
  if (!id) return refuse(Kind::claims, id.error().detail);
  return Identity{.kind = IdentityKind::agent,
                  .id = *id,
                  .issuer = issuer.url,
                  .subject = agent.client_id,
                  .display_name = agent.display_name,
                  .groups = agent.groups,
                  .owner = agent.owner,
                  .attested = agent.attested};
}

CredentialResult<Identity> user_identity(const Json& claims, std::string_view subject,
                                         const IssuerOptions& issuer, const Issuers& issuers) {
  const Json* value = claim(claims, issuer.id_claim);
  const auto text = value == nullptr ? std::nullopt : value->string();
  if (!text) return refuse(Kind::claims, "no " + issuer.id_claim);
  auto id = issuers.id_of(issuer, *text);
  if (!id) return refuse(Kind::claims, id.error().detail);
  auto groups = groups_of(claims, issuer);
  if (!groups) return std::unexpected(groups.error());
  return Identity{.id = *id,
                  .issuer = issuer.url,
                  .subject = std::string(subject),
                  .display_name = display(claims, issuer.name_claim),
                  .email = display(claims, issuer.email_claim),
                  .groups = std::move(*groups)};
}

/// A claim as the text that rules compare: issuers write numbers and flags as either.
std::optional<std::string> plain_text(const Json* value) {
  if (value == nullptr) return std::nullopt;
  if (const auto text = value->string()) return std::string(*text);
  if (const auto number = value->integer()) return std::to_string(*number);
  if (const auto flag = value->boolean()) return *flag ? "true" : "false";
  return std::nullopt;
}

bool fits(const Json& claims, const WorkloadRule& rule) {
  return !rule.when.empty() && std::ranges::all_of(rule.when, [&](const auto& predicate) {
    const auto text = plain_text(claim(claims, predicate.first));
    return text && std::ranges::any_of(predicate.second, [&](std::string_view allowed) {
             if (!allowed.ends_with('*')) return *text == allowed;
             allowed.remove_suffix(1);
             return text->starts_with(allowed);
           });
  });
}

/// What policies may know of a workload: the schema's names, from the claims of those who issue
/// such tokens.
std::map<std::string, std::string> attributes_of(const Json& claims, std::string_view subject) {
  std::map<std::string, std::string> attributes;
  const auto take = [&](const std::string& attribute, std::initializer_list<const char*> names) {
    for (const char* const name : names) {
      const auto text = plain_text(claims.member(name));
      if (text && is_name(*text)) attributes.emplace(attribute, *text);
    }
  };
  take("repoId", {"repository_id", "project_id"});  // GitHub, GitLab
  take("ref", {"ref"});
  take("environment", {"environment"});
  take("workflow", {"job_workflow_ref", "ci_config_ref_uri"});
  if (subject.starts_with("spiffe://")) attributes.emplace("spiffeId", subject);
  return attributes;
}

CredentialResult<const WorkloadRule*> workload_rule(const Json& claims, const IssuerOptions& issuer,
                                                    WallTime now) {
  const WorkloadRule* found = nullptr;
  for (const WorkloadRule& rule : issuer.workloads) {
    if (!fits(claims, rule)) continue;
    if (found != nullptr) {
      return refuse(Kind::claims, "fits two workloads: " + found->name + " and " + rule.name);
    }
    found = &rule;
  }
  if (found == nullptr) return refuse(Kind::claims, "fits no workload of issuer " + issuer.name);
  if (now >= found->expires_at) {
    return refuse(Kind::claims, "the rule of workload " + found->name + " has expired");
  }
  return found;
}

CredentialResult<Identity> workload_identity(const Json& claims, std::string_view subject,
                                             const IssuerOptions& issuer, const Issuers& issuers,
                                             WallTime now) {
  auto rule = workload_rule(claims, issuer, now);
  if (!rule) return std::unexpected(rule.error());
  auto id = issuers.id_of(issuer, (*rule)->name);
  if (!id) return refuse(Kind::claims, id.error().detail);
  return Identity{.kind = IdentityKind::workload,
                  .id = *id,
                  .issuer = issuer.url,
                  .subject = std::string(subject),
                  .display_name = (*rule)->name,
                  .groups = (*rule)->groups,
                  .owner = (*rule)->owner,
                  .job = attributes_of(claims, subject)};
}

/// The subject of a token of our own: the identity that was verified when it was exchanged.
CredentialResult<Identity> exchanged_identity(const Json& claims, std::string_view subject,
                                              const IssuerOptions& own, const Issuers& issuers) {
  const IssuerOptions* const from = issuers.find(claims.text("sub_iss").value_or(""));
  if (from == nullptr) return refuse(Kind::delegation, "sub_iss names an unknown issuer");
  const auto id = claims.text("sub_id");
  if (!id || !is_name(*id)) return refuse(Kind::claims, "no sub_id");
  auto groups = groups_of(claims, own);
  if (!groups) return std::unexpected(groups.error());
  return Identity{.id = std::string(*id),
                  .issuer = from->url,
                  .subject = std::string(subject),
                  .display_name = display(claims, own.name_claim),
                  .email = display(claims, own.email_claim),
                  .groups = std::move(*groups)};
}

/// The actors of `act`, current one first, as the token nests them.
CredentialResult<std::vector<Identity>> actors_of(const Json& claims, const IssuerOptions& issuer,
                                                  const Issuers& issuers) {
  std::vector<Identity> actors;
  for (const Json* act = claims.member("act"); act != nullptr; act = act->member("act")) {
    if (actors.size() == kActorDepthMax) return refuse(Kind::delegation, "act is nested too deep");
    const auto subject = act->text("sub");
    if (!subject) return refuse(Kind::delegation, "act without sub");
    const IssuerOptions* from = &issuer;
    if (act->has("iss")) {
      from = issuers.find(act->text("iss").value_or(""));
      if (from == nullptr) return refuse(Kind::delegation, "act names an unknown issuer");
    }
    const AgentOptions* agent = from->agent(*subject);
    if (agent == nullptr) return refuse(Kind::delegation, "act names an unknown agent");
    auto identity = agent_identity(*agent, *from, issuers);
    if (!identity) return std::unexpected(identity.error());
    actors.push_back(std::move(*identity));
  }
  return actors;
}

bool is(const Identity& identity, std::string_view issuer, std::string_view subject) {
  return identity.issuer == issuer && identity.subject == subject;
}

/// Whose token it is, and whether the client that got it may present it.
CredentialResult<void> check_client(const Json& claims, std::string_view subject,
                                    const IssuerOptions& issuer,
                                    const std::vector<Identity>& actors,
                                    const Presentation& presentation) {
  const auto& exchanger = presentation.exchanged_by;
  for (const std::string_view name : {"client_id", "azp"}) {
    const auto client = claims.text(name);
    if (!client || issuer.agent(*client) == nullptr || *client == subject) continue;
    // The way out: this agent, and no other, makes a delegated token of it.
    if (actors.empty() && exchanger && is(*exchanger, issuer.url, *client)) continue;
    if (actors.empty()) return refuse(Kind::impersonation, "agent with a user's token and no act");
    if (!is(actors.front(), issuer.url, *client)) {
      return refuse(Kind::delegation, "issued to another agent than the one that acts");
    }
  }
  return {};
}

/// `may_act` (RFC 8693 section 4.4) names the only one that may become the token's actor.
CredentialResult<void> check_may_act(const Json& claims, const IssuerOptions& issuer,
                                     const Presentation& presentation) {
  const Json* const may_act = claims.member("may_act");
  if (may_act == nullptr || !presentation.exchanged_by) return {};
  const std::string_view from =
      may_act->has("iss") ? may_act->text("iss").value_or("") : std::string_view(issuer.url);
  const auto subject = may_act->text("sub");
  if (!subject || !is(*presentation.exchanged_by, from, *subject)) {
    return refuse(Kind::delegation, "may_act names another actor");
  }
  return {};
}

CredentialResult<Chain> chain_of(const Json& claims, std::string_view subject,
                                 const IssuerOptions& issuer, const Issuers& issuers,
                                 const Presentation& presentation, WallTime now) {
  auto actors = actors_of(claims, issuer, issuers);
  if (!actors) return std::unexpected(actors.error());
  if (issuer.token_service && actors->empty()) return refuse(Kind::delegation, "no act");
  auto client = check_client(claims, subject, issuer, *actors, presentation);
  if (!client) return std::unexpected(client.error());
  auto may_act = check_may_act(claims, issuer, presentation);
  if (!may_act) return std::unexpected(may_act.error());

  const AgentOptions* agent = issuer.agent(subject);
  auto first = issuer.token_service ? exchanged_identity(claims, subject, issuer, issuers)
               : agent != nullptr   ? agent_identity(*agent, issuer, issuers)
               : !issuer.workloads.empty()
                   ? workload_identity(claims, subject, issuer, issuers, now)
                   : user_identity(claims, subject, issuer, issuers);
  if (!first) return std::unexpected(first.error());
  Chain chain;
  chain.identities.push_back(std::move(*first));
  for (auto& actor : *actors | std::views::reverse) {
    const auto same = [&](const Identity& other) {
      return other.kind == actor.kind && other.id == actor.id;
    };
    if (std::ranges::any_of(chain.identities, same)) {
      return refuse(Kind::delegation, "someone stands twice in the chain");
    }
    chain.identities.push_back(std::move(actor));
  }
  return chain;
}

struct Texts {
  std::string_view message;
  std::string_view hint;
};

constexpr std::string_view kLogin = "run `sallyport login`";

Texts texts_of(Kind kind) {
  switch (kind) {
    case Kind::malformed:
      return {"this is not a token", "give a token from `sallyport login`, whole and unchanged"};
    case Kind::unknown_issuer:
      return {"the token comes from an issuer that is not trusted here", kLogin};
    case Kind::algorithm:
      return {"the token is signed in a way that is not accepted here", kLogin};
    case Kind::unknown_key:
    case Kind::signature:  // which of the two is nobody's business
      return {"the token cannot be verified", kLogin};
    case Kind::expired:
      return {"the token expired", kLogin};
    case Kind::not_yet_valid:
      return {"the token is not valid yet", "check the clock of the machine that issued it"};
    case Kind::wrong_audience:
      return {"the token is meant for another service", kLogin};
    case Kind::wrong_type:
      return {"this is not an access token", "present the access token, not the ID token"};
    case Kind::claims:
      return {"the token lacks what this gateway needs to know",
              "ask whoever runs the gateway; its log says what is missing"};
    case Kind::impersonation:
      return {"an agent may not use a user's own token",
              "exchange it: POST /oauth2/token with grant_type="
              "urn:ietf:params:oauth:grant-type:token-exchange, the user's token as subject_token "
              "and the agent's own as actor_token (RFC 8693)"};
    case Kind::delegation:
      return {"someone in the token's chain of actors is not accepted here",
              "ask whoever runs the gateway to register the agent"};
    case Kind::unbound:
      return {"the token is bound to a key that this connection does not prove",
              "connect with the client certificate it was issued to"};
    case Kind::revoked:
      return {"the token was revoked", kLogin};
    case Kind::unavailable:
      return {"the token cannot be checked right now", "try again in a minute"};
  }
  return {"the token is refused", ""};
}

}  // namespace

CredentialError refusal(CredentialError::Kind kind, std::string detail) {
  const Texts texts = texts_of(kind);
  return {.kind = kind,
          .detail = std::move(detail),
          .message = std::string(texts.message),
          .hint = std::string(texts.hint)};
}

const AgentOptions* IssuerOptions::agent(std::string_view client_id) const {
  const auto found = std::ranges::find(agents, client_id, &AgentOptions::client_id);
  return found == agents.end() ? nullptr : &*found;
}

const IssuerOptions* Issuers::find(std::string_view url) const {
  const auto found = std::ranges::find(all, url, &IssuerOptions::url);
  return found == all.end() ? nullptr : &*found;
}

Result<std::string> Issuers::id_of(const IssuerOptions& issuer, std::string_view value) const {
  if (!is_name(value))
    return fail(Errc::invalid, "id is empty, too long or has control characters");
  if (issuer.url != all.front().url) return issuer.name + "|" + std::string(value);
  for (const auto& other : all) {
    if (&other != &all.front() && value.starts_with(other.name + "|")) {
      return fail(Errc::invalid, "id could be taken for one of issuer " + other.name);
    }
  }
  return std::string(value);
}

Result<std::string> unverified_issuer(const Jws& jws) {
  auto claims = Json::parse(jws.payload, kTokenBytesMax);
  if (!claims) return fail(claims, "claims");
  const auto issuer = claims->text("iss");
  if (!issuer) return fail(Errc::malformed, "no iss");
  return std::string(*issuer);
}

std::vector<Identity> Issuers::agents_of(const IssuerOptions& issuer) const {
  std::vector<Identity> agents;
  for (const AgentOptions& agent : issuer.agents) {
    if (auto identity = agent_identity(agent, issuer, *this)) {
      agents.push_back(std::move(*identity));
    }
  }
  return agents;
}

std::optional<Identity> Issuers::agent(std::string_view id) const {
  for (const IssuerOptions& issuer : all) {
    for (Identity& agent : agents_of(issuer)) {
      if (agent.id == id) return std::move(agent);
    }
  }
  return std::nullopt;
}

CredentialResult<LogoutToken> logout_from(const Jws& jws, const IssuerOptions& issuer,
                                          WallTime now) {
  constexpr std::string_view kEvent = "http://schemas.openid.net/event/backchannel-logout";
  auto claims = Json::parse(jws.payload, kTokenBytesMax);
  if (!claims) return refuse(Kind::malformed, claims.error().detail);
  if (claims->text("iss") != issuer.url) return refuse(Kind::unknown_issuer, "iss is another's");
  if (jws.typ != "logout+jwt") return refuse(Kind::wrong_type, "typ is '" + jws.typ + "'");
  auto times = check_times(*claims, true, now);
  if (!times) return std::unexpected(times.error());
  const Json* const audience = claims->member("aud");
  const auto all = audience == nullptr ? std::nullopt : audience->strings();
  const auto is_us = [&](const std::string& one) {
    return one == issuer.audience || (!issuer.client_id.empty() && one == issuer.client_id);
  };
  if (!all || std::ranges::none_of(*all, is_us)) {
    return refuse(Kind::wrong_audience, "aud does not name us");
  }
  const Json* const events = claims->member("events");
  const Json* const event = events == nullptr ? nullptr : events->member(kEvent);
  if (event == nullptr || !event->is_object()) return refuse(Kind::claims, "no logout event");
  if (claims->has("nonce")) return refuse(Kind::claims, "a nonce: this is another kind of token");
  const auto id = claims->text("jti");
  if (!id || !is_name(*id)) return refuse(Kind::claims, "no jti");
  LogoutToken token{
      .issuer = issuer.url, .id = std::string(*id), .expires_at = WallTime(times->expires)};
  for (const auto& [name, into] : {std::pair("sub", &token.subject), {"sid", &token.session}}) {
    if (!claims->has(name)) continue;
    const auto text = claims->text(name);
    if (!text || !is_name(*text)) return refuse(Kind::claims, std::string(name) + " is no name");
    *into = *text;
  }
  if (token.subject.empty() && token.session.empty()) {
    return refuse(Kind::claims, "neither sub nor sid");
  }
  return token;
}

CredentialResult<Credential> credential_from(const Jws& jws, const IssuerOptions& issuer,
                                             const Issuers& issuers,
                                             const Presentation& presentation, WallTime now) {
  auto claims = Json::parse(jws.payload, kTokenBytesMax);
  if (!claims) return refuse(Kind::malformed, claims.error().detail);
  if (claims->text("iss") != issuer.url) return refuse(Kind::unknown_issuer, "iss is another's");
  auto typed = check_type(jws, *claims, issuer);
  if (!typed) return std::unexpected(typed.error());
  auto times = check_times(*claims, jws.typ == "at+jwt", now);
  if (!times) return std::unexpected(times.error());
  auto audience = check_audience(*claims, issuer);
  if (!audience) return std::unexpected(audience.error());
  auto bound = check_binding(*claims, presentation);
  if (!bound) return std::unexpected(bound.error());

  const auto subject = claims->text("sub");
  if (!subject || !is_name(*subject)) return refuse(Kind::claims, "no sub");
  auto chain = chain_of(*claims, *subject, issuer, issuers, presentation, now);
  if (!chain) return std::unexpected(chain.error());

  Authentication authentication{.method = "jwt",
                                .acr = std::string(claims->text("acr").value_or("")),
                                .sender_bound = *bound,
                                .scopes = scopes_of(*claims),
                                .expires_at = WallTime(times->expires),
                                .login_session = std::string(claims->text("sid").value_or(""))};
  if (times->authenticated) authentication.authenticated_at = WallTime(*times->authenticated);
  if (times->issued) authentication.issued_at = WallTime(*times->issued);
  if (issuer.token_service) {
    const auto text = [&](std::string_view name) {
      return std::string(claims->text(name).value_or(""));
    };
    authentication.method = "exchange";
    authentication.transaction = text("txn");
    authentication.connection = text("connection");
    authentication.delegation = text("delegation");
  }
  return Credential{.chain = std::move(*chain), .authentication = std::move(authentication)};
}

}  // namespace sallyport::identity

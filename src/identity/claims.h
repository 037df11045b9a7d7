#pragma once
// From the claims of a verified token to a Chain, by the rules of its issuer (RFC 9068, RFC 8693).
// No I/O.

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "identity/credential.h"
#include "identity/jwk.h"
#include "identity/jwt.h"

namespace sallyport::identity {

inline constexpr std::size_t kActorDepthMax = 3;
inline constexpr std::size_t kGroupsMax = 512;
inline constexpr std::chrono::seconds kSkew{60};

/// A client of an issuer that is known to be an agent. Its own tokens have `sub` equal to
/// `client_id` (client credentials), and it stands as that in `act`.
struct AgentOptions {
  std::string client_id;
  std::string id;  // Cedar id; empty: the client_id
  std::string display_name;
  std::string owner;
  std::vector<std::string> groups;
  bool attested = false;
};

/// Who a token without a person is: a CI job, a pod, a service. It is if all predicates hold.
struct WorkloadRule {
  std::string name;  // becomes the Cedar id, as a user's claim would
  /// By claim (a path with dots): the values it may have. One that ends in '*' is a beginning.
  std::map<std::string, std::vector<std::string>> when;
  std::vector<std::string> groups;
  std::string owner;  // who answers for it
  WallTime expires_at = WallTime::max();
};

/// What an operator says of one issuer.
struct IssuerOptions {
  std::string name;  // short; part of the ids of all but the primary issuer, which needs none
  std::string url;   // `iss`, byte for byte
  std::string audience;
  std::vector<Algorithm> algorithms{Algorithm::rs256, Algorithm::ps256, Algorithm::es256,
                                    Algorithm::eddsa};
  std::string access_token_typ = "at+jwt";  // or "JWT", or "none": it need not say
  std::string id_claim = "sub";             // must be unique and never reassigned at this issuer
  std::string groups_claim = "groups";
  std::string name_claim = "name";
  std::string email_claim = "email";
  std::vector<AgentOptions> agents;
  /// Not empty: the issuer speaks for workloads, and a token that fits no rule is refused.
  std::vector<WorkloadRule> workloads;
  std::string client_id;  // ours there, which its logout tokens are for
  std::string ca_file;    // for discovery and keys; empty: the system's
  std::string jwks;       // keys given here instead of fetched (the built-in issuer, tests)
  std::string openid_configuration_url;  // of the discovery document; empty: derived from `url`
  /// Our own token service (token_service.h): `sub` is of the issuer that `sub_iss` names.
  bool token_service = false;

  const AgentOptions* agent(std::string_view client_id) const;
};

/// The refusal for a kind, with the texts the client gets; `detail` is for the log.
CredentialError refusal(CredentialError::Kind kind, std::string detail);

/// What an issuer says in a logout token. At least one of subject and session is there.
struct LogoutToken {
  std::string issuer;
  std::string subject;
  std::string session;  // `sid`
  std::string id;       // `jti`
  WallTime expires_at{};
};

/// All issuers of a tenant. The first is the primary one: its users' ids are the bare claim
/// ("alice"), all others' are "<name>|<claim>".
struct Issuers {
  std::vector<IssuerOptions> all;

  const IssuerOptions* find(std::string_view url) const;
  /// The Cedar id of a claim's value, or nothing if it could be taken for another issuer's.
  Result<std::string> id_of(const IssuerOptions& issuer, std::string_view value) const;
  /// A registered agent by its Cedar id.
  std::optional<Identity> agent(std::string_view id) const;
  /// All agents of one issuer; those whose ids are no ids are left out.
  std::vector<Identity> agents_of(const IssuerOptions& issuer) const;
};

/// `iss` of a token that is not verified yet, to pick the issuer by.
Result<std::string> unverified_issuer(const Jws& jws);

/// Checks everything but the signature, which the caller has checked, and maps to a Chain.
CredentialResult<Credential> credential_from(const Jws& jws, const IssuerOptions& issuer,
                                             const Issuers& issuers,
                                             const Presentation& presentation, WallTime now);

/// The same for a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.6).
CredentialResult<LogoutToken> logout_from(const Jws& jws, const IssuerOptions& issuer,
                                          WallTime now);

}  // namespace sallyport::identity

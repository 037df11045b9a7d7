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

/// What an operator says of one issuer.
struct IssuerOptions {
  std::string name;  // short; part of the ids of all but the primary issuer, which needs none
  std::string url;   // `iss`, byte for byte
  std::string audience;
  std::vector<Algorithm> algorithms{Algorithm::rs256, Algorithm::ps256, Algorithm::es256,
                                    Algorithm::eddsa};
  std::string access_token_typ = "at+jwt";
  std::string id_claim = "sub";  // must be unique and never reassigned at this issuer
  std::string groups_claim = "groups";
  std::string name_claim = "name";
  std::string email_claim = "email";
  std::vector<AgentOptions> agents;
  std::string ca_file;  // for discovery and keys; empty: the system's
  std::string jwks;     // keys given here instead of fetched (the built-in issuer, tests)
  std::string openid_configuration_url;  // of the discovery document; empty: derived from `url`
  /// Our own token service (token_service.h): `sub` is of the issuer that `sub_iss` names.
  bool token_service = false;

  const AgentOptions* agent(std::string_view client_id) const;
};

/// The refusal for a kind, with the texts the client gets; `detail` is for the log.
CredentialError refusal(CredentialError::Kind kind, std::string detail);

/// All issuers of a tenant. The first is the primary one: its users' ids are the bare claim
/// ("alice"), all others' are "<name>|<claim>".
struct Issuers {
  std::vector<IssuerOptions> all;

  const IssuerOptions* find(std::string_view url) const;
  /// The Cedar id of a claim's value, or nothing if it could be taken for another issuer's.
  Result<std::string> id_of(const IssuerOptions& issuer, std::string_view value) const;
};

/// `iss` of a token that is not verified yet, to pick the issuer by.
Result<std::string> unverified_issuer(const Jws& jws);

/// Checks everything but the signature, which the caller has checked, and maps to a Chain.
CredentialResult<Credential> credential_from(const Jws& jws, const IssuerOptions& issuer,
                                             const Issuers& issuers,
                                             const Presentation& presentation, WallTime now);

}  // namespace sallyport::identity

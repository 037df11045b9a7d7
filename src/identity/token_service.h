#pragma once
// The token service: an agent's own token and a user's become one token that names both (OAuth 2.0
// Token Exchange, RFC 8693). Signed by us and for us: no other service accepts what it issues.
//
// Every rule of a chain is kept here, and again when the token comes back: the actor is a
// registered agent with its own, undelegated token; nobody stands in a chain twice; at most
// kActorDepthMax actors; `may_act` names who may; scopes and lifetime only shrink. What the chain
// may then do is for the policies.

#include <chrono>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "http/message.h"
#include "identity/authenticator.h"
#include "identity/delegations.h"
#include "identity/password.h"
#include "identity/signing_key.h"
#include "net/task.h"

namespace sallyport::identity {

inline constexpr std::string_view kExchangeGrant =
    "urn:ietf:params:oauth:grant-type:token-exchange";

/// The type of a subject_token that is the id of a delegation (delegations.h).
inline constexpr std::string_view kDelegationType =
    "urn:sallyport:params:oauth:token-type:delegation";

/// What goes into the ledger about who may act for whom.
struct Change {
  std::string who;     // Chain::to_string()
  std::string action;  // "token.exchanged"
  std::string target;
  std::string detail;
};
/// Completes when the change is safely recorded; what it describes happens only then. Never itself
/// a coroutine (see admin::Handler).
using Recorder = std::function<net::Task<Result<void>>(Change)>;

struct TokenServiceOptions {
  std::string url;       // ours as an issuer: "https://gateway.example.com:8443"
  std::string audience;  // of what it issues
};

/// Belongs to one reactor's thread.
class TokenService {
 public:
  static constexpr std::chrono::seconds kLifetimeMax{300};

  /// How an Authenticator is to read the tokens of this key.
  static IssuerOptions trust(const TokenServiceOptions& options, const SigningKey& key);

  /// The references must outlive it.
  TokenService(TokenServiceOptions options, SigningKey key, const Authenticator& authenticator,
               const Delegations& delegations, const Clock& clock, Random& random, Recorder record);

  /// The token endpoint for kExchangeGrant.
  net::Task<http::Response> exchange(http::Request request);

  /// RFC 8414, for gateways without a built-in issuer, whose own document says the same.
  http::Response metadata() const;
  std::string public_jwk() const { return key_.public_jwk(); }

 private:
  using Form = std::map<std::string, std::string>;

  /// RFC 6749 section 5.2.
  struct Refused {
    std::string_view code;
    std::string description;  // for the client
    std::string detail;       // for the log and the ledger
    int status = 400;
  };
  template <class T>
  using Outcome = std::expected<T, Refused>;

  struct Asked {
    Credential subject;
    Identity actor;
    std::string scope;
    std::string may_act;  // JSON, or empty
    WallTime expires_at{};
  };

  net::Task<Outcome<http::Response>> answer(const Form& form, std::string& who);
  net::Task<Outcome<Credential>> actor_of(const Form& form);
  net::Task<Outcome<Asked>> subject_of(const Form& form, const Credential& actor);
  Outcome<Asked> asked_of(Credential subject, const Credential& actor, const Form& form) const;
  Outcome<void> check_target(const Form& form) const;
  net::Task<Outcome<http::Response>> issue(Asked asked);
  std::string claims_of(const Asked& asked, const Credential& made) const;

  const TokenServiceOptions options_;
  const SigningKey key_;
  const Authenticator& authenticator_;
  const Delegations& delegations_;
  const Clock& clock_;
  Random& random_;
  const Recorder record_;
  Attempts attempts_;
};

}  // namespace sallyport::identity

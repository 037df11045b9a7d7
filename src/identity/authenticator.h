#pragma once
// Authenticator: a bearer token becomes a Credential, or a refusal that says what to do. Shared by
// all workers.

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "identity/claims.h"
#include "identity/dpop.h"
#include "identity/keys.h"
#include "identity/revocations.h"
#include "net/task.h"

namespace sallyport::identity {

class Authenticator {
 public:
  /// `clock` and `fetcher` must outlive it. `own`: how our token service's tokens are to be read
  /// (token_service.h). Fails with invalid on options that make no sense, and says which.
  /// `revocations` may be null: then none is ever revoked.
  static Result<std::unique_ptr<Authenticator>> create(
      std::vector<IssuerOptions> issuers, const Clock& clock, Fetcher& fetcher,
      std::optional<IssuerOptions> own = std::nullopt, const Revocations* revocations = nullptr);

  /// Replaces the issuers for every token from now on; keys that were fetched are kept. Fails like
  /// create(), and then everything stays as it was.
  Result<void> use(std::vector<IssuerOptions> issuers);

  /// Waits only if keys have to be fetched; everything else is done on the calling thread.
  net::Task<CredentialResult<Credential>> verify_token(std::string token,
                                                       Presentation presentation = {}) const;

  /// The same for a token that comes with a proof (RFC 9449): it has to be bound to the proof's
  /// key. What the parts of `request` point to must last until this returns; its `token` is
  /// ignored.
  net::Task<CredentialResult<Credential>> verify_proven(std::string token, std::string proof,
                                                        DpopProofs::Request request) const;
  /// Proofs of DPoP for the HTTP port at `url`; without it a token that is bound so is refused.
  void accept_proofs(std::string url) { proofs_.emplace(std::move(url), clock_); }

  /// A logout token of one of the issuers.
  net::Task<CredentialResult<LogoutToken>> verify_logout(std::string token) const;

  std::shared_ptr<const Issuers> issuers() const;
  /// Counters of the key caches, by issuer url.
  std::vector<std::pair<std::string, KeyCache::Metrics>> metrics() const;

 private:
  struct State {
    Issuers issuers;
    std::vector<std::shared_ptr<KeyCache>> keys;  // parallel to issuers.all
  };
  struct Own {
    IssuerOptions options;
    std::shared_ptr<const PublicKey> key;
  };
  /// A token with a signature that is right, and whose it is.
  struct Signed {
    Jws jws;
    std::shared_ptr<const State> state;
    const IssuerOptions* issuer = nullptr;  // of `state`, or our own
  };
  Authenticator(const Clock& clock, Fetcher& fetcher, std::optional<Own> own,
                const Revocations* revocations);
  net::Task<CredentialResult<Signed>> verify_signature(std::string token) const;
  std::shared_ptr<const State> make_state(std::vector<IssuerOptions> issuers) const;

  const Clock& clock_;
  Fetcher& fetcher_;
  const std::optional<Own> own_;
  const Revocations* const revocations_;
  std::atomic<std::shared_ptr<const State>> state_;
  mutable std::optional<DpopProofs> proofs_;
};

}  // namespace sallyport::identity

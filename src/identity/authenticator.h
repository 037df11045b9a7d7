#pragma once
// Authenticator: a bearer token becomes a Credential, or a refusal that says what to do. Shared by
// all workers.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "identity/claims.h"
#include "identity/keys.h"
#include "net/task.h"

namespace sallyport::identity {

class Authenticator {
 public:
  /// `clock` and `fetcher` must outlive it. Fails with invalid on options that make no sense, and
  /// says which.
  static Result<std::unique_ptr<Authenticator>> create(std::vector<IssuerOptions> issuers,
                                                       const Clock& clock, Fetcher& fetcher);

  /// Waits only if keys have to be fetched; everything else is done on the calling thread.
  net::Task<CredentialResult<Credential>> verify_token(std::string token,
                                                       Presentation presentation = {}) const;

  const Issuers& issuers() const { return issuers_; }
  /// Counters of the key caches, by issuer url.
  std::vector<std::pair<std::string, KeyCache::Metrics>> metrics() const;

 private:
  Authenticator(Issuers issuers, const Clock& clock, Fetcher& fetcher);

  Issuers issuers_;
  const Clock& clock_;
  std::vector<std::unique_ptr<KeyCache>> keys_;  // parallel to issuers_.all
};

}  // namespace sallyport::identity

#pragma once
// OpenID Connect Back-Channel Logout 1.0: an issuer tells us that somebody logged out, and what was
// issued to them before ends.

#include <string>

#include "base/clock.h"
#include "http/message.h"
#include "identity/authenticator.h"
#include "identity/expiring_map.h"
#include "identity/password.h"
#include "identity/revocations.h"
#include "identity/token_service.h"
#include "net/task.h"

namespace sallyport::identity {

/// Belongs to one reactor's thread.
class Logout {
 public:
  /// The references must outlive it.
  Logout(const Authenticator& authenticator, Revocations& revocations, const Clock& clock,
         Recorder record);

  /// POST of a `logout_token`, by the issuer.
  net::Task<http::Response> handle(http::Request request);

 private:
  const Authenticator& authenticator_;
  Revocations& revocations_;
  const Clock& clock_;
  const Recorder record_;
  Attempts attempts_;
  ExpiringMap<bool> seen_{100'000};  // `jti` of tokens that were acted on
};

}  // namespace sallyport::identity

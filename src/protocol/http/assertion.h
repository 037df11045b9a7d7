#pragma once
// Assertions: what a target is told of who asks, signed (JWT, ES256) so that it need not believe
// whoever reaches it. The keys are at /.well-known/jwks.json of the http listener.

#include <string>
#include <string_view>

#include "base/clock.h"
#include "core/model.h"
#include "identity/signing_key.h"

namespace sallyport::web {

/// Shared by all workers.
class Assertions {
 public:
  static constexpr std::chrono::seconds lifetime{60};
  /// A new one is made when an old one has less left than this.
  static constexpr std::chrono::seconds renewed_before{30};

  explicit Assertions(identity::SigningKey key) : key_(std::move(key)) {}

  /// `issuer` and `audience` as URLs. `txn` is the session's id, as in the ledger.
  std::string make(const Session& session, std::string_view issuer, std::string_view audience,
                   WallTime now) const;
  /// A JSON web key set.
  std::string keys() const { return R"({"keys":[)" + key_.public_jwk() + "]}"; }

 private:
  identity::SigningKey key_;
};

}  // namespace sallyport::web

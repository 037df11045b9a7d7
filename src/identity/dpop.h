#pragma once
// DPoP (RFC 9449): a token that is bound to its holder's key is good over HTTP only with a proof
// that the key made for this very request.

#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "identity/expiring_map.h"

namespace sallyport::identity {

constexpr std::chrono::seconds dpop_age_max{60};    // of a proof
constexpr std::chrono::seconds dpop_future_max{5};  // its clock may be ahead of ours by that
constexpr std::size_t dpop_bytes_max = 8 * 1024;
/// The ways to sign a proof that are taken: no RSA, whose keys cost what their maker likes.
constexpr std::string_view dpop_algorithms = "ES256 EdDSA";
constexpr std::size_t dpop_proofs_max = 100'000;  // that are remembered

/// RFC 7638, of a public key as a JSON web key: base64url of SHA-256. Fails on what is no such key.
Result<std::string> jwk_thumbprint(std::string_view jwk);

/// Safe from any thread.
class DpopProofs {
 public:
  /// `url`: how clients reach us, without a path. `clock` must outlive it.
  DpopProofs(std::string url, const Clock& clock);

  struct Request {
    std::string_view method;
    std::string_view path;   // without the query
    std::string_view token;  // the access token that comes with the proof
  };
  /// The thumbprint of the key that `proof` shows, as anybody may write it: no key is made and
  /// nothing verified. Cheap, and fails on what check() would not take for its form.
  static Result<std::string> claimed_key(std::string_view proof);

  /// The thumbprint of the key that made `proof` for this request. Every proof once: one that was
  /// seen is refused, and so is one that may have been seen before we began to remember, and any
  /// while as many are remembered as may be. So only for a token that was found good, and bound to
  /// claimed_key(): else anybody could have us remember and verify without end.
  Result<std::string> check(std::string_view proof, const Request& request);

 private:
  const std::string url_;
  const Clock& clock_;
  const WallTime since_;
  std::mutex mutex_;
  ExpiringMap<bool> seen_{dpop_proofs_max};
};

}  // namespace sallyport::identity

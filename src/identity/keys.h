#pragma once
// The keys of one issuer: discovery and JWKS, fetched when needed, cached, and never trusted longer
// than the issuer's last word allows.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "identity/claims.h"
#include "identity/fetcher.h"
#include "identity/jwk.h"
#include "net/task.h"

namespace sallyport::identity {

/// Safe from any thread. One fetch at a time, whoever asks.
class KeyCache {
 public:
  /// Limits of identity.md; a token with a key nobody knows must not become a flood of fetches.
  static constexpr std::chrono::seconds kFetchFloor{30};
  static constexpr std::chrono::seconds kAgeMin{5 * 60};
  static constexpr std::chrono::seconds kAgeMax{24 * 3600};
  static constexpr std::chrono::seconds kStaleMax{24 * 3600};
  static constexpr std::size_t kUnknownKidsMax = 1024;
  static constexpr std::size_t kWaitersMax = 10'000;

  struct Metrics {
    std::uint64_t fetches = 0;
    std::uint64_t failures = 0;
    std::uint64_t served_stale = 0;
    std::uint64_t unknown_kids = 0;
  };

  /// The references must outlive the cache.
  KeyCache(const IssuerOptions& issuer, const Clock& clock, Fetcher& fetcher);
  ~KeyCache();
  KeyCache(const KeyCache&) = delete;
  KeyCache& operator=(const KeyCache&) = delete;

  /// A null key is one the issuer does not have. Fails with unavailable if there is no set to look
  /// in.
  net::Task<Result<std::shared_ptr<const PublicKey>>> find(std::string kid, Algorithm algorithm);

  Metrics metrics() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace sallyport::identity

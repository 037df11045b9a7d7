#pragma once
// Public keys as JSON web keys (RFC 7517), and signatures checked with them (RFC 7518, RFC 8037).
// Only algorithms of public keys exist here: there is no `none` and no HMAC to fall into.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace sallyport::identity {

class Json;

inline constexpr std::size_t kJwksBytesMax = 256 * 1024;
inline constexpr std::size_t kJwksKeysMax = 64;

enum class Algorithm : std::uint8_t {
  rs256,
  rs384,
  rs512,
  ps256,
  ps384,
  ps512,
  es256,
  es384,
  es512,
  eddsa,
};
std::string_view to_string(Algorithm algorithm);
/// By its exact JOSE name; anything else, `none` and `HS256` included, is nullopt.
std::optional<Algorithm> algorithm_from(std::string_view name);

/// A key that is good for checking signatures: RSA of 2048 to 8192 bits, P-256, P-384, P-521 or
/// Ed25519. Immutable, so threads share it.
class PublicKey {
 public:
  /// Refuses private and symmetric keys, keys for encryption, weak ones (small, exponent below 3,
  /// ROCA, points off the curve) and members that contradict each other.
  static Result<PublicKey> from_jwk(std::string_view json);
  static Result<PublicKey> from(const Json& jwk);

  ~PublicKey();
  PublicKey(PublicKey&&) noexcept;
  PublicKey& operator=(PublicKey&&) noexcept;

  const std::string& kid() const;  // may be empty

  /// True if a signature by `algorithm` may be checked with this key: the kind and the curve match,
  /// and the key's own `alg`, where it has one, is of the same family and no stronger.
  bool fits(Algorithm algorithm) const;

  /// False for a signature that is wrong in any way, and for an algorithm that does not fit.
  bool verify(Algorithm algorithm, std::string_view message, Bytes signature) const;

 private:
  struct State;
  explicit PublicKey(std::unique_ptr<const State> state);
  std::unique_ptr<const State> state_;
};

struct KeySet {
  std::vector<std::shared_ptr<const PublicKey>> keys;
  std::vector<std::string> skipped;  // why a key of the set is not used, for the log

  /// The key for a token's `kid` and `alg`, or null. Without a `kid`, the only key that fits.
  std::shared_ptr<const PublicKey> find(std::string_view kid, Algorithm algorithm) const;
};

/// A JWKS document. Keys that cannot check signatures are skipped; the whole set is refused if it
/// publishes a private or symmetric key, uses a `kid` twice, or is above the limits.
Result<KeySet> parse_jwks(std::string_view json);

}  // namespace sallyport::identity

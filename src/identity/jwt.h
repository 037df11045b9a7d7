#pragma once
// JSON web tokens in compact form (RFC 7515, RFC 7519, RFC 8725): taken apart strictly, then
// checked against one key. What the claims mean is in claims.h.

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "identity/jwk.h"

namespace sallyport::identity {

inline constexpr std::size_t kTokenBytesMax = 16 * 1024;

/// A token taken apart. Nothing in it is to be believed before verify_jws() said ok.
struct Jws {
  Algorithm algorithm = Algorithm::es256;
  std::string kid;            // empty if the header has none
  std::string typ;            // lower case, without "application/"
  std::string signing_input;  // what the signature covers
  std::string payload;        // decoded
  ByteVector signature;
};

/// Fails with malformed, too_large, or denied for a header we never accept: an algorithm that is
/// not one of ours (`none`, HMAC), any `crit`, `b64`, compression, repeated names. `jku`, `x5u`,
/// `jwk` and `x5c` are ignored: a token does not say which key to trust.
Result<Jws> parse_jws(std::string_view compact);

/// Fails with denied if the key does not fit or the signature is wrong.
Result<void> verify_jws(const Jws& jws, const PublicKey& key);

}  // namespace sallyport::identity

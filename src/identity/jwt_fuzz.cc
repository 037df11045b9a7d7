// Hostile tokens and key sets. A token that parses must do so in the same way again.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "identity/claims.h"
#include "identity/jwk.h"
#include "identity/jwt.h"

using namespace sallyport;
using namespace sallyport::identity;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)parse_jwks(text);
  (void)PublicKey::from_jwk(text);

  static const Issuers issuers{.all = {{.name = "corp",
                                        .url = "https://i",
                                        .audience = "us",
                                        .agents = {{.client_id = "bot"}}}}};
  Jws claims_only{.typ = "at+jwt", .payload = std::string(text)};
  const WallTime now{std::chrono::seconds(1'800'000'000)};
  (void)credential_from(claims_only, issuers.all[0], issuers, {}, now);

  const auto jws = parse_jws(text);
  if (!jws) return 0;
  if (!text.starts_with(jws->signing_input)) std::abort();
  static const auto key = PublicKey::from_jwk(
      R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})");
  (void)verify_jws(*jws, *key);
  (void)credential_from(*jws, issuers.all[0], issuers, {}, now);
  return 0;
}

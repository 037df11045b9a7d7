#include "identity/jwt.h"

#include <algorithm>
#include <array>

#include "http/text.h"
#include "identity/json.h"

namespace sallyport::identity {
namespace {

Result<std::array<std::string_view, 3>> split(std::string_view compact) {
  if (compact.size() > kTokenBytesMax) return fail(Errc::too_large, "token above 16 KiB");
  if (std::ranges::count(compact, '.') != 2) {
    return fail(Errc::malformed, "a token has three parts");  // five would be a JWE
  }
  const auto first = compact.find('.');
  const auto second = compact.find('.', first + 1);
  return std::array{compact.substr(0, first), compact.substr(first + 1, second - first - 1),
                    compact.substr(second + 1)};
}

/// `typ` is compared without case and with "application/" left out (RFC 7515 section 4.1.9).
std::string normal_typ(std::string_view typ) {
  std::string lower;
  for (const char c : typ) lower.push_back(http::to_lower(c));
  if (lower.starts_with("application/")) lower.erase(0, 12);
  return lower;
}

Result<void> read_header(const Json& header, Jws& jws) {
  if (!header.is_object()) return fail(Errc::malformed, "header is not an object");
  const auto alg = header.text("alg");
  if (!alg) return fail(Errc::malformed, "header has no alg");
  const auto algorithm = algorithm_from(*alg);
  if (!algorithm) return fail(Errc::denied, "algorithm is none, symmetric or unknown");
  jws.algorithm = *algorithm;

  // We understand no extension, so any that must be understood refuses; an unencoded payload
  // (RFC 7797) and compression change what the other parts mean.
  for (const std::string_view name : {"crit", "b64", "zip", "enc"}) {
    if (header.has(name)) return fail(Errc::denied, "header has " + std::string(name));
  }
  for (const std::string_view name : {"kid", "typ"}) {
    if (header.has(name) && !header.text(name)) {
      return fail(Errc::malformed, std::string(name) + " is not a string");
    }
  }
  jws.kid = header.text("kid").value_or("");
  jws.typ = normal_typ(header.text("typ").value_or(""));
  return ok();
}

}  // namespace

Result<Jws> parse_jws(std::string_view compact) {
  auto parts = split(compact);
  if (!parts) return fail(parts);
  const auto [header_text, payload_text, signature_text] = *parts;

  auto header_bytes = from_base64url(header_text);
  if (!header_bytes) return fail(header_bytes, "header");
  auto header = Json::parse(as_text(*header_bytes), kTokenBytesMax);
  if (!header) return fail(header, "header");

  Jws jws;
  if (auto read = read_header(*header, jws); !read) return fail(read);
  auto payload = from_base64url(payload_text);
  if (!payload) return fail(payload, "payload");
  auto signature = from_base64url(signature_text);
  if (!signature) return fail(signature, "signature");
  jws.signing_input = compact.substr(0, header_text.size() + 1 + payload_text.size());
  jws.payload = as_text(*payload);
  jws.signature = std::move(*signature);
  return jws;
}

Result<void> verify_jws(const Jws& jws, const PublicKey& key) {
  if (!key.fits(jws.algorithm)) return fail(Errc::denied, "key and algorithm do not fit");
  if (!key.verify(jws.algorithm, jws.signing_input, jws.signature)) {
    return fail(Errc::denied, "signature is wrong");
  }
  return ok();
}

}  // namespace sallyport::identity

#pragma once
// A credential that was checked: who it is (Chain) and how that was proved (Authentication). And
// how a refusal is told: one text for the operator, another for whoever presented it.

#include <expected>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/result.h"
#include "core/model.h"

namespace sallyport::identity {

/// What its holder said when a ticket was made of it. The policies see it, and it is on record.
struct Stated {
  bool break_glass = false;
  std::string ticket;   // of a change or an incident, or empty
  std::string purpose;  // or empty
};

struct Credential {
  Chain chain;
  Authentication authentication;
  Stated stated;
};

/// Why a credential was refused. `message` and `hint` go to the client and say nothing of keys or
/// of who exists; `detail` goes to the log.
struct CredentialError {
  enum class Kind : std::uint8_t {
    malformed,
    unknown_issuer,
    algorithm,
    unknown_key,
    signature,
    expired,
    not_yet_valid,
    wrong_audience,
    wrong_type,
    claims,
    impersonation,
    delegation,
    unbound,
    revoked,
    unavailable,
  };
  Kind kind = Kind::malformed;
  std::string detail;
  std::string message;  // "the token expired 3 minutes ago"
  std::string hint;     // "run `sallyport login`", or empty

  /// Message and hint in one line, for protocols with one text.
  std::string to_string() const;
};

template <class T>
using CredentialResult = std::expected<T, CredentialError>;

/// What the connection itself proves about who presents a token.
struct Presentation {
  std::optional<Digest> client_certificate_sha256;  // of the DER, for cnf.x5t#S256 (RFC 8705)
  std::string dpop_key;  // thumbprint of the key that a proof was made with, for cnf.jkt (RFC 9449)
  /// Not to be used but exchanged (RFC 8693), by this agent, which has proved who it is.
  std::optional<Identity> exchanged_by = std::nullopt;
};

/// One credential as JSON text, for the store. Both ends are ours; a text that does not fit fails.
std::string to_json(const Credential& credential);
Result<Credential> credential_from_json(std::string_view json);

}  // namespace sallyport::identity

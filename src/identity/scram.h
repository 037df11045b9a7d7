#pragma once
// SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677) as PostgreSQL uses them: both sides,
// without I/O. Channel binding is tls-server-end-point (RFC 5929).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/result.h"

namespace sallyport::identity {

inline constexpr std::string_view kScram = "SCRAM-SHA-256";
inline constexpr std::string_view kScramPlus = "SCRAM-SHA-256-PLUS";
inline constexpr std::uint32_t kScramIterations = 4096;
inline constexpr std::uint32_t kScramIterationsMax = 100'000;
inline constexpr std::size_t kScramMessageBytesMax = 4096;

/// What a server keeps of one password: enough to check it, not enough to use it.
struct ScramKeys {
  Digest stored_key{};
  Digest server_key{};
};
ScramKeys scram_keys(std::string_view password, Bytes salt, std::uint32_t iterations);

/// The keys a login may prove. All share a salt, because a client hears it before it proves
/// anything.
struct ScramVerifier {
  struct Candidate {
    ScramKeys keys;
    std::string id;  // which ticket
  };
  ByteVector salt;
  std::uint32_t iterations = kScramIterations;
  std::vector<Candidate> candidates;
};

/// The server's side of one login. first(), then finish(); any failure ends it.
class ScramServer {
 public:
  /// `server_end_point` is the hash of the certificate the client was shown (RFC 5929 section 4.1),
  /// empty without TLS: then -PLUS is not offered.
  ScramServer(ScramVerifier verifier, ByteVector server_end_point, Random& random);
  /// With a nonce that is given, for the vectors of the RFC.
  ScramServer(ScramVerifier verifier, ByteVector server_end_point, std::string nonce);

  /// What to offer, strongest first.
  std::vector<std::string_view> mechanisms() const;

  /// The mechanism the client chose and its first message; returns server-first.
  Result<std::string> first(std::string_view mechanism, std::string_view client_first);

  struct Finished {
    std::string message;  // server-final
    std::string id;       // of the candidate that was proved
  };
  /// client-final. Fails with denied if no candidate is proved, malformed if it breaks the rules.
  Result<Finished> finish(std::string_view client_final);

 private:
  enum class Step : std::uint8_t { first, final, done };

  ScramVerifier verifier_;
  ByteVector server_end_point_;
  Step step_ = Step::first;
  std::string gs2_header_;
  bool bound_ = false;
  std::string client_first_bare_;
  std::string server_first_;
  std::string nonce_;  // ours; with the client's before it once first() has it
};

/// The client's side of one login, for a target that wants a password.
class ScramClient {
 public:
  /// The password is taken as its bytes: ASCII needs no SASLprep, and other text must be given in
  /// normalised form (libpq too falls back to the bytes where SASLprep refuses).
  ScramClient(std::string password, ByteVector server_end_point, Random& random);
  /// With a nonce and a user name that are given, for the vectors of the RFC. PostgreSQL takes the
  /// name from the startup message and wants none here.
  ScramClient(std::string password, ByteVector server_end_point, std::string nonce,
              std::string user);

  /// Picks -PLUS if it is offered and there is a certificate to bind to. Fails with denied if
  /// nothing offered is known, and if a TLS server that could bind says it does not (downgrade).
  Result<std::string_view> choose(const std::vector<std::string>& offered);
  /// client-first, after choose().
  std::string first();
  /// server-first; returns client-final.
  Result<std::string> respond(std::string_view server_first);
  /// server-final. Only after it said ok is the server the one that knows the password.
  Result<void> verify(std::string_view server_final);

 private:
  std::string password_;
  ByteVector server_end_point_;
  std::string nonce_;
  std::string first_bare_;
  std::string gs2_header_;
  bool bound_ = false;
  std::optional<Digest> server_signature_;  // once respond() said ok
};

}  // namespace sallyport::identity

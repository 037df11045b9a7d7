#pragma once
// The few primitives that several rooms need, over OpenSSL, whose headers stay in crypto.cc.
// Signatures of tokens are in identity/, TLS is in net/.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace sallyport {

using Digest = std::array<std::byte, 32>;

Digest sha256(Bytes data);
Digest hmac_sha256(Bytes key, Bytes data);
/// PBKDF2-HMAC-SHA-256 (RFC 8018) to 32 bytes. `iterations` is at least 1.
Digest pbkdf2_sha256(std::string_view password, Bytes salt, std::uint32_t iterations);
/// MD5, which PostgreSQL's `md5` authentication needs and nothing else may use.
std::array<std::byte, 16> md5(Bytes data);

/// In time that depends on the lengths only.
bool equal_in_constant_time(Bytes a, Bytes b);

/// SHA-256 fed in pieces; finish() may be called once.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(Bytes data);
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// An Ed25519 key pair (RFC 8032), stored as PKCS#8 PEM.
class Ed25519Key {
 public:
  static Ed25519Key generate();
  static Result<Ed25519Key> from_pem(std::string_view pem);
  ~Ed25519Key();
  Ed25519Key(Ed25519Key&&) noexcept;
  Ed25519Key& operator=(Ed25519Key&&) noexcept;

  std::string private_pem() const;
  std::string public_pem() const;
  std::array<std::byte, 32> public_bytes() const;
  std::array<std::byte, 64> sign(Bytes message) const;

 private:
  struct State;
  explicit Ed25519Key(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// `public_key` is the 32 raw bytes.
bool ed25519_verify(Bytes public_key, Bytes message, Bytes signature);
/// The 32 raw bytes of a public key in SubjectPublicKeyInfo PEM.
Result<std::array<std::byte, 32>> ed25519_public_from_pem(std::string_view pem);

}  // namespace sallyport

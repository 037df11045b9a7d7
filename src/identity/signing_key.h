#pragma once
// An ES256 key pair that signs what Sallyport itself issues.

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sallyport::identity {

class SigningKey {
 public:
  static SigningKey generate();
  static Result<SigningKey> from_pem(std::string_view pem);
  /// The key in `path`, made with mode 0600 if there is none. Refuses a file others can read.
  static Result<SigningKey> load_or_create(const std::string& path);

  ~SigningKey();
  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) noexcept;

  std::string private_pem() const;  // PKCS#8
  std::string public_jwk() const;
  const std::string& kid() const;  // the key's thumbprint (RFC 7638)

  /// A compact JWS over `claims`, which is JSON text.
  std::string sign_jwt(std::string_view typ, std::string_view claims) const;

 private:
  struct State;
  explicit SigningKey(std::unique_ptr<const State> state);
  std::unique_ptr<const State> state_;
};

}  // namespace sallyport::identity

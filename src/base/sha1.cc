#include "base/sha1.h"

#include <openssl/evp.h>

#include "base/check.h"

namespace sallyport {

std::array<std::byte, 20> sha1(Bytes data) {
  std::array<std::byte, 20> digest{};
  SALLYPORT_CHECK(EVP_Digest(data.data(), data.size(),
                             reinterpret_cast<unsigned char*>(digest.data()), nullptr, EVP_sha1(),
                             nullptr) == 1);
  return digest;
}

}  // namespace sallyport

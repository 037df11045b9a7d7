#pragma once
// Passwords of the built-in issuer's users: argon2id (RFC 9106), and how often one may be wrong.

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace sallyport::identity {

inline constexpr std::size_t kPasswordBytesMax = 1024;

/// "$argon2id$v=19$m=19456,t=2,p=1$..."; takes about 20 ms and 19 MiB.
std::string hash_password(std::string_view password, Random& random);
/// False for a wrong password and for a hash that is not argon2id or asks for too much.
bool check_password(std::string_view hash, std::string_view password);

/// What to count an address by: one machine has a whole /64 of IPv6 to choose from.
std::string network_of(const std::string& ip);

/// Counts failures by key; too many within a window and the key has to wait. One thread's.
class Attempts {
 public:
  static constexpr std::chrono::seconds kWindow{300};
  static constexpr std::size_t kKeysMax = 100'000;  // some 10 MB

  explicit Attempts(const Clock& clock) : clock_(clock) {}

  /// How long `key` has to wait, given that `failures_max` are allowed in a window. While so many
  /// keys have failed that no other can be counted, every other has to wait.
  std::chrono::seconds wait(std::string_view key, int failures_max);
  void failed(std::string_view key);
  void succeeded(std::string_view key);  // forgets all failures
  void forgive(std::string_view key);    // takes back one

 private:
  struct Count {
    int failures = 0;
    SteadyTime since{};
  };
  std::chrono::seconds room();  // zero if there is some

  const Clock& clock_;
  std::map<std::string, Count, std::less<>> counts_;
  SteadyTime full_until_{};
};

}  // namespace sallyport::identity

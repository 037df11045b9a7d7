#include "identity/password.h"

#include <argon2.h>
#include <arpa/inet.h>

#include <array>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "base/numbers.h"

namespace sallyport::identity {
namespace {

constexpr std::uint32_t kTime = 2;
constexpr std::uint32_t kMemoryKib = 19 * 1024;
constexpr std::uint32_t kMemoryKibMax = 256 * 1024;
constexpr std::uint32_t kTimeMax = 16;
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kHashBytes = 32;

std::optional<std::uint32_t> parameter(std::string_view hash, std::string_view name) {
  const auto at = hash.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  auto digits = hash.substr(at + name.size());
  digits = digits.substr(0, digits.find_first_of(",$"));
  const auto value = parse_number<std::uint32_t>(digits);
  return value ? std::optional(*value) : std::nullopt;
}

}  // namespace

std::string hash_password(std::string_view password, Random& random) {
  std::array<std::byte, kSaltBytes> salt{};
  random.fill(salt);
  std::array<char, 128> encoded{};
  SALLYPORT_CHECK(argon2id_hash_encoded(kTime, kMemoryKib, 1, password.data(), password.size(),
                                        salt.data(), salt.size(), kHashBytes, encoded.data(),
                                        encoded.size()) == ARGON2_OK);
  return encoded.data();
}

bool check_password(std::string_view hash, std::string_view password) {
  if (password.size() > kPasswordBytesMax || !hash.starts_with("$argon2id$")) return false;
  const auto memory = parameter(hash, "$m=");
  const auto time = parameter(hash, ",t=");
  if (!memory || !time || *memory > kMemoryKibMax || *time > kTimeMax) return false;
  return argon2id_verify(std::string(hash).c_str(), password.data(), password.size()) == ARGON2_OK;
}

std::string network_of(const std::string& ip) {
  in6_addr address{};
  if (inet_pton(AF_INET6, ip.c_str(), &address) != 1) return ip;
  std::array<std::byte, 8> network{};
  std::memcpy(network.data(), &address, network.size());
  return to_hex(network) + "/64";
}

std::chrono::seconds Attempts::wait(std::string_view key, int failures_max) {
  const auto found = counts_.find(key);
  if (found == counts_.end()) return room();
  const auto ends = found->second.since + kWindow;
  if (clock_.steady() >= ends) {
    counts_.erase(found);
    return {};
  }
  if (found->second.failures < failures_max) return {};
  return std::chrono::ceil<std::chrono::seconds>(ends - clock_.steady());
}

std::chrono::seconds Attempts::room() {
  const auto now = clock_.steady();
  if (counts_.size() < kKeysMax) return {};
  if (now < full_until_) return std::chrono::ceil<std::chrono::seconds>(full_until_ - now);
  std::erase_if(counts_, [&](const auto& one) { return now >= one.second.since + kWindow; });
  if (counts_.size() < kKeysMax) return {};
  // One look at all of them lasts until the first of them ends.
  full_until_ = now + kWindow;
  for (const auto& [key, count] : counts_) {
    full_until_ = std::min(full_until_, count.since + kWindow);
  }
  return std::chrono::ceil<std::chrono::seconds>(full_until_ - now);
}

void Attempts::failed(std::string_view key) {
  const auto now = clock_.steady();
  // One that cannot be counted has to wait: see wait().
  if (!counts_.contains(key) && room().count() > 0) return;
  auto& count = counts_[std::string(key)];
  if (count.failures == 0 || now >= count.since + kWindow) count = {.failures = 0, .since = now};
  ++count.failures;
}

void Attempts::succeeded(std::string_view key) {
  if (const auto found = counts_.find(key); found != counts_.end()) counts_.erase(found);
}

void Attempts::forgive(std::string_view key) {
  const auto found = counts_.find(key);
  if (found != counts_.end() && found->second.failures > 0) --found->second.failures;
}

}  // namespace sallyport::identity

#pragma once
// What several tests of identity/ need: a clock that stands still, an issuer that signs, a fetcher
// that answers from a map. For tests only.

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "identity/claims.h"
#include "identity/fetcher.h"
#include "identity/signing_key.h"

namespace sallyport::identity::testing {

class FixedClock final : public Clock {
 public:
  WallTime now() const override { return wall; }
  SteadyTime steady() const override { return steady_time; }
  void advance(std::chrono::seconds by) {
    wall += by;
    steady_time += by;
  }

  WallTime wall{std::chrono::seconds(1'800'000'000)};
  SteadyTime steady_time{std::chrono::hours(1)};
};

class MapFetcher final : public Fetcher {
 public:
  void get(std::string url, std::string, Done done) override {
    asked.push_back(url);
    const auto found = pages.find(url);
    if (down || found == pages.end()) return done(fail(Errc::unavailable, url + " answers 404"));
    done(Fetched{.body = found->second, .max_age_s = max_age_s});
  }

  std::map<std::string, std::string> pages;
  std::vector<std::string> asked;
  std::optional<std::uint32_t> max_age_s;
  bool down = false;
};

inline constexpr std::string_view kIssuer = "https://login.example.com";
inline constexpr std::string_view kAudience = "https://gateway.example.com";

inline IssuerOptions issuer_options(const SigningKey& key) {
  return {.name = "corp",
          .url = std::string(kIssuer),
          .audience = std::string(kAudience),
          .agents = {{.client_id = "copilot", .owner = "alice", .groups = {"agents"}},
                     {.client_id = "helper"},
                     {.client_id = "third"},
                     {.client_id = "fourth"}},
          .jwks = R"({"keys":[)" + key.public_jwk() + "]}"};
}

/// Claims of a good token at FixedClock's time, with members replaced ("" removes one) or added.
inline std::string claims(std::map<std::string, std::string> changes = {}) {
  std::map<std::string, std::string> all{
      {"iss", '"' + std::string(kIssuer) + '"'},
      {"aud", '"' + std::string(kAudience) + '"'},
      {"sub", R"("alice")"},
      {"exp", "1800000300"},
      {"iat", "1800000000"},
      {"jti", R"("1")"},
      {"client_id", R"("cli")"},
  };
  for (auto& [name, value] : changes) all[name] = value;
  std::string text;
  for (const auto& [name, value] : all) {
    if (!value.empty()) text += (text.empty() ? "\"" : ",\"") + name + "\":" + value;
  }
  return "{" + text + "}";
}

}  // namespace sallyport::identity::testing

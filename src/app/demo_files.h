#pragma once
// What the demo writes into its folder: certificates, secrets, policies, its configuration, and
// later what clients need. Everything goes through the same files as a real deployment.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "app/document.h"
#include "base/clock.h"
#include "base/result.h"

namespace sallyport::app {

struct DemoUser {
  const char* name;
  const char* display_name;
  const char* group;
};
/// alice, bob, dana and sam.
const std::vector<DemoUser>& demo_users();

inline constexpr const char* demo_agent = "support-copilot";
inline constexpr const char* demo_connection = "shop";

/// Where the demo keeps what, and its ports.
struct DemoPlan {
  std::filesystem::path data;
  std::filesystem::path policies;  // empty: the starter policies
  std::uint16_t postgres_port = 0;
  std::uint16_t admin_port = 0;
  std::map<std::string, std::string> passwords;  // of the users, for the login page
  std::string agent_secret;

  std::filesystem::path ca_file() const { return data / "tls/ca.pem"; }
  std::filesystem::path config_file() const { return data / "sallyport.yaml"; }
  std::filesystem::path service_file() const { return data / "pg_service.conf"; }
  std::filesystem::path public_key_file() const { return data / "ledger-public-key.pem"; }
  std::string admin_url() const;
};

/// The target's address and how to log in there.
struct DemoTarget {
  std::uint16_t port = 0;
  std::string user;
  std::string password;
};

/// Certificates, the users' secrets and the policies.
Result<void> write_demo_files(const DemoPlan& plan, const Clock& clock);
/// The configuration; needs the target.
Result<void> write_demo_config(const DemoPlan& plan, const DemoTarget& target);

/// A file that only we may read.
Result<void> write_private_file(const std::filesystem::path& path, std::string_view text);

}  // namespace sallyport::app

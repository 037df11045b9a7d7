#pragma once
// The configuration: one YAML file, read once into plain values. Whatever is wrong with it is
// reported at once, each with file:line:column and a hint; nothing listens before it is right.
// docs/reference/configuration.md describes every key.

#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/document.h"
#include "approval/webhooks.h"
#include "base/log.h"
#include "identity/claims.h"
#include "mask/masker.h"
#include "net/backend.h"
#include "policy/connection_facts.h"

namespace sallyport::content {
class OpenApi;
}

namespace sallyport::app {

struct TlsFiles {
  std::filesystem::path certificate;  // PEM, the whole chain
  std::filesystem::path key;
  std::filesystem::path client_ca;  // empty: clients are not asked for a certificate
};

struct ListenerConfig {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  std::optional<TlsFiles> tls;
  std::string public_url;  // admin, http: how clients reach it; empty: from address and port
};

struct LedgerConfig {
  bool reads_durable = true;  // false: a read is released when its record is in the kernel
  std::size_t segment_bytes = std::size_t{64} << 20;
};

/// A password or secret, and how it was given (for warnings, never the value).
struct Secret {
  std::string value;
  enum class Source : std::uint8_t { environment, file, inline_text } source = Source::environment;
};

enum class UpstreamTls : std::uint8_t { disable, require, verify_ca, verify_full };

/// Of connections to a target.
struct PoolConfig {
  bool reuse = true;
  std::uint32_t max = 0;  // 0: as many as there are sessions
  std::uint32_t idle_min = 0;
  std::uint32_t idle_max = 32;
  std::uint32_t wait_s = 10;
  std::uint32_t server_lifetime_s = 3600;
  std::uint32_t server_idle_s = 3;
};

/// What only connections of protocol http have.
struct HttpConnectionConfig {
  std::string authority;           // Host of what the target is sent: "crm.internal:8443"
  std::vector<std::string> hosts;  // names of the gateway that lead here
  /// One of them, or neither: what proves to the target who asks.
  std::string header;                     // the name of the field that holds `secret`
  Secret secret;                          // of it, or the password of ConnectionConfig::user
  std::string audience;                   // of Sallyport-Assertion; empty: none is sent
  std::vector<std::string> drop_headers;  // of clients, beside those that never pass
  std::uint64_t request_bytes_max = std::uint64_t{16} << 20;
  std::uint64_t request_bytes_per_s_min = 500;  // 0: no minimum
  std::uint64_t response_bytes_max = 0;         // 0: no limit
  std::uint32_t response_timeout_s = 60;
  std::uint32_t idle_max = 32;
  std::uint32_t idle_s = 30;
  std::shared_ptr<const content::OpenApi> openapi;  // null: none
};

struct ConnectionConfig {
  std::string name;
  std::string protocol = "postgres";
  std::string host;
  std::uint16_t port = 5432;
  std::vector<std::string> databases;    // the first is the default
  std::vector<std::string> search_path;  // schemas; what unqualified names mean
  UpstreamTls tls = UpstreamTls::verify_full;
  std::filesystem::path ca;  // empty: the system's
  std::string user;
  Secret password;
  std::string context_key_id;  // empty: the target is not told who a session is for
  Secret context_key;
  std::vector<std::string> require_auth;  // methods the target may ask for; empty: the default
  std::string env;
  std::map<std::string, std::string> tags;
  std::vector<std::string> resource_groups;
  std::vector<policy::ClassificationRule> classification;
  std::map<std::string, std::string, std::less<>> masks;  // classification -> kind of mask
  std::vector<policy::RowFilterRule> row_filters;
  policy::AnswerLimits answer_limits;
  std::uint32_t catalog_refresh_s = 60;  // how old what is known of its tables may get
  mask::Mode detect = mask::Mode::off;
  mask::DetectorSet detectors = mask::DetectorSet().set();
  PoolConfig pool;
  std::uint32_t connect_timeout_s = 10;
  std::uint32_t statement_timeout_s = 0;  // 0: the server's own
  std::uint32_t lock_timeout_s = 0;
  std::uint32_t idle_in_transaction_timeout_s = 0;
  HttpConnectionConfig http;
};

struct BuiltinUser {
  std::string name;
  std::string display_name;
  std::string email;
  std::vector<std::string> groups;
  std::string password_hash;  // argon2id in its usual form; empty if `password` is given
  bool active = true;         // false: may not log in, and what is open ends
  Secret password;
};

struct BuiltinAgent {
  std::string client_id;
  std::string display_name;
  std::string owner;
  std::vector<std::string> groups;
  Secret secret;
};

struct BuiltinClient {
  std::string client_id;
  std::vector<std::string> redirect_uris;
};

struct BuiltinIssuer {
  std::vector<BuiltinUser> users;
  std::vector<BuiltinAgent> agents;
  std::vector<BuiltinClient> clients;
  std::uint32_t token_ttl_s = 3600;
};

struct LimitsConfig {
  std::uint32_t sessions_max = 10'000;
  std::uint32_t message_bytes_max = std::uint32_t{16} << 20;
  std::uint32_t authentication_s_max = 30;
  std::uint32_t ticket_ttl_s = 900;
};

/// Who a user of Slack is here.
struct SlackUser {
  std::string issuer;  // name or URL; empty: the built-in one
  std::string subject;
  std::string id;                   // the value of the issuer's id_claim, where that is not `sub`
  std::vector<std::string> groups;  // of the built-in issuer's users those that it says
};

struct SlackConfig {
  Secret signing_secret;
  std::string team;
  std::map<std::string, SlackUser, std::less<>> users;
};

struct ApprovalsConfig {
  std::uint32_t wait_s = 300;          // a statement waits for people
  std::uint32_t pending_s = 900;       // a request waits for people
  std::uint32_t break_glass_s = 3600;  // a session under break-glass may last
  std::vector<approval::Webhook> webhooks;
  SlackConfig slack;
};

struct Config {
  std::filesystem::path file;
  std::filesystem::path data;
  std::string tenant = "default";
  log::Level log_level = log::Level::info;
  log::Format log_format = log::Format::text;
  std::uint32_t workers = 0;  // 0: one per core
  net::Backend reactor = net::Backend::automatic;
  std::uint32_t shutdown_grace_s = 30;
  std::optional<ListenerConfig> postgres;
  std::optional<ListenerConfig> http;
  std::optional<ListenerConfig> admin;
  LedgerConfig ledger;
  std::vector<identity::IssuerOptions> issuers;
  std::string cli_client_id = "sallyport-cli";  // of `sallyport login` at the first issuer
  std::optional<BuiltinIssuer> builtin_issuer;
  std::vector<ConnectionConfig> connections;
  std::filesystem::path policies;
  LimitsConfig limits;
  ApprovalsConfig approvals;
  std::vector<Problem> warnings;

  const ConnectionConfig* connection(std::string_view name) const;
};

using Environment = std::function<std::optional<std::string>(const std::string& name)>;
/// The process's own.
std::optional<std::string> process_environment(const std::string& name);

using ConfigResult = std::expected<Config, std::vector<Problem>>;

ConfigResult load_config(const std::filesystem::path& file,
                         const Environment& environment = process_environment);

/// From a tree that was read before; the problems found then are reported with the others.
ConfigResult read_config(const Value& document, std::vector<Problem> problems,
                         const Environment& environment = process_environment);

/// One problem a line, for people.
std::string to_string(const std::vector<Problem>& problems);

}  // namespace sallyport::app

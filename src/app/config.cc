#include "app/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <tuple>

#include "app/config_parts.h"
#include "app/fields.h"

namespace sallyport::app {
namespace {

bool is_loopback(const std::string& address) {
  return address == "localhost" || address == "::1" || address.starts_with("127.");
}

std::optional<TlsFiles> read_tls_files(Reading& reading, const Value& value,
                                       const std::string& name) {
  Fields fields(value, name, reading.problems);
  TlsFiles files;
  files.certificate = fields.file("certificate");
  files.key = fields.file("key");
  // Where a login may be bound to one.
  if (name == "listeners.postgres.tls" && fields.has("client_ca")) {
    files.client_ca = fields.file("client_ca");
  }
  fields.require("certificate", "certificate: tls/server.pem");
  fields.require("key", "key: tls/server.key");
  fields.finish();
  return files;
}

ListenerConfig read_listener(Reading& reading, const Value& value, const std::string& name,
                             std::uint16_t port) {
  Fields fields(value, "listeners." + name, reading.problems);
  ListenerConfig listener;
  listener.address = fields.text_or("address", listener.address);
  listener.port = static_cast<std::uint16_t>(fields.number_or("port", port, 1, 65535));
  if (const Value* tls = fields.get("tls")) {
    listener.tls = read_tls_files(reading, *tls, "listeners." + name + ".tls");
  }
  if (!is_ip_address(listener.address)) {
    fields.problem("address", fmt::format("'{}' is no IP address", listener.address),
                   "0.0.0.0 or :: for every interface, 127.0.0.1 for this machine only");
  }
  if (name == "admin" || name == "http") {
    listener.public_url = fields.text_or("public_url", "");
    if (!listener.public_url.empty() && !listener.public_url.starts_with("https://") &&
        !listener.public_url.starts_with("http://")) {
      fields.problem("public_url",
                     fmt::format("listeners.{}.public_url must start with https://", name),
                     "for example  https://sallyport.example.com");
    }
    const bool allowed = fields.flag_or("allow_plaintext", false);
    if (!listener.tls && !is_loopback(listener.address) && !allowed) {
      fields.problem_here(
          fmt::format("listeners.{} would carry passwords and tokens in the clear", name),
          "add tls, listen on 127.0.0.1, or say allow_plaintext: true if "
          "something in front of it speaks TLS");
    }
  } else if (!listener.tls && !is_loopback(listener.address)) {
    reading.warnings.push_back(
        {value.place, fmt::format("listeners.{} has no tls", name),
         "statements and answers cross the network in the clear, and JWTs are refused"});
  }
  fields.finish();
  return listener;
}

void read_listeners(Reading& reading, Fields& top, Config& config) {
  const Value* value = top.require("listeners", "listeners: {postgres: {port: 6432}}");
  if (!value) return;
  Fields fields(*value, "listeners", reading.problems);
  if (const Value* postgres = fields.get("postgres")) {
    config.postgres = read_listener(reading, *postgres, "postgres", 6432);
  }
  if (const Value* http = fields.get("http")) {
    config.http = read_listener(reading, *http, "http", 6443);
  }
  if (const Value* admin = fields.get("admin")) {
    config.admin = read_listener(reading, *admin, "admin", 6480);
  }
  const std::pair<const char*, const std::optional<ListenerConfig>*> all[] = {
      {"postgres", &config.postgres}, {"http", &config.http}, {"admin", &config.admin}};
  for (std::size_t i = 0; i < std::size(all); ++i) {
    for (std::size_t j = i + 1; j < std::size(all); ++j) {
      const auto& [first, one] = all[i];
      const auto& [second, other] = all[j];
      if (!*one || !*other || (*one)->port != (*other)->port ||
          (*one)->address != (*other)->address) {
        continue;
      }
      fields.problem(second,
                     fmt::format("listeners.{} and listeners.{} have the same port", first, second),
                     "give each its own");
    }
  }
  if (!config.postgres && !config.http && !config.admin && value->entries.empty()) {
    fields.problem_here("listeners names no listener", "for example  postgres: {port: 6432}");
  }
  fields.finish();
}

void read_log(Reading& reading, Fields& top, Config& config) {
  const Value* value = top.get("log");
  if (!value) return;
  Fields fields(*value, "log", reading.problems);
  const std::string level = fields.choice_or("level", "info", {"debug", "info", "warn", "error"});
  config.log_level = level == "debug"   ? log::Level::debug
                     : level == "warn"  ? log::Level::warn
                     : level == "error" ? log::Level::error
                                        : log::Level::info;
  config.log_format = fields.choice_or("format", "text", {"text", "json"}) == "json"
                          ? log::Format::json
                          : log::Format::text;
  fields.finish();
}

void read_ledger(Reading& reading, Fields& top, Config& config) {
  const Value* value = top.get("ledger");
  if (!value) return;
  Fields fields(*value, "ledger", reading.problems);
  config.ledger.reads_durable =
      fields.choice_or("reads", "durable", {"durable", "written"}) == "durable";
  config.ledger.segment_bytes = fields.number_or("segment_bytes", config.ledger.segment_bytes,
                                                 1 << 16, std::uint64_t{1} << 32);
  fields.finish();
}

void read_limits(Reading& reading, Fields& top, Config& config) {
  const Value* value = top.get("limits");
  if (!value) return;
  Fields fields(*value, "limits", reading.problems);
  const auto read = [&](const char* key, std::uint32_t& into, std::uint32_t min,
                        std::uint32_t max) {
    into = static_cast<std::uint32_t>(fields.number_or(key, into, min, max));
  };
  read("sessions_max", config.limits.sessions_max, 1, 1'000'000);
  read("message_bytes_max", config.limits.message_bytes_max, 1 << 12, 1 << 30);
  read("authentication_s_max", config.limits.authentication_s_max, 1, 300);
  read("ticket_ttl_s", config.limits.ticket_ttl_s, 10, 900);
  fields.finish();
}

/// How clients reach the admin or the http port, where nobody said so.
std::string default_url(const ListenerConfig& admin) {
  if (admin.address == "0.0.0.0" || admin.address == "::") return {};
  const bool v6 = admin.address.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", admin.tls ? "https" : "http", v6 ? "[" : "", admin.address,
                     v6 ? "]" : "", admin.port);
}

/// What only makes sense together.
void check_whole(Fields& top, Config& config) {
  if (config.admin && config.admin->public_url.empty()) {
    config.admin->public_url = default_url(*config.admin);
    if (config.admin->public_url.empty() && config.builtin_issuer) {
      top.problem("builtin_issuer", "builtin_issuer needs listeners.admin.public_url",
                  "it listens on every address, so say by which name people reach it");
    }
  }
  if (config.http && config.http->public_url.empty()) {
    config.http->public_url = default_url(*config.http);
    if (config.http->public_url.empty()) {
      top.problem("listeners", "listeners.http needs a public_url",
                  "it listens on every address, so say by which name clients reach it");
    }
  }
  if (!config.http && std::ranges::any_of(config.connections, [](const ConnectionConfig& each) {
        return each.protocol == "http";
      })) {
    top.problem("connections", "a connection has the protocol http, but listeners has no http",
                "add  http: {port: 6443, tls: ...}  to listeners");
  }
  if (config.builtin_issuer && !config.admin) {
    top.problem("builtin_issuer", "builtin_issuer needs listeners.admin, where it answers",
                "add  admin: {port: 6480}  to listeners");
  }
  if (config.issuers.empty() && !config.builtin_issuer) {
    top.problem_here("nobody could log in: there are neither issuers nor a builtin_issuer",
                     "add issuers: with your OpenID Connect provider");
  }
}

std::filesystem::path read_policies(Fields& top) {
  const Value* value = top.require("policies", "policies: ./policies");
  const auto written = value ? top.text("policies") : std::nullopt;
  if (!written) return {};
  const std::filesystem::path path = resolve_path(value->place, *written);
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    top.problem("policies", fmt::format("policies: there is no folder '{}'", path.string()),
                "paths are relative to the configuration file");
  }
  return path;
}

}  // namespace

const ConnectionConfig* Config::connection(std::string_view name) const {
  const auto found = std::ranges::find(connections, name, &ConnectionConfig::name);
  return found == connections.end() ? nullptr : &*found;
}

std::optional<std::string> process_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());  // NOLINT: read before threads start
  return value ? std::optional<std::string>(value) : std::nullopt;
}

ConfigResult read_config(const Value& document, std::vector<Problem> problems,
                         const Environment& environment) {
  Config config;
  Reading reading{problems, config.warnings, environment};
  if (document.place.file) config.file = *document.place.file;
  Fields top(document, "", problems);
  const Value* data = top.require("data", "data: ./data");
  if (data) config.data = resolve_path(data->place, top.text_or("data", "."));
  config.tenant = top.text_or("tenant", config.tenant);
  config.workers = static_cast<std::uint32_t>(top.number_or("workers", 0, 1, 1024));
  config.reactor =
      *net::parse_backend(top.choice_or("reactor", "auto", {"auto", "io_uring", "epoll"}));
  config.shutdown_grace_s =
      static_cast<std::uint32_t>(top.number_or("shutdown_grace_s", 30, 0, 86400));
  read_log(reading, top, config);
  read_listeners(reading, top, config);
  read_ledger(reading, top, config);
  read_issuers(reading, top, config);
  read_builtin_issuer(reading, top, config);
  read_connections(reading, top, config);
  config.policies = read_policies(top);
  read_limits(reading, top, config);
  read_approvals(reading, top, config);
  check_whole(top, config);
  check_hosts(reading, document, config);
  top.finish();
  if (problems.empty()) return config;
  // In the order of the file, and each once.
  const auto key = [](const Problem& p) {
    return std::tuple(p.place.file ? p.place.file->string() : "", p.place.line, p.place.column,
                      p.what);
  };
  std::ranges::sort(problems, {}, key);
  const auto again = std::ranges::unique(problems, {}, key);
  problems.erase(again.begin(), again.end());
  return std::unexpected(std::move(problems));
}

ConfigResult load_config(const std::filesystem::path& file, const Environment& environment) {
  std::vector<Problem> problems;
  const Value document = read_document(file, problems);
  // What is not YAML cannot be looked into; more messages would only hide the one that counts.
  if (!problems.empty() && document.entries.empty()) return std::unexpected(std::move(problems));
  return read_config(document, std::move(problems), environment);
}

std::string to_string(const std::vector<Problem>& problems) {
  std::string text;
  for (const Problem& problem : problems) text += problem.to_string() + "\n";
  return text;
}

}  // namespace sallyport::app

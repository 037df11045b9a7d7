#include "app/postgres_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "app/mask_key.h"
#include "protocol/postgres/settings.h"

namespace sallyport::app {
namespace {

std::vector<std::pair<std::string, std::string>> settings_of(const ConnectionConfig& connection) {
  std::vector<std::pair<std::string, std::string>> settings;
  const auto add = [&](const char* name, std::uint32_t seconds) {
    if (seconds != 0) settings.emplace_back(name, fmt::format("{}s", seconds));
  };
  add("statement_timeout", connection.statement_timeout_s);
  add("lock_timeout", connection.lock_timeout_s);
  add("idle_in_transaction_session_timeout", connection.idle_in_transaction_timeout_s);
  if (!connection.search_path.empty()) {
    settings.emplace_back("search_path", postgres::to_search_path(connection.search_path));
  }
  return settings;
}

postgres::UpstreamAuth auth_of(const ConnectionConfig& connection) {
  const auto& methods = connection.require_auth;
  if (methods.empty()) return {};
  const auto listed = [&](std::string_view method) {
    return std::ranges::find(methods, method) != methods.end();
  };
  return {.none = listed("none"),
          .scram = listed("scram-sha-256"),
          .md5 = listed("md5"),
          .password = listed("password")};
}

Result<std::shared_ptr<postgres::Target>> make_target(const ConnectionConfig& connection,
                                                      std::size_t workers) {
  auto target = std::make_shared<postgres::Target>();
  target->connection = connection.name;
  target->host = connection.host;
  target->port = connection.port;
  target->databases = connection.databases;
  target->user = connection.user;
  target->password = connection.password.value;
  target->auth = auth_of(connection);
  target->connect_s_max = std::chrono::seconds(connection.connect_timeout_s);
  target->settings = settings_of(connection);
  target->context = {.id = connection.context_key_id, .key = connection.context_key.value};
  const PoolConfig& pool = connection.pool;
  target->pool = {.reuse = pool.reuse,
                  .max = pool.max,
                  .idle_min = (pool.idle_min + workers - 1) / workers,
                  .idle_max = (pool.idle_max + workers - 1) / workers,
                  .wait = std::chrono::seconds(pool.wait_s),
                  .lifetime = std::chrono::seconds(pool.server_lifetime_s),
                  .idle = std::chrono::seconds(pool.server_idle_s)};
  if (connection.tls != UpstreamTls::disable) {
    auto tls = make_client_tls(connection);
    if (!tls) return fail(tls, fmt::format("connections.{}.tls", connection.name));
    target->tls = std::move(*tls);
  }
  return target;
}

}  // namespace

Result<std::shared_ptr<const net::TlsClientContext>> make_client_tls(
    const ConnectionConfig& connection, std::vector<std::string> alpn) {
  net::TlsClientOptions options;
  options.alpn = std::move(alpn);
  options.verify = connection.tls == UpstreamTls::verify_full ? net::TlsVerify::verify_full
                   : connection.tls == UpstreamTls::verify_ca ? net::TlsVerify::verify_ca
                                                              : net::TlsVerify::insecure;
  if (!connection.ca.empty()) {
    auto ca = read_text_file(connection.ca);
    if (!ca) return fail(ca);
    options.ca_pem = std::move(*ca);
  }
  return net::TlsClientContext::make(options);
}

Result<std::string> read_text_file(const std::filesystem::path& path, std::size_t bytes_max) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Errc::io, "cannot read " + path.string());
  std::string text(bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > bytes_max) return fail(Errc::too_large, path.string() + " is too large");
  return text;
}

Result<std::shared_ptr<const net::TlsServerContext>> make_server_tls(
    const std::optional<TlsFiles>& files, std::vector<std::string> alpn) {
  if (!files) return nullptr;
  auto certificate = read_text_file(files->certificate);
  if (!certificate) return fail(certificate);
  auto key = read_text_file(files->key);
  if (!key) return fail(key);
  // Asked for, not demanded: a token that is bound to one is of no use without it.
  auto client_ca =
      files->client_ca.empty() ? Result<std::string>("") : read_text_file(files->client_ca);
  if (!client_ca) return fail(client_ca);
  auto context = net::TlsServerContext::make({.certificate_pem = std::move(*certificate),
                                              .key_pem = std::move(*key),
                                              .client_ca_pem = std::move(*client_ca),
                                              .alpn = std::move(alpn)});
  if (!context) return fail(context, files->certificate.string());
  return context;
}

Result<std::shared_ptr<const postgres::Options>> make_postgres_options(const Config& config,
                                                                       std::size_t workers) {
  auto options = std::make_shared<postgres::Options>();
  if (config.postgres) {
    auto tls = make_server_tls(config.postgres->tls, {"postgresql"});
    if (!tls) return fail(tls, "listeners.postgres.tls");
    options->tls = std::move(*tls);
  }
  std::shared_ptr<const mask::Patterns> patterns;
  for (const ConnectionConfig& connection : config.connections) {
    if (connection.protocol != "postgres") continue;
    auto target = make_target(connection, workers);
    if (!target) return fail(target);
    if (connection.detect != mask::Mode::off) {
      if (patterns == nullptr) {
        auto made = mask::Patterns::make();
        if (!made) return fail(made);
        patterns = *std::move(made);
      }
      (*target)->detect = connection.detect;
      (*target)->detectors = connection.detectors;
      (*target)->patterns = patterns;
    }
    (*target)->catalog_refresh = std::chrono::seconds(connection.catalog_refresh_s);
    if (!connection.classification.empty()) {
      auto key = mask_key(config.data, system_random());
      if (!key) return fail(key, "the key of masks");
      (*target)->mask_key = std::move(*key);
    }
    options->targets.emplace(connection.name, std::move(*target));
  }
  options->message_bytes_max = config.limits.message_bytes_max;
  options->sessions_max = (config.limits.sessions_max + workers - 1) / workers;
  options->login_s_max = std::chrono::seconds(config.limits.authentication_s_max);
  options->approval_s_max = std::chrono::seconds(config.approvals.wait_s);
  return options;
}

}  // namespace sallyport::app

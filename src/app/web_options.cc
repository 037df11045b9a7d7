#include "app/web_options.h"

#include <fmt/format.h>

#include "app/mask_key.h"
#include "app/postgres_options.h"
#include "protocol/http/leaks.h"
#include "protocol/http/routing.h"

namespace sallyport::app {
namespace {

http::Headers credential_of(const ConnectionConfig& connection) {
  http::Headers fields;
  const HttpConnectionConfig& http = connection.http;
  if (!http.header.empty()) {
    fields.add(http.header, http.secret.value);
  } else if (!connection.user.empty()) {
    const std::string pair = connection.user + ":" + http.secret.value;
    fields.add("Authorization", "Basic " + to_base64(as_bytes(pair)));
  }
  return fields;
}

/// `patterns` are made once, for all connections that look for something.
Result<web::Masking> make_masking(const Config& config, const ConnectionConfig& connection,
                                  std::shared_ptr<const mask::Patterns>& patterns) {
  web::Masking masking{.openapi = connection.http.openapi,
                       .detect = connection.detect,
                       .detectors = connection.detectors};
  for (const auto& [classification, kind] : connection.masks) {
    masking.rules[classification] = mask::kind_of(kind).value_or(mask::Kind::null);
  }
  if (connection.detect != mask::Mode::off) {
    if (patterns == nullptr) {
      auto made = mask::Patterns::make();
      if (!made) return fail(made);
      patterns = *std::move(made);
    }
    masking.patterns = patterns;
  }
  if (connection.classification.empty()) return masking;
  auto text = mask_key(config.data, system_random());
  if (!text) return fail(text, "the key of masks");
  auto key = content::MaskKey::from_hex(*text);
  if (!key) return fail(key, "the key of masks");
  masking.key = *key;
  if (masking.openapi != nullptr) return masking;
  content::SelectorBuilder builder;
  for (const policy::ClassificationRule& rule : connection.classification) {
    if (auto added = builder.add({rule.pattern, {rule.classification}}); !added) return fail(added);
  }
  auto selector = builder.build();
  if (!selector) return fail(selector, fmt::format("connections.{}", connection.name));
  masking.selector = *std::move(selector);
  return masking;
}

Result<std::shared_ptr<web::Target>> make_target(const ConnectionConfig& connection,
                                                 std::size_t workers) {
  auto target = std::make_shared<web::Target>();
  const HttpConnectionConfig& http = connection.http;
  target->connection = connection.name;
  target->host = connection.host;
  target->port = connection.port;
  target->authority = http.authority;
  target->hosts = http.hosts;
  target->credential = credential_of(connection);
  target->secrets = web::secrets_of(target->credential);
  target->audience = http.audience;
  target->dropped = http.drop_headers;
  target->request_bytes_max = http.request_bytes_max;
  target->request_bytes_per_s_min = http.request_bytes_per_s_min;
  if (http.response_bytes_max != 0) target->response_bytes_max = http.response_bytes_max;
  target->connect_s_max = std::chrono::seconds(connection.connect_timeout_s);
  target->response_s_max = std::chrono::seconds(http.response_timeout_s);
  target->idle_max = (http.idle_max + workers - 1) / workers;
  target->idle_s_max = std::chrono::seconds(http.idle_s);
  if (connection.tls != UpstreamTls::disable) {
    auto tls = make_client_tls(connection, {"http/1.1"});
    if (!tls) return fail(tls, fmt::format("connections.{}.tls", connection.name));
    target->tls = std::move(*tls);
  }
  return target;
}

}  // namespace

Result<std::shared_ptr<const web::Options>> make_web_options(const Config& config,
                                                             std::size_t workers) {
  auto options = std::make_shared<web::Options>();
  if (config.http) {
    auto tls = make_server_tls(config.http->tls, {"h2", "http/1.1"});
    if (!tls) return fail(tls, "listeners.http.tls");
    options->tls = std::move(*tls);
    std::string url = config.http->public_url;
    while (url.ends_with('/')) url.pop_back();
    options->public_host = web::host_of_url(url);
    options->public_url = std::move(url);
  }
  std::shared_ptr<const mask::Patterns> patterns;
  for (const ConnectionConfig& connection : config.connections) {
    if (connection.protocol != "http") continue;
    auto target = make_target(connection, workers);
    if (!target) return fail(target);
    auto masking = make_masking(config, connection, patterns);
    if (!masking) return fail(masking);
    (*target)->masking = *std::move(masking);
    options->targets.emplace(connection.name, std::move(*target));
  }
  if (config.builtin_issuer && config.admin) {
    options->authorization_servers.push_back(config.admin->public_url);
  }
  for (const identity::IssuerOptions& issuer : config.issuers) {
    options->authorization_servers.push_back(issuer.url);
  }
  if (config.admin) options->approvals_url = config.admin->public_url + "/api/v1/approvals/";
  options->clients_max = (config.limits.sessions_max + workers - 1) / workers;
  options->approval_s_max = std::chrono::seconds(config.approvals.wait_s);
  return options;
}

}  // namespace sallyport::app

#include <fmt/format.h>

#include <algorithm>

#include "app/config_parts.h"
#include "app/postgres_options.h"
#include "base/numbers.h"
#include "content/document.h"
#include "content/json_path.h"
#include "content/openapi.h"
#include "http/target.h"
#include "http/text.h"
#include "mask/mask.h"
#include "protocol/http/fields.h"
#include "protocol/http/routing.h"
#include "protocol/postgres/context.h"

namespace sallyport::app {
namespace {

constexpr std::uint32_t drop_database_waits_s = 5;  // PostgreSQL, for the database to be free

void read_upstream_tls(Reading& reading, const Value& value, ConnectionConfig& connection,
                       const std::string& name) {
  Fields fields(value, name + ".tls", reading.problems);
  const std::string mode =
      fields.choice_or("mode", "verify-full", {"verify-full", "verify-ca", "require", "disable"});
  connection.tls = mode == "disable"     ? UpstreamTls::disable
                   : mode == "require"   ? UpstreamTls::require
                   : mode == "verify-ca" ? UpstreamTls::verify_ca
                                         : UpstreamTls::verify_full;
  connection.ca = fields.file("ca");
  if (connection.tls <= UpstreamTls::require && !connection.ca.empty()) {
    fields.problem("ca", fmt::format("{}.tls.ca has no effect with mode {}", name, mode),
                   "use mode verify-full");
  }
  if (connection.tls <= UpstreamTls::require) {
    reading.warnings.push_back({value.place, fmt::format("{}.tls: mode {}", name, mode),
                                "the target's identity is not checked; use verify-full"});
  }
  fields.finish();
}

void read_credential(Reading& reading, Fields& connection_fields, ConnectionConfig& connection,
                     const std::string& name) {
  const Value* value = connection_fields.require(
      "credential", "credential: {user: sallyport, password: env:SHOP_PASSWORD}");
  if (!value) return;
  Fields fields(*value, name + ".credential", reading.problems);
  connection.user = fields.required_text("user", "user: sallyport");
  connection.password = read_secret(reading, fields, "password", "password: env:SHOP_PASSWORD");
  connection.require_auth = fields.texts("require_auth");
  for (const std::string& method : connection.require_auth) {
    if (method != "scram-sha-256" && method != "none" && method != "md5" && method != "password") {
      fields.problem("require_auth",
                     fmt::format("{}.credential.require_auth holds '{}'", name, method),
                     "scram-sha-256, none, md5, password");
    }
  }
  fields.finish();
}

void read_classification(Reading& reading, Fields& connection_fields,
                         ConnectionConfig& connection) {
  const Value* value = connection_fields.map("classification");
  if (!value) return;
  for (const Entry& entry : value->entries) {
    auto label = scalar_text(*entry.value, "the classification of " + entry.key, reading.problems);
    if (!label) continue;
    if (!is_name(*label)) {
      reading.problems.push_back({entry.value->place,
                                  fmt::format("'{}' is no name of a classification", *label),
                                  "names with dots, as in pii.email"});
      continue;
    }
    policy::ClassificationRule rule{entry.key, std::move(*label)};
    if (connection.protocol == "http") {
      if (auto path = content::parse_json_path(entry.key); !path) {
        reading.problems.push_back(
            {entry.place, path.error().detail,
             "a path and a class, as in \"$.customers[*].email\": pii.email"});
      } else {
        connection.classification.push_back(std::move(rule));
      }
    } else if (auto checked = policy::check_rule(rule); !checked) {
      reading.problems.push_back(
          {entry.place, checked.error().detail,
           "a pattern and a class, as in public.customers.email: pii.email"});
    } else {
      connection.classification.push_back(std::move(rule));
    }
  }
}

/// What columns are shown as to those who may not reveal them, by classification.
void read_masks(Reading& reading, Fields& connection_fields, ConnectionConfig& connection) {
  const Value* value = connection_fields.map("masks");
  if (!value) return;
  for (const Entry& entry : value->entries) {
    // YAML's own null is the mask of that name.
    auto kind = entry.value->kind == Value::Kind::null
                    ? std::optional<std::string>("null")
                    : scalar_text(*entry.value, "the mask of " + entry.key, reading.problems);
    if (!kind) continue;
    if (!mask::kind_of(*kind)) {
      reading.problems.push_back({entry.value->place, fmt::format("'{}' is no kind of mask", *kind),
                                  "partial, round, year, hash, redact or null"});
      continue;
    }
    const bool used = std::ranges::any_of(connection.classification, [&](const auto& rule) {
      return rule.classification == entry.key || rule.classification.starts_with(entry.key + ".");
    });
    if (!used) {
      reading.problems.push_back(
          {entry.place, fmt::format("nothing is classified as '{}'", entry.key),
           "a class that stands under classification, or what comes before a dot of one"});
      continue;
    }
    connection.masks[entry.key] = std::move(*kind);
  }
}

void read_row_filters(Reading& reading, Fields& connection_fields, ConnectionConfig& connection) {
  const Value* value = connection_fields.map("row_filters");
  if (!value) return;
  constexpr std::string_view hint =
      "a table, a name and a condition, as in public.orders: {eu-only: \"region = 'EU'\"}";
  for (const Entry& table : value->entries) {
    if (table.value->kind != Value::Kind::map) {
      reading.problems.push_back({table.place,
                                  fmt::format("the row filters of {} are no map", table.key),
                                  std::string(hint)});
      continue;
    }
    for (const Entry& entry : table.value->entries) {
      auto condition = scalar_text(*entry.value, "the row filter " + entry.key, reading.problems);
      if (!condition) continue;
      policy::RowFilterRule rule{table.key, entry.key, std::move(*condition)};
      if (auto checked = policy::check_filter(rule); !checked) {
        reading.problems.push_back({entry.place, checked.error().detail, std::string(hint)});
      } else if (!is_name(entry.key)) {
        reading.problems.push_back({entry.place,
                                    fmt::format("'{}' is no name of a row filter", entry.key),
                                    std::string(hint)});
      } else {
        connection.row_filters.push_back(std::move(rule));
      }
    }
  }
}

void read_detection(Fields& fields, ConnectionConfig& connection, const std::string& name) {
  const std::string mode = fields.choice_or("detect", "off", {"mask", "report", "off"});
  connection.detect = mask::mode_of(mode).value_or(mask::Mode::mask);
  for (const std::string& except : fields.texts("detect_except")) {
    if (const auto detector = mask::detector_of(except)) {
      connection.detectors.reset(static_cast<std::size_t>(*detector));
    } else {
      fields.problem(
          "detect_except",
          fmt::format("{}.detect_except holds '{}', which no detector is called", name, except),
          "names as in docs/reference/detectors.md: email, ipv4, us_ssn ...");
    }
  }
}

std::vector<std::string> read_databases(Fields& fields, const std::string& name) {
  std::vector<std::string> databases = fields.texts("databases");
  if (const auto one = fields.text("database")) {
    if (!databases.empty()) {
      fields.problem("database", fmt::format("{} has both database and databases", name),
                     "list all of them under databases; the first is the default");
    }
    databases.insert(databases.begin(), *one);
  }
  if (databases.empty() && !fields.has("database") && !fields.has("databases")) {
    fields.problem_here(fmt::format("{}.database is missing", name), "for example  database: shop");
  }
  return databases;
}

void read_tags(Reading& reading, Fields& fields, ConnectionConfig& connection) {
  const Value* tags = fields.map("tags");
  if (!tags) return;
  for (const Entry& tag : tags->entries) {
    if (auto value = scalar_text(*tag.value, "the tag " + tag.key, reading.problems)) {
      connection.tags[tag.key] = std::move(*value);
    }
  }
}

void read_pool(Reading& reading, const Value& value, PoolConfig& pool, const std::string& name) {
  Fields fields(value, name + ".pool", reading.problems);
  const auto read = [&](const char* key, std::uint32_t& into, std::uint32_t min,
                        std::uint32_t max) {
    into = static_cast<std::uint32_t>(fields.number_or(key, into, min, max));
  };
  pool.reuse = fields.flag_or("reuse", pool.reuse);
  read("max", pool.max, 0, 100'000);
  read("idle_min", pool.idle_min, 0, 10'000);
  read("idle_max", pool.idle_max, 0, 10'000);
  read("wait_s", pool.wait_s, 1, 300);
  read("server_lifetime_s", pool.server_lifetime_s, 1, 7 * 86400);
  read("server_idle_s", pool.server_idle_s, 1, 86400);
  if (pool.idle_min > pool.idle_max) {
    fields.problem("idle_min", fmt::format("{}.pool.idle_min is above idle_max", name),
                   fmt::format("at most {}", pool.idle_max));
  }
  if (pool.max != 0 && pool.idle_min > pool.max) {
    fields.problem("idle_min", fmt::format("{}.pool.idle_min is above max", name),
                   fmt::format("at most {}", pool.max));
  }
  if (pool.server_idle_s >= drop_database_waits_s || pool.idle_min > 0) {
    reading.warnings.push_back(
        {value.place, fmt::format("{}.pool keeps idle connections for long", name),
         "DROP DATABASE from outside of the gateway finds them in its way; the default does not"});
  }
  fields.finish();
}

/// "https://crm.internal:8443" into host, port and whether there is TLS.
void read_url(Fields& fields, ConnectionConfig& connection, const std::string& name) {
  const std::string url = fields.required_text("url", "url: https://crm.internal");
  if (url.empty()) return;
  const bool tls = url.starts_with("https://");
  const auto problem = [&](const std::string& what) {
    fields.problem("url", fmt::format("{}.url {}", name, what),
                   "https://host or https://host:port, without a path");
  };
  if (!tls && !url.starts_with("http://")) return problem("is no http or https URL");
  connection.http.authority = url.substr(tls ? 8 : 7);
  if (connection.http.authority.ends_with('/')) connection.http.authority.pop_back();
  const std::string& authority = connection.http.authority;
  if (!http::is_host(authority)) return problem("names no host, or has a path");
  connection.port = tls ? 443 : 80;
  connection.host = authority;
  const auto bracket = authority.find(']');
  const auto colon = authority.find(':', bracket == authority.npos ? 0 : bracket);
  if (colon != authority.npos) {
    connection.host = authority.substr(0, colon);
    connection.port = parse_number<std::uint16_t>(authority.substr(colon + 1)).value_or(0);
  }
  if (connection.port == 0) return problem("has the port 0");
  if (connection.host.starts_with('[')) {
    connection.host = connection.host.substr(1, connection.host.size() - 2);
  }
  if (!tls) connection.tls = UpstreamTls::disable;
  if (tls && connection.tls == UpstreamTls::disable) {
    problem("is https, and tls.mode is disable");
  }
}

void read_http_credential(Reading& reading, Fields& connection_fields, ConnectionConfig& connection,
                          const std::string& name) {
  const Value* value = connection_fields.get("credential");
  if (!value) return;
  Fields fields(*value, name + ".credential", reading.problems);
  const std::string example = "{header: X-Api-Key, value: env:CRM_KEY}";
  if (fields.has("header")) {
    connection.http.header = fields.required_text("header", example);
    connection.http.secret = read_secret(reading, fields, "value", "value: env:CRM_KEY");
    const std::string& header = connection.http.header;
    if (!header.empty() && !http::is_token(header)) {
      fields.problem("header", fmt::format("{}.credential.header is no name of a field", name),
                     example);
    } else if (web::is_written_here(http::lower(header))) {
      fields.problem(
          "header", fmt::format("{}.credential.header: {} is the gateway's to write", name, header),
          example);
    }
    if (http::trim(connection.http.secret.value) != connection.http.secret.value) {
      fields.problem("value", fmt::format("{}.credential.value has a space at its edge", name),
                     "the target would not see it: take it away");
    }
  } else {
    connection.user = fields.required_text("user", "user: sallyport");
    connection.http.secret = read_secret(reading, fields, "password", "password: env:CRM_PASSWORD");
    if (connection.user.contains(':')) {
      fields.problem("user", fmt::format("{}.credential.user holds a colon", name),
                     "basic authentication has no way to say that");
    }
  }
  const auto bad = [](char c) { return !http::is_field_char(c) || c == '\t'; };
  if (std::ranges::any_of(connection.http.secret.value, bad)) {
    fields.problem_here(fmt::format("{}.credential cannot stand in a header", name),
                        "one line, without control characters");
  }
  fields.finish();
}

/// The document's classes are classes of the connection, as if they stood under `classification`.
void read_openapi(Fields& fields, ConnectionConfig& connection) {
  const auto file = fields.file("openapi");
  const std::string base_path = fields.text_or("base_path", "");
  if (!base_path.empty() && !base_path.starts_with('/')) {
    fields.problem("base_path", "base_path does not begin with /", "base_path: /api/v2");
  }
  if (file.empty()) return;
  auto text = read_text_file(file, content::document_bytes_max);
  if (!text) return fields.problem("openapi", text.error().detail, "is the path right?");
  content::OpenApiOptions options;
  if (!base_path.empty()) options.base_path = base_path;
  for (const policy::ClassificationRule& rule : connection.classification) {
    options.paths.push_back({rule.pattern, {rule.classification}});
  }
  auto api = content::OpenApi::load(*text, file.string(), options);
  if (!api) return fields.problem("openapi", api.error().detail, "");
  for (const std::string& label : (*api)->classes()) {
    if (!is_name(label)) {
      fields.problem("openapi", fmt::format("'{}' is no name of a classification", label),
                     "names with dots, as in pii.email");
    }
    connection.classification.push_back({"openapi", label});
  }
  connection.http.openapi = *std::move(api);
}

void read_pass_identity(Reading& reading, const Value& value, ConnectionConfig& connection,
                        const std::string& name) {
  Fields fields(value, name + ".pass_identity", reading.problems);
  connection.context_key_id = fields.text_or("key_id", "k1");
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (connection.context_key_id.empty() || connection.context_key_id.size() > 32 ||
      !std::ranges::all_of(connection.context_key_id, letter)) {
    fields.problem("key_id", fmt::format("{}.pass_identity.key_id is no id", name),
                   "letters and digits, at most 32");
  }
  connection.context_key = read_secret(reading, fields, "key", "key: file:context.key");
  if (!connection.context_key.value.empty() &&
      connection.context_key.value.size() < postgres::context_key_bytes_min) {
    fields.problem("key", fmt::format("{}.pass_identity.key is too short", name),
                   "`openssl rand -hex 32` makes one");
  }
  fields.finish();
}

void read_http_connection(Reading& reading, Fields& fields, ConnectionConfig& connection,
                          const std::string& name) {
  HttpConnectionConfig& http = connection.http;
  if (const Value* tls = fields.get("tls")) read_upstream_tls(reading, *tls, connection, name);
  read_url(fields, connection, name);
  read_http_credential(reading, fields, connection, name);
  for (const std::string& written : fields.texts("hosts")) {
    std::string host = http::lower(written);
    if (!http::is_host(host) || host.contains(':')) {
      fields.problem("hosts", fmt::format("{}.hosts holds '{}', which is no host name", name, host),
                     "names without a port, as in crm.gateway.example.com");
    }
    http.hosts.push_back(std::move(host));
  }
  if (fields.flag_or("assertion", true)) {
    http.audience = fields.text_or("audience", connection.tls == UpstreamTls::disable
                                                   ? "http://" + http.authority
                                                   : "https://" + http.authority);
  }
  for (const std::string& header : fields.texts("drop_headers")) {
    http.drop_headers.push_back(http::lower(header));
  }
  connection.env = fields.text_or("env", "");
  read_tags(reading, fields, connection);
  connection.resource_groups = fields.texts("resource_groups");
  const auto number = [&](const char* key, std::uint64_t fallback, std::uint64_t min,
                          std::uint64_t max) { return fields.number_or(key, fallback, min, max); };
  http.request_bytes_max =
      number("request_bytes_max", http.request_bytes_max, 0, std::uint64_t{1} << 40);
  http.request_bytes_per_s_min =
      number("request_bytes_per_s_min", http.request_bytes_per_s_min, 0, std::uint64_t{1} << 30);
  http.response_bytes_max = number("response_bytes_max", 0, 0, std::uint64_t{1} << 40);
  http.response_timeout_s =
      static_cast<std::uint32_t>(number("response_timeout_s", http.response_timeout_s, 1, 86'400));
  http.idle_max = static_cast<std::uint32_t>(number("idle_max", http.idle_max, 0, 10'000));
  http.idle_s = static_cast<std::uint32_t>(number("idle_s", http.idle_s, 1, 86'400));
  connection.connect_timeout_s =
      static_cast<std::uint32_t>(number("connect_timeout_s", 10, 1, 300));
  read_classification(reading, fields, connection);
  read_detection(fields, connection, name);
  read_openapi(fields, connection);
  read_masks(reading, fields, connection);
  fields.finish();
}

ConnectionConfig read_connection(Reading& reading, const Entry& entry) {
  const std::string name = "connections." + entry.key;
  Fields fields(*entry.value, name, reading.problems);
  ConnectionConfig connection;
  connection.name = entry.key;
  connection.protocol = fields.choice_or("protocol", "postgres", {"postgres", "http"});
  if (connection.protocol == "http") {
    read_http_connection(reading, fields, connection, name);
    return connection;
  }
  connection.host = fields.required_text("host", "host: db.internal");
  const auto seconds = [&](const char* key, std::uint32_t fallback, std::uint32_t min) {
    return static_cast<std::uint32_t>(fields.number_or(key, fallback, min, 86400));
  };
  connection.port = static_cast<std::uint16_t>(fields.number_or("port", 5432, 1, 65535));
  connection.databases = read_databases(fields, name);
  connection.search_path = fields.texts("search_path");
  if (std::ranges::find(connection.search_path, "$user") != connection.search_path.end()) {
    fields.problem("search_path", fmt::format("{}.search_path holds $user", name),
                   "everybody shares the gateway's login: name the schema itself");
  }
  if (const Value* tls = fields.get("tls")) read_upstream_tls(reading, *tls, connection, name);
  read_credential(reading, fields, connection, name);
  if (const Value* pass = fields.get("pass_identity")) {
    read_pass_identity(reading, *pass, connection, name);
  }
  if (const Value* pool = fields.get("pool")) read_pool(reading, *pool, connection.pool, name);
  connection.env = fields.text_or("env", "");
  read_tags(reading, fields, connection);
  connection.resource_groups = fields.texts("resource_groups");
  read_classification(reading, fields, connection);
  read_detection(fields, connection, name);
  read_masks(reading, fields, connection);
  read_row_filters(reading, fields, connection);
  connection.answer_limits = {
      .rows_max = fields.number_or("answer_rows_max", 0, 0, std::uint64_t{1} << 40),
      .bytes_max = fields.number_or("answer_bytes_max", 0, 0, std::uint64_t{1} << 50)};
  connection.catalog_refresh_s = seconds("catalog_refresh_s", 60, 1);
  connection.connect_timeout_s = seconds("connect_timeout_s", 10, 1);
  connection.statement_timeout_s = seconds("statement_timeout_s", 0, 0);
  connection.lock_timeout_s = seconds("lock_timeout_s", 0, 0);
  connection.idle_in_transaction_timeout_s = seconds("idle_in_transaction_timeout_s", 0, 0);
  fields.finish();
  return connection;
}

}  // namespace

void check_hosts(Reading& reading, const Value& document, const Config& config) {
  const std::string own = config.http ? web::host_of_url(config.http->public_url) : "";
  std::map<std::string, std::string> taken;
  for (const ConnectionConfig& connection : config.connections) {
    for (const std::string& host : connection.http.hosts) {
      const Value* at_fault = document.find("connections");
      for (const char* const key : {connection.name.c_str(), "hosts"}) {
        if (const Value* const inner = at_fault->find(key)) at_fault = inner;
      }
      const auto problem = [&](const std::string& what) {
        reading.problems.push_back(
            {at_fault->place,
             fmt::format("connections.{}.hosts: {} {}", connection.name, host, what),
             "a name leads to one place: give each its own"});
      };
      const auto [at, fresh] = taken.emplace(host, connection.name);
      if (!fresh) problem("leads to connections." + at->second);
      if (web::is_own_name(host, own)) problem("is the name of listeners.http itself");
    }
  }
}

void read_connections(Reading& reading, Fields& top, Config& config) {
  top.require("connections", "connections: {shop: {host: db.internal, ...}}");
  const Value* value = top.map("connections");
  if (!value) return;
  for (const Entry& entry : value->entries) {
    if (!is_name(entry.key)) {
      reading.problems.push_back({entry.place,
                                  fmt::format("'{}' cannot be the name of a connection", entry.key),
                                  "letters, digits, '-', '_' and '.', at most 63"});
    }
    config.connections.push_back(read_connection(reading, entry));
  }
}

}  // namespace sallyport::app

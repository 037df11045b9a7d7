#include "protocol/http/analyse.h"

#include <algorithm>
#include <array>

#include "base/crypto.h"
#include "core/resource_id.h"
#include "http/encoder.h"
#include "http/target.h"
#include "http/text.h"

namespace sallyport::web {
namespace {

constexpr std::size_t parameters_max = 200;
constexpr std::string_view empty_line = "\r\n";
/// Its key is the gateway's own, as that of each of its connections.
constexpr std::string_view websocket_fields =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";

constexpr std::array<std::string_view, 16> secret_names{
    "access_token", "id_token",      "refresh_token", "token",        "api_key", "apikey",
    "api-key",      "client_secret", "secret",        "password",     "passwd",  "pwd",
    "signature",    "sig",           "code",          "authorization"};

std::string action_of(std::string_view method) {
  if (is_safe(method)) return "http:read";
  return method == "DELETE" ? "http:delete" : "http:write";
}

/// Every name once: a policy that looks at one value sees them all.
Result<std::map<std::string, std::string>> parameters_of(std::string_view query) {
  std::map<std::string, std::string> parameters;
  std::size_t count = 0;
  while (!query.empty()) {
    const auto pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.empty()) continue;
    if (++count > parameters_max) return fail(Errc::invalid, "too many query parameters");
    const auto equals = pair.find('=');
    auto name = http::decode_form_part(pair.substr(0, equals));
    auto value =
        equals == pair.npos ? std::string() : http::decode_form_part(pair.substr(equals + 1));
    if (!name || !value || !is_utf8(*name) || !is_utf8(*value)) {
      return fail(Errc::invalid, "the query is not UTF-8");
    }
    const auto [at, is_new] = parameters.try_emplace(*std::move(name), *value);
    if (!is_new) at->second += "," + *value;
  }
  return parameters;
}

http::BodyForm form_of(const http::RequestHead& head) {
  using Kind = http::BodyForm::Kind;
  switch (head.framing.kind) {
    case http::Framing::Kind::chunked:
      return {Kind::chunked, 0};
    case http::Framing::Kind::length:
      return {Kind::length, head.framing.length};
    case http::Framing::Kind::unsaid:
      break;
  }
  const auto& method = head.request.method;
  const bool usual = method == "POST" || method == "PUT" || method == "PATCH";
  return {usual ? Kind::length : Kind::none, 0};
}

/// Of all that the target would act on.
std::string hash_of(std::string_view method, std::string_view authority, std::string_view path,
                    std::string_view query, Bytes body) {
  Sha256 sha;
  const auto add = [&](Bytes part) {
    ByteVector length;
    append_u64(length, part.size());
    sha.update(length);
    sha.update(part);
  };
  add(as_bytes("sallyport http 1"));
  for (const std::string_view part : {method, authority, path, query}) add(as_bytes(part));
  add(body);
  return to_hex(sha.finish());
}

}  // namespace

Result<Command> analyse(const http::RequestHead& head, const Route& route,
                        const ClientFacts& client) {
  http::Request request;
  request.method = head.request.method;
  request.path = route.path;
  request.query = head.request.query;
  request.headers = request_fields(head.request, route, client);
  auto encoded = http::encode_head(request, form_of(head));
  if (!encoded) return fail(encoded);
  encoded->resize(encoded->size() - empty_line.size());
  if (head.websocket) *encoded += websocket_fields;
  auto parameters = parameters_of(request.query);
  if (!parameters) return fail(parameters);

  Command command;
  command.kind = "request";
  command.text = request_line(request.method, request.path, request.query) +
                 (head.websocket ? " (WebSocket)" : "");
  command.read_only = is_safe(request.method) && !head.websocket;
  const Target& target = *route.target;
  command.actions = {
      {.name = head.websocket ? "http:websocket" : action_of(request.method),
       .resource = {.type = "Endpoint",
                    .id = endpoint_id(target.connection, request.method, request.path)}}};
  const bool unknown_length = head.framing.kind == http::Framing::Kind::chunked;
  command.context =
      HttpContext{.host = host_name(head.request.headers.get("Host").value_or("")),
                  .query = request.query,
                  .parameters = std::move(*parameters),
                  .body_bytes = static_cast<std::int64_t>(unknown_length ? target.request_bytes_max
                                                                         : head.framing.length),
                  .hash = hash_of(head.websocket ? "WebSocket" : request.method, target.authority,
                                  request.path, request.query, {})};
  append(command.raw, std::string_view(*encoded));
  return command;
}

void add_body(Command& command, const std::string& body) {
  auto& context = std::get<HttpContext>(command.context);
  context.body_bytes = static_cast<std::int64_t>(body.size());
  const auto bytes = as_bytes(body);
  context.hash = hash_of(context.hash, "", "", "", sha256(bytes));
  const bool binary = !is_utf8(body);
  command.parameters = {{.value = binary ? to_base64(bytes) : body, .binary = binary}};
}

std::string request_line(std::string_view method, std::string_view path, std::string_view query) {
  std::string line = std::string(method) + " " + http::encode_path(path);
  for (char before = '?'; !query.empty(); before = '&') {
    const auto pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const auto equals = pair.find('=');
    const auto name = http::lower(http::decode_form_part(pair.substr(0, equals)).value_or(""));
    line += before;
    const bool secret = std::ranges::find(secret_names, name) != secret_names.end();
    line += secret ? std::string(pair.substr(0, equals)) + "=(not shown)" : std::string(pair);
  }
  return line;
}

}  // namespace sallyport::web

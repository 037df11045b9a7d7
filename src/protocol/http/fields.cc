#include "protocol/http/fields.h"

#include <algorithm>
#include <array>

#include "base/numbers.h"
#include "content/decoder.h"
#include "http/text.h"

namespace sallyport::web {
namespace {

/// About one connection, or written by the codec.
constexpr std::array<std::string_view, 14> of_connection{"connection",
                                                         "keep-alive",
                                                         "proxy-connection",
                                                         "transfer-encoding",
                                                         "te",
                                                         "trailer",
                                                         "upgrade",
                                                         "http2-settings",
                                                         "content-length",
                                                         "expect",
                                                         "sec-websocket-key",
                                                         "sec-websocket-accept",
                                                         "sec-websocket-version",
                                                         "sec-websocket-extensions"};

/// A client's credentials, where it comes from, who it is, and what it asks for in another way.
constexpr std::array<std::string_view, 41> owned{"host",
                                                 "authorization",
                                                 "proxy-authorization",
                                                 "proxy-authenticate",
                                                 "proxy-authentication-info",
                                                 "dpop",
                                                 "forwarded",
                                                 "via",
                                                 "client-ip",
                                                 "true-client-ip",
                                                 "x-client-ip",
                                                 "x-real-ip",
                                                 "x-cluster-client-ip",
                                                 "cf-connecting-ip",
                                                 "fastly-client-ip",
                                                 "x-original-url",
                                                 "x-original-uri",
                                                 "x-original-host",
                                                 "x-rewrite-url",
                                                 "x-host",
                                                 "x-http-method",
                                                 "x-http-method-override",
                                                 "x-method-override",
                                                 "x-user",
                                                 "x-username",
                                                 "x-user-id",
                                                 "x-user-name",
                                                 "x-user-email",
                                                 "x-user-groups",
                                                 "x-user-roles",
                                                 "x-email",
                                                 "x-groups",
                                                 "x-group",
                                                 "x-roles",
                                                 "x-role",
                                                 "x-client-cert",
                                                 "client-cert",
                                                 "client-cert-chain",
                                                 "x-client-verify",
                                                 "x-scheme",
                                                 "front-end-https"};

constexpr std::array<std::string_view, 20> owned_beginnings{"x-forwarded-",
                                                            "sallyport-",
                                                            "impersonate-",
                                                            "remote-",
                                                            "x-remote-",
                                                            "x-auth-",
                                                            "x-webauth-",
                                                            "x-authenticated-",
                                                            "x-ssl-",
                                                            "ssl-",
                                                            "x-envoy-",
                                                            "x-consumer-",
                                                            "x-credential-",
                                                            "cf-access-",
                                                            "tailscale-",
                                                            "x-goog-iap-",
                                                            "x-amzn-oidc-",
                                                            "x-ms-client-principal",
                                                            "x-goog-authenticated-",
                                                            "x-impersonate"};

/// Parts of an answer, or whether it is still the same, are of the answer that is not masked. A
/// request that changes something keeps its conditions, or is refused (masking.h).
constexpr std::array<std::string_view, 9> of_whole_answers{
    "range",       "if-range",       "if-none-match",       "if-modified-since", "a-im",
    "want-digest", "accept-charset", "want-content-digest", "want-repr-digest"};

bool any_of(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

bool is_plain_name(std::string_view name) {
  return std::ranges::all_of(
      name, [](char c) { return http::is_alpha(c) || http::is_digit(c) || c == '-'; });
}

bool passes(std::string_view name, const Target& target) {
  if (!is_plain_name(name)) return false;
  const std::string key = http::lower(name);
  if (any_of(of_connection, key) || is_owned(key)) return false;
  if (std::ranges::find(target.dropped, key) != target.dropped.end()) return false;
  return std::ranges::none_of(target.credential.all, [&](const http::Header& ours) {
    return http::equal_ignoring_case(ours.name, key);
  });
}

/// Of what a client accepts, what the gateway can look into: ", gzip, br;q=0.5".
std::string known_encodings(std::string_view value) {
  std::string known;
  while (!value.empty()) {
    const auto one = http::trim(value.substr(0, value.find(',')));
    value.remove_prefix(std::min(value.find(','), value.size() - 1) + 1);
    const std::string_view named = one;
    const std::string_view coding[] = {http::trim(named.substr(0, named.find(';')))};
    if (!content::encoding_of(coding)) continue;
    known += (known.empty() ? "" : ", ") + std::string(one);
  }
  return known;
}

/// A path or URL of the target as clients see it.
std::string location_of(std::string_view value, const Route& route) {
  const std::string_view authority = route.target->authority;
  std::string_view path = value;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!path.starts_with(scheme)) continue;
    const auto rest = path.substr(scheme.size());
    if (!rest.starts_with(authority)) return std::string(value);
    path = rest.substr(authority.size());
    if (!path.empty() && path.front() != '/') return std::string(value);
    if (path.empty()) path = "/";
    break;
  }
  if (!path.starts_with('/') || path.starts_with("//")) return std::string(value);
  return route.prefix + std::string(path);
}

/// The attributes of a cookie, each with its ';', one after the other.
std::string cookie_of(std::string_view value, const Route& route) {
  std::string made(http::trim(value.substr(0, value.find(';'))));
  bool path_said = false;
  for (auto semicolon = value.find(';'); semicolon != value.npos;) {
    const auto next = value.find(';', semicolon + 1);
    const auto attribute = http::trim(
        value.substr(semicolon + 1, next == value.npos ? value.npos : next - semicolon - 1));
    semicolon = next;
    const auto name = http::lower(http::trim(attribute.substr(0, attribute.find('='))));
    // To the host that answered, and no other: names of the target are not names of ours.
    if (name == "domain") continue;
    if (name != "path" || route.prefix.empty()) {
      if (!attribute.empty()) made += "; " + std::string(attribute);
      continue;
    }
    const auto equals = attribute.find('=');
    const auto path = equals == attribute.npos ? "/" : http::trim(attribute.substr(equals + 1));
    made +=
        "; Path=" + route.prefix + (path.starts_with('/') && path != "/" ? std::string(path) : "/");
    path_said = true;
  }
  if (!route.prefix.empty() && !path_said) made += "; Path=" + route.prefix + "/";
  return made;
}

}  // namespace

bool is_safe(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

bool is_written_here(std::string_view name) {
  return any_of(of_connection, name) || name == "host" || name == "accept-encoding" ||
         name.starts_with("x-forwarded-") || name.starts_with("sallyport-");
}

bool is_owned(std::string_view name) {
  return any_of(owned, name) ||
         std::ranges::any_of(owned_beginnings, [&](std::string_view beginning) {
           return name.starts_with(beginning);
         });
}

http::Headers request_fields(const http::Request& request, const Route& route,
                             const ClientFacts& client) {
  http::Headers fields;
  fields.all.reserve(request.headers.all.size() + 6);
  fields.add("Host", route.target->authority);
  const bool masked = !route.target->masking.idle();
  std::string encodings;
  for (const auto& [name, value] : request.headers.all) {
    if (!passes(name, *route.target)) continue;
    if (masked && http::equal_ignoring_case(name, "Accept-Encoding")) {
      const std::string known = known_encodings(value);
      if (!known.empty()) encodings += (encodings.empty() ? "" : ", ") + known;
      continue;
    }
    const std::string key = http::lower(name);
    const bool condition = key == "if-none-match" && (!is_safe(request.method) || value == "*");
    if (masked && any_of(of_whole_answers, key) && !condition) continue;
    if (http::equal_ignoring_case(name, "Prefer") && http::lower(value).contains("wait")) continue;
    fields.add(name, value);
  }
  if (masked) fields.add("Accept-Encoding", encodings.empty() ? "identity" : encodings);
  fields.add("X-Forwarded-For", client.ip);
  fields.add("X-Forwarded-Proto", client.tls ? "https" : "http");
  fields.add("X-Forwarded-Host", std::string(request.headers.get("Host").value_or("")));
  if (!route.prefix.empty()) fields.add("X-Forwarded-Prefix", route.prefix);
  return fields;
}

http::Headers response_fields(const http::ResponseHead& head, const Route& route) {
  http::Headers fields;
  fields.all.reserve(head.headers.all.size());
  for (const auto& [name, value] : head.headers.all) {
    const std::string key = http::lower(name);
    // A challenge would be for the gateway's own credential; Alt-Svc leads past the gateway.
    if (any_of(of_connection, key) || key == "www-authenticate" || key == "alt-svc" ||
        key.starts_with("proxy-") || key.starts_with("sallyport-")) {
      continue;
    }
    if (key == "location" || key == "content-location") {
      fields.add(name, location_of(value, route));
    } else if (key == "set-cookie") {
      fields.add(name, cookie_of(value, route));
    } else {
      fields.add(name, value);
    }
  }
  return fields;
}

std::string_view bearer(const http::Headers& headers) {
  const auto field = headers.get("Authorization").value_or("");
  constexpr std::string_view scheme = "Bearer ";
  if (field.size() <= scheme.size() ||
      !http::equal_ignoring_case(field.substr(0, scheme.size()), scheme)) {
    return "";
  }
  return http::trim(field.substr(scheme.size()));
}

std::uint32_t preferred_wait_s(const http::Headers& headers) {
  for (const auto& [name, value] : headers.all) {
    if (!http::equal_ignoring_case(name, "Prefer")) continue;
    for (std::string_view rest = value; !rest.empty();) {
      const auto end = rest.find_first_of(",;");
      const auto one = http::trim(rest.substr(0, end));
      rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
      if (one.size() > 5 && http::equal_ignoring_case(one.substr(0, 5), "wait=")) {
        return parse_number<std::uint32_t>(one.substr(5)).value_or(0);
      }
    }
  }
  return 0;
}

}  // namespace sallyport::web

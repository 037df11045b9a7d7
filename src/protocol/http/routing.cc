#include "protocol/http/routing.h"

#include <algorithm>

#include "http/text.h"

namespace sallyport::web {
namespace {

constexpr std::string_view metadata_path = "/.well-known/oauth-protected-resource";
constexpr std::string_view keys_path = "/.well-known/jwks.json";
constexpr std::string_view by_path = "/c/";

struct ByPath {
  std::shared_ptr<const Target> target;
  std::string prefix;
  std::string rest;
};

/// "/c/crm/customers" -> crm and "/customers".
std::optional<ByPath> find_by_path(const Options& options, std::string_view path) {
  if (!path.starts_with(by_path)) return std::nullopt;
  const auto name = path.substr(by_path.size(), path.find('/', by_path.size()) - by_path.size());
  const auto found = options.targets.find(std::string(name));
  if (found == options.targets.end()) return std::nullopt;
  const auto prefix = path.substr(0, by_path.size() + name.size());
  const auto rest = path.substr(prefix.size());
  return ByPath{found->second, std::string(prefix), rest.empty() ? "/" : std::string(rest)};
}

bool is_loopback(std::string_view name) {
  return name == "127.0.0.1" || name == "[::1]" || name == "localhost";
}

std::string scheme(const Options& options) {
  return options.tls != nullptr || options.public_url.starts_with("https:") ? "https://"
                                                                            : "http://";
}

}  // namespace

std::string host_name(std::string_view host) {
  const auto bracket = host.find(']');
  return http::lower(host.substr(0, host.find(':', bracket == host.npos ? 0 : bracket)));
}

bool is_own_name(std::string_view name, std::string_view public_host) {
  return name == public_host || (is_loopback(name) && is_loopback(public_host));
}

std::string host_of_url(std::string_view url) {
  const auto slashes = url.find("//");
  const auto host = url.substr(slashes == url.npos ? 0 : slashes + 2);
  return host_name(host.substr(0, host.find('/')));
}

std::expected<Route, OwnPage> route(const Options& options, std::string_view host,
                                    std::string_view path) {
  const std::string name = host_name(host);
  for (const auto& [connection, target] : options.targets) {
    if (std::ranges::find(target->hosts, name) == target->hosts.end()) continue;
    std::string resource = scheme(options) + std::string(host);
    if (path == metadata_path) {
      return std::unexpected(OwnPage{Own::metadata, std::move(resource)});
    }
    return Route{target, "", std::string(path), std::move(resource)};
  }
  if (!is_own_name(name, options.public_host))
    return std::unexpected(OwnPage{Own::misdirected, ""});
  if (path == keys_path) return std::unexpected(OwnPage{Own::keys, ""});
  if (path.starts_with(metadata_path)) {
    const auto of = find_by_path(options, path.substr(metadata_path.size()));
    if (of && of->rest == "/" && !path.ends_with('/')) {
      return std::unexpected(OwnPage{Own::metadata, options.public_url + of->prefix});
    }
    return std::unexpected(OwnPage{});
  }
  auto of = find_by_path(options, path);
  if (!of) return std::unexpected(OwnPage{});
  std::string resource = options.public_url + of->prefix;
  return Route{std::move(of->target), std::move(of->prefix), std::move(of->rest),
               std::move(resource)};
}

std::string metadata_url(std::string_view resource) {
  // https://host/c/crm -> https://host/.well-known/oauth-protected-resource/c/crm
  const auto slashes = resource.find("//");
  const auto slash = resource.find('/', slashes == resource.npos ? 0 : slashes + 2);
  std::string url(resource.substr(0, slash));
  url += metadata_path;
  if (slash != resource.npos) url += resource.substr(slash);
  return url;
}

}  // namespace sallyport::web

#pragma once
// Which connection a request is for: by the name of the host, or by /c/NAME/ on the listener's own.

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/http/options.h"

namespace sallyport::web {

struct Route {
  std::shared_ptr<const Target> target;
  std::string prefix;    // "/c/crm" where the path says it; the client's paths begin with it
  std::string path;      // for the target
  std::string resource;  // the URL of the connection as clients see it (RFC 9728)
};

/// What is for no target: a page of our own, or nothing.
enum class Own : std::uint8_t {
  metadata,     // GET of the protected resource's metadata
  keys,         // GET of the keys that sign assertions
  nothing,      // 404: no such connection, and none of our pages
  misdirected,  // 421: not a name of ours
};

struct OwnPage {
  Own page = Own::nothing;
  std::string resource;  // metadata: of which
};

/// `host` is the Host field, `path` decoded.
std::expected<Route, OwnPage> route(const Options& options, std::string_view host,
                                    std::string_view path);

/// Where the metadata of a resource is.
std::string metadata_url(std::string_view resource);

/// In lower case and without its port.
std::string host_name(std::string_view host);

/// A name of the listener's own: its public one, and on this machine alone every name of that.
bool is_own_name(std::string_view name, std::string_view public_host);

/// "gw.example" of "https://gw.example:6443/".
std::string host_of_url(std::string_view url);

}  // namespace sallyport::web

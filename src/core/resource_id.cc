#include "core/resource_id.h"

namespace sallyport {

std::string resource_part(std::string_view name) {
  std::string part;
  part.reserve(name.size());
  for (const char c : name) {
    if (c == '/') {
      part += "%2F";
    } else if (c == '%') {
      part += "%25";
    } else {
      part += c;
    }
  }
  return part;
}

std::string resource_id(std::span<const std::string_view> parts) {
  std::string id;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) id += '/';
    id += resource_part(parts[i]);
  }
  return id;
}

std::string resource_id(std::initializer_list<std::string_view> parts) {
  return resource_id(std::span(parts.begin(), parts.size()));
}

std::vector<std::string_view> resource_parts(std::string_view id) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t slash = id.find('/');
    parts.push_back(id.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    id.remove_prefix(slash + 1);
  }
}

std::string endpoint_id(std::string_view connection, std::string_view method,
                        std::string_view path) {
  std::string id = resource_part(connection);
  id += '/';
  id += method;
  id += ' ';
  id += path;
  return id;
}

std::optional<EndpointName> endpoint_name(std::string_view id) {
  const std::size_t slash = id.find('/');
  if (slash == std::string_view::npos || slash == 0) return std::nullopt;
  const std::string_view rest = id.substr(slash + 1);
  const std::size_t space = rest.find(' ');
  if (space == std::string_view::npos || space == 0) return std::nullopt;
  EndpointName name{.connection = id.substr(0, slash),
                    .method = rest.substr(0, space),
                    .path = rest.substr(space + 1)};
  if (name.method.contains('/') || !name.path.starts_with('/')) return std::nullopt;
  return name;
}

std::string resource_name(std::string_view part) {
  std::string name;
  name.reserve(part.size());
  for (std::size_t i = 0; i < part.size(); ++i) {
    const std::string_view rest = part.substr(i);
    if (rest.starts_with("%2F") || rest.starts_with("%25")) {
      name += rest[2] == 'F' ? '/' : '%';
      i += 2;
    } else {
      name += part[i];
    }
  }
  return name;
}

}  // namespace sallyport

#pragma once
// Ids of resources that form a tree: "shop/app/public/customers". Protocols make them here and
// nowhere else, so that no name that a client or a target chose can pass for a path.

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

/// The parts joined by '/'. Inside a part '/' becomes "%2F" and '%' "%25", so two different lists
/// of parts never make the same id. `parts` is not empty.
std::string resource_id(std::span<const std::string_view> parts);
std::string resource_id(std::initializer_list<std::string_view> parts);

/// One part as it stands in an id.
std::string resource_part(std::string_view name);

/// The parts of an id, still escaped: to build ids of ancestors, or to count.
std::vector<std::string_view> resource_parts(std::string_view id);

/// An Endpoint of an HTTP API, as policies write it: "crm/POST /customers/42". Not a tree: what
/// follows the first '/' is the method, a space, and the path as it is.
std::string endpoint_id(std::string_view connection, std::string_view method,
                        std::string_view path);
struct EndpointName {
  std::string_view connection;  // still escaped
  std::string_view method;
  std::string_view path;
};
/// nullopt if `id` is none.
std::optional<EndpointName> endpoint_name(std::string_view id);

/// Undoes resource_part, for people to read.
std::string resource_name(std::string_view part);

}  // namespace sallyport

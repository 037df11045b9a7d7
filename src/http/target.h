#pragma once
// The target of a request (RFC 9112 section 3.2) and the host it is for. Only one spelling of a
// path passes: whatever two servers could read differently is refused.

#include <optional>
#include <string>
#include <string_view>

#include "http/rejection.h"

namespace sallyport::http {

struct Target {
  std::string path;                      // decoded, starts with '/'
  std::string query;                     // as sent, without '?'
  std::optional<std::string> authority;  // of absolute-form
};

/// Origin-form or absolute-form. Refused: any other form, fragments, empty, `.` and `..` segments,
/// encoded slash, backslash, semicolon and controls, double encoding, invalid UTF-8.
Decoded<Target> parse_target(std::string_view text);

/// host[:port] as in a Host field: a name, an IPv4 address or an IPv6 address in brackets.
bool is_host(std::string_view text);

/// The one spelling of a decoded path that parse_target reads as that path.
std::string encode_path(std::string_view path);

}  // namespace sallyport::http

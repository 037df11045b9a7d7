#include "http/target.h"

#include <algorithm>
#include <cstdint>

#include "base/bytes.h"
#include "base/numbers.h"
#include "http/message.h"
#include "http/text.h"

namespace sallyport::http {
namespace {

/// RFC 3986 section 3.3 without ';', which some servers take as the start of parameters.
bool is_plain_path_char(char c) {
  return is_unreserved(c) || (c != '\0' && std::string_view("!$&'()*+,=:@/").contains(c));
}

/// More than RFC 3986 allows, because browsers send it; nothing that could end a query. A ';'
/// stands between parameters for some servers and in a value for others.
bool is_query_char(char c) {
  return c > ' ' && c < '\x7f' && c != '#' && c != '"' && c != '<' && c != '>' && c != ';';
}

bool is_refused_when_encoded(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == '\x7f' || c == '/' || c == '\\' || c == ';';
}

bool has_bad_segment(std::string_view path) {
  std::string_view rest = path.substr(1);
  while (true) {
    const auto segment = rest.substr(0, rest.find('/'));
    const bool last = segment.size() == rest.size();
    if (segment == "." || segment == ".." || (segment.empty() && !last)) return true;
    if (last) return false;
    rest.remove_prefix(segment.size() + 1);
  }
}

bool is_double_encoded(std::string_view decoded) {
  for (auto at = decoded.find('%'); at != decoded.npos; at = decoded.find('%', at + 1)) {
    if (percent_byte(decoded.substr(at))) return true;
  }
  return false;
}

Decoded<std::string> decode_path(std::string_view text) {
  std::string path;
  path.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const auto byte = percent_byte(text.substr(i));
      if (!byte) return reject(400, "bad percent escape in the path");
      if (is_refused_when_encoded(*byte)) return reject(400, "refused escape in the path");
      path += *byte;
      i += 2;
    } else if (is_plain_path_char(text[i])) {
      path += text[i];
    } else {
      return reject(400, "refused character in the path");
    }
  }
  if (!path.starts_with('/')) return reject(400, "the path does not start with a slash");
  if (has_bad_segment(path)) return reject(400, "empty or dot segment in the path");
  if (is_double_encoded(path)) return reject(400, "double encoding in the path");
  if (!is_utf8(path)) return reject(400, "the path is not UTF-8");
  return path;
}

bool is_query(std::string_view text) {
  if (!std::ranges::all_of(text, is_query_char)) return false;
  for (auto at = text.find('%'); at != text.npos; at = text.find('%', at + 1)) {
    const auto byte = percent_byte(text.substr(at));
    if (!byte || *byte == '\0') return false;
  }
  return true;
}

/// What follows "http://" or "https://", if `text` starts so.
std::optional<std::string_view> after_scheme(std::string_view text) {
  const auto colon = text.find("://");
  if (colon == text.npos) return std::nullopt;
  const auto scheme = text.substr(0, colon);
  if (!equal_ignoring_case(scheme, "http") && !equal_ignoring_case(scheme, "https")) {
    return std::nullopt;
  }
  return text.substr(colon + 3);
}

bool is_ipv6_literal(std::string_view text) {
  return text.size() >= 4 && text.front() == '[' && text.back() == ']' &&
         std::ranges::all_of(text.substr(1, text.size() - 2),
                             [](char c) { return hex_value(c) >= 0 || c == ':' || c == '.'; });
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 253 && text.front() != '.' && !text.contains("..") &&
         std::ranges::all_of(text, [](char c) {
           return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_';
         });
}

}  // namespace

Decoded<Target> parse_target(std::string_view text) {
  Target target;
  if (!text.starts_with('/')) {
    const auto rest = after_scheme(text);
    if (!rest) return reject(400, "the target is neither a path nor an http URL");
    const auto authority = rest->substr(0, rest->find_first_of("/?"));
    if (!is_host(authority)) return reject(400, "bad authority in the target");
    target.authority = authority;
    text = rest->substr(authority.size());
  }
  const auto question = text.find('?');
  auto raw_path = text.substr(0, question);
  if (raw_path.empty() && target.authority) raw_path = "/";
  auto path = decode_path(raw_path);
  if (!path) return reject(path);
  target.path = std::move(*path);
  if (question != text.npos) target.query = text.substr(question + 1);
  if (!is_query(target.query)) return reject(400, "refused character in the query");
  return target;
}

bool is_host(std::string_view text) {
  const auto bracket = text.find(']');
  const auto colon = text.find(':', bracket == text.npos ? 0 : bracket);
  if (colon != text.npos) {
    const auto port = text.substr(colon + 1);
    if (port.size() > 5 || !parse_number<std::uint16_t>(port)) return false;
  }
  const auto host = text.substr(0, colon);
  return is_name(host) || is_ipv6_literal(host);
}

std::string encode_path(std::string_view path) {
  std::string encoded;
  encoded.reserve(path.size());
  for (const char c : path) {
    if (is_plain_path_char(c)) {
      encoded += c;
    } else {
      encoded += url_encode({&c, 1});
    }
  }
  return encoded;
}

}  // namespace sallyport::http

#pragma once
// The character classes and comparisons of RFC 9110 and RFC 3986. ASCII only: no locale decides
// what a header means.

#include <optional>
#include <string>
#include <string_view>

namespace sallyport::http {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
constexpr bool is_alpha(char c) {
  return to_lower(c) >= 'a' && to_lower(c) <= 'z';
}
constexpr int hex_value(char c) {  // -1 if it is no hex digit
  if (is_digit(c)) return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// RFC 9110 section 5.6.2
constexpr bool is_token_char(char c) {
  return is_alpha(c) || is_digit(c) ||
         (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").contains(c));
}
/// RFC 9110 section 5.5: visible, space, tab or above ASCII.
constexpr bool is_field_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7f) || c == '\t';
}
/// RFC 3986 section 2.3
constexpr bool is_unreserved(char c) {
  return is_alpha(c) || is_digit(c) || (c != '\0' && std::string_view("-._~").contains(c));
}

bool is_token(std::string_view text);
bool equal_ignoring_case(std::string_view a, std::string_view b);
std::string lower(std::string_view text);
/// Without spaces and tabs around it.
std::string_view trim(std::string_view text);

/// The byte of a "%XX" that `text` starts with, if it does.
std::optional<char> percent_byte(std::string_view text);
/// What it stands for; nullopt if there is a '%' without two hex digits behind it.
std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace sallyport::http

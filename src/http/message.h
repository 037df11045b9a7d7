#pragma once
// An HTTP request and response as plain values, for whoever answers whole requests (the admin port,
// the issuer). The streaming side of the codec has its own types.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sallyport::http {

struct Header {
  std::string name;
  std::string value;
};

struct Headers {
  std::vector<Header> all;

  /// The first value of a header, by case-insensitive name (RFC 9110 section 5.1).
  std::optional<std::string_view> get(std::string_view name) const;
  void add(std::string name, std::string value);
};

struct Request {
  std::string method;
  std::string path;   // decoded and normalised, always starts with '/'
  std::string query;  // as sent, without '?'
  Headers headers;
  std::string body;
  std::string client_ip;
  bool tls = false;
};

struct Response {
  int status = 200;
  Headers headers;
  std::string body;

  static Response json(int status, std::string body);
  static Response text(int status, std::string body);
  static Response html(int status, std::string body);
  static Response redirect(std::string location);  // 302
};

/// What a name or a value of a form or a query stands for; nullopt if an escape is none.
std::optional<std::string> decode_form_part(std::string_view part);
/// The fields of an application/x-www-form-urlencoded text; malformed percent escapes and repeated
/// names fail as nullopt, so that no two readers see different values.
std::optional<std::map<std::string, std::string>> parse_form(std::string_view text);
std::string url_encode(std::string_view text);

}  // namespace sallyport::http

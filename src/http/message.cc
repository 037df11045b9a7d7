#include "http/message.h"

#include "http/text.h"

namespace sallyport::http {
namespace {

constexpr std::size_t form_fields_max = 200;

/// The text that `part` of a form stands for, or nullopt if an escape is not one.
std::optional<std::string> decode_form_part(std::string_view part) {
  std::string decoded;
  decoded.reserve(part.size());
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] == '+') {
      decoded += ' ';
    } else if (part[i] != '%') {
      decoded += part[i];
    } else {
      const auto byte = percent_byte(part.substr(i));
      if (!byte) return std::nullopt;
      decoded += *byte;
      i += 2;
    }
  }
  return decoded;
}

Response with_body(int status, std::string_view type, std::string body) {
  Response response;
  response.status = status;
  response.headers.add("Content-Type", std::string(type));
  response.body = std::move(body);
  return response;
}

}  // namespace

std::optional<std::string_view> Headers::get(std::string_view name) const {
  for (const auto& header : all) {
    if (equal_ignoring_case(header.name, name)) return header.value;
  }
  return std::nullopt;
}

void Headers::add(std::string name, std::string value) {
  all.push_back({std::move(name), std::move(value)});
}

Response Response::json(int status, std::string body) {
  return with_body(status, "application/json", std::move(body));
}

Response Response::text(int status, std::string body) {
  return with_body(status, "text/plain; charset=utf-8", std::move(body));
}

Response Response::html(int status, std::string body) {
  return with_body(status, "text/html; charset=utf-8", std::move(body));
}

Response Response::redirect(std::string location) {
  Response response;
  response.status = 302;
  response.headers.add("Location", std::move(location));
  return response;
}

std::optional<std::map<std::string, std::string>> parse_form(std::string_view text) {
  std::map<std::string, std::string> fields;
  while (!text.empty()) {
    const auto pair = text.substr(0, text.find('&'));
    text.remove_prefix(pair.size() == text.size() ? pair.size() : pair.size() + 1);
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    auto name = decode_form_part(pair.substr(0, equals));
    auto value = equals == pair.npos ? std::string() : decode_form_part(pair.substr(equals + 1));
    if (!name || !value || fields.size() == form_fields_max) return std::nullopt;
    if (!fields.try_emplace(std::move(*name), std::move(*value)).second) return std::nullopt;
  }
  return fields;
}

std::string url_encode(std::string_view text) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c)) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded += '%';
      encoded += digits[byte >> 4];
      encoded += digits[byte & 15];
    }
  }
  return encoded;
}

}  // namespace sallyport::http

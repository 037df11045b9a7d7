#include "http/message.h"

#include <algorithm>

#include "http/text.h"

namespace sallyport::http {
namespace {

constexpr std::size_t form_fields_max = 200;

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

std::optional<std::string> decode_form_part(std::string_view part) {
  std::string spaced(part);
  std::ranges::replace(spaced, '+', ' ');
  return percent_decoded(spaced);
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

#include "http/encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "http/target.h"
#include "http/text.h"

namespace sallyport::http {
namespace {

constexpr std::array<std::string_view, 5> framing_fields{"Content-Length", "Transfer-Encoding",
                                                         "Connection", "Trailer", "Keep-Alive"};

constexpr std::size_t usual_head_bytes = 1024;

Result<void> append_headers(std::string& to, const Headers& headers) {
  for (const auto& header : headers.all) {
    auto good = check_field(header);
    if (!good) return good;
    to.append(header.name).append(": ").append(header.value).append("\r\n");
  }
  return ok();
}

void append_form(std::string& to, BodyForm body) {
  if (body.kind == BodyForm::Kind::length) {
    fmt::format_to(std::back_inserter(to), "Content-Length: {}\r\n", body.length);
  } else if (body.kind == BodyForm::Kind::chunked) {
    to += "Transfer-Encoding: chunked\r\n";
  }
}

}  // namespace

Result<void> check_field(const Header& header) {
  const auto& [name, value] = header;
  const bool framing = std::ranges::any_of(
      framing_fields, [&](std::string_view ours) { return equal_ignoring_case(name, ours); });
  if (framing) return fail(Errc::invalid, "header field " + name + " is the codec's to write");
  if (!is_token(name)) return fail(Errc::invalid, "bad header name");
  if (!std::ranges::all_of(value, is_field_char) || trim(value) != value) {
    return fail(Errc::invalid, "bad value of header " + name);
  }
  return ok();
}

Result<void> check_form(int status, BodyForm body) {
  if (status < 200 || status > 599) return fail(Errc::invalid, "bad status");
  if (status == 204 && body.kind != BodyForm::Kind::none) {
    return fail(Errc::invalid, "body where none may be");
  }
  return ok();
}

Result<std::string> encode_head(const Response& response, BodyForm body, bool close) {
  const int status = response.status;
  auto possible = check_form(status, body);
  if (!possible) return fail(possible);
  std::string bytes;
  bytes.reserve(usual_head_bytes);
  fmt::format_to(std::back_inserter(bytes), "HTTP/1.1 {} {}\r\n", status, reason_phrase(status));
  auto appended = append_headers(bytes, response.headers);
  if (!appended) return fail(appended);
  append_form(bytes, body);
  if (close) bytes += "Connection: close\r\n";
  bytes += "\r\n";
  return bytes;
}

Result<std::string> encode_head(const Request& request, BodyForm body) {
  if (!is_token(request.method)) return fail(Errc::invalid, "bad method");
  auto target = encode_path(request.path);
  if (!request.query.empty()) target += "?" + request.query;
  auto parsed = parse_target(target);
  if (!parsed || parsed->path != request.path || parsed->query != request.query) {
    return fail(Errc::invalid, "bad path or query");
  }
  const auto host = request.headers.get("Host");
  if (!host || !is_host(*host)) return fail(Errc::invalid, "no usable Host");

  std::string bytes;
  bytes.reserve(usual_head_bytes);
  bytes.append(request.method).append(" ").append(target).append(" HTTP/1.1\r\n");
  auto appended = append_headers(bytes, request.headers);
  if (!appended) return fail(appended);
  append_form(bytes, body);
  bytes += "\r\n";
  return bytes;
}

Result<std::string> encode_switch(const Headers& headers) {
  std::string bytes =
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
  auto appended = append_headers(bytes, headers);
  if (!appended) return fail(appended);
  bytes += "\r\n";
  return bytes;
}

void append_chunk(std::string& to, std::string_view piece) {
  fmt::format_to(std::back_inserter(to), "{:x}\r\n", piece.size());
  to += piece;
  to += "\r\n";
}

Result<std::string> encode(const Response& response, ResponseForm form) {
  const bool bodiless = response.status == 204 || response.status == 304;
  if (bodiless && !response.body.empty()) return fail(Errc::invalid, "body where none may be");
  using Kind = BodyForm::Kind;
  auto bytes = encode_head(response, {bodiless ? Kind::none : Kind::length, response.body.size()},
                           form.close);
  if (bytes && !form.to_head) *bytes += response.body;
  return bytes;
}

Result<std::string> encode(const Request& request) {
  const bool has_body = !request.body.empty() || request.method == "POST" ||
                        request.method == "PUT" || request.method == "PATCH";
  using Kind = BodyForm::Kind;
  auto bytes = encode_head(request, {has_body ? Kind::length : Kind::none, request.body.size()});
  if (bytes) *bytes += request.body;
  return bytes;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 426:
      return "Upgrade Required";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";
  }
}

}  // namespace sallyport::http

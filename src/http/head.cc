#include "http/head.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/numbers.h"
#include "http/text.h"

namespace sallyport::http {
namespace {

constexpr std::array<std::string_view, 13> single_fields{"Authorization",
                                                         "Content-Length",
                                                         "Content-Type",
                                                         "Cookie",
                                                         "DPoP",
                                                         "Expect",
                                                         "Host",
                                                         "Origin",
                                                         "Transfer-Encoding",
                                                         "Upgrade",
                                                         "Sec-WebSocket-Key",
                                                         "Sec-WebSocket-Version",
                                                         "Sec-WebSocket-Accept"};

constexpr std::size_t usual_headers = 16;

constexpr std::array<std::string_view, 6> connection_tokens{
    "close", "keep-alive", "upgrade", "te", "http2-settings", "proxy-connection"};

std::size_t count(const Headers& headers, std::string_view name) {
  return static_cast<std::size_t>(std::ranges::count_if(
      headers.all, [&](const Header& header) { return equal_ignoring_case(header.name, name); }));
}

Decoded<void> read_connection(std::string_view value, ConnectionOptions& options) {
  while (true) {
    const auto comma = value.find(',');
    const auto token = trim(value.substr(0, comma));
    const auto known = std::ranges::any_of(connection_tokens, [&](std::string_view allowed) {
      return equal_ignoring_case(token, allowed);
    });
    if (!known) return reject(400, "Connection names a field that is not about the connection");
    options.close |= equal_ignoring_case(token, "close");
    options.upgrade |= equal_ignoring_case(token, "upgrade");
    options.keep_alive |= equal_ignoring_case(token, "keep-alive");
    if (comma == value.npos) return {};
    value.remove_prefix(comma + 1);
  }
}

}  // namespace

Decoded<bool> HeadReader::take(Bytes& input) {
  while (true) {
    const auto limit =
        has_first_line_ ? limits_.header_bytes_max - header_bytes_ : limits_.first_line_bytes_max;
    auto line = line_.take(input, limit, has_first_line_ ? 431 : 414);
    if (!line) return reject(line);
    if (!*line) return false;
    if (!has_first_line_) {
      first_line = **line;
      has_first_line_ = true;
      continue;
    }
    if ((*line)->empty()) return true;
    header_bytes_ += std::min((*line)->size() + 2, limits_.header_bytes_max - header_bytes_);
    auto added = add_header(**line);
    if (!added) return reject(added);
  }
}

Decoded<void> HeadReader::add_header(std::string_view line) {
  if (headers.all.empty()) headers.all.reserve(usual_headers);
  if (headers.all.size() == limits_.headers_max) return reject(431, "too many header fields");
  auto header = parse_header(line);
  if (!header) return reject(header);
  headers.all.push_back(std::move(*header));
  return {};
}

Decoded<Header> parse_header(std::string_view line) {
  if (line.starts_with(' ') || line.starts_with('\t')) return reject(400, "folded header line");
  const auto colon = line.find(':');
  if (colon == line.npos) return reject(400, "header line without a colon");
  const auto name = line.substr(0, colon);
  if (!is_token(name)) return reject(400, "bad header name");
  return Header{std::string(name), std::string(trim(line.substr(colon + 1)))};
}

Decoded<void> refuse_repeated(const Headers& headers) {
  for (const auto name : single_fields) {
    if (count(headers, name) > 1) return reject(400, "repeated " + std::string(name));
  }
  return {};
}

Decoded<Framing> framing_of(const Headers& headers) {
  const auto length = headers.get("Content-Length");
  const auto coding = headers.get("Transfer-Encoding");
  if (length && coding) return reject(400, "Content-Length together with Transfer-Encoding");
  if (coding) {
    if (equal_ignoring_case(*coding, "chunked")) return Framing{Framing::Kind::chunked, 0};
    const bool nonsense = coding->empty() || coding->contains("chunked,");
    return reject(nonsense ? 400 : 501, "transfer coding other than chunked");
  }
  if (!length) return Framing{};
  // A leading zero is allowed by RFC 9110 but sent by nobody, and read as octal by some.
  const auto value = parse_number<std::uint64_t>(*length);
  if (!value || (length->starts_with('0') && length->size() > 1)) {
    return reject(400, "bad Content-Length");
  }
  return Framing{Framing::Kind::length, *value};
}

Decoded<ConnectionOptions> connection_of(const Headers& headers) {
  ConnectionOptions options;
  for (const auto& header : headers.all) {
    if (!equal_ignoring_case(header.name, "Connection")) continue;
    auto read = read_connection(header.value, options);
    if (!read) return reject(read);
  }
  return options;
}

}  // namespace sallyport::http

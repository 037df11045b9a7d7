#include "http/request_decoder.h"

#include <algorithm>
#include <array>
#include <utility>

#include "http/target.h"
#include "http/text.h"

namespace sallyport::http {
namespace {

constexpr std::array<std::string_view, 7> known_methods{"GET",   "HEAD",   "POST",   "PUT",
                                                        "PATCH", "DELETE", "OPTIONS"};

Decoded<void> check_version(std::string_view version) {
  if (version == "HTTP/1.1") return {};
  const bool is_version = version.size() == 8 && version.starts_with("HTTP/") &&
                          is_digit(version[5]) && version[6] == '.' && is_digit(version[7]);
  if (!is_version) return reject(400, "bad request line");
  return reject(505, "only HTTP/1.1 is spoken here");
}

}  // namespace

RequestDecoder::RequestDecoder(RequestLimits limits) : limits_(limits), head_(limits.head) {}

Decoded<std::optional<Request>> RequestDecoder::take(Bytes& input) {
  if (rejected_) return std::unexpected(*rejected_);
  auto taken = take_checked(input);
  if (!taken) rejected_ = taken.error();
  return taken;
}

Decoded<std::optional<Request>> RequestDecoder::take_checked(Bytes& input) {
  if (!body_) {
    auto whole = head_.take(input);
    if (!whole) return reject(whole);
    if (!*whole) return std::nullopt;
    auto begun = begin_body();
    if (!begun) return reject(begun);
  }
  while (!body_->done()) {
    auto piece = body_->take(input);
    if (!piece) return reject(piece);
    if (piece->empty() && !body_->done()) return std::nullopt;
    request_.body += as_text(*piece);
    wants_continue_ = false;
  }
  body_.reset();
  wants_continue_ = false;
  head_ = HeadReader(limits_.head);
  return std::exchange(request_, Request{});
}

Decoded<void> RequestDecoder::begin_body() {
  request_.headers = std::exchange(head_.headers, {});
  auto line = read_request_line();
  if (!line) return line;
  auto repeated = refuse_repeated(request_.headers);
  if (!repeated) return repeated;
  auto framing = framing_of(request_.headers);
  if (!framing) return reject(framing);
  auto connection = connection_of(request_.headers);
  if (!connection) return reject(connection);
  keep_alive_ = !connection->close;

  if (framing->kind == Framing::Kind::chunked) {
    body_ = BodyReader::chunked(limits_.body_bytes_max, BodyReader::Trailers::refused);
  } else {
    if (framing->length > limits_.body_bytes_max) return reject(413, "body too large");
    body_ = BodyReader::of_length(framing->length);
  }
  return read_expectation();
}

Decoded<void> RequestDecoder::read_request_line() {
  const std::string_view line = head_.first_line;
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == line.npos || first == last) return reject(400, "bad request line");
  const auto method = line.substr(0, first);
  const auto target_text = line.substr(first + 1, last - first - 1);
  if (!is_token(method)) return reject(400, "bad method");
  auto version = check_version(line.substr(last + 1));
  if (!version) return version;
  if (std::ranges::find(known_methods, method) == known_methods.end())
    return reject(501, "unknown method");
  auto target = parse_target(target_text);
  if (!target) return reject(target);
  request_.method = method;
  request_.path = std::move(target->path);
  request_.query = std::move(target->query);
  return read_host(target->authority);
}

Decoded<void> RequestDecoder::read_host(const std::optional<std::string>& authority) {
  const auto host = request_.headers.get("Host");
  if (!host) return reject(400, "no Host");
  if (!is_host(*host)) return reject(400, "bad Host");
  if (authority && !equal_ignoring_case(*authority, *host)) {
    return reject(400, "the target and Host disagree");
  }
  return {};
}

Decoded<void> RequestDecoder::read_expectation() {
  const auto expected = request_.headers.get("Expect");
  if (!expected) return {};
  if (!equal_ignoring_case(*expected, "100-continue")) return reject(417, "unknown expectation");
  wants_continue_ = !body_->done();
  return {};
}

}  // namespace sallyport::http

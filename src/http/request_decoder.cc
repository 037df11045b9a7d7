#include "http/request_decoder.h"

#include <algorithm>
#include <array>
#include <utility>

#include "http/target.h"
#include "http/text.h"
#include "http/websocket.h"

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

Decoded<void> read_host(const Request& request, const std::optional<std::string>& authority) {
  const auto host = request.headers.get("Host");
  if (!host) return reject(400, "no Host");
  if (!is_host(*host)) return reject(400, "bad Host");
  if (authority && !equal_ignoring_case(*authority, *host)) {
    return reject(400, "the target and Host disagree");
  }
  return {};
}

Decoded<void> read_request_line(std::string_view line, Request& request) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == line.npos || first == last) return reject(400, "bad request line");
  const auto method = line.substr(0, first);
  const auto target_text = line.substr(first + 1, last - first - 1);
  auto version = check_version(line.substr(last + 1));
  if (!version) return version;
  auto known = check_method(method);
  if (!known) return known;
  auto target = parse_target(target_text);
  if (!target) return reject(target);
  request.method = method;
  request.path = std::move(target->path);
  request.query = std::move(target->query);
  return read_host(request, target->authority);
}

}  // namespace

Decoded<void> check_method(std::string_view method) {
  if (!is_token(method)) return reject(400, "bad method");
  if (std::ranges::find(known_methods, method) == known_methods.end())
    return reject(501, "unknown method");
  return {};
}

Decoded<void> read_expectation(RequestHead& head) {
  const auto expected = head.request.headers.get("Expect");
  if (!expected) return {};
  if (!equal_ignoring_case(*expected, "100-continue")) return reject(417, "unknown expectation");
  head.wants_continue = head.has_body();
  return {};
}

namespace {

Decoded<RequestHead> read_head(HeadReader&& read) {
  RequestHead head;
  head.request.headers = std::move(read.headers);
  auto line = read_request_line(read.first_line, head.request);
  if (!line) return reject(line);
  auto repeated = refuse_repeated(head.request.headers);
  if (!repeated) return reject(repeated);
  auto framing = framing_of(head.request.headers);
  if (!framing) return reject(framing);
  auto connection = connection_of(head.request.headers);
  if (!connection) return reject(connection);
  head.framing = *framing;
  head.keep_alive = !connection->close;
  auto websocket = asks_for_websocket(head.request, head.framing, *connection);
  if (!websocket) return reject(websocket);
  head.websocket = *websocket;
  auto expectation = read_expectation(head);
  if (!expectation) return reject(expectation);
  return head;
}

}  // namespace

Decoded<BodyReader> RequestHead::body(std::uint64_t bytes_max) const {
  if (framing.kind == Framing::Kind::chunked) {
    return BodyReader::chunked(bytes_max, BodyReader::Trailers::refused);
  }
  if (framing.length > bytes_max) return reject(413, "body too large");
  return BodyReader::of_length(framing.length);
}

Decoded<std::optional<RequestHead>> RequestHeadDecoder::take(Bytes& input) {
  auto whole = head_.take(input);
  if (!whole) return reject(whole);
  if (!*whole) return std::nullopt;
  auto head = read_head(std::exchange(head_, HeadReader(limits_)));
  if (!head) return reject(head);
  return std::move(*head);
}

RequestDecoder::RequestDecoder(RequestLimits limits) : limits_(limits), head_(limits.head) {}

Decoded<std::optional<Request>> RequestDecoder::take(Bytes& input) {
  if (rejected_) return std::unexpected(*rejected_);
  auto taken = take_checked(input);
  if (!taken) rejected_ = taken.error();
  return taken;
}

Decoded<std::optional<Request>> RequestDecoder::take_checked(Bytes& input) {
  if (!body_) {
    auto head = head_.take(input);
    if (!head) return reject(head);
    if (!*head) return std::nullopt;
    auto body = (*head)->body(limits_.body_bytes_max);
    if (!body) return reject(body);
    body_ = *body;
    request_ = std::move((*head)->request);
    keep_alive_ = (*head)->keep_alive;
    wants_continue_ = (*head)->wants_continue;
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
  return std::exchange(request_, Request{});
}

}  // namespace sallyport::http

#include "http/response_decoder.h"

#include <utility>

#include "http/text.h"

namespace sallyport::http {
namespace {

std::unexpected<Error> fail_as(const Rejection& rejected) {
  const bool too_large = rejected.status == 413 || rejected.status == 414 || rejected.status == 431;
  return fail(too_large ? Errc::too_large : Errc::malformed, "HTTP response: " + rejected.reason);
}

struct StatusLine {
  int status = 0;
  bool old_version = false;  // HTTP/1.0
};

Decoded<StatusLine> read_status_line(std::string_view line) {
  // HTTP-version SP 3DIGIT SP [reason]
  if (line.size() < 13 || line[8] != ' ' || line[12] != ' ') return reject(400, "bad status line");
  const auto version = line.substr(0, 8);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return reject(400, "unknown version");
  if (!is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11])) {
    return reject(400, "bad status");
  }
  const int status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  if (status < 100 || status > 599) return reject(400, "bad status");
  return StatusLine{status, version == "HTTP/1.0"};
}

}  // namespace

Decoded<BodyReader> ResponseHead::reader(std::uint64_t bytes_max) const {
  switch (body) {
    case Body::none:
      break;
    case Body::chunked:
      return BodyReader::chunked(bytes_max, BodyReader::Trailers::discarded);
    case Body::length:
      if (length > bytes_max) return reject(413, "body too large");
      return BodyReader::of_length(length);
    case Body::until_close:
      return BodyReader::until_close(bytes_max);
  }
  return BodyReader::of_length(0);
}

Decoded<std::optional<ResponseHead>> ResponseHeadDecoder::take(Bytes& input) {
  while (true) {
    auto whole = head_.take(input);
    if (!whole) return reject(whole);
    if (!*whole) return std::nullopt;
    auto read_head = read();
    if (!read_head) return reject(read_head);
    head_ = HeadReader(limits_);
    if (read_head->status >= 200) return std::move(*read_head);
    const bool switches = websocket_ && read_head->websocket;
    if (read_head->status == 101 && switches) return std::move(*read_head);
    if (read_head->status == 101) return reject(400, "upgrade that nobody asked for");
    if (interim_left_ == 0) return reject(400, "too many interim responses");
    --interim_left_;
  }
}

Decoded<ResponseHead> ResponseHeadDecoder::read() const {
  auto line = read_status_line(head_.first_line);
  if (!line) return reject(line);
  ResponseHead head{.status = line->status, .headers = head_.headers};
  if (head.status < 200 && head.status != 101) return head;
  auto repeated = refuse_repeated(head.headers);
  if (!repeated) return reject(repeated);
  auto framing = framing_of(head.headers);
  if (!framing) return reject(framing);
  auto connection = connection_of(head.headers);
  if (!connection) return reject(connection);
  if (line->old_version && framing->kind == Framing::Kind::chunked) {
    return reject(400, "chunked in HTTP/1.0");
  }
  if (head.status == 101) {
    head.websocket = connection->upgrade && framing->kind == Framing::Kind::unsaid &&
                     equal_ignoring_case(head.headers.get("Upgrade").value_or(""), "websocket");
    return head;
  }
  head.reusable =
      line->old_version ? connection->keep_alive && !connection->close : !connection->close;
  head.says_length = framing->kind == Framing::Kind::length;
  head.length = framing->length;
  if (to_head_ || head.status == 204 || head.status == 304) return head;
  if (framing->kind == Framing::Kind::chunked) {
    head.body = ResponseHead::Body::chunked;
  } else if (head.says_length) {
    head.body = ResponseHead::Body::length;
  } else {
    head.reusable = false;
    head.body = ResponseHead::Body::until_close;
  }
  return head;
}

ResponseDecoder::ResponseDecoder(bool to_head, ResponseLimits limits)
    : limits_(limits), head_(to_head, limits.head, limits.interim_max) {}

Result<std::optional<Response>> ResponseDecoder::take(Bytes& input) {
  if (rejected_) return fail_as(*rejected_);
  auto taken = take_checked(input);
  if (!taken) {
    rejected_ = taken.error();
    return fail_as(*rejected_);
  }
  return std::move(*taken);
}

Result<Response> ResponseDecoder::at_end() {
  if (rejected_) return fail_as(*rejected_);
  rejected_ = Rejection{400, "the connection ended"};
  if (!body_ || !body_->ends_at_close()) return fail_as(*rejected_);
  return std::move(response_);
}

Decoded<std::optional<Response>> ResponseDecoder::take_checked(Bytes& input) {
  if (!body_) {
    auto head = head_.take(input);
    if (!head) return reject(head);
    if (!*head) return std::nullopt;
    auto body = (*head)->reader(limits_.body_bytes_max);
    if (!body) return reject(body);
    body_ = *body;
    reusable_ = (*head)->reusable;
    response_.status = (*head)->status;
    response_.headers = std::move((*head)->headers);
  }
  while (!body_->done()) {
    auto piece = body_->take(input);
    if (!piece) return reject(piece);
    if (piece->empty() && !body_->done()) return std::nullopt;
    response_.body += as_text(*piece);
  }
  rejected_ = Rejection{400, "bytes after the response"};
  return std::move(response_);
}

}  // namespace sallyport::http

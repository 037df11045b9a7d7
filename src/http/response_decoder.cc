#include "http/response_decoder.h"

#include <utility>

#include "http/text.h"

namespace sallyport::http {
namespace {

std::unexpected<Error> fail_as(const Rejection& rejected) {
  const bool too_large = rejected.status == 413 || rejected.status == 414 || rejected.status == 431;
  return fail(too_large ? Errc::too_large : Errc::malformed, "HTTP response: " + rejected.reason);
}

}  // namespace

ResponseDecoder::ResponseDecoder(bool to_head, ResponseLimits limits)
    : to_head_(to_head), limits_(limits), head_(limits.head), interim_left_(limits.interim_max) {}

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
  while (!body_) {
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
    response_.body += as_text(*piece);
  }
  rejected_ = Rejection{400, "bytes after the response"};
  return std::move(response_);
}

Decoded<void> ResponseDecoder::begin_body() {
  auto line = read_status_line();
  if (!line) return line;
  const bool interim = response_.status < 200;
  if (interim) {
    if (response_.status == 101) return reject(400, "upgrade that nobody asked for");
    if (interim_left_ == 0) return reject(400, "too many interim responses");
    --interim_left_;
    head_ = HeadReader(limits_.head);
    return {};
  }
  response_.headers = std::exchange(head_.headers, {});
  return read_framing();
}

Decoded<void> ResponseDecoder::read_status_line() {
  // HTTP-version SP 3DIGIT SP [reason]
  const std::string_view line = head_.first_line;
  if (line.size() < 13 || line[8] != ' ' || line[12] != ' ') return reject(400, "bad status line");
  const auto version = line.substr(0, 8);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return reject(400, "unknown version");
  old_version_ = version == "HTTP/1.0";
  if (!is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11])) {
    return reject(400, "bad status");
  }
  response_.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  if (response_.status < 100 || response_.status > 599) return reject(400, "bad status");
  return {};
}

Decoded<void> ResponseDecoder::read_framing() {
  auto repeated = refuse_repeated(response_.headers);
  if (!repeated) return repeated;
  auto framing = framing_of(response_.headers);
  if (!framing) return reject(framing);
  auto connection = connection_of(response_.headers);
  if (!connection) return reject(connection);
  if (old_version_ && framing->kind == Framing::Kind::chunked) {
    return reject(400, "chunked in HTTP/1.0");
  }
  reusable_ = old_version_ ? connection->keep_alive && !connection->close : !connection->close;

  if (to_head_ || response_.status == 204 || response_.status == 304) {
    body_ = BodyReader::of_length(0);
  } else if (framing->kind == Framing::Kind::chunked) {
    body_ = BodyReader::chunked(limits_.body_bytes_max, BodyReader::Trailers::discarded);
  } else if (framing->kind == Framing::Kind::length) {
    if (framing->length > limits_.body_bytes_max) return reject(413, "body too large");
    body_ = BodyReader::of_length(framing->length);
  } else {
    reusable_ = false;
    body_ = BodyReader::until_close(limits_.body_bytes_max);
  }
  return {};
}

}  // namespace sallyport::http

#include "http/websocket.h"

#include <algorithm>

#include "base/sha1.h"
#include "http/text.h"

namespace sallyport::http {
namespace {

constexpr std::size_t control_bytes_max = 125;
constexpr std::uint8_t last_bit = 0x80;
constexpr std::uint8_t reserved_bits = 0x70;
constexpr std::uint8_t mask_bit = 0x80;

bool is_control(std::uint8_t opcode) {
  return opcode >= 8;
}

std::size_t header_bytes(std::string_view so_far) {
  if (so_far.size() < 2) return 2;
  const auto second = static_cast<std::uint8_t>(so_far[1]);
  const std::size_t length = second & 0x7fU;
  return 2U + (length == 126 ? 2U : length == 127 ? 8U : 0U) + ((second & mask_bit) != 0 ? 4U : 0U);
}

/// RFC 6455 section 7.4: what may be sent, by its registered meaning or an application's own.
bool is_close_code(unsigned code) {
  return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
         (code >= 3000 && code <= 4999);
}

Decoded<void> check_close(std::string_view content) {
  if (content.empty()) return {};
  if (content.size() == 1) return reject(1002, "a close frame with half a code");
  const unsigned code =
      static_cast<std::uint8_t>(content[0]) * 256U + static_cast<std::uint8_t>(content[1]);
  if (!is_close_code(code)) return reject(1002, "a close code that is none");
  if (!is_utf8(content.substr(2))) return reject(1007, "a close reason that is not UTF-8");
  return {};
}

}  // namespace

Decoded<bool> asks_for_websocket(const Request& request, const Framing& framing,
                                 const ConnectionOptions& connection) {
  const auto upgrade = request.headers.get("Upgrade");
  if (!connection.upgrade || !upgrade || !equal_ignoring_case(*upgrade, "websocket")) return false;
  if (request.method != "GET" || framing.kind == Framing::Kind::chunked || framing.length > 0) {
    return reject(400, "WebSocket starts with a GET without a body");
  }
  if (request.headers.get("Sec-WebSocket-Version").value_or("") != "13") {
    return reject(426, "only version 13 of WebSocket is spoken here");
  }
  const auto key = from_base64(request.headers.get("Sec-WebSocket-Key").value_or(""));
  if (!key || key->size() != 16) return reject(400, "bad Sec-WebSocket-Key");
  return true;
}

std::string websocket_accept(std::string_view key) {
  return to_base64(sha1(as_bytes(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
}

Decoded<std::optional<WebSocketMessage>> WebSocketReader::take(Bytes& input) {
  while (true) {
    if (!frame_) {
      if (!gather_header(input)) return std::nullopt;
      auto read = read_header();
      if (!read) return reject(read);
    }
    take_content(input);
    if (frame_->left > 0) return std::nullopt;
    auto message = end_of_frame();
    if (!message || *message) return message;
  }
}

/// False if more is needed.
bool WebSocketReader::gather_header(Bytes& input) {
  while (header_.size() < header_bytes(header_)) {
    if (input.empty()) return false;
    const std::size_t taken = std::min(input.size(), header_bytes(header_) - header_.size());
    header_ += as_text(input.first(taken));
    input = input.subspan(taken);
  }
  return true;
}

Decoded<void> WebSocketReader::read_header() {
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(header_[at]); };
  Frame frame{.last = (byte(0) & last_bit) != 0,
              .opcode = static_cast<std::uint8_t>(byte(0) & 0xf)};
  const bool masked = (byte(1) & mask_bit) != 0;
  if ((byte(0) & reserved_bits) != 0) return reject(1002, "a reserved bit of an extension");
  if (masked != (from_ == From::client)) {
    return reject(1002, masked ? "a masked frame of a server" : "a frame without a mask");
  }
  frame.left = byte(1) & 0x7fU;
  std::size_t at = 2;
  if (frame.left >= 126) {
    const std::size_t bytes = frame.left == 126 ? 2 : 8;
    frame.left = 0;
    for (; at < 2 + bytes; ++at) frame.left = frame.left << 8 | byte(at);
    const std::uint64_t least = bytes == 2 ? 126 : 65536;
    if (frame.left < least || frame.left >> 63 != 0) return reject(1002, "a length in more bytes");
  }
  if (masked) std::ranges::copy(as_bytes(header_).subspan(at, 4), frame.mask.begin());
  if (is_control(frame.opcode)) {
    if (frame.opcode > 10) return reject(1002, "unknown opcode");
    if (!frame.last || frame.left > control_bytes_max) return reject(1002, "a long control frame");
  } else {
    if (frame.opcode > 2) return reject(1002, "unknown opcode");
    const bool goes_on = frame.opcode == 0;
    if (goes_on != message_.has_value()) return reject(1002, "a frame out of its order");
    const std::size_t so_far = message_ ? message_->content.size() : 0;
    if (frame.left > content_bytes_max_ - so_far) return reject(1009, "the message is too large");
    if (!message_) message_.emplace(WebSocketMessage::Kind{frame.opcode});
  }
  header_.clear();
  mask_at_ = 0;
  frame_ = frame;
  return {};
}

void WebSocketReader::take_content(Bytes& input) {
  const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(input.size(), frame_->left));
  std::string& content = is_control(frame_->opcode) ? control_ : message_->content;
  const std::size_t from = content.size();
  content += as_text(input.first(taken));
  if (from_ == From::client) {
    for (std::size_t i = from; i < content.size(); ++i) {
      content[i] = static_cast<char>(static_cast<std::uint8_t>(content[i]) ^
                                     std::to_integer<std::uint8_t>(frame_->mask[mask_at_++ % 4]));
    }
  }
  input = input.subspan(taken);
  frame_->left -= taken;
}

Decoded<std::optional<WebSocketMessage>> WebSocketReader::end_of_frame() {
  const Frame frame = *std::exchange(frame_, std::nullopt);
  using Kind = WebSocketMessage::Kind;
  if (is_control(frame.opcode)) {
    WebSocketMessage control{Kind{frame.opcode}, std::exchange(control_, {})};
    if (control.kind == Kind::close) {
      auto good = check_close(control.content);
      if (!good) return reject(good);
    }
    return control;
  }
  if (!frame.last) return std::nullopt;
  auto message = std::exchange(message_, std::nullopt);
  if (message->kind == Kind::text && !is_utf8(message->content)) {
    return reject(1007, "a text that is not UTF-8");
  }
  return message;
}

void append_websocket_frame(std::string& to, WebSocketMessage::Kind kind, std::string_view content,
                            std::optional<std::array<std::byte, 4>> mask) {
  const auto byte = [&](std::uint64_t value) { to += static_cast<char>(value & 0xff); };
  byte(last_bit | static_cast<std::uint8_t>(kind));
  const std::uint8_t masked = mask ? mask_bit : 0;
  const std::size_t bytes = content.size() < 126 ? 0 : content.size() < 65536 ? 2 : 8;
  byte(masked | (bytes == 0 ? content.size() : bytes == 2 ? 126U : 127U));
  for (std::size_t i = bytes; i > 0; --i) byte(std::uint64_t{content.size()} >> (8 * (i - 1)));
  if (!mask) {
    to += content;
    return;
  }
  to += as_text(*mask);
  for (std::size_t i = 0; i < content.size(); ++i) {
    byte(static_cast<std::uint8_t>(content[i]) ^ std::to_integer<std::uint8_t>((*mask)[i % 4]));
  }
}

std::string websocket_close(std::uint16_t code, std::string_view reason) {
  std::string content{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  content += reason.substr(0, control_bytes_max - 2);
  return content;
}

}  // namespace sallyport::http

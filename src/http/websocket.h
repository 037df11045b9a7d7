#pragma once
// WebSocket (RFC 6455) without I/O and without extensions: the handshake's fields, and messages
// from frames and back. Messages are taken whole, so that what passes on is written anew.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "http/head.h"
#include "http/message.h"
#include "http/rejection.h"

namespace sallyport::http {

/// Whether a request asks for it. Refused: one that asks and is none (426 for other versions).
Decoded<bool> asks_for_websocket(const Request& request, const Framing& framing,
                                 const ConnectionOptions& connection);
/// Sec-WebSocket-Accept for a Sec-WebSocket-Key.
std::string websocket_accept(std::string_view key);

struct WebSocketMessage {
  enum class Kind : std::uint8_t { text = 1, binary = 2, close = 8, ping = 9, pong = 10 };
  Kind kind = Kind::text;
  std::string content;
};

class WebSocketReader {
 public:
  enum class From : std::uint8_t { client, server };
  /// `content_bytes_max` of a message.
  WebSocketReader(From from, std::size_t content_bytes_max)
      : from_(from), content_bytes_max_(content_bytes_max) {}

  /// Takes bytes from the front of `input` up to the end of one message; what is left belongs to
  /// the next. nullopt: all was taken and more is needed. The status of a rejection is that of the
  /// close frame: 1002 broken rules, 1007 not UTF-8, 1009 too large; nothing may be read after it.
  Decoded<std::optional<WebSocketMessage>> take(Bytes& input);

 private:
  struct Frame {
    bool last = false;
    std::uint8_t opcode = 0;
    std::uint64_t left = 0;  // of its content
    std::array<std::byte, 4> mask{};
  };

  bool gather_header(Bytes& input);
  Decoded<void> read_header();
  void take_content(Bytes& input);
  Decoded<std::optional<WebSocketMessage>> end_of_frame();

  const From from_;
  const std::size_t content_bytes_max_;
  std::string header_;  // of the frame that is coming
  std::optional<Frame> frame_;
  std::size_t mask_at_ = 0;
  std::string control_;                      // content of a control frame
  std::optional<WebSocketMessage> message_;  // whose frames are coming
};

/// One frame. A client's has a mask, which is never the same twice.
void append_websocket_frame(std::string& to, WebSocketMessage::Kind kind, std::string_view content,
                            std::optional<std::array<std::byte, 4>> mask);
/// The content of a close frame.
std::string websocket_close(std::uint16_t code, std::string_view reason);

}  // namespace sallyport::http

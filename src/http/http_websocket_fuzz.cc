// Fuzz: a reader of WebSocket frames, torn anywhere, gives the same messages within its limit, and
// each of them reads back when it is written again.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "http/websocket.h"

namespace sallyport::http {
namespace {

constexpr std::size_t content_bytes_max = 2000;

struct Read {
  std::vector<WebSocketMessage> messages;
  int status = 0;
};

Read read(Bytes bytes, std::size_t piece, WebSocketReader::From from) {
  WebSocketReader reader(from, content_bytes_max);
  Read read;
  while (!bytes.empty()) {
    Bytes input = bytes.first(std::min(piece, bytes.size()));
    bytes = bytes.subspan(input.size());
    while (!input.empty()) {
      auto taken = reader.take(input);
      if (!taken) {
        read.status = taken.error().status;
        return read;
      }
      if (*taken) read.messages.push_back(std::move(**taken));
    }
  }
  return read;
}

}  // namespace
}  // namespace sallyport::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using namespace sallyport::http;
  if (size == 0) return 0;
  const auto from =
      data[0] % 2 == 0 ? WebSocketReader::From::client : WebSocketReader::From::server;
  const Bytes bytes = std::as_bytes(std::span(data, size)).subspan(1);
  const Read whole = read(bytes, bytes.size() + 1, from);
  const Read torn = read(bytes, 1 + data[0] / 2 % 16, from);
  SALLYPORT_CHECK(whole.status == torn.status && whole.messages.size() == torn.messages.size());
  for (std::size_t i = 0; i < whole.messages.size(); ++i) {
    const WebSocketMessage& message = whole.messages[i];
    SALLYPORT_CHECK(message.content == torn.messages[i].content);
    SALLYPORT_CHECK(message.content.size() <= content_bytes_max);
    std::string again;
    append_websocket_frame(again, message.kind, message.content,
                           std::array{std::byte{1}, std::byte{0}, std::byte{7}, std::byte{255}});
    const Read back = read(as_bytes(again), 7, WebSocketReader::From::client);
    SALLYPORT_CHECK(back.status == 0 && back.messages.size() == 1);
    SALLYPORT_CHECK(back.messages[0].content == message.content);
  }
  return 0;
}

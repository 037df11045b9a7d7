#include "http/websocket.h"

#include <gtest/gtest.h>

namespace sallyport::http {
namespace {

using Kind = WebSocketMessage::Kind;
using From = WebSocketReader::From;

constexpr std::array<std::byte, 4> mask{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};

std::string frame(Kind kind, std::string_view content) {
  std::string bytes;
  append_websocket_frame(bytes, kind, content, mask);
  return bytes;
}

/// All messages of a client's bytes, fed `piece` at a time, and the status of what was refused.
std::pair<std::vector<WebSocketMessage>, int> read(std::string_view bytes, std::size_t piece,
                                                   From from = From::client,
                                                   std::size_t content_bytes_max = 1000) {
  WebSocketReader reader(from, content_bytes_max);
  std::vector<WebSocketMessage> messages;
  while (!bytes.empty()) {
    Bytes input = as_bytes(bytes.substr(0, piece));
    bytes.remove_prefix(input.size());
    while (!input.empty()) {
      auto taken = reader.take(input);
      if (!taken) return {messages, taken.error().status};
      if (*taken) messages.push_back(std::move(**taken));
    }
  }
  return {messages, 0};
}

TEST(WebSocket, AcceptsAsTheRfcSays) {
  EXPECT_EQ(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(WebSocket, ReadsWhatItWritesHoweverItIsTorn) {
  const std::string bytes = frame(Kind::text, "hello") +
                            frame(Kind::binary, std::string(300, 'x')) + frame(Kind::ping, "") +
                            frame(Kind::close, websocket_close(1000, "bye"));
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    const auto [messages, status] = read(bytes, piece);
    ASSERT_EQ(status, 0) << piece;
    ASSERT_EQ(messages.size(), 4U) << piece;
    EXPECT_EQ(messages[0].content, "hello");
    EXPECT_EQ(messages[1].content, std::string(300, 'x'));
    EXPECT_EQ(messages[2].kind, Kind::ping);
    EXPECT_EQ(messages[3].content.substr(2), "bye");
  }
}

TEST(WebSocket, PutsMessagesTogetherWithControlFramesBetween) {
  std::string bytes = frame(Kind::text, "hel") + frame(Kind::ping, "p") + frame(Kind{0}, "lo");
  bytes[0] = '\x01';  // not the last
  const auto [messages, status] = read(bytes, 3);
  ASSERT_EQ(status, 0);
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].kind, Kind::ping);
  EXPECT_EQ(messages[1].content, "hello");
}

TEST(WebSocket, RefusesFramesThatBreakTheRules) {
  const auto status = [](std::string bytes, From from = From::client) {
    return read(bytes, 100'000, from).second;
  };
  std::string plain;
  append_websocket_frame(plain, Kind::text, "x", std::nullopt);
  EXPECT_EQ(status(plain), 1002);
  EXPECT_EQ(status(plain, From::server), 0);
  EXPECT_EQ(status(frame(Kind::text, "x"), From::server), 1002);
  EXPECT_EQ(status(frame(Kind{0}, "x")), 1002);
  EXPECT_EQ(status(frame(Kind{3}, "x")), 1002);
  EXPECT_EQ(status(frame(Kind{11}, "x")), 1002);
  EXPECT_EQ(status(frame(Kind::ping, std::string(126, 'x'))), 1002);
  EXPECT_EQ(status(frame(Kind::binary, std::string(1001, 'x'))), 1009);
  EXPECT_EQ(status(frame(Kind::text, "\xff")), 1007);
  EXPECT_EQ(status(frame(Kind::close, "x")), 1002);
  EXPECT_EQ(status(frame(Kind::close, websocket_close(1005, ""))), 1002);
  EXPECT_EQ(status(frame(Kind::close, websocket_close(3000, ""))), 0);
  auto reserved = frame(Kind::text, "x");
  reserved[0] = static_cast<char>(0xc1);
  EXPECT_EQ(status(reserved), 1002);
  EXPECT_EQ(status(std::string("\x81\xfe\0\5", 4) + "abcdhello"), 1002);
}

TEST(WebSocket, CountsTheFramesOfAMessageTogether) {
  std::string first = frame(Kind::binary, std::string(600, 'x'));
  first[0] = '\x02';
  EXPECT_EQ(read(first + frame(Kind{0}, std::string(400, 'x')), 50).second, 0);
  EXPECT_EQ(read(first + frame(Kind{0}, std::string(401, 'x')), 50).second, 1009);
}

}  // namespace
}  // namespace sallyport::http

// The response decoder and the encoder: what we write we read back, and what is in doubt is not
// read.

#include "http/response_decoder.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "http/encoder.h"
#include "http/request_decoder.h"

namespace sallyport::http {
namespace {

using namespace std::string_literals;

/// The response in `text`, in pieces of `piece` bytes, with the connection closed after it.
Result<Response> read_response(std::string_view text, std::size_t piece, bool to_head = false) {
  ResponseDecoder decoder(to_head);
  while (!text.empty()) {
    Bytes input = as_bytes(text.substr(0, piece));
    text.remove_prefix(input.size());
    while (!input.empty()) {
      auto taken = decoder.take(input);
      if (!taken) return fail(taken);
      if (*taken) {
        if (!input.empty() || !text.empty()) return fail(Errc::malformed, "bytes left");
        return std::move(**taken);
      }
    }
  }
  return decoder.at_end();
}

Result<Response> read_response(std::string_view text, bool to_head = false) {
  auto whole = read_response(text, text.size() + 1, to_head);
  for (const std::size_t piece : {1U, 2U, 3U, 7U}) {
    auto torn = read_response(text, piece, to_head);
    EXPECT_EQ(torn.has_value(), whole.has_value()) << text;
    if (torn && whole) {
      EXPECT_EQ(torn->body, whole->body);
    }
  }
  return whole;
}

TEST(ResponseDecoder, ReadsEveryWayABodyEnds) {
  EXPECT_EQ(read_response("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")->body, "hi");
  EXPECT_EQ(read_response("HTTP/1.1 200 OK\r\n\r\nuntil close")->body, "until close");
  EXPECT_EQ(read_response("HTTP/1.0 200 OK\r\n\r\nold")->body, "old");
  EXPECT_EQ(read_response("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n"
                          "2\r\nhi\r\n0\r\nX: trailer\r\n\r\n")
                ->body,
            "hi");
  EXPECT_EQ(read_response("HTTP/1.1 204 No Content\r\n\r\n")->status, 204);
  EXPECT_EQ(read_response("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n")->status, 304);
  EXPECT_EQ(read_response("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true)->body, "");
  EXPECT_EQ(read_response("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n"
                          "Content-Length: 0\r\n\r\n")
                ->status,
            201);
}

TEST(ResponseDecoder, RefusesWhatIsInDoubt) {
  std::string interim;
  for (int i = 0; i < 9; ++i) interim += "HTTP/1.1 103 Early Hints\r\n\r\n";
  for (const auto& text : std::vector<std::string>{
           "",
           "HTTP/1.1 200 OK\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nhi\r\n0\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nhi",
           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
           "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nhi",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhi",
           "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "HTTP/1.1 101 Switching Protocols\r\n\r\n",
           "HTTP/1.1 200 OK\n\nhi",
           "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
           "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
           "HTTP/1.1 20 OK\r\n\r\n",
           "HTTP/1.1 2000 OK\r\n\r\n",
           "HTTP/1.1 200\r\n\r\n",
           "HTTP/1.1 099 X\r\n\r\n",
           "HTTP/1.1 600 X\r\n\r\n",
           "HTTP/2.0 200 OK\r\n\r\n",
           "http/1.1 200 OK\r\n\r\n",
           "HTTP/1.1  200 OK\r\n\r\n",
           "HTTP/1.1 200 OK\0\r\n\r\n"s,
           "ICY 200 OK\r\n\r\n",
           "<html>\r\n\r\n",
           interim + "HTTP/1.1 204 \r\n\r\n",
           "HTTP/1.1 204 No Content\r\n\r\nbody",
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nhi",
           "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nhi"}) {
    EXPECT_FALSE(read_response(text).has_value()) << text;
  }
}

TEST(ResponseDecoder, BoundsABodyThatEndsWithTheConnection) {
  ResponseLimits limits;
  limits.body_bytes_max = 4;
  ResponseDecoder decoder(false, limits);
  Bytes input = as_bytes("HTTP/1.1 200 OK\r\n\r\n1234");
  EXPECT_FALSE(decoder.take(input).value().has_value());
  input = as_bytes("5");
  EXPECT_EQ(decoder.take(input).error().code, Errc::too_large);
}

TEST(ResponseDecoder, SaysWhetherTheConnectionIsReusable) {
  const auto reusable = [](std::string_view text) {
    ResponseDecoder decoder;
    Bytes input = as_bytes(text);
    EXPECT_TRUE(decoder.take(input).value().has_value());
    return decoder.reusable();
  };
  EXPECT_TRUE(reusable("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_FALSE(reusable("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
  EXPECT_FALSE(reusable("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_TRUE(reusable("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"));
}

TEST(Encoder, WritesAResponseThatReadsBack) {
  auto response = Response::json(201, R"({"a":1})");
  response.headers.add("Location", "/a/1");
  const auto bytes = encode(response, {});
  ASSERT_TRUE(bytes.has_value());
  const auto back = read_response(*bytes);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->status, 201);
  EXPECT_EQ(back->body, response.body);
  EXPECT_EQ(back->headers.get("location"), "/a/1");

  const auto head = encode(response, {.to_head = true, .close = true});
  EXPECT_TRUE(head->ends_with("Content-Length: 7\r\nConnection: close\r\n\r\n")) << *head;
  EXPECT_FALSE(encode(Response{.status = 204}, {})->contains("Content-Length"));
}

TEST(Encoder, RefusesWhatCouldSplitAMessage) {
  const auto refused = [](std::string name, std::string value) {
    Response response;
    response.headers.add(std::move(name), std::move(value));
    return !encode(response, {}).has_value();
  };
  EXPECT_FALSE(refused("X", "y"));
  EXPECT_TRUE(refused("X", "a\r\nSet-Cookie: b"));
  EXPECT_TRUE(refused("X", "a\nb"));
  EXPECT_TRUE(refused("X", "a\0b"s));
  EXPECT_TRUE(refused("X\r\nY", "a"));
  EXPECT_TRUE(refused("X:", "a"));
  EXPECT_TRUE(refused("", "a"));
  EXPECT_TRUE(refused("X", " a"));
  EXPECT_TRUE(refused("content-length", "5"));
  EXPECT_TRUE(refused("Transfer-Encoding", "chunked"));
  EXPECT_TRUE(refused("Connection", "X"));
  EXPECT_FALSE(encode(Response::redirect("/a\r\nX: y"), {}).has_value());
  EXPECT_FALSE(encode(Response{.status = 100}, {}).has_value());
  EXPECT_FALSE(encode(Response{.status = 204, .body = "x"}, {}).has_value());
}

TEST(Encoder, WritesARequestThatReadsBack) {
  Request request;
  request.method = "POST";
  request.path = "/a b/\xc3\xa9?#%";
  request.query = "x=%2F";
  request.headers.add("Host", "gw.test");
  request.body = "hello";
  const auto bytes = encode(request);
  ASSERT_TRUE(bytes.has_value()) << bytes.error().detail;
  RequestDecoder decoder;
  Bytes input = as_bytes(*bytes);
  const auto back = decoder.take(input);
  ASSERT_TRUE(back.has_value()) << back.error().reason;
  EXPECT_EQ((*back)->path, request.path);
  EXPECT_EQ((*back)->query, request.query);
  EXPECT_EQ((*back)->body, request.body);
}

TEST(Encoder, RefusesARequestThatWouldReadBackAsAnother) {
  const auto refused = [](std::string method, std::string path, std::string query) {
    Request request;
    request.method = std::move(method);
    request.path = std::move(path);
    request.query = std::move(query);
    request.headers.add("Host", "gw.test");
    return !encode(request).has_value();
  };
  EXPECT_FALSE(refused("GET", "/a", "b=1"));
  EXPECT_TRUE(refused("GET /", "/a", ""));
  EXPECT_TRUE(refused("GET", "a", ""));
  EXPECT_TRUE(refused("GET", "/../a", ""));
  EXPECT_TRUE(refused("GET", "/a\r\nX: y", ""));
  EXPECT_TRUE(refused("GET", "/a;b", ""));
  EXPECT_TRUE(refused("GET", "/%2e", ""));
  EXPECT_TRUE(refused("GET", "/\xff", ""));
  EXPECT_TRUE(refused("GET", "/a", "b c"));
  EXPECT_TRUE(refused("GET", "/a", "b\r\nX: y"));
  EXPECT_FALSE(encode(Request{.method = "GET", .path = "/"}).has_value());
}

}  // namespace
}  // namespace sallyport::http

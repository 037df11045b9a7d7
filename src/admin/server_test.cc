// The server on memory streams: order, limits, deadlines, refusals and shutdown.

#include "admin/server.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "http/response_decoder.h"
#include "net/memory_stream.h"
#include "net/reactor.h"

namespace sallyport::admin {
namespace {

using namespace std::chrono_literals;

net::Task<http::Response> slow(std::chrono::milliseconds delay) {
  co_await net::Reactor::current().sleep_for(delay);
  co_return http::Response::text(200, "slow");
}

net::Task<http::Response> broken() {
  throw std::runtime_error("a bug in a handler");
  co_return http::Response();
}

/// A server with a few routes and one client on a memory stream.
struct Fixture {
  explicit Fixture(ServerOptions options = {}, net::MemoryOptions memory = {})
      : server(router, std::move(options)),
        reactor(net::Reactor::make().value()),
        pair(net::make_memory_pair(memory)) {
    router.add("GET", "/hello", at_once([](const http::Request& request) {
                 return http::Response::text(200, "hello " + request.query);
               }));
    router.add("POST", "/echo", at_once([](const http::Request& request) {
                 return http::Response::text(200, request.body);
               }));
    router.add("GET", "/split", at_once([](const http::Request&) {
                 return http::Response::redirect("/a\r\nSet-Cookie: stolen=1");
               }));
    router.add("GET", "/own", at_once([](const http::Request&) {
                 auto response = http::Response::html(200, "<p>");
                 response.headers.add("Content-Security-Policy", "default-src 'self'");
                 return response;
               }));
    router.add("GET", "/slow", [](const http::Request&) { return slow(50ms); });
    router.add("GET", "/broken", [](const http::Request&) { return broken(); });
    reactor->spawn("client", server.serve_client(std::move(pair.a)));
  }

  /// Everything that the server sends until it closes, or for 200 ms.
  std::string receive() {
    return reactor->run_to_end(receive_all(*pair.b, reactor->now() + 200ms));
  }
  std::string exchange(std::string_view bytes) {
    feed(bytes);
    return receive();
  }
  void feed(std::string_view bytes) { reactor->run_to_end(write(*pair.b, bytes)); }

  static net::Task<std::string> receive_all(net::Stream& stream, SteadyTime until) {
    std::string all;
    stream.set_read_deadline(until);
    while (true) {
      auto chunk = co_await stream.read();
      if (!chunk) {
        if (chunk.error().code == Errc::closed) all += "<closed>";
        co_return all;
      }
      all += as_text(chunk->bytes());
    }
  }
  static net::Task<void> write(net::Stream& stream, std::string_view bytes) {
    // The server may have closed already; then what it sent says why.
    auto written = co_await stream.write(as_bytes(bytes));
    static_cast<void>(written);
  }

  Router router;
  Server server;
  std::unique_ptr<net::Reactor> reactor;
  net::MemoryPair pair;
};

std::string get(std::string_view target, std::string_view lines = "") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: gw.test\r\n" + std::string(lines) +
         "\r\n";
}
std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(AdminServer, AnswersAndKeepsTheConnection) {
  Fixture fixture;
  const auto answer = fixture.exchange(get("/hello?x"));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\nhello x")) << answer;
  EXPECT_EQ(answer.find("Server:"), std::string::npos);
  EXPECT_TRUE(fixture.exchange(get("/hello?y")).ends_with("hello y"));
}

TEST(AdminServer, SaysNothingThatABrowserCouldMisuse) {
  Fixture fixture;
  const auto answer = fixture.exchange(get("/hello"));
  for (const auto* field :
       {"X-Content-Type-Options: nosniff", "X-Frame-Options: DENY", "Cache-Control: no-store",
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'",
        "Referrer-Policy: no-referrer", "Date: "}) {
    EXPECT_EQ(count(answer, field), 1U) << field;
  }
  const auto own = fixture.exchange(get("/own"));
  EXPECT_EQ(count(own, "Content-Security-Policy"), 1U);
  EXPECT_EQ(count(own, "default-src 'self'"), 1U);
}

TEST(AdminServer, AnswersPipelinedRequestsInOrder) {
  Fixture fixture;
  const auto answer = fixture.exchange(get("/slow") + get("/hello?2") +
                                       "POST /echo HTTP/1.1\r\nHost: gw.test\r\n"
                                       "Content-Length: 5\r\n\r\nthree" +
                                       get("/hello?4", "Connection: close\r\n") + get("/hello?5"));
  const auto at = [&](std::string_view text) { return answer.find(text); };
  EXPECT_LT(at("slow"), at("hello 2"));
  EXPECT_LT(at("hello 2"), at("three"));
  EXPECT_LT(at("three"), at("hello 4"));
  EXPECT_EQ(at("hello 5"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("<closed>"));
}

TEST(AdminServer, GivesTheSameAnswerToTornBytes) {
  Fixture fixture({}, {.read_bytes_max = 1});
  const auto answer = fixture.exchange(
      "POST /echo HTTP/1.1\r\nHost: gw.test\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n" +
      get("/hello?z"));
  EXPECT_EQ(count(answer, "onetwo"), 1U) << answer;
  EXPECT_EQ(count(answer, "hello z"), 1U);
}

TEST(AdminServer, HeadHasTheFieldsAndNoBody) {
  Fixture fixture;
  const auto answer = fixture.exchange("HEAD /hello?x HTTP/1.1\r\nHost: gw.test\r\n\r\n");
  EXPECT_NE(answer.find("Content-Length: 7\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST(AdminServer, UnknownPathsAre404AndOtherMethods405WithAllow) {
  Fixture fixture;
  EXPECT_TRUE(fixture.exchange(get("/nope")).starts_with("HTTP/1.1 404 "));
  const auto refused = fixture.exchange("DELETE /hello HTTP/1.1\r\nHost: gw.test\r\n\r\n");
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 405 "));
  EXPECT_EQ(count(refused, "Allow: GET, HEAD, OPTIONS\r\n"), 1U);
  const auto options = fixture.exchange("OPTIONS /echo HTTP/1.1\r\nHost: gw.test\r\n\r\n");
  EXPECT_TRUE(options.starts_with("HTTP/1.1 204 "));
  EXPECT_EQ(count(options, "Allow: POST, OPTIONS\r\n"), 1U);
}

TEST(AdminServer, RefusesAndClosesOnWhatIsNotARequest) {
  for (const auto& [bytes, status] : std::vector<std::pair<std::string, std::string>>{
           {"\x16\x03\x01garbage", "400"},
           {"GET /hello HTTP/1.1\r\n\r\n", "400"},
           {get("/hello", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), "400"},
           {get("/a%2fb"), "400"},
           {"GET /hello HTTP/1.0\r\n\r\n", "505"},
           {"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", "501"},
           {get("/" + std::string(9000, 'a')), "414"},
           {get("/hello", "X: " + std::string(33000, 'a') + "\r\n"), "431"},
           {get("/hello", "Content-Length: 9999999\r\n"), "413"},
           {get("/hello", "Expect: magic\r\n"), "417"}}) {
    Fixture fixture({.linger_max = 10ms});
    const auto answer = fixture.exchange(bytes + get("/hello?smuggled"));
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + status)) << answer;
    EXPECT_EQ(count(answer, "Date: "), 1U) << answer;
    EXPECT_EQ(count(answer, "Connection: close"), 1U);
    EXPECT_TRUE(answer.ends_with("<closed>")) << answer;
    EXPECT_EQ(fixture.server.connections(), 0U);
  }
}

TEST(AdminServer, RefusesANameThatIsNotItsOwn) {
  Fixture fixture({.linger_max = 10ms, .hosts = {"GW.test", "[::1]"}});
  EXPECT_TRUE(fixture.exchange(get("/hello")).starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(fixture.exchange("GET /hello HTTP/1.1\r\nHost: [::1]:80\r\n\r\n")
                  .starts_with("HTTP/1.1 200 "));
  const auto answer =
      fixture.exchange("GET /hello HTTP/1.1\r\nHost: evil.example:80\r\n\r\n" + get("/hello"));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 421 ")) << answer;
  EXPECT_TRUE(answer.ends_with("<closed>"));
}

TEST(AdminServer, ASlowHeaderEndsAtItsDeadlineHoweverItTrickles) {
  Fixture fixture({.header_max = 60ms, .idle_max = 1s, .linger_max = 10ms});
  const auto began = std::chrono::steady_clock::now();
  std::string answer;
  fixture.feed("GET /hello HTTP/1.1\r\n");
  for (int i = 0; i < 100 && answer.empty(); ++i) {
    fixture.feed("X: y\r\n");
    answer = fixture.reactor->run_to_end(
        Fixture::receive_all(*fixture.pair.b, std::chrono::steady_clock::now() + 5ms));
  }
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 408 ")) << answer;
  EXPECT_LT(std::chrono::steady_clock::now() - began, 500ms);
}

TEST(AdminServer, ASlowBodyEndsAtItsDeadline) {
  Fixture fixture({.body_max = 30ms, .idle_max = 1s, .linger_max = 10ms});
  const auto answer =
      fixture.exchange("POST /echo HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 100\r\n\r\nabc");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 408 ")) << answer;
  EXPECT_TRUE(answer.ends_with("<closed>"));
}

TEST(AdminServer, AnIdleConnectionEndsWithoutAWord) {
  Fixture fixture({.idle_max = 30ms});
  EXPECT_EQ(fixture.receive(), "<closed>");
}

TEST(AdminServer, AConnectionThatWasUsedEndsWhenIdle) {
  Fixture fixture({.idle_max = 30ms});
  const auto answer = fixture.exchange(get("/hello"));
  EXPECT_EQ(count(answer, "HTTP/1.1 "), 1U);
  EXPECT_TRUE(answer.ends_with("hello <closed>")) << answer;
}

TEST(AdminServer, SaysContinueOnceWhenAsked) {
  Fixture fixture;
  auto answer = fixture.exchange(
      "POST /echo HTTP/1.1\r\nHost: gw.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(answer, "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(fixture.exchange("ab"), "");
  EXPECT_TRUE(fixture.exchange("cd").ends_with("abcd"));
}

TEST(AdminServer, AHandlersBadHeaderIsA500AndSplitsNothing) {
  Fixture fixture;
  const auto answer = fixture.exchange(get("/split"));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 500 ")) << answer;
  EXPECT_EQ(count(answer, "stolen"), 0U);
}

TEST(AdminServer, AHandlersBugEndsItsConnectionOnly) {
  Fixture fixture;
  EXPECT_EQ(fixture.exchange(get("/broken")), "<closed>");
  EXPECT_EQ(fixture.server.connections(), 0U);
  auto next = net::make_memory_pair();
  fixture.reactor->spawn("client", fixture.server.serve_client(std::move(next.a)));
  fixture.pair.b = std::move(next.b);
  EXPECT_TRUE(fixture.exchange(get("/hello")).starts_with("HTTP/1.1 200 "));
}

TEST(AdminServer, SurvivesAStreamThatFailsAtEveryOperation) {
  for (std::size_t n = 1; n < 12; ++n) {
    for (int kind = 0; kind < 3; ++kind) {
      Fixture fixture({.linger_max = 10ms});
      auto pair = net::make_memory_pair();
      net::Faults faults;
      (kind == 0 ? faults.fail_read : kind == 1 ? faults.fail_write : faults.close_at) = n;
      pair.a->set_faults(faults);
      fixture.reactor->spawn("client", fixture.server.serve_client(std::move(pair.a)));
      fixture.pair.b = std::move(pair.b);
      const auto answer =
          fixture.exchange(get("/hello?1") + get("/slow") + get("/hello?3") + get("/a%2fb"));
      EXPECT_LE(count(answer, "HTTP/1.1 "), 4U);
    }
  }
}

TEST(AdminServer, ShutdownLetsARunningRequestFinish) {
  Fixture fixture;
  fixture.feed(get("/slow") + get("/hello"));
  fixture.reactor->run_to_end(fixture.reactor->sleep_for(10ms));
  EXPECT_TRUE(fixture.reactor->run_to_end(fixture.server.shutdown(2s)));
  const auto answer = fixture.receive();
  EXPECT_EQ(count(answer, "HTTP/1.1 200 OK"), 1U) << answer;
  EXPECT_EQ(count(answer, "Connection: close"), 1U);
  EXPECT_TRUE(answer.ends_with("<closed>"));
  EXPECT_EQ(fixture.server.connections(), 0U);
}

TEST(AdminServer, ShutdownClosesIdleConnectionsAtOnce) {
  Fixture fixture;
  EXPECT_TRUE(fixture.exchange(get("/hello")).ends_with("hello "));
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(fixture.reactor->run_to_end(fixture.server.shutdown(10s)));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 1s);
  EXPECT_EQ(fixture.receive(), "<closed>");
}

TEST(AdminServer, ShutdownSaysWhenAHandlerDoesNotEnd) {
  Fixture fixture;
  fixture.router.add("GET", "/stuck", [](const http::Request&) { return slow(60s); });
  fixture.feed(get("/stuck"));
  fixture.reactor->run_to_end(fixture.reactor->sleep_for(5ms));
  EXPECT_FALSE(fixture.reactor->run_to_end(fixture.server.shutdown(5ms)));
  EXPECT_EQ(fixture.server.connections(), 1U);
}

TEST(AdminServer, ShutdownCutsWhatDoesNotFinish) {
  Fixture fixture;
  fixture.feed("POST /echo HTTP/1.1\r\nHost: gw.test\r\nContent-Length: 9\r\n\r\nabc");
  fixture.reactor->run_to_end(fixture.reactor->sleep_for(5ms));
  EXPECT_TRUE(fixture.reactor->run_to_end(fixture.server.shutdown(20ms)));
  EXPECT_EQ(fixture.server.connections(), 0U);
}

}  // namespace
}  // namespace sallyport::admin

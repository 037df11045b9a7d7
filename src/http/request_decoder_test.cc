// The request decoder: what it accepts has one meaning, and how the bytes were torn changes
// nothing.

#include "http/request_decoder.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace sallyport::http {
namespace {

using namespace std::string_literals;

/// What came out of a stream of bytes: whole requests, and the status that ended it (0: none).
struct Read {
  std::vector<Request> requests;
  int status = 0;
  std::string reason;
};

void feed(RequestDecoder& decoder, Bytes input, Read& into) {
  while (into.status == 0) {
    auto taken = decoder.take(input);
    if (!taken) {
      into.status = taken.error().status;
      into.reason = taken.error().reason;
      return;
    }
    if (!*taken) {
      EXPECT_TRUE(input.empty());
      return;
    }
    into.requests.push_back(std::move(**taken));
  }
}

Read read_in_pieces(std::string_view text, std::size_t first, std::size_t then,
                    RequestLimits limits = {}) {
  RequestDecoder decoder(limits);
  Read read;
  feed(decoder, as_bytes(text.substr(0, first)), read);
  for (std::size_t at = first; at < text.size() && read.status == 0; at += then) {
    feed(decoder, as_bytes(text.substr(at, then)), read);
  }
  return read;
}

Read read_whole(std::string_view text, RequestLimits limits = {}) {
  return read_in_pieces(text, text.size(), 1, limits);
}

void expect_same(const Read& a, const Read& b) {
  EXPECT_EQ(a.status, b.status);
  EXPECT_EQ(a.reason, b.reason);
  ASSERT_EQ(a.requests.size(), b.requests.size());
  for (std::size_t i = 0; i < a.requests.size(); ++i) {
    EXPECT_EQ(a.requests[i].path, b.requests[i].path);
    EXPECT_EQ(a.requests[i].body, b.requests[i].body);
    EXPECT_EQ(a.requests[i].headers.all.size(), b.requests[i].headers.all.size());
  }
}

/// Reads `text` whole, a byte at a time, and cut in two at every byte: always the same.
Read read_torn(std::string_view text, RequestLimits limits = {}) {
  const auto whole = read_whole(text, limits);
  expect_same(whole, read_in_pieces(text, 0, 1, limits));
  const std::size_t step = text.size() < 1000 ? 1 : 61;
  for (std::size_t cut = 0; cut < text.size(); cut += step) {
    expect_same(whole, read_in_pieces(text, cut, text.size(), limits));
  }
  return whole;
}

std::string get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: gw.test\r\n\r\n";
}
std::string with_headers(std::string_view lines) {
  return "POST /x HTTP/1.1\r\nHost: gw.test\r\n" + std::string(lines) + "\r\n";
}
std::string chunked(std::string_view body) {
  return with_headers("Transfer-Encoding: chunked\r\n") + std::string(body);
}
std::string with_host(std::string_view lines) {
  return "GET / HTTP/1.1\r\n" + std::string(lines) + "\r\n";
}

struct Case {
  std::string bytes;
  int status;
};

void expect_refused(const std::vector<Case>& cases) {
  for (const auto& [bytes, status] : cases) {
    SCOPED_TRACE(bytes.substr(0, 200));
    const auto read = read_torn(bytes);
    EXPECT_EQ(read.status, status) << read.reason;
    EXPECT_TRUE(read.requests.empty());
    // Nothing that follows a refusal is read as a request.
    EXPECT_TRUE(read_whole(bytes + get("/smuggled")).requests.empty());
  }
}

TEST(RequestDecoder, RefusesBadRequestLines) {
  expect_refused({
      {"\r\n" + get("/"), 400},
      {"\n" + get("/"), 400},
      {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
      {"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /\r\nHost: a\r\n\r\n", 400},
      {"GET\r\nHost: a\r\n\r\n", 400},
      {"GET /", 0},  // not yet a line: no request, no refusal
      {"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/11\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.x\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP /1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTPS/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / \r\nHost: a\r\n\r\n", 400},
      {"HTTP/1.1 200 OK\r\nHost: a\r\n\r\n", 400},
      {"\x16\x03\x01\x02"s, 400},  // a TLS client hello
      {"GET / HTTP/1.1\0\r\nHost: a\r\n\r\n"s, 400},
  });
}

TEST(RequestDecoder, RefusesOtherVersions) {
  expect_refused({
      {"GET / HTTP/1.0\r\nHost: a\r\n\r\n", 505},
      {"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505},
      {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505},
  });
}

TEST(RequestDecoder, RefusesBadAndUnknownMethods) {
  expect_refused({
      {"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET, / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GE\xc3\x89 / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"G\0T / HTTP/1.1\r\nHost: a\r\n\r\n"s, 400},
      {"\"GET\" / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"get / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"Get / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501},
      {"PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"FOO / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"PRI / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
  });
}

TEST(RequestDecoder, RefusesAmbiguousTargets) {
  std::vector<Case> cases;
  for (const auto* target : {"*",
                             "a",
                             "a/b",
                             "?x",
                             "/a%2Fb",
                             "/a%2fb",
                             "/%2f",
                             "/a%5Cb",
                             "/a%5cb",
                             "/a\\b",
                             "/a%00",
                             "/a%00.txt",
                             "/%0d%0aX:1",
                             "/a%0A",
                             "/a%7f",
                             "/a%09b",
                             "/..",
                             "/../",
                             "/a/..",
                             "/a/../b",
                             "/.",
                             "/./a",
                             "/a/.",
                             "/%2e%2e/a",
                             "/%2E%2E/a",
                             "/a/%2e",
                             "/.%2e/a",
                             "/%2e./a",
                             "//",
                             "//a",
                             "/a//b",
                             "/a//",
                             "/a;b",
                             "/a;x=1/b",
                             "/a%3Bb",
                             "/a%3b",
                             "/%252e%252e/a",
                             "/a%252fb",
                             "/a%2541",
                             "/a%25%34%31",
                             "/%",
                             "/%4",
                             "/%zz",
                             "/a%2",
                             "/%u002e",
                             "/#f",
                             "/a#f",
                             "/a?b#c",
                             "/a\"b",
                             "/a<b",
                             "/a>b",
                             "/a{b}",
                             "/a|b",
                             "/a^b",
                             "/a`b",
                             "/a[b]",
                             "/\xc3\xa9",
                             "/%c0%ae%c0%ae/a",
                             "/%c0%af",
                             "/%e0%80%af",
                             "/%ff",
                             "/%ed%a0%80",
                             "/%f4%90%80%80",
                             "/%c3",
                             "/a?\xc3\xa9",
                             "/a?b=%zz",
                             "/a?b=%",
                             "/a?b=%00",
                             "/a?<b>",
                             "/a?\"b\"",
                             "/a?b=1;c=2",
                             "http://",
                             "http:///a",
                             "http:/a",
                             "http:a",
                             "ftp://gw.test/a",
                             "file:///etc/passwd",
                             "gw.test/a",
                             "gw.test:80",
                             "javascript://gw.test/a"}) {
    cases.push_back({get(target), 400});
  }
  cases.push_back({"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"s, 400});
  cases.push_back({"GET /a\x7f HTTP/1.1\r\nHost: a\r\n\r\n"s, 400});
  expect_refused(cases);
}

TEST(RequestDecoder, RefusesMissingRepeatedAndBadHosts) {
  std::vector<Case> cases{
      {with_host(""), 400},
      {with_host("Host: a\r\nHost: a\r\n"), 400},
      {with_host("Host: a\r\nhost: b\r\n"), 400},
      {with_host("HOST: a\r\nX: y\r\nHost: b\r\n"), 400},
      {with_host("H\xc3\xb6st: a\r\n"), 400},
  };
  for (const auto* host : {"",     "a,b",  "a b",     "a/b",      "user@a",  "http://a", "a:",
                           "a:x",  "a:-1", "a:65536", "a:000080", "a:80:80", ":80",      ".a",
                           "a..b", "[::1", "::1",     "[]",       "[x]",     "[::1]x",   "[::1]:",
                           "a\\b", "a?b",  "a#b",     "%61",      "a;b",     "a\xc3\xa9"}) {
    cases.push_back({with_host("Host: " + std::string(host) + "\r\n"), 400});
  }
  for (const auto* target : {"http://other/", "http://gw.test:80/", "https://gw.test.evil/",
                             "http://gw.test@evil/", "http://user@gw.test/", "http://evil/gw.test",
                             "http://gw.test%00/", "http://gw.test/../", "http://gw.test//a"}) {
    cases.push_back({get(target), 400});
  }
  expect_refused(cases);
}

TEST(RequestDecoder, RefusesBadHeaderLines) {
  expect_refused({
      {with_headers("X : y\r\n"), 400},
      {with_headers("X\t: y\r\n"), 400},
      {with_headers(" X: y\r\n"), 400},
      {with_headers("X: y\r\n folded\r\n"), 400},
      {with_headers("X: y\r\n\tfolded\r\n"), 400},
      {with_headers("X: y\r\n \r\n"), 400},
      {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
      {with_headers("no colon\r\n"), 400},
      {with_headers("X\r\n"), 400},
      {with_headers(": y\r\n"), 400},
      {with_headers("X Y: z\r\n"), 400},
      {with_headers("X(Y): z\r\n"), 400},
      {with_headers("X/Y: z\r\n"), 400},
      {with_headers("\"X\": z\r\n"), 400},
      {with_headers("X\xc3\xa9: z\r\n"), 400},
      {with_headers("X\0: z\r\n"s), 400},
      {with_headers("X: a\0b\r\n"s), 400},
      {with_headers("X: a\x01z\r\n"), 400},
      {with_headers("X: a\x0bz\r\n"), 400},
      {with_headers("X: a\x1b[31m\r\n"), 400},
      {with_headers("X: a\x7f\r\n"), 400},
      {with_headers("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"), 400},
      {with_headers("Content-Type: text/plain\r\ncontent-type: text/html\r\n"), 400},
      {with_headers("Cookie: a=1\r\nCookie: a=2\r\n"), 400},
      {with_headers("DPoP: a\r\nDPoP: b\r\n"), 400},
      {with_headers("Origin: http://a\r\nOrigin: http://b\r\n"), 400},
      {with_headers("Connection: X-User\r\nX-User: a\r\n"), 400},
      {with_headers("Connection: close, Authorization\r\n"), 400},
      {with_headers("Connection: close,\r\n"), 400},
      {with_headers("Connection: Content-Length\r\nContent-Length: 0\r\n"), 400},
      {with_headers("Connection: \r\n"), 400},
      {with_headers("Expect: 200-ok\r\n"), 417},
      {with_headers("Expect: 100-continue, x\r\n"), 417},
  });
}

TEST(RequestDecoder, RefusesBareCrAndBareLf) {
  expect_refused({
      {"GET / HTTP/1.1\nHost: a\n\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
      {"GET / HTTP/1.1\rHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: y\rZ: w\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: y\nZ: w\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\n\rX", 400},
      {"GET / HTTP/1.1\n\r\nHost: a\r\n\r\n", 400},
      {"GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", 400},
  });
}

TEST(RequestDecoder, RefusesBadContentLengths) {
  std::vector<Case> cases{
      {with_headers("Content-Length: 5\r\nContent-Length: 5\r\n") + "hello", 400},
      {with_headers("Content-Length: 5\r\nContent-Length: 6\r\n") + "hello", 400},
      {with_headers("Content-Length: 5\r\ncontent-length: 0\r\n") + "hello", 400},
      {with_headers("Content-Length : 5\r\n") + "hello", 400},
  };
  for (const auto* length :
       {"+5", "-5", "-0", "5,5", "5, 5", "5 5", "0x5", "5x", "5.0", "1e1", "", "\"5\"", "05", "00",
        "18446744073709551616", "99999999999999999999", "\xd9\xa5", "5;", "five"}) {
    cases.push_back(
        {with_headers("Content-Length: " + std::string(length) + "\r\n") + "hello", 400});
  }
  cases.push_back({with_headers("Content-Length: 1048577\r\n"), 413});
  cases.push_back({with_headers("Content-Length: 18446744073709551615\r\n"), 413});
  expect_refused(cases);
}

TEST(RequestDecoder, RefusesAmbiguousTransferCodings) {
  std::vector<Case> cases{
      {with_headers("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n", 400},
      {with_headers("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n", 400},
      {with_headers("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n") + "0\r\n\r\n", 400},
      {with_headers("Transfer-Encoding: identity\r\nContent-Length: 5\r\n") + "hello", 400},
      {with_headers("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
      {with_headers("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), 400},
      {with_headers("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"), 400},
      {with_headers("Transfer-Encoding : chunked\r\n"), 400},
      {with_headers("Transfer-Encoding:\x0b"
                    "chunked\r\n"),
       400},
      {with_headers("Transfer-Encoding: \r\n"), 400},
      {with_headers("Transfer-Encoding: chunked, chunked\r\n"), 400},
      {with_headers("Transfer-Encoding: chunked, identity\r\n"), 400},
      {with_headers("Transfer-Encoding: chunked,\r\n"), 400},
  };
  for (const auto* coding :
       {"xchunked", "chunkedx", "identity", "gzip", "gzip, chunked", "chunked;q=1", "\"chunked\"",
        "chunk", "x chunked", "deflate", "'chunked'", ",chunked"}) {
    cases.push_back({with_headers("Transfer-Encoding: " + std::string(coding) + "\r\n"), 501});
  }
  expect_refused(cases);
}

TEST(RequestDecoder, RefusesBadChunking) {
  std::vector<Case> cases;
  for (const auto* body : {"\r\n",
                           "x\r\n",
                           "-1\r\n",
                           "+5\r\nhello\r\n",
                           "0x5\r\nhello\r\n",
                           " 5\r\nhello\r\n",
                           "5 \r\nhello\r\n",
                           "5\t\r\nhello\r\n",
                           "5;\r\nhello\r\n",
                           "5;a\r\nhello\r\n",
                           "5;a=b\r\nhello\r\n",
                           "5 ;a=b\r\nhello\r\n",
                           "5\nhello\r\n",
                           "5\rhello\r\n",
                           "5\r\nhello\n0\r\n\r\n",
                           "5\r\nhello\r0\r\n\r\n",
                           "5\r\nhelloX\r\n",
                           "5\r\nhello0\r\n\r\n",
                           "4\r\nhello\r\n0\r\n\r\n",
                           "5,5\r\n",
                           "5\r\nhello\r\n\r\n",
                           "000000005\r\nhello\r\n",
                           "123456789\r\n",
                           "ffffffffffffffff\r\n",
                           "0\r\nX: y\r\n\r\n",
                           "0\r\nContent-Length: 5\r\n\r\n",
                           "0\r\n\n",
                           "0\n\r\n",
                           "0\r\n\r0",
                           "0;a\r\n\r\n",
                           "0\r\n \r\n",
                           "5\r\nhello\r\n0 \r\n\r\n"}) {
    cases.push_back({chunked(body), 400});
  }
  cases.push_back({chunked("5\0\r\nhello\r\n"s), 400});
  cases.push_back({chunked("100001\r\n"), 413});
  cases.push_back({chunked("fffff\r\n" + std::string(0xfffff, 'x') + "\r\n2\r\n"), 413});
  for (const auto& [bytes, status] : cases) {
    SCOPED_TRACE(bytes.substr(0, 200));
    const auto read = bytes.size() < 1000 ? read_torn(bytes) : read_whole(bytes);
    EXPECT_EQ(read.status, status) << read.reason;
    EXPECT_TRUE(read.requests.empty());
  }
}

TEST(RequestDecoder, RefusesWhatIsAboveALimit) {
  std::string many;
  for (int i = 0; i < 100; ++i) many += "X: y\r\n";
  std::string wide;
  for (int i = 0; i < 40; ++i) wide += "X: " + std::string(1000, 'y') + "\r\n";
  expect_refused({
      {get("/" + std::string(8192, 'a')), 414},
      {std::string(8193, 'A'), 414},
      {std::string(8193, 'A') + " / HTTP/1.1\r\n", 414},
      {with_headers(many), 431},
      {with_headers(wide), 431},
      {with_headers("X: " + std::string(32768, 'y') + "\r\n"), 431},
      {with_headers(std::string(32769, 'X')), 431},
  });
}

TEST(RequestDecoder, AcceptsWhatIsExactlyAtALimit) {
  const std::string overhead = "GET  HTTP/1.1";
  EXPECT_EQ(read_torn(get("/" + std::string(8192 - overhead.size() - 1, 'a'))).requests.size(), 1U);
  std::string many;
  for (int i = 0; i < 99; ++i) many += "X: y\r\n";
  EXPECT_EQ(read_torn(with_headers(many)).requests.size(), 1U);

  RequestLimits limits;
  limits.body_bytes_max = 10;
  const auto length = [](int n) {
    return with_headers("Content-Length: " + std::to_string(n) + "\r\n") +
           std::string(static_cast<std::size_t>(n), 'x');
  };
  EXPECT_EQ(read_torn(length(10), limits).requests.size(), 1U);
  EXPECT_EQ(read_torn(length(11), limits).status, 413);
  EXPECT_EQ(read_torn(chunked("5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"), limits).requests.size(),
            1U);
  EXPECT_EQ(read_torn(chunked("5\r\nhello\r\n6\r\nworld!\r\n0\r\n\r\n"), limits).status, 413);
}

TEST(RequestDecoder, ReadsARequestWhole) {
  const auto read = read_torn(
      "POST /a%20b/%C3%A9?x=1&y=%2F HTTP/1.1\r\nHost: gw.test:8443\r\nX-One:  two words \r\n"
      "Empty:\r\nContent-Length: 5\r\n\r\nhello");
  ASSERT_EQ(read.requests.size(), 1U);
  const auto& request = read.requests[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/a b/\xc3\xa9");
  EXPECT_EQ(request.query, "x=1&y=%2F");
  EXPECT_EQ(request.headers.get("x-one"), "two words");
  EXPECT_EQ(request.headers.get("empty"), "");
  EXPECT_EQ(request.body, "hello");
}

TEST(RequestDecoder, ReadsChunksAsOneBody) {
  const auto read = read_torn(chunked("5\r\nhello\r\n00C\r\n, it's again\r\n0\r\n\r\n"));
  ASSERT_EQ(read.requests.size(), 1U);
  EXPECT_EQ(read.requests[0].body, "hello, it's again");
}

TEST(RequestDecoder, AcceptsAbsoluteFormThatAgrees) {
  EXPECT_EQ(read_torn(get("http://gw.test/a?b")).requests.at(0).path, "/a");
  EXPECT_EQ(read_torn(get("HTTPS://GW.test/a?b")).requests.at(0).query, "b");
  EXPECT_EQ(read_torn(get("http://gw.test")).requests.at(0).path, "/");
  EXPECT_EQ(read_torn(get("http://gw.test?q")).requests.at(0).query, "q");
}

TEST(RequestDecoder, AcceptsOrdinaryTargetsAndHosts) {
  for (const auto* target : {"/", "/a", "/a/", "/a/b.c", "/.well-known/openid-configuration",
                             "/...", "/a..b", "/a%20b", "/a:b@c", "/~u", "/(x)*", "/a%25",
                             "/100%25", "/a%3F%23", "/?", "/?a=[1]&b={x|y}^", "/?a=%2e%2e/"}) {
    EXPECT_EQ(read_torn(get(target)).requests.size(), 1U) << target;
  }
  for (const auto* host : {"a", "A.example.com", "127.0.0.1:8080", "[::1]", "[::1]:443", "a_b",
                           "localhost:65535", "example.com."}) {
    EXPECT_EQ(read_torn(with_host("Host: " + std::string(host) + "\r\n")).requests.size(), 1U)
        << host;
  }
}

TEST(RequestDecoder, GivesPipelinedRequestsOneAtATimeInOrder) {
  const auto text = get("/1") + with_headers("Content-Length: 2\r\n") + "ab" +
                    chunked("1\r\nc\r\n0\r\n\r\n") + get("/4");
  const auto read = read_torn(text);
  ASSERT_EQ(read.requests.size(), 4U);
  EXPECT_EQ(read.requests[0].path, "/1");
  EXPECT_EQ(read.requests[1].body, "ab");
  EXPECT_EQ(read.requests[2].body, "c");
  EXPECT_EQ(read.requests[3].path, "/4");
  EXPECT_TRUE(read.requests[3].headers.get("Content-Length") == std::nullopt);
}

TEST(RequestDecoder, TakesNoByteOfTheNextRequest) {
  RequestDecoder decoder;
  const auto text = get("/1") + get("/2");
  Bytes input = as_bytes(text);
  ASSERT_TRUE(decoder.take(input).value().has_value());
  EXPECT_EQ(as_text(input), get("/2"));
  EXPECT_TRUE(decoder.idle());
}

TEST(RequestDecoder, SaysWhetherTheConnectionGoesOn) {
  const auto keeps = [](std::string_view lines) {
    RequestDecoder decoder;
    const auto text = with_headers(lines);
    Bytes input = as_bytes(text);
    EXPECT_TRUE(decoder.take(input).value().has_value());
    return decoder.keep_alive();
  };
  EXPECT_TRUE(keeps(""));
  EXPECT_TRUE(keeps("Connection: keep-alive\r\n"));
  EXPECT_TRUE(keeps("Connection: Upgrade, HTTP2-Settings\r\n"));
  EXPECT_FALSE(keeps("Connection: close\r\n"));
  EXPECT_FALSE(keeps("Connection: keep-alive, Close\r\n"));
  EXPECT_FALSE(keeps("Connection: keep-alive\r\nConnection: close\r\n"));
}

TEST(RequestDecoder, SaysWhenTheClientWaitsForContinue) {
  RequestDecoder decoder;
  const auto head = with_headers("Expect: 100-continue\r\nContent-Length: 2\r\n");
  Bytes input = as_bytes(head);
  EXPECT_FALSE(decoder.take(input).value().has_value());
  EXPECT_TRUE(decoder.wants_continue());
  EXPECT_TRUE(decoder.in_body());
  input = as_bytes("h");
  EXPECT_FALSE(decoder.take(input).value().has_value());
  EXPECT_FALSE(decoder.wants_continue());
  input = as_bytes("i");
  EXPECT_EQ(decoder.take(input).value()->body, "hi");
  EXPECT_FALSE(decoder.wants_continue());
}

TEST(RequestDecoder, StaysRefused) {
  RequestDecoder decoder;
  Bytes input = as_bytes("GET / HTTP/9.9\r\n\r\n");
  EXPECT_EQ(decoder.take(input).error().status, 505);
  const auto good = get("/");
  input = as_bytes(good);
  EXPECT_EQ(decoder.take(input).error().status, 505);
}

}  // namespace
}  // namespace sallyport::http

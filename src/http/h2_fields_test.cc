#include "http/h2_fields.h"

#include <gtest/gtest.h>

namespace sallyport::http {
namespace {

std::vector<Header> get(std::vector<Header> more = {}) {
  std::vector<Header> fields{{":method", "GET"},
                             {":scheme", "https"},
                             {":authority", "gw.example"},
                             {":path", "/a%20b?q=1"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

int status_of(std::vector<Header> fields, bool ended = true, HeadLimits limits = {}) {
  const auto head = read_request_fields(std::move(fields), ended, limits);
  return head ? 200 : head.error().status;
}

std::vector<Header> with(std::string_view name, std::string value) {
  auto fields = get();
  for (Header& field : fields) {
    if (field.name == name) field.value = value;
  }
  return fields;
}

TEST(Http2Fields, OfARequestAreWhatHttp1SaysInLines) {
  const auto head = read_request_fields(
      get({{"accept", "*/*"}, {"cookie", "a=1"}, {"cookie", ""}, {"cookie", "b=2"}}), true, {});
  ASSERT_TRUE(head);
  EXPECT_EQ(head->request.method, "GET");
  EXPECT_EQ(head->request.path, "/a b");
  EXPECT_EQ(head->request.query, "q=1");
  EXPECT_EQ(head->request.headers.get("Host"), "gw.example");
  EXPECT_EQ(head->request.headers.get("Cookie"), "a=1; b=2");
  EXPECT_FALSE(head->has_body());
}

TEST(Http2Fields, SayHowLongABodyIs) {
  const auto known = read_request_fields(get({{"content-length", "7"}}), false, {});
  ASSERT_TRUE(known);
  EXPECT_EQ(known->framing.kind, Framing::Kind::length);
  EXPECT_EQ(known->framing.length, 7U);
  const auto unknown = read_request_fields(get(), false, {});
  ASSERT_TRUE(unknown);
  EXPECT_EQ(unknown->framing.kind, Framing::Kind::chunked);
  EXPECT_EQ(status_of(get({{"content-length", "7"}}), true), 400);
  EXPECT_EQ(status_of(get({{"content-length", "7"}, {"content-length", "7"}}), false), 400);
  EXPECT_EQ(status_of(get({{"content-length", "+7"}}), false), 400);
}

TEST(Http2Fields, RefuseWhatIsOrBecomesSomethingElseInHttp1) {
  EXPECT_EQ(status_of(get()), 200);
  for (const char* name : {"connection", "transfer-encoding", "upgrade", "keep-alive",
                           "proxy-connection", "X-Upper", "a b", "a:b", "a\r\nb", ""}) {
    EXPECT_EQ(status_of(get({{name, "x"}})), 400) << name;
  }
  for (const char* value : {"a\r\nb", "a\nb", " a", "a ", "\ta"}) {
    EXPECT_EQ(status_of(get({{"x", value}})), 400) << value;
  }
  EXPECT_EQ(status_of(get({{"te", "trailers"}})), 200);
  EXPECT_EQ(status_of(get({{"te", "chunked"}})), 400);
  for (const char* path : {"", "a", "*", "/a b", "/a\r\nb", "/..", "//a", "https://gw.example/"}) {
    EXPECT_EQ(status_of(with(":path", path)), 400) << path;
  }
  EXPECT_EQ(status_of(with(":method", "CONNECT")), 501);
  EXPECT_EQ(status_of(with(":method", "GET /")), 400);
  EXPECT_EQ(status_of(with(":scheme", "ftp")), 400);
  EXPECT_EQ(status_of(with(":authority", "a@b")), 400);
  EXPECT_EQ(status_of(with(":authority", "")), 400);
}

TEST(Http2Fields, HoldPseudoHeaderFieldsOnceAndFirst) {
  EXPECT_EQ(status_of(get({{":path", "/b"}})), 400);
  EXPECT_EQ(status_of(get({{":status", "200"}})), 400);
  EXPECT_EQ(status_of(get({{"x", "y"}, {":path", "/b"}})), 400);
  auto without = get();
  without.erase(without.begin() + 3);
  EXPECT_EQ(status_of(without), 400);
  without = get();
  without.erase(without.begin() + 2);
  EXPECT_EQ(status_of(without), 400);
  without.push_back({"host", "gw.example"});
  EXPECT_EQ(status_of(without), 200);
  EXPECT_EQ(status_of(get({{"host", "GW.example"}})), 200);
  EXPECT_EQ(status_of(get({{"host", "other.example"}})), 400);
}

TEST(Http2Fields, AreLimitedAsLinesAre) {
  const HeadLimits limits{.first_line_bytes_max = 20, .header_bytes_max = 100, .headers_max = 3};
  EXPECT_EQ(status_of(with(":path", "/" + std::string(20, 'a')), true, limits), 414);
  EXPECT_EQ(status_of(get({{"x", std::string(100, 'a')}}), true, limits), 431);
  EXPECT_EQ(status_of(get({{"a", ""}, {"b", ""}, {"c", ""}, {"d", ""}}), true, limits), 431);
}

TEST(Http2Fields, AreWrittenInLowerCaseAndNeverAboutAConnection) {
  Response response{.status = 200};
  response.headers.add("X-Upper", "v");
  auto fields = fields_of(response, {BodyForm::Kind::length, 5});
  ASSERT_TRUE(fields);
  ASSERT_EQ(fields->size(), 3U);
  EXPECT_EQ((*fields)[0].value, "200");
  EXPECT_EQ((*fields)[1].name, "x-upper");
  EXPECT_EQ((*fields)[2].value, "5");
  response.headers.add("Upgrade", "x");
  EXPECT_FALSE(fields_of(response, {}));
  Response split{.status = 200};
  split.headers.add("X", "a\r\nb");
  EXPECT_FALSE(fields_of(split, {}));
}

}  // namespace
}  // namespace sallyport::http

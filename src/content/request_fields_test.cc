#include "content/request_fields.h"

#include <gmock/gmock.h>

namespace sallyport::content {
namespace {

using Kind = RequestField::Kind;
using testing::HasSubstr;

const std::vector<std::string> paths = {"$.order.amount", "$.note", "$['a b']"};

TEST(RequestFields, FindsWhatWasAskedFor) {
  const auto fields = request_fields(
      R"({"order":{"amount":12.50,"note":"x"},"n\u006fte":"a\u0062\n","a b":true,"list":[{"note":1}]})",
      paths);
  ASSERT_TRUE(fields) << fields.error().detail;
  EXPECT_EQ(*fields,
            (std::map<std::string, RequestField>{{"$.order.amount", {Kind::number, "12.50"}},
                                                 {"$.note", {Kind::text, "ab\n"}},
                                                 {"$['a b']", {Kind::boolean, "true"}}}));
  EXPECT_TRUE(request_fields("[]", paths)->empty());
  EXPECT_TRUE(request_fields("17", paths)->empty());
  EXPECT_EQ(request_fields(R"({"note":null})", paths)->at("$.note").kind, Kind::null);
  EXPECT_TRUE(request_fields(R"([{"note":1}])", paths)->empty());
}

TEST(RequestFields, RefusesWhatATargetCouldReadDifferently) {
  for (const char* body :
       {R"({"note":1,"note":2})", R"({"note":1,"\u006eote":2})", R"({"x":{"a":1,"a":2}})",
        R"({"note":{"x":1}})", R"({"note":[1]})", R"({"order":{"amount":{}}})", "{\"note\":1",
        "{\"note\":1}x", "{'note':1}", "\xef\xbb\xbf{}", "{\"note\":\"\xff\"}",
        R"({"note":"\ud800"})", R"({"\ud800":1})", "{\"note\":01}"}) {
    EXPECT_FALSE(request_fields(body, paths)) << body;
  }
  EXPECT_THAT(request_fields("{\"note\":\"" + std::string(5000, 'x') + "\"}", paths).error().detail,
              HasSubstr("$.note is above 4096 bytes"));
  EXPECT_FALSE(request_fields(std::string(1000, '['), paths));
  EXPECT_FALSE(request_fields("{}", std::vector<std::string>{"$..a"}));
}

}  // namespace
}  // namespace sallyport::content

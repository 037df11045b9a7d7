// Helpers of whole messages: one text has one reading.

#include "http/message.h"

#include <gtest/gtest.h>

namespace sallyport::http {
namespace {

TEST(Headers, AreFoundByAnyCaseAndTheFirstWins) {
  Headers headers;
  headers.add("Content-Type", "text/html");
  headers.add("content-type", "text/plain");
  EXPECT_EQ(headers.get("CONTENT-TYPE"), "text/html");
  EXPECT_EQ(headers.get("Content-Typ"), std::nullopt);
}

TEST(Form, DecodesPlusAndPercent) {
  const auto form = parse_form("a=1+2&b=%26%3D%20&empty=&bare");
  ASSERT_TRUE(form.has_value());
  EXPECT_EQ(form->at("a"), "1 2");
  EXPECT_EQ(form->at("b"), "&= ");
  EXPECT_EQ(form->at("empty"), "");
  EXPECT_EQ(form->at("bare"), "");
  EXPECT_TRUE(parse_form("").value().empty());
}

TEST(Form, RefusesRepeatedNamesAndBrokenEscapes) {
  EXPECT_FALSE(parse_form("a=1&a=2"));
  EXPECT_FALSE(parse_form("a=1&%61=2"));
  EXPECT_FALSE(parse_form("a=%"));
  EXPECT_FALSE(parse_form("a=%4"));
  EXPECT_FALSE(parse_form("a=%zz"));
  EXPECT_FALSE(parse_form("%=1"));
}

TEST(Form, RefusesTooManyFields) {
  std::string text;
  for (int i = 0; i < 201; ++i) text += "f" + std::to_string(i) + "=x&";
  EXPECT_FALSE(parse_form(text));
}

TEST(UrlEncode, RoundTripsEveryByte) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  const auto form = parse_form("v=" + url_encode(all));
  ASSERT_TRUE(form.has_value());
  EXPECT_EQ(form->at("v"), all);
  EXPECT_EQ(url_encode("aZ09-._~"), "aZ09-._~");
}

}  // namespace
}  // namespace sallyport::http

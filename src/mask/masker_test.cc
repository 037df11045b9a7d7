#include "mask/masker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace sallyport::mask {
namespace {

using std::string_literals::operator""s;

class Masking : public testing::Test {
 protected:
  static Masker make(Mode mode) { return {*Scanner::make(patterns()), mode}; }
  static const std::shared_ptr<const Patterns>& patterns() {
    static const auto all = *Patterns::make();
    return all;
  }

  std::string hide(std::string value, const Topics& named = {}) {
    const std::size_t size = value.size();
    findings_.clear();
    const auto done = masker_.whole(value, named, findings_);
    EXPECT_TRUE(done) << done.error().detail;
    EXPECT_EQ(value.size(), size);
    return value;
  }

  /// The same value in pieces of these sizes, over and over.
  std::string hide_in_pieces(std::string_view value, const std::vector<std::size_t>& sizes) {
    TextStream stream;
    ByteVector out;
    findings_.clear();
    stream.begin({});
    std::size_t i = 0;
    while (true) {
      const std::size_t size = std::min(sizes[i++ % sizes.size()], value.size());
      const bool last = size == value.size();
      const auto done = stream.feed(masker_, value.substr(0, size), last, out, findings_);
      EXPECT_TRUE(done);
      value.remove_prefix(size);
      if (last) break;
    }
    EXPECT_FALSE(stream.holds_back());
    return std::string(as_text(out));
  }

  Masker masker_ = make(Mode::mask);
  Findings findings_;
};

TEST_F(Masking, LeavesTheShapeOfWhatHasOneAndNothingOfTheRest) {
  EXPECT_EQ(hide("mail anna.smith@example.com!"), "mail a*********@e******.com!");
  EXPECT_EQ(hide("4904 0237 8484 6686"), "**** **** **** 6686");
  EXPECT_EQ(hide("+49 170 1234567"), "+** *** *****67");
  EXPECT_EQ(hide("DE89 3704 0044 0532 0130 00"), "DE** **** **** **** **30 00");
  EXPECT_EQ(hide("219-09-9999."), "***********.");
  EXPECT_EQ(hide("postgres://bob:s3cret@db/x"), "postgres://bob:******@db/x");
  EXPECT_EQ(hide("a@example.com"), "*@*******.com") << "one letter is all of it";
  EXPECT_EQ(hide("nothing here"), "nothing here");
  EXPECT_TRUE(findings_.empty());
}

TEST_F(Masking, AnEmailInAnotherScriptLeavesNoHalfOfACharacter) {
  EXPECT_EQ(hide("müller@example.com"), "m******@e******.com");
  EXPECT_EQ(hide("åsa@example.com"), "****@e******.com");
}

TEST_F(Masking, ReportingFindsTheSameAndChangesNothing) {
  Masker report = make(Mode::report);
  std::string value = "mail anna.smith@example.com, card 4904023784846686";
  const std::string before = value;
  ASSERT_TRUE(report.whole(value, {}, findings_));
  EXPECT_EQ(value, before);
  EXPECT_EQ(findings_.found, (std::vector{Detector::email, Detector::card}));
}

TEST_F(Masking, JsonStaysJson) {
  EXPECT_EQ(hide(R"({"card": 4904023784846686, "mail": "anna@example.com"})"),
            R"({"card": null            , "mail": "a***@e******.com"})");
  EXPECT_EQ(hide("[4904023784846686]"), "[null            ]");
  EXPECT_EQ(hide(R"({"n": "4904023784846686"})"), R"({"n": "************6686"})");
  EXPECT_EQ(hide(R"({"anna@example.com": 1})"), R"({"a***@e******.com": 1})");
  EXPECT_EQ(hide("\x01{\"card\": 4904023784846686}"), "\x01{\"card\": null            }")
      << "binary jsonb has its version before it";
}

TEST_F(Masking, WhatEscapesStandForIsLookedAtToo) {
  EXPECT_EQ(hide(R"({"m":"anna\u0040example.com"})"), R"({"m":"a***\u0040e******.com"})");
  EXPECT_EQ(hide(R"("line\nAKIATRUYVWTQFENQD30P")"), R"("line\n********************")");
  EXPECT_EQ(hide(R"("k":"-----BEGIN PRIVATE KEY-----\nMIIEow\n-----END PRIVATE KEY-----\n")"),
            R"("k":"********** ******* ********\n******\n******** ******* ********\n")");
  EXPECT_EQ(hide("1\tC:\\\\tmp\tanna\\100example.com"), "1\tC:\\\\tmp\tanna\\100example.com")
      << "PostgreSQL writes no octal escapes";
  EXPECT_EQ(hide(R"(x\tanna@example.com)"), R"(x\ta***@e******.com)");
  EXPECT_EQ(findings_.found.size(), 1U) << "found twice, told once";
}

TEST_F(Masking, ByteaIsLookedAtAsWhatItStandsFor) {
  const std::string mail = "anna@example.com";
  const std::string hex = "\\x" + to_hex(as_bytes("to " + mail));
  EXPECT_EQ(hide(hex), "\\x" + to_hex(as_bytes("to a***@e******.com")));
  EXPECT_EQ(hide("\\xyz anna@example.com"), "\\xyz a***@e******.com") << "not hexadecimal";
}

TEST_F(Masking, LengthsInBinaryValuesAreNeverTouched) {
  // text[] of one element of 65 ('A') bytes: its length must not become part of an address.
  const std::string element = "lice@example.com" + std::string(49, ' ');
  ASSERT_EQ(element.size(), 65U);
  const std::string head = "\0\0\0\1\0\0\0\0\0\0\0\x19\0\0\0\1\0\0\0\1\0\0\0A"s;
  EXPECT_EQ(hide(head + element), head + "l***@e******.com" + std::string(49, ' '));
}

TEST_F(Masking, ColumnNamesSayWhatABareNumberIs) {
  EXPECT_EQ(hide("219099999"), "219099999");
  EXPECT_EQ(hide("219099999", *masker_.topics_of("customer_ssn")), "*********");
}

TEST_F(Masking, AValueTornAnywhereIsHiddenAsAWholeOneIs) {
  const std::string value =
      R"({"a":"anna@example.com","n":4904023784846686,"k":"AKIATRUYVWTQFENQD30P\n","s":"ssn 219-09-9999",)"
      R"("t":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N","p":"+49 170 1234567"})";
  const std::string whole = hide(value);
  ASSERT_EQ(findings_.found.size(), 6U);
  for (std::size_t tear = 0; tear <= value.size(); ++tear) {
    EXPECT_EQ(hide_in_pieces(value, {tear, value.size()}), whole) << "torn at " << tear;
  }
  EXPECT_EQ(hide_in_pieces(value, {1}), whole);
}

TEST_F(Masking, NothingHidesAtTheEdgeOfAWindow) {
  // Every offset of a value at both edges of what is kept from one window for the next.
  const std::string mail = " anna.smith@example.com, ssn 219099999 AKIATRUYVWTQFENQD30P ";
  const std::string hidden = hide(mail);
  ASSERT_EQ(findings_.found.size(), 3U);
  for (const std::size_t edge : {std::size_t{57104}, text_bytes_max, std::size_t{57344}}) {
    for (std::size_t at = edge - mail.size() - 70; at < edge + 70; ++at) {
      std::string value(at, 'x');
      value += mail;
      value.append(90'000, 'y');
      std::string expected(at, 'x');
      expected += hidden;
      expected.append(90'000, 'y');
      findings_.clear();
      ASSERT_TRUE(masker_.whole(value, {}, findings_));
      ASSERT_EQ(findings_.found.size(), 3U) << at;
      ASSERT_TRUE(value == expected) << at;
    }
  }
}

TEST_F(Masking, ALongValueNeedsOneWindowOfMemoryAndTornIsWhole) {
  std::string value;
  for (int i = 0; value.size() < 300'000; ++i) {
    value += "row " + std::to_string(i) + " \\\\ anna" + std::to_string(i) +
             "@example.com \\\" 4904 0237 8484 6686\\n";
  }
  const std::string whole = hide(value);
  const std::size_t found = findings_.found.size();
  EXPECT_FALSE(whole.contains("anna"));
  EXPECT_FALSE(whole.contains("0237"));
  for (const std::vector<std::size_t>& sizes :
       {std::vector<std::size_t>{1}, {7, 16'384}, {65'536}, {65'537}, {200'000}}) {
    EXPECT_TRUE(hide_in_pieces(value, sizes) == whole);
    EXPECT_EQ(findings_.found.size(), found);
  }
}

TEST_F(Masking, ATokenLongerThanAWindowIsHiddenToItsEnd) {
  const std::string token =
      "eyJhbGciOiJIUzI1NiJ9." + std::string(150'000, 'Q') + "." + std::string(43, 'x');
  const std::string value = "before " + token + " behind";
  EXPECT_EQ(hide(value), "before " + std::string(token.size(), '*') + " behind");
  EXPECT_TRUE(hide_in_pieces(value, {16'384}) == hide(value));
  std::string key = "-----BEGIN PRIVATE KEY-----\n";
  for (int i = 0; i < 3000; ++i) key += std::string(64, 'M') + "\n";
  const std::string hidden = hide(key + "-----END PRIVATE KEY-----\nbehind");
  EXPECT_FALSE(hidden.contains('M'));
  EXPECT_TRUE(hidden.ends_with("behind"));
}

TEST_F(Masking, WhatHasTooManyCandidatesIsWithheld) {
  std::string value;
  while (value.size() < 60'000) value += "AKIA";
  EXPECT_EQ(hide(value), std::string(value.size(), '*'));
  EXPECT_EQ(findings_.withheld, 1U);
  const std::string json = hide("{\"a\":\"" + value + "\"}");
  EXPECT_TRUE(json.starts_with("\"***") && json.ends_with("**\"")) << "still JSON: a string";
  std::string binary = "\0\0\0\1"s + value;
  EXPECT_FALSE(masker_.whole(binary, {}, findings_)) << "stars for lengths would break the client";
  Masker report = make(Mode::report);
  std::string same = value;
  findings_.clear();
  ASSERT_TRUE(report.whole(same, {}, findings_));
  EXPECT_EQ(same, value);
  EXPECT_EQ(findings_.withheld, 1U);
}

TEST_F(Masking, ModesHaveNames) {
  for (const Mode mode : {Mode::off, Mode::report, Mode::mask}) {
    EXPECT_EQ(mode_of(to_string(mode)), mode);
  }
  EXPECT_FALSE(mode_of("on"));
}

}  // namespace
}  // namespace sallyport::mask

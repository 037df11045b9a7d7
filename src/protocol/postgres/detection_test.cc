#include "protocol/postgres/detection.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::postgres {
namespace {

using std::string_literals::operator""s;

constexpr std::string_view mail = "anna@example.com";
constexpr std::string_view hidden = "a***@e******.com";

class Detecting : public testing::Test {
 protected:
  static std::shared_ptr<mask::Masker> masker() {
    static const auto patterns = *mask::Patterns::make();
    return std::make_shared<mask::Masker>(*mask::Scanner::make(patterns), mask::Mode::mask);
  }

  static ByteVector message(char type, Bytes body) {
    ByteVector out;
    MessageBuilder(out, type).bytes(body);
    return out;
  }
  static ByteVector row(const std::vector<std::optional<std::string>>& cells) {
    ByteVector body;
    append_u16(body, static_cast<std::uint16_t>(cells.size()));
    for (const auto& cell : cells) {
      append_u32(body, cell ? static_cast<std::uint32_t>(cell->size()) : 0xffffffff);
      if (cell) append(body, *cell);
    }
    return message(backend::data_row, body);
  }
  static Message whole(const ByteVector& raw) {
    return {
        .type = static_cast<char>(raw[0]), .raw = raw, .body = Bytes(raw).subspan(header_bytes)};
  }
  /// As the reader gives a long message that was received in two reads.
  static std::vector<Message> torn(const ByteVector& raw, std::size_t at) {
    const char type = static_cast<char>(raw[0]);
    const Bytes first = Bytes(raw).first(at);
    const Bytes rest = Bytes(raw).subspan(at);
    return {{.type = type, .raw = first, .body = first.subspan(header_bytes), .last = false},
            {.type = type, .raw = rest, .body = rest, .first = false}};
  }

  std::string copied(const std::vector<ByteVector>& messages, bool binary) {
    ByteVector out;
    detection_.begin_copy(binary);
    for (const ByteVector& one : messages) EXPECT_TRUE(detection_.copy(whole(one), out));
    EXPECT_TRUE(detection_.end_copy(out));
    return payload(out);
  }
  /// What all CopyData in `out` carry; fails where something is not whole.
  static std::string payload(const ByteVector& out) {
    std::string all;
    Bytes rest = out;
    while (!rest.empty()) {
      EXPECT_EQ(static_cast<char>(rest[0]), backend::copy_data);
      const std::size_t size = 1 + read_u32(rest.subspan(1));
      EXPECT_LE(size, rest.size());
      all += as_text(rest.first(size).subspan(header_bytes));
      rest = rest.subspan(size);
    }
    return all;
  }

  Detection detection_{masker()};
};

TEST_F(Detecting, FieldsOfARowAreHiddenInPlace) {
  ByteVector out;
  ASSERT_TRUE(detection_.row(whole(row({"1", std::string(mail), std::nullopt, ""})), nullptr, out));
  EXPECT_EQ(out, row({"1", std::string(hidden), std::nullopt, ""}));
  Outcome outcome;
  detection_.note(&outcome);
  EXPECT_EQ(outcome.detected, (std::map<std::string, std::uint64_t>{{"email", 1}}));
  EXPECT_EQ(outcome.masked_fields, 1U);
}

TEST_F(Detecting, ARowTornAnywhereIsHiddenAsAWholeOne) {
  const ByteVector raw = row({"1", std::string(mail), std::nullopt, "", "card 4904023784846686"});
  ByteVector expected;
  ASSERT_TRUE(detection_.row(whole(raw), nullptr, expected));
  for (std::size_t at = header_bytes; at <= raw.size(); ++at) {
    ByteVector out;
    for (const Message& piece : torn(raw, at)) ASSERT_TRUE(detection_.row(piece, nullptr, out));
    EXPECT_EQ(out, expected) << "torn at " << at;
  }
}

TEST_F(Detecting, ColumnsOfNumbersAreLeftAloneAndNamesOfColumnsCount) {
  ByteVector body;
  append_u16(body, 3);
  const auto column = [&](std::string_view name, std::uint32_t type) {
    append(body, name);
    append(body, "\0\0\0\0\0\0\0"s);
    append_u32(body, type);
    append(body, "\0\0\0\0\0\0\0\0"s);
  };
  column("card", 20);   // int8
  column("card", 25);   // text
  column("ssn", 1043);  // varchar
  const auto columns = detection_.columns(body);
  ASSERT_TRUE(columns);
  ByteVector out;
  ASSERT_TRUE(detection_.row(whole(row({"4904023784846686", "4904023784846686", "219099999"})),
                             columns->get(), out));
  EXPECT_EQ(out, row({"4904023784846686", "************6686", "*********"}));
}

TEST_F(Detecting, LinesOfACopyAreHiddenHoweverTheyComeInMessages) {
  const std::string lines = "1\tanna@example.com\tx\n2\t\\N\tIBAN DE89370400440532013000\n";
  const std::string expected = "1\ta***@e******.com\tx\n2\t\\N\tIBAN DE****************3000\n";
  const auto data = [](std::string_view text) {
    return message(backend::copy_data, as_bytes(text));
  };
  const std::size_t second = lines.find('\n') + 1;
  EXPECT_EQ(copied({data(lines.substr(0, second)), data(lines.substr(second))}, false), expected);
  for (std::size_t at = 0; at <= lines.size(); ++at) {
    EXPECT_EQ(copied({data(lines.substr(0, at)), data(lines.substr(at))}, false), expected) << at;
  }
  std::vector<ByteVector> bytes;
  for (const char c : lines) bytes.push_back(data(std::string_view(&c, 1)));
  EXPECT_EQ(copied(bytes, false), expected);
  EXPECT_EQ(copied({data("no end of line anna@example.com")}, false),
            "no end of line a***@e******.com");
}

TEST_F(Detecting, FieldsOfABinaryCopyAreHiddenHoweverTheyComeInMessages) {
  const std::string head = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\3ext"s;
  const std::string tuple = "\0\3\0\0\0\4\0\0\0\7\0\0\0\x10"s;
  const std::string null_and_end = "\377\377\377\377\377\377"s;
  const std::string all = head + tuple + std::string(mail) + null_and_end;
  const std::string expected = head + tuple + std::string(hidden) + null_and_end;
  for (std::size_t at = 0; at <= all.size(); ++at) {
    EXPECT_EQ(copied({message(backend::copy_data, as_bytes(all.substr(0, at))),
                      message(backend::copy_data, as_bytes(all.substr(at)))},
                     true),
              expected)
        << at;
  }
}

TEST_F(Detecting, ALongLineOfACopyGoesOnInMessagesOfItsOwn) {
  std::string line(200'000, 'x');
  line += " anna@example.com\n";
  const ByteVector raw = message(backend::copy_data, as_bytes(line));
  ByteVector out;
  detection_.begin_copy(false);
  for (const Message& piece : torn(raw, 100'000)) ASSERT_TRUE(detection_.copy(piece, out));
  ASSERT_TRUE(detection_.end_copy(out));
  EXPECT_TRUE(payload(out) == std::string(200'000, 'x') + " a***@e******.com\n");
}

TEST_F(Detecting, TextsOfErrorsAreHiddenAndTheirCodesAreNot) {
  ByteVector body;
  append(
      body,
      "SERROR\0VERROR\0C23505\0Mduplicate key\0DKey (mail)=(anna@example.com) already exists.\0\0"s);
  const ByteVector raw = message(backend::error, body);
  const auto told = detection_.told(whole(raw));
  ASSERT_TRUE(told);
  const auto fields = error_fields(told->body);
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->back().second, "Key (mail)=(a***@e******.com) already exists.");
  EXPECT_EQ((*fields)[2].second, "23505");
  EXPECT_EQ(told->raw.size(), raw.size());
  Outcome outcome;
  detection_.note(&outcome);
  EXPECT_EQ(outcome.detected.at("email"), 1U);
}

TEST_F(Detecting, WhatCannotBeLookedThroughDoesNotGoOut) {
  std::string candidates;
  while (candidates.size() < 60'000) candidates += "AKIA";
  ByteVector out;
  ASSERT_TRUE(detection_.row(whole(row({candidates})), nullptr, out));
  EXPECT_EQ(out, row({std::string(candidates.size(), '*')})) << "withheld";
  Outcome outcome;
  detection_.note(&outcome);
  EXPECT_EQ(outcome.detected.at("withheld"), 1U);
  const auto binary = detection_.row(whole(row({"\0\0\0\1"s + candidates})), nullptr, out);
  ASSERT_FALSE(binary);
  EXPECT_EQ(binary.error().code, Errc::unavailable) << "and that ends the session";
}

TEST_F(Detecting, AMalformedErrorIsLeftForWhoeverJudgesIt) {
  for (const std::string& body : {"M"s, "Mno end"s, ""s, "\0\0\0"s}) {
    const ByteVector raw = message(backend::error, as_bytes(body));
    EXPECT_TRUE(detection_.told(whole(raw)));
    const ByteVector notification = message(backend::notification, as_bytes(body));
    EXPECT_TRUE(detection_.told(whole(notification)));
  }
}

}  // namespace
}  // namespace sallyport::postgres

#include "protocol/postgres/binary_value.h"

#include <gtest/gtest.h>

namespace sallyport::postgres {
namespace {

std::string read(std::uint32_t type, std::string_view hex) {
  ByteVector bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return readable(type, bytes).value_or("(none)");
}

// As `select encode(TYPEsend(...), 'hex')` gives them.
TEST(BinaryValue, IsReadable) {
  EXPECT_EQ(read(16, "01"), "true");
  EXPECT_EQ(read(17, "00ff"), "\\x00ff");
  EXPECT_EQ(read(20, "fffffffffffffffe"), "-2");
  EXPECT_EQ(read(21, "8000"), "-32768");
  EXPECT_EQ(read(23, "0000002a"), "42");
  EXPECT_EQ(read(25, "c3a4"), "\xc3\xa4");
  EXPECT_EQ(read(701, "3ff8000000000000"), "1.5");
  EXPECT_EQ(read(700, "3fc00000"), "1.5");
  EXPECT_EQ(read(1082, "00002660"), "2026-11-24");
  EXPECT_EQ(read(1184, "000304018ac86800"), "2026-11-24T10:00:00.000000Z");
  EXPECT_EQ(read(1082, "7fffffff"), "infinity");
  EXPECT_EQ(read(1700,
                 "00030001000000020001092911a8"
                 "0000"),
            "(none)");
  EXPECT_EQ(read(1700,
                 "000300010000000200010929"
                 "11a8"),
            "12345.45");
  EXPECT_EQ(read(1700, "0001ffff400000031388"), "-0.500");
  EXPECT_EQ(read(1700, "00000000c0000000"), "NaN");
  EXPECT_EQ(read(1700,
                 "000100010000000000"
                 "05"),
            "50000");
  EXPECT_EQ(read(2950, "00112233445566778899aabbccddeeff"), "00112233-4455-6677-8899-aabbccddeeff");
  EXPECT_EQ(read(3802, "017b7d"), "{}");
}

TEST(BinaryValue, IsNotMadeUp) {
  EXPECT_EQ(read(0, "0000002a"), "(none)");
  EXPECT_EQ(read(23, "002a"), "(none)");
  EXPECT_EQ(read(25, "ff"), "(none)");
  EXPECT_EQ(read(2950, "00"), "(none)");
  EXPECT_EQ(read(3802, "027b7d"), "(none)");
  EXPECT_EQ(read(1114, "7ffffffffffffffe"), "(none)");
  EXPECT_EQ(read(1700, ""), "(none)");
  EXPECT_EQ(read(1700, "ffff0000000000000000"), "(none)");
}

}  // namespace
}  // namespace sallyport::postgres

#include "mask/classes.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace sallyport::mask {
namespace {

Block by_hand(std::string_view text) {
  Block block;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::uint64_t bit = std::uint64_t{1} << i;
    const char c = text[i];
    if (c >= '0' && c <= '9') block.digit |= bit;
    if (c >= 'A' && c <= 'Z') block.upper |= bit;
    if (c >= 'a' && c <= 'z') block.lower |= bit;
    if (c == '@') block.at |= bit;
    if (c == ':') block.colon |= bit;
    if (c == '.') block.dot |= bit;
    if (c == '-' || c == '_') block.dash |= bit;
    if (c == '=') block.equals |= bit;
    if (c == '\\' || c == '\0') block.special |= bit;
  }
  return block;
}

TEST(Classes, EveryInstructionSetTellsTheSame) {
  std::mt19937 random(3);
  for (std::size_t size = 1; size < 200; ++size) {
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>(random());
    for (const auto& blocks : read_in_every_way(text)) {
      ASSERT_EQ(blocks.size(), (size + 63) / 64);
      for (std::size_t i = 0; i < blocks.size(); ++i) {
        EXPECT_EQ(blocks[i], by_hand(std::string_view(text).substr(i * 64, 64)));
      }
    }
  }
}

TEST(Classes, RunsAreSeenAcrossTheEdgeOfABlock) {
  for (std::size_t ahead = 0; ahead < 140; ++ahead) {
    const std::string spaces(ahead, ' ');
    Classes classes;
    classes.read(spaces + "abcdefgh-_012345");
    EXPECT_TRUE(classes.long_word) << ahead;
    classes.read(spaces + "abcdefgh-_01234");
    EXPECT_FALSE(classes.long_word) << ahead;
    classes.read(spaces + "A1B2C3D4");
    EXPECT_TRUE(classes.long_upper) << ahead;
    classes.read(spaces + "A1B2C3D");
    EXPECT_FALSE(classes.long_upper) << ahead;
    classes.read(spaces + "1ssn2");
    EXPECT_TRUE(classes.name) << ahead;
    classes.read(spaces + "1ss2n");
    EXPECT_FALSE(classes.name) << ahead;
  }
}

}  // namespace
}  // namespace sallyport::mask

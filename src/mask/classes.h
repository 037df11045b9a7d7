#pragma once
// Which kinds of bytes are where in a text, 64 bytes at a time: cheap enough to be asked of every
// cell, and enough to tell for nearly all of them that no detector has anything to look for.

#include <cstdint>
#include <string_view>
#include <vector>

namespace sallyport::mask {

/// One bit per byte of a block of 64.
struct Block {
  std::uint64_t digit = 0;
  std::uint64_t upper = 0;
  std::uint64_t lower = 0;
  std::uint64_t at = 0;
  std::uint64_t colon = 0;
  std::uint64_t dot = 0;
  std::uint64_t dash = 0;  // - and _
  std::uint64_t equals = 0;
  std::uint64_t special = 0;  // \ and zero

  bool operator==(const Block&) const = default;
};

/// Of a whole text.
struct Classes {
  std::vector<Block> blocks;  // kept from text to text for its memory
  std::uint32_t digits = 0;
  std::uint32_t colons = 0;
  std::uint32_t dots = 0;
  std::uint32_t dashes = 0;
  bool at = false;
  bool equals = false;
  bool special = false;
  bool name = false;        // three letters in a row
  bool long_word = false;   // 16 letters, digits, - or _ in a row
  bool long_upper = false;  // 8 upper-case letters or digits in a row

  void read(std::string_view text);
};

/// For tests: the blocks as each kind of instruction that this processor has tells them.
std::vector<std::vector<Block>> read_in_every_way(std::string_view text);

}  // namespace sallyport::mask

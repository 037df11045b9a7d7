#include "mask/classes.h"

#include <array>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sallyport::mask {
namespace {

/// Bits of which `length` (a power of two) in a row are set.
template <unsigned length>
std::uint64_t runs(std::uint64_t bits) {
  for (unsigned step = 1; step < length; step *= 2) bits &= bits >> step;
  return bits;
}

std::uint64_t three(std::uint64_t bits) {
  return bits & bits >> 1 & bits >> 2;
}

/// The last block has zeros behind the text, which are nothing of it.
void end_block(Block& block, std::size_t size) {
  block.special &= ~std::uint64_t{0} >> (64 - size);
}

#if defined(__x86_64__)

// The processor is asked once, at start, which of these it can do. SSE2 is part of the
// architecture.

Block classify_sse2(const char* text) {
  Block block;
  const auto in = [](__m128i v, char first, char last) {
    const __m128i offset = _mm_sub_epi8(v, _mm_set1_epi8(first));
    const auto width = static_cast<char>(last - first);
    return _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8(width)), offset);
  };
  const auto is = [](__m128i v, char c) { return _mm_cmpeq_epi8(v, _mm_set1_epi8(c)); };
  for (unsigned part = 0; part < 4; ++part) {
    const __m128i v =
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(text + std::size_t{part} * 16));
    const auto bits = [&](__m128i found) {
      return std::uint64_t{static_cast<std::uint16_t>(_mm_movemask_epi8(found))} << (part * 16);
    };
    block.digit |= bits(in(v, '0', '9'));
    block.upper |= bits(in(v, 'A', 'Z'));
    block.lower |= bits(in(v, 'a', 'z'));
    block.at |= bits(is(v, '@'));
    block.colon |= bits(is(v, ':'));
    block.dot |= bits(is(v, '.'));
    block.dash |= bits(_mm_or_si128(is(v, '-'), is(v, '_')));
    block.equals |= bits(is(v, '='));
    block.special |= bits(_mm_or_si128(is(v, '\\'), is(v, 0)));
  }
  return block;
}

void blocks_sse2(std::string_view text, Block* blocks) {
  std::size_t at = 0;
  for (; at + 64 <= text.size(); at += 64) *blocks++ = classify_sse2(text.data() + at);
  if (at == text.size()) return;
  std::array<char, 64> padded{};
  std::memcpy(padded.data(), text.data() + at, text.size() - at);
  *blocks = classify_sse2(padded.data());
  end_block(*blocks, text.size() - at);
}

__attribute__((target("avx2"))) Block classify_avx2(const char* text) {
  std::array<std::array<std::uint32_t, 9>, 2> half{};
  for (unsigned part = 0; part < 2; ++part) {
    const __m256i v =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + std::size_t{part} * 32));
    auto& bits = half[part];
    constexpr std::array<std::array<char, 2>, 3> ranges{{{'0', 9}, {'A', 25}, {'a', 25}}};
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      const __m256i offset = _mm256_sub_epi8(v, _mm256_set1_epi8(ranges[i][0]));
      bits[i] = static_cast<std::uint32_t>(_mm256_movemask_epi8(
          _mm256_cmpeq_epi8(_mm256_min_epu8(offset, _mm256_set1_epi8(ranges[i][1])), offset)));
    }
    constexpr std::array<std::array<char, 2>, 6> pairs{
        {{'@', '@'}, {':', ':'}, {'.', '.'}, {'-', '_'}, {'=', '='}, {'\\', '\0'}}};
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const __m256i one = _mm256_cmpeq_epi8(v, _mm256_set1_epi8(pairs[i][0]));
      const __m256i other = _mm256_cmpeq_epi8(v, _mm256_set1_epi8(pairs[i][1]));
      bits[3 + i] = static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_or_si256(one, other)));
    }
  }
  const auto both = [&](std::size_t i) { return std::uint64_t{half[1][i]} << 32 | half[0][i]; };
  return {both(0), both(1), both(2), both(3), both(4), both(5), both(6), both(7), both(8)};
}

__attribute__((target("avx2"))) void blocks_avx2(std::string_view text, Block* blocks) {
  std::size_t at = 0;
  for (; at + 64 <= text.size(); at += 64) *blocks++ = classify_avx2(text.data() + at);
  if (at == text.size()) return;
  std::array<char, 64> padded{};
  std::memcpy(padded.data(), text.data() + at, text.size() - at);
  *blocks = classify_avx2(padded.data());
  end_block(*blocks, text.size() - at);
}

__attribute__((target("avx512bw"))) void blocks_avx512(std::string_view text, Block* blocks) {
  for (std::size_t at = 0; at < text.size(); at += 64) {
    const std::size_t left = text.size() - at;
    const std::uint64_t all = left < 64 ? ~std::uint64_t{0} >> (64 - left) : ~std::uint64_t{0};
    const __m512i v = _mm512_maskz_loadu_epi8(all, text.data() + at);
    *blocks++ = {
        .digit =
            _mm512_cmple_epu8_mask(_mm512_sub_epi8(v, _mm512_set1_epi8('0')), _mm512_set1_epi8(9)),
        .upper =
            _mm512_cmple_epu8_mask(_mm512_sub_epi8(v, _mm512_set1_epi8('A')), _mm512_set1_epi8(25)),
        .lower =
            _mm512_cmple_epu8_mask(_mm512_sub_epi8(v, _mm512_set1_epi8('a')), _mm512_set1_epi8(25)),
        .at = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('@')),
        .colon = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(':')),
        .dot = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('.')),
        .dash = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('-')) |
                _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('_')),
        .equals = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('=')),
        .special = (_mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\\')) |
                    _mm512_cmpeq_epi8_mask(v, _mm512_setzero_si512())) &
                   all,
    };
  }
}

using ReadBlocks = void (*)(std::string_view text, Block* blocks);
const std::array<ReadBlocks, 3> readers{
    blocks_sse2, __builtin_cpu_supports("avx2") ? blocks_avx2 : nullptr,
    __builtin_cpu_supports("avx512bw") ? blocks_avx512 : nullptr};
const ReadBlocks read_blocks = readers[2] ? readers[2] : readers[1] ? readers[1] : readers[0];

#else

void read_blocks(std::string_view text, Block* blocks) {
  for (std::size_t at = 0; at < text.size(); at += 64) {
    Block block;
    for (std::size_t i = 0; i < 64 && at + i < text.size(); ++i) {
      const std::uint64_t bit = std::uint64_t{1} << i;
      const char c = text[at + i];
      if (c >= '0' && c <= '9') block.digit |= bit;
      if (c >= 'A' && c <= 'Z') block.upper |= bit;
      if (c >= 'a' && c <= 'z') block.lower |= bit;
      if (c == '@') block.at |= bit;
      if (c == ':') block.colon |= bit;
      if (c == '.') block.dot |= bit;
      if (c == '-' || c == '_') block.dash |= bit;
      if (c == '=') block.equals |= bit;
      if (c == '\\' || c == 0) block.special |= bit;
    }
    *blocks++ = block;
  }
}

#endif

}  // namespace

std::vector<std::vector<Block>> read_in_every_way(std::string_view text) {
  std::vector<std::vector<Block>> all;
#if defined(__x86_64__)
  for (const ReadBlocks reader : readers) {
    if (reader == nullptr) continue;
    all.emplace_back((text.size() + 63) / 64);
    reader(text, all.back().data());
  }
#else
  all.emplace_back((text.size() + 63) / 64);
  read_blocks(text, all.back().data());
#endif
  return all;
}

#if defined(__x86_64__)
// vectorscan needs SSE 4.2 and with it this instruction.
__attribute__((target("popcnt")))
#endif
void Classes::read(std::string_view text) {
  const std::size_t count = (text.size() + 63) / 64;
  if (blocks.size() < count) blocks.resize(count);
  read_blocks(text, blocks.data());
  digits = colons = dots = dashes = 0;
  std::uint64_t any_at = 0;
  std::uint64_t any_equals = 0;
  std::uint64_t any_special = 0;
  std::uint64_t words = 0;
  std::uint64_t names = 0;
  std::uint64_t uppers = 0;
  std::uint64_t word_before = 0;
  std::uint64_t letter_before = 0;
  std::uint64_t upper_before = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Block& block = blocks[i];
    const auto add = [](std::uint32_t& total, std::uint64_t bits) {
      total += static_cast<std::uint32_t>(__builtin_popcountll(bits));
    };
    add(digits, block.digit);
    add(colons, block.colon);
    add(dots, block.dot);
    add(dashes, block.dash);
    any_at |= block.at;
    any_equals |= block.equals;
    any_special |= block.special;
    const std::uint64_t letter = block.upper | block.lower;
    const std::uint64_t word = block.digit | letter | block.dash;
    const std::uint64_t upper = block.digit | block.upper;
    words |= runs<16>(word) | runs<16>(word << 15 | word_before >> 49);
    names |= three(letter) | three(letter << 2 | letter_before >> 62);
    uppers |= runs<8>(upper) | runs<8>(upper << 7 | upper_before >> 57);
    word_before = word;
    letter_before = letter;
    upper_before = upper;
  }
  at = any_at != 0;
  equals = any_equals != 0;
  special = any_special != 0;
  long_word = words != 0;
  name = names != 0;
  long_upper = uppers != 0;
}

}  // namespace sallyport::mask

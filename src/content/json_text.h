#pragma once
// The texts of JSON strings: from what is between the quotes to what it means, and back.

#include <bit>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sallyport::content {

/// The first byte that is not plain ASCII of a string: a quote, a backslash, a control character or
/// the first of a longer character; `end` if there is none.
inline const char* find_special(const char* at, const char* end) {
#if defined(__x86_64__)
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i backslash = _mm_set1_epi8('\\');
  const __m128i space = _mm_set1_epi8(0x20);
  for (; end - at >= 16; at += 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    // Compared as signed numbers, what is above ASCII is below a space, too.
    const __m128i found =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)),
                     _mm_cmplt_epi8(v, space));
    const auto bits = static_cast<unsigned>(_mm_movemask_epi8(found));
    if (bits != 0) return at + std::countr_zero(bits);
  }
#endif
  const auto is_special = [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u < 0x20 || u >= 0x80 || c == '"' || c == '\\';
  };
  while (at != end && !is_special(*at)) ++at;
  return at;
}

/// Takes the escapes of a text that comes in pieces apart. The lexer has checked it already. Half a
/// surrogate pair becomes U+FFFD.
class Unescaper {
 public:
  void feed(std::string_view raw, std::string& to);
  /// Ends a string; what is still half a pair is put behind it.
  void finish(std::string& to);
  /// Something was not a character: two readers may see different texts.
  bool ambiguous() const { return ambiguous_; }

 private:
  void put(unsigned code, std::string& to);
  void end_high(std::string& to);

  enum class At : std::uint8_t { text, escape, hex };
  At at_ = At::text;
  unsigned digits_ = 0;
  unsigned code_ = 0;
  unsigned high_ = 0;
  bool ambiguous_ = false;
};

/// The name of a member as it is meant; nullopt if readers may differ about it (half a surrogate
/// pair, a zero).
std::optional<std::string> unescape_name(std::string_view raw);

/// With quotes around it.
void append_quoted(ByteVector& out, std::string_view text);
/// Without.
void append_escaped(ByteVector& out, std::string_view text);

}  // namespace sallyport::content

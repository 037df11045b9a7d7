#pragma once
// Bytes and the few encodings that everything needs: big-endian integers, hex, base64.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sallyport {

using Bytes = std::span<const std::byte>;
using ByteVector = std::vector<std::byte>;

inline Bytes as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Big-endian. The caller has checked that enough bytes are there.
inline std::uint16_t read_u16(Bytes at) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(at[0]) << 8 |
                                    std::to_integer<unsigned>(at[1]));
}
inline std::uint32_t read_u32(Bytes at) {
  return std::uint32_t{read_u16(at)} << 16 | read_u16(at.subspan(2));
}
inline std::uint64_t read_u64(Bytes at) {
  return std::uint64_t{read_u32(at)} << 32 | read_u32(at.subspan(4));
}

void append(ByteVector& to, Bytes bytes);
void append(ByteVector& to, std::string_view text);
void append_u16(ByteVector& to, std::uint16_t value);
void append_u32(ByteVector& to, std::uint32_t value);
void append_u64(ByteVector& to, std::uint64_t value);

/// Lower-case hex.
std::string to_hex(Bytes bytes);
Result<ByteVector> from_hex(std::string_view text);

/// Base64 with padding (RFC 4648 section 4), strict when read.
std::string to_base64(Bytes bytes);
Result<ByteVector> from_base64(std::string_view text);

/// Base64url without padding (RFC 4648 section 5), as JOSE uses it; padding,
/// characters outside the alphabet and stray trailing bits are malformed.
std::string to_base64url(Bytes bytes);
Result<ByteVector> from_base64url(std::string_view text);

/// True if the bytes are well-formed UTF-8 (no overlong forms, no surrogates).
bool is_utf8(std::string_view text);

/// Cuts a text to `bytes_max` and a mark behind it, between two characters of UTF-8.
void cut(std::string& text, std::size_t bytes_max);

}  // namespace sallyport

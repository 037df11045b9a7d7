#include "base/bytes.h"

#include <algorithm>
#include <array>

namespace sallyport {
namespace {

constexpr std::string_view standard_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view url_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::uint8_t not_in_alphabet = 0xff;

constexpr std::array<std::uint8_t, 256> inverse(std::string_view alphabet) {
  std::array<std::uint8_t, 256> values{};
  values.fill(not_in_alphabet);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}

constexpr auto standard_values = inverse(standard_alphabet);
constexpr auto url_values = inverse(url_alphabet);

std::string encode(Bytes bytes, std::string_view alphabet) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t bits = 0;
  int have = 0;
  for (const std::byte byte : bytes) {
    bits = bits << 8 | std::to_integer<std::uint32_t>(byte);
    have += 8;
    while (have >= 6) {
      have -= 6;
      text.push_back(alphabet[bits >> have & 0x3f]);
    }
  }
  if (have > 0) text.push_back(alphabet[bits << (6 - have) & 0x3f]);
  return text;
}

Result<ByteVector> decode(std::string_view text, const std::array<std::uint8_t, 256>& values) {
  if (text.size() % 4 == 1) return fail(Errc::malformed, "base64 of an impossible length");
  ByteVector bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int have = 0;
  for (const char c : text) {
    const std::uint8_t value = values[static_cast<unsigned char>(c)];
    if (value == not_in_alphabet) return fail(Errc::malformed, "not a base64 character");
    bits = bits << 6 | value;
    have += 6;
    if (have >= 8) {
      have -= 8;
      bytes.push_back(static_cast<std::byte>(bits >> have & 0xff));
    }
  }
  // Stray bits would let two texts mean the same bytes.
  if (have > 0 && (bits & ((1u << have) - 1)) != 0) {
    return fail(Errc::malformed, "base64 with stray trailing bits");
  }
  return bytes;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The number of continuation bytes and the first byte's own bits; the ranges
/// of the second byte exclude overlong forms, surrogates and above U+10FFFF.
bool valid_sequence(const unsigned char* at, std::size_t left, std::size_t& length) {
  const auto continues = [&](std::size_t i) { return i < left && (at[i] & 0xc0) == 0x80; };
  const unsigned char first = at[0];
  if (first < 0x80) {
    length = 1;
    return true;
  }
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
    return continues(1);
  }
  if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    if (!continues(1) || !continues(2)) return false;
    if (first == 0xe0 && at[1] < 0xa0) return false;
    return !(first == 0xed && at[1] > 0x9f);
  }
  if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    if (!continues(1) || !continues(2) || !continues(3)) return false;
    if (first == 0xf0 && at[1] < 0x90) return false;
    return !(first == 0xf4 && at[1] > 0x8f);
  }
  return false;
}

}  // namespace

void append(ByteVector& to, Bytes bytes) {
  // Messages are put together of many small pieces: not one growth for each of the first.
  constexpr std::size_t bytes_at_first = 128;
  if (to.capacity() - to.size() < bytes.size()) {
    to.reserve(std::max({to.size() + bytes.size(), 2 * to.capacity(), bytes_at_first}));
  }
  to.insert(to.end(), bytes.begin(), bytes.end());
}

void append(ByteVector& to, std::string_view text) {
  append(to, as_bytes(text));
}

void append_u16(ByteVector& to, std::uint16_t value) {
  const std::array bytes{static_cast<std::byte>(value >> 8), static_cast<std::byte>(value & 0xff)};
  append(to, bytes);
}

void append_u32(ByteVector& to, std::uint32_t value) {
  const std::array bytes{static_cast<std::byte>(value >> 24), static_cast<std::byte>(value >> 16),
                         static_cast<std::byte>(value >> 8), static_cast<std::byte>(value)};
  append(to, bytes);
}

void append_u64(ByteVector& to, std::uint64_t value) {
  append_u32(to, static_cast<std::uint32_t>(value >> 32));
  append_u32(to, static_cast<std::uint32_t>(value & 0xffffffff));
}

std::string to_hex(Bytes bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text(bytes.size() * 2, '0');
  char* at = text.data();
  for (const std::byte byte : bytes) {
    *at++ = digits[std::to_integer<unsigned>(byte) >> 4];
    *at++ = digits[std::to_integer<unsigned>(byte) & 0xf];
  }
  return text;
}

Result<ByteVector> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return fail(Errc::malformed, "hex of odd length");
  ByteVector bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return fail(Errc::malformed, "not a hex digit");
    bytes.push_back(static_cast<std::byte>(high << 4 | low));
  }
  return bytes;
}

std::string to_base64(Bytes bytes) {
  std::string text = encode(bytes, standard_alphabet);
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

Result<ByteVector> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return fail(Errc::malformed, "base64 without its padding");
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  return decode(text.substr(0, text.size() - padding), standard_values);
}

std::string to_base64url(Bytes bytes) {
  return encode(bytes, url_alphabet);
}

Result<ByteVector> from_base64url(std::string_view text) {
  return decode(text, url_values);
}

bool is_utf8(std::string_view text) {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t left = text.size();
  while (left > 0) {
    std::size_t length = 0;
    if (!valid_sequence(at, left, length)) return false;
    at += length;
    left -= length;
  }
  return true;
}

void cut(std::string& text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return;
  while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xc0) == 0x80) --bytes_max;
  text.resize(bytes_max);
  text += "...";
}

}  // namespace sallyport

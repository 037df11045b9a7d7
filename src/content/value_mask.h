#pragma once
// What a mask leaves of one value of JSON: the same as it leaves of a column in SQL, so that a hash
// in one is equal to the hash of the same text in the other.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "mask/mask.h"

namespace sallyport::content {

/// The key of `hash`, 32 bytes.
struct MaskKey {
  std::array<std::byte, 32> bytes{};

  /// From 64 hex digits, as the data folder keeps it.
  static Result<MaskKey> from_hex(std::string_view text);
};

enum class Scalar : std::uint8_t { text, number, other };

/// Appends the JSON of what stands for it: a text, a number or null. `value`: a text without its
/// escapes, in UTF-8; a number as written.
void append_masked(ByteVector& out, Scalar type, std::string_view value, const mask::Mask& mask,
                   const MaskKey& key);

/// What `partial` leaves of a text: a star for every character that is hidden.
std::string partial(std::string_view text, mask::Shape shape);

}  // namespace sallyport::content

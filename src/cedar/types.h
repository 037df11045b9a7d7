#pragma once
// The validator's rules for types: when one fits where another is wanted, and the type of what may
// be of either. Strict: entities of two types have no common one. Inside of this room only.

#include <optional>
#include <string_view>

#include "cedar/schema.h"

namespace sallyport::cedar {

/// Why two types have no common one.
enum class Mismatch : std::uint8_t { none, kinds, entity_types, attributes, optionality };
std::string_view to_string(Mismatch why);

bool operator==(const Type& a, const Type& b);

/// Whether every value of type `a` is one of type `b`.
bool is_subtype(const Type& a, const Type& b);

/// The least type that holds all values of both. Not for records that differ in more than whether a
/// boolean is known.
struct Joined {
  std::optional<Type> type;
  Mismatch why = Mismatch::none;
};
Joined join(const Type& a, const Type& b);

}  // namespace sallyport::cedar

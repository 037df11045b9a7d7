#pragma once
// How a value that may not be revealed is masked: by what its column is classified as. What a mask
// looks like in a language (SQL expressions, JSON) is the protocol's; here is only which one it is.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sallyport::mask {

/// From the one that shows most to the one that shows nothing; of several the last one holds.
enum class Kind : std::uint8_t {
  partial,  // keeps the shape of a text and a little of it; NULL for anything else
  round,    // numbers to thousands, dates to months; NULL for anything else
  year,     // dates to years; NULL for anything else
  hash,     // keyed: equal values stay equal, so that joins work
  redact,   // the same text for every value; NULL for anything but text
  null,
};
std::string_view to_string(Kind kind);
std::optional<Kind> kind_of(std::string_view name);

/// What `partial` keeps of a text.
enum class Shape : std::uint8_t {
  text,   // the first character
  email,  // the first characters of name and host, and the ending: a****@e******.com
  card,   // the last four digits: **** **** **** 4242
  phone,  // the last two digits
  iban,   // the country and the last four characters
};

struct Mask {
  Kind kind = Kind::redact;
  Shape shape = Shape::text;

  auto operator<=>(const Mask&) const = default;
};

/// Masks by classification: "pii" holds for "pii.email" where that has none of its own.
using Rules = std::map<std::string, Kind, std::less<>>;

/// The mask of a column that is classified as all of these. Without a rule: `partial` for what has
/// a shape (a label email, card, phone or iban), `redact` for everything else.
Mask mask_of(std::span<const std::string> classifications, const Rules& rules);

}  // namespace sallyport::mask

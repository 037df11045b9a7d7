#include "content/value_mask.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <vector>

#include "base/crypto.h"
#include "base/numbers.h"
#include "content/json_text.h"

namespace sallyport::content {
namespace {

using mask::Kind;
using mask::Shape;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}

/// A text as its characters.
std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> all;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i + 1;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) ++end;
    all.push_back(text.substr(i, end - i));
    i = end;
  }
  return all;
}

std::string stars(std::size_t count) {
  return std::string(count, '*');
}
std::string all_stars(std::string_view text) {
  return stars(characters(text).size());
}

/// The first character, if there is enough behind it that it tells little, and stars.
std::string first_and_stars(std::string_view text, std::size_t enough) {
  const auto all = characters(text);
  if (all.empty()) return {};
  if (all.size() < enough) return stars(all.size());
  return std::string(all.front()) + stars(all.size() - 1);
}

/// All but `kept` characters in the end become stars where they are none of `shown`.
std::string star_all_but(std::string_view text, std::size_t kept, std::string_view shown) {
  const auto all = characters(text);
  std::string masked;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool show = i + kept >= all.size() || (all[i].size() == 1 && shown.contains(all[i][0]));
    masked += show ? all[i] : "*";
  }
  return masked;
}

std::size_t digits(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, is_digit));
}
bool ends_in_digits(std::string_view text, std::size_t count) {
  return text.size() >= count && std::ranges::all_of(text.substr(text.size() - count), is_digit);
}

std::string partial_email(std::string_view text) {
  const std::size_t at = text.find('@');
  if (at == std::string_view::npos || at == 0) return all_stars(text);
  const std::string_view host = text.substr(at + 1);
  std::string_view ending = host.substr(std::min(host.rfind('.'), host.size()));
  const bool known =
      ending.size() >= 3 && ending.size() <= 7 && std::ranges::all_of(ending.substr(1), [](char c) {
        return (c >= 'a' && c <= 'z') || is_upper(c);
      });
  if (!known) ending = {};
  return first_and_stars(text.substr(0, at), 3) + "@" +
         first_and_stars(host.substr(0, host.size() - ending.size()), 3) + std::string(ending);
}

std::string partial_iban(std::string_view text) {
  const auto count =
      characters(text).size() - static_cast<std::size_t>(std::ranges::count(text, ' '));
  if (count < 15 || !is_upper(text[0]) || !is_upper(text[1])) return all_stars(text);
  return std::string(text.substr(0, 2)) + star_all_but(text.substr(2), 4, " ");
}

/// sha256(key || sha256(key || value)): the inner one alone could be extended.
Digest hash(std::string_view value, const MaskKey& key) {
  Sha256 inner;
  inner.update(key.bytes);
  inner.update(as_bytes(value));
  Sha256 outer;
  outer.update(key.bytes);
  outer.update(inner.finish());
  return outer.finish();
}

/// Down to thousands, towards zero: "-12345.6" is "-12000".
std::optional<std::string> round_number(std::string_view number) {
  std::string digits(number);
  if (number.find_first_of("eE") != std::string_view::npos) {
    double value = 0;
    std::from_chars(number.data(), number.data() + number.size(), value);
    if (!std::isfinite(value) || std::abs(value) >= 1e15) return std::nullopt;
    digits = fmt::format("{}", static_cast<std::int64_t>(value));
  }
  const std::string sign = digits.starts_with('-') ? "-" : "";
  digits = digits.substr(sign.size(), digits.find('.') - sign.size());
  if (digits.size() <= 3) return "0";
  return sign + digits.substr(0, digits.size() - 3) + "000";
}

bool is_number(std::string_view text) {
  const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  const std::size_t point = std::min(digits.find('.'), digits.size());
  const auto all_digits = [](std::string_view part) {
    return !part.empty() && std::ranges::all_of(part, is_digit);
  };
  return all_digits(digits.substr(0, point)) &&
         (point == digits.size() || all_digits(digits.substr(point + 1)));
}

/// "2026-11-24" or "2026-11-24T10:00:00+02:00", to its month or year. What is behind the date tells
/// only that there was a time.
std::optional<std::string> truncate_date(std::string_view text, bool to_year) {
  const auto digits_at = [&](std::size_t at, std::size_t count) {
    return std::ranges::all_of(text.substr(at, count), is_digit);
  };
  const bool date = text.size() >= 10 && digits_at(0, 4) && text[4] == '-' && digits_at(5, 2) &&
                    text[7] == '-' && digits_at(8, 2);
  if (!date) return std::nullopt;
  const bool time = text.size() >= 16 && (text[10] == 'T' || text[10] == ' ') && digits_at(11, 2) &&
                    text[13] == ':' && digits_at(14, 2);
  if (text.size() > 10 && !time) return std::nullopt;
  std::string masked = std::string(text.substr(0, to_year ? 4 : 7)) + (to_year ? "-01-01" : "-01");
  if (!time) return masked;
  const bool zone = text.ends_with('Z') || text.find_first_of("+-", 16) != std::string_view::npos;
  return masked + text[10] + "00:00:00" + (zone ? "Z" : "");
}

std::optional<std::string> masked_text(std::string_view text, const mask::Mask& mask,
                                       const MaskKey& key) {
  switch (mask.kind) {
    case Kind::partial:
      return partial(text, mask.shape);
    case Kind::redact:
      return "****";
    case Kind::hash:
      return to_hex(hash(text, key)).substr(0, 32);
    case Kind::round:
      if (is_number(text)) return round_number(text);
      return truncate_date(text, false);
    case Kind::year:
      return truncate_date(text, true);
    case Kind::null:
      return std::nullopt;
  }
  return std::nullopt;
}

/// 52 bits of the digest: every reader of JSON keeps so many.
std::string hash_number(std::string_view number, const MaskKey& key) {
  return std::to_string(read_u64(hash(number, key)) >> 12);
}

}  // namespace

Result<MaskKey> MaskKey::from_hex(std::string_view text) {
  auto bytes = sallyport::from_hex(text);
  if (!bytes) return fail(bytes);
  MaskKey key;
  if (bytes->size() != key.bytes.size()) {
    return fail(Errc::invalid, "the key of masks is not 64 hex digits");
  }
  std::ranges::copy(*bytes, key.bytes.begin());
  return key;
}

std::string partial(std::string_view text, Shape shape) {
  switch (shape) {
    case Shape::email:
      return partial_email(text);
    case Shape::card:
      if (digits(text) < 12 || !ends_in_digits(text, 4)) return all_stars(text);
      return star_all_but(text, 4, " -");
    case Shape::phone:
      if (digits(text) < 7 || !ends_in_digits(text, 2)) return all_stars(text);
      return star_all_but(text, 2, " +()-");
    case Shape::iban:
      return partial_iban(text);
    case Shape::text:
      return first_and_stars(text, 4);
  }
  return all_stars(text);
}

void append_masked(ByteVector& out, Scalar type, std::string_view value, const mask::Mask& mask,
                   const MaskKey& key) {
  if (type == Scalar::text) {
    if (const auto text = masked_text(value, mask, key)) return append_quoted(out, *text);
  } else if (type == Scalar::number) {
    if (mask.kind == Kind::hash) return append(out, hash_number(value, key));
    if (mask.kind == Kind::round) {
      if (const auto number = round_number(value)) return append(out, *number);
    }
  }
  append(out, "null");
}

}  // namespace sallyport::content

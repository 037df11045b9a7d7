#include "protocol/postgres/binary_value.h"

#include <fmt/format.h>

#include <bit>
#include <chrono>
#include <limits>

#include "base/clock.h"
#include "protocol/postgres/wire.h"

namespace sallyport::postgres {
namespace {

// pg_type.dat; they never change.
enum Type : std::uint32_t {
  boolean = 16,
  bytea = 17,
  int8 = 20,
  int2 = 21,
  int4 = 23,
  text = 25,
  oid = 26,
  json = 114,
  xml = 142,
  float4 = 700,
  float8 = 701,
  unknown = 705,
  bpchar = 1042,
  varchar = 1043,
  date = 1082,
  timestamp = 1114,
  timestamptz = 1184,
  numeric = 1700,
  uuid = 2950,
  jsonb = 3802,
};

constexpr std::chrono::sys_days postgres_epoch{std::chrono::year{2000} / 1 / 1};
constexpr std::int64_t days_max = 4'000'000;  // some 10,000 years
constexpr std::size_t numeric_digits_max = 1000;

/// An integer of exactly as many bytes as the value has.
template <class Number>
std::optional<Number> number(Bytes value) {
  if (value.size() != sizeof(Number)) return std::nullopt;
  std::uint64_t bits = 0;
  for (const std::byte byte : value) bits = bits << 8 | std::to_integer<std::uint64_t>(byte);
  return static_cast<Number>(bits);
}

std::optional<std::string> as_text_value(Bytes value) {
  if (!is_utf8(as_text(value))) return std::nullopt;
  return std::string(as_text(value));
}

std::optional<std::string> day(Bytes value) {
  const auto days = number<std::int32_t>(value);
  if (!days) return std::nullopt;
  if (*days == std::numeric_limits<std::int32_t>::max()) return "infinity";
  if (*days == std::numeric_limits<std::int32_t>::min()) return "-infinity";
  if (*days > days_max || *days < -days_max) return std::nullopt;
  const std::chrono::year_month_day date{postgres_epoch + std::chrono::days(*days)};
  return fmt::format("{:04}-{:02}-{:02}", int(date.year()), unsigned(date.month()),
                     unsigned(date.day()));
}

std::optional<std::string> moment(Bytes value) {
  const auto us = number<std::int64_t>(value);
  if (!us) return std::nullopt;
  if (*us == std::numeric_limits<std::int64_t>::max()) return "infinity";
  if (*us == std::numeric_limits<std::int64_t>::min()) return "-infinity";
  constexpr std::int64_t us_max = days_max * 86'400 * 1'000'000;
  if (*us > us_max || *us < -us_max) return std::nullopt;
  return to_iso8601(WallTime(postgres_epoch.time_since_epoch() + std::chrono::microseconds(*us)));
}

std::optional<std::string> decimal(Bytes value) {
  FieldReader reader(value);
  const std::uint16_t groups = reader.u16();
  const auto weight = static_cast<std::int16_t>(reader.u16());
  const std::uint16_t sign = reader.u16();
  const std::uint16_t scale = reader.u16();
  if (sign == 0xC000) return "NaN";
  if ((sign != 0 && sign != 0x4000) || groups > numeric_digits_max || weight > 250 ||
      weight < -250 || scale > numeric_digits_max) {
    return std::nullopt;
  }
  std::string whole;
  std::string fraction;
  std::vector<unsigned> digits;
  for (std::uint16_t i = 0; i < groups; ++i) digits.push_back(reader.u16());
  if (!reader.finished()) return std::nullopt;
  for (int i = 0; i <= weight; ++i) {
    const unsigned group = i < groups ? digits[static_cast<std::size_t>(i)] : 0;
    whole += whole.empty() ? fmt::format("{}", group) : fmt::format("{:04}", group);
  }
  for (int i = weight + 1; fraction.size() < scale; ++i) {
    fraction +=
        fmt::format("{:04}", i >= 0 && i < groups ? digits[static_cast<std::size_t>(i)] : 0U);
  }
  fraction.resize(scale);
  return (sign == 0x4000 ? "-" : "") + (whole.empty() ? "0" : whole) +
         (fraction.empty() ? "" : "." + fraction);
}

template <class To>
std::string printed(To value) {
  return fmt::format("{}", value);
}

}  // namespace

std::optional<std::string> readable(std::uint32_t type, Bytes value) {
  switch (type) {
    case boolean:
      return number<std::uint8_t>(value).transform(
          [](std::uint8_t flag) -> std::string { return flag != 0 ? "true" : "false"; });
    case bytea:
      return "\\x" + to_hex(value);
    case int2:
      return number<std::int16_t>(value).transform(printed<std::int16_t>);
    case int4:
      return number<std::int32_t>(value).transform(printed<std::int32_t>);
    case int8:
      return number<std::int64_t>(value).transform(printed<std::int64_t>);
    case oid:
      return number<std::uint32_t>(value).transform(printed<std::uint32_t>);
    case float4:
      return number<std::uint32_t>(value).transform(
          [](std::uint32_t bits) { return printed(std::bit_cast<float>(bits)); });
    case float8:
      return number<std::uint64_t>(value).transform(
          [](std::uint64_t bits) { return printed(std::bit_cast<double>(bits)); });
    case text:
    case json:
    case xml:
    case unknown:
    case bpchar:
    case varchar:
      return as_text_value(value);
    case jsonb:  // a version before the text
      if (value.empty() || value[0] != std::byte{1}) return std::nullopt;
      return as_text_value(value.subspan(1));
    case date:
      return day(value);
    case timestamp:
    case timestamptz:
      return moment(value);
    case numeric:
      return decimal(value);
    case uuid: {
      if (value.size() != 16) return std::nullopt;
      std::string hex = to_hex(value);
      for (const std::size_t at : {20, 16, 12, 8}) hex.insert(at, "-");
      return hex;
    }
    default:
      return std::nullopt;
  }
}

}  // namespace sallyport::postgres

// The texts of extension types, in and out.

#include <arpa/inet.h>

#include <charconv>
#include <chrono>
#include <limits>

#include <fmt/format.h>

#include "base/numbers.h"
#include "cedar/extension.h"

namespace sallyport::cedar {
namespace {

constexpr std::size_t ip_text_bytes_max = 43;  // the longest IPv6 address and its prefix

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

Result<std::uint8_t> parse_prefix(std::string_view text, bool v6) {
  const unsigned max = v6 ? 128 : 32;
  // Leading zeros are refused: 010 means eight to some and ten to others.
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text[0] == '0') ||
      !is_digit(text[0])) {
    return fail(Errc::malformed, "bad network prefix");
  }
  auto prefix = parse_number<unsigned>(text);
  if (!prefix || *prefix > max) return fail(Errc::malformed, "bad network prefix");
  return static_cast<std::uint8_t>(*prefix);
}

/// Takes exactly `count` digits off `text`, or gives -1.
int take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return -1;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_digit(text[i])) return -1;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

constexpr std::int64_t day_ms = 86'400'000;

/// "Z" or "+hhmm" or "-hhmm", to the end: how far local time is ahead, in ms.
std::optional<std::int64_t> parse_zone(std::string_view text) {
  if (text == "Z") return 0;
  if (text.size() != 5 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const int sign = text[0] == '-' ? -1 : 1;
  text.remove_prefix(1);
  const int hours = take_digits(text, 2);
  const int minutes = take_digits(text, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  return sign * (hours * 3'600'000LL + minutes * 60'000LL);
}

/// "hh:mm:ss", optional ".SSS", zone: ms since midnight UTC of the written date.
std::optional<std::int64_t> parse_time_of_day(std::string_view text) {
  const int hours = take_digits(text, 2);
  if (hours < 0 || hours > 23 || !take(text, ':')) return std::nullopt;
  const int minutes = take_digits(text, 2);
  if (minutes < 0 || minutes > 59 || !take(text, ':')) return std::nullopt;
  const int seconds = take_digits(text, 2);
  if (seconds < 0 || seconds > 59) return std::nullopt;
  int ms = 0;
  if (take(text, '.')) ms = take_digits(text, 3);
  if (ms < 0) return std::nullopt;
  const auto zone = parse_zone(text);
  if (!zone) return std::nullopt;
  return hours * 3'600'000LL + minutes * 60'000LL + seconds * 1'000LL + ms - *zone;
}

struct Unit {
  std::string_view name;
  std::int64_t ms;
};
constexpr Unit units[] = {{"d", day_ms}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}};

}  // namespace

Result<IpNet> parse_ip(std::string_view text) {
  const auto bad = [&] { return fail(Errc::malformed, "not an IP address: " + quoted(text)); };
  if (text.empty() || text.size() > ip_text_bytes_max) return bad();
  const std::size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  if (address.find('\0') != std::string::npos) return bad();
  IpNet net;
  net.v6 = address.find(':') != std::string::npos;
  // IPv4 inside IPv6 is not Cedar: one address has one spelling of its family.
  if (net.v6 && address.find('.') != std::string::npos) return bad();
  if (inet_pton(net.v6 ? AF_INET6 : AF_INET, address.c_str(), net.bytes) != 1) return bad();
  net.prefix = net.v6 ? 128 : 32;
  if (slash != std::string_view::npos) {
    const auto prefix = parse_prefix(text.substr(slash + 1), net.v6);
    if (!prefix) return bad();
    net.prefix = *prefix;
  }
  return net;
}

Result<std::int64_t> parse_decimal(std::string_view text) {
  const auto bad = [&] { return fail(Errc::malformed, "not a decimal: " + quoted(text)); };
  std::string_view rest = text;
  const bool negative = take(rest, '-');
  const std::size_t dot = rest.find('.');
  if (dot == std::string_view::npos || dot == 0) return bad();
  const std::string_view fraction = rest.substr(dot + 1);
  if (fraction.empty() || fraction.size() > 4) return bad();
  __int128 scaled = 0;
  for (const char c : rest.substr(0, dot)) {
    if (!is_digit(c)) return bad();
    scaled = scaled * 10 + (c - '0');
    if (scaled > std::numeric_limits<std::int64_t>::max()) break;
  }
  for (std::size_t i = 0; i < 4; ++i) {
    if (i < fraction.size() && !is_digit(fraction[i])) return bad();
    scaled = scaled * 10 + (i < fraction.size() ? fraction[i] - '0' : 0);
  }
  if (negative) scaled = -scaled;
  if (scaled > std::numeric_limits<std::int64_t>::max() ||
      scaled < std::numeric_limits<std::int64_t>::min()) {
    return fail(Errc::too_large, "decimal out of range: " + quoted(text));
  }
  return static_cast<std::int64_t>(scaled);
}

Result<std::int64_t> parse_datetime(std::string_view text) {
  const auto bad = [&] { return fail(Errc::malformed, "not a datetime: " + quoted(text)); };
  std::string_view rest = text;
  const int year = take_digits(rest, 4);
  if (year < 0 || !take(rest, '-')) return bad();
  const int month = take_digits(rest, 2);
  if (month < 0 || !take(rest, '-')) return bad();
  const int day = take_digits(rest, 2);
  if (day < 0) return bad();
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return bad();
  const std::int64_t midnight = std::chrono::sys_days(date).time_since_epoch().count() * day_ms;
  if (rest.empty()) return midnight;
  if (!take(rest, 'T')) return bad();
  const auto time = parse_time_of_day(rest);
  if (!time) return bad();
  return midnight + *time;
}

Result<std::int64_t> parse_duration(std::string_view text) {
  const auto bad = [&] { return fail(Errc::malformed, "not a duration: " + quoted(text)); };
  std::string_view rest = text;
  const bool negative = take(rest, '-');
  if (rest.empty()) return bad();
  __int128 total = 0;
  std::size_t next_unit = 0;
  while (!rest.empty()) {
    std::int64_t count = 0;
    const auto [end, problem] = std::from_chars(rest.data(), rest.data() + rest.size(), count);
    if (!is_digit(rest[0]) || problem == std::errc::invalid_argument) return bad();
    if (problem != std::errc{}) {
      // The one magnitude that only its negative fits.
      if (!negative || !rest.starts_with("9223372036854775808ms")) {
        return fail(Errc::too_large, "duration out of range: " + quoted(text));
      }
    }
    const bool lowest = problem != std::errc{};
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    const std::size_t letters = rest.starts_with("ms") ? 2 : 1;
    const std::string_view name = rest.substr(0, letters);
    while (next_unit < std::size(units) && units[next_unit].name != name) ++next_unit;
    if (next_unit == std::size(units)) return bad();
    rest.remove_prefix(letters);
    total += lowest ? -static_cast<__int128>(std::numeric_limits<std::int64_t>::min())
                    : static_cast<__int128>(count) * units[next_unit].ms;
    ++next_unit;
  }
  if (negative) total = -total;
  if (total > std::numeric_limits<std::int64_t>::max() ||
      total < std::numeric_limits<std::int64_t>::min()) {
    return fail(Errc::too_large, "duration out of range: " + quoted(text));
  }
  return static_cast<std::int64_t>(total);
}

std::string ip_text(const IpNet& net) {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(net.v6 ? AF_INET6 : AF_INET, net.bytes, text, sizeof text);
  const bool whole = net.prefix == (net.v6 ? 128 : 32);
  return whole ? std::string(text) : fmt::format("{}/{}", text, net.prefix);
}

std::string decimal_text(std::int64_t scaled) {
  const bool negative = scaled < 0;
  const std::uint64_t size =
      negative ? 0 - static_cast<std::uint64_t>(scaled) : static_cast<std::uint64_t>(scaled);
  return fmt::format("{}{}.{:04}", negative ? "-" : "", size / 10'000, size % 10'000);
}

std::string datetime_text(std::int64_t epoch_ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> time{milliseconds(epoch_ms)};
  const auto day_start = floor<days>(time);
  const year_month_day date(day_start);
  // Outside the years a calendar type can hold only the count is honest.
  if (epoch_ms < -62'167'219'200'000 || epoch_ms > 253'402'300'799'999) {
    return fmt::format("{}ms", epoch_ms);
  }
  const hh_mm_ss clock(time - day_start);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

}  // namespace sallyport::cedar

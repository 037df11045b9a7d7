#pragma once
// Cedar's extension types: ip, decimal, datetime, duration. Constructors from text, the functions
// and methods on them. No clock and no locale: a text has one meaning.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cedar/value.h"

namespace sallyport::cedar {

enum class Fn : std::uint8_t {
  ip,
  decimal,
  datetime,
  duration,
  is_ipv4,
  is_ipv6,
  is_loopback,
  is_multicast,
  is_in_range,
  less_than,
  less_than_or_equal,
  greater_than,
  greater_than_or_equal,
  offset,
  duration_since,
  to_date,
  to_time,
  to_milliseconds,
  to_seconds,
  to_minutes,
  to_hours,
  to_days,
};

struct FnInfo {
  Fn fn;
  std::string_view name;
  bool method;
  std::uint8_t arguments;  // including what the method is called on
};
/// The function or method of that name, or null.
const FnInfo* find_fn(std::string_view name);
std::string_view to_string(Fn fn);
std::span<const FnInfo> all_fns();

/// The kinds a function takes and gives; `second` is none where it takes one.
struct FnType {
  Kind first = Kind::none;
  Kind second = Kind::none;
  Kind result = Kind::none;
};
FnType fn_type(Fn fn);
/// ip, decimal, datetime, duration: made from a text.
inline bool is_constructor(Fn fn) {
  return fn <= Fn::duration;
}

/// Calls `fn`. Wrong kinds or counts of arguments, bad texts and overflows are failures.
Result<Value> call(Fn fn, std::span<const Value> arguments, Arena& arena);

Result<IpNet> parse_ip(std::string_view text);
Result<std::int64_t> parse_decimal(std::string_view text);   // times 10^4
Result<std::int64_t> parse_datetime(std::string_view text);  // ms since 1970
Result<std::int64_t> parse_duration(std::string_view text);  // ms

std::string ip_text(const IpNet& net);
std::string decimal_text(std::int64_t scaled);
std::string datetime_text(std::int64_t epoch_ms);

}  // namespace sallyport::cedar

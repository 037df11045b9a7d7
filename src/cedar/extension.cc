#include "cedar/extension.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace sallyport::cedar {
namespace {

constexpr FnInfo functions[] = {
    {Fn::ip, "ip", false, 1},
    {Fn::decimal, "decimal", false, 1},
    {Fn::datetime, "datetime", false, 1},
    {Fn::duration, "duration", false, 1},
    {Fn::is_ipv4, "isIpv4", true, 1},
    {Fn::is_ipv6, "isIpv6", true, 1},
    {Fn::is_loopback, "isLoopback", true, 1},
    {Fn::is_multicast, "isMulticast", true, 1},
    {Fn::is_in_range, "isInRange", true, 2},
    {Fn::less_than, "lessThan", true, 2},
    {Fn::less_than_or_equal, "lessThanOrEqual", true, 2},
    {Fn::greater_than, "greaterThan", true, 2},
    {Fn::greater_than_or_equal, "greaterThanOrEqual", true, 2},
    {Fn::offset, "offset", true, 2},
    {Fn::duration_since, "durationSince", true, 2},
    {Fn::to_date, "toDate", true, 1},
    {Fn::to_time, "toTime", true, 1},
    {Fn::to_milliseconds, "toMilliseconds", true, 1},
    {Fn::to_seconds, "toSeconds", true, 1},
    {Fn::to_minutes, "toMinutes", true, 1},
    {Fn::to_hours, "toHours", true, 1},
    {Fn::to_days, "toDays", true, 1},
};

constexpr std::int64_t day_ms = 86'400'000;

bool starts_with_bits(const IpNet& net, const std::uint8_t* bits, unsigned count) {
  const unsigned whole = count / 8;
  if (std::memcmp(net.bytes, bits, whole) != 0) return false;
  if (count % 8 == 0) return true;
  const unsigned mask = 0xffu << (8 - count % 8) & 0xffu;
  return (net.bytes[whole] & mask) == (bits[whole] & mask);
}

bool is_loopback(const IpNet& net) {
  constexpr std::uint8_t v4[] = {127};
  constexpr std::uint8_t v6[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return net.v6 ? net.prefix == 128 && starts_with_bits(net, v6, 128)
                : net.prefix >= 8 && starts_with_bits(net, v4, 8);
}

bool is_multicast(const IpNet& net) {
  constexpr std::uint8_t v4[] = {0xe0};
  constexpr std::uint8_t v6[] = {0xff};
  return net.v6 ? net.prefix >= 8 && starts_with_bits(net, v6, 8)
                : net.prefix >= 4 && starts_with_bits(net, v4, 4);
}

bool is_in_range(const IpNet& inner, const IpNet& outer) {
  return inner.v6 == outer.v6 && inner.prefix >= outer.prefix &&
         starts_with_bits(inner, outer.bytes, outer.prefix);
}

template <class T, class Make>
Result<Value> made(Result<T> parsed, Make make) {
  if (!parsed) return fail(parsed);
  return make(*parsed);
}

Result<Value> construct(Fn fn, std::string_view text, Arena& arena) {
  switch (fn) {
    case Fn::ip:
      return made(parse_ip(text), [&](const IpNet& net) { return arena.ip(net); });
    case Fn::decimal:
      return made(parse_decimal(text), Value::decimal);
    case Fn::datetime:
      return made(parse_datetime(text), Value::datetime);
    default:
      return made(parse_duration(text), Value::duration);
  }
}

Result<Value> overflow(Fn fn) {
  return fail(Errc::too_large, "overflow in " + std::string(to_string(fn)));
}

Result<Value> on_datetime(Fn fn, std::int64_t ms, std::int64_t other) {
  std::int64_t result = 0;
  const std::int64_t of_day = (ms % day_ms + day_ms) % day_ms;
  switch (fn) {
    case Fn::offset:
      if (__builtin_add_overflow(ms, other, &result)) return overflow(fn);
      return Value::datetime(result);
    case Fn::duration_since:
      if (__builtin_sub_overflow(ms, other, &result)) return overflow(fn);
      return Value::duration(result);
    case Fn::to_date:
      if (__builtin_sub_overflow(ms, of_day, &result)) return overflow(fn);
      return Value::datetime(result);
    default:
      return Value::duration(of_day);
  }
}

}  // namespace

const FnInfo* find_fn(std::string_view name) {
  const auto at = std::ranges::find(functions, name, &FnInfo::name);
  return at == std::end(functions) ? nullptr : at;
}

std::span<const FnInfo> all_fns() {
  return functions;
}

FnType fn_type(Fn fn) {
  switch (fn) {
    case Fn::ip:
      return {Kind::string, Kind::none, Kind::ip};
    case Fn::decimal:
      return {Kind::string, Kind::none, Kind::decimal};
    case Fn::datetime:
      return {Kind::string, Kind::none, Kind::datetime};
    case Fn::duration:
      return {Kind::string, Kind::none, Kind::duration};
    case Fn::is_ipv4:
    case Fn::is_ipv6:
    case Fn::is_loopback:
    case Fn::is_multicast:
      return {Kind::ip, Kind::none, Kind::boolean};
    case Fn::is_in_range:
      return {Kind::ip, Kind::ip, Kind::boolean};
    case Fn::less_than:
    case Fn::less_than_or_equal:
    case Fn::greater_than:
    case Fn::greater_than_or_equal:
      return {Kind::decimal, Kind::decimal, Kind::boolean};
    case Fn::offset:
      return {Kind::datetime, Kind::duration, Kind::datetime};
    case Fn::duration_since:
      return {Kind::datetime, Kind::datetime, Kind::duration};
    case Fn::to_date:
      return {Kind::datetime, Kind::none, Kind::datetime};
    case Fn::to_time:
      return {Kind::datetime, Kind::none, Kind::duration};
    case Fn::to_milliseconds:
    case Fn::to_seconds:
    case Fn::to_minutes:
    case Fn::to_hours:
    case Fn::to_days:
      return {Kind::duration, Kind::none, Kind::number};
  }
  return {};
}

std::string_view to_string(Fn fn) {
  return functions[static_cast<std::size_t>(fn)].name;
}

Result<Value> call(Fn fn, std::span<const Value> arguments, Arena& arena) {
  const FnInfo& info = functions[static_cast<std::size_t>(fn)];
  if (arguments.size() != info.arguments) {
    return fail(Errc::invalid, "wrong number of arguments to " + std::string(info.name) + ": " +
                                   std::to_string(arguments.size()));
  }
  const FnType kinds = fn_type(fn);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Kind wanted = i == 0 ? kinds.first : kinds.second;
    if (arguments[i].kind() == wanted) continue;
    return fail(Errc::invalid, std::string(info.name) + " needs " + std::string(to_string(wanted)) +
                                   ", got " + std::string(to_string(arguments[i].kind())));
  }
  const Value& a = arguments[0];
  const Value b = arguments.size() > 1 ? arguments[1] : Value();
  switch (fn) {
    case Fn::ip:
    case Fn::decimal:
    case Fn::datetime:
    case Fn::duration:
      return construct(fn, a.as_string(), arena);
    case Fn::is_ipv4:
      return Value::boolean(!a.as_ip().v6);
    case Fn::is_ipv6:
      return Value::boolean(a.as_ip().v6);
    case Fn::is_loopback:
      return Value::boolean(is_loopback(a.as_ip()));
    case Fn::is_multicast:
      return Value::boolean(is_multicast(a.as_ip()));
    case Fn::is_in_range:
      return Value::boolean(is_in_range(a.as_ip(), b.as_ip()));
    case Fn::less_than:
      return Value::boolean(a.as_number() < b.as_number());
    case Fn::less_than_or_equal:
      return Value::boolean(a.as_number() <= b.as_number());
    case Fn::greater_than:
      return Value::boolean(a.as_number() > b.as_number());
    case Fn::greater_than_or_equal:
      return Value::boolean(a.as_number() >= b.as_number());
    case Fn::offset:
    case Fn::duration_since:
    case Fn::to_date:
    case Fn::to_time:
      return on_datetime(fn, a.as_number(), b.as_number());
    case Fn::to_milliseconds:
      return Value::number(a.as_number());
    case Fn::to_seconds:
      return Value::number(a.as_number() / 1'000);
    case Fn::to_minutes:
      return Value::number(a.as_number() / 60'000);
    case Fn::to_hours:
      return Value::number(a.as_number() / 3'600'000);
    case Fn::to_days:
      return Value::number(a.as_number() / day_ms);
  }
  return fail(Errc::invalid, "unknown function");
}

}  // namespace sallyport::cedar

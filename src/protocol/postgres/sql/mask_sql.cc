#include "protocol/postgres/sql/mask_sql.h"

#include <optional>

#include <fmt/format.h>

namespace sallyport::postgres::sql {
namespace {

using catalog::Catalog;
using catalog::Column;
using catalog::Oid;
using mask::Kind;
using mask::Shape;

// Of pg_type, the same in every server.
constexpr Oid bytea_type = 17;
constexpr Oid name_type = 19;
constexpr Oid int8_type = 20;
constexpr Oid int2_type = 21;
constexpr Oid int4_type = 23;
constexpr Oid text_type = 25;
constexpr Oid float4_type = 700;
constexpr Oid float8_type = 701;
constexpr Oid bpchar_type = 1042;
constexpr Oid varchar_type = 1043;
constexpr Oid date_type = 1082;
constexpr Oid time_type = 1083;
constexpr Oid timestamp_type = 1114;
constexpr Oid timestamptz_type = 1184;
constexpr Oid interval_type = 1186;
constexpr Oid timetz_type = 1266;
constexpr Oid bit_type = 1560;
constexpr Oid varbit_type = 1562;
constexpr Oid numeric_type = 1700;
constexpr Oid uuid_type = 2950;

constexpr std::int32_t header_bytes = 4;  // VARHDRSZ, which some modifiers include

constexpr int domain_depth_max = 64;

bool is_text(Oid type) {
  return type == text_type || type == varchar_type || type == bpchar_type || type == name_type;
}

std::string modifier_sql(Oid type, std::int32_t modifier) {
  if (modifier < 0) return {};
  switch (type) {
    case varchar_type:
    case bpchar_type:
      return fmt::format("({})", modifier - header_bytes);
    case numeric_type: {
      const std::int32_t packed = modifier - header_bytes;
      const std::int32_t scale = ((packed & 0x7ff) ^ 1024) - 1024;
      return fmt::format("({},{})", (packed >> 16) & 0xffff, scale);
    }
    case time_type:
    case timetz_type:
    case timestamp_type:
    case timestamptz_type:
    case bit_type:
    case varbit_type:
      return fmt::format("({})", modifier);
    case interval_type: {
      const std::int32_t range = (modifier >> 16) & 0x7fff;
      const std::int32_t precision = modifier & 0xffff;
      return precision == 0xffff ? fmt::format("({})", range)
                                 : fmt::format("({},{})", range, precision);
    }
    default:
      return {};
  }
}

std::string call(std::string_view function, std::string_view arguments) {
  return fmt::format("pg_catalog.{}({})", function, arguments);
}
std::string op(std::string_view left, std::string_view sign, std::string_view right) {
  return fmt::format("({} OPERATOR(pg_catalog.{}) {})", left, sign, right);
}
std::string concat(std::string_view left, std::string_view right) {
  return op(left, "||", right);
}
std::string cast(std::string_view value, std::string_view type) {
  return fmt::format("CAST({} AS {})", value, type);
}
std::string length(std::string_view text) {
  return call("length", text);
}
std::string stars(std::string_view count) {
  return call("repeat", fmt::format("'*', {}", count));
}
std::string choose(std::string_view condition, std::string_view yes, std::string_view no) {
  return fmt::format("CASE WHEN {} THEN {} ELSE {} END", condition, yes, no);
}
/// Every character that is not in the class becomes a star.
std::string star_all(std::string_view text, std::string_view kept) {
  return call("regexp_replace", fmt::format("{}, '[^{}]', '*', 'g'", text, kept));
}
std::string without(std::string_view text, std::string_view removed) {
  return call("regexp_replace", fmt::format("{}, '[{}]', '', 'g'", text, removed));
}

/// The first character, if there is enough behind it that it tells little, and stars.
std::string first_and_stars(const std::string& text, int enough) {
  return concat(
      choose(op(length(text), ">=", std::to_string(enough)), call("left", text + ", 1"), "'*'"),
      stars(op(length(text), "-", "1")));
}

std::string partial_email(const std::string& text) {
  const std::string name = call("split_part", text + ", '@', 1");
  const std::string at = call("strpos", text + ", '@'");
  const std::string host = call("substr", text + ", " + op(at, "+", "1"));
  const std::string ending =
      fmt::format("COALESCE({}, '')", call("substring", host + ", '[.][A-Za-z]{2,6}$'"));
  const std::string rest = call("left", host + ", " + op(length(host), "-", length(ending)));
  const std::string masked =
      concat(concat(concat(first_and_stars(name, 3), "'@'"), first_and_stars(rest, 3)), ending);
  return choose(op(at, ">", "1"), masked, stars(length(text)));
}

std::string partial_card(const std::string& text) {
  const std::string last = call("right", text + ", 4");
  const std::string rest = star_all(call("left", text + ", -4"), " -");
  const std::string is_card =
      op(length(without(text, "^0-9")), ">=", "12") + " AND " + op(last, "~", "'^[0-9]{4}$'");
  return choose(is_card, concat(rest, last), stars(length(text)));
}

std::string partial_phone(const std::string& text) {
  const std::string last = call("right", text + ", 2");
  const std::string rest = star_all(call("left", text + ", -2"), " +()-");
  const std::string is_phone =
      op(length(without(text, "^0-9")), ">=", "7") + " AND " + op(last, "~", "'^[0-9]{2}$'");
  return choose(is_phone, concat(rest, last), stars(length(text)));
}

std::string partial_iban(const std::string& text) {
  const std::string country = call("left", text + ", 2");
  const std::string middle = star_all(call("left", call("substr", text + ", 3") + ", -4"), " ");
  const std::string is_iban =
      op(length(without(text, " ")), ">=", "15") + " AND " + op(country, "~", "'^[A-Z]{2}$'");
  return choose(is_iban, concat(concat(country, middle), call("right", text + ", 4")),
                stars(length(text)));
}

std::string partial(const std::string& text, Shape shape) {
  switch (shape) {
    case Shape::email:
      return partial_email(text);
    case Shape::card:
      return partial_card(text);
    case Shape::phone:
      return partial_phone(text);
    case Shape::iban:
      return partial_iban(text);
    case Shape::text:
      return choose(op(length(text), ">=", "4"), first_and_stars(text, 4), stars(length(text)));
  }
  return stars(length(text));
}

/// sha256(key || sha256(key || value)): the inner one alone could be extended.
std::string digest(const std::string& text) {
  const std::string key = call(
      "decode",
      fmt::format("{}, 'hex'", call("current_setting", fmt::format("'{}'", mask_key_setting))));
  const std::string inner = call("sha256", concat(key, call("convert_to", text + ", 'UTF8'")));
  return call("sha256", concat(key, inner));
}

/// So many hex digits of the digest.
std::string hex(const std::string& text, int digits) {
  return call("left", fmt::format("{}, {}", call("encode", digest(text) + ", 'hex'"), digits));
}

/// Nothing: the type holds too few values for equal ones to mean anything.
std::optional<std::string> hashed(const std::string& value, Oid type, std::int32_t modifier) {
  const std::string text = cast(value, "pg_catalog.text");
  const auto number = [&](int digits) {
    return cast(
        cast(concat("'x'", hex(text, digits)), fmt::format("pg_catalog.bit({})", 4 * digits)),
        digits == 8 ? "pg_catalog.int4" : "pg_catalog.int8");
  };
  if (is_text(type)) return hex(text, 32);
  switch (type) {
    case int4_type:
      return number(8);
    case int8_type:
    case float8_type:
      return number(16);
    case numeric_type:
      return modifier < 0 ? std::optional(number(16)) : std::nullopt;
    case uuid_type:
      return hex(text, 32);
    case bytea_type:
      // As text a value depends on bytea_output.
      return digest(call("encode", value + ", 'hex'"));
    default:
      return std::nullopt;
  }
}

std::optional<std::string> truncated_date(const std::string& value, std::string_view unit) {
  // Out of this range date_trunc can fail.
  const std::string in_range =
      op(value, ">=", "'0001-01-01'") + " AND " + op(value, "<", "'10000-01-01'");
  return choose(in_range, call("date_trunc", fmt::format("'{}', {}", unit, value)), "NULL");
}

std::optional<std::string> rounded(const std::string& value, Oid type) {
  switch (type) {
    case int2_type:
    case int4_type:
    case int8_type:
      return op(op(value, "/", "1000"), "*", "1000");
    case numeric_type:
      return call("trunc", value + ", -3");
    case float4_type:
    case float8_type: {
      const std::string wide = cast(value, "pg_catalog.float8");
      // A tiny one divided is an error.
      return choose(op(call("abs", wide), "<", "1000"), "0",
                    op(call("trunc", op(wide, "/", "1000")), "*", "1000"));
    }
    case date_type:
    case timestamp_type:
    case timestamptz_type:
      return truncated_date(value, "month");
    default:
      return std::nullopt;
  }
}

std::optional<std::string> masked(const std::string& value, Oid type, std::int32_t modifier,
                                  const mask::Mask& mask) {
  switch (mask.kind) {
    case Kind::partial:
      if (is_text(type)) return partial(cast(value, "pg_catalog.text"), mask.shape);
      return std::nullopt;
    case Kind::round:
      return rounded(value, type);
    case Kind::year:
      if (type != date_type && type != timestamp_type && type != timestamptz_type) {
        return std::nullopt;
      }
      return truncated_date(value, "year");
    case Kind::hash:
      return hashed(value, type, modifier);
    case Kind::redact:
      if (is_text(type)) return "'****'";
      return std::nullopt;
    case Kind::null:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::string quoted_name(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

std::string quoted_text(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out + '\'';
}

std::string type_sql(const Catalog& catalog, Oid type, std::int32_t modifier) {
  std::string_view schema;
  std::string_view name;
  if (const catalog::Type* const found = catalog.type(type)) {
    schema = catalog.schema_name(found->schema);
    name = found->name;
  } else if (const catalog::Relation* const row = catalog.relation_of_row_type(type)) {
    schema = catalog.schema_name(row->schema);
    name = row->name;
  }
  if (schema.empty() || name.empty()) return {};
  const Oid element = catalog.type(type) != nullptr ? catalog.type(type)->element : 0;
  std::string modifiers = modifier_sql(type, modifier);
  if (modifiers.empty() && element != 0) modifiers = modifier_sql(element, modifier);
  return quoted_name(schema) + "." + quoted_name(name) + modifiers;
}

std::string mask_sql(const Catalog& catalog, const Column& column, const mask::Mask& mask) {
  Oid type = column.type;
  std::int32_t modifier = column.type_modifier;
  // A domain may refuse what a mask makes of its values, NULL too.
  for (int depth = 0; depth < domain_depth_max; ++depth) {
    const catalog::Type* const found = catalog.type(type);
    if (found == nullptr || found->kind != catalog::TypeKind::domain) break;
    modifier = found->base_modifier;
    type = found->base;
  }
  const std::string as = type_sql(catalog, type, modifier);
  if (as.empty()) return {};
  const auto value = masked(quoted_name(column.name), type, modifier, mask);
  return cast(value.value_or("NULL"), as);
}

}  // namespace sallyport::postgres::sql

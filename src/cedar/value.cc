#include "cedar/value.h"

#include <algorithm>
#include <cstring>

#include "cedar/extension.h"

namespace sallyport::cedar {
namespace {

template <class T>
int order(const T& a, const T& b) {
  return a < b ? -1 : (b < a ? 1 : 0);
}

int compare_uid(const EntityUid& a, const EntityUid& b) {
  if (const int by_hash = order(a.hash, b.hash)) return by_hash;
  if (const int by_type = a.type.compare(b.type)) return by_type;
  return a.id.compare(b.id);
}

int compare_ip(const IpNet& a, const IpNet& b) {
  if (const int by_family = order(a.v6, b.v6)) return by_family;
  if (const int by_prefix = order(a.prefix, b.prefix)) return by_prefix;
  return std::memcmp(a.bytes, b.bytes, sizeof a.bytes);
}

int compare_sets(std::span<const Value> a, std::span<const Value> b) {
  if (const int by_size = order(a.size(), b.size())) return by_size;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (const int by_item = compare(a[i], b[i])) return by_item;
  }
  return 0;
}

int compare_records(std::span<const Field> a, std::span<const Field> b) {
  if (const int by_size = order(a.size(), b.size())) return by_size;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (const int by_name = a[i].name.compare(b[i].name)) return by_name;
    if (const int by_value = compare(a[i].value, b[i].value)) return by_value;
  }
  return 0;
}

std::string set_to_string(std::span<const Value> items) {
  std::string text = "[";
  for (const Value& item : items) {
    if (text.size() > 1) text += ", ";
    text += to_string(item);
  }
  return text + "]";
}

std::string record_to_string(std::span<const Field> fields) {
  std::string text = "{";
  for (const Field& field : fields) {
    if (text.size() > 1) text += ", ";
    text += quoted(field.name) + ": " + to_string(field.value);
  }
  return text + "}";
}

}  // namespace

std::string EntityUid::to_string() const {
  return std::string(type) + "::" + quoted(id);
}

// FNV-1a with a final mix. Only a first guess at equality and an order: every match is verified.
std::uint64_t hash_text(std::string_view text, std::uint64_t seed) {
  std::uint64_t hash = 0xcbf29ce484222325ull ^ seed;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3ull;
  }
  hash ^= hash >> 32;
  hash *= 0x9e3779b97f4a7c15ull;
  return hash ^ hash >> 29;
}

EntityUid make_uid(std::string_view type, std::string_view id) {
  const std::uint64_t type_hash = hash_text(type);
  return {type, id, hash_text(id, type_hash), type_hash};
}

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::none:
      return "nothing";
    case Kind::boolean:
      return "bool";
    case Kind::number:
      return "long";
    case Kind::string:
      return "string";
    case Kind::entity:
      return "entity";
    case Kind::set:
      return "set";
    case Kind::record:
      return "record";
    case Kind::ip:
      return "ipaddr";
    case Kind::decimal:
      return "decimal";
    case Kind::datetime:
      return "datetime";
    case Kind::duration:
      return "duration";
  }
  return "nothing";
}

Value Value::field(std::string_view name) const {
  const auto fields = as_record();
  if (fields.size() <= 8) {
    for (const Field& field : fields) {
      if (field.name == name) return field.value;
    }
    return {};
  }
  const auto at = std::ranges::lower_bound(fields, name, {}, &Field::name);
  return at != fields.end() && at->name == name ? at->value : Value();
}

int compare(const Value& a, const Value& b) {
  if (const int by_kind = order(a.kind(), b.kind())) return by_kind;
  switch (a.kind()) {
    case Kind::none:
      return 0;
    case Kind::boolean:
    case Kind::number:
    case Kind::decimal:
    case Kind::datetime:
    case Kind::duration:
      return order(a.as_number(), b.as_number());
    case Kind::string:
      return a.as_string().compare(b.as_string());
    case Kind::entity:
      return compare_uid(a.as_entity(), b.as_entity());
    case Kind::ip:
      return compare_ip(a.as_ip(), b.as_ip());
    case Kind::set:
      return compare_sets(a.as_set(), b.as_set());
    case Kind::record:
      return compare_records(a.as_record(), b.as_record());
  }
  return 0;
}

bool contains(std::span<const Value> set, const Value& value) {
  return std::binary_search(set.begin(), set.end(), value,
                            [](const Value& a, const Value& b) { return compare(a, b) < 0; });
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\0':
        out += "\\0";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          constexpr std::string_view digits = "0123456789abcdef";
          out += "\\u{";
          out += digits[static_cast<unsigned char>(c) >> 4];
          out += digits[c & 0xf];
          out += '}';
        } else {
          out += c;
        }
    }
  }
  return out + "\"";
}

std::string to_string(const Value& value) {
  switch (value.kind()) {
    case Kind::none:
      return "nothing";
    case Kind::boolean:
      return value.as_bool() ? "true" : "false";
    case Kind::number:
      return std::to_string(value.as_number());
    case Kind::string:
      return quoted(value.as_string());
    case Kind::entity:
      return value.as_entity().to_string();
    case Kind::set:
      return set_to_string(value.as_set());
    case Kind::record:
      return record_to_string(value.as_record());
    case Kind::ip:
      return "ip(\"" + ip_text(value.as_ip()) + "\")";
    case Kind::decimal:
      return "decimal(\"" + decimal_text(value.as_number()) + "\")";
    case Kind::datetime:
      return "datetime(\"" + datetime_text(value.as_number()) + "\")";
    case Kind::duration:
      return "duration(\"" + std::to_string(value.as_number()) + "ms\")";
  }
  return "nothing";
}

std::string_view Arena::text(std::string_view text) {
  const auto bytes = array<char>(text.size());
  std::ranges::copy(text, bytes.begin());
  return {bytes.data(), bytes.size()};
}

const EntityUid* Arena::uid(std::string_view type, std::string_view id) {
  EntityUid* const uid = array<EntityUid>(1).data();
  *uid = make_uid(text(type), text(id));
  return uid;
}

Value Arena::ip(const IpNet& net) {
  IpNet* const copy = array<IpNet>(1).data();
  *copy = net;
  return Value::borrow(copy);
}

Value Arena::set(std::span<const Value> items) {
  const auto copy = array<Value>(items.size());
  std::ranges::copy(items, copy.begin());
  std::ranges::sort(copy, [](const Value& a, const Value& b) { return compare(a, b) < 0; });
  const auto repeated = std::ranges::unique(copy);
  const auto size = static_cast<std::uint32_t>(copy.size() - repeated.size());
  return {Kind::set, size, static_cast<const void*>(copy.data())};
}

Value Arena::record(std::span<const Field> fields) {
  const auto copy = array<Field>(fields.size());
  std::ranges::copy(fields, copy.begin());
  std::ranges::sort(copy, {}, &Field::name);
  return {Kind::record, static_cast<std::uint32_t>(copy.size()),
          static_cast<const void*>(copy.data())};
}

}  // namespace sallyport::cedar

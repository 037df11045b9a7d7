#pragma once
// Cedar values: small, copyable views into an Arena. A Value owns nothing; whoever made it keeps
// its arena alive for as long as the value is used.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace sallyport::cedar {

/// An entity's name, with its hashes made once, so that unequal names differ at the first compare.
struct EntityUid {
  std::string_view type;  // "Ns::User"
  std::string_view id;
  std::uint64_t hash = 0;
  std::uint64_t type_hash = 0;

  bool operator==(const EntityUid& other) const {
    return hash == other.hash && id == other.id && type == other.type;
  }
  /// User::"alice", with the id escaped as in a policy.
  std::string to_string() const;
};

std::uint64_t hash_text(std::string_view text, std::uint64_t seed = 0);
/// A uid that borrows both texts.
EntityUid make_uid(std::string_view type, std::string_view id);

/// An IPv4 or IPv6 address or network, as `ip("10.0.0.0/8")` makes it.
struct IpNet {
  std::uint8_t bytes[16] = {};  // network order; IPv4 in the first four
  std::uint8_t prefix = 0;
  bool v6 = false;
};

enum class Kind : std::uint8_t {
  none,  // no value: the evaluation failed, the attribute is absent
  boolean,
  number,
  string,
  entity,
  set,
  record,
  ip,
  decimal,
  datetime,
  duration
};
/// "long", "string", "set" ...: for messages.
std::string_view to_string(Kind kind);

struct Field;

/// One Cedar value. Sets are sorted by `compare` and have no duplicates, records are sorted by
/// name: only an Arena makes them.
class Value {
 public:
  Value() = default;
  static Value boolean(bool value) { return {Kind::boolean, 0, value ? 1 : 0}; }
  static Value number(std::int64_t value) { return {Kind::number, 0, value}; }
  /// Four fixed decimal places: 1.5 is 15000.
  static Value decimal(std::int64_t scaled) { return {Kind::decimal, 0, scaled}; }
  static Value datetime(std::int64_t epoch_ms) { return {Kind::datetime, 0, epoch_ms}; }
  static Value duration(std::int64_t ms) { return {Kind::duration, 0, ms}; }
  /// The borrowing forms: what they point to must outlive the value.
  static Value borrow(std::string_view text) {
    return {Kind::string, static_cast<std::uint32_t>(text.size()), text.data()};
  }
  static Value borrow(const EntityUid* uid) { return {Kind::entity, 0, uid}; }
  static Value borrow(const IpNet* net) { return {Kind::ip, 0, net}; }

  Kind kind() const { return kind_; }
  explicit operator bool() const { return kind_ != Kind::none; }
  bool is(Kind kind) const { return kind_ == kind; }

  bool as_bool() const { return number_ != 0; }
  std::int64_t as_number() const { return number_; }  // also decimal, datetime, duration
  std::string_view as_string() const { return {static_cast<const char*>(pointer_), size_}; }
  const EntityUid& as_entity() const { return *static_cast<const EntityUid*>(pointer_); }
  const IpNet& as_ip() const { return *static_cast<const IpNet*>(pointer_); }
  std::span<const Value> as_set() const;
  std::span<const Field> as_record() const;
  /// The field of a record, or a value of kind none.
  Value field(std::string_view name) const;

 private:
  friend class Arena;
  Value(Kind kind, std::uint32_t size, std::int64_t number)
      : kind_(kind), size_(size), number_(number) {}
  Value(Kind kind, std::uint32_t size, const void* pointer)
      : kind_(kind), size_(size), pointer_(pointer) {}

  Kind kind_ = Kind::none;
  std::uint32_t size_ = 0;
  union {
    std::int64_t number_ = 0;
    const void* pointer_;
  };
};
static_assert(sizeof(Value) == 16 && std::is_trivially_copyable_v<Value>);

struct Field {
  std::string_view name;
  Value value;
};

inline std::span<const Value> Value::as_set() const {
  return {static_cast<const Value*>(pointer_), size_};
}
inline std::span<const Field> Value::as_record() const {
  return {static_cast<const Field*>(pointer_), size_};
}

/// A total order over all values; 0 is Cedar's `==`.
int compare(const Value& a, const Value& b);
inline bool operator==(const Value& a, const Value& b) {
  return compare(a, b) == 0;
}
bool contains(std::span<const Value> set, const Value& value);
/// As Cedar would write it.
std::string to_string(const Value& value);
/// `text` in quotes, escaped as in a policy.
std::string quoted(std::string_view text);

/// Memory for values, freed all at once. Not for two threads at a time while it grows.
class Arena {
 public:
  Arena() = default;
  /// Uses `first` until it is full; `first` must outlive the arena.
  explicit Arena(std::span<std::byte> first) : memory_(first.data(), first.size()) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Frees all, and starts again with the first memory. What was made is gone.
  void reset() { memory_.release(); }

  std::string_view text(std::string_view text);
  const EntityUid* uid(std::string_view type, std::string_view id);

  Value string(std::string_view value) { return Value::borrow(text(value)); }
  Value entity(std::string_view type, std::string_view id) { return Value::borrow(uid(type, id)); }
  Value ip(const IpNet& net);
  /// Sorts and removes duplicates.
  Value set(std::span<const Value> items);
  /// Names must be distinct and are borrowed; sorted here.
  Value record(std::span<const Field> fields);

  template <class T>
  std::span<T> array(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    if (count == 0) return {};
    T* items = static_cast<T*>(memory_.allocate(count * sizeof(T), alignof(T)));
    std::uninitialized_default_construct_n(items, count);
    return {items, count};
  }

 private:
  std::pmr::monotonic_buffer_resource memory_;
};

}  // namespace sallyport::cedar

#pragma once
// JSON from outside, read strictly: UTF-8, no name twice in an object, bounded depth and size.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace sallyport::identity {

/// A value that owns what it holds.
class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;
  /// A number is an integer up to 2^53 either way, else a double.
  using Data = std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object>;

  static constexpr int kDepthMax = 16;

  /// Fails with malformed, or too_large above `bytes_max`.
  static Result<Json> parse(std::string_view text, std::size_t bytes_max);

  Json() = default;
  explicit Json(Data data) : data_(std::move(data)) {}

  bool is_object() const { return std::holds_alternative<Object>(data_); }
  /// A member, or null if there is none or this is not an object.
  const Json* member(std::string_view name) const;
  bool has(std::string_view name) const { return member(name) != nullptr; }

  std::optional<std::string_view> string() const;
  std::optional<std::int64_t> integer() const;  // never a float, never beyond 2^53
  std::optional<bool> boolean() const;
  const Array* array() const { return std::get_if<Array>(&data_); }
  const Object* object() const { return std::get_if<Object>(&data_); }
  /// A string, or an array of nothing but strings.
  std::optional<std::vector<std::string>> strings() const;

  /// The string of a member; nothing if it is missing or no string.
  std::optional<std::string_view> text(std::string_view name) const;

 private:
  Data data_;
};

}  // namespace sallyport::identity

#pragma once
// Fields: one map of the configuration read key by key. It knows which keys were asked for, so that
// at the end whatever nobody asked for is an error with a guess at what was meant.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/document.h"

namespace sallyport::app {

/// The name in `names` that is nearest to `name`, or empty if none is near.
std::string nearest(std::string_view name, const std::vector<std::string>& names);

/// A path as written in a file means a path relative to that file.
std::filesystem::path resolve_path(const Place& place, const std::string& text);

/// The value and the problems must outlive it. Every getter takes the key that is read, says what
/// is wrong with its value, and then gives nothing or the fallback.
class Fields {
 public:
  /// `name` says where we are, for messages: "connections.shop".
  Fields(const Value& map, std::string name, std::vector<Problem>& problems);

  bool has(std::string_view key);
  /// Null if the key is not there or has no value.
  const Value* get(const std::string& key);
  /// As get(), and it is a problem if the key is not there. `example` is the hint.
  const Value* require(const std::string& key, const std::string& example);

  /// nullopt with a problem if the value is of another type.
  std::optional<std::string> text(const std::string& key);
  std::string text_or(const std::string& key, std::string fallback);
  std::string required_text(const std::string& key, const std::string& example);
  std::uint64_t number_or(const std::string& key, std::uint64_t fallback, std::uint64_t min,
                          std::uint64_t max);
  std::optional<std::uint64_t> number(const std::string& key, std::uint64_t min, std::uint64_t max);
  bool flag_or(const std::string& key, bool fallback);
  std::vector<std::string> texts(const std::string& key);
  /// One of `choices`, or the fallback.
  std::string choice_or(const std::string& key, std::string fallback,
                        const std::vector<std::string>& choices);
  /// A file that must exist and be readable.
  std::filesystem::path file(const std::string& key);
  /// A map of names to maps or texts. Null if it is not there.
  const Value* map(const std::string& key);
  const Value* list(const std::string& key);

  /// A problem at the value of `key`, or at the map if there is no such key.
  void problem(const std::string& key, std::string what, std::string hint = "");
  /// A problem at the map itself.
  void problem_here(std::string what, std::string hint = "");

  /// Reports the keys that nobody asked for. Call it last.
  void finish();

  const Value& value() const { return map_; }
  const std::string& name() const { return name_; }

 private:
  std::string path_of(const std::string& key) const;

  const Value& map_;
  std::string name_;
  std::vector<Problem>& problems_;
  std::vector<std::string> known_;
};

/// The text of a scalar, with a problem if it is something else.
std::optional<std::string> scalar_text(const Value& value, const std::string& name,
                                       std::vector<Problem>& problems);

}  // namespace sallyport::app

#pragma once
// A YAML file as a tree of plain values that remember where they were written, so that whatever is
// wrong with one can be said with file, line and column. It knows nothing of what the keys mean.

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sallyport::app {

/// A place in a file. Lines and columns count from 1.
struct Place {
  std::shared_ptr<const std::filesystem::path> file;
  std::size_t line = 1;
  std::size_t column = 1;

  /// "sallyport.yaml:12:5"
  std::string to_string() const;
};

struct Problem {
  Place place;
  std::string what;
  std::string hint;  // what to do about it, or empty

  /// "sallyport.yaml:12:5: what (hint)"
  std::string to_string() const;
};

struct Value;

struct Entry {
  std::string key;
  Place place;  // of the key
  std::unique_ptr<Value> value;
};

struct Value {
  enum class Kind { null, scalar, list, map };

  Kind kind = Kind::null;
  Place place;
  std::string scalar;
  bool quoted = false;  // "5432" is a text, 5432 is a number
  std::vector<Value> items;
  std::vector<Entry> entries;

  /// Null if there is no such key, or if this is no map.
  const Value* find(std::string_view key) const;
};

inline constexpr std::size_t document_bytes_max = 1 << 20;
inline constexpr std::size_t document_depth_max = 16;
inline constexpr std::size_t document_values_max = 100'000;

/// Reads a file; what is wrong with it as YAML (syntax, duplicate keys, too much of anything) is
/// added to `problems`. A file that cannot be read is an empty map and a problem.
Value read_document(const std::filesystem::path& file, std::vector<Problem>& problems);

/// As read_document, from text; `name` stands for the file in problems and for relative paths.
Value parse_document(const std::string& text, const std::filesystem::path& name,
                     std::vector<Problem>& problems);

/// `over` on top of `base`: maps are merged key by key, anything else is replaced.
Value merge(Value base, Value over);

}  // namespace sallyport::app

#pragma once
// A document in JSON or YAML as a tree that remembers the lines, for what is written by people and
// read once. It knows nothing of what the keys mean. (app/document.h reads the configuration.)

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sallyport::content {

struct DocumentMember;

struct DocumentValue {
  enum class Kind : std::uint8_t { null, scalar, list, map };

  Kind kind = Kind::null;
  std::size_t line = 1;
  std::string text;     // of a scalar
  bool quoted = false;  // it is a text whatever it looks like
  std::vector<DocumentValue> items;
  std::vector<DocumentMember> members;

  /// Null if there is no such member, or if this is no map.
  const DocumentValue* find(std::string_view name) const;
  bool is_map() const { return kind == Kind::map; }
  bool is_list() const { return kind == Kind::list; }
  bool is_scalar() const { return kind == Kind::scalar; }
};

struct DocumentMember {
  std::string name;
  DocumentValue value;
};

inline constexpr std::size_t document_bytes_max = std::size_t{16} << 20;
inline constexpr std::size_t document_values_max = 1'000'000;
inline constexpr std::size_t document_depth_max = 100;

/// JSON if it begins with a brace, else YAML. Fails with the line: on what is neither, on keys that
/// are there twice, on aliases, and above the limits.
Result<DocumentValue> read_document(std::string_view text);
/// JSON in any case.
Result<DocumentValue> read_json_document(std::string_view text);

}  // namespace sallyport::content

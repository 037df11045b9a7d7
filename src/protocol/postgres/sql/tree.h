#pragma once
// The parse tree as libpg_query writes it: {"SelectStmt": {"targetList": [...]}}. A thin reading
// aid over simdjson; the only header that includes it.

#include <simdjson.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sallyport::postgres::sql {

using Value = simdjson::dom::element;
using Object = simdjson::dom::object;
using Array = simdjson::dom::array;

/// A node in a field of type Node: its kind, and its own fields.
struct Node {
  std::string_view kind;
  Object fields;
};

/// Reads a tree of this thread; valid until the next call on it. `json` has readable bytes behind
/// it (ParseResult::tree).
Result<Value> read_tree(std::string_view json);

/// Fields that are absent read as empty, zero, false or nothing: libpg_query omits defaults.
std::optional<Value> field(Object object, std::string_view name);
std::string_view text(Object object, std::string_view name);
bool flag(Object object, std::string_view name);
std::int64_t number(Object object, std::string_view name);
std::optional<Object> object(Object object, std::string_view name);
std::optional<Array> array(Object object, std::string_view name);
/// Of an array; none where there is none.
std::vector<Value> items(Object object, std::string_view name);

/// {"Kind": {...}}; nothing for anything else.
std::optional<Node> node(Value value);
std::optional<Node> node(Object object, std::string_view name);
/// The text of a String node, or of a constant string.
std::optional<std::string_view> string_of(Value value);

}  // namespace sallyport::postgres::sql

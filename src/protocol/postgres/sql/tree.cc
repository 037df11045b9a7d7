#include "protocol/postgres/sql/tree.h"

namespace sallyport::postgres::sql {

namespace {

/// Levels of JSON: about three for one level of SQL.
constexpr std::size_t kDepthMax = 3000;
constexpr std::size_t kKeptBytesMax = std::size_t{2} << 20;

}  // namespace

Result<Value> read_tree(std::string_view json) {
  thread_local simdjson::dom::parser parser;
  const bool shrink = parser.capacity() > kKeptBytesMax && json.size() < kKeptBytesMax;
  if (shrink) parser = simdjson::dom::parser();
  if (parser.capacity() < json.size() || parser.max_depth() != kDepthMax) {
    const std::size_t capacity = std::max(json.size(), std::size_t{64} << 10);
    if (parser.allocate(capacity, kDepthMax) != simdjson::SUCCESS) {
      return fail(Errc::too_large, "no memory for the tree of the statement");
    }
  }
  Value root;
  const auto error = parser.parse(json.data(), json.size(), false).get(root);
  if (error == simdjson::SUCCESS) return root;
  if (error == simdjson::DEPTH_ERROR) {
    return fail(Errc::too_large, "the statement cannot be analysed: nested too deeply");
  }
  return fail(Errc::malformed, std::string("tree: ") + simdjson::error_message(error));
}

std::optional<Value> field(Object object, std::string_view name) {
  Value value;
  if (object.at_key(name).get(value) != simdjson::SUCCESS) return std::nullopt;
  return value;
}

std::string_view text(Object object, std::string_view name) {
  std::string_view value;
  const auto found = field(object, name);
  if (!found || found->get(value) != simdjson::SUCCESS) return {};
  return value;
}

bool flag(Object object, std::string_view name) {
  bool value = false;
  const auto found = field(object, name);
  return found && found->get(value) == simdjson::SUCCESS && value;
}

std::int64_t number(Object object, std::string_view name) {
  std::int64_t value = 0;
  const auto found = field(object, name);
  if (!found || found->get(value) != simdjson::SUCCESS) return 0;
  return value;
}

std::optional<Object> object(Object from, std::string_view name) {
  Object value;
  const auto found = field(from, name);
  if (!found || found->get(value) != simdjson::SUCCESS) return std::nullopt;
  return value;
}

std::optional<Array> array(Object from, std::string_view name) {
  Array value;
  const auto found = field(from, name);
  if (!found || found->get(value) != simdjson::SUCCESS) return std::nullopt;
  return value;
}

std::vector<Value> items(Object object, std::string_view name) {
  std::vector<Value> all;
  if (const auto found = array(object, name)) {
    for (Value item : *found) all.push_back(item);
  }
  return all;
}

std::optional<Node> node(Value value) {
  Object outer;
  if (value.get(outer) != simdjson::SUCCESS) return std::nullopt;
  const auto first = outer.begin();
  if (first == outer.end()) return std::nullopt;
  const std::string_view kind = first.key();
  if (kind.empty() || kind.front() < 'A' || kind.front() > 'Z') return std::nullopt;
  Node result{.kind = kind, .fields = {}};
  if (first.value().get(result.fields) != simdjson::SUCCESS) return std::nullopt;
  return result;
}

std::optional<Node> node(Object from, std::string_view name) {
  const auto value = field(from, name);
  return value ? node(*value) : std::nullopt;
}

std::optional<std::string_view> string_of(Value value) {
  const auto found = node(value);
  if (!found) return std::nullopt;
  if (found->kind == "String") return text(found->fields, "sval");
  if (found->kind == "A_Const") {
    if (const auto constant = object(found->fields, "sval")) return text(*constant, "sval");
  }
  return std::nullopt;
}

}  // namespace sallyport::postgres::sql

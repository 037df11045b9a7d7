#include "cedar/json_read.h"

#include <algorithm>

#include "cedar/lexer.h"

namespace sallyport::cedar {

namespace dom = simdjson::dom;

namespace {

bool is_identifier(std::string_view word) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !word.empty() && letter(word[0]) &&
         std::ranges::all_of(word, [&](char c) { return letter(c) || digit(c); });
}

}  // namespace

Result<dom::object> json_object(dom::element json, const JsonPath& path) {
  dom::object object;
  if (json.get(object)) return path.fail("an object is expected");
  std::vector<std::string_view> seen;
  seen.reserve(object.size());
  for (const auto& [key, member] : object) seen.push_back(key);
  std::ranges::sort(seen);
  const auto twice = std::ranges::adjacent_find(seen);
  if (twice != seen.end()) return path.fail(fmt::format("key \"{}\" is given twice", *twice));
  return object;
}

Result<dom::object> json_object(dom::element json, const JsonPath& path,
                                std::initializer_list<std::string_view> keys) {
  auto object = json_object(json, path);
  if (!object) return object;
  for (const auto& [key, member] : *object) {
    if (std::ranges::find(keys, key) == keys.end()) {
      return path.fail(fmt::format("\"{}\" is not a key here", key));
    }
  }
  return object;
}

Result<dom::array> json_array(dom::element json, const JsonPath& path) {
  dom::array array;
  if (json.get(array)) return path.fail("an array is expected");
  return array;
}

Result<std::string> json_string(dom::element json, const JsonPath& path) {
  std::string_view text;
  if (json.get(text)) return path.fail("a string is expected");
  return std::string(text);
}

Result<bool> json_bool(dom::element json, const JsonPath& path) {
  bool value = false;
  if (json.get(value)) return path.fail("true or false is expected");
  return value;
}

Result<dom::element> json_member(dom::object object, std::string_view key, const JsonPath& path) {
  dom::element member;
  if (object[key].get(member)) return path.fail(fmt::format("\"{}\" is missing", key));
  return member;
}

Result<dom::element> json_parse(dom::parser& parser, std::string_view json, std::size_t bytes_max,
                                std::size_t depth_max) {
  if (json.size() > bytes_max) {
    return fail(Errc::too_large, fmt::format("JSON of more than {} bytes", bytes_max));
  }
  if (parser.allocate(std::max(json.size(), std::size_t{64}), depth_max)) {
    return fail(Errc::too_large, "no memory for the JSON");
  }
  dom::element element;
  if (const auto problem = parser.parse(json.data(), json.size()).get(element)) {
    return fail(problem == simdjson::DEPTH_ERROR ? Errc::too_large : Errc::malformed,
                simdjson::error_message(problem));
  }
  return element;
}

bool is_type_path(std::string_view name) {
  for (;;) {
    const std::size_t colon = name.find("::");
    const std::string_view word = name.substr(0, colon);
    if (!is_identifier(word) || (is_reserved(word) && word != "__cedar")) return false;
    if (colon == std::string_view::npos) return true;
    name.remove_prefix(colon + 2);
  }
}

}  // namespace sallyport::cedar

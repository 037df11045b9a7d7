#include "identity/json.h"

#include <simdjson.h>

#include <set>

namespace sallyport::identity {
namespace {

constexpr std::int64_t kIntegerMax = std::int64_t{1} << 53;

Json number(std::int64_t value) {
  if (value > kIntegerMax || value < -kIntegerMax) return Json(static_cast<double>(value));
  return Json(value);
}

Result<Json> convert(simdjson::dom::element element, int depth);

Result<Json> convert_object(simdjson::dom::object object, int depth) {
  Json::Object members;
  std::set<std::string_view> names;
  for (const auto [name, value] : object) {
    // Two readers of a repeated name may each see another value.
    if (!names.insert(name).second) {
      return fail(Errc::malformed, "a name is repeated in a JSON object");
    }
    auto converted = convert(value, depth + 1);
    if (!converted) return fail(converted);
    members.emplace_back(std::string(name), std::move(*converted));
  }
  return Json(std::move(members));
}

Result<Json> convert_array(simdjson::dom::array array, int depth) {
  Json::Array elements;
  for (const auto value : array) {
    auto converted = convert(value, depth + 1);
    if (!converted) return fail(converted);
    elements.push_back(std::move(*converted));
  }
  return Json(std::move(elements));
}

Result<Json> convert(simdjson::dom::element element, int depth) {
  if (depth > Json::kDepthMax) return fail(Errc::too_large, "JSON is nested too deep");
  using Type = simdjson::dom::element_type;
  switch (element.type()) {
    case Type::OBJECT:
      return convert_object(element.get_object().value_unsafe(), depth);
    case Type::ARRAY:
      return convert_array(element.get_array().value_unsafe(), depth);
    case Type::STRING:
      return Json(std::string(element.get_string().value_unsafe()));
    case Type::INT64:
      return number(element.get_int64().value_unsafe());
    case Type::UINT64:
      return Json(static_cast<double>(element.get_uint64().value_unsafe()));
    case Type::DOUBLE:
      return Json(element.get_double().value_unsafe());
    case Type::BOOL:
      return Json(element.get_bool().value_unsafe());
    case Type::NULL_VALUE:
      return Json();
  }
  return fail(Errc::malformed, "unknown JSON type");
}

}  // namespace

Result<Json> Json::parse(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) return fail(Errc::too_large, "JSON is too large");
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  const auto problem = parser.parse(simdjson::padded_string(text)).get(root);
  if (problem != simdjson::SUCCESS) {
    return fail(Errc::malformed, std::string("not JSON: ") + simdjson::error_message(problem));
  }
  return convert(root, 0);
}

const Json* Json::member(std::string_view name) const {
  const auto* members = std::get_if<Object>(&data_);
  if (members == nullptr) return nullptr;
  for (const auto& [key, value] : *members) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::optional<std::string_view> Json::string() const {
  if (const auto* text = std::get_if<std::string>(&data_)) return *text;
  return std::nullopt;
}

std::optional<std::int64_t> Json::integer() const {
  if (const auto* value = std::get_if<std::int64_t>(&data_)) return *value;
  return std::nullopt;
}

std::optional<bool> Json::boolean() const {
  if (const auto* value = std::get_if<bool>(&data_)) return *value;
  return std::nullopt;
}

std::optional<std::vector<std::string>> Json::strings() const {
  if (const auto one = string()) return std::vector{std::string(*one)};
  const auto* elements = array();
  if (elements == nullptr) return std::nullopt;
  std::vector<std::string> all;
  for (const auto& element : *elements) {
    const auto one = element.string();
    if (!one) return std::nullopt;
    all.emplace_back(*one);
  }
  return all;
}

std::optional<std::string_view> Json::text(std::string_view name) const {
  const Json* value = member(name);
  return value == nullptr ? std::nullopt : value->string();
}

}  // namespace sallyport::identity

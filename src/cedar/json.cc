#include "cedar/json.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <simdjson.h>

#include "cedar/extension.h"

namespace sallyport::cedar {
namespace {

namespace dom = simdjson::dom;

/// Reads parsed JSON into an arena.
class Reader {
 public:
  explicit Reader(Arena& arena) : arena_(arena) {}

  Result<Value> value(dom::element json, const Type* type) {
    switch (json.type()) {
      case dom::element_type::BOOL:
        return Value::boolean(bool(json));
      case dom::element_type::INT64:
        return Value::number(std::int64_t(json));
      case dom::element_type::STRING:
        return text(std::string_view(json), type);
      case dom::element_type::ARRAY:
        return set(dom::array(json), type);
      case dom::element_type::OBJECT:
        return object(json, type);
      case dom::element_type::NULL_VALUE:
        return fail(Errc::malformed, "null is not a value");
      default:
        return fail(Errc::malformed, "numbers are integers of 64 bits");
    }
  }

  /// {"type","id"} or {"__entity": {"type","id"}}.
  Result<const EntityUid*> uid(dom::element json) {
    dom::object object;
    if (json.get(object)) return fail(Errc::malformed, "a uid is an object of type and id");
    dom::element inner;
    if (object.size() == 1 && !object["__entity"].get(inner)) return uid(inner);
    std::string_view type;
    std::string_view id;
    if (object.size() != 2 || object["type"].get(type) || object["id"].get(id)) {
      return fail(Errc::malformed, "a uid is an object of type and id, both strings");
    }
    if (!is_type_name(type)) {
      return fail(Errc::malformed, quoted(type) + " is not the name of an entity type");
    }
    return arena_.uid(type, id);
  }

  Result<Value> record(dom::object object, const Type* type) {
    std::vector<Field> fields;
    for (const auto& [key, member] : object) {
      if (key == "__entity" || key == "__extn" || key == "__expr") {
        return fail(Errc::malformed, std::string(key) + " stands alone in its object");
      }
      const Attribute* const attribute =
          type != nullptr && type->kind == Kind::record ? type->attribute(key) : nullptr;
      auto read = value(member, attribute != nullptr ? &attribute->type : nullptr);
      if (!read) return fail(read, quoted(key));
      fields.push_back({arena_.text(key), *read});
    }
    std::ranges::sort(fields, {}, &Field::name);
    const auto twice = std::ranges::adjacent_find(fields, {}, &Field::name);
    if (twice != fields.end()) {
      return fail(Errc::malformed, "key " + quoted(twice->name) + " is given twice");
    }
    return arena_.record(fields);
  }

  /// A record whose every field has the one type.
  Result<Value> tags(dom::object object, const Type* type) {
    Type record_type{.kind = Kind::record};
    if (type != nullptr) {
      for (const auto& [key, member] : object) {
        record_type.attributes.push_back({std::string(key), *type, true});
      }
      std::ranges::sort(record_type.attributes, {}, &Attribute::name);
    }
    return record(object, &record_type);
  }

 private:
  static bool is_type_name(std::string_view name) {
    bool start = true;
    for (std::size_t i = 0; i < name.size(); ++i) {
      const char c = name[i];
      const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
      const bool digit = c >= '0' && c <= '9';
      if (!start && c == ':' && i + 1 < name.size() && name[i + 1] == ':') {
        ++i;
        start = true;
        continue;
      }
      if (!letter && (start || !digit)) return false;
      start = false;
    }
    return !start;
  }

  static std::optional<Fn> constructor(Kind kind) {
    switch (kind) {
      case Kind::ip:
        return Fn::ip;
      case Kind::decimal:
        return Fn::decimal;
      case Kind::datetime:
        return Fn::datetime;
      case Kind::duration:
        return Fn::duration;
      default:
        return std::nullopt;
    }
  }

  Result<Value> text(std::string_view text, const Type* type) {
    const Value string = arena_.string(text);
    const auto fn = type != nullptr ? constructor(type->kind) : std::nullopt;
    return fn ? call(*fn, std::span(&string, 1), arena_) : string;
  }

  Result<Value> set(dom::array array, const Type* type) {
    const Type* const element =
        type != nullptr && type->kind == Kind::set ? type->element.get() : nullptr;
    std::vector<Value> items;
    for (const dom::element item : array) {
      auto read = value(item, element);
      if (!read) return read;
      items.push_back(*read);
    }
    return arena_.set(items);
  }

  Result<Value> object(dom::element json, const Type* type) {
    const dom::object object = json.get_object();
    dom::element inner;
    if (object.size() == 1 && !object["__entity"].get(inner)) return entity(inner);
    if (object.size() == 1 && !object["__extn"].get(inner)) return extension(inner);
    if (type != nullptr && type->kind == Kind::entity) return entity(json);
    if (type != nullptr && constructor(type->kind)) return extension(json);
    return record(object, type);
  }

  Result<Value> entity(dom::element json) {
    const auto read = uid(json);
    if (!read) return std::unexpected(read.error());
    return Value::borrow(*read);
  }

  /// {"fn", "arg"} or {"fn", "args"}.
  Result<Value> extension(dom::element json) {
    dom::object object;
    std::string_view name;
    if (json.get(object) || object.size() != 2 || object["fn"].get(name)) {
      return fail(Errc::malformed, "an extension value is an object of fn and arg");
    }
    const FnInfo* const info = find_fn(name);
    if (info == nullptr) return fail(Errc::malformed, "there is no function " + quoted(name));
    std::vector<Value> arguments;
    dom::element argument;
    dom::array list;
    if (!object["arg"].get(argument)) {
      auto read = value(argument, nullptr);
      if (!read) return read;
      arguments.push_back(*read);
    } else if (!object["args"].get(list)) {
      for (const dom::element item : list) {
        auto read = value(item, nullptr);
        if (!read) return read;
        arguments.push_back(*read);
      }
    }
    return call(info->fn, arguments, arena_);
  }

  Arena& arena_;
};

Result<dom::element> parse(dom::parser& parser, std::string_view json) {
  if (json.size() > json_bytes_max) {
    return fail(Errc::too_large, fmt::format("JSON of more than {} bytes", json_bytes_max));
  }
  if (parser.allocate(std::max(json.size(), std::size_t{64}), json_depth_max)) {
    return fail(Errc::too_large, "no memory for the JSON");
  }
  dom::element element;
  if (const auto problem = parser.parse(json.data(), json.size()).get(element)) {
    return fail(Errc::malformed, simdjson::error_message(problem));
  }
  return element;
}

Result<void> add_entity(EntityBuilder& builder, dom::element json, const Schema* schema) {
  Reader reader(builder.arena());
  dom::object object;
  dom::element uid_json;
  if (json.get(object) || object["uid"].get(uid_json)) {
    return fail(Errc::malformed, "an entity is an object with a uid");
  }
  auto uid = reader.uid(uid_json);
  if (!uid) return fail(uid);
  // Of the actions the schema has the last word.
  if (schema != nullptr && schema->action((*uid)->type, (*uid)->id) != nullptr) return ok();
  const EntityType* const type = schema != nullptr ? schema->entity((*uid)->type) : nullptr;

  std::vector<const EntityUid*> parents;
  Value attributes;
  Value tags;
  for (const auto& [key, member] : object) {
    dom::array list;
    dom::object fields;
    if (key == "uid") continue;
    if (key == "parents" && !member.get(list)) {
      for (const dom::element parent : list) {
        auto read = reader.uid(parent);
        if (!read) return fail(read, (*uid)->to_string());
        parents.push_back(*read);
      }
    } else if ((key == "attrs" || key == "tags") && !member.get(fields)) {
      const bool is_tags = key == "tags";
      auto read = is_tags ? reader.tags(fields, type && type->tags ? &*type->tags : nullptr)
                          : reader.record(fields, type ? &type->shape : nullptr);
      if (!read) return fail(read, (*uid)->to_string());
      (is_tags ? tags : attributes) = *read;
    } else {
      return fail(Errc::malformed, (*uid)->to_string() + ": " + quoted(key) +
                                       " is not a key of an entity, or is of the wrong type");
    }
  }
  builder.add(*uid, parents, attributes, tags);
  return ok();
}

}  // namespace

Result<Entities> entities_from_json(std::string_view json, const Schema* schema) {
  dom::parser parser;
  const auto parsed = parse(parser, json);
  if (!parsed) return std::unexpected(parsed.error());
  dom::array list;
  if (parsed->get(list)) return fail(Errc::malformed, "entities are an array");
  EntityBuilder builder;
  for (const dom::element item : list) {
    if (auto added = add_entity(builder, item, schema); !added) return fail(added);
  }
  if (schema != nullptr) schema->add_actions(builder);
  return builder.finish();
}

Result<Value> value_from_json(std::string_view json, Arena& arena, const Type* type) {
  dom::parser parser;
  const auto parsed = parse(parser, json);
  if (!parsed) return std::unexpected(parsed.error());
  return Reader(arena).value(*parsed, type);
}

}  // namespace sallyport::cedar

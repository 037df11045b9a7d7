// The JSON form of a schema.

#include <algorithm>

#include <fmt/format.h>

#include "cedar/extension.h"
#include "cedar/json_read.h"
#include "cedar/schema_written.h"

namespace sallyport::cedar {
namespace {

namespace dom = simdjson::dom;
using Form = WrittenType::Form;

constexpr std::size_t json_nesting_max = 4 * type_nesting_max;

std::optional<Kind> extension_type(std::string_view name) {
  if (name == "ipaddr") return Kind::ip;
  if (name == "decimal") return Kind::decimal;
  if (name == "datetime") return Kind::datetime;
  if (name == "duration") return Kind::duration;
  return std::nullopt;
}

class Reader {
 public:
  explicit Reader(std::vector<std::string>& places) : places_(places) {}

  Result<Declarations> read(dom::element json) {
    auto spaces = json_object(json, path_);
    if (!spaces) return std::unexpected(spaces.error());
    for (const auto& [name, member] : *spaces) {
      const JsonPath::Step step(path_, name.empty() ? "\"\"" : name);
      if (auto read = name_space(std::string(name), member); !read) return fail(read);
    }
    return std::move(all_);
  }

 private:
  Place here() {
    places_.push_back(path_.text());
    return static_cast<Place>(places_.size() - 1);
  }

  /// Calls `read` with each member of an object.
  template <class Read>
  Result<void> each(dom::object parent, std::string_view key, Read read) {
    const JsonPath::Step step(path_, key);
    auto members = json_object(parent[key].value(), path_);
    if (!members) return fail(members);
    for (const auto& [name, member] : *members) {
      const JsonPath::Step inner(path_, name);
      if (auto done = read(std::string(name), member); !done) return done;
    }
    return ok();
  }

  Result<void> annotations(dom::object object) {
    if (!json_has(object, "annotations")) return ok();
    return each(object, "annotations", [&](const std::string& name, dom::element value) {
      if (!is_type_path(name) && name.find("::") != std::string::npos) {
        return Result<void>(path_.fail("not the name of an annotation"));
      }
      if (value.is_null()) return ok();  // an annotation without a value
      auto text = json_string(value, path_);
      return text ? ok() : Result<void>(std::unexpected(text.error()));
    });
  }

  Result<void> name_space(const std::string& space, dom::element json) {
    if (!space.empty() && (!is_type_path(space) || space.find("__cedar") != std::string::npos)) {
      return path_.fail("not the name of a namespace");
    }
    auto object =
        json_object(json, path_, {"entityTypes", "actions", "commonTypes", "annotations"});
    if (!object) return fail(object);
    if (auto read = annotations(*object); !read) return read;
    for (const std::string_view key : {"entityTypes", "actions"}) {
      if (auto member = json_member(*object, key, path_); !member) return fail(member);
    }
    if (json_has(*object, "commonTypes")) {
      auto read = each(*object, "commonTypes", [&](std::string name, dom::element member) {
        return common(space, std::move(name), member);
      });
      if (!read) return read;
    }
    auto entities = each(*object, "entityTypes", [&](std::string name, dom::element member) {
      return entity(space, std::move(name), member);
    });
    if (!entities) return entities;
    return each(*object, "actions", [&](std::string name, dom::element member) {
      return action(space, std::move(name), member);
    });
  }

  Result<void> declared_name(std::string_view name, bool is_common) {
    if (!is_type_path(name) || name.find("::") != std::string_view::npos) {
      return path_.fail("not the name of a type");
    }
    if (std::string bad = bad_declared_name(name, is_common); !bad.empty()) return path_.fail(bad);
    return ok();
  }

  Result<void> common(const std::string& space, std::string name, dom::element json) {
    if (auto checked = declared_name(name, true); !checked) return checked;
    const Place place = here();
    auto read = type(json, {"annotations"});
    if (!read) return fail(read);
    all_.commons.push_back({space, std::move(name), place, std::move(*read)});
    return ok();
  }

  Result<void> entity(const std::string& space, std::string name, dom::element json) {
    if (auto checked = declared_name(name, false); !checked) return checked;
    auto object =
        json_object(json, path_, {"memberOfTypes", "shape", "tags", "enum", "annotations"});
    if (!object) return fail(object);
    if (auto read = annotations(*object); !read) return read;
    WrittenEntity written{.space = space, .name = std::move(name), .place = here()};
    if (json_has(*object, "enum")) {
      if (object->size() > 1 + std::size_t{json_has(*object, "annotations")}) {
        return path_.fail("an enum has neither parents, attributes nor tags");
      }
      auto ids = strings(*object, "enum");
      if (!ids) return fail(ids);
      if (ids->empty()) return path_.fail("an enum has at least one entity");
      written.ids = std::move(*ids);
    }
    if (json_has(*object, "memberOfTypes")) {
      auto parents = names(*object, "memberOfTypes");
      if (!parents) return fail(parents);
      written.parents = std::move(*parents);
    }
    if (json_has(*object, "shape")) {
      auto shape = member_type(*object, "shape");
      if (!shape) return fail(shape);
      written.shape = std::move(*shape);
    }
    if (json_has(*object, "tags")) {
      auto tags = member_type(*object, "tags");
      if (!tags) return fail(tags);
      written.tags = std::move(*tags);
    }
    all_.entities.push_back(std::move(written));
    return ok();
  }

  Result<void> action(const std::string& space, std::string id, dom::element json) {
    auto object = json_object(json, path_, {"memberOf", "appliesTo", "attributes", "annotations"});
    if (!object) return fail(object);
    if (auto read = annotations(*object); !read) return read;
    WrittenAction written{.space = space, .id = std::move(id), .place = here()};
    const auto given = [&](std::string_view key) {
      return json_has(*object, key) && !(*object)[key].is_null();
    };
    if (given("attributes")) return path_.fail("actions have no attributes");
    if (given("memberOf")) {
      if (auto read = action_parents(*object, written); !read) return read;
    }
    if (given("appliesTo")) {
      const JsonPath::Step step(path_, "appliesTo");
      if (auto read = applies_to((*object)["appliesTo"].value(), written); !read) return read;
    }
    all_.actions.push_back(std::move(written));
    return ok();
  }

  Result<void> action_parents(dom::object object, WrittenAction& written) {
    const JsonPath::Step step(path_, "memberOf");
    auto list = json_array(object["memberOf"].value(), path_);
    if (!list) return fail(list);
    for (const dom::element item : *list) {
      auto ref = json_object(item, path_, {"id", "type"});
      if (!ref) return fail(ref);
      auto id_json = json_member(*ref, "id", path_);
      if (!id_json) return fail(id_json);
      auto id = json_string(*id_json, path_);
      if (!id) return fail(id);
      WrittenActionRef parent{"", std::move(*id), here()};
      if (json_has(*ref, "type") && !(*ref)["type"].is_null()) {
        auto type = name((*ref)["type"].value());
        if (!type) return fail(type);
        parent.type = std::move(type->name);
      }
      written.parents.push_back(std::move(parent));
    }
    return ok();
  }

  Result<void> applies_to(dom::element json, WrittenAction& written) {
    auto object = json_object(json, path_, {"principalTypes", "resourceTypes", "context"});
    if (!object) return fail(object);
    for (auto [key, list] : {std::pair{"principalTypes", &written.principals},
                             std::pair{"resourceTypes", &written.resources}}) {
      auto member = json_member(*object, key, path_);
      if (!member) return fail(member);
      auto read = names(*object, key);
      if (!read) return fail(read);
      *list = std::move(*read);
    }
    if (!json_has(*object, "context")) return ok();
    auto context = member_type(*object, "context");
    if (!context) return fail(context);
    written.context = std::move(*context);
    return ok();
  }

  Result<std::vector<std::string>> strings(dom::object object, std::string_view key) {
    const JsonPath::Step step(path_, key);
    auto list = json_array(object[key].value(), path_);
    if (!list) return std::unexpected(list.error());
    std::vector<std::string> all;
    for (const dom::element item : *list) {
      auto text = json_string(item, path_);
      if (!text) return std::unexpected(text.error());
      all.push_back(std::move(*text));
    }
    return all;
  }

  Result<WrittenName> name(dom::element json) {
    auto text = json_string(json, path_);
    if (!text) return std::unexpected(text.error());
    if (!is_type_path(*text)) return path_.fail("\"" + *text + "\" is not the name of a type");
    return WrittenName{std::move(*text), here()};
  }

  Result<std::vector<WrittenName>> names(dom::object object, std::string_view key) {
    const JsonPath::Step step(path_, key);
    auto list = json_array(object[key].value(), path_);
    if (!list) return std::unexpected(list.error());
    std::vector<WrittenName> all;
    for (const dom::element item : *list) {
      auto read = name(item);
      if (!read) return std::unexpected(read.error());
      all.push_back(std::move(*read));
    }
    return all;
  }

  Result<WrittenType> member_type(dom::object object, std::string_view key) {
    const JsonPath::Step step(path_, key);
    return type(object[key].value(), {});
  }

  /// `more` are keys that the place allows beside those of a type.
  Result<WrittenType> type(dom::element json, std::initializer_list<std::string_view> more) {
    auto object = json_object(json, path_);
    if (!object) return std::unexpected(object.error());
    if (++nesting_ > type_nesting_max) {
      return path_.fail(fmt::format("types are nested more than {} deep", type_nesting_max));
    }
    if (auto read = annotations(*object); !read) return std::unexpected(read.error());
    auto form_json = json_member(*object, "type", path_);
    if (!form_json) return std::unexpected(form_json.error());
    auto form = json_string(*form_json, path_);
    if (!form) return std::unexpected(form.error());
    auto read = of_form(*form, *object, more);
    --nesting_;
    return read;
  }

  Result<void> only(dom::object object, std::initializer_list<std::string_view> own,
                    std::initializer_list<std::string_view> more) {
    for (const auto& [key, member] : object) {
      if (key != "type" && std::ranges::find(own, key) == own.end() &&
          std::ranges::find(more, key) == more.end()) {
        return path_.fail(fmt::format("\"{}\" is not a key of this type", key));
      }
    }
    return ok();
  }

  Result<WrittenType> of_form(const std::string& form, dom::object object,
                              std::initializer_list<std::string_view> more) {
    if (form == "Set") return set(object, more);
    if (form == "Record") return record(object, more);
    if (form == "Entity" || form == "EntityOrCommon" || form == "Extension") {
      return reference(form, object, more);
    }
    if (auto checked = only(object, {}, more); !checked) return std::unexpected(checked.error());
    WrittenType written{.form = Form::built_in, .place = here()};
    if (form == "String") {
      written.kind = Kind::string;
    } else if (form == "Long") {
      written.kind = Kind::number;
    } else if (form == "Boolean") {
      written.kind = Kind::boolean;
    } else if (is_type_path(form)) {
      written.form = Form::common;
      written.name = form;
    } else {
      return path_.fail("\"" + form + "\" is not the name of a type");
    }
    return written;
  }

  Result<WrittenType> set(dom::object object, std::initializer_list<std::string_view> more) {
    if (auto checked = only(object, {"element"}, more); !checked) {
      return std::unexpected(checked.error());
    }
    if (auto member = json_member(object, "element", path_); !member) {
      return std::unexpected(member.error());
    }
    WrittenType written{.form = Form::set, .place = here()};
    auto element = member_type(object, "element");
    if (!element) return element;
    written.members.push_back({{}, true, std::move(*element)});
    return written;
  }

  Result<WrittenType> record(dom::object object, std::initializer_list<std::string_view> more) {
    if (auto checked = only(object, {"attributes", "additionalAttributes"}, more); !checked) {
      return std::unexpected(checked.error());
    }
    if (auto member = json_member(object, "attributes", path_); !member) {
      return std::unexpected(member.error());
    }
    if (json_has(object, "additionalAttributes")) {
      auto open = json_bool(object["additionalAttributes"].value(), path_);
      if (!open) return std::unexpected(open.error());
      if (*open) return path_.fail("additionalAttributes are not supported");
    }
    WrittenType written{.form = Form::record, .place = here()};
    auto read = each(object, "attributes", [&](std::string name, dom::element member) {
      return attribute(std::move(name), member, written);
    });
    if (!read) return std::unexpected(read.error());
    return written;
  }

  Result<void> attribute(std::string name, dom::element json, WrittenType& record) {
    auto read = type(json, {"required", "annotations"});
    if (!read) return fail(read);
    WrittenType::Member member{std::move(name), true, std::move(*read)};
    const dom::object object = json.get_object();
    if (json_has(object, "required")) {
      auto required = json_bool(object["required"].value(), path_);
      if (!required) return fail(required);
      member.required = *required;
    }
    record.members.push_back(std::move(member));
    return ok();
  }

  Result<WrittenType> reference(const std::string& form, dom::object object,
                                std::initializer_list<std::string_view> more) {
    if (auto checked = only(object, {"name"}, more); !checked) {
      return std::unexpected(checked.error());
    }
    auto member = json_member(object, "name", path_);
    if (!member) return std::unexpected(member.error());
    auto read = name(*member);
    if (!read) return std::unexpected(read.error());
    WrittenType written{.place = read->place, .name = std::move(read->name)};
    if (form == "Extension") {
      const auto kind = extension_type(written.name);
      if (!kind) return path_.fail("there is no extension type " + written.name);
      written.form = Form::built_in;
      written.kind = *kind;
    } else {
      written.form = form == "Entity" ? Form::entity : Form::name;
    }
    return written;
  }

  std::vector<std::string>& places_;
  JsonPath path_;
  std::uint32_t nesting_ = 0;
  Declarations all_;
};

}  // namespace

std::expected<Declarations, SchemaError> read_schema_json(std::string_view json,
                                                          std::vector<std::string>& places) {
  places.emplace_back();  // of errors that have no place of their own
  dom::parser parser;
  const auto parsed = json_parse(parser, json, schema_bytes_max, json_nesting_max);
  if (!parsed) return std::unexpected(SchemaError{0, parsed.error().detail});
  auto all = Reader(places).read(*parsed);
  if (!all) return std::unexpected(SchemaError{0, all.error().detail});
  return std::move(*all);
}

}  // namespace sallyport::cedar

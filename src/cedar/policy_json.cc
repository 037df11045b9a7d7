// Reading policies as JSON.

#include "cedar/policy_json.h"

#include <algorithm>

#include <fmt/format.h>

#include "cedar/builder.h"
#include "cedar/json_read.h"
#include "cedar/parser.h"
#include "cedar/schema.h"

namespace sallyport::cedar {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t json_nesting_max = 1'024;  // of the document; simdjson counts brackets

struct Operator {
  std::string_view name;
  Op op;
};
constexpr Operator binary_operators[] = {
    {"==", Op::equal},
    {"!=", Op::unequal},
    {"in", Op::in},
    {"<", Op::less},
    {"<=", Op::less_equal},
    {">", Op::greater},
    {">=", Op::greater_equal},
    {"&&", Op::all},
    {"||", Op::any},
    {"+", Op::add},
    {"-", Op::subtract},
    {"*", Op::multiply},
    {"contains", Op::contains},
    {"containsAll", Op::contains_all},
    {"containsAny", Op::contains_any},
    {"getTag", Op::get_tag},
    {"hasTag", Op::has_tag},
};
constexpr Operator unary_operators[] = {
    {"!", Op::negate_bool}, {"neg", Op::negate_number}, {"isEmpty", Op::is_empty}};
constexpr Operator variables[] = {{"principal", Op::principal},
                                  {"action", Op::action},
                                  {"resource", Op::resource},
                                  {"context", Op::context}};

const Operator* find(std::span<const Operator> operators, std::string_view name) {
  const auto at = std::ranges::find(operators, name, &Operator::name);
  return at == operators.end() ? nullptr : &*at;
}

bool is_plain_name(std::string_view name) {
  return is_type_path(name) && name.find("::") == std::string_view::npos;
}

class Reader {
 public:
  explicit Reader(Program& program) : make_(program) {}

  JsonPath& path() { return path_; }

  Result<Policy> policy(dom::element json) {
    auto object = json_object(
        json, path_, {"effect", "principal", "action", "resource", "conditions", "annotations"});
    if (!object) return std::unexpected(object.error());
    Policy policy;
    if (auto read = effect(*object, policy); !read) return std::unexpected(read.error());
    if (auto read = scope(*object, "principal", policy.principal); !read) {
      return std::unexpected(read.error());
    }
    if (auto read = action_scope(*object, policy.action); !read) {
      return std::unexpected(read.error());
    }
    if (auto read = scope(*object, "resource", policy.resource); !read) {
      return std::unexpected(read.error());
    }
    if (auto read = conditions(*object, policy); !read) return std::unexpected(read.error());
    if (auto read = annotations(*object, policy); !read) return std::unexpected(read.error());
    if (make_.error()) return path_.fail(make_.error()->message);
    return policy;
  }

  Result<UidText> uid(dom::element json) {
    auto object = json_object(json, path_);
    if (!object) return std::unexpected(object.error());
    if (object->size() == 1 && json_has(*object, "__entity")) {
      return uid((*object)["__entity"].value());
    }
    auto checked = json_object(json, path_, {"type", "id"});
    if (!checked) return std::unexpected(checked.error());
    UidText read;
    for (auto [key, text] : {std::pair{"type", &read.type}, std::pair{"id", &read.id}}) {
      auto member = json_member(*object, key, path_);
      if (!member) return std::unexpected(member.error());
      auto value = json_string(*member, path_);
      if (!value) return std::unexpected(value.error());
      *text = std::move(*value);
    }
    if (!is_type_name(read.type)) return path_.fail("\"" + read.type + "\" is no entity type");
    return read;
  }

 private:
  static bool is_type_name(std::string_view name) {
    return is_type_path(name) && name.find("__cedar") == std::string_view::npos;
  }

  // ---- heads ----

  Result<void> effect(dom::object object, Policy& policy) {
    auto member = json_member(object, "effect", path_);
    if (!member) return fail(member);
    auto text = json_string(*member, path_);
    if (!text) return fail(text);
    if (*text != "permit" && *text != "forbid") return path_.fail("effect is permit or forbid");
    policy.effect = *text == "permit" ? Effect::permit : Effect::forbid;
    return ok();
  }

  Result<std::string> operation(dom::object object) {
    auto member = json_member(object, "op", path_);
    if (!member) return std::unexpected(member.error());
    return json_string(*member, path_);
  }

  /// {"entity": ...} or {"slot": "?principal"}.
  Result<void> scope_entity(dom::object object, std::string_view variable, Scope& scope) {
    if (json_has(object, "slot") == json_has(object, "entity")) {
      return path_.fail("either entity or slot is expected");
    }
    if (json_has(object, "slot")) {
      auto slot = json_string(object["slot"].value(), path_);
      if (!slot) return fail(slot);
      if (*slot != "?" + std::string(variable)) {
        return path_.fail(fmt::format("the slot here is ?{}", variable));
      }
      scope.slot = true;
      return ok();
    }
    auto read = uid(object["entity"].value());
    if (!read) return fail(read);
    scope.entity = make_.uid(read->type, read->id);
    return ok();
  }

  Result<void> scope(dom::object policy, std::string_view variable, Scope& scope) {
    auto member = json_member(policy, variable, path_);
    if (!member) return fail(member);
    const JsonPath::Step step(path_, variable);
    auto object = json_object(*member, path_, {"op", "entity", "slot", "entity_type", "in"});
    if (!object) return fail(object);
    auto op = operation(*object);
    if (!op) return fail(op);
    if (*op == "All") return ok();
    if (*op == "==" || *op == "in") {
      scope.kind = *op == "==" ? Scope::Kind::equal : Scope::Kind::in;
      return scope_entity(*object, variable, scope);
    }
    if (*op != "is") return path_.fail("op is All, ==, in or is");
    scope.kind = Scope::Kind::is;
    auto type_json = json_member(*object, "entity_type", path_);
    if (!type_json) return fail(type_json);
    auto type = json_string(*type_json, path_);
    if (!type) return fail(type);
    if (!is_type_name(*type)) return path_.fail("\"" + *type + "\" is no entity type");
    scope.type = make_.name(*type);
    if (!json_has(*object, "in")) return ok();
    scope.kind = Scope::Kind::is_in;
    const JsonPath::Step inner(path_, "in");
    auto in = json_object((*object)["in"].value(), path_, {"entity", "slot"});
    return in ? scope_entity(*in, variable, scope) : Result<void>(std::unexpected(in.error()));
  }

  Result<void> action_uid(dom::element json, ActionScope& scope) {
    auto read = uid(json);
    if (!read) return fail(read);
    if (!is_action_type(read->type)) return path_.fail("an entity of type Action is expected");
    scope.entities.push_back(make_.uid(read->type, read->id));
    scope.entities_at.emplace_back();
    return ok();
  }

  Result<void> action_scope(dom::object policy, ActionScope& scope) {
    auto member = json_member(policy, "action", path_);
    if (!member) return fail(member);
    const JsonPath::Step step(path_, "action");
    auto object = json_object(*member, path_, {"op", "entity", "entities"});
    if (!object) return fail(object);
    auto op = operation(*object);
    if (!op) return fail(op);
    if (*op == "All") return ok();
    if (*op != "==" && *op != "in") return path_.fail("op is All, == or in");
    scope.kind = *op == "==" ? ActionScope::Kind::equal : ActionScope::Kind::in;
    if (*op == "==" || json_has(*object, "entity")) {
      auto entity = json_member(*object, "entity", path_);
      return entity ? action_uid(*entity, scope) : Result<void>(std::unexpected(entity.error()));
    }
    scope.list = true;
    auto list_json = json_member(*object, "entities", path_);
    if (!list_json) return fail(list_json);
    auto list = json_array(*list_json, path_);
    if (!list) return fail(list);
    for (const dom::element item : *list) {
      if (auto read = action_uid(item, scope); !read) return read;
    }
    return ok();
  }

  Result<void> conditions(dom::object object, Policy& policy) {
    auto member = json_member(object, "conditions", path_);
    if (!member) return fail(member);
    const JsonPath::Step step(path_, "conditions");
    auto list = json_array(*member, path_);
    if (!list) return fail(list);
    for (const dom::element item : *list) {
      auto clause = json_object(item, path_, {"kind", "body"});
      if (!clause) return fail(clause);
      auto kind_json = json_member(*clause, "kind", path_);
      if (!kind_json) return fail(kind_json);
      auto kind = json_string(*kind_json, path_);
      if (!kind) return fail(kind);
      if (*kind != "when" && *kind != "unless") return path_.fail("kind is when or unless");
      auto body_json = json_member(*clause, "body", path_);
      if (!body_json) return fail(body_json);
      auto body = expression(*body_json);
      if (!body) return fail(body);
      policy.clauses.push_back({*kind == "unless", *body});
    }
    policy.condition = make_.condition(policy.clauses, {});
    return ok();
  }

  Result<void> annotations(dom::object object, Policy& policy) {
    if (!json_has(object, "annotations")) return ok();
    const JsonPath::Step step(path_, "annotations");
    auto all = json_object(object["annotations"].value(), path_);
    if (!all) return fail(all);
    for (const auto& [name, value] : *all) {
      if (!is_annotation_name(name)) {
        return path_.fail(fmt::format("\"{}\" is not the name of an annotation", name));
      }
      Annotation annotation{std::string(name), {}};
      if (!value.is_null()) {
        auto text = json_string(value, path_);
        if (!text) return fail(text);
        annotation.value = std::move(*text);
      }
      policy.annotations.push_back(std::move(annotation));
    }
    return ok();
  }

  /// Any identifier, reserved words too.
  static bool is_annotation_name(std::string_view name) {
    return is_plain_name(name) || (is_reserved(name) && is_plain_name(std::string(name) + "_"));
  }

  // ---- conditions ----

  Result<NodeId> expression(dom::element json) {
    auto object = json_object(json, path_);
    if (!object) return std::unexpected(object.error());
    if (object->size() != 1) return path_.fail("an expression is an object with one key");
    const auto member = *object->begin();
    const JsonPath::Step step(path_, member.key);
    if (++nesting_ > nesting_max) {
      return path_.fail(fmt::format("nested more than {} deep", nesting_max));
    }
    auto node = of_kind(member.key, member.value);
    --nesting_;
    return node;
  }

  Result<NodeId> of_kind(std::string_view kind, dom::element json) {
    if (kind == "Value") return value(json);
    if (kind == "Var") return variable(json);
    if (kind == "Slot") return path_.fail("a slot cannot be used in a condition");
    if (const Operator* const binary = find(binary_operators, kind))
      return binary_of(*binary, json);
    if (const Operator* const unary = find(unary_operators, kind)) return unary_of(*unary, json);
    if (kind == ".") return attribute(json);
    if (kind == "has") return has(json);
    if (kind == "like") return like(json);
    if (kind == "is") return is(json);
    if (kind == "if-then-else") return choose(json);
    if (kind == "Set") return set(json);
    if (kind == "Record") return record(json);
    if (const FnInfo* const fn = find_fn(kind)) return call(fn->fn, json);
    return path_.fail("there is no such operator or function");
  }

  Result<NodeId> variable(dom::element json) {
    auto name = json_string(json, path_);
    if (!name) return std::unexpected(name.error());
    const Operator* const variable = find(variables, *name);
    if (variable == nullptr) return path_.fail("\"" + *name + "\" is not a variable");
    return make_.variable(variable->op, {});
  }

  /// The member, read as an expression.
  Result<NodeId> child(dom::object object, std::string_view key) {
    auto member = json_member(object, key, path_);
    if (!member) return std::unexpected(member.error());
    return expression(*member);
  }

  Result<NodeId> binary_of(const Operator& binary, dom::element json) {
    auto object = json_object(json, path_, {"left", "right"});
    if (!object) return std::unexpected(object.error());
    auto left = child(*object, "left");
    if (!left) return left;
    auto right = child(*object, "right");
    if (!right) return right;
    return binary.op == Op::all || binary.op == Op::any
               ? make_.junction(binary.op, {*left, *right}, {})
               : make_.binary(binary.op, *left, *right, {});
  }

  Result<NodeId> unary_of(const Operator& unary, dom::element json) {
    auto object = json_object(json, path_, {"arg"});
    if (!object) return std::unexpected(object.error());
    auto argument = child(*object, "arg");
    return argument ? make_.unary(unary.op, *argument, {}) : argument;
  }

  Result<NodeId> attribute(dom::element json) {
    auto object = json_object(json, path_, {"left", "attr"});
    if (!object) return std::unexpected(object.error());
    auto left = child(*object, "left");
    if (!left) return left;
    auto member = json_member(*object, "attr", path_);
    if (!member) return std::unexpected(member.error());
    auto name = json_string(*member, path_);
    if (!name) return std::unexpected(name.error());
    return make_.attribute(*left, *name, {});
  }

  Result<NodeId> has(dom::element json) {
    auto object = json_object(json, path_, {"left", "attr"});
    if (!object) return std::unexpected(object.error());
    auto left = child(*object, "left");
    if (!left) return left;
    auto member = json_member(*object, "attr", path_);
    if (!member) return std::unexpected(member.error());
    std::vector<std::string> names;
    std::vector<dom::element> list{*member};
    if (member->is_array()) {
      const dom::array items = member->get_array();
      list.assign(items.begin(), items.end());
    }
    for (const dom::element item : list) {
      auto name = json_string(item, path_);
      if (!name) return std::unexpected(name.error());
      names.push_back(std::move(*name));
    }
    if (names.empty()) return path_.fail("has needs the name of an attribute");
    return make_.has(*left, names, {});
  }

  Result<NodeId> like(dom::element json) {
    auto object = json_object(json, path_, {"left", "pattern"});
    if (!object) return std::unexpected(object.error());
    auto left = child(*object, "left");
    if (!left) return left;
    auto member = json_member(*object, "pattern", path_);
    if (!member) return std::unexpected(member.error());
    auto list = json_array(*member, path_);
    if (!list) return std::unexpected(list.error());
    std::vector<PatternPart> parts;
    for (const dom::element item : *list) {
      if (auto read = pattern_part(item, parts); !read) return std::unexpected(read.error());
    }
    return make_.like(*left, std::move(parts), {});
  }

  Result<void> pattern_part(dom::element json, std::vector<PatternPart>& parts) {
    std::string_view word;
    if (!json.get(word)) {
      if (word != "Wildcard") return path_.fail("a part of a pattern is Wildcard or {Literal}");
      if (parts.empty() || !parts.back().wildcard) parts.push_back({true, {}});
      return ok();
    }
    auto object = json_object(json, path_, {"Literal"});
    if (!object) return fail(object);
    auto member = json_member(*object, "Literal", path_);
    if (!member) return fail(member);
    auto text = json_string(*member, path_);
    if (!text) return fail(text);
    if (text->empty()) return ok();
    if (parts.empty() || parts.back().wildcard) parts.push_back({false, {}});
    parts.back().text += *text;
    return ok();
  }

  Result<NodeId> is(dom::element json) {
    auto object = json_object(json, path_, {"left", "entity_type", "in"});
    if (!object) return std::unexpected(object.error());
    auto left = child(*object, "left");
    if (!left) return left;
    auto member = json_member(*object, "entity_type", path_);
    if (!member) return std::unexpected(member.error());
    auto type = json_string(*member, path_);
    if (!type) return std::unexpected(type.error());
    if (!is_type_name(*type)) return path_.fail("\"" + *type + "\" is no entity type");
    if (!json_has(*object, "in")) return make_.is(*left, *type, {});
    auto in = child(*object, "in");
    return in ? make_.is_in(*left, *type, *in, {}) : in;
  }

  Result<NodeId> choose(dom::element json) {
    auto object = json_object(json, path_, {"if", "then", "else"});
    if (!object) return std::unexpected(object.error());
    auto condition = child(*object, "if");
    if (!condition) return condition;
    auto yes = child(*object, "then");
    if (!yes) return yes;
    auto no = child(*object, "else");
    return no ? make_.choose(*condition, *yes, *no, {}) : no;
  }

  Result<std::vector<NodeId>> expressions(dom::element json) {
    auto list = json_array(json, path_);
    if (!list) return std::unexpected(list.error());
    std::vector<NodeId> nodes;
    for (const dom::element item : *list) {
      auto node = expression(item);
      if (!node) return std::unexpected(node.error());
      nodes.push_back(*node);
    }
    return nodes;
  }

  Result<NodeId> set(dom::element json) {
    auto items = expressions(json);
    if (!items) return std::unexpected(items.error());
    return make_.set(*items, {});
  }

  Result<NodeId> call(Fn fn, dom::element json) {
    auto items = expressions(json);
    if (!items) return std::unexpected(items.error());
    return make_.call(fn, *items, {});
  }

  Result<NodeId> record(dom::element json) {
    auto object = json_object(json, path_);
    if (!object) return std::unexpected(object.error());
    std::vector<NodeBuilder::Entry> entries;
    for (const auto& [name, member] : *object) {
      auto node = expression(member);
      if (!node) return node;
      entries.push_back({make_.text(name), *node});
    }
    return make_.record(std::move(entries), {});
  }

  // ---- values ----

  Result<NodeId> value(dom::element json) {
    if (++nesting_ > nesting_max) {
      return path_.fail(fmt::format("nested more than {} deep", nesting_max));
    }
    auto node = value_of(json);
    --nesting_;
    return node;
  }

  Result<NodeId> value_of(dom::element json) {
    switch (json.type()) {
      case dom::element_type::BOOL:
        return make_.literal(Value::boolean(bool(json)), {});
      case dom::element_type::INT64:
        return make_.literal(Value::number(std::int64_t(json)), {});
      case dom::element_type::STRING:
        return make_.literal(make_.arena().string(std::string_view(json)), {});
      case dom::element_type::ARRAY:
        return set_value(json);
      case dom::element_type::OBJECT:
        return object_value(json);
      case dom::element_type::NULL_VALUE:
        return path_.fail("null is not a value");
      default:
        return path_.fail("numbers are integers of 64 bits");
    }
  }

  Result<NodeId> set_value(dom::element json) {
    std::vector<NodeId> items;
    for (const dom::element item : json.get_array()) {
      auto node = value(item);
      if (!node) return node;
      items.push_back(*node);
    }
    return make_.set(items, {});
  }

  Result<NodeId> object_value(dom::element json) {
    auto object = json_object(json, path_);
    if (!object) return std::unexpected(object.error());
    if (object->size() == 1 && json_has(*object, "__entity")) {
      auto read = uid(json);
      if (!read) return std::unexpected(read.error());
      return make_.literal(Value::borrow(make_.uid(read->type, read->id)), {});
    }
    if (object->size() == 1 && json_has(*object, "__extn")) {
      return extension((*object)["__extn"].value());
    }
    std::vector<NodeBuilder::Entry> entries;
    for (const auto& [name, member] : *object) {
      if (name == "__entity" || name == "__extn" || name == "__expr") {
        return path_.fail(std::string(name) + " stands alone in its object");
      }
      auto node = value(member);
      if (!node) return node;
      entries.push_back({make_.text(name), *node});
    }
    return make_.record(std::move(entries), {});
  }

  Result<NodeId> extension(dom::element json) {
    auto object = json_object(json, path_, {"fn", "arg", "args"});
    if (!object) return std::unexpected(object.error());
    auto name_json = json_member(*object, "fn", path_);
    if (!name_json) return std::unexpected(name_json.error());
    auto name = json_string(*name_json, path_);
    if (!name) return std::unexpected(name.error());
    const FnInfo* const fn = find_fn(*name);
    if (fn == nullptr) return path_.fail("there is no function \"" + *name + "\"");
    if (json_has(*object, "arg") == json_has(*object, "args")) {
      return path_.fail("either arg or args is expected");
    }
    std::vector<NodeId> arguments;
    std::vector<dom::element> list;
    if (json_has(*object, "arg")) {
      list.push_back((*object)["arg"].value());
    } else {
      auto items = json_array((*object)["args"].value(), path_);
      if (!items) return std::unexpected(items.error());
      list.assign(items->begin(), items->end());
    }
    for (const dom::element item : list) {
      auto node = value(item);
      if (!node) return node;
      arguments.push_back(*node);
    }
    return make_.call(fn->fn, arguments, {});
  }

  NodeBuilder make_;
  JsonPath path_;
  std::uint32_t nesting_ = 0;
};

/// Reads a document of one policy or of a set.
class DocumentReader {
 public:
  DocumentReader(std::string_view file, Program& program, std::vector<Policy>& policies,
                 std::vector<TemplateLink>& links)
      : file_(file), reader_(program), policies_(policies), links_(links) {
    // Policies of JSON have no places, so there is no text to show.
    program.sources.push_back({std::string(file), {}});
    source_ = static_cast<std::uint32_t>(program.sources.size() - 1);
  }

  Result<void> read(dom::element json) {
    dom::object object;
    if (!json.get(object) && json_has(object, "effect")) {
      return add("policy" + std::to_string(policies_.size()), json, std::nullopt);
    }
    auto set = json_object(json, path(), {"staticPolicies", "templates", "templateLinks"});
    if (!set) return fail(set);
    for (const bool templates : {false, true}) {
      const std::string_view key = templates ? "templates" : "staticPolicies";
      if (!json_has(*set, key)) continue;
      const JsonPath::Step step(path(), key);
      auto members = json_object((*set)[key].value(), path());
      if (!members) return fail(members);
      for (const auto& [id, policy] : *members) {
        const JsonPath::Step inner(path(), id);
        if (auto added = add(std::string(id), policy, templates); !added) return added;
      }
    }
    return json_has(*set, "templateLinks") ? links((*set)["templateLinks"].value()) : ok();
  }

 private:
  JsonPath& path() { return reader_.path(); }

  Result<void> add(std::string id, dom::element json, std::optional<bool> is_template) {
    auto policy = reader_.policy(json);
    if (!policy) return fail(policy);
    if (is_template && *is_template != policy->is_template()) {
      return path().fail(policy->is_template() ? "this is a template: it has a slot"
                                               : "this is no template: it has no slot");
    }
    if (holds(policies_, id, &Policy::id)) {
      return path().fail("policy id " + cedar::quoted(id) + " is used twice");
    }
    if (policies_.size() >= policies_max) {
      return path().fail(fmt::format("more than {} policies", policies_max));
    }
    policy->id = std::move(id);
    policy->file = file_;
    policy->source = source_;
    policy->line = policy->column = 1;
    policies_.push_back(std::move(*policy));
    return ok();
  }

  Result<void> links(dom::element json) {
    const JsonPath::Step step(path(), "templateLinks");
    auto list = json_array(json, path());
    if (!list) return fail(list);
    for (const dom::element item : *list) {
      auto object = json_object(item, path(), {"templateId", "newId", "values"});
      if (!object) return fail(object);
      TemplateLink link;
      for (auto [key, text] :
           {std::pair{"templateId", &link.template_id}, std::pair{"newId", &link.id}}) {
        auto member = json_member(*object, key, path());
        if (!member) return fail(member);
        auto value = json_string(*member, path());
        if (!value) return fail(value);
        *text = std::move(*value);
      }
      auto member = json_member(*object, "values", path());
      if (!member) return fail(member);
      auto values = json_object(*member, path(), {"?principal", "?resource"});
      if (!values) return fail(values);
      for (const auto& [slot, uid_json] : *values) {
        auto uid = reader_.uid(uid_json);
        if (!uid) return fail(uid);
        (slot == "?principal" ? link.principal : link.resource) = std::move(*uid);
      }
      links_.push_back(std::move(link));
    }
    return ok();
  }

  std::string file_;
  Reader reader_;
  std::vector<Policy>& policies_;
  std::vector<TemplateLink>& links_;
  std::uint32_t source_ = 0;
};

}  // namespace

Result<void> read_policies_json(std::string_view file, std::string_view json, Program& program,
                                std::vector<Policy>& policies, std::vector<TemplateLink>& links) {
  dom::parser parser;
  const auto parsed = json_parse(parser, json, policy_bytes_max, json_nesting_max);
  auto done = parsed ? DocumentReader(file, program, policies, links).read(*parsed)
                     : Result<void>(std::unexpected(parsed.error()));
  if (!done) return fail(done, file);
  return ok();
}

}  // namespace sallyport::cedar

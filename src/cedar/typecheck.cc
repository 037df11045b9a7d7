#include "cedar/typecheck.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "cedar/hint.h"

namespace sallyport::cedar {
namespace {

const Type yes{.kind = Kind::boolean, .known = Type::Known::yes};
const Type no{.kind = Kind::boolean, .known = Type::Known::no};
const Type any_bool{.kind = Kind::boolean};
const Type plain_types[] = {
    {.kind = Kind::none},     {.kind = Kind::boolean},  {.kind = Kind::number},
    {.kind = Kind::string},   {.kind = Kind::entity},   {.kind = Kind::set},
    {.kind = Kind::record},   {.kind = Kind::ip},       {.kind = Kind::decimal},
    {.kind = Kind::datetime}, {.kind = Kind::duration},
};

bool is_yes(const Type* type) {
  return type != nullptr && type->kind == Kind::boolean && type->known == Type::Known::yes;
}
bool is_no(const Type* type) {
  return type != nullptr && type->kind == Kind::boolean && type->known == Type::Known::no;
}
bool is_ordered(const Type& type) {
  return type.kind == Kind::number || type.kind == Kind::datetime || type.kind == Kind::duration;
}
bool is_plain_literal(Kind kind) {
  return kind == Kind::boolean || kind == Kind::number || kind == Kind::string ||
         kind == Kind::entity;
}

std::string_view hint_for_set(const Type& found) {
  switch (found.kind) {
    case Kind::entity:
      return "for a member of an entity, use in";
    case Kind::record:
      return "for an attribute of a record, use has";
    case Kind::string:
      return "for a part of a text, use like";
    default:
      return "";
  }
}

std::string_view hint_for_in(const Type& found) {
  return found.kind == Kind::set      ? "for an element of a set, use .contains()"
         : found.kind == Kind::string ? "for a part of a text, use like"
                                      : "";
}

std::string_view hint_for_like(const Type& found) {
  return found.kind == Kind::entity ? "for the type of an entity, use is" : "";
}

std::string_view hint_for_number(const Type& found) {
  return found.kind == Kind::string ? "texts cannot be joined; compare them with == or like"
         : found.kind == Kind::set  ? "sets cannot be added or subtracted"
                                    : "";
}

}  // namespace

const Type* Typechecker::boolean(bool known) const {
  return known ? &yes : &no;
}
const Type* Typechecker::any_boolean() const {
  return &any_bool;
}
const Type* Typechecker::plain(Kind kind) const {
  return &plain_types[static_cast<std::size_t>(kind)];
}
const Type* Typechecker::entity_type(std::string_view name) {
  auto at = entity_types_.find(name);
  if (at == entity_types_.end()) {
    at = entity_types_
             .emplace(std::string(name),
                      Type{.kind = Kind::entity, .entity_type = std::string(name)})
             .first;
  }
  return &at->second;
}
const Type* Typechecker::keep(Type type) {
  return &made_.emplace_back(std::move(type));
}

void Typechecker::problem(Span at, std::string message, std::string hint) {
  problems_->push_back({at, std::move(message), std::move(hint)});
}

Typechecker::Capabilities Typechecker::merged(const Capabilities& a, const Capabilities& b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  Capabilities all;
  std::ranges::set_union(a, b, std::back_inserter(all));
  return all;
}
Typechecker::Capabilities Typechecker::common(const Capabilities& a, const Capabilities& b) {
  Capabilities all;
  std::ranges::set_intersection(a, b, std::back_inserter(all));
  return all;
}
bool Typechecker::contains(const Capabilities& set, const Capability& one) {
  return std::ranges::binary_search(set, one);
}

// ---- heads ----

Fit Typechecker::check(const Policy& policy, const RequestKind& request,
                       std::vector<TypeProblem>& problems) {
  request_ = &request;
  action_ = make_uid(request.action->type, request.action->id);
  problems_ = &problems;
  made_.clear();
  // As if the head were written before the conditions, with && between.
  bool ok = true;
  const auto stops = [&](const Answer& part) {
    ok = ok && part.ok;
    return is_no(part.type);
  };
  if (stops(scope(policy.principal, request.principal, request.principal_slot)) ||
      stops(action_scope(policy.action)) ||
      stops(scope(policy.resource, request.resource, request.resource_slot))) {
    return Fit::never_applies;
  }
  if (policy.condition) {
    const Answer body = expression(*policy.condition, {});
    if (stops(body)) return Fit::never_applies;
  }
  return ok ? Fit::fits : Fit::wrong;
}

Typechecker::Answer Typechecker::literal_type(const EntityUid& uid) {
  // What is not known is reported where names are checked.
  const bool known = is_action_type(uid.type) ? schema_.action(uid.type, uid.id) != nullptr
                                              : schema_.entity(uid.type) != nullptr;
  return known ? Answer{entity_type(uid.type)} : Answer{nullptr, false};
}

Typechecker::Answer Typechecker::scope(const Scope& scope, std::string_view variable,
                                       std::string_view slot) {
  using ScopeKind = Scope::Kind;
  if (scope.kind == ScopeKind::any) return {boolean(true)};
  const bool typed = scope.kind == ScopeKind::is || scope.kind == ScopeKind::is_in;
  if (typed && scope.type.text != variable) return {boolean(false)};
  if (scope.kind == ScopeKind::is) return {boolean(true)};
  const Answer entity = scope.slot ? Answer{entity_type(slot)} : literal_type(*scope.entity);
  if (entity.type == nullptr) return {any_boolean(), false};
  const bool possible = scope.kind == ScopeKind::equal
                            ? entity.type->entity_type == variable
                            : schema_.may_be_in(variable, entity.type->entity_type);
  return {possible ? any_boolean() : boolean(false)};
}

Typechecker::Answer Typechecker::action_scope(const ActionScope& scope) {
  if (scope.kind == ActionScope::Kind::any) return {boolean(true)};
  if (scope.kind == ActionScope::Kind::equal) {
    const Answer entity = literal_type(*scope.entities.front());
    return {boolean(*scope.entities.front() == action_), entity.ok};
  }
  if (scope.entities.empty()) {
    problem(Span{}, "this list of actions is empty, so the policy can never apply",
            "without a condition on the action, write only: action");
    return {any_boolean(), false};
  }
  bool ok = true;
  for (std::size_t i = 0; i < scope.entities.size(); ++i) {
    ok = ok && literal_type(*scope.entities[i]).ok;
    if (scope.entities[i]->type == scope.entities.front()->type) continue;
    problem(scope.entities_at[i], "actions of different namespaces cannot be in one list",
            "write one policy for each namespace");
    return {any_boolean(), false};
  }
  if (!ok) return {any_boolean(), false};
  return in_literals(action_, scope.entities);
}

// ---- expressions ----

template <class Fits>
Typechecker::Answer Typechecker::expect(NodeId id, const Capabilities& prior, Fits fits,
                                        std::string_view wanted,
                                        std::string_view (*hint)(const Type&)) {
  Answer answer = expression(id, prior);
  if (answer.type == nullptr) return {nullptr, false};
  if (fits(*answer.type)) return answer;
  problem(program_.spans[id],
          fmt::format("{} is expected here, this is {}", wanted, answer.type->to_string()),
          hint != nullptr ? std::string(hint(*answer.type)) : std::string());
  return {nullptr, false};
}

Typechecker::Answer Typechecker::expect_kind(NodeId id, const Capabilities& prior, Kind kind,
                                             std::string_view (*hint)(const Type&)) {
  const auto wanted = [&]() -> std::string {
    if (kind == Kind::entity) return "an entity";
    if (kind == Kind::set) return "a set";
    return plain(kind)->to_string();
  };
  return expect(id, prior, [&](const Type& type) { return type.kind == kind; }, wanted(), hint);
}

Typechecker::Answer Typechecker::expect_entity_or_record(NodeId id, const Capabilities& prior) {
  return expect(
      id, prior,
      [](const Type& type) { return type.kind == Kind::entity || type.kind == Kind::record; },
      "an entity or a record");
}

Typechecker::Answer Typechecker::expression(NodeId id, const Capabilities& prior) {
  const Node& node = program_.nodes[id];
  switch (node.op) {
    case Op::literal:
      return literal(program_.literals[node.a]);
    case Op::principal:
      return {entity_type(request_->principal)};
    case Op::action:
      return {entity_type(request_->action->type)};
    case Op::resource:
      return {entity_type(request_->resource)};
    case Op::context:
      return {&request_->action->context};
    case Op::all:
    case Op::any:
      return junction(id, prior);
    case Op::choose:
      return choose(id, prior);
    case Op::negate_bool:
    case Op::negate_number:
      return negate(id, prior);
    case Op::equal:
    case Op::unequal:
      return equality(id, prior);
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
      return order(id, prior);
    case Op::in:
      return in(id, prior);
    case Op::add:
    case Op::subtract:
    case Op::multiply:
      return arithmetic(id, prior);
    case Op::contains:
    case Op::contains_all:
    case Op::contains_any:
    case Op::is_empty:
      return of_set(id, prior);
    case Op::get_tag:
      return get_tag(id, prior);
    case Op::has_tag:
      return has_tag(id, prior);
    case Op::attribute:
      return attribute(id, prior);
    case Op::has:
      return has(id, prior);
    case Op::like:
      return like(id, prior);
    case Op::is:
      return is(id, prior);
    case Op::set:
      return set(id, prior);
    case Op::record:
      return record(id, prior);
    case Op::call:
      return call(id, prior);
  }
  return {nullptr, false};
}

Typechecker::Answer Typechecker::literal(const Value& value) {
  switch (value.kind()) {
    case Kind::boolean:
      return {boolean(value.as_bool())};
    case Kind::entity:
      return literal_type(value.as_entity());
    default:
      return {plain(value.kind())};
  }
}

Typechecker::Answer Typechecker::negate(NodeId id, const Capabilities& prior) {
  const Node& node = program_.nodes[id];
  if (node.op == Op::negate_number) {
    const Answer of = expect_kind(node.a, prior, Kind::number);
    return {plain(Kind::number), of.ok};
  }
  const Answer of = expect_kind(node.a, prior, Kind::boolean);
  if (is_yes(of.type)) return {boolean(false), of.ok};
  if (is_no(of.type)) return {boolean(true), of.ok};
  return {any_boolean(), of.ok};
}

Typechecker::Answer Typechecker::choose(NodeId id, const Capabilities& prior) {
  const Node& node = program_.nodes[id];
  const Answer test = expect_kind(node.a, prior, Kind::boolean);
  const Capabilities with_test = merged(prior, test.learned);
  if (is_yes(test.type)) {
    const Answer then = expression(node.b, with_test);
    const bool ok = test.ok && then.ok;
    return {then.type, ok, ok ? merged(then.learned, test.learned) : Capabilities()};
  }
  if (is_no(test.type)) {
    const Answer other = expression(node.c, prior);
    const bool ok = test.ok && other.ok;
    return {other.type, ok, ok ? other.learned : Capabilities()};
  }
  const Answer then = expression(node.b, with_test);
  const Answer other = expression(node.c, prior);
  if (then.type == nullptr || other.type == nullptr) return {nullptr, false};
  Joined joined = join(*then.type, *other.type);
  if (!joined.type) {
    problem(program_.spans[id],
            fmt::format("the branches of this `if` have no common type: {} and {}",
                        then.type->to_string(), other.type->to_string()),
            std::string(to_string(joined.why)));
    return {nullptr, false};
  }
  if (!test.ok || !then.ok || !other.ok) return {keep(std::move(*joined.type)), false};
  return {keep(std::move(*joined.type)), true,
          common(other.learned, merged(then.learned, test.learned))};
}

Typechecker::Answer Typechecker::both(Answer left, Answer right) {
  const bool ok = left.ok && right.ok;
  if (left.type == nullptr || right.type == nullptr) return {any_boolean(), false};
  if (is_no(right.type)) return {right.type, ok};
  Answer answer{any_boolean(), ok};
  if (is_yes(right.type)) {
    answer.type = left.type;
  } else if (is_yes(left.type)) {
    // What was learned on the left is known there anyway: that is why it is true.
    return {right.type, ok, ok ? right.learned : Capabilities()};
  }
  if (ok) answer.learned = merged(left.learned, right.learned);
  return answer;
}

Typechecker::Answer Typechecker::either(Answer left, Answer right) {
  const bool ok = left.ok && right.ok;
  if (left.type == nullptr || right.type == nullptr) return {any_boolean(), false};
  Answer answer{any_boolean(), ok};
  if (is_yes(right.type) || is_no(left.type)) {
    answer.type = right.type;
    if (ok) answer.learned = right.learned;
  } else if (is_no(right.type)) {
    answer.type = left.type;
    if (ok) answer.learned = left.learned;
  } else if (ok) {
    answer.learned = common(left.learned, right.learned);
  }
  return answer;
}

Typechecker::Answer Typechecker::junction(NodeId id, const Capabilities& prior) {
  const Node& node = program_.nodes[id];
  const bool is_and = node.op == Op::all;
  Answer left = expect_kind(program_.children[node.a], prior, Kind::boolean);
  for (std::uint32_t i = 1; i < node.b; ++i) {
    // What decides is not looked past, not even for errors.
    if (is_and && is_no(left.type)) {
      left.learned.clear();
      continue;
    }
    if (!is_and && is_yes(left.type)) continue;
    const NodeId child = program_.children[node.a + i];
    Answer right = expect_kind(child, is_and ? merged(prior, left.learned) : prior, Kind::boolean);
    left = is_and ? both(std::move(left), std::move(right))
                  : either(std::move(left), std::move(right));
  }
  return left;
}

std::optional<Value> Typechecker::constant(NodeId id) const {
  const Node& node = program_.nodes[id];
  if (node.op == Op::action) return Value::borrow(&action_);
  if (node.op == Op::literal && is_plain_literal(program_.literals[node.a].kind())) {
    return program_.literals[node.a];
  }
  if (node.op != Op::all && node.op != Op::any) return std::nullopt;
  // `true && false` is read as the literal it is.
  bool result = node.op == Op::all;
  for (std::uint32_t i = 0; i < node.b; ++i) {
    const auto item = constant(program_.children[node.a + i]);
    if (!item || !item->is(Kind::boolean)) return std::nullopt;
    result = node.op == Op::all ? result && item->as_bool() : result || item->as_bool();
  }
  return Value::boolean(result);
}

const EntityUid* Typechecker::constant_entity(NodeId id) const {
  const Node& node = program_.nodes[id];
  if (node.op == Op::action) return &action_;
  if (node.op != Op::literal || !program_.literals[node.a].is(Kind::entity)) return nullptr;
  return &program_.literals[node.a].as_entity();
}

bool Typechecker::joinable(const Type* a, const Type* b, Span at, std::string_view what) {
  if (a == nullptr || b == nullptr) return true;  // reported already
  const Joined joined = join(*a, *b);
  if (joined.type) return true;
  problem(at, fmt::format("{}: {} and {}", what, a->to_string(), b->to_string()),
          std::string(to_string(joined.why)));
  return false;
}

Typechecker::Answer Typechecker::equality(NodeId id, const Capabilities& prior) {
  const Node& node = program_.nodes[id];
  const Answer left = expression(node.a, prior);
  const Answer right = expression(node.b, prior);
  const bool negated = node.op == Op::unequal;
  bool ok = left.ok && right.ok;
  const bool disjoint = left.type != nullptr && right.type != nullptr &&
                        left.type->kind == Kind::entity && right.type->kind == Kind::entity &&
                        left.type->entity_type != right.type->entity_type;
  if (disjoint) return {boolean(negated), ok};
  const auto a = constant(node.a);
  const auto b = constant(node.b);
  if (a && b) return {boolean((*a == *b) != negated), ok};
  if (!joinable(left.type, right.type, program_.spans[id],
                "values of these types are never equal")) {
    ok = false;
  }
  return {any_boolean(), ok};
}

Typechecker::Answer Typechecker::order(NodeId id, const Capabilities& prior) {
  const Node& node = program_.nodes[id];
  const Answer left = expression(node.a, prior);
  const Answer right = expression(node.b, prior);
  if (left.type == nullptr || right.type == nullptr) return {any_boolean(), false};
  if (left.type->kind == right.type->kind && is_ordered(*left.type)) {
    return {any_boolean(), left.ok && right.ok};
  }
  const auto wrong = [&](NodeId child, const Type& found, const Type* other) {
    const std::string wanted =
        other != nullptr && is_ordered(*other) ? other->to_string() : "Long, datetime or duration";
    problem(
        program_.spans[child],
        fmt::format("{} is expected here, this is {}", wanted, found.to_string()),
        found.kind == Kind::decimal ? "decimals are compared with .lessThan() and the like" : "");
  };
  if (is_ordered(*left.type)) {
    wrong(node.b, *right.type, left.type);
  } else {
    wrong(node.a, *left.type, right.type);
    if (!is_ordered(*right.type)) wrong(node.b, *right.type, nullptr);
  }
  return {any_boolean(), false};
}

Typechecker::Answer Typechecker::arithmetic(NodeId id, const Capabilities& prior) {
  const Node& node = program_.nodes[id];
  const Answer left = expect_kind(node.a, prior, Kind::number, hint_for_number);
  const Answer right = expect_kind(node.b, prior, Kind::number, hint_for_number);
  return {plain(Kind::number), left.ok && right.ok};
}

Typechecker::Answer Typechecker::in(NodeId id, const Capabilities& prior) {
  const Node& node = program_.nodes[id];
  const Answer left = expect_kind(node.a, prior, Kind::entity, hint_for_in);
  const Answer right = expect(
      node.b, prior,
      [](const Type& type) {
        return type.kind == Kind::entity ||
               (type.kind == Kind::set && type.element->kind == Kind::entity);
      },
      "an entity or a set of entities", hint_for_in);
  if (!left.ok || !right.ok) return {any_boolean(), false};

  std::vector<const EntityUid*> literals;
  bool all_literals = true;
  const Node& set = program_.nodes[node.b];
  if (set.op == Op::set) {
    for (std::uint32_t i = 0; i < set.b; ++i) {
      literals.push_back(constant_entity(program_.children[set.a + i]));
      all_literals = all_literals && literals.back() != nullptr;
    }
  } else {
    literals.push_back(constant_entity(node.b));
    all_literals = literals.back() != nullptr;
  }
  const EntityUid* const action = constant_entity(node.a);
  if (action != nullptr && is_action_type(action->type) && all_literals) {
    return in_literals(*action, literals);
  }
  const Type& above = right.type->kind == Kind::set ? *right.type->element : *right.type;
  const bool possible = schema_.may_be_in(left.type->entity_type, above.entity_type);
  return {possible ? any_boolean() : boolean(false)};
}

/// The hierarchy of actions is all in the schema, so the answer is known.
Typechecker::Answer Typechecker::in_literals(const EntityUid& uid,
                                             const std::vector<const EntityUid*>& entities) {
  const ActionType* const action = schema_.action(uid.type, uid.id);
  if (action == nullptr) return {any_boolean(), false};
  bool found = false;
  for (const EntityUid* const entity : entities) {
    if (!is_action_type(entity->type)) continue;
    if (schema_.action(entity->type, entity->id) == nullptr) return {any_boolean(), false};
    found = found || action->is_in(entity->type, entity->id);
  }
  return {boolean(found)};
}

Typechecker::Answer Typechecker::of_set(NodeId id, const Capabilities& prior) {
  const Node& node = program_.nodes[id];
  const Answer left = expect_kind(node.a, prior, Kind::set, hint_for_set);
  if (node.op == Op::is_empty) return {any_boolean(), left.ok};
  const bool one = node.op == Op::contains;
  const Answer right =
      one ? expression(node.b, prior) : expect_kind(node.b, prior, Kind::set, [](const Type&) {
        return std::string_view("for one element, use .contains()");
      });
  const Type* const held = one && left.type != nullptr ? left.type->element.get() : left.type;
  const bool fits = joinable(held, right.type, program_.spans[id],
                             one ? "a set of the first never contains the second"
                                 : "sets of these types have nothing in common");
  return {any_boolean(), left.ok && right.ok && fits};
}

Typechecker::Answer Typechecker::has_tag(NodeId id, const Capabilities& prior) {
  const Node& node = program_.nodes[id];
  const Answer left = expect_kind(node.a, prior, Kind::entity);
  const Answer name = expect_kind(node.b, prior, Kind::string);
  if (left.type == nullptr) return {nullptr, false};
  const bool ok = left.ok && name.ok;
  const EntityType* const type = schema_.entity(left.type->entity_type);
  const Capability capability{shapes_.of(node.a), shapes_.of(node.b), true};
  const Type* answer = any_boolean();
  if (type == nullptr || !type->tags) {
    answer = boolean(false);
  } else if (contains(prior, capability)) {
    answer = boolean(true);
  }
  return {answer, ok, ok ? Capabilities{capability} : Capabilities()};
}

Typechecker::Answer Typechecker::get_tag(NodeId id, const Capabilities& prior) {
  const Node& node = program_.nodes[id];
  const Answer left = expect_kind(node.a, prior, Kind::entity);
  const Answer name = expect_kind(node.b, prior, Kind::string);
  if (left.type == nullptr) return {nullptr, false};
  if (!contains(prior, {shapes_.of(node.a), shapes_.of(node.b), true})) {
    problem(program_.spans[id], "this tag may be absent",
            "check it before: x.hasTag(t) && x.getTag(t) ...");
    return {nullptr, false};
  }
  const EntityType* const type = schema_.entity(left.type->entity_type);
  if (type == nullptr || !type->tags) {
    problem(program_.spans[id],
            fmt::format("entities of type {} have no tags", left.type->entity_type));
    return {nullptr, false};
  }
  return {&*type->tags, left.ok && name.ok};
}

const Attribute* Typechecker::attribute_of(const Type& type, std::string_view name) const {
  if (type.kind == Kind::record) return type.attribute(name);
  const EntityType* const entity = schema_.entity(type.entity_type);
  return entity == nullptr ? nullptr : entity->shape.attribute(name);
}

std::vector<std::string_view> Typechecker::attribute_names(const Type& type) const {
  const EntityType* const entity = schema_.entity(type.entity_type);
  std::vector<std::string_view> names;
  if (type.kind == Kind::entity && entity == nullptr) return names;
  for (const Attribute& attribute :
       type.kind == Kind::record ? type.attributes : entity->shape.attributes) {
    names.push_back(attribute.name);
  }
  return names;
}

/// Of the attribute alone where it is written as .name.
Span Typechecker::name_span(NodeId id) const {
  const Span whole = program_.spans[id];
  const Span on = program_.spans[program_.nodes[id].a];
  const auto length = static_cast<std::uint32_t>(program_.names[program_.nodes[id].b].text.size());
  if (whole.end < on.end + length + 1) return whole;
  return {whole.end - length, whole.end};
}

Typechecker::Answer Typechecker::attribute(NodeId id, const Capabilities& prior) {
  const Node& node = program_.nodes[id];
  const Answer on = expect_entity_or_record(node.a, prior);
  if (on.type == nullptr) return {nullptr, false};
  const std::string_view name = program_.names[node.b].text;
  const Attribute* const attribute = attribute_of(*on.type, name);
  if (attribute == nullptr) {
    problem(name_span(id),
            fmt::format("{} has no attribute {}",
                        on.type->kind == Kind::record ? "this record" : on.type->entity_type,
                        quoted(name)),
            did_you_mean(name, attribute_names(*on.type)));
    return {nullptr, false};
  }
  if (!attribute->required &&
      !contains(prior, {shapes_.of(node.a), shapes_.of_text(name), false})) {
    problem(program_.spans[id], fmt::format("attribute {} may be absent", quoted(name)),
            fmt::format("check it before: x has {} && x.{} ...", name, name));
    return {&attribute->type, false};
  }
  return {&attribute->type, on.ok};
}

Typechecker::Answer Typechecker::has(NodeId id, const Capabilities& prior) {
  const Node& node = program_.nodes[id];
  const Answer on = expect_entity_or_record(node.a, prior);
  if (on.type == nullptr) return {any_boolean(), false};
  const std::string_view name = program_.names[node.b].text;
  const Attribute* const attribute = attribute_of(*on.type, name);
  if (attribute == nullptr) return {boolean(false), on.ok};
  const Capability capability{shapes_.of(node.a), shapes_.of_text(name), false};
  // An entity need not exist, so that it has even a required attribute is not known.
  const bool sure =
      (attribute->required && on.type->kind == Kind::record) || contains(prior, capability);
  return {sure ? boolean(true) : any_boolean(), on.ok,
          on.ok ? Capabilities{capability} : Capabilities()};
}

Typechecker::Answer Typechecker::like(NodeId id, const Capabilities& prior) {
  const Answer on = expect_kind(program_.nodes[id].a, prior, Kind::string, hint_for_like);
  return {any_boolean(), on.ok};
}

Typechecker::Answer Typechecker::is(NodeId id, const Capabilities& prior) {
  const Node& node = program_.nodes[id];
  const Answer on = expect_kind(node.a, prior, Kind::entity, [](const Type&) {
    return std::string_view("is tells types of entities apart");
  });
  if (on.type == nullptr) return {any_boolean(), false};
  return {boolean(on.type->entity_type == program_.names[node.b].text), on.ok};
}

Typechecker::Answer Typechecker::set(NodeId id, const Capabilities& prior) {
  const Node& node = program_.nodes[id];
  if (node.b == 0) {
    problem(program_.spans[id], "an empty set has no type",
            "to ask whether a set is empty, use .isEmpty()");
    return {nullptr, false};
  }
  bool ok = true;
  bool known = true;
  std::vector<const Type*> types;
  for (std::uint32_t i = 0; i < node.b; ++i) {
    const Answer item = expression(program_.children[node.a + i], prior);
    ok = ok && item.ok;
    known = known && item.type != nullptr;
    types.push_back(item.type);
  }
  if (!known) return {nullptr, false};
  Type element = *types.front();
  for (const Type* const type : types) {
    if (is_subtype(*type, element)) continue;
    Joined joined = join(element, *type);
    if (!joined.type) {
      problem(program_.spans[id],
              fmt::format("the elements of a set have one type, these are {} and {}",
                          element.to_string(), type->to_string()),
              std::string(to_string(joined.why)));
      return {nullptr, false};
    }
    element = std::move(*joined.type);
  }
  Type set{.kind = Kind::set};
  set.element = std::make_shared<const Type>(std::move(element));
  return {keep(std::move(set)), ok};
}

Typechecker::Answer Typechecker::record(NodeId id, const Capabilities& prior) {
  const Node& node = program_.nodes[id];
  bool ok = true;
  bool known = true;
  Type record{.kind = Kind::record};
  for (std::uint32_t i = 0; i < node.b; ++i) {
    const Answer item = expression(program_.children[node.a + i], prior);
    ok = ok && item.ok;
    known = known && item.type != nullptr;
    if (known) {
      record.attributes.push_back({std::string(program_.names[node.c + i].text), *item.type, true});
    }
  }
  return known ? Answer{keep(std::move(record)), ok} : Answer{nullptr, false};
}

/// Whether a call has the right number of arguments, and a constructor a text it can read.
bool Typechecker::call_makes_sense(NodeId id) {
  const Node& node = program_.nodes[id];
  const FnType type = fn_type(node.fn);
  const std::uint32_t wanted = type.second == Kind::none ? 1 : 2;
  bool ok = true;
  if (node.b != wanted) {
    problem(program_.spans[id], fmt::format("{} takes {} argument{}, not {}", to_string(node.fn),
                                            wanted, wanted == 1 ? "" : "s", node.b));
    ok = false;
  }
  if (!is_constructor(node.fn)) return ok;
  for (std::uint32_t i = 0; i < node.b; ++i) {
    const auto argument = constant(program_.children[node.a + i]);
    const bool is_literal =
        argument && program_.nodes[program_.children[node.a + i]].op != Op::action;
    if (!is_literal) {
      problem(program_.spans[program_.children[node.a + i]],
              fmt::format("{} is made of a text in quotes only", to_string(node.fn)));
      ok = false;
    } else if (node.b == 1 && argument->is(Kind::string) && node.c == 0) {
      Arena arena;
      const auto value = cedar::call(node.fn, std::span(&*argument, 1), arena);
      problem(program_.spans[program_.children[node.a + i]],
              value ? "this text cannot be read" : value.error().detail);
      ok = false;
    }
  }
  return ok;
}

Typechecker::Answer Typechecker::call(NodeId id, const Capabilities& prior) {
  const Node& node = program_.nodes[id];
  const FnType type = fn_type(node.fn);
  const Type* const result = plain(type.result);
  if (!call_makes_sense(id)) {
    for (std::uint32_t i = 0; i < node.b; ++i) {
      (void)expression(program_.children[node.a + i], prior);
    }
    return {result, false};
  }
  bool ok = true;
  for (std::uint32_t i = 0; i < node.b; ++i) {
    const Kind wanted = i == 0 ? type.first : type.second;
    ok = expect_kind(program_.children[node.a + i], prior, wanted).ok && ok;
  }
  return {result, ok};
}

}  // namespace sallyport::cedar

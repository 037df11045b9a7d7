#include "cedar/evaluate.h"

#include <algorithm>

#include <fmt/format.h>

namespace sallyport::cedar {
namespace {

/// Greedy, with one point to fall back to: linear for most, at worst text times pattern.
bool matches(std::string_view text, const std::vector<PatternPart>& parts) {
  if (parts.empty()) return text.empty();
  std::size_t first = 0;
  std::size_t last = parts.size();
  if (!parts.front().wildcard) {
    if (!text.starts_with(parts.front().text)) return false;
    text.remove_prefix(parts.front().text.size());
    if (parts.size() == 1) return text.empty();
    ++first;
  }
  if (!parts.back().wildcard) {
    if (!text.ends_with(parts.back().text)) return false;
    text.remove_suffix(parts.back().text.size());
    --last;
  }
  // What is left starts and ends with a wildcard: the first place of each piece is the best one.
  for (std::size_t i = first; i < last; ++i) {
    if (parts[i].wildcard) continue;
    const std::size_t at = text.find(parts[i].text);
    if (at == std::string_view::npos) return false;
    text.remove_prefix(at + parts[i].text.size());
  }
  return true;
}

bool contains_all(std::span<const Value> set, std::span<const Value> wanted) {
  return std::ranges::all_of(wanted, [&](const Value& item) { return contains(set, item); });
}

bool contains_any(std::span<const Value> set, std::span<const Value> wanted) {
  return std::ranges::any_of(wanted, [&](const Value& item) { return contains(set, item); });
}

}  // namespace

Value Evaluator::fail_at(NodeId node, std::string why) {
  error_ = std::move(why);
  failed_node_ = node;
  return {};
}

Value Evaluator::type_error(NodeId node, std::string_view wanted, Kind found) {
  return fail_at(node, fmt::format("expected {}, got {}", wanted, to_string(found)));
}

Value Evaluator::wanted(NodeId child, Kind kind) {
  const Value value = evaluate(child);
  if (!value || value.is(kind)) return value;
  return type_error(child, to_string(kind), value.kind());
}

/// The request's own entities were looked up already; their uids are told by their addresses.
const Entity* Evaluator::find(const EntityUid& uid) const {
  if (&uid == request_.principal) return known_.principal;
  if (&uid == request_.resource) return known_.resource;
  if (&uid == request_.action) return known_.action;
  return entities_.find(uid);
}

bool Evaluator::is_in(const EntityUid& uid, const EntityUid& ancestor) const {
  return uid == ancestor || cedar::is_in(uid, find(uid), ancestor);
}

Value Evaluator::evaluate(NodeId id) {
  const Node& node = program_.nodes[id];
  switch (node.op) {
    case Op::literal:
      return program_.literals[node.a];
    case Op::principal:
      return Value::borrow(request_.principal);
    case Op::action:
      return Value::borrow(request_.action);
    case Op::resource:
      return Value::borrow(request_.resource);
    case Op::context:
      return request_.context;
    case Op::all:
    case Op::any:
      return junction(node, id);
    case Op::choose: {
      const Value condition = wanted(node.a, Kind::boolean);
      if (!condition) return {};
      return evaluate(condition.as_bool() ? node.b : node.c);
    }
    case Op::negate_bool:
    case Op::negate_number:
      return negate(node, id);
    case Op::equal:
    case Op::unequal: {
      const Value left = evaluate(node.a);
      if (!left) return {};
      const Value right = evaluate(node.b);
      if (!right) return {};
      return Value::boolean((left == right) == (node.op == Op::equal));
    }
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
      return compare_order(node, id);
    case Op::in:
      return member_of(node, id);
    case Op::add:
    case Op::subtract:
    case Op::multiply:
      return arithmetic(node, id);
    case Op::contains:
    case Op::contains_all:
    case Op::contains_any:
    case Op::is_empty:
      return of_set(node, id);
    case Op::get_tag:
    case Op::has_tag:
      return tag(node, id);
    case Op::attribute:
      return attribute(node, id);
    case Op::has:
      return has(node, id);
    case Op::like:
      return like(node, id);
    case Op::is:
      return is(node, id);
    case Op::set:
      return node.c != 0 ? program_.literals[node.c - 1] : set(node);
    case Op::record:
      return record(node);
    case Op::call:
      return node.c != 0 ? program_.literals[node.c - 1] : call_function(node, id);
  }
  return fail_at(id, "unknown operator");
}

Value Evaluator::junction(const Node& node, NodeId) {
  const bool decides = node.op == Op::any;
  for (std::uint32_t i = 0; i < node.b; ++i) {
    const Value item = wanted(program_.children[node.a + i], Kind::boolean);
    if (!item || item.as_bool() == decides) return item;
  }
  return Value::boolean(!decides);
}

Value Evaluator::negate(const Node& node, NodeId id) {
  if (node.op == Op::negate_bool) {
    const Value value = wanted(node.a, Kind::boolean);
    return value ? Value::boolean(!value.as_bool()) : value;
  }
  const Value value = wanted(node.a, Kind::number);
  if (!value) return {};
  std::int64_t result = 0;
  if (__builtin_sub_overflow(std::int64_t{0}, value.as_number(), &result)) {
    return fail_at(id, "integer overflow in -");
  }
  return Value::number(result);
}

Value Evaluator::compare_order(const Node& node, NodeId) {
  const Value left = evaluate(node.a);
  if (!left) return {};
  const Value right = evaluate(node.b);
  if (!right) return {};
  const auto ordered = [](const Value& value) {
    return value.is(Kind::number) || value.is(Kind::datetime) || value.is(Kind::duration);
  };
  if (!ordered(left)) return type_error(node.a, "long, datetime or duration", left.kind());
  if (!right.is(left.kind())) return type_error(node.b, to_string(left.kind()), right.kind());
  const std::int64_t a = left.as_number();
  const std::int64_t b = right.as_number();
  switch (node.op) {
    case Op::less:
      return Value::boolean(a < b);
    case Op::less_equal:
      return Value::boolean(a <= b);
    case Op::greater:
      return Value::boolean(a > b);
    default:
      return Value::boolean(a >= b);
  }
}

Value Evaluator::arithmetic(const Node& node, NodeId id) {
  const Value left = wanted(node.a, Kind::number);
  if (!left) return {};
  const Value right = wanted(node.b, Kind::number);
  if (!right) return {};
  const std::int64_t a = left.as_number();
  const std::int64_t b = right.as_number();
  std::int64_t result = 0;
  const bool overflow = node.op == Op::add        ? __builtin_add_overflow(a, b, &result)
                        : node.op == Op::subtract ? __builtin_sub_overflow(a, b, &result)
                                                  : __builtin_mul_overflow(a, b, &result);
  if (overflow) {
    const char sign = node.op == Op::add ? '+' : node.op == Op::subtract ? '-' : '*';
    return fail_at(id, fmt::format("integer overflow in {} {} {}", a, sign, b));
  }
  return Value::number(result);
}

Value Evaluator::member_of(const Node& node, NodeId) {
  const Value left = wanted(node.a, Kind::entity);
  if (!left) return {};
  const Value right = evaluate(node.b);
  if (!right) return {};
  if (right.is(Kind::entity)) {
    return Value::boolean(is_in(left.as_entity(), right.as_entity()));
  }
  if (!right.is(Kind::set)) return type_error(node.b, "entity or set of entities", right.kind());
  bool found = false;
  // All of the set is checked before anything in it may answer.
  for (const Value& item : right.as_set()) {
    if (!item.is(Kind::entity)) return type_error(node.b, "set of entities", item.kind());
  }
  for (const Value& item : right.as_set()) {
    found = found || is_in(left.as_entity(), item.as_entity());
  }
  return Value::boolean(found);
}

Value Evaluator::of_set(const Node& node, NodeId) {
  const Value left = wanted(node.a, Kind::set);
  if (!left) return {};
  if (node.op == Op::is_empty) return Value::boolean(left.as_set().empty());
  const Value right = node.op == Op::contains ? evaluate(node.b) : wanted(node.b, Kind::set);
  if (!right) return {};
  switch (node.op) {
    case Op::contains:
      return Value::boolean(contains(left.as_set(), right));
    case Op::contains_all:
      return Value::boolean(contains_all(left.as_set(), right.as_set()));
    default:
      return Value::boolean(contains_any(left.as_set(), right.as_set()));
  }
}

Value Evaluator::tag(const Node& node, NodeId id) {
  const Value left = wanted(node.a, Kind::entity);
  if (!left) return {};
  const Value name = wanted(node.b, Kind::string);
  if (!name) return {};
  const Entity* const entity = find(left.as_entity());
  const Value found = entity == nullptr ? Value() : entity->tags.field(name.as_string());
  if (node.op == Op::has_tag) return Value::boolean(bool(found));
  if (entity == nullptr) {
    return fail_at(id, "entity " + left.as_entity().to_string() + " does not exist");
  }
  if (!found) {
    return fail_at(id, left.as_entity().to_string() + " has no tag " + quoted(name.as_string()));
  }
  return found;
}

Value Evaluator::attribute(const Node& node, NodeId id) {
  const Value left = evaluate(node.a);
  if (!left) return {};
  const std::string_view name = program_.names[node.b].text;
  if (left.is(Kind::record)) {
    const Value found = left.field(name);
    return found ? found : fail_at(id, "the record has no attribute " + quoted(name));
  }
  if (!left.is(Kind::entity)) return type_error(node.a, "entity or record", left.kind());
  const Entity* const entity = find(left.as_entity());
  if (entity == nullptr) {
    return fail_at(id, "entity " + left.as_entity().to_string() + " does not exist");
  }
  const Value found = entity->attributes.field(name);
  return found ? found
               : fail_at(id, left.as_entity().to_string() + " has no attribute " + quoted(name));
}

Value Evaluator::has(const Node& node, NodeId) {
  const Value left = evaluate(node.a);
  if (!left) return {};
  const std::string_view name = program_.names[node.b].text;
  if (left.is(Kind::record)) return Value::boolean(bool(left.field(name)));
  if (!left.is(Kind::entity)) return type_error(node.a, "entity or record", left.kind());
  const Entity* const entity = find(left.as_entity());
  return Value::boolean(entity != nullptr && bool(entity->attributes.field(name)));
}

Value Evaluator::like(const Node& node, NodeId) {
  const Value left = wanted(node.a, Kind::string);
  return left ? Value::boolean(matches(left.as_string(), program_.patterns[node.b])) : left;
}

Value Evaluator::is(const Node& node, NodeId) {
  const Value left = wanted(node.a, Kind::entity);
  if (!left) return {};
  const Name& type = program_.names[node.b];
  const EntityUid& uid = left.as_entity();
  return Value::boolean(uid.type_hash == type.hash && uid.type == type.text);
}

Value Evaluator::set(const Node& node) {
  const auto items = arena_.array<Value>(node.b);
  for (std::uint32_t i = 0; i < node.b; ++i) {
    items[i] = evaluate(program_.children[node.a + i]);
    if (!items[i]) return {};
  }
  return arena_.set(items);
}

Value Evaluator::record(const Node& node) {
  const auto fields = arena_.array<Field>(node.b);
  for (std::uint32_t i = 0; i < node.b; ++i) {
    fields[i].name = program_.names[node.c + i].text;
    fields[i].value = evaluate(program_.children[node.a + i]);
    if (!fields[i].value) return {};
  }
  return arena_.record(fields);
}

Value Evaluator::call_function(const Node& node, NodeId id) {
  const auto items = arena_.array<Value>(node.b);
  for (std::uint32_t i = 0; i < node.b; ++i) {
    items[i] = evaluate(program_.children[node.a + i]);
    if (!items[i]) return {};
  }
  auto value = call(node.fn, items, arena_);
  if (!value) return fail_at(id, std::move(value.error().detail));
  return *value;
}

}  // namespace sallyport::cedar

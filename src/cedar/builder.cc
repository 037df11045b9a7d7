#include "cedar/builder.h"

#include <algorithm>

#include <fmt/format.h>

namespace sallyport::cedar {

void NodeBuilder::measure(Node& node, Span span) {
  std::uint16_t deepest = 0;
  std::uint64_t size = 1;
  program_.each_child(node, [&](NodeId child) {
    deepest = std::max(deepest, program_.nodes[child].depth);
    size += sizes_[child - first_];
  });
  node.depth = static_cast<std::uint16_t>(deepest + 1);
  if (node.depth > tree_depth_max || size > tree_size_max) {
    if (!error_) {
      error_ = SyntaxError{
          span.begin,
          node.depth > tree_depth_max
              ? fmt::format("this condition is more than {} operators deep", tree_depth_max)
              : fmt::format("this condition looks at more than {} operators", tree_size_max)};
    }
    node.depth = 1;
    size = 1;
  }
  sizes_.push_back(static_cast<std::uint32_t>(size));
}

NodeId NodeBuilder::add(Node node, Span span) {
  measure(node, span);
  program_.nodes.push_back(node);
  program_.spans.push_back(span);
  return static_cast<NodeId>(program_.nodes.size() - 1);
}

NodeId NodeBuilder::add_list(Node node, const std::vector<NodeId>& items, Span span) {
  node.a = static_cast<std::uint32_t>(program_.children.size());
  node.b = static_cast<std::uint32_t>(items.size());
  program_.children.insert(program_.children.end(), items.begin(), items.end());
  return add(node, span);
}

std::uint32_t NodeBuilder::keep(Value value) {
  program_.literals.push_back(value);
  return static_cast<std::uint32_t>(program_.literals.size() - 1);
}

std::optional<Value> NodeBuilder::constant(NodeId id) const {
  const Node& node = program_.nodes[id];
  if (node.op == Op::literal) return program_.literals[node.a];
  const bool folds = node.op == Op::set || node.op == Op::call;
  if (folds && node.c != 0) return program_.literals[node.c - 1];
  return std::nullopt;
}

NodeId NodeBuilder::literal(Value value, Span span) {
  return add({.op = Op::literal, .a = keep(value)}, span);
}

NodeId NodeBuilder::unary(Op op, NodeId a, Span span) {
  return add({.op = op, .a = a}, span);
}

NodeId NodeBuilder::binary(Op op, NodeId a, NodeId b, Span span) {
  return add({.op = op, .a = a, .b = b}, span);
}

NodeId NodeBuilder::choose(NodeId condition, NodeId yes, NodeId no, Span span) {
  return add({.op = Op::choose, .a = condition, .b = yes, .c = no}, span);
}

NodeId NodeBuilder::junction(Op op, const std::vector<NodeId>& items, Span span) {
  return items.size() == 1 ? items[0] : add_list({.op = op}, items, span);
}

NodeId NodeBuilder::attribute(NodeId on, std::string_view name, Span span) {
  return add({.op = Op::attribute, .a = on, .b = name_number(name)}, span);
}

NodeId NodeBuilder::has(NodeId on, const std::vector<std::string>& path, Span span) {
  std::vector<NodeId> steps;
  for (const std::string& name : path) {
    steps.push_back(add({.op = Op::has, .a = on, .b = name_number(name)}, span));
    if (steps.size() < path.size()) on = attribute(on, name, span);
  }
  if (steps.size() == 1) return steps[0];
  return add_list({.op = Op::all, .c = static_cast<std::uint32_t>(Written::has_path)}, steps, span);
}

NodeId NodeBuilder::like(NodeId on, std::vector<PatternPart> pattern, Span span) {
  program_.patterns.push_back(std::move(pattern));
  return add(
      {.op = Op::like, .a = on, .b = static_cast<std::uint32_t>(program_.patterns.size() - 1)},
      span);
}

NodeId NodeBuilder::is(NodeId on, std::string_view type, Span span) {
  return add({.op = Op::is, .a = on, .b = name_number(type)}, span);
}

NodeId NodeBuilder::is_in(NodeId on, std::string_view type, NodeId above, Span span) {
  const std::vector<NodeId> parts{is(on, type, span), binary(Op::in, on, above, span)};
  return add_list({.op = Op::all, .c = static_cast<std::uint32_t>(Written::is_in)}, parts, span);
}

NodeId NodeBuilder::set(const std::vector<NodeId>& items, Span span) {
  Node node{.op = Op::set};
  std::vector<Value> values;
  for (const NodeId item : items) {
    if (const auto value = constant(item)) values.push_back(*value);
  }
  if (values.size() == items.size()) node.c = 1 + keep(program_.arena->set(values));
  return add_list(node, items, span);
}

NodeId NodeBuilder::record(std::vector<Entry> entries, Span span) {
  // Sorted here once, so that evaluation makes a sorted record.
  std::ranges::sort(entries, {}, &Entry::name);
  Node node{.op = Op::record, .c = static_cast<std::uint32_t>(program_.names.size())};
  std::vector<NodeId> items;
  for (const Entry& entry : entries) {
    program_.names.push_back({entry.name, hash_text(entry.name)});
    items.push_back(entry.node);
  }
  return add_list(node, items, span);
}

NodeId NodeBuilder::call(Fn fn, const std::vector<NodeId>& arguments, Span span) {
  Node node{.op = Op::call, .fn = fn};
  const bool constructs =
      fn == Fn::ip || fn == Fn::decimal || fn == Fn::datetime || fn == Fn::duration;
  // A constructor of a literal is done once, here. A bad text stays: it is an error only if
  // evaluated.
  if (constructs && arguments.size() == 1) {
    if (const auto text = constant(arguments[0])) {
      const auto value = cedar::call(fn, std::span(&*text, 1), *program_.arena);
      if (value) node.c = 1 + keep(*value);
    }
  }
  return add_list(node, arguments, span);
}

std::optional<NodeId> NodeBuilder::condition(const std::vector<Clause>& clauses, Span span) {
  if (clauses.empty()) return std::nullopt;
  std::vector<NodeId> items;
  for (const Clause& clause : clauses) {
    items.push_back(clause.unless ? unary(Op::negate_bool, clause.body, program_.spans[clause.body])
                                  : clause.body);
  }
  // One condition too becomes an `all`, which checks that it is a bool.
  return add_list({.op = Op::all}, items, span);
}

std::uint32_t NodeBuilder::name_number(std::string_view text) {
  const auto [at, added] =
      names_.try_emplace(std::string(text), static_cast<std::uint32_t>(program_.names.size()));
  if (added) program_.names.push_back({program_.arena->text(text), hash_text(text)});
  return at->second;
}

Name NodeBuilder::name(std::string_view text) {
  return program_.names.at(name_number(text));
}

}  // namespace sallyport::cedar

#include "cedar/shapes.h"

namespace sallyport::cedar {
namespace {

std::uint32_t code(Op op) {
  return static_cast<std::uint32_t>(op);
}

}  // namespace

std::uint32_t Shapes::number(Key key) {
  return numbers_.try_emplace(std::move(key), static_cast<std::uint32_t>(numbers_.size()))
      .first->second;
}

std::uint32_t Shapes::word(std::string_view text) {
  const auto at = words_.find(text);
  if (at != words_.end()) return at->second;
  const auto next = static_cast<std::uint32_t>(words_.size());
  words_.emplace(text, next);
  return next;
}

std::uint32_t Shapes::of_text(std::string_view text) {
  return number({code(Op::literal), static_cast<std::uint32_t>(Kind::string), word(text)});
}

std::uint32_t Shapes::of_literal(const Value& value) {
  const auto kind = static_cast<std::uint32_t>(value.kind());
  if (value.is(Kind::string)) return of_text(value.as_string());
  return number({code(Op::literal), kind, word(to_string(value))});
}

std::uint32_t Shapes::of(NodeId id) {
  const auto at = known_.find(id);
  if (at != known_.end()) return at->second;
  const std::uint32_t shape = make(program_.nodes[id]);
  known_.emplace(id, shape);
  return shape;
}

std::uint32_t Shapes::make(const Node& node) {
  switch (node.op) {
    case Op::literal:
      return of_literal(program_.literals[node.a]);
    case Op::all:
    case Op::any: {
      // a && b && c is (a && b) && c.
      std::uint32_t shape = of(program_.children[node.a]);
      for (std::uint32_t i = 1; i < node.b; ++i) {
        shape = number({code(node.op), shape, of(program_.children[node.a + i])});
      }
      return shape;
    }
    case Op::unequal:
      return number({code(Op::negate_bool), number({code(Op::equal), of(node.a), of(node.b)})});
    case Op::greater:
      return number(
          {code(Op::negate_bool), number({code(Op::less_equal), of(node.a), of(node.b)})});
    case Op::greater_equal:
      return number({code(Op::negate_bool), number({code(Op::less), of(node.a), of(node.b)})});
    case Op::like: {
      Key key{code(node.op), of(node.a)};
      for (const PatternPart& part : program_.patterns[node.b]) {
        key.push_back(part.wildcard ? 0 : 1 + word(part.text));
      }
      return number(std::move(key));
    }
    default:
      break;
  }
  Key key{code(node.op), static_cast<std::uint32_t>(node.fn)};
  program_.each_child(node, [&](NodeId child) { key.push_back(of(child)); });
  if (node.op == Op::attribute || node.op == Op::has || node.op == Op::is) {
    key.push_back(word(program_.names[node.b].text));
  } else if (node.op == Op::record) {
    for (std::uint32_t i = 0; i < node.b; ++i) {
      key.push_back(word(program_.names[node.c + i].text));
    }
  }
  return number(std::move(key));
}

}  // namespace sallyport::cedar

// Conditions: from tokens straight to the flat tree.

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "base/numbers.h"
#include "cedar/parser_impl.h"
#include "cedar/source.h"

namespace sallyport::cedar {
namespace {

constexpr int unary_repeats_max = 4;

std::optional<Op> relation_op(const Token& token) {
  if (token.is("==")) return Op::equal;
  if (token.is("!=")) return Op::unequal;
  if (token.is("<")) return Op::less;
  if (token.is("<=")) return Op::less_equal;
  if (token.is(">")) return Op::greater;
  if (token.is(">=")) return Op::greater_equal;
  if (token.is_word("in")) return Op::in;
  return std::nullopt;
}

bool is_relation_token(const Token& token) {
  return relation_op(token) || token.is_word("has") || token.is_word("like") || token.is_word("is");
}

/// The methods that are operators and not of an extension type.
struct Method {
  std::string_view name;
  Op op;
  std::size_t arguments;
};
constexpr Method methods[] = {
    {"contains", Op::contains, 1},        {"containsAll", Op::contains_all, 1},
    {"containsAny", Op::contains_any, 1}, {"isEmpty", Op::is_empty, 0},
    {"getTag", Op::get_tag, 1},           {"hasTag", Op::has_tag, 1},
};

}  // namespace

NodeId Parser::expression() {
  if (++nesting_ > nesting_max) {
    fail_at(peek().offset, fmt::format("nested more than {} deep", nesting_max));
  }
  NodeId node = 0;
  const std::uint32_t offset = peek().offset;
  if (take_word("if")) {
    const NodeId condition = expression();
    if (!take_word("then")) unexpected("then");
    const NodeId yes = expression();
    if (!take_word("else")) unexpected("else");
    const NodeId no = expression();
    node = add({.op = Op::choose, .a = condition, .b = yes, .c = no}, offset);
  } else {
    node = or_expression();
  }
  --nesting_;
  return node;
}

NodeId Parser::or_expression() {
  const std::uint32_t offset = peek().offset;
  std::vector<NodeId> items{and_expression()};
  while (take("||")) items.push_back(and_expression());
  return items.size() == 1 ? items[0] : add_list(Op::any, items, offset);
}

NodeId Parser::and_expression() {
  const std::uint32_t offset = peek().offset;
  std::vector<NodeId> items{relation()};
  while (take("&&")) items.push_back(relation());
  return items.size() == 1 ? items[0] : add_list(Op::all, items, offset);
}

NodeId Parser::relation() {
  const std::uint32_t offset = peek().offset;
  NodeId node = sum();
  const Token token = peek();
  if (!is_relation_token(token)) return node;
  next();
  if (token.is_word("has")) {
    node = has_relation(node, token.offset);
  } else if (token.is_word("like")) {
    node = like_relation(node, token.offset);
  } else if (token.is_word("is")) {
    node = is_relation(node, token.offset);
  } else {
    node = add_binary(*relation_op(token), node, sum(), offset);
  }
  if (is_relation_token(peek())) {
    fail_at(peek().offset, "comparisons do not chain (hint: use parentheses or &&)");
  }
  return node;
}

NodeId Parser::has_relation(NodeId left, std::uint32_t offset) {
  if (peek().kind == Token::Kind::string) {
    const NodeId node = add_unary(Op::has, left, offset, name(string_literal()));
    if (peek().is(".")) fail_at(peek().offset, "after has, a path is of names only: has a.b.c");
    return node;
  }
  std::vector<NodeId> steps;
  for (;;) {
    const std::uint32_t attribute = name(attribute_name());
    steps.push_back(add_unary(Op::has, left, offset, attribute));
    if (!take(".")) break;
    left = add_unary(Op::attribute, left, offset, attribute);
  }
  return steps.size() == 1 ? steps[0] : add_list(Op::all, steps, offset);
}

NodeId Parser::like_relation(NodeId left, std::uint32_t offset) {
  if (peek().kind != Token::Kind::string) {
    unexpected("a pattern in quotes after like");
    return left;
  }
  auto parts = unescape_pattern(next());
  if (!parts) {
    fail_at(parts.error().offset, parts.error().message);
    return left;
  }
  program_.patterns.push_back(std::move(*parts));
  return add_unary(Op::like, left, offset,
                   static_cast<std::uint32_t>(program_.patterns.size() - 1));
}

NodeId Parser::is_relation(NodeId left, std::uint32_t offset) {
  if (peek().kind != Token::Kind::identifier) {
    unexpected("an entity type after is");
    return left;
  }
  const std::uint32_t type = name(path());
  const NodeId is = add_unary(Op::is, left, offset, type);
  if (!take_word("in")) return is;
  return add_list(Op::all, {is, add_binary(Op::in, left, sum(), offset)}, offset);
}

NodeId Parser::sum() {
  NodeId node = product();
  for (;;) {
    const std::uint32_t offset = peek().offset;
    if (take("+")) {
      node = add_binary(Op::add, node, product(), offset);
    } else if (take("-")) {
      node = add_binary(Op::subtract, node, product(), offset);
    } else {
      return node;
    }
  }
}

NodeId Parser::product() {
  NodeId node = unary();
  for (;;) {
    const std::uint32_t offset = peek().offset;
    if (peek().is("/")) fail_at(offset, "division is not part of Cedar");
    if (peek().is("%")) fail_at(offset, "remainder is not part of Cedar");
    if (!take("*")) return node;
    node = add_binary(Op::multiply, node, unary(), offset);
  }
}

NodeId Parser::unary() {
  const Token first = peek();
  if (!first.is("!") && !first.is("-")) return member();
  int repeats = 0;
  while (take(first.text)) ++repeats;
  if (repeats > unary_repeats_max) {
    fail_at(first.offset,
            fmt::format("more than {} of '{}' in a row", unary_repeats_max, first.text));
  }
  const bool minus = first.is("-");
  NodeId node = 0;
  if (minus && peek().kind == Token::Kind::number && !peek(1).is(".") && !peek(1).is("[")) {
    // The sign belongs to the number: only so can the lowest one be written.
    const Token digits = next();
    node = add_number(digits.text, true, digits.offset);
    --repeats;
  } else {
    node = member();
  }
  for (; repeats > 0; --repeats) {
    node = add_unary(minus ? Op::negate_number : Op::negate_bool, node, first.offset);
  }
  return node;
}

NodeId Parser::member() {
  NodeId node = primary();
  for (;;) {
    const std::uint32_t offset = peek().offset;
    if (take(".")) {
      if (peek(1).is("(")) {
        const Token called = next();
        if (called.kind != Token::Kind::identifier) fail_at(called.offset, "expected a method");
        node = method(node, called);
      } else {
        node = add_unary(Op::attribute, node, offset, name(attribute_name()));
      }
    } else if (take("[")) {
      node = add_unary(Op::attribute, node, offset, name(string_literal()));
      expect("]");
    } else {
      return node;
    }
  }
}

NodeId Parser::method(NodeId on, const Token& called) {
  expect("(");
  std::vector<NodeId> items = arguments(")");
  const auto own = std::ranges::find(methods, called.text, &Method::name);
  if (own != std::end(methods)) {
    if (items.size() != own->arguments) {
      fail_at(called.offset,
              fmt::format("{} takes {} argument{}, not {}", own->name, own->arguments,
                          own->arguments == 1 ? "" : "s", items.size()));
      return on;
    }
    return items.empty() ? add_unary(own->op, on, called.offset)
                         : add_binary(own->op, on, items[0], called.offset);
  }
  const FnInfo* const info = find_fn(called.text);
  if (info == nullptr || !info->method) {
    fail_at(called.offset,
            fmt::format(
                "'{}' is not a method{}", called.text,
                info != nullptr ? " but a function: " + std::string(called.text) + "(...)" : ""));
    return on;
  }
  items.insert(items.begin(), on);
  return add_list(Op::call, items, called.offset, info->fn);
}

std::vector<NodeId> Parser::arguments(std::string_view close) {
  std::vector<NodeId> items;
  while (!failed() && !peek().is(close)) {
    items.push_back(expression());
    if (!take(",")) break;
  }
  expect(close);
  return items;
}

NodeId Parser::primary() {
  const Token token = peek();
  switch (token.kind) {
    case Token::Kind::number:
      next();
      return add_number(token.text, false, token.offset);
    case Token::Kind::string:
      return add_literal(program_.arena->string(string_literal()), token.offset);
    case Token::Kind::identifier:
      return word();
    default:
      break;
  }
  if (take("(")) {
    const NodeId node = expression();
    expect(")");
    return node;
  }
  if (take("[")) return set_literal();
  if (take("{")) return record_literal();
  if (token.is("?")) {
    fail_at(token.offset, "a slot cannot be used in a condition");
  }
  unexpected("an expression");
  return 0;
}

NodeId Parser::word() {
  const std::uint32_t offset = peek().offset;
  if (take_word("true")) return add_literal(Value::boolean(true), offset);
  if (take_word("false")) return add_literal(Value::boolean(false), offset);
  if (peek().is_word("if")) {
    fail_at(offset, "an `if` inside an expression needs parentheses around it");
  }
  return path_or_variable();
}

NodeId Parser::path_or_variable() {
  const Token first = peek();
  const std::string text = path();
  if (peek().is("{") && text != first.text) {
    fail_at(first.offset, "an entity is named by a string: " + text + "::\"id\"");
  }
  if (peek().kind == Token::Kind::string && !failed()) {
    return add_literal(Value::borrow(uid(text, string_literal())), first.offset);
  }
  if (take("(")) return function(text, first.offset);
  if (text == "principal") return add({.op = Op::principal}, first.offset);
  if (text == "action") return add({.op = Op::action}, first.offset);
  if (text == "resource") return add({.op = Op::resource}, first.offset);
  if (text == "context") return add({.op = Op::context}, first.offset);
  fail_at(first.offset, fmt::format("'{}' is not a variable (variables are principal, action, "
                                    "resource and context; a text needs quotes)",
                                    text));
  return 0;
}

NodeId Parser::function(std::string_view called, std::uint32_t offset) {
  const std::vector<NodeId> items = arguments(")");
  const FnInfo* const info = find_fn(called);
  const bool own_method = std::ranges::find(methods, called, &Method::name) != std::end(methods);
  if (own_method || (info != nullptr && info->method)) {
    fail_at(offset, fmt::format("'{}' is a method, not a function: x.{}(...)", called, called));
    return 0;
  }
  if (info == nullptr) {
    fail_at(offset, fmt::format("'{}' is not a function (functions are ip, decimal, datetime and "
                                "duration)",
                                called));
    return 0;
  }
  // A constructor of a literal is done once, here. A bad text stays: it is an error only if
  // evaluated.
  if (items.size() == 1 && !failed()) {
    if (const auto text = literal_of(items[0])) {
      const auto value = call(info->fn, std::span(&*text, 1), *program_.arena);
      if (value) return add_literal(*value, offset);
    }
  }
  return add_list(Op::call, items, offset, info->fn);
}

NodeId Parser::set_literal() {
  const std::uint32_t offset = peek().offset;
  const std::vector<NodeId> items = arguments("]");
  std::vector<Value> values;
  for (const NodeId item : items) {
    if (failed()) return 0;
    const auto value = literal_of(item);
    if (!value) return add_list(Op::set, items, offset);
    values.push_back(*value);
  }
  return add_literal(program_.arena->set(values), offset);
}

NodeId Parser::record_literal() {
  const std::uint32_t offset = peek().offset;
  struct Entry {
    std::string_view name;
    NodeId node;
  };
  std::vector<Entry> entries;
  while (!failed() && !peek().is("}")) {
    const std::uint32_t key_offset = peek().offset;
    const std::string_view key = peek().kind == Token::Kind::string
                                     ? program_.arena->text(string_literal())
                                     : attribute_name();
    if (holds(entries, key, &Entry::name)) {
      fail_at(key_offset, fmt::format("key {} is given twice", quoted(key)));
    }
    expect(":");
    entries.push_back({key, expression()});
    if (!take(",")) break;
  }
  expect("}");
  if (failed()) return 0;
  // Sorted here once, so that evaluation makes a sorted record.
  std::ranges::sort(entries, {}, &Entry::name);
  const auto first_name = static_cast<std::uint32_t>(program_.names.size());
  std::vector<NodeId> items;
  for (const Entry& entry : entries) {
    program_.names.push_back({program_.arena->text(entry.name), hash_text(entry.name)});
    items.push_back(entry.node);
  }
  const NodeId node = add_list(Op::record, items, offset);
  program_.nodes[node].c = first_name;
  return node;
}

std::string Parser::path() {
  std::string text;
  for (;;) {
    const Token token = peek();
    if (token.kind != Token::Kind::identifier) {
      unexpected("a name");
      return text;
    }
    if (is_reserved(token.text)) {
      fail_at(token.offset, fmt::format("'{}' is reserved and cannot be a name", token.text));
      return text;
    }
    text += next().text;
    if (!take("::")) return text;
    if (peek().kind == Token::Kind::string || peek().is("{")) return text;
    text += "::";
  }
}

std::string Parser::string_literal() {
  if (peek().kind != Token::Kind::string) {
    unexpected("a string in quotes");
    return {};
  }
  auto text = unescape(next());
  if (!text) {
    fail_at(text.error().offset, text.error().message);
    return {};
  }
  return std::move(*text);
}

/// A name after '.' or before ':', borrowed from the source.
std::string_view Parser::attribute_name() {
  const Token token = peek();
  if (token.kind != Token::Kind::identifier) {
    unexpected("the name of an attribute");
    return {};
  }
  if (is_reserved(token.text)) {
    fail_at(token.offset, fmt::format("'{}' is reserved (hint: write it in quotes, as in "
                                      "x[\"{}\"])",
                                      token.text, token.text));
    return {};
  }
  next();
  return token.text;
}

NodeId Parser::add(Node node, std::uint32_t offset) {
  const auto depth_of = [&](NodeId child) {
    return child < program_.nodes.size() ? program_.nodes[child].depth : std::uint16_t{0};
  };
  std::uint16_t below = 0;
  switch (node.op) {
    case Op::literal:
    case Op::principal:
    case Op::action:
    case Op::resource:
    case Op::context:
      break;
    case Op::all:
    case Op::any:
    case Op::set:
    case Op::record:
    case Op::call:
      for (std::uint32_t i = 0; i < node.b; ++i) {
        below = std::max(below, depth_of(program_.children[node.a + i]));
      }
      break;
    case Op::choose:
      below = std::max({depth_of(node.a), depth_of(node.b), depth_of(node.c)});
      break;
    case Op::negate_bool:
    case Op::negate_number:
    case Op::is_empty:
    case Op::attribute:
    case Op::has:
    case Op::like:
    case Op::is:
      below = depth_of(node.a);
      break;
    default:
      below = std::max(depth_of(node.a), depth_of(node.b));
  }
  node.depth = below + 1;
  if (node.depth > tree_depth_max) {
    fail_at(offset, fmt::format("this condition is more than {} operators deep", tree_depth_max));
    node.depth = 1;
  }
  program_.nodes.push_back(node);
  program_.offsets.push_back(offset);
  return static_cast<NodeId>(program_.nodes.size() - 1);
}

NodeId Parser::add_unary(Op op, NodeId a, std::uint32_t offset, std::uint32_t b) {
  return add({.op = op, .a = a, .b = b}, offset);
}

NodeId Parser::add_binary(Op op, NodeId a, NodeId b, std::uint32_t offset) {
  return add({.op = op, .a = a, .b = b}, offset);
}

NodeId Parser::add_list(Op op, const std::vector<NodeId>& items, std::uint32_t offset, Fn fn) {
  const auto first = static_cast<std::uint32_t>(program_.children.size());
  program_.children.insert(program_.children.end(), items.begin(), items.end());
  return add({.op = op, .fn = fn, .a = first, .b = static_cast<std::uint32_t>(items.size())},
             offset);
}

NodeId Parser::add_literal(Value value, std::uint32_t offset) {
  program_.literals.push_back(value);
  return add({.op = Op::literal, .a = static_cast<std::uint32_t>(program_.literals.size() - 1)},
             offset);
}

NodeId Parser::add_number(std::string_view digits, bool negative, std::uint32_t offset) {
  const auto value =
      parse_number<std::int64_t>(negative ? "-" + std::string(digits) : std::string(digits));
  if (!value) {
    fail_at(offset, fmt::format("integer {} does not fit in 64 bits", digits));
    return 0;
  }
  return add_literal(Value::number(*value), offset);
}

std::optional<Value> Parser::literal_of(NodeId node) const {
  if (node >= program_.nodes.size() || program_.nodes[node].op != Op::literal) return std::nullopt;
  return program_.literals[program_.nodes[node].a];
}

std::uint32_t Parser::name(std::string_view text) {
  const auto [at, added] =
      names_.try_emplace(std::string(text), static_cast<std::uint32_t>(program_.names.size()));
  if (added) program_.names.push_back({program_.arena->text(text), hash_text(text)});
  return at->second;
}

const EntityUid* Parser::uid(std::string_view type, std::string_view id) {
  return program_.arena->uid(type, id);
}

}  // namespace sallyport::cedar

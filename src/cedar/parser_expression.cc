// Conditions: from tokens straight to the flat tree.

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/numbers.h"
#include "cedar/hint.h"
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

/// " (hint: did you mean X?)" or nothing.
std::string with_hint(std::string_view called, bool method) {
  std::vector<std::string_view> known;
  for (const Method& own : methods) known.push_back(own.name);
  for (const FnInfo& info : all_fns()) {
    if (info.method == method) known.push_back(info.name);
  }
  const std::string hint = did_you_mean(called, known);
  return hint.empty() ? hint : " (hint: " + hint + ")";
}

}  // namespace

NodeId Parser::expression() {
  if (++nesting_ > nesting_max) {
    fail_at(peek().offset, fmt::format("nested more than {} deep", nesting_max));
  }
  NodeId node = 0;
  const std::uint32_t begin = peek().offset;
  if (take_word("if")) {
    const NodeId condition = expression();
    if (!take_word("then")) unexpected("then");
    const NodeId yes = expression();
    if (!take_word("else")) unexpected("else");
    const NodeId no = expression();
    if (!failed()) node = make_.choose(condition, yes, no, since(begin));
  } else {
    node = or_expression();
  }
  --nesting_;
  return node;
}

NodeId Parser::or_expression() {
  const std::uint32_t begin = peek().offset;
  std::vector<NodeId> items{and_expression()};
  while (take("||")) items.push_back(and_expression());
  return failed() ? 0 : make_.junction(Op::any, items, since(begin));
}

NodeId Parser::and_expression() {
  const std::uint32_t begin = peek().offset;
  std::vector<NodeId> items{relation()};
  while (take("&&")) items.push_back(relation());
  return failed() ? 0 : make_.junction(Op::all, items, since(begin));
}

NodeId Parser::relation() {
  const std::uint32_t begin = peek().offset;
  NodeId node = sum();
  const Token token = peek();
  if (!is_relation_token(token)) return node;
  next();
  if (token.is_word("has")) {
    node = has_relation(node, begin);
  } else if (token.is_word("like")) {
    node = like_relation(node, begin);
  } else if (token.is_word("is")) {
    node = is_relation(node, begin);
  } else {
    const NodeId right = sum();
    if (!failed()) node = make_.binary(*relation_op(token), node, right, since(begin));
  }
  if (is_relation_token(peek())) {
    fail_at(peek().offset, "comparisons do not chain (hint: use parentheses or &&)");
  }
  return node;
}

NodeId Parser::has_relation(NodeId left, std::uint32_t begin) {
  std::vector<std::string> path;
  if (peek().kind == Token::Kind::string) {
    path.push_back(string_literal());
    if (peek().is(".")) fail_at(peek().offset, "after has, a path is of names only: has a.b.c");
  } else {
    do path.emplace_back(attribute_name());
    while (take("."));
  }
  return failed() ? 0 : make_.has(left, path, since(begin));
}

NodeId Parser::like_relation(NodeId left, std::uint32_t begin) {
  if (peek().kind != Token::Kind::string) {
    unexpected("a pattern in quotes after like");
    return left;
  }
  auto parts = unescape_pattern(next());
  if (!parts) {
    fail_at(parts.error().offset, parts.error().message);
    return left;
  }
  return failed() ? 0 : make_.like(left, std::move(*parts), since(begin));
}

NodeId Parser::is_relation(NodeId left, std::uint32_t begin) {
  if (peek().kind != Token::Kind::identifier) {
    unexpected("an entity type after is");
    return left;
  }
  const std::string type = path();
  if (!take_word("in")) return failed() ? 0 : make_.is(left, type, since(begin));
  const NodeId right = sum();
  return failed() ? 0 : make_.is_in(left, type, right, since(begin));
}

NodeId Parser::sum() {
  const std::uint32_t begin = peek().offset;
  NodeId node = product();
  for (;;) {
    const bool add = peek().is("+");
    if (!add && !peek().is("-")) return node;
    next();
    const NodeId right = product();
    if (failed()) return 0;
    node = make_.binary(add ? Op::add : Op::subtract, node, right, since(begin));
  }
}

NodeId Parser::product() {
  const std::uint32_t begin = peek().offset;
  NodeId node = unary();
  for (;;) {
    const std::uint32_t offset = peek().offset;
    if (peek().is("/")) fail_at(offset, "division is not part of Cedar");
    if (peek().is("%")) fail_at(offset, "remainder is not part of Cedar");
    if (!take("*")) return node;
    const NodeId right = unary();
    if (failed()) return 0;
    node = make_.binary(Op::multiply, node, right, since(begin));
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
    node = number(next().text, true, first.offset);
    --repeats;
  } else {
    node = member();
  }
  for (; repeats > 0 && !failed(); --repeats) {
    node = make_.unary(minus ? Op::negate_number : Op::negate_bool, node, since(first.offset));
  }
  return node;
}

NodeId Parser::member() {
  const std::uint32_t begin = peek().offset;
  NodeId node = primary();
  for (;;) {
    if (failed()) return 0;
    if (take(".")) {
      if (peek(1).is("(")) {
        const Token called = next();
        if (called.kind != Token::Kind::identifier) fail_at(called.offset, "expected a method");
        node = method(node, called, begin);
      } else {
        const std::string_view name = attribute_name();
        if (!failed()) node = make_.attribute(node, name, since(begin));
      }
    } else if (take("[")) {
      const std::string name = string_literal();
      expect("]");
      if (!failed()) node = make_.attribute(node, name, since(begin));
    } else {
      return node;
    }
  }
}

NodeId Parser::method(NodeId on, const Token& called, std::uint32_t begin) {
  expect("(");
  std::vector<NodeId> items = arguments(")");
  if (failed()) return 0;
  const auto own = std::ranges::find(methods, called.text, &Method::name);
  if (own != std::end(methods)) {
    if (items.size() != own->arguments) {
      fail_at(called.offset,
              fmt::format("{} takes {} argument{}, not {}", own->name, own->arguments,
                          own->arguments == 1 ? "" : "s", items.size()));
      return on;
    }
    return items.empty() ? make_.unary(own->op, on, since(begin))
                         : make_.binary(own->op, on, items[0], since(begin));
  }
  const FnInfo* const info = find_fn(called.text);
  if (info == nullptr || !info->method) {
    fail_at(called.offset,
            fmt::format("'{}' is not a method{}", called.text,
                        info != nullptr ? " but a function: " + std::string(called.text) + "(...)"
                                        : with_hint(called.text, true)));
    return on;
  }
  items.insert(items.begin(), on);
  return make_.call(info->fn, items, since(begin));
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
      return number(next().text, false, token.offset);
    case Token::Kind::string: {
      const std::string text = string_literal();
      return make_.literal(make_.arena().string(text), since(token.offset));
    }
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
  if (take("[")) return set_literal(token.offset);
  if (take("{")) return record_literal(token.offset);
  if (token.is("?")) {
    fail_at(token.offset, "a slot cannot be used in a condition");
  }
  unexpected("an expression");
  return 0;
}

NodeId Parser::word() {
  const std::uint32_t begin = peek().offset;
  if (take_word("true")) return make_.literal(Value::boolean(true), since(begin));
  if (take_word("false")) return make_.literal(Value::boolean(false), since(begin));
  if (peek().is_word("if")) {
    fail_at(begin, "an `if` inside an expression needs parentheses around it");
  }
  return path_or_variable();
}

NodeId Parser::path_or_variable() {
  const Token first = peek();
  const std::string text = open_path();
  if (path_is_open_ && peek().is("{")) {
    fail_at(first.offset, "an entity is named by a string: " + text + "::\"id\"");
  }
  if (path_is_open_ && !failed()) {
    const std::string id = string_literal();
    return make_.literal(Value::borrow(make_.uid(text, id)), since(first.offset));
  }
  if (take("(")) return function(text, first.offset);
  if (failed()) return 0;
  if (text == "principal") return make_.variable(Op::principal, since(first.offset));
  if (text == "action") return make_.variable(Op::action, since(first.offset));
  if (text == "resource") return make_.variable(Op::resource, since(first.offset));
  if (text == "context") return make_.variable(Op::context, since(first.offset));
  fail_at(first.offset, fmt::format("'{}' is not a variable (variables are principal, action, "
                                    "resource and context; a text needs quotes)",
                                    text));
  return 0;
}

NodeId Parser::function(std::string_view called, std::uint32_t begin) {
  const std::vector<NodeId> items = arguments(")");
  const FnInfo* const info = find_fn(called);
  const bool own_method = std::ranges::find(methods, called, &Method::name) != std::end(methods);
  if (own_method || (info != nullptr && info->method)) {
    fail_at(begin, fmt::format("'{}' is a method, not a function: x.{}(...)", called, called));
    return 0;
  }
  if (info == nullptr) {
    fail_at(begin, fmt::format("'{}' is not a function (functions are ip, decimal, datetime and "
                               "duration)",
                               called));
    return 0;
  }
  return failed() ? 0 : make_.call(info->fn, items, since(begin));
}

NodeId Parser::set_literal(std::uint32_t begin) {
  const std::vector<NodeId> items = arguments("]");
  return failed() ? 0 : make_.set(items, since(begin));
}

NodeId Parser::record_literal(std::uint32_t begin) {
  std::vector<NodeBuilder::Entry> entries;
  std::set<std::string_view> seen;
  while (!failed() && !peek().is("}")) {
    const std::uint32_t key_offset = peek().offset;
    const std::string_view key = make_.text(
        peek().kind == Token::Kind::string ? string_literal() : std::string(attribute_name()));
    if (!seen.insert(key).second) {
      fail_at(key_offset, fmt::format("key {} is given twice", quoted(key)));
    }
    expect(":");
    entries.push_back({key, expression()});
    if (!take(",")) break;
  }
  expect("}");
  return failed() ? 0 : make_.record(std::move(entries), since(begin));
}

NodeId Parser::number(std::string_view digits, bool negative, std::uint32_t begin) {
  const auto value =
      parse_number<std::int64_t>(negative ? "-" + std::string(digits) : std::string(digits));
  if (!value) {
    fail_at(begin, fmt::format("integer {} does not fit in 64 bits", digits));
    return 0;
  }
  return make_.literal(Value::number(*value), since(begin));
}

std::string Parser::path() {
  std::string text = open_path();
  if (path_is_open_) fail_at(peek().offset, "a name is expected after '::', not an entity");
  return text;
}

/// A path that may end with `::`, as before the id of an entity.
std::string Parser::open_path() {
  std::string text;
  path_is_open_ = false;
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
    path_is_open_ = peek().kind == Token::Kind::string || peek().is("{");
    if (path_is_open_) return text;
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

}  // namespace sallyport::cedar

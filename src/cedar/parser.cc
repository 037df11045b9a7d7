#include "cedar/parser.h"

#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "cedar/parser_impl.h"
#include "cedar/source.h"

namespace sallyport::cedar {
namespace {

constexpr std::string_view templates_hint =
    "templates are not supported yet; write the entity itself";

std::string_view describe(const Token& token) {
  return token.kind == Token::Kind::end ? std::string_view("the end of the text") : token.text;
}

bool is_action_type(std::string_view type) {
  return type == "Action" || type.ends_with("::Action");
}

}  // namespace

const std::string* Policy::annotation(std::string_view name) const {
  const auto at = std::ranges::find(annotations, name, &Annotation::name);
  return at == annotations.end() ? nullptr : &at->value;
}

const Token& Parser::peek(std::size_t ahead) const {
  if (failed()) return tokens_.back();
  return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
}

Token Parser::next() {
  const Token token = peek();
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool Parser::take(std::string_view symbol) {
  if (!peek().is(symbol)) return false;
  next();
  return true;
}

bool Parser::take_word(std::string_view word) {
  if (!peek().is_word(word)) return false;
  next();
  return true;
}

void Parser::expect(std::string_view symbol) {
  if (!take(symbol)) unexpected("'" + std::string(symbol) + "'");
}

void Parser::fail_at(std::uint32_t offset, std::string message) {
  if (!failed()) error_ = SyntaxError{offset, std::move(message)};
}

void Parser::unexpected(std::string_view wanted) {
  const Token& token = peek();
  if (token.is("=")) return fail_at(token.offset, "'=' is not an operator (hint: use ==)");
  const std::string_view quote = token.kind == Token::Kind::end ? "" : "'";
  fail_at(token.offset,
          fmt::format("expected {}, found {}{}{}", wanted, quote, describe(token), quote));
}

std::expected<std::vector<Policy>, SyntaxError> Parser::policies() {
  std::vector<Policy> list;
  while (!failed() && peek().kind != Token::Kind::end) {
    if (list.size() >= policies_max) {
      fail_at(peek().offset, fmt::format("more than {} policies", policies_max));
      break;
    }
    list.push_back(policy());
  }
  if (failed()) return std::unexpected(*error_);
  return list;
}

Policy Parser::policy() {
  Policy policy;
  policy.annotations = annotations();
  policy.line = peek().offset;  // made a line and a column by the caller, who has the text
  if (take_word("forbid")) {
    policy.effect = Effect::forbid;
  } else if (!take_word("permit")) {
    unexpected("permit or forbid");
  }
  head(policy);
  policy.condition = conditions();
  if (!peek().is(";")) {
    unexpected("when, unless or ';'");
  }
  next();
  return policy;
}

std::vector<Annotation> Parser::annotations() {
  std::vector<Annotation> list;
  while (peek().is("@")) {
    const std::uint32_t offset = next().offset;
    if (peek().kind != Token::Kind::identifier) unexpected("the name of an annotation");
    Annotation annotation{std::string(next().text), {}};
    if (take("(")) {
      annotation.value = string_literal();
      expect(")");
    }
    if (holds(list, annotation.name, &Annotation::name)) {
      fail_at(offset, "annotation @" + annotation.name + " is given twice");
    }
    list.push_back(std::move(annotation));
  }
  return list;
}

void Parser::head(Policy& policy) {
  expect("(");
  scope_variable("principal");
  policy.principal = scope("principal");
  expect(",");
  scope_variable("action");
  policy.action = action_scope();
  expect(",");
  scope_variable("resource");
  policy.resource = scope("resource");
  take(",");
  expect(")");
}

void Parser::scope_variable(std::string_view name) {
  if (take_word(name)) {
    if (peek().is(":")) {
      fail_at(peek().offset,
              "a type is not given with ':' (hint: use " + std::string(name) + " is Type)");
    }
    return;
  }
  unexpected("the variable " + std::string(name) +
             " (a policy's head is principal, action, resource)");
}

void Parser::refuse_slot() {
  if (peek().is("?")) fail_at(peek().offset, std::string(templates_hint));
}

Scope Parser::scope(std::string_view variable) {
  Scope scope;
  if (take("==")) {
    scope.kind = Scope::Kind::equal;
    scope.entity = scope_uid();
  } else if (take_word("in")) {
    scope.kind = Scope::Kind::in;
    scope.entity = scope_uid();
  } else if (take_word("is")) {
    refuse_slot();
    scope.kind = Scope::Kind::is;
    scope.type = program_.names.at(name(path()));
    if (peek().is("==")) fail_at(peek().offset, "`is` cannot be used together with ==");
    if (take_word("in")) {
      scope.kind = Scope::Kind::is_in;
      scope.entity = scope_uid();
    }
  } else if (!peek().is(",") && !peek().is(")")) {
    unexpected("==, in, is or the next part after " + std::string(variable));
  }
  return scope;
}

const EntityUid* Parser::scope_uid() {
  refuse_slot();
  if (peek().is("[")) {
    fail_at(peek().offset,
            "principal and resource take one entity, not a list (hint: write one policy for "
            "each, or use `in` in a condition)");
  }
  const std::string type = path();
  if (peek().kind != Token::Kind::string) unexpected("an entity such as User::\"alice\"");
  return uid(type, string_literal());
}

const EntityUid* Parser::action_uid() {
  const std::uint32_t offset = peek().offset;
  const EntityUid* const entity = scope_uid();
  if (!failed() && !is_action_type(entity->type)) {
    fail_at(offset, "expected an entity of type Action, found " + entity->to_string());
  }
  return entity;
}

ActionScope Parser::action_scope() {
  ActionScope scope;
  if (take("==")) {
    scope.kind = ActionScope::Kind::equal;
    scope.entities.push_back(action_uid());
  } else if (take_word("in")) {
    scope.kind = ActionScope::Kind::in;
    if (!take("[")) {
      scope.entities.push_back(action_uid());
      return scope;
    }
    while (!failed() && !peek().is("]")) {
      scope.entities.push_back(action_uid());
      if (!take(",")) break;
    }
    expect("]");
  } else if (peek().is_word("is")) {
    fail_at(peek().offset, "`is` cannot be used with action");
  }
  return scope;
}

std::optional<NodeId> Parser::conditions() {
  std::vector<NodeId> list;
  const std::uint32_t offset = peek().offset;
  while (peek().is_word("when") || peek().is_word("unless")) {
    const Token keyword = next();
    expect("{");
    if (peek().is("}")) fail_at(peek().offset, "this condition is empty");
    const NodeId condition = expression();
    expect("}");
    const bool unless = keyword.text == "unless";
    list.push_back(unless ? add_unary(Op::negate_bool, condition, keyword.offset) : condition);
  }
  if (list.empty()) return std::nullopt;
  // One condition too becomes an `all`, which checks that it is a bool.
  return add_list(Op::all, list, offset);
}

Result<void> parse_policies(std::string_view file, std::string_view text, Ids ids, Program& program,
                            std::vector<Policy>& policies) {
  if (text.size() > policy_bytes_max) {
    return fail(Errc::too_large, fmt::format("{}: larger than {} bytes", file, policy_bytes_max));
  }
  if (!is_utf8(text)) return fail(Errc::malformed, fmt::format("{}: not UTF-8", file));
  const auto located_error = [&](const SyntaxError& error) {
    return fail(Errc::malformed, located(file, text, error.offset, error.message));
  };
  auto tokens = lex(text);
  if (!tokens) return located_error(tokens.error());
  auto parsed = Parser(std::move(*tokens), program).policies();
  if (!parsed) return located_error(parsed.error());

  std::set<std::string> used;
  for (const Policy& policy : policies) used.insert(policy.id);
  for (Policy& policy : *parsed) {
    const std::uint32_t offset = policy.line;
    const Position at = position_of(text, offset);
    policy.file = file;
    policy.line = at.line;
    policy.column = at.column;
    const std::string* const id = policy.annotation("id");
    policy.id = ids == Ids::from_annotation && id != nullptr
                    ? *id
                    : "policy" + std::to_string(policies.size());
    if (!used.insert(policy.id).second) {
      return fail(Errc::malformed,
                  located(file, text, offset, "policy id " + quoted(policy.id) + " is used twice"));
    }
    policies.push_back(std::move(policy));
  }
  if (policies.size() > policies_max) {
    return fail(Errc::too_large, fmt::format("{}: more than {} policies", file, policies_max));
  }
  return ok();
}

Result<UidText> parse_uid(std::string_view text) {
  const auto bad = [&] {
    return fail(Errc::malformed, quoted(text) + " is no entity (hint: Type::\"id\")");
  };
  auto tokens = lex(text);
  if (!tokens || !is_utf8(text)) return bad();
  UidText uid;
  std::size_t at = 0;
  for (; (*tokens)[at].kind == Token::Kind::identifier && (*tokens)[at + 1].is("::"); at += 2) {
    if (!uid.type.empty()) uid.type += "::";
    uid.type += (*tokens)[at].text;
  }
  if (uid.type.empty() || (*tokens)[at].kind != Token::Kind::string ||
      (*tokens)[at + 1].kind != Token::Kind::end) {
    return bad();
  }
  auto id = unescape((*tokens)[at]);
  if (!id) return bad();
  uid.id = std::move(*id);
  return uid;
}

}  // namespace sallyport::cedar

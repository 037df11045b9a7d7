#include "cedar/parser.h"

#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "cedar/parser_impl.h"
#include "cedar/schema.h"
#include "cedar/source.h"

namespace sallyport::cedar {
namespace {

std::string_view describe(const Token& token) {
  return token.kind == Token::Kind::end ? std::string_view("the end of the text") : token.text;
}

/// As far as the word or symbol at the error goes.
Span span_of(const SyntaxError& error, const std::vector<Token>& tokens) {
  const auto at = std::ranges::lower_bound(tokens, error.offset, {}, &Token::offset);
  if (at == tokens.end() || at->offset != error.offset) return {error.offset, error.offset + 1};
  return {at->offset, at->end()};
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
  read_to_ = token.end();
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
  if (error_) return std::unexpected(*error_);
  if (make_.error()) return std::unexpected(*make_.error());
  return list;
}

Policy Parser::policy() {
  Policy policy;
  policy.annotations = annotations();
  const std::uint32_t begin = peek().offset;
  if (take_word("forbid")) {
    policy.effect = Effect::forbid;
  } else if (!take_word("permit")) {
    unexpected("permit or forbid");
  }
  head(policy);
  const std::uint32_t conditions = peek().offset;
  policy.clauses = clauses();
  if (!failed()) policy.condition = make_.condition(policy.clauses, since(conditions));
  if (!peek().is(";")) {
    unexpected("when, unless or ';'");
  }
  next();
  policy.span = since(begin);
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
    annotation.at = since(offset);
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

Scope Parser::scope(std::string_view variable) {
  Scope scope;
  if (take("==")) {
    scope.kind = Scope::Kind::equal;
    scope_entity(variable, scope);
  } else if (take_word("in")) {
    scope.kind = Scope::Kind::in;
    scope_entity(variable, scope);
  } else if (take_word("is")) {
    if (peek().is("?")) fail_at(peek().offset, "a slot stands for an entity, not for a type");
    scope.kind = Scope::Kind::is;
    const std::uint32_t begin = peek().offset;
    const std::string type = path();
    scope.type = make_.name(type);
    scope.type_at = since(begin);
    if (peek().is("==")) fail_at(peek().offset, "`is` cannot be used together with ==");
    if (take_word("in")) {
      scope.kind = Scope::Kind::is_in;
      scope_entity(variable, scope);
    }
  } else if (!peek().is(",") && !peek().is(")")) {
    unexpected("==, in, is or the next part after " + std::string(variable));
  }
  return scope;
}

/// An entity, or the slot ?variable.
void Parser::scope_entity(std::string_view variable, Scope& scope) {
  const Token first = peek();
  if (first.is("[")) {
    fail_at(first.offset,
            "principal and resource take one entity, not a list (hint: write one policy for "
            "each, or use `in` in a condition)");
  }
  if (take("?")) {
    const Token name = peek();
    if (!name.is_word(variable) || name.offset != first.end()) {
      fail_at(first.offset, fmt::format("the slot here is ?{}", variable));
    }
    next();
    scope.slot = true;
  } else {
    scope.entity = uid();
  }
  scope.entity_at = since(first.offset);
}

const EntityUid* Parser::uid() {
  const std::string type = open_path();
  if (!path_is_open_) unexpected("an entity such as User::\"alice\"");
  const std::string id = string_literal();
  return make_.uid(type, id);
}

void Parser::action_uid(ActionScope& scope) {
  const Token first = peek();
  if (first.is("?")) fail_at(first.offset, "an action cannot be a slot");
  const EntityUid* const entity = uid();
  if (!failed() && !is_action_type(entity->type)) {
    fail_at(first.offset, "expected an entity of type Action, found " + entity->to_string());
  }
  scope.entities.push_back(entity);
  scope.entities_at.push_back(since(first.offset));
}

ActionScope Parser::action_scope() {
  ActionScope scope;
  if (take("==")) {
    scope.kind = ActionScope::Kind::equal;
    action_uid(scope);
  } else if (take_word("in")) {
    scope.kind = ActionScope::Kind::in;
    scope.list = take("[");
    if (!scope.list) {
      action_uid(scope);
      return scope;
    }
    while (!failed() && !peek().is("]")) {
      action_uid(scope);
      if (!take(",")) break;
    }
    expect("]");
  } else if (peek().is_word("is")) {
    fail_at(peek().offset, "`is` cannot be used with action");
  }
  return scope;
}

std::vector<Clause> Parser::clauses() {
  std::vector<Clause> list;
  while (peek().is_word("when") || peek().is_word("unless")) {
    const Token keyword = next();
    expect("{");
    if (peek().is("}")) fail_at(peek().offset, "this condition is empty");
    const NodeId condition = expression();
    expect("}");
    list.push_back({keyword.text == "unless", condition});
  }
  return list;
}

Result<void> parse_policies(std::string_view file, std::string_view text, Ids ids, Program& program,
                            std::vector<Policy>& policies) {
  if (text.size() > policy_bytes_max) {
    return fail(Errc::too_large, fmt::format("{}: larger than {} bytes", file, policy_bytes_max));
  }
  if (!is_utf8(text)) return fail(Errc::malformed, fmt::format("{}: not UTF-8", file));
  const auto wrong = [&](const SyntaxError& error, Span span) {
    return fail(Errc::malformed,
                fmt::format("{}\n{}", located(file, text, error.offset, error.message),
                            underlined(text, span)));
  };
  auto tokens = lex(text);
  if (!tokens) return wrong(tokens.error(), {tokens.error().offset, tokens.error().offset + 1});
  auto parsed = Parser(*tokens, program).policies();
  if (!parsed) return wrong(parsed.error(), span_of(parsed.error(), *tokens));

  program.sources.push_back({std::string(file), std::string(text)});
  std::set<std::string> used;
  for (const Policy& policy : policies) used.insert(policy.id);
  LineCounter lines(text);
  for (Policy& policy : *parsed) {
    const Position at = lines.at(policy.span.begin);
    policy.file = file;
    policy.source = static_cast<std::uint32_t>(program.sources.size() - 1);
    policy.line = at.line;
    policy.column = at.column;
    const std::string* const id = policy.annotation("id");
    policy.id = ids == Ids::from_annotation && id != nullptr
                    ? *id
                    : "policy" + std::to_string(policies.size());
    if (!used.insert(policy.id).second) {
      return wrong({policy.span.begin, "policy id " + quoted(policy.id) + " is used twice"},
                   policy.span);
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

#pragma once
// The parser's inside, shared by parser.cc (policies) and parser_expression.cc (conditions).
//
// After the first error every look at the input says `end`, so that each loop and recursion runs
// out by itself, and only the first error is reported.

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cedar/lexer.h"
#include "cedar/parser.h"
#include "cedar/program.h"

namespace sallyport::cedar {

class Parser {
 public:
  Parser(std::vector<Token> tokens, Program& program)
      : tokens_(std::move(tokens)), program_(program) {}

  std::expected<std::vector<Policy>, SyntaxError> policies();

 private:
  // Input.
  const Token& peek(std::size_t ahead = 0) const;
  Token next();
  bool take(std::string_view symbol);
  bool take_word(std::string_view word);
  void expect(std::string_view symbol);
  void fail_at(std::uint32_t offset, std::string message);
  void unexpected(std::string_view wanted);
  bool failed() const { return error_.has_value(); }

  // Policies.
  Policy policy();
  std::vector<Annotation> annotations();
  void head(Policy& policy);
  void scope_variable(std::string_view name);
  Scope scope(std::string_view variable);
  ActionScope action_scope();
  const EntityUid* action_uid();
  const EntityUid* scope_uid();
  void refuse_slot();
  std::optional<NodeId> conditions();

  // Conditions, loosest binding first.
  NodeId expression();
  NodeId or_expression();
  NodeId and_expression();
  NodeId relation();
  NodeId has_relation(NodeId left, std::uint32_t offset);
  NodeId like_relation(NodeId left, std::uint32_t offset);
  NodeId is_relation(NodeId left, std::uint32_t offset);
  NodeId sum();
  NodeId product();
  NodeId unary();
  NodeId member();
  NodeId method(NodeId on, const Token& name);
  NodeId primary();
  NodeId word();
  NodeId path_or_variable();
  NodeId function(std::string_view name, std::uint32_t offset);
  NodeId set_literal();
  NodeId record_literal();
  std::vector<NodeId> arguments(std::string_view close);

  // Words.
  std::string path();
  std::string string_literal();
  std::string_view attribute_name();

  // Making nodes.
  NodeId add(Node node, std::uint32_t offset);
  NodeId add_unary(Op op, NodeId a, std::uint32_t offset, std::uint32_t b = 0);
  NodeId add_binary(Op op, NodeId a, NodeId b, std::uint32_t offset);
  NodeId add_list(Op op, const std::vector<NodeId>& items, std::uint32_t offset, Fn fn = Fn::ip);
  NodeId add_literal(Value value, std::uint32_t offset);
  NodeId add_number(std::string_view digits, bool negative, std::uint32_t offset);
  std::optional<Value> literal_of(NodeId node) const;
  std::uint32_t name(std::string_view text);
  const EntityUid* uid(std::string_view type, std::string_view id);

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::uint32_t nesting_ = 0;
  std::optional<SyntaxError> error_;
  Program& program_;
  std::unordered_map<std::string, std::uint32_t> names_;
};

}  // namespace sallyport::cedar

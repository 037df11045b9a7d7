#pragma once
// The parser's inside, shared by parser.cc (policies) and parser_expression.cc (conditions).
//
// After the first error every look at the input says `end`, so that each loop and recursion runs
// out by itself, and only the first error is reported.

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cedar/builder.h"
#include "cedar/lexer.h"
#include "cedar/parser.h"
#include "cedar/program.h"

namespace sallyport::cedar {

class Parser {
 public:
  Parser(std::vector<Token> tokens, Program& program)
      : tokens_(std::move(tokens)), program_(program), make_(program) {}

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
  bool failed() const { return error_.has_value() || make_.error().has_value(); }
  /// From `begin` to the end of what was read last.
  Span since(std::uint32_t begin) const { return {begin, std::max(begin, read_to_)}; }

  // Policies.
  Policy policy();
  std::vector<Annotation> annotations();
  void head(Policy& policy);
  void scope_variable(std::string_view name);
  Scope scope(std::string_view variable);
  ActionScope action_scope();
  void action_uid(ActionScope& scope);
  const EntityUid* uid();
  void scope_entity(std::string_view variable, Scope& scope);
  std::vector<Clause> clauses();

  // Conditions, loosest binding first.
  NodeId expression();
  NodeId or_expression();
  NodeId and_expression();
  NodeId relation();
  NodeId has_relation(NodeId left, std::uint32_t begin);
  NodeId like_relation(NodeId left, std::uint32_t begin);
  NodeId is_relation(NodeId left, std::uint32_t begin);
  NodeId sum();
  NodeId product();
  NodeId unary();
  NodeId member();
  NodeId method(NodeId on, const Token& name, std::uint32_t begin);
  NodeId primary();
  NodeId word();
  NodeId path_or_variable();
  NodeId function(std::string_view name, std::uint32_t begin);
  NodeId set_literal(std::uint32_t begin);
  NodeId record_literal(std::uint32_t begin);
  NodeId number(std::string_view digits, bool negative, std::uint32_t begin);
  std::vector<NodeId> arguments(std::string_view close);

  // Words.
  std::string path();
  std::string open_path();
  std::string string_literal();
  std::string_view attribute_name();

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::uint32_t read_to_ = 0;
  std::uint32_t nesting_ = 0;
  bool path_is_open_ = false;  // the last one ended with '::'
  std::optional<SyntaxError> error_;
  Program& program_;
  NodeBuilder make_;
};

}  // namespace sallyport::cedar

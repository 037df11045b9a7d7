#pragma once
// Makes the nodes of a Program: shared by the readers of policies as text and as JSON. Inside of
// this room only.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cedar/program.h"

namespace sallyport::cedar {

constexpr std::uint16_t tree_depth_max = 1'000;  // of a compiled condition
/// Nodes of a condition, those counted twice that are looked at twice: `x has a.b` asks for x
/// twice.
constexpr std::uint32_t tree_size_max = 2'000'000;

class NodeBuilder {
 public:
  explicit NodeBuilder(Program& program)
      : program_(program), first_(static_cast<NodeId>(program.nodes.size())) {}

  /// A tree that is too deep or too large; the nodes made after it are of no use.
  const std::optional<SyntaxError>& error() const { return error_; }

  NodeId variable(Op op, Span span) { return add({.op = op}, span); }
  NodeId literal(Value value, Span span);
  NodeId unary(Op op, NodeId a, Span span);
  NodeId binary(Op op, NodeId a, NodeId b, Span span);
  NodeId choose(NodeId condition, NodeId yes, NodeId no, Span span);
  /// `all` or `any` of the items; one item stands for itself.
  NodeId junction(Op op, const std::vector<NodeId>& items, Span span);
  NodeId attribute(NodeId on, std::string_view name, Span span);
  /// `on has a.b.c`
  NodeId has(NodeId on, const std::vector<std::string>& path, Span span);
  NodeId like(NodeId on, std::vector<PatternPart> pattern, Span span);
  NodeId is(NodeId on, std::string_view type, Span span);
  /// `on is type in above`
  NodeId is_in(NodeId on, std::string_view type, NodeId above, Span span);
  NodeId set(const std::vector<NodeId>& items, Span span);
  struct Entry {
    std::string_view name;  // outlives the program
    NodeId node = 0;
  };
  NodeId record(std::vector<Entry> entries, Span span);
  NodeId call(Fn fn, const std::vector<NodeId>& arguments, Span span);
  /// What a policy is conditional on, or nothing.
  std::optional<NodeId> condition(const std::vector<Clause>& clauses, Span span);

  Name name(std::string_view text);
  const EntityUid* uid(std::string_view type, std::string_view id) {
    return program_.arena->uid(type, id);
  }
  std::string_view text(std::string_view text) { return program_.arena->text(text); }
  Arena& arena() { return *program_.arena; }

 private:
  NodeId add(Node node, Span span);
  NodeId add_list(Node node, const std::vector<NodeId>& items, Span span);
  std::uint32_t name_number(std::string_view text);
  /// Its value, if it has the same one always.
  std::optional<Value> constant(NodeId node) const;
  std::uint32_t keep(Value value);
  void measure(Node& node, Span span);

  Program& program_;
  std::unordered_map<std::string, std::uint32_t> names_;
  std::vector<std::uint32_t> sizes_;  // of the tree below each node, itself included
  NodeId first_ = 0;                  // of the nodes that were made here
  std::optional<SyntaxError> error_;
};

}  // namespace sallyport::cedar

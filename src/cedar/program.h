#pragma once
// A policy's conditions compiled to a flat tree: nodes in one array, children by index. Immutable
// once parsed, so any number of threads may evaluate it at once.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cedar/extension.h"
#include "cedar/lexer.h"
#include "cedar/source.h"
#include "cedar/value.h"

namespace sallyport::cedar {

enum class Op : std::uint8_t {
  literal,  // a: literal
  principal,
  action,
  resource,
  context,
  all,
  any,     // && and ||: a: first child, b: count; c: how it was written
  choose,  // if a then b else c
  negate_bool,
  negate_number,  // a
  equal,
  unequal,
  less,
  less_equal,
  greater,
  greater_equal,
  in,
  add,
  subtract,
  multiply,  // a, b
  contains,
  contains_all,
  contains_any,
  get_tag,
  has_tag,   // a, b
  is_empty,  // a
  attribute,
  has,     // a, b: name
  like,    // a, b: pattern
  is,      // a, b: name of the type
  set,     // a: first child, b: count; c: 1 + the literal it always is, or 0
  record,  // a: first child, b: count; c: first field name
  call,    // fn, a: first child, b: count; c as of a set
};

/// What an `all` was, before it was taken apart.
enum class Written : std::uint32_t { conjunction, has_path, is_in };

/// Whether a node of that kind has one child, `a`.
inline bool is_unary(Op op) {
  return op == Op::negate_bool || op == Op::negate_number || op == Op::is_empty ||
         op == Op::attribute || op == Op::has || op == Op::like || op == Op::is;
}

using NodeId = std::uint32_t;

struct Node {
  Op op = Op::literal;
  Fn fn = Fn::ip;
  std::uint16_t depth = 1;  // of the tree below; bounded, since evaluation recurses
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  std::uint32_t c = 0;
};

struct Name {
  std::string_view text;
  std::uint64_t hash = 0;
};

/// A text and the name it is known by in messages.
struct PolicyText {
  std::string file;
  std::string text;
};

struct Program {
  /// Calls `use` with each child of a node.
  template <class Use>
  void each_child(const Node& node, Use use) const {
    switch (node.op) {
      case Op::literal:
      case Op::principal:
      case Op::action:
      case Op::resource:
      case Op::context:
        return;
      case Op::all:
      case Op::any:
      case Op::set:
      case Op::record:
      case Op::call:
        for (std::uint32_t i = 0; i < node.b; ++i) use(children[node.a + i]);
        return;
      case Op::choose:
        use(node.a);
        use(node.b);
        use(node.c);
        return;
      default:
        use(node.a);
        if (!is_unary(node.op)) use(node.b);
    }
  }

  std::vector<Node> nodes;
  std::vector<Span> spans;  // of each node in its policy's source, for messages
  std::vector<NodeId> children;
  std::vector<Value> literals;
  std::vector<Name> names;
  std::vector<std::vector<PatternPart>> patterns;
  std::vector<PolicyText> sources;
  std::unique_ptr<Arena> arena = std::make_unique<Arena>();  // what literals and names point to
};

/// What a policy's head says of its principal or resource.
struct Scope {
  enum class Kind : std::uint8_t { any, equal, in, is, is_in };
  Kind kind = Kind::any;
  bool slot = false;                  // of a template: ?principal or ?resource is the entity
  bool linked = false;                // the entity was such a slot
  const EntityUid* entity = nullptr;  // equal, in, is_in, unless it is a slot
  Name type;                          // is, is_in
  Span entity_at;
  Span type_at;
};

struct ActionScope {
  enum class Kind : std::uint8_t { any, equal, in };
  Kind kind = Kind::any;
  std::vector<const EntityUid*> entities;  // in: any of them
  std::vector<Span> entities_at;
  bool list = false;  // written in brackets
};

enum class Effect : std::uint8_t { permit, forbid };

struct Annotation {
  std::string name;
  std::string value;
  Span at = {};  // from the @ on; empty where the policy was JSON
};

/// A `when` or an `unless`.
struct Clause {
  bool unless = false;
  NodeId body = 0;
};

/// A policy, or a template: a policy whose head has slots that a link fills.
struct Policy {
  std::string id;
  Effect effect = Effect::permit;
  Scope principal;
  ActionScope action;
  Scope resource;
  std::optional<NodeId> condition;  // an `all` of the clauses
  std::vector<Clause> clauses;
  std::vector<Annotation> annotations;
  std::string template_id;  // of a policy that was linked
  std::string file;
  std::uint32_t source = 0;  // in Program::sources
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  Span span;  // from the effect to the semicolon

  bool is_template() const { return principal.slot || resource.slot; }
  /// The annotation's value, or null.
  const std::string* annotation(std::string_view name) const;
};

}  // namespace sallyport::cedar

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
#include "cedar/value.h"

namespace sallyport::cedar {

enum class Op : std::uint8_t {
  literal,  // a: literal
  principal,
  action,
  resource,
  context,
  all,
  any,     // && and ||: a: first child, b: count
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
  set,     // a: first child, b: count
  record,  // a: first child, b: count; c: first field name
  call,    // fn, a: first child, b: count
};

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

struct Program {
  std::vector<Node> nodes;
  std::vector<std::uint32_t> offsets;  // of each node in its source, for messages
  std::vector<NodeId> children;
  std::vector<Value> literals;
  std::vector<Name> names;
  std::vector<std::vector<PatternPart>> patterns;
  std::unique_ptr<Arena> arena = std::make_unique<Arena>();  // what literals and names point to
};

/// What a policy's head says of its principal or resource.
struct Scope {
  enum class Kind : std::uint8_t { any, equal, in, is, is_in };
  Kind kind = Kind::any;
  const EntityUid* entity = nullptr;  // equal, in, is_in
  Name type;                          // is, is_in
};

struct ActionScope {
  enum class Kind : std::uint8_t { any, equal, in };
  Kind kind = Kind::any;
  std::vector<const EntityUid*> entities;  // in: any of them
};

enum class Effect : std::uint8_t { permit, forbid };

struct Annotation {
  std::string name;
  std::string value;
};

struct Policy {
  std::string id;
  Effect effect = Effect::permit;
  Scope principal;
  ActionScope action;
  Scope resource;
  std::optional<NodeId> condition;
  std::vector<Annotation> annotations;
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  /// The annotation's value, or null.
  const std::string* annotation(std::string_view name) const;
};

}  // namespace sallyport::cedar

#pragma once
// What type an expression has in one kind of request, and what is wrong with it. Inside of this
// room only.

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cedar/program.h"
#include "cedar/schema.h"
#include "cedar/shapes.h"
#include "cedar/types.h"

namespace sallyport::cedar {

/// A kind of request: an action, and types of what it may be asked for. The slots' types are of a
/// template's links.
struct RequestKind {
  std::string_view principal;
  const ActionType* action = nullptr;
  std::string_view resource;
  std::string_view principal_slot;
  std::string_view resource_slot;
};

struct TypeProblem {
  Span at;
  std::string message;
  std::string hint;
};

/// How a policy fares in one kind of request.
enum class Fit : std::uint8_t { fits, never_applies, wrong };

class Typechecker {
 public:
  Typechecker(const Program& program, const Schema& schema)
      : program_(program), schema_(schema), shapes_(program) {}

  /// Adds to `problems`. An outcome `wrong` without a problem is one that the checks of names find.
  Fit check(const Policy& policy, const RequestKind& request, std::vector<TypeProblem>& problems);

 private:
  /// "x has a" was true, or "x.hasTag(t)".
  struct Capability {
    std::uint32_t on = 0;    // the shape of x
    std::uint32_t what = 0;  // of the attribute's name or the tag
    bool tag = false;
    auto operator<=>(const Capability&) const = default;
  };
  using Capabilities = std::vector<Capability>;  // sorted

  struct Answer {
    const Type* type = nullptr;  // null: not known
    bool ok = true;
    Capabilities learned = {};  // where the expression is true
  };

  // Heads.
  Answer scope(const Scope& scope, std::string_view variable, std::string_view slot);
  Answer action_scope(const ActionScope& scope);
  Answer literal_type(const EntityUid& uid);

  // Expressions, under what is known to be there.
  Answer expression(NodeId id, const Capabilities& prior);
  Answer literal(const Value& value);
  Answer negate(NodeId id, const Capabilities& prior);
  Answer choose(NodeId id, const Capabilities& prior);
  Answer junction(NodeId id, const Capabilities& prior);
  Answer both(Answer left, Answer right);
  Answer either(Answer left, Answer right);
  Answer equality(NodeId id, const Capabilities& prior);
  Answer order(NodeId id, const Capabilities& prior);
  Answer arithmetic(NodeId id, const Capabilities& prior);
  Answer in(NodeId id, const Capabilities& prior);
  Answer in_literals(const EntityUid& action, const std::vector<const EntityUid*>& entities);
  Answer of_set(NodeId id, const Capabilities& prior);
  Answer has_tag(NodeId id, const Capabilities& prior);
  Answer get_tag(NodeId id, const Capabilities& prior);
  Answer attribute(NodeId id, const Capabilities& prior);
  Answer has(NodeId id, const Capabilities& prior);
  Answer like(NodeId id, const Capabilities& prior);
  Answer is(NodeId id, const Capabilities& prior);
  Answer set(NodeId id, const Capabilities& prior);
  Answer record(NodeId id, const Capabilities& prior);
  Answer call(NodeId id, const Capabilities& prior);
  bool call_makes_sense(NodeId id);

  /// The child's answer if its type is wanted, else a problem and an unknown type.
  template <class Fits>
  Answer expect(NodeId id, const Capabilities& prior, Fits fits, std::string_view wanted,
                std::string_view (*hint)(const Type&) = nullptr);
  Answer expect_kind(NodeId id, const Capabilities& prior, Kind kind,
                     std::string_view (*hint)(const Type&) = nullptr);
  Answer expect_entity_or_record(NodeId id, const Capabilities& prior);
  bool joinable(const Type* a, const Type* b, Span at, std::string_view what);

  /// The literal a node is, `action` being the request's.
  std::optional<Value> constant(NodeId id) const;
  const EntityUid* constant_entity(NodeId id) const;
  const Attribute* attribute_of(const Type& type, std::string_view name) const;
  Span name_span(NodeId id) const;
  std::vector<std::string_view> attribute_names(const Type& type) const;

  const Type* boolean(bool known) const;
  const Type* any_boolean() const;
  const Type* plain(Kind kind) const;
  const Type* entity_type(std::string_view name);
  const Type* keep(Type type);

  void problem(Span at, std::string message, std::string hint = {});

  static Capabilities merged(const Capabilities& a, const Capabilities& b);
  static Capabilities common(const Capabilities& a, const Capabilities& b);
  static bool contains(const Capabilities& set, const Capability& one);

  const Program& program_;
  const Schema& schema_;
  Shapes shapes_;
  const RequestKind* request_ = nullptr;
  EntityUid action_;
  std::vector<TypeProblem>* problems_ = nullptr;
  std::map<std::string, Type, std::less<>> entity_types_;
  std::deque<Type> made_;  // of one check
};

}  // namespace sallyport::cedar

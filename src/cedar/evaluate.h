#pragma once
// Evaluates one condition for one request. Total: it always ends, and its work is bounded by the
// size of the condition and of the values it sees.

#include <string>

#include "cedar/entities.h"
#include "cedar/policy_index.h"
#include "cedar/program.h"
#include "cedar/value.h"

namespace sallyport::cedar {

/// One question. All it points to must outlive the answer's evaluation.
struct Request {
  const EntityUid* principal = nullptr;
  const EntityUid* action = nullptr;
  const EntityUid* resource = nullptr;
  Value context;  // a record
};

class Evaluator {
 public:
  /// Values made on the way live in `arena`. `known` are the request's own entities.
  Evaluator(const Program& program, const Entities& entities, const Request& request,
            const KnownEntities& known, Arena& arena)
      : program_(program), entities_(entities), request_(request), known_(known), arena_(arena) {}

  /// The node's value, or one of kind none: then `error` says why.
  Value evaluate(NodeId node);
  const std::string& error() const { return error_; }
  /// The node that failed; its place is in the program.
  NodeId failed_node() const { return failed_node_; }

 private:
  Value junction(const Node& node, NodeId id);
  Value compare_order(const Node& node, NodeId id);
  Value arithmetic(const Node& node, NodeId id);
  Value member_of(const Node& node, NodeId id);
  Value of_set(const Node& node, NodeId id);
  Value tag(const Node& node, NodeId id);
  Value attribute(const Node& node, NodeId id);
  Value has(const Node& node, NodeId id);
  Value negate(const Node& node, NodeId id);
  Value like(const Node& node, NodeId id);
  Value is(const Node& node, NodeId id);
  Value set(const Node& node);
  Value record(const Node& node);
  Value call_function(const Node& node, NodeId id);

  const Entity* find(const EntityUid& uid) const;
  bool is_in(const EntityUid& uid, const EntityUid& ancestor) const;

  /// The child's value if it is of that kind, else a failure.
  Value wanted(NodeId child, Kind kind);
  Value fail_at(NodeId node, std::string why);
  Value type_error(NodeId node, std::string_view wanted, Kind found);

  const Program& program_;
  const Entities& entities_;
  const Request& request_;
  const KnownEntities& known_;
  Arena& arena_;
  std::string error_;
  NodeId failed_node_ = 0;
};

}  // namespace sallyport::cedar

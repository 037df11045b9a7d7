#include "cedar/context_paths.h"

#include <algorithm>

namespace sallyport::cedar {
namespace {

class Walk {
 public:
  explicit Walk(const Program& program) : program_(program) {}

  void visit(NodeId id) {
    const Node& node = program_.nodes[id];
    if (node.op == Op::context) {
      found_.emplace_back();
    } else if (node.op == Op::attribute || node.op == Op::has) {
      follow(node);
    } else {
      program_.each_child(node, [this](NodeId child) { visit(child); });
    }
  }

  std::vector<ContextPath> found() && {
    std::ranges::sort(found_);
    const auto twice = std::ranges::unique(found_);
    found_.erase(twice.begin(), twice.end());
    return std::move(found_);
  }

 private:
  /// A chain of attributes: a path if it starts at the context, else whatever it starts at.
  void follow(const Node& last) {
    ContextPath path{.names = {program_.names[last.b].text}, .presence = last.op == Op::has};
    NodeId id = last.a;
    while (program_.nodes[id].op == Op::attribute) {
      path.names.push_back(program_.names[program_.nodes[id].b].text);
      id = program_.nodes[id].a;
    }
    if (program_.nodes[id].op != Op::context) return visit(id);
    std::ranges::reverse(path.names);
    found_.push_back(std::move(path));
  }

  const Program& program_;
  std::vector<ContextPath> found_;
};

}  // namespace

std::vector<ContextPath> context_paths(const PolicySet& set) {
  Walk walk(set.program());
  for (const Policy& policy : set.policies()) {
    if (policy.condition) walk.visit(*policy.condition);
  }
  return std::move(walk).found();
}

std::vector<ContextPath> context_paths(const PolicySet& set, const Policy& policy) {
  Walk walk(set.program());
  if (policy.condition) walk.visit(*policy.condition);
  return std::move(walk).found();
}

Value value_at(const Value& context, const ContextPath& path) {
  Value value = context;
  for (const std::string_view name : path.names) {
    if (!value.is(Kind::record)) break;
    value = value.field(name);
  }
  return value;
}

}  // namespace sallyport::cedar

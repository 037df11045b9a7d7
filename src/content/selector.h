#pragma once
// Selector: which values of a JSON document are classified as what. It is made once, of paths and
// of schemas, and walked from the root for every document; docs/reference/http-content.md has the
// syntax of paths. What becomes of a classified value is the business of whoever walks.

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sallyport::content {

/// "$.customers[*].email" is classified as these.
struct PathRule {
  std::string path;
  std::vector<std::string> classes;
};

/// Immutable; shared by all workers.
class Selector {
 public:
  using Node = std::uint32_t;
  using Label = std::uint32_t;
  /// Below here nothing is classified.
  static constexpr Node nothing = 0;

  Node root() const { return root_; }
  Node member(Node node, std::string_view name) const;
  Node element(Node node) const { return nodes_[node].element; }
  /// An index into labels(); 0 for what is not classified. An array that is classified passes its
  /// label on to its elements.
  Label label(Node node) const { return nodes_[node].label; }

  /// Sets of classes, each sorted; the first is the empty one.
  std::span<const std::vector<std::string>> labels() const { return labels_; }
  /// All classes that something can be classified as, sorted.
  std::vector<std::string> classes() const;
  bool empty() const { return root_ == nothing; }

 private:
  friend class SelectorBuilder;
  struct Edge {
    std::string name;
    Node to;
  };
  struct Entry {
    Label label = 0;
    Node element = nothing;
    Node other = nothing;  // members that no edge names
    std::uint32_t edges_begin = 0;
    std::uint32_t edges_end = 0;
  };
  Node root_ = nothing;
  std::vector<Entry> nodes_{1};
  std::vector<Edge> edges_;  // of one node: sorted by name
  std::vector<std::vector<std::string>> labels_{1};
};

/// Gathers states that may hold at once (a value can be reached by several paths, and be one of
/// several schemas) and makes one Selector of them.
class SelectorBuilder {
 public:
  using State = std::uint32_t;
  static constexpr State root = 0;

  State add_state();
  void on_member(State from, std::string name, State to);
  enum class Way : std::uint8_t {
    any_member,    // every member, ...
    other_member,  // ... or those that on_member() does not name for this state
    element,
    also,  // what is in `from` is in `to` as well
  };
  void on(Way way, State from, State to);
  void classify(State state, std::span<const std::string> classes);

  /// Fails on a path outside the subset, and says where in it and what is meant instead.
  Result<void> add(const PathRule& rule);

  /// Fails when it becomes too large: the combinations of states have a limit.
  Result<std::shared_ptr<const Selector>> build(State from = root) const;

 private:
  using States = std::set<State>;
  struct Entry {
    std::map<std::string, std::vector<State>, std::less<>> members;
    std::array<std::vector<State>, 4> ways;  // by Way
    std::set<std::string> classes;

    const std::vector<State>& to(Way way) const { return ways[static_cast<std::size_t>(way)]; }
  };
  struct Work;
  const std::vector<bool>& live() const;
  void close(States& states, const std::vector<bool>& live) const;

  std::vector<Entry> entries_{1};
  mutable std::vector<bool> live_;  // empty: not known
};

inline constexpr std::size_t selector_states_max = 100'000;
inline constexpr std::size_t selector_nodes_max = 20'000;
inline constexpr std::size_t path_bytes_max = 1024;

}  // namespace sallyport::content

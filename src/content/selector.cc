#include "content/selector.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "content/json_path.h"

namespace sallyport::content {

Selector::Node Selector::member(Node node, std::string_view name) const {
  const Entry& entry = nodes_[node];
  const std::uint32_t count = entry.edges_end - entry.edges_begin;
  const Edge* const begin = edges_.data() + entry.edges_begin;
  if (count <= 8) {
    for (const Edge* edge = begin; edge != begin + count; ++edge) {
      if (edge->name == name) return edge->to;
    }
    return entry.other;
  }
  const Edge* const edge =
      std::lower_bound(begin, begin + count, name,
                       [](const Edge& a, std::string_view wanted) { return a.name < wanted; });
  return edge != begin + count && edge->name == name ? edge->to : entry.other;
}

std::vector<std::string> Selector::classes() const {
  std::set<std::string> all;
  for (const auto& label : labels_) all.insert(label.begin(), label.end());
  return {all.begin(), all.end()};
}

SelectorBuilder::State SelectorBuilder::add_state() {
  entries_.emplace_back();
  return static_cast<State>(entries_.size() - 1);
}

void SelectorBuilder::on_member(State from, std::string name, State to) {
  live_.clear();
  entries_[from].members[std::move(name)].push_back(to);
}

void SelectorBuilder::on(Way way, State from, State to) {
  live_.clear();
  entries_[from].ways[static_cast<std::size_t>(way)].push_back(to);
}

void SelectorBuilder::classify(State state, std::span<const std::string> classes) {
  live_.clear();
  if (entries_[state].classes.empty() && !classes.empty()) on(Way::element, state, state);
  entries_[state].classes.insert(classes.begin(), classes.end());
}

Result<void> SelectorBuilder::add(const PathRule& rule) {
  auto steps = parse_json_path(rule.path);
  if (!steps) return fail(steps);
  State at = root;
  for (JsonPathStep& step : *steps) {
    if (step.anywhere) {
      const State deep = add_state();
      on(Way::also, at, deep);
      on(Way::any_member, deep, deep);
      on(Way::element, deep, deep);
      at = deep;
    }
    const State next = add_state();
    if (step.name) {
      on_member(at, *std::move(step.name), next);
    } else {
      on(Way::any_member, at, next);
      on(Way::element, at, next);
    }
    at = next;
  }
  classify(at, rule.classes);
  return ok();
}

/// States from which something classified can be reached. The others need not be followed, which is
/// what keeps the combinations few: most of a schema is not classified.
const std::vector<bool>& SelectorBuilder::live() const {
  if (live_.size() == entries_.size()) return live_;
  std::vector<std::vector<State>> back(entries_.size());
  std::vector<bool>& live = live_;
  live.assign(entries_.size(), false);
  std::deque<State> waiting;
  for (State from = 0; from < entries_.size(); ++from) {
    const Entry& entry = entries_[from];
    for (const auto& [name, states] : entry.members) {
      for (const State to : states) back[to].push_back(from);
    }
    for (const auto& states : entry.ways) {
      for (const State to : states) back[to].push_back(from);
    }
    if (!entry.classes.empty()) waiting.push_back(from);
  }
  while (!waiting.empty()) {
    const State at = waiting.front();
    waiting.pop_front();
    if (live[at]) continue;
    live[at] = true;
    waiting.insert(waiting.end(), back[at].begin(), back[at].end());
  }
  return live;
}

void SelectorBuilder::close(States& states, const std::vector<bool>& live) const {
  std::vector<State> waiting(states.begin(), states.end());
  states.clear();
  while (!waiting.empty()) {
    const State at = waiting.back();
    waiting.pop_back();
    if (!live[at] || !states.insert(at).second) continue;
    const auto& also = entries_[at].to(Way::also);
    waiting.insert(waiting.end(), also.begin(), also.end());
  }
}

/// The subset construction: a node for every set of states that can hold at once.
struct SelectorBuilder::Work {
  const SelectorBuilder& builder;
  const std::vector<bool>& live;
  std::map<States, Selector::Node> known;
  std::deque<const States*> waiting;
  std::map<std::vector<std::string>, Selector::Label> labels;
  Selector made;

  static void add(States& states, const std::vector<State>& more) {
    states.insert(more.begin(), more.end());
  }

  Selector::Node node_of(States states) {
    builder.close(states, live);
    if (states.empty()) return Selector::nothing;
    const auto [at, fresh] =
        known.try_emplace(std::move(states), static_cast<Selector::Node>(known.size() + 1));
    if (fresh) waiting.push_back(&at->first);
    return at->second;
  }

  Selector::Label label_of(const States& states) {
    std::set<std::string> classes;
    for (const State state : states) {
      classes.insert(builder.entries_[state].classes.begin(),
                     builder.entries_[state].classes.end());
    }
    if (classes.empty()) return 0;
    const auto [at, fresh] =
        labels.try_emplace(std::vector<std::string>(classes.begin(), classes.end()),
                           static_cast<Selector::Label>(made.labels_.size()));
    if (fresh) made.labels_.push_back(at->first);
    return at->second;
  }

  void expand(const States& states) {
    Selector::Entry node;
    node.label = label_of(states);
    States element;
    States other;
    std::set<std::string_view> names;
    for (const State state : states) {
      const Entry& entry = builder.entries_[state];
      add(element, entry.to(Way::element));
      add(other, entry.to(Way::any_member));
      add(other, entry.to(Way::other_member));
      for (const auto& [name, to] : entry.members) names.insert(name);
    }
    node.element = node_of(std::move(element));
    node.other = node_of(std::move(other));
    node.edges_begin = static_cast<std::uint32_t>(made.edges_.size());
    for (const std::string_view name : names) {
      States to;
      for (const State state : states) {
        const Entry& entry = builder.entries_[state];
        add(to, entry.to(Way::any_member));
        const auto named = entry.members.find(name);
        const auto& more =
            named == entry.members.end() ? entry.to(Way::other_member) : named->second;
        add(to, more);
      }
      const Selector::Node target = node_of(std::move(to));
      if (target != node.other) made.edges_.push_back({std::string(name), target});
    }
    node.edges_end = static_cast<std::uint32_t>(made.edges_.size());
    made.nodes_.push_back(node);
  }
};

Result<std::shared_ptr<const Selector>> SelectorBuilder::build(State from) const {
  if (entries_.size() > selector_states_max) {
    return fail(Errc::too_large,
                fmt::format("more than {} schemas and steps of paths", selector_states_max));
  }
  Work work{.builder = *this, .live = live()};
  work.made.root_ = work.node_of({from});
  while (!work.waiting.empty()) {
    const States& states = *work.waiting.front();
    work.waiting.pop_front();
    if (work.known.size() > selector_nodes_max) {
      return fail(Errc::too_large, fmt::format("its paths and schemas combine in more than {} ways",
                                               selector_nodes_max));
    }
    work.expand(states);
  }
  return std::make_shared<const Selector>(std::move(work.made));
}

}  // namespace sallyport::content

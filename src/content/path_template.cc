#include "content/path_template.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "http/text.h"

namespace sallyport::content {
namespace {

using Relation = PathTemplate::Relation;

/// Whether two texts that begin (or end) as these say can be the same.
bool begin_alike(std::string_view a, std::string_view b) {
  return a.starts_with(b) || b.starts_with(a);
}
bool end_alike(std::string_view a, std::string_view b) {
  return a.ends_with(b) || b.ends_with(a);
}

bool any(const PathSegment& segment) {
  return segment.parameter && segment.prefix.empty() && segment.suffix.empty();
}

/// nullopt: they match the same.
std::optional<Relation> relate(const PathSegment& a, const PathSegment& b) {
  if (a.parameter.has_value() == b.parameter.has_value() && a.prefix == b.prefix &&
      a.suffix == b.suffix) {
    return std::nullopt;
  }
  if (!a.parameter && !b.parameter) return Relation::disjoint;
  if (!a.parameter) return b.matches(a.prefix) ? Relation::more_specific : Relation::disjoint;
  if (!b.parameter) return a.matches(b.prefix) ? Relation::less_specific : Relation::disjoint;
  if (any(b)) return Relation::more_specific;
  if (any(a)) return Relation::less_specific;
  const bool alike = begin_alike(a.prefix, b.prefix) && end_alike(a.suffix, b.suffix);
  return alike ? Relation::ambiguous : Relation::disjoint;
}

Result<PathSegment> parse_segment(std::string_view text) {
  const auto wrong = [](std::string_view what) { return fail(Errc::invalid, std::string(what)); };
  PathSegment segment;
  const std::size_t open = text.find('{');
  const auto prefix = http::percent_decoded(text.substr(0, open));
  if (!prefix) return wrong("% without two hex digits");
  segment.prefix = *prefix;
  if (open == std::string_view::npos) {
    if (text.contains('}')) return wrong("} without {");
    return segment;
  }
  const std::size_t close = text.find('}', open);
  if (close == std::string_view::npos) return wrong("{ without }");
  segment.parameter = text.substr(open + 1, close - open - 1);
  const auto suffix = http::percent_decoded(text.substr(close + 1));
  if (!suffix) return wrong("% without two hex digits");
  segment.suffix = *suffix;
  if (segment.parameter->empty() || segment.parameter->contains('{')) {
    return wrong("a parameter without a name");
  }
  if (text.substr(close + 1).find_first_of("{}") != std::string_view::npos) {
    return wrong("two parameters between two slashes: which one is what cannot be told");
  }
  return segment;
}

}  // namespace

bool PathSegment::matches(std::string_view text) const {
  if (!parameter) return text == prefix;
  return text.size() > prefix.size() + suffix.size() && text.starts_with(prefix) &&
         text.ends_with(suffix);
}

std::vector<std::string_view> split_path(std::string_view path) {
  std::vector<std::string_view> segments;
  for (std::size_t begin = 1; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    segments.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return segments;
}

Result<PathTemplate> PathTemplate::parse(std::string_view text) {
  if (!text.starts_with('/')) return fail(Errc::invalid, "a path begins with /");
  PathTemplate path;
  path.text_ = text;
  std::set<std::string> names;
  for (const std::string_view part : split_path(text)) {
    auto segment = parse_segment(part);
    if (!segment) return fail(segment);
    if (segment->parameter && !names.insert(*segment->parameter).second) {
      return fail(Errc::invalid, fmt::format("the parameter {{{}}} twice", *segment->parameter));
    }
    path.segments_.push_back(*std::move(segment));
  }
  if (path.segments_.size() > path_segments_max) return fail(Errc::too_large, "too many segments");
  return path;
}

PathTemplate::Relation PathTemplate::relation(const PathTemplate& other) const {
  if (segments_.size() != other.segments_.size()) return Relation::disjoint;
  bool more = false;
  bool less = false;
  bool ambiguous = false;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    const auto relation = relate(segments_[i], other.segments_[i]);
    if (relation == Relation::disjoint) return Relation::disjoint;
    more |= relation == Relation::more_specific;
    less |= relation == Relation::less_specific;
    ambiguous |= relation == Relation::ambiguous;
  }
  if (ambiguous || more == less) return Relation::ambiguous;
  return more ? Relation::more_specific : Relation::less_specific;
}

void PathIndex::add(const PathTemplate& path, std::uint32_t number) {
  Node* node = &root_;
  for (const PathSegment& segment : path.segments()) {
    if (!segment.parameter) {
      auto& next = node->literal[segment.prefix];
      if (next == nullptr) next = std::make_unique<Node>();
      node = next.get();
      continue;
    }
    const auto same = std::ranges::find_if(node->templated, [&](const auto& known) {
      return known.first.prefix == segment.prefix && known.first.suffix == segment.suffix;
    });
    if (same != node->templated.end()) {
      node = same->second.get();
    } else {
      node = node->templated.emplace_back(segment, std::make_unique<Node>()).second.get();
    }
  }
  node->numbers.push_back(number);
}

void PathIndex::find(const Node& node, const std::vector<std::string_view>& segments,
                     std::size_t at, std::vector<std::uint32_t>& found) {
  if (at == segments.size()) {
    found.insert(found.end(), node.numbers.begin(), node.numbers.end());
    return;
  }
  if (const auto next = node.literal.find(segments[at]); next != node.literal.end()) {
    find(*next->second, segments, at + 1, found);
  }
  for (const auto& [segment, next] : node.templated) {
    if (segment.matches(segments[at])) find(*next, segments, at + 1, found);
  }
}

std::vector<std::uint32_t> PathIndex::find(std::string_view path) const {
  std::vector<std::uint32_t> found;
  if (!path.starts_with('/')) return found;
  const auto segments = split_path(path);
  if (segments.size() <= path_segments_max) find(root_, segments, 0, found);
  return found;
}

}  // namespace sallyport::content

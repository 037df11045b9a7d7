#pragma once
// Path templates of OpenAPI ("/customers/{id}/notes") and which of them a path is one of. Concrete
// goes before templated; what could be two of them for one method is found when they are added.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace sallyport::content {

/// One part between slashes: "notes", "{id}", "{name}.json".
struct PathSegment {
  std::string prefix;                    // all of it where there is no parameter
  std::optional<std::string> parameter;  // its name
  std::string suffix;

  bool matches(std::string_view text) const;
};

class PathTemplate {
 public:
  /// Fails on what is no template: a parameter twice, two in one segment, braces that do not match.
  static Result<PathTemplate> parse(std::string_view text);

  enum class Relation : std::uint8_t { disjoint, more_specific, less_specific, ambiguous };
  /// How the paths that this one matches relate to the other's.
  Relation relation(const PathTemplate& other) const;

  const std::string& text() const { return text_; }
  const std::vector<PathSegment>& segments() const { return segments_; }

 private:
  std::string text_;
  std::vector<PathSegment> segments_;
};

inline constexpr std::size_t path_segments_max = 64;

/// Templates by number, found by path.
class PathIndex {
 public:
  void add(const PathTemplate& path, std::uint32_t number);
  /// All that match a decoded, normalised path.
  std::vector<std::uint32_t> find(std::string_view path) const;

 private:
  struct Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> literal;
    std::vector<std::pair<PathSegment, std::unique_ptr<Node>>> templated;
    std::vector<std::uint32_t> numbers;
  };
  static void find(const Node& node, const std::vector<std::string_view>& segments, std::size_t at,
                   std::vector<std::uint32_t>& found);
  Node root_;
};

/// "/a/b/" has the segments "a", "b" and "".
std::vector<std::string_view> split_path(std::string_view path);

}  // namespace sallyport::content

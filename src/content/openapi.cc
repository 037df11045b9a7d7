#include "content/openapi.h"

#include <algorithm>

namespace sallyport::content {
namespace {

using Relation = PathTemplate::Relation;

/// The media types that could say what is in an answer, the most exact first.
template <class Map>
const typename Map::mapped_type* of_media_type(const Map& by_type, std::string_view type) {
  const std::string range = std::string(type.substr(0, type.find('/'))) + "/*";
  for (const std::string_view name : {type, std::string_view(range), std::string_view("*/*")}) {
    if (const auto found = by_type.find(name); found != by_type.end()) return &found->second;
  }
  return nullptr;
}

}  // namespace

/// Of all templates that match, the one that none is more specific than, for this method.
const OpenApi::Path* OpenApi::find(std::string_view method, std::string_view path) const {
  const std::vector<std::uint32_t> found = index_.find(path);
  const auto is_shadowed = [&](std::uint32_t number) {
    return std::ranges::any_of(found, [&](std::uint32_t other) {
      return other != number &&
             paths_[other].path.relation(paths_[number].path) == Relation::more_specific;
    });
  };
  for (const std::uint32_t number : found) {
    if (is_shadowed(number)) continue;
    if (paths_[number].operations.contains(method)) return &paths_[number];
  }
  return nullptr;
}

std::optional<OperationMatch> OpenApi::match(std::string_view method, std::string_view path) const {
  const Path* const found = find(method, path);
  if (found == nullptr) return std::nullopt;
  OperationMatch match{.operation = &operations_[found->operations.find(method)->second]};
  const auto parts = split_path(path);
  const auto& segments = found->path.segments();
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const PathSegment& segment = segments[i];
    if (!segment.parameter) continue;
    const std::size_t size = parts[i].size() - segment.prefix.size() - segment.suffix.size();
    match.parameters.emplace_back(*segment.parameter, parts[i].substr(segment.prefix.size(), size));
  }
  return match;
}

std::shared_ptr<const Selector> OpenApi::response(const Operation& operation, int status,
                                                  std::string_view media_type) const {
  const Responses& responses =
      responses_[static_cast<std::size_t>(&operation - operations_.data())];
  const std::string exact = std::to_string(status);
  const std::string range = exact.substr(0, 1) + "XX";
  for (const std::string_view name :
       {std::string_view(exact), std::string_view(range), std::string_view("default")}) {
    const auto media = responses.by_status.find(name);
    if (media == responses.by_status.end()) continue;
    const auto* const selector = of_media_type(media->second, media_type);
    return selector == nullptr ? responses.undescribed : *selector;
  }
  return responses.undescribed;
}

}  // namespace sallyport::content

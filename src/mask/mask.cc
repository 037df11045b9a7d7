#include "mask/mask.h"

#include <algorithm>
#include <array>
#include <utility>

namespace sallyport::mask {
namespace {

constexpr std::array<std::pair<std::string_view, Kind>, 6> kinds{{{"partial", Kind::partial},
                                                                  {"round", Kind::round},
                                                                  {"year", Kind::year},
                                                                  {"hash", Kind::hash},
                                                                  {"redact", Kind::redact},
                                                                  {"null", Kind::null}}};

constexpr std::array<std::pair<std::string_view, Shape>, 7> shapes{{{"email", Shape::email},
                                                                    {"card", Shape::card},
                                                                    {"credit_card", Shape::card},
                                                                    {"pan", Shape::card},
                                                                    {"phone", Shape::phone},
                                                                    {"mobile", Shape::phone},
                                                                    {"iban", Shape::iban}}};

Shape shape_of(std::string_view classification) {
  const std::size_t dot = classification.rfind('.');
  const std::string_view leaf =
      dot == std::string_view::npos ? classification : classification.substr(dot + 1);
  for (const auto& [name, shape] : shapes) {
    if (name == leaf) return shape;
  }
  return Shape::text;
}

Mask mask_of_one(std::string_view classification, const Rules& rules) {
  const Shape shape = shape_of(classification);
  for (std::string_view path = classification;; path = path.substr(0, path.rfind('.'))) {
    if (const auto rule = rules.find(path); rule != rules.end()) return {rule->second, shape};
    if (path.rfind('.') == std::string_view::npos) break;
  }
  return {shape == Shape::text ? Kind::redact : Kind::partial, shape};
}

}  // namespace

std::string_view to_string(Kind kind) {
  for (const auto& [name, of] : kinds) {
    if (of == kind) return name;
  }
  return "null";
}

std::optional<Kind> kind_of(std::string_view name) {
  for (const auto& [known, kind] : kinds) {
    if (known == name) return kind;
  }
  return std::nullopt;
}

Mask mask_of(std::span<const std::string> classifications, const Rules& rules) {
  if (classifications.empty()) return {.kind = Kind::null};
  Mask strictest = mask_of_one(classifications.front(), rules);
  for (const std::string& classification : classifications.subspan(1)) {
    const Mask mask = mask_of_one(classification, rules);
    // Two shapes contradict each other: what one keeps may be what the other hides.
    if (mask.kind == Kind::partial && strictest.kind == Kind::partial &&
        mask.shape != strictest.shape) {
      strictest = {.kind = Kind::redact};
    }
    strictest =
        std::max(strictest, mask, [](const Mask& a, const Mask& b) { return a.kind < b.kind; });
  }
  return strictest;
}

}  // namespace sallyport::mask

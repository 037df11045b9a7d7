#include "protocol/postgres/plan.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <vector>

#include "base/bytes.h"

namespace sallyport::postgres {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t steps_max = 8;
constexpr std::size_t nodes_max = 10'000;
constexpr std::size_t name_bytes_max = 63;

std::string_view text(dom::element node, std::string_view name) {
  std::string_view found;
  return node[name].get(found) == simdjson::SUCCESS ? found.substr(0, name_bytes_max) : "";
}

/// Of a statement that changes rows and returns none, the plan says 0; those it changes come from
/// below.
double rows_of(dom::element node) {
  double rows = 0;
  if (node["Plan Rows"].get(rows) != simdjson::SUCCESS) return 0;
  dom::array below;
  if (text(node, "Node Type") != "ModifyTable" || rows > 0 ||
      node["Plans"].get(below) != simdjson::SUCCESS) {
    return rows;
  }
  for (const dom::element one : below) {
    double more = 0;
    if (one["Plan Rows"].get(more) == simdjson::SUCCESS) rows += more;
  }
  return rows;
}

std::string step_of(dom::element node) {
  const std::string_view relation = text(node, "Relation Name");
  if (relation.empty()) return {};
  const std::string_view operation = text(node, "Operation");
  return fmt::format("{} on {}", operation.empty() ? text(node, "Node Type") : operation, relation);
}

}  // namespace

Result<std::string> plan_summary(std::string_view json) {
  if (json.size() > plan_bytes_max) return fail(Errc::too_large, "the plan is too long");
  dom::parser parser;
  dom::element root;
  dom::element plan;
  if (parser.parse(simdjson::padded_string(json)).get(root) != simdjson::SUCCESS ||
      root.at(0)["Plan"].get(plan) != simdjson::SUCCESS) {
    return fail(Errc::malformed, "the plan cannot be read");
  }
  std::vector<std::string> steps;
  std::vector<dom::element> todo{plan};
  for (std::size_t i = 0; i < todo.size() && i < nodes_max; ++i) {
    const dom::element node = todo[i];
    std::string step = step_of(node);
    if (!step.empty() && std::ranges::find(steps, step) == steps.end()) {
      steps.push_back(std::move(step));
    }
    dom::array below;
    if (node["Plans"].get(below) != simdjson::SUCCESS) continue;
    for (const dom::element one : below) todo.push_back(one);
  }
  std::string summary = fmt::format("about {:.0f} rows", std::clamp(rows_of(plan), 0.0, 1e15));
  for (std::size_t i = 0; i < std::min(steps.size(), steps_max); ++i) {
    summary += (i == 0 ? ": " : ", ") + steps[i];
  }
  if (steps.size() > steps_max) summary += fmt::format(", and {} more", steps.size() - steps_max);
  if (!is_utf8(summary)) return fail(Errc::malformed, "the plan cannot be read");
  return summary;
}

}  // namespace sallyport::postgres

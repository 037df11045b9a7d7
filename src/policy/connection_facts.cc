#include "policy/connection_facts.h"

#include <algorithm>
#include <array>
#include <span>

namespace sallyport::policy {
namespace {

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t dot = text.find('.');
    parts.push_back(text.substr(0, dot));
    if (dot == std::string_view::npos) return parts;
    text.remove_prefix(dot + 1);
  }
}

}  // namespace

bool matches_path(std::string_view pattern, std::span<const std::string_view> names) {
  const auto parts = split(pattern);
  if (parts.size() > names.size()) return false;
  // From the right: what the pattern does not name may be anything.
  const auto tail = names.last(parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] != "*" && parts[i] != tail[i]) return false;
  }
  return true;
}

std::vector<std::string> ConnectionFacts::classifications(std::string_view database,
                                                          std::string_view schema,
                                                          std::string_view table,
                                                          std::string_view column) const {
  const std::array names{database, schema, table, column};
  std::vector<std::string> found;
  for (const ClassificationRule& rule : classification) {
    if (!matches_path(rule.pattern, names)) continue;
    if (std::ranges::find(found, rule.classification) == found.end()) {
      found.push_back(rule.classification);
    }
  }
  return found;
}

Result<void> check_rule(const ClassificationRule& rule) {
  const auto parts = split(rule.pattern);
  const auto bad = [&](std::string_view why) {
    return fail(Errc::invalid, "classification \"" + rule.pattern + "\": " + std::string(why));
  };
  if (parts.size() < 2 || parts.size() > 4) {
    return bad("a pattern has two to four parts, such as *.customers.email");
  }
  if (std::ranges::find(parts, "") != parts.end()) return bad("a part is empty");
  const auto labels = split(rule.classification);
  if (std::ranges::find(labels, "") != labels.end()) {
    return bad("\"" + rule.classification + "\" is no name of a classification");
  }
  return ok();
}

Result<void> check_filter(const RowFilterRule& rule) {
  const auto parts = split(rule.table);
  const auto bad = [&](std::string_view why) {
    return fail(Errc::invalid, "row filter of \"" + rule.table + "\": " + std::string(why));
  };
  if (parts.size() < 2 || parts.size() > 3) {
    return bad("a table has two or three parts, such as public.customers");
  }
  if (std::ranges::find(parts, "") != parts.end()) return bad("a part is empty");
  if (rule.name.empty()) return bad("it has no name");
  if (rule.condition.empty()) return bad("it has no condition");
  return ok();
}

}  // namespace sallyport::policy

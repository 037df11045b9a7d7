#pragma once
// What the policies may know of a connection, from the configuration.

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sallyport::policy {

/// Columns that hold something sensitive. The pattern is "schema.table.column", "table.column" or
/// "database.schema.table.column"; a part `*` stands for any one name, and a leading `*.` for any
/// path before it. Names are compared exactly. Of protocol http: a path in JSON, or "openapi".
struct ClassificationRule {
  std::string pattern;         // "*.customers.email"
  std::string classification;  // "pii.email", which is in "pii"
};

/// Rows that a chain may see only if it may `unfilter`: all others have to meet the condition.
struct RowFilterRule {
  std::string table;      // "public.customers"; `*` as in a classification
  std::string name;       // RowFilter::"shop/app/public/customers/<name>"
  std::string condition;  // SQL over the table's own columns
};

/// How much a chain gets at most of one answer, if it may not `unlimited` on all that it comes
/// from. 0: any number.
struct AnswerLimits {
  std::uint64_t rows_max = 0;
  std::uint64_t bytes_max = 0;
};

struct ConnectionFacts {
  std::string name;
  std::string protocol;  // "postgres"
  std::string env;       // "prod"
  std::map<std::string, std::string> tags;
  std::vector<std::string> resource_groups;
  std::vector<ClassificationRule> classification;
  std::map<std::string, std::string, std::less<>> masks;  // classification -> kind of mask
  std::vector<RowFilterRule> row_filters;
  AnswerLimits answer_limits;

  bool protects() const { return !classification.empty() || !row_filters.empty(); }
  /// All classifications of a column; names as they are, not escaped.
  std::vector<std::string> classifications(std::string_view database, std::string_view schema,
                                           std::string_view table, std::string_view column) const;
};

/// "public.customers" matches any database's, "*" any name.
bool matches_path(std::string_view pattern, std::span<const std::string_view> names);

/// Refuses a rule that could never match as meant.
Result<void> check_rule(const ClassificationRule& rule);
Result<void> check_filter(const RowFilterRule& rule);

}  // namespace sallyport::policy

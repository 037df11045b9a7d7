#pragma once
// What the policies may know of a connection, from the configuration.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sallyport::policy {

/// Columns that hold something sensitive. The pattern is "schema.table.column", "table.column" or
/// "database.schema.table.column"; a part `*` stands for any one name, and a leading `*.` for any
/// path before it. Names are compared exactly.
struct ClassificationRule {
  std::string pattern;         // "*.customers.email"
  std::string classification;  // "pii.email", which is in "pii"
};

struct ConnectionFacts {
  std::string name;
  std::string protocol;  // "postgres"
  std::string env;       // "prod"
  std::map<std::string, std::string> tags;
  std::vector<std::string> resource_groups;
  std::vector<ClassificationRule> classification;

  /// All classifications of a column; names as they are, not escaped.
  std::vector<std::string> classifications(std::string_view database, std::string_view schema,
                                           std::string_view table, std::string_view column) const;
};

/// Refuses a rule that could never match as meant.
Result<void> check_rule(const ClassificationRule& rule);

}  // namespace sallyport::policy

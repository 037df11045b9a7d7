#pragma once
// Tests of policies, as their authors write them: *.test.yaml files beside the policies, each a
// list of who does what and what must come of it. docs/guides/policies.md has the format.

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cli/policy.h"

namespace sallyport::cli {

constexpr std::size_t suite_bytes_max = 1 << 20;  // of one file
constexpr std::size_t suite_cases_max = 10'000;   // in one file

struct CaseFailure {
  std::string file;
  int line = 0;  // of the case
  std::string name;
  std::string why;  // what was expected, what came of it, because of which policy

  std::string to_string() const;
};

struct SuiteResult {
  std::size_t passed = 0;
  std::vector<CaseFailure> failures;
  /// Ids of policies that had a say in some case.
  std::set<std::string> decided;
  std::set<std::string> policies;  // all ids

  std::vector<std::string> undecided() const;
};

/// Runs every *.test.yaml of a folder against its policies. Fails on policies that do not load, on
/// a file that is not of the format (with file:line), and where there is no such file.
Result<SuiteResult> run_policy_suites(const std::filesystem::path& folder, const PolicyTools& tools,
                                      WallTime now);

}  // namespace sallyport::cli

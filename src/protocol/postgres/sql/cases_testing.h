#pragma once
// Statements with what is expected of them, kept as text in cases/. For tests only.
//
//   # Heading
//   select a
//     from t
//     => select read_only | select t | output a#0

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::postgres::sql {

struct Case {
  std::string where;  // file:line of the statement
  std::string heading;
  std::string sql;
  std::string expected;  // lines of "=>", joined by newlines
};

/// All cases of a file. A file that cannot be read, or that ends inside a case, fails the test.
inline std::vector<Case> cases_of(const std::string& name) {
  const std::string here = __FILE__;
  const std::string path = here.substr(0, here.rfind('/')) + "/cases/" + name;
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  constexpr std::string_view arrow = "  =>";
  std::vector<Case> cases;
  std::string heading;
  bool open = false;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.starts_with(arrow)) {
      EXPECT_FALSE(cases.empty()) << path << ':' << number;
      if (cases.empty()) continue;
      if (!open) cases.back().expected += '\n';
      open = false;
      if (line.size() > arrow.size() + 1) cases.back().expected += line.substr(arrow.size() + 1);
    } else if (line.starts_with("# ")) {
      heading = line.substr(2);
    } else if (open) {
      cases.back().sql += '\n' + line;
    } else if (!line.empty()) {
      cases.push_back({.where = name + ":" + std::to_string(number),
                       .heading = heading,
                       .sql = line,
                       .expected = ""});
      open = true;
    }
  }
  EXPECT_FALSE(open) << path << " ends inside a case";
  return cases;
}

/// The files of cases of the analysis.
inline constexpr std::string_view kAnalysisCases[] = {"queries.txt", "calls.txt", "changes.txt",
                                                      "utility.txt", "definitions.txt"};

inline std::vector<Case> all_analysis_cases() {
  std::vector<Case> all;
  for (const std::string_view name : kAnalysisCases) {
    auto some = cases_of(std::string(name));
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace sallyport::postgres::sql

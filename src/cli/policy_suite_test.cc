#include "cli/policy_suite.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace sallyport::cli {
namespace {

namespace fs = std::filesystem;

fs::path starter_folder() {
  return fs::path(__FILE__).parent_path() / "../../policies";
}

/// A folder of one policy file and one test file.
class Folder {
 public:
  explicit Folder(const std::string& tests) {
    path_ = fs::temp_directory_path() / ("sallyport-suite-" + std::to_string(::getpid()));
    fs::create_directories(path_);
    std::ofstream(path_ / "a.cedar")
        << "@id(\"read\") permit (principal in Group::\"g\", action in Action::\"sql:read\", "
           "resource);"
           "@id(\"never\") forbid (principal, action == Action::\"connect\", resource)"
           "when { context.session.breakGlass };";
    std::ofstream(path_ / "a.test.yaml") << tests;
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

Result<SuiteResult> run(const std::string& tests, const PolicyTools& tools = {}) {
  const Folder folder("connections: {shop: {}}\n" + tests);
  return run_policy_suites(folder.path(), tools, system_clock().now());
}

TEST(PolicySuite, TheStarterPoliciesAreWhatTheirTestsSay) {
  const auto result = run_policy_suites(starter_folder(), {}, system_clock().now());
  ASSERT_TRUE(result) << result.error().detail;
  for (const CaseFailure& failure : result->failures) ADD_FAILURE() << failure.to_string();
  EXPECT_GT(result->passed, 25u);
}

TEST(PolicySuite, AFailureSaysWhereWhatAndWhy) {
  const auto result =
      run("tests:\n"
          "  - name: reads\n"
          "    as: alice\n"
          "    action: sql:select\n"
          "    resource: Table::\"shop/shop/public/t\"\n"
          "    expect: allow\n"
          "  - {as: bob, groups: g, action: sql:select, resource: 'Table::\"shop/shop/public/t\"', "
          "expect: allow, because: other}\n"
          "  - {as: bob, groups: g, revealed: shop/shop/public/t/c}\n"
          "  - {as: bob, groups: g, masked: shop/shop/public/t/c}\n");
  ASSERT_TRUE(result) << result.error().detail;
  EXPECT_EQ(result->passed, 1u);
  ASSERT_EQ(result->failures.size(), 3u);
  EXPECT_EQ(result->failures[0].line, 3);
  EXPECT_NE(result->failures[0].to_string().find(
                "a.test.yaml:3: reads: allow was expected, this is deny: User \"alice\" may not "
                "sql:select on Table \"shop/shop/public/t\": no policy permits it"),
            std::string::npos)
      << result->failures[0].to_string();
  EXPECT_EQ(result->failures[1].why, "because of \"other\" was expected, the reasons are: read");
  EXPECT_NE(result->failures[2].why.find("expected to be revealed, it is masked"),
            std::string::npos);
}

TEST(PolicySuite, PoliciesThatNoTestReachesAreNamed) {
  const auto result =
      run("tests:\n  - {as: bob, groups: g, action: sql:select, resource: "
          "'Table::\"shop/shop/public/t\"', expect: allow}\n");
  ASSERT_TRUE(result) << result.error().detail;
  EXPECT_EQ(result->undecided(), std::vector<std::string>{"never"});
}

TEST(PolicySuite, SqlGoesThroughTheAnalyserThatWasPassedIn) {
  const PolicyTools tools{.analyse = [](const std::string& connection, const std::string& database,
                                        const std::string& sql) -> Result<Command> {
    if (sql != "select") return fail(Errc::invalid, "not understood");
    Command command;
    command.actions.push_back({"sql:select", {"Table", connection + "/" + database + "/public/t"}});
    command.context = SqlContext{.kind = "select"};
    return command;
  }};
  const auto result =
      run("tests:\n"
          "  - {as: bob, groups: g, sql: select, expect: allow}\n"
          "  - {as: bob, groups: g, sql: other, expect: deny}\n",
          tools);
  ASSERT_TRUE(result) << result.error().detail;
  EXPECT_EQ(result->passed, 2u);
}

TEST(PolicySuite, AFileIsReadStrictly) {
  const auto problem = [](const std::string& tests) {
    const auto result = run(tests);
    return result ? "accepted" : result.error().detail;
  };
  EXPECT_EQ(problem("tests: []"), "accepted");
  EXPECT_NE(
      problem("tests:\n  - {as: a, action: connect, expect: allow, becuase: x}")
          .find("a.test.yaml:3:45: \"becuase\" is not a key here (hint: did you mean because?)"),
      std::string::npos)
      << problem("tests:\n  - {as: a, action: connect, expect: allow, becuase: x}");
  for (const char* const tests :
       {"tests: {}", "test: []", "tests:\n  - {action: connect, expect: allow}",
        "tests:\n  - {as: a, action: connect}",
        "tests:\n  - {as: a, action: connect, expect: maybe}", "tests:\n  - {as: a, expect: deny}",
        "tests:\n  - {as: a}", "tests:\n  - {as: a, resource: x, expect: deny}",
        "tests:\n  - {as: a, sql: x, action: connect, expect: deny}",
        "tests:\n  - {as: a, action: connect, connection: other, expect: deny}",
        "tests:\n  - {as: a, action: connect, resource: nonsense, expect: deny}",
        "tests:\n  - {as: a, action: connect, mfa_age: never, expect: deny}",
        "who: {a: {kind: robot}}\ntests: []", "who: {a: {active: perhaps}}\ntests: []", "tests: [",
        "tests:\n  - *nowhere"}) {
    EXPECT_NE(problem(tests), "accepted") << tests;
  }
}

TEST(PolicySuite, AFolderWithoutTestsIsAnError) {
  EXPECT_FALSE(run_policy_suites("/nonexistent", {}, system_clock().now()));
}

}  // namespace
}  // namespace sallyport::cli

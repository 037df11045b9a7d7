#include "cli/policy.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include <boost/json.hpp>

namespace sallyport::cli {
namespace {

std::filesystem::path starter_folder() {
  return std::filesystem::path(__FILE__).parent_path() / "../../policies";
}

PolicyQuestion about_alice() {
  PolicyQuestion question;
  question.policies = starter_folder();
  question.user = "alice";
  question.groups = {"support"};
  question.connection = "shop";
  question.action = "sql:delete";
  question.resource = "Table::\"shop/shop/public/customers\"";
  return question;
}

/// The exit code of a command line, with what it prints.
struct Run {
  int code = 0;
  std::string out;
  std::string err;
};

Run run(std::string line, PolicyTools tools = {}) {
  CLI::App app;
  add_policy(app, std::move(tools));
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Run result;
  try {
    app.parse(std::move(line));
  } catch (const CLI::ParseError& error) {
    result.code = error.get_exit_code();
  }
  result.out = testing::internal::GetCapturedStdout();
  result.err = testing::internal::GetCapturedStderr();
  return result;
}

TEST(PolicyCommand, ExplainNamesThePolicyAndItsPlace) {
  const auto explanation = explain_policy(about_alice(), {}, system_clock().now());
  ASSERT_TRUE(explanation) << explanation.error().detail;
  EXPECT_EQ(explanation->decision.verdict, Verdict::deny);
  EXPECT_FALSE(explanation->may_write);
  const std::string text = to_text(*explanation);
  EXPECT_NE(text.find("support-is-read-only ("), std::string::npos) << text;
  EXPECT_NE(text.find("20-shop.cedar:"), std::string::npos) << text;
}

TEST(PolicyCommand, ExplainAsksEveryIdentity) {
  PolicyQuestion question = about_alice();
  question.action = "sql:select";
  question.agents = {"support-copilot"};
  question.scopes = {"db:read"};
  const auto explanation = explain_policy(question, {}, system_clock().now());
  ASSERT_TRUE(explanation) << explanation.error().detail;
  EXPECT_EQ(explanation->decision.verdict, Verdict::allow);
  EXPECT_EQ(explanation->decision.answers.size(), 3u);
}

TEST(PolicyCommand, ExplainPrintsJson) {
  const auto explanation = explain_policy(about_alice(), {}, system_clock().now());
  ASSERT_TRUE(explanation);
  const auto parsed = boost::json::parse(to_json(*explanation));
  EXPECT_EQ(parsed.at("verdict").as_string(), "deny");
  EXPECT_EQ(parsed.at("answers").at(0).at("policies").at(0).as_string(), "support-is-read-only");
}

TEST(PolicyCommand, ExitCodesTellAllowedDeniedAndWrong) {
  const std::string folder = starter_folder().string();
  const std::string bob = "policy explain --as bob --connection shop --action connect --policies ";
  EXPECT_EQ(run(bob + folder).code, 1);
  EXPECT_EQ(run(bob + folder + " --group dba").code, 0);
  EXPECT_EQ(run(bob + "/nonexistent").code, 2);
  EXPECT_EQ(run("policy check " + folder).code, 0);
  EXPECT_EQ(run("policy check /nonexistent").code, 2);
  EXPECT_NE(run("policy").code, 0);
}

TEST(PolicyCommand, AWrongQuestionSaysSo) {
  const std::string folder = starter_folder().string();
  const std::string start = "policy explain --as bob --connection shop --policies " + folder;
  EXPECT_EQ(run(start).code, 2);
  EXPECT_EQ(run(start + " --action sql:select").code, 2);
  EXPECT_EQ(run(start + " --action sql:select --resource Table").code, 2);
}

TEST(PolicyCommand, SqlGoesThroughTheAnalyserThatWasPassedIn) {
  PolicyTools tools;
  tools.analyse = [](const std::string& connection, const std::string& database,
                     const std::string& sql) -> Result<Command> {
    EXPECT_EQ(connection, "shop");
    EXPECT_EQ(database, "shop");
    EXPECT_EQ(sql, "select 1");
    Command command;
    command.actions = {{"connect", {"Database", "shop/shop"}}};
    return command;
  };
  EXPECT_EQ(run("policy explain --as alice --group support --connection shop --policies " +
                    starter_folder().string() + " \"select 1\"",
                tools)
                .code,
            0);
}

TEST(PolicyCommand, TakesThePoliciesOfTheConfiguration) {
  PolicyTools tools;
  tools.configured = [](const std::filesystem::path& config) -> Result<PolicyTools::Configured> {
    EXPECT_EQ(config, "gateway.yaml");
    return PolicyTools::Configured{.connections = {{.name = "shop", .protocol = "postgres"}},
                                   .policies = starter_folder(),
                                   .groups = {{"carol", {"support"}}}};
  };
  const std::string asked =
      "policy explain --config gateway.yaml --connection shop "
      "--action connect --as ";
  EXPECT_EQ(run(asked + "alice --group support", tools).code, 0);
  EXPECT_EQ(run(asked + "bob --group developers", tools).code, 1);
  EXPECT_EQ(run(asked + "carol", tools).code, 0);
  EXPECT_EQ(run(asked + "carol --group developers", tools).code, 1);
}

TEST(PolicyCommand, FormatRewritesOrOnlySays) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("sallyport-format-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const auto file = folder / "a.cedar";
  std::ofstream(file) << "permit(principal,action,resource); // all\n";
  const auto check = run("policy format --check " + folder.string());
  EXPECT_EQ(check.code, 1);
  EXPECT_NE(check.out.find("a.cedar: not formatted"), std::string::npos) << check.out;
  EXPECT_EQ(run("policy format " + folder.string()).code, 0);
  std::ifstream read(file);
  const std::string text{std::istreambuf_iterator<char>(read), {}};
  EXPECT_EQ(text, "permit (principal, action, resource);  // all\n");
  EXPECT_EQ(run("policy format --check " + folder.string()).code, 0);
  std::ofstream(file) << "permit(";
  EXPECT_EQ(run("policy format " + folder.string()).code, 2);
  std::filesystem::remove_all(folder);
}

TEST(PolicyCommand, TheStarterPoliciesAreFormattedAndPassTheirTests) {
  EXPECT_EQ(run("policy format --check " + starter_folder().string()).code, 0);
  const auto tests = run("policy test " + starter_folder().string());
  EXPECT_EQ(tests.code, 0) << tests.out << tests.err;
  EXPECT_NE(tests.out.find(" passed, 0 failed"), std::string::npos) << tests.out;
  EXPECT_EQ(run("policy test /nonexistent").code, 2);
}

TEST(PolicyCommand, CheckShowsThePlaceOfAnError) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("sallyport-check-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "a.cedar") << "permit (principal is Usr, action, resource);\n";
  const auto check = run("policy check " + folder.string());
  EXPECT_EQ(check.code, 2);
  EXPECT_NE(check.err.find("a.cedar:1:22: policy \"policy0\": the schema has no entity type Usr\n"
                           "  1 | permit (principal is Usr, action, resource);\n"
                           "    |                      ^^^\n"
                           "  hint: did you mean User?"),
            std::string::npos)
      << check.err;
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace sallyport::cli

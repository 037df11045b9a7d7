#include "app/completion.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace sallyport::app {
namespace {

/// The words that bash would offer for a command line.
std::string offered(const std::string& script, const std::string& words, int position) {
  std::string name = "/tmp/sallyport-completion-XXXXXX";
  const int file = mkstemp(name.data());
  close(file);
  std::ofstream(name) << script << "COMP_WORDS=(" << words << ")\nCOMP_CWORD=" << position
                      << "\n_tool\necho \"${COMPREPLY[*]}\"\n";
  std::string output;
  if (FILE* pipe = popen(("bash " + name).c_str(), "r")) {
    std::array<char, 256> line{};
    while (fgets(line.data(), line.size(), pipe)) output += line.data();
    pclose(pipe);
  }
  unlink(name.c_str());
  return output;
}

TEST(Completion, BashIsOfferedTheCommandsAndOptionsOfWhereItIs) {
  CLI::App app{"A tool", "tool"};
  app.add_subcommand("serve", "Serve")->add_option("--config");
  CLI::App* ledger = app.add_subcommand("ledger", "The ledger's own");
  ledger->add_subcommand("verify", "Verify")->add_flag("--json");
  ledger->add_subcommand("export", "Export");
  const std::string script = completion_script(app, Shell::bash);
  EXPECT_EQ(offered(script, "tool ser", 1), "serve\n");
  EXPECT_EQ(offered(script, "tool ledger ''", 2), "--help verify export\n");
  EXPECT_EQ(offered(script, "tool ledger verify --j", 3), "--json\n");
  EXPECT_EQ(offered(script, "tool serve --c", 2), "--config\n");
  EXPECT_NE(completion_script(app, Shell::fish).find("-d 'The ledger\\'s own'"), std::string::npos);
}

}  // namespace
}  // namespace sallyport::app

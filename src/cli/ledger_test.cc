#include "cli/ledger.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "cli/ledger_place.h"
#include "cli/sessions.h"
#include "ledger/files.h"
#include "ledger/ledger.h"
#include "ledger/payloads.h"

namespace sallyport::cli {
namespace {

class LedgerCommands : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "cli-ledger-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    data_ = name;
    auto log = Ledger::open({.directory = data_ / "ledger", .segment_bytes = 65536},
                            ledger::system_files(), system_clock(), system_random());
    ASSERT_TRUE(log) << log.error().detail;
    Session session;
    session.id = "5e55";
    session.connection = "shop";
    session.chain.identities.push_back({.id = "alice"});
    Command command;
    command.kind = "query";
    command.text = "select 1 -- \x1b]0;owned\x07\xe2\x80\xae";
    const auto put = [&](ledger::RecordKind kind, std::string payload) {
      ASSERT_TRUE((*log)->append({.kind = kind, .session = "5e55", .payload = std::move(payload)}));
    };
    put(ledger::RecordKind::session_start, ledger::session_start_payload(session));
    put(ledger::RecordKind::command, ledger::command_payload(session, command, {}));
    put(ledger::RecordKind::outcome, ledger::outcome_payload(2, {.tag = "SELECT 1"}, {}));
    put(ledger::RecordKind::refusal,
        ledger::refusal_payload(session, command, {}, {.reason = "no", .policy = "p7"}));
    put(ledger::RecordKind::session_end,
        ledger::session_end_payload(session, {.reason = "client"}));
    ASSERT_TRUE((*log)->close());
  }
  void TearDown() override { std::filesystem::remove_all(data_); }

  // The exit status; what was printed is in out_.
  int run(std::vector<std::string> arguments) {
    CLI::App app("sallyport");
    add_ledger(app);
    add_sessions(app);
    std::ranges::reverse(arguments);
    int status = 0;
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    try {
      app.parse(arguments);
    } catch (const CLI::Error& error) {
      status = error.get_exit_code();
    }
    std::fflush(stdout);
    out_ = ::testing::internal::GetCapturedStdout();
    (void)::testing::internal::GetCapturedStderr();
    return status;
  }

  std::filesystem::path data_;
  std::string out_;
};

TEST_F(LedgerCommands, VerifyIsGoodAndThenSaysWhereAByteWasChanged) {
  EXPECT_EQ(run({"ledger", "verify", "--data", data_}), 0);
  EXPECT_NE(out_.find("OK default/node: 5 records"), std::string::npos) << out_;
  EXPECT_EQ(run({"ledger", "head", "--data", data_}), 0);
  std::ofstream(data_ / "kept.head") << out_;
  EXPECT_EQ(run({"ledger", "verify", data_ / "ledger", "--head", data_ / "kept.head"}), 0);

  std::fstream segment(data_ / "ledger/segment-000000000000.seg",
                       std::ios::in | std::ios::out | std::ios::binary);
  segment.seekp(4200);
  segment.put('\x7f');
  segment.close();
  EXPECT_EQ(run({"ledger", "verify", "--dir", data_ / "ledger"}), 1);
  EXPECT_NE(out_.find("BROKEN segment-000000000000.seg:4096: record 1"), std::string::npos) << out_;
  EXPECT_EQ(run({"ledger", "verify", "--data", data_, "--json"}), 1);
  EXPECT_NE(out_.find("\"ok\":false"), std::string::npos);
}

TEST_F(LedgerCommands, SayTwoWhenThereIsNothingToCheck) {
  EXPECT_EQ(run({"ledger", "verify", "--data", data_ / "nothing"}), 2);
  EXPECT_EQ(run({"sessions", "show", "77", "--data", data_}), 2);
}

TEST_F(LedgerCommands, SessionsShowWhatWasDoneWithoutSteeringTheTerminal) {
  EXPECT_EQ(run({"sessions", "list", "--data", data_}), 0);
  EXPECT_NE(out_.find("5e55"), std::string::npos);
  EXPECT_EQ(run({"sessions", "replay", "5e", "--speed", "1000", "--data", data_}), 0);
  for (const char* part :
       {"start    alice on shop", "select 1", "SELECT 1", "REFUSED", "[p7]", "end      client"}) {
    EXPECT_NE(out_.find(part), std::string::npos) << part << "\n" << out_;
  }
  EXPECT_EQ(out_.find('\x1b'), std::string::npos);
  EXPECT_EQ(out_.find('\x07'), std::string::npos);
  EXPECT_EQ(out_.find("\xe2\x80\xae"), std::string::npos);
}

TEST_F(LedgerCommands, ExportPrintsOneObjectALine) {
  EXPECT_EQ(run({"ledger", "export", "--data", data_, "--kind", "refusal"}), 0);
  EXPECT_EQ(std::ranges::count(out_, '\n'), 1);
  EXPECT_NE(out_.find("\"kind\":\"refusal\""), std::string::npos);
  EXPECT_EQ(run({"ledger", "export", "--data", data_, "--kind", "nonsense"}), 2);
  EXPECT_EQ(run({"ledger", "prove", "4", "--data", data_}), 0);
}

TEST(TerminalSafe, EscapesWhatSteersOrHides) {
  EXPECT_EQ(terminal_safe("a\x1b[31m\n\xc2\x9b\xff\xc3\xa9"), "a\\x1b[31m\\n\\x9b\\xff\xc3\xa9");
  EXPECT_EQ(terminal_safe("\xe2\x80\xae\xe2\x80\x8b"), "\\u{202e}\\u{200b}");
  EXPECT_EQ(terminal_safe("a\nb\r", true), "a\nb\\x0d");
}

}  // namespace
}  // namespace sallyport::cli

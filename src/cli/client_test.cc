#include "cli/client.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "cli/client_loopback.h"
#include "cli/client_oauth.h"
#include "cli/client_state.h"
#include "identity/signing_key.h"

namespace sallyport::cli {
namespace {

namespace fs = std::filesystem;

class ClientStateTest : public ::testing::Test {
 protected:
  ~ClientStateTest() override { fs::remove_all(folder); }
  const fs::path folder = fs::path(::testing::TempDir()) / random_hex(system_random(), 8);
  const std::string path = folder / "sallyport/login.json";
  const ClientState state{.gateway = "https://gw.example",
                          .ca_file = "/ca \"x\".pem",
                          .token_endpoint = "https://gw.example/token",
                          .client_id = "sallyport-cli",
                          .access_token = "a.b.c",
                          .refresh_token = "r",
                          .expires_s = 1'800'000'000};
};

TEST_F(ClientStateTest, ComesBackAndIsPrivate) {
  EXPECT_EQ(load_state(path).value(), std::nullopt);
  ASSERT_TRUE(save_state(path, state));
  EXPECT_EQ(load_state(path).value(), state);
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  ASSERT_TRUE(save_state(path, state));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "sallyport"), {}), 1);
  EXPECT_TRUE(remove_state(path).value());
  EXPECT_FALSE(remove_state(path).value());
}

TEST_F(ClientStateTest, RefusesAFileThatOthersCanReadOrThatIsDamaged) {
  ASSERT_TRUE(save_state(path, state));
  fs::permissions(path, fs::perms::others_read, fs::perm_options::add);
  EXPECT_EQ(load_state(path).error().code, Errc::denied);
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  std::ofstream(path) << "{";
  EXPECT_EQ(load_state(path).error().code, Errc::malformed);
}

TEST(StatePath, IgnoresARelativeFolder) {
  ::setenv("XDG_STATE_HOME", "relative", 1);
  ::setenv("HOME", "/home/alice", 1);
  EXPECT_EQ(state_path().value(), "/home/alice/.local/state/sallyport/login.json");
  ::setenv("XDG_STATE_HOME", "/state", 1);
  EXPECT_EQ(state_path().value(), "/state/sallyport/login.json");
}

const Ticket kTicket{.text = "spt_a-b_c",
                     .user = "auth0|al ice",
                     .host = "gw.example",
                     .port = 6432,
                     .database = "shop/other",
                     .ca_file = "/etc/ca's.pem"};

TEST(Libpq, GetsAUrlInWhichEverythingIsEscaped) {
  EXPECT_EQ(libpq_url(kTicket),
            "postgresql://auth0%7Cal%20ice:spt_a-b_c@gw.example:6432/shop%2Fother"
            "?sslmode=verify-full&sslrootcert=%2Fetc%2Fca%27s.pem");
  auto v6 = kTicket;
  v6.host = "::1";
  EXPECT_NE(libpq_url(v6).find("@[::1]:6432/"), std::string::npos);
}

TEST(Libpq, AlwaysVerifiesTheGateway) {
  const auto all = libpq_environment(kTicket);
  EXPECT_NE(std::ranges::find(all, std::pair<std::string, std::string>("PGSSLMODE", "verify-full")),
            all.end());
}

TEST(ShellQuote, LeavesNothingForTheShellToRead) {
  EXPECT_EQ(shell_quote("spt_a-b"), "spt_a-b");
  EXPECT_EQ(shell_quote(""), "''");
  EXPECT_EQ(shell_quote("a b$(c)"), "'a b$(c)'");
  EXPECT_EQ(shell_quote("it's"), "'it'\\''s'");
}

TEST(HttpCall, RefusesPlainHttpToAnotherMachine) {
  EXPECT_EQ(http_call({.url = "http://gw.example/"}).error().code, Errc::invalid);
}

TEST(IdToken, MustBeForThisLoginAtThisIssuer) {
  const auto key = identity::SigningKey::generate();
  const LoginPlace place{.client_id = "cli", .issuer = "https://i"};
  const WallTime now{std::chrono::seconds(1'800'000'000)};
  const auto check = [&](const std::string& claims, std::string_view nonce = "n") {
    return check_id_token(key.sign_jwt("JWT", claims), place, nonce, now).has_value();
  };
  EXPECT_TRUE(check(R"({"iss":"https://i","aud":"cli","exp":1800000300,"nonce":"n"})"));
  EXPECT_TRUE(check(R"({"iss":"https://i","aud":["cli"],"exp":1800000300})", ""));
  EXPECT_FALSE(check(R"({"iss":"https://i/","aud":"cli","exp":1800000300,"nonce":"n"})"));
  EXPECT_FALSE(check(R"({"iss":"https://i","aud":"other","exp":1800000300,"nonce":"n"})"));
  EXPECT_FALSE(check(R"({"iss":"https://i","aud":"cli","exp":1799999940,"nonce":"n"})"));
  EXPECT_FALSE(check(R"({"iss":"https://i","aud":"cli","exp":1800000300,"nonce":"other"})"));
  EXPECT_FALSE(check(R"({"iss":"https://i","aud":"cli","exp":1800000300})"));
  EXPECT_FALSE(check(R"({"iss":"https://i","aud":"cli","azp":"x","exp":1800000300,"nonce":"n"})"));
}

TEST(Loopback, WaitsForTheAnswerWithTheRightState) {
  auto loopback = Loopback::open().value();
  const std::string uri = loopback->redirect_uri();
  std::vector<int> statuses;
  std::thread browser([&] {
    for (const std::string query : {"?state=wrong&code=x", "?code=x", "/../x?state=right",
                                    "?state=right&code=c%20d&iss=https%3A%2F%2Fi"}) {
      const auto answer = http_call({.url = uri + query});
      statuses.push_back(answer ? answer->status : 0);
    }
  });
  const auto answer = loopback->wait("right", std::chrono::seconds(20));
  browser.join();
  ASSERT_TRUE(answer.has_value()) << answer.error().detail;
  EXPECT_EQ(answer->at("code"), "c d");
  EXPECT_EQ(answer->at("iss"), "https://i");
  EXPECT_EQ(statuses, (std::vector<int>{404, 404, 404, 200}));
}

TEST(Loopback, GivesUpInTime) {
  auto loopback = Loopback::open().value();
  const auto answer = loopback->wait("right", std::chrono::seconds(1));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, Errc::timeout);
}

}  // namespace
}  // namespace sallyport::cli

#include "identity/issuer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "identity/authenticator.h"
#include "identity/json.h"
#include "identity/test_support.h"
#include "net/reactor.h"

namespace sallyport::identity {
namespace {

using std::chrono::seconds;

constexpr std::string_view kVerifier = "a-code-verifier-of-at-least-forty-three-characters";

class IssuerTest : public ::testing::Test {
 protected:
  IssuerTest() {
    BuiltinIssuerOptions options{.url = "https://127.0.0.1:8443", .audience = "sallyport"};
    options.users = {{.name = "alice",
                      .display_name = "Alice <Ash>",
                      .email = "alice@example.com",
                      .groups = {"support"},
                      .password_hash = hash_password("correct horse", system_random())}};
    options.agents = {{.client_id = "support-copilot",
                       .owner = "alice",
                       .groups = {"agents"},
                       .secret = "copilot secret"}};
    options.clients = {{.client_id = "console", .redirect_uris = {"https://app.example/back"}}};
    issuer =
        Issuer::create(std::move(options), SigningKey::generate(), clock, system_random()).value();
    authenticator = Authenticator::create({issuer->options()}, clock, fetcher).value();
  }

  http::Response call(std::string method, std::string path, std::string text,
                      std::vector<http::Header> headers = {}) {
    http::Request request{.method = method, .path = std::move(path), .client_ip = "192.0.2.1"};
    request.tls = true;
    request.headers.all = std::move(headers);
    (method == "GET" ? request.query : request.body) = std::move(text);
    return reactor->run_to_end(issuer->handle(std::move(request)));
  }
  static std::string query(std::map<std::string, std::string> changes = {}) {
    std::map<std::string, std::string> all{
        {"response_type", "code"},
        {"client_id", "sallyport-cli"},
        {"redirect_uri", "http://127.0.0.1:43210/callback"},
        {"state", "s t&ate"},
        {"nonce", "n0nce"},
        {"scope", "openid offline_access"},
        {"code_challenge", to_base64url(sha256(as_bytes(kVerifier)))},
        {"code_challenge_method", "S256"}};
    for (auto& [name, value] : changes) all[name] = value;
    std::string text;
    for (const auto& [name, value] : all) {
      text += (text.empty() ? "" : "&") + name + "=" + http::url_encode(value);
    }
    return text;
  }
  static std::string hidden(const std::string& html, const std::string& name) {
    const std::string mark = "name=\"" + name + "\" value=\"";
    const auto at = html.find(mark);
    if (at == std::string::npos) return "";
    return html.substr(at + mark.size(), html.find('"', at + mark.size()) - at - mark.size());
  }
  /// The page's cookie and csrf value.
  std::pair<std::string, std::string> open_page(const std::string& path, const std::string& text) {
    const auto page = call("GET", path, text);
    EXPECT_EQ(page.status, 200);
    const auto cookie = page.headers.get("Set-Cookie").value_or("");
    return {std::string(cookie.substr(0, cookie.find(';'))), hidden(page.body, "csrf")};
  }
  http::Response log_in(const std::string& name, const std::string& password,
                        std::map<std::string, std::string> changes = {}) {
    const auto [cookie, csrf] = open_page("/oauth2/authorize", query(changes));
    changes["csrf"] = csrf;
    changes["username"] = name;
    changes["password"] = password;
    return call("POST", "/oauth2/authorize", query(changes), {{"Cookie", "x=1; " + cookie}});
  }
  static std::map<std::string, std::string> answer_of(const http::Response& response) {
    const auto location = response.headers.get("Location").value_or("?");
    return http::parse_form(location.substr(location.find('?') + 1)).value();
  }
  http::Response redeem(const std::string& code, std::string verifier = std::string(kVerifier),
                        std::string client = "sallyport-cli") {
    return call("POST", "/oauth2/token",
                "grant_type=authorization_code&code=" + code + "&client_id=" + client +
                    "&redirect_uri=" + http::url_encode("http://127.0.0.1:43210/callback") +
                    "&code_verifier=" + verifier);
  }
  Json json(const http::Response& response) { return Json::parse(response.body, 1 << 20).value(); }
  auto verify(std::string token) {
    return reactor->run_to_end(authenticator->verify_token(std::move(token)));
  }

  testing::FixedClock clock;
  testing::MapFetcher fetcher;
  std::unique_ptr<net::Reactor> reactor = net::Reactor::make().value();
  std::unique_ptr<Issuer> issuer;
  std::unique_ptr<Authenticator> authenticator;
};

TEST_F(IssuerTest, DescribesItself) {
  const auto document = json(call("GET", "/.well-known/openid-configuration", ""));
  EXPECT_EQ(document.text("issuer"), "https://127.0.0.1:8443");
  EXPECT_EQ(document.member("response_types_supported")->array()->size(), 1U);
  EXPECT_EQ(document.member("code_challenge_methods_supported")->strings(),
            std::vector<std::string>{"S256"});
  EXPECT_EQ(document.member("scopes_supported")->array()->size(), 4U);
  const auto keys = call("GET", "/.well-known/jwks.json", "");
  EXPECT_EQ(parse_jwks(keys.body)->keys.size(), 1U);
}

TEST_F(IssuerTest, LogsAPersonInByCodeAndPkce) {
  const auto redirect = log_in("alice", "correct horse");
  ASSERT_EQ(redirect.status, 302) << redirect.body;
  auto answer = answer_of(redirect);
  EXPECT_EQ(answer["state"], "s t&ate");
  EXPECT_EQ(answer["iss"], "https://127.0.0.1:8443");
  const auto tokens = json(redeem(answer["code"]));
  ASSERT_TRUE(tokens.text("access_token"));
  const auto credential = verify(std::string(*tokens.text("access_token")));
  ASSERT_TRUE(credential.has_value()) << credential.error().detail;
  EXPECT_EQ(credential->chain.subject().id, "alice");
  EXPECT_EQ(credential->chain.subject().groups, std::vector<std::string>{"support"});
  EXPECT_EQ(credential->chain.subject().email, "alice@example.com");
  EXPECT_EQ(credential->authentication.authenticated_at, clock.now());
  EXPECT_EQ(credential->authentication.acr, "pwd");
  const auto id_token = parse_jws(*tokens.text("id_token")).value();
  const auto claims = Json::parse(id_token.payload, 1 << 16).value();
  EXPECT_EQ(claims.text("nonce"), "n0nce");
  EXPECT_EQ(claims.text("aud"), "sallyport-cli");
  EXPECT_FALSE(verify(std::string(*tokens.text("id_token"))).has_value());
}

TEST_F(IssuerTest, UsesACodeOnceAndOnlyForWhoAskedForIt) {
  auto code = answer_of(log_in("alice", "correct horse"))["code"];
  EXPECT_EQ(redeem(code, std::string(50, 'x')).status, 400);
  EXPECT_EQ(redeem(code).status, 400);  // the wrong try used it up
  code = answer_of(log_in("alice", "correct horse"))["code"];
  EXPECT_EQ(redeem(code, std::string(kVerifier), "console").status, 400);
  code = answer_of(log_in("alice", "correct horse"))["code"];
  clock.advance(seconds(60));
  EXPECT_EQ(redeem(code).status, 400);
  code = answer_of(log_in("alice", "correct horse"))["code"];
  EXPECT_EQ(redeem(code).status, 200);
  EXPECT_EQ(redeem(code).status, 400);
}

TEST_F(IssuerTest, SaysTheSameForAWrongPasswordAndAnUnknownUser) {
  const auto wrong = log_in("alice", "wrong");
  const auto unknown = log_in("mallory", "wrong");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_NE(wrong.body.find("User name or password is wrong."), std::string::npos);
  EXPECT_NE(unknown.body.find("User name or password is wrong."), std::string::npos);
}

TEST_F(IssuerTest, SlowsGuessingDownAndLetsGoAgain) {
  for (int i = 0; i < 5; ++i) (void)log_in("alice", "wrong");
  EXPECT_NE(log_in("alice", "correct horse").body.find("Too many attempts"), std::string::npos);
  clock.advance(Attempts::kWindow);
  EXPECT_EQ(log_in("alice", "correct horse").status, 302);
}

TEST(NetworkOf, IsThe64OfIpv6AndTheWholeAddressElse) {
  EXPECT_EQ(network_of("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(network_of("2001:db8::1"), network_of("2001:db8:0:0:ffff::2"));
  EXPECT_NE(network_of("2001:db8::1"), network_of("2001:db8:0:1::1"));
}

TEST_F(IssuerTest, SendsNothingToAnAddressThatIsNotRegistered) {
  for (const std::string bad :
       {"https://evil.example/callback", "http://127.0.0.1:1/other",
        "http://127.0.0.1.evil/callback", "http://127.0.0.1:1@evil.example/callback",
        "http://127.0.0.1:x/callback", "", "http://127.0.0.1:1/callback#x",
        "http://127.0.0.1:1/callback?x=1", "http://127.0.0.1:1/callback\r\nX: y"}) {
    const auto response = call("GET", "/oauth2/authorize", query({{"redirect_uri", bad}}));
    EXPECT_EQ(response.status, 400) << bad;
    EXPECT_FALSE(response.headers.get("Location")) << bad;
  }
  EXPECT_EQ(call("GET", "/oauth2/authorize", query({{"client_id", "nobody"}})).status, 400);
  EXPECT_EQ(call("GET", "/oauth2/authorize",
                 query({{"client_id", "console"}, {"redirect_uri", "https://app.example/back"}}))
                .status,
            200);
}

TEST_F(IssuerTest, InsistsOnPkce) {
  for (const auto& change :
       std::vector<std::map<std::string, std::string>>{{{"code_challenge_method", "plain"}},
                                                       {{"code_challenge", ""}},
                                                       {{"response_type", "token"}}}) {
    const auto response = call("GET", "/oauth2/authorize", query(change));
    EXPECT_EQ(response.status, 302);
    EXPECT_TRUE(answer_of(response).contains("error"));
    EXPECT_EQ(answer_of(response)["iss"], "https://127.0.0.1:8443");
  }
}

TEST_F(IssuerTest, RefusesALoginFormFromAnotherPage) {
  const auto [cookie, csrf] = open_page("/oauth2/authorize", query());
  const auto form = [&](const std::string& value) {
    return query({{"username", "alice"}, {"password", "correct horse"}, {"csrf", value}});
  };
  EXPECT_EQ(call("POST", "/oauth2/authorize", form(csrf)).status, 400);
  EXPECT_EQ(call("POST", "/oauth2/authorize", form("x"), {{"Cookie", cookie}}).status, 400);
  EXPECT_EQ(call("POST", "/oauth2/authorize", form(""), {{"Cookie", cookie}}).status, 400);
  EXPECT_EQ(call("POST", "/oauth2/authorize", form(csrf), {{"Cookie", cookie}}).status, 302);
}

TEST_F(IssuerTest, ShowsPagesThatAreEscapedAndCannotBeFramed) {
  const auto page = call("GET", "/oauth2/authorize", query({{"state", "\"><script>"}}));
  EXPECT_EQ(page.body.find("<script"), std::string::npos);
  const auto policy = page.headers.get("Content-Security-Policy").value_or("");
  EXPECT_NE(policy.find("frame-ancestors 'none'"), std::string::npos);
  EXPECT_NE(policy.find("form-action 'self' http://127.0.0.1:43210;"), std::string::npos);
  const auto cookie = page.headers.get("Set-Cookie").value_or("");
  EXPECT_NE(cookie.find("HttpOnly; SameSite=Strict; Secure"), std::string::npos);
  EXPECT_NE(page.body.find("<label for=\"password\">"), std::string::npos);
}

TEST_F(IssuerTest, RefreshesOnceAndEndsTheFamilyOfAStolenToken) {
  const auto tokens = json(redeem(answer_of(log_in("alice", "correct horse"))["code"]));
  const auto refresh = [&](std::string_view token) {
    return call(
        "POST", "/oauth2/token",
        "grant_type=refresh_token&client_id=sallyport-cli&refresh_token=" + std::string(token));
  };
  const auto second = json(refresh(*tokens.text("refresh_token")));
  ASSERT_TRUE(second.text("refresh_token"));
  EXPECT_EQ(refresh(*tokens.text("refresh_token")).status, 400);
  EXPECT_EQ(refresh(*second.text("refresh_token")).status, 400);
}

TEST_F(IssuerTest, LogsADeviceIn) {
  const auto grant =
      json(call("POST", "/oauth2/device_authorization", "client_id=sallyport-cli&scope=openid"));
  const std::string poll =
      "grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id=sallyport-cli&device_"
      "code=" +
      std::string(*grant.text("device_code"));
  EXPECT_EQ(json(call("POST", "/oauth2/token", poll)).text("error"), "authorization_pending");
  EXPECT_EQ(json(call("POST", "/oauth2/token", poll)).text("error"), "slow_down");
  const auto [cookie, csrf] = open_page("/oauth2/device", "");
  std::string code(*grant.text("user_code"));
  EXPECT_EQ(code.size(), 9U);
  std::ranges::transform(code, code.begin(),
                         [](char c) { return static_cast<char>(std::tolower(c)); });
  const std::string form = "csrf=" + csrf + "&username=alice&password=correct+horse&user_code=";
  EXPECT_EQ(call("POST", "/oauth2/device", form + "XXXX-XXXX", {{"Cookie", cookie}}).status, 400);
  EXPECT_EQ(call("POST", "/oauth2/device", form + code, {{"Cookie", cookie}}).status, 200);
  clock.advance(seconds(10));
  const auto tokens = json(call("POST", "/oauth2/token", poll));
  ASSERT_TRUE(tokens.text("access_token"));
  EXPECT_TRUE(verify(std::string(*tokens.text("access_token"))).has_value());
  EXPECT_EQ(json(call("POST", "/oauth2/token", poll)).text("error"), "expired_token");
}

TEST_F(IssuerTest, ForgetsADeviceNobodyLoggedIn) {
  const auto grant = json(call("POST", "/oauth2/device_authorization", "client_id=sallyport-cli"));
  clock.advance(seconds(600));
  EXPECT_EQ(json(call("POST", "/oauth2/token",
                      "grant_type=urn:ietf:params:oauth:grant-type:device_code"
                      "&client_id=sallyport-cli&device_code=" +
                          std::string(*grant.text("device_code"))))
                .text("error"),
            "expired_token");
}

TEST_F(IssuerTest, GivesAnAgentItsOwnToken) {
  const std::string basic = "Basic " + to_base64(as_bytes("support-copilot:copilot%20secret"));
  const auto tokens = json(
      call("POST", "/oauth2/token", "grant_type=client_credentials", {{"Authorization", basic}}));
  ASSERT_TRUE(tokens.text("access_token"));
  const auto credential = verify(std::string(*tokens.text("access_token")));
  ASSERT_TRUE(credential.has_value()) << credential.error().detail;
  EXPECT_EQ(credential->chain.subject().kind, IdentityKind::agent);
  EXPECT_EQ(credential->chain.subject().id, "support-copilot");
  EXPECT_EQ(credential->chain.subject().owner, "alice");
  for (const std::string bad : {"client_id=support-copilot&client_secret=wrong",
                                "client_id=sallyport-cli&client_secret=", "client_id=alice"}) {
    EXPECT_EQ(call("POST", "/oauth2/token", "grant_type=client_credentials&" + bad).status, 401);
  }
}

TEST_F(IssuerTest, MintsTokensForTheDemoAndTellsWhoIsBehindOne) {
  const auto token = issuer->mint_token("alice", seconds(30 * 3600)).value();
  EXPECT_TRUE(verify(token).has_value());
  EXPECT_FALSE(issuer->mint_token("mallory", seconds(60)).has_value());
  const auto info = call("GET", "/oauth2/userinfo", "", {{"Authorization", "Bearer " + token}});
  EXPECT_EQ(json(info).text("name"), "Alice <Ash>");
  EXPECT_EQ(call("GET", "/oauth2/userinfo", "", {{"Authorization", "Bearer x.y.z"}}).status, 401);
  EXPECT_EQ(call("GET", "/oauth2/userinfo", "").status, 401);
  clock.advance(seconds(31 * 3600));
  EXPECT_EQ(call("GET", "/oauth2/userinfo", "", {{"Authorization", "Bearer " + token}}).status,
            401);
}

TEST_F(IssuerTest, RefusesRepeatedParameters) {
  EXPECT_EQ(call("POST", "/oauth2/token", "grant_type=refresh_token&grant_type=password").status,
            400);
  EXPECT_EQ(call("GET", "/oauth2/authorize", query() + "&state=2").status, 400);
  EXPECT_EQ(call("DELETE", "/oauth2/token", "").status, 405);
  EXPECT_EQ(call("GET", "/oauth2/nothing", "").status, 404);
}

TEST(IssuerOptionsCheck, KeepsUsersAgentsAndClientsApart) {
  testing::FixedClock clock;
  const auto fails = [&](BuiltinIssuerOptions options) {
    return !Issuer::create(std::move(options), SigningKey::generate(), clock, system_random());
  };
  const BuiltinIssuerOptions good{
      .url = "https://a.example", .audience = "x", .users = {{.name = "a"}}};
  EXPECT_FALSE(fails(good));
  auto bad = good;
  bad.agents = {{.client_id = "a", .secret = "long enough"}};
  EXPECT_TRUE(fails(bad));
  bad.agents = {{.client_id = "b", .secret = "short"}};
  EXPECT_TRUE(fails(bad));
  bad = good;
  bad.url = "https://a.example/path";
  EXPECT_TRUE(fails(bad));
  bad.url = "http://a.example";
  EXPECT_TRUE(fails(bad));
  bad = good;
  bad.clients = {{.client_id = std::string(kCliClient)}};
  EXPECT_TRUE(fails(bad));
}

TEST(Password, IsCheckedByArgon2id) {
  const auto hash = hash_password("secret", system_random());
  EXPECT_TRUE(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
  EXPECT_TRUE(check_password(hash, "secret"));
  EXPECT_FALSE(check_password(hash, "Secret"));
  EXPECT_FALSE(check_password("", ""));
  EXPECT_FALSE(check_password("$argon2i$v=19$m=16,t=2,p=1$AAAAAAAAAAA$AAAA", "secret"));
  EXPECT_FALSE(check_password("$argon2id$v=19$m=4000000,t=2,p=1$AAAAAAAAAAA$AAAA", "secret"));
  EXPECT_FALSE(check_password(hash, std::string(kPasswordBytesMax + 1, 'x')));
}

TEST(AttemptsCount, WhoCannotBeCountedHasToWait) {
  testing::FixedClock clock;
  Attempts attempts(clock);
  attempts.failed("first");
  clock.advance(std::chrono::seconds(10));
  for (std::size_t i = 1; i < Attempts::kKeysMax; ++i) attempts.failed("key " + std::to_string(i));
  EXPECT_EQ(attempts.wait("first", 2).count(), 0);  // has a place, and is below the limit
  EXPECT_EQ(attempts.wait("another", 2).count(), Attempts::kWindow.count() - 10);
  attempts.failed("another");
  EXPECT_GT(attempts.wait("another", 2).count(), 0);
  clock.advance(Attempts::kWindow - std::chrono::seconds(10));
  EXPECT_EQ(attempts.wait("another", 2).count(), 0);  // the first one's time is up
  attempts.failed("another");
  EXPECT_GT(attempts.wait("one more", 2).count(), 0);
}

TEST(SigningKeyFile, IsPrivateAndStays) {
  const std::string path = ::testing::TempDir() + random_hex(system_random(), 8) + ".pem";
  const auto made = SigningKey::load_or_create(path).value();
  EXPECT_EQ(SigningKey::load_or_create(path)->kid(), made.kid());
  std::filesystem::permissions(path, std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
  EXPECT_FALSE(SigningKey::load_or_create(path).has_value());
  ASSERT_EQ(std::remove(path.c_str()), 0);
}

}  // namespace
}  // namespace sallyport::identity

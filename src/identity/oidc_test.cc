// Against a third-party issuer that runs: tests/oidc/README.md says how.

#include <gtest/gtest.h>

#include <cstdlib>
#include <future>
#include <iostream>

#include "identity/authenticator.h"
#include "identity/json.h"
#include "net/reactor.h"

namespace sallyport::identity {
namespace {

using Kind = CredentialError::Kind;

TEST(OidcProvider, GivesTokensThatAreAcceptedOrRefusedAsTheyShould) {
  const char* issuer = std::getenv("SALLYPORT_OIDC_ISSUER");
  if (issuer == nullptr) {
    std::cout << "[  ABSENT  ] SALLYPORT_OIDC_ISSUER is not set: nothing was checked\n";
    return;
  }
  CurlFetcher fetcher;
  std::promise<Result<Fetched>> promise;
  fetcher.get(std::string(issuer) + "/test/tokens", "",
              [&](Result<Fetched> fetched) { promise.set_value(std::move(fetched)); });
  const auto page = promise.get_future().get();
  ASSERT_TRUE(page.has_value()) << page.error().detail;
  const auto tokens = Json::parse(page->body, 1 << 20).value();

  const auto reactor = net::Reactor::make().value();
  const auto authenticator = Authenticator::create({{.name = "oidc",
                                                     .url = issuer,
                                                     .audience = "https://gateway.example.com",
                                                     .agents = {{.client_id = "support-copilot"}}}},
                                                   system_clock(), fetcher)
                                 .value();
  const auto verify = [&](std::string_view name) {
    return reactor->run_to_end(
        authenticator->verify_token(std::string(tokens.text(name).value_or(""))));
  };

  for (const std::string_view name : {"good_es256", "good_rs256", "good_ps256", "good_eddsa"}) {
    const auto credential = verify(name);
    ASSERT_TRUE(credential.has_value()) << name << ": " << credential.error().detail;
    const Identity& who = credential->chain.subject();
    EXPECT_EQ(who.id, name == "good_eddsa" ? "bob" : "alice");
    EXPECT_EQ(who.groups.size(), 1U);
    EXPECT_FALSE(who.email.empty());
  }
  const std::vector<std::pair<std::string_view, Kind>> bad{
      {"expired", Kind::expired},
      {"wrong_audience", Kind::wrong_audience},
      {"wrong_issuer", Kind::unknown_issuer},
      {"unknown_key", Kind::unknown_key},
      {"wrong_signature", Kind::signature},
      {"none", Kind::algorithm},
      {"hs256_with_public_key", Kind::algorithm},
      {"impersonation", Kind::impersonation}};
  for (const auto& [name, kind] : bad) {
    const auto credential = verify(name);
    ASSERT_FALSE(credential.has_value()) << name;
    EXPECT_EQ(credential.error().kind, kind) << name << ": " << credential.error().detail;
    std::cout << "[ REFUSED  ] " << name << ": " << credential.error().to_string() << "\n";
  }
  EXPECT_EQ(authenticator->metrics()[0].second.fetches, 1U);
}

}  // namespace
}  // namespace sallyport::identity

#include "identity/tickets.h"

#include <gtest/gtest.h>

#include "identity/test_support.h"

namespace sallyport::identity {
namespace {

using std::chrono::seconds;

class TicketsTest : public ::testing::Test {
 protected:
  Credential credential(std::string user = "alice") {
    Identity identity{.id = user, .issuer = "https://i", .subject = user, .groups = {"support"}};
    Identity agent{.kind = IdentityKind::agent, .id = "copilot", .owner = "alice"};
    return {.chain = {.identities = {identity, agent}},
            .authentication = {.method = "jwt",
                               .acr = "mfa",
                               .authenticated_at = clock.now() - seconds(60),
                               .scopes = {"shop"},
                               .expires_at = clock.now() + seconds(3600)}};
  }
  /// A login with a password as a client does it; the credential it proves.
  Result<Credential> log_in(std::string user, std::string connection, std::string password) {
    auto verifier = tickets.verifier(user, connection);
    if (!verifier) return fail(verifier);
    ScramServer server(std::move(*verifier), {}, system_random());
    ScramClient client(std::move(password), {}, system_random());
    (void)client.choose({std::string(kScram)});
    auto answer = client.respond(server.first(kScram, client.first()).value());
    auto finished = server.finish(answer.value());
    if (!finished) return fail(finished);
    EXPECT_TRUE(client.verify(finished->message).has_value());
    return tickets.redeem(finished->id);
  }

  testing::FixedClock clock;
  std::unique_ptr<store::Database> database = store::Database::open(":memory:").value();
  store::TicketStore store = store::TicketStore::create(*database, system_random()).value();
  Tickets tickets{store, clock, system_random()};
};

TEST_F(TicketsTest, IsAPasswordForTheWholeChain) {
  const auto ticket = tickets.mint(credential(), "shop").value();
  EXPECT_TRUE(ticket.text.starts_with("spt_"));
  EXPECT_EQ(ticket.text.size(), 4U + 43U);
  EXPECT_EQ(ticket.user, "alice");
  EXPECT_EQ(ticket.expires_at, clock.now() + seconds(900));
  const auto proved = log_in("alice", "shop", ticket.text);
  ASSERT_TRUE(proved.has_value()) << proved.error().detail;
  ASSERT_EQ(proved->chain.identities.size(), 2U);
  EXPECT_EQ(proved->chain.subject().groups, std::vector<std::string>{"support"});
  EXPECT_EQ(proved->chain.actor().kind, IdentityKind::agent);
  EXPECT_EQ(proved->authentication.method, "ticket");
  EXPECT_EQ(proved->authentication.acr, "mfa");
  EXPECT_EQ(proved->authentication.authenticated_at, clock.now() - seconds(60));
  EXPECT_EQ(proved->authentication.expires_at, clock.now() + seconds(3600));
  EXPECT_EQ(proved->authentication.scopes, std::vector<std::string>{"shop"});
}

TEST_F(TicketsTest, WorksWhileOthersAreAliveToo) {
  std::vector<std::string> texts;
  for (int i = 0; i < 5; ++i) texts.push_back(tickets.mint(credential(), "shop")->text);
  for (const auto& text : texts) EXPECT_TRUE(log_in("alice", "shop", text).has_value());
}

TEST_F(TicketsTest, IsForOneUserAndOneConnection) {
  const auto text = tickets.mint(credential(), "shop")->text;
  EXPECT_FALSE(log_in("bob", "shop", text).has_value());
  EXPECT_FALSE(log_in("alice", "billing", text).has_value());
  EXPECT_FALSE(log_in("alice", "shop", text + "x").has_value());
  EXPECT_TRUE(tickets.redeem_text(text, "shop").has_value());
  EXPECT_FALSE(tickets.redeem_text(text, "billing").has_value());
  EXPECT_FALSE(tickets.redeem_text("spt_other", "shop").has_value());
}

TEST_F(TicketsTest, EndsInTime) {
  const auto text = tickets.mint(credential(), "shop")->text;
  clock.advance(seconds(899));
  EXPECT_TRUE(log_in("alice", "shop", text).has_value());
  clock.advance(seconds(1));
  EXPECT_FALSE(log_in("alice", "shop", text).has_value());
  EXPECT_FALSE(tickets.redeem_text(text, "shop").has_value());
}

TEST_F(TicketsTest, DoesNotOutliveTheTokenItCameFrom) {
  auto soon = credential();
  soon.authentication.expires_at = clock.now() + seconds(30);
  EXPECT_EQ(tickets.mint(soon, "shop")->expires_at, clock.now() + seconds(30));
  soon.authentication.expires_at = clock.now() + seconds(1);
  EXPECT_FALSE(tickets.mint(soon, "shop").has_value());
}

TEST_F(TicketsTest, TakesNewOptions) {
  auto glass = credential();
  glass.stated.break_glass = true;
  const auto ends = [&] {
    const auto text = tickets.mint(glass, "shop")->text;
    return tickets.redeem_text(text, "shop")->authentication.expires_at - clock.now();
  };
  EXPECT_EQ(ends(), seconds(3600));
  tickets.use({.ttl_s = seconds(60), .break_glass_s = seconds(120)});
  EXPECT_EQ(ends(), seconds(120));
  EXPECT_EQ(tickets.mint(credential(), "shop")->expires_at, clock.now() + seconds(60));
}

TEST_F(TicketsTest, IsNotBoundToTheKeyThatItsTokenWasBoundTo) {
  auto bound = credential();
  bound.authentication.sender_bound = true;
  const auto text = tickets.mint(bound, "shop")->text;
  EXPECT_FALSE(log_in("alice", "shop", text)->authentication.sender_bound);
  EXPECT_FALSE(tickets.redeem_text(text, "shop")->authentication.sender_bound);
}

TEST_F(TicketsTest, LooksTheSameForAUserNobodyKnows) {
  (void)tickets.mint(credential(), "shop").value();
  const auto known = tickets.verifier("alice", "shop").value();
  const auto unknown = tickets.verifier("mallory", "shop").value();
  EXPECT_EQ(unknown.salt, tickets.verifier("mallory", "shop")->salt);
  EXPECT_EQ(known.salt.size(), unknown.salt.size());
  EXPECT_NE(known.salt, unknown.salt);
  EXPECT_EQ(known.iterations, unknown.iterations);
  EXPECT_EQ(known.candidates.size(), unknown.candidates.size());
}

TEST_F(TicketsTest, LeavesNothingOfItsTextInTheStore) {
  const auto text = tickets.mint(credential(), "shop")->text;
  const auto rows = database->run("select * from ticket").value();
  ASSERT_EQ(rows.size(), 1U);
  for (const auto& value : rows[0]) {
    if (const auto* stored = std::get_if<std::string>(&value)) {
      EXPECT_EQ(stored->find(text.substr(4, 20)), std::string::npos);
    }
    if (const auto* bytes = std::get_if<ByteVector>(&value)) {
      EXPECT_EQ(as_text(*bytes).find(text.substr(4, 20)), std::string::npos);
    }
  }
}

TEST(Credential, IsRefusedWhenItsTextIsDamaged) {
  for (
      const std::string_view bad :
      {"", "{}", R"({"chain":[]})", R"({"chain":[{"kind":"User","id":""}]})",
       R"({"chain":[{"kind":"Root","id":"a","groups":[]}],"scopes":[],"authenticated_us":0,"expires_us":0})"}) {
    EXPECT_FALSE(credential_from_json(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace sallyport::identity

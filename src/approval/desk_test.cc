// Requests for approval against a real store: what is the same request, who may say yes, how often
// it may be used.

#include "approval/desk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace sallyport::approval {
namespace {

using namespace std::chrono_literals;

const std::string here = "192.0.2.7";

class HandClock final : public Clock {
 public:
  WallTime now() const override { return now_; }
  SteadyTime steady() const override { return SteadyTime(now_.time_since_epoch()); }
  void pass(std::chrono::seconds time) { now_ += time; }

 private:
  WallTime now_{std::chrono::hours(500'000)};
};

Identity user(const std::string& id, std::vector<std::string> groups = {}) {
  return {.id = id,
          .issuer = "https://issuer.example.com",
          .subject = id,
          .display_name = id,
          .groups = std::move(groups)};
}

identity::Credential person(const std::string& id, std::vector<std::string> groups = {"dba"}) {
  return {.chain = {.identities = {user(id, std::move(groups))}}};
}

class DeskTest : public testing::Test {
 protected:
  DeskTest() {
    session_.connection = "shop";
    session_.database = "shop";
    session_.protocol = "postgres";
    session_.chain.identities = {user("alice"),
                                 {.kind = IdentityKind::agent,
                                  .id = "copilot",
                                  .issuer = "https://issuer.example.com",
                                  .subject = "copilot",
                                  .owner = "olga"}};
    command_.kind = "query";
    command_.text = "delete from orders";
    command_.actions = {{"sql:delete", {"Table", "shop/shop/public/orders"}}};
    command_.context = SqlContext{.kind = "delete", .hash = "00ff"};
    hold_ = {.kind = "statement",
             .routes = {{.policy = "p", .approvers = {"dba"}, .quorum = 2, .ttl = 600s}}};
  }

  Request ask() {
    auto request = desk().ask(session_, command_, hold_, bound_);
    EXPECT_TRUE(request) << request.error().detail;
    return *request;
  }
  std::string refused(const Result<Request>& result) {
    EXPECT_FALSE(result.has_value());
    return result ? "" : result.error().detail;
  }
  Desk& desk() {
    if (!desk_) {
      desk_ = std::make_unique<Desk>(
          *database_, clock_, system_random(),
          [this](std::string_view event, const Request&, const std::string& who) {
            events_.push_back(std::string(event) + " " + who);
          },
          [this](const Request&, const Vote& vote) { return vote.voter != no_longer_; },
          DeskOptions{.record_vote = [this](std::string_view event, const Request& request,
                                            const std::string& who) -> Result<void> {
            if (disk_full_) return fail(Errc::unavailable, "the disk is full");
            recorded_.push_back(std::string(event) + " " + who + " " + request.votes.back().voter);
            return ok();
          }});
    }
    return *desk_;
  }

  std::unique_ptr<store::Database> database_ = *store::Database::open(":memory:");
  HandClock clock_;
  Session session_;
  Command command_;
  Hold hold_;
  std::vector<std::string> bound_{"public", "gateway"};
  std::vector<std::string> events_;
  std::vector<std::string> recorded_;
  bool disk_full_ = false;
  std::string no_longer_;
  std::unique_ptr<Desk> desk_;
};

TEST_F(DeskTest, AskingForTheSameAgainIsTheSameRequest) {
  const std::string id = ask().id;
  EXPECT_EQ(ask().id, id);
  EXPECT_EQ(events_, std::vector<std::string>{"requested alice via copilot"});
}

TEST_F(DeskTest, WhateverIsNotTheSameIsAnotherRequest) {
  const std::string id = ask().id;
  const auto is_another = [&](const std::string& what) { EXPECT_NE(ask().id, id) << what; };
  const auto session = session_;
  const auto command = command_;
  command_.text = "delete from orders ";
  is_another("text");
  command_ = command;
  command_.parameters = {{.value = "1"}};
  is_another("parameters");
  const std::string with_one = ask().id;
  command_.parameters = {{.value = std::nullopt}};
  EXPECT_NE(ask().id, with_one) << "NULL";
  command_.parameters = {{.value = "1", .binary = true}};
  EXPECT_NE(ask().id, with_one) << "binary";
  command_.parameters = {{.value = "1", .sent_binary = true}};
  EXPECT_NE(ask().id, with_one) << "the same bytes, sent as binary";
  command_ = command;
  command_.actions.push_back({"sql:select", {"Table", "shop/shop/public/people"}});
  is_another("actions");
  command_ = command;
  command_.safeguards = {{{"reveal", {"Column", "shop/shop/public/orders/total"}}, "redact"}};
  is_another("safeguards");
  command_ = command;
  bound_ = {"evil, public", "gateway"};
  is_another("search_path");
  bound_ = {"publicgateway", ""};
  is_another("where one text ends");
  bound_ = {"public", "gateway"};
  session_.database = "archive";
  is_another("database");
  session_ = session;
  session_.connection = "other";
  is_another("connection");
  session_ = session;
  session_.chain.identities.pop_back();
  is_another("chain");
  session_ = session;
  session_.chain.identities[0].issuer = "https://other.example.com";
  is_another("issuer");
}

TEST_F(DeskTest, QuorumCountsPeopleAndOnlyOfTheRoute) {
  const Request request = ask();
  EXPECT_EQ(request.votes_missing(), 2u);
  EXPECT_FALSE(desk().approval_of(request, hold_.routes, command_));
  auto after = desk().vote(request.id, person("bob"), true, "fine", here);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->state, State::pending);
  EXPECT_EQ(refused(desk().vote(request.id, person("bob"), true, "", here)),
            "you have voted on it before");
  // Someone from elsewhere is recorded and does not count.
  after = desk().vote(request.id, person("eve", {"sales"}), true, "", here);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->votes_missing(), 1u);
  after = desk().vote(request.id, person("carol"), true, "", here);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->state, State::approved);
  const auto approval = desk().approval_of(*after, hold_.routes, command_);
  ASSERT_TRUE(approval);
  EXPECT_EQ(approval->bound_hash, "00ff");
  EXPECT_EQ(approval->expires, clock_.now() + 600s);
  EXPECT_EQ(events_.back(), "approved carol");
}

TEST_F(DeskTest, EveryRouteHasToSayYes) {
  hold_.routes.push_back({.policy = "q", .approvers = {"security"}, .quorum = 1, .ttl = 60s});
  const Request request = ask();
  (void)desk().vote(request.id, person("bob"), true, "", here);
  auto after = desk().vote(request.id, person("carol"), true, "", here);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->state, State::pending);
  after = desk().vote(request.id, person("sven", {"security"}), true, "", here);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->state, State::approved);
  EXPECT_EQ(after->ends_at, clock_.now() + 60s);
}

TEST_F(DeskTest, NobodyApprovesForHimself) {
  const std::string id = ask().id;
  EXPECT_EQ(refused(desk().vote(id, person("alice"), true, "", here)),
            "who asks, or is asked for, may not vote");
  EXPECT_EQ(refused(desk().vote(id, person("olga"), true, "", here)),
            "the owner of an agent may not vote on what it asks for");
  identity::Credential through = person("bob");
  through.chain.identities.push_back({.kind = IdentityKind::agent, .id = "other"});
  EXPECT_EQ(refused(desk().vote(id, through, true, "", here)), "nobody may vote through an agent");
  identity::Credential agent;
  agent.chain.identities = {{.kind = IdentityKind::agent, .id = "other"}};
  EXPECT_EQ(refused(desk().vote(id, agent, true, "", here)), "only people may vote");
}

TEST_F(DeskTest, APersonOfTwoNamesIsOne) {
  // What the issuer says of them tells who they are, however their id came about.
  const auto also = [](std::string id, const std::string& subject) {
    identity::Credential credential = person(id);
    credential.chain.identities[0].subject = subject;
    return credential;
  };
  const std::string id = ask().id;
  EXPECT_EQ(refused(desk().vote(id, also("alice@example.com", "alice"), true, "", here)),
            "who asks, or is asked for, may not vote");
  ASSERT_TRUE(desk().vote(id, person("bob"), true, "", here));
  EXPECT_EQ(refused(desk().vote(id, also("bob@example.com", "bob"), true, "", here)),
            "you have voted on it before");
  identity::Credential another = also("bob@example.com", "bob");
  another.chain.identities[0].issuer = "https://other.example.com";
  EXPECT_TRUE(desk().vote(id, another, true, "", here));
}

TEST_F(DeskTest, AVoteThatIsNotOnRecordDoesNotCount) {
  hold_.routes[0].quorum = 1;
  const std::string id = ask().id;
  disk_full_ = true;
  for (const bool approve : {true, false}) {
    const auto voted = desk().vote(id, person("bob"), approve, "", here);
    ASSERT_FALSE(voted);
    EXPECT_EQ(voted.error().code, Errc::unavailable);
  }
  EXPECT_EQ((*desk().find(id))->state, State::pending);
  EXPECT_TRUE((*desk().find(id))->votes.empty());
  disk_full_ = false;
  EXPECT_EQ(desk().vote(id, person("bob"), true, "", here)->state, State::approved);
  EXPECT_EQ(recorded_, std::vector<std::string>{"approved bob bob"});
}

TEST_F(DeskTest, OneNoDenies) {
  const std::string id = ask().id;
  (void)desk().vote(id, person("bob"), true, "", here);
  auto after = desk().vote(id, person("carol"), false, "not today", here);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->state, State::denied);
  EXPECT_EQ(after->closed_by, "carol");
  EXPECT_EQ(refused(desk().vote(id, person("dave"), true, "", here)), "it is denied already");
  EXPECT_NE(ask().id, id);
}

TEST_F(DeskTest, IsUsedOnce) {
  hold_.routes[0].quorum = 1;
  const std::string id = ask().id;
  EXPECT_FALSE(*desk().use(**desk().find(id)));
  (void)desk().vote(id, person("bob"), true, "", here);
  EXPECT_TRUE(*desk().use(**desk().find(id)));
  EXPECT_FALSE(*desk().use(**desk().find(id)));
  EXPECT_EQ((*desk().find(id))->state, State::consumed);
  EXPECT_NE(ask().id, id);
}

TEST_F(DeskTest, IsUsedOnceHoweverManyTryAtOnce) {
  hold_.routes[0].quorum = 1;
  for (int round = 0; round < 20; ++round) {
    const std::string id = ask().id;
    (void)desk().vote(id, person("bob"), true, "", here);
    std::atomic<int> used = 0;
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] { used += *desk().use(**desk().find(id)) ? 1 : 0; });
      }
    }
    ASSERT_EQ(used, 1);
  }
}

TEST_F(DeskTest, AListIsForEachOfItsStatementsOnceAndInOrder) {
  hold_.kind = "list";
  hold_.routes[0].quorum = 1;
  const auto statement = [&](const std::string& text) {
    Command one = command_;
    one.text = text;
    return one;
  };
  std::vector<std::string> items;
  for (const char* const text : {"alter a", "alter b", "alter a"}) {
    items.push_back(hash_of(session_, statement(text), "list", bound_));
  }
  command_.text = "alter a; alter b; alter a";
  const auto asked = desk().ask(session_, command_, hold_, bound_, {.items = items});
  ASSERT_TRUE(asked);
  const auto next = [&](const std::string& text) {
    return *desk().next_of_list(session_, statement(text), bound_);
  };
  EXPECT_FALSE(next("alter a")) << "nobody has said yes";
  (void)desk().vote(asked->id, person("bob"), true, "", here);
  EXPECT_FALSE(next("alter b")) << "not yet";
  const auto first = next("\n alter a;\n");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->id, asked->id);
  // Two that both saw it as the next: only one of them runs, and uses nothing of the second.
  EXPECT_TRUE(*desk().use(*first));
  EXPECT_FALSE(*desk().use(*first));
  EXPECT_FALSE(next("alter a")) << "once";
  EXPECT_FALSE(next("alter b /* */")) << "another text";
  bound_ = {"evil", "gateway"};
  EXPECT_FALSE(next("alter b")) << "another search_path";
  bound_ = {"public", "gateway"};
  session_.chain.identities.pop_back();
  EXPECT_FALSE(next("alter b")) << "another chain";
  session_.chain.identities = asked->requester.chain.identities;
  for (const char* const text : {"alter b", "alter a"}) EXPECT_TRUE(*desk().use(*next(text)));
  EXPECT_FALSE(next("alter a"));
  EXPECT_EQ((*desk().find(asked->id))->state, State::consumed);
}

TEST_F(DeskTest, AListEndsAsAWhole) {
  hold_.kind = "list";
  hold_.routes[0].quorum = 1;
  const std::string item = hash_of(session_, command_, "list", bound_);
  const auto asked = desk().ask(session_, command_, hold_, bound_, {.items = {item, item}});
  (void)desk().vote(asked->id, person("bob"), true, "", here);
  const auto next = *desk().next_of_list(session_, command_, bound_);
  ASSERT_TRUE(next);
  ASSERT_TRUE(desk().withdraw(asked->id, "bob"));
  EXPECT_FALSE(*desk().use(*next));
  EXPECT_FALSE(*desk().next_of_list(session_, command_, bound_));
}

TEST_F(DeskTest, AWindowIsForTheSameActionsAndManyUses) {
  hold_.kind = "window";
  hold_.routes[0].quorum = 1;
  const std::string id = ask().id;
  command_.text = "delete from orders where id = 1";
  EXPECT_EQ(ask().id, id);
  (void)desk().vote(id, person("bob"), true, "", here);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(*desk().use(**desk().find(id))) << i;
  EXPECT_FALSE(*desk().use(**desk().find(id)));
}

TEST_F(DeskTest, TimeEndsIt) {
  hold_.routes[0].quorum = 1;
  const std::string expired = ask().id;
  clock_.pass(901s);
  EXPECT_EQ(refused(desk().vote(expired, person("bob"), true, "", here)), "it is expired already");
  const std::string lapsed = ask().id;
  EXPECT_NE(lapsed, expired);
  auto approved = desk().vote(lapsed, person("bob"), true, "", here);
  ASSERT_TRUE(approved);
  clock_.pass(601s);
  EXPECT_FALSE(desk().approval_of(*approved, hold_.routes, command_));
  EXPECT_FALSE(*desk().use(**desk().find(lapsed)));
  EXPECT_EQ((*desk().find(lapsed))->state, State::lapsed);
}

TEST_F(DeskTest, LivesNoLongerThanTheCredentialOfWhoAsked) {
  hold_.routes[0].quorum = 1;
  session_.authentication.expires_at = clock_.now() + 30s;
  const auto approved = desk().vote(ask().id, person("bob"), true, "", here);
  ASSERT_TRUE(approved);
  EXPECT_EQ(approved->ends_at, clock_.now() + 30s);
}

TEST_F(DeskTest, AVoteOfSomebodyWhoMayNotVoteAnyMoreDoesNotCount) {
  const Request request = ask();
  (void)desk().vote(request.id, person("bob"), true, "", here);
  const auto approved = desk().vote(request.id, person("carol"), true, "", here);
  ASSERT_TRUE(approved);
  ASSERT_TRUE(desk().approval_of(*approved, hold_.routes, command_));
  no_longer_ = "carol";
  EXPECT_FALSE(desk().approval_of(*approved, hold_.routes, command_));
}

TEST_F(DeskTest, WhoHasToSayYesIsForThePoliciesOfNow) {
  const Request request = ask();
  (void)desk().vote(request.id, person("bob"), true, "", here);
  const auto approved = desk().vote(request.id, person("carol"), true, "", here);
  ASSERT_TRUE(approved);
  hold_.routes[0].quorum = 3;
  EXPECT_FALSE(desk().approval_of(*approved, hold_.routes, command_));
  EXPECT_NE(ask().id, request.id);
  EXPECT_EQ((*desk().find(request.id))->state, State::revoked);
}

TEST_F(DeskTest, WhatNobodyWouldReadIsNotAskedFor) {
  command_.text = "select '" + std::string(256 * 1024, 'x') + "'";
  EXPECT_EQ(refused(desk().ask(session_, command_, hold_, bound_)),
            "it is longer than anybody would read");
}

TEST_F(DeskTest, ExpiredOnesAreNotInTheWay) {
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 20; ++i) {
      command_.text = "delete from orders where id = " + std::to_string(i);
      (void)ask();
    }
    clock_.pass(901s);
  }
}

TEST_F(DeskTest, ThereIsALimitByTheHourAndAnEndToKeepingThem) {
  for (int i = 0; i < 200; ++i) {
    command_.text = "delete from orders where id = " + std::to_string(i);
    (void)desk().withdraw(ask().id, "alice");
  }
  command_.text = "delete from orders";
  EXPECT_EQ(refused(desk().ask(session_, command_, hold_, bound_)),
            "too many requests for approval within an hour");
  EXPECT_EQ(desk().list(std::nullopt, true)->size(), 200u);
  EXPECT_EQ(desk().list(State::pending)->size(), 0u);
  clock_.pass(std::chrono::hours(24 * 91));
  (void)ask();
  EXPECT_EQ(desk().list(std::nullopt, true)->size(), 1u);
}

TEST_F(DeskTest, CanBeWithdrawn) {
  hold_.routes[0].quorum = 1;
  std::string id = ask().id;
  EXPECT_EQ(desk().withdraw(id, "alice")->state, State::cancelled);
  id = ask().id;
  (void)desk().vote(id, person("bob"), true, "", here);
  EXPECT_EQ(desk().withdraw(id, "bob")->state, State::revoked);
  EXPECT_FALSE(*desk().use(**desk().find(id)));
  EXPECT_EQ(refused(desk().withdraw(id, "bob")), "it is revoked already");
  EXPECT_EQ(refused(desk().withdraw("apr_none", "bob")), "there is no such request");
}

TEST_F(DeskTest, SurvivesARestart) {
  hold_.routes[0].quorum = 1;
  command_.parameters = {{.value = "1"}, {.value = std::nullopt}};
  const Request before = ask();
  (void)desk().vote(before.id, person("bob"), true, "fine", here);
  desk_.reset();
  const auto after = desk().find(before.id);
  ASSERT_TRUE(after && *after);
  EXPECT_EQ((*after)->state, State::approved);
  EXPECT_EQ((*after)->text, before.text);
  EXPECT_EQ((*after)->parameters.size(), 2u);
  EXPECT_EQ((*after)->actions, before.actions);
  EXPECT_EQ((*after)->requester.chain.to_string(), "alice via copilot");
  EXPECT_EQ((*after)->votes.at(0).reason, "fine");
  EXPECT_TRUE(*desk().use(**desk().find(before.id)));
}

TEST_F(DeskTest, WhatEndsByItselfIsToldOnce) {
  hold_.routes[0].quorum = 1;
  const std::string approved = ask().id;
  (void)desk().vote(approved, person("bob"), true, "", here);
  command_.text = "delete from orders where id = 1";
  const std::string pending = ask().id;
  events_.clear();
  desk().sweep();
  EXPECT_EQ(events_, std::vector<std::string>{});
  clock_.pass(1000s);
  EXPECT_EQ((*desk().find(pending))->state, State::expired);  // already before the sweep
  desk().sweep();
  desk().sweep();
  std::ranges::sort(events_);
  EXPECT_EQ(events_, (std::vector<std::string>{"expired ", "lapsed "}));
  EXPECT_EQ(desk().list(State::expired)->size(), 1u);
  EXPECT_EQ(desk().list(std::nullopt)->size(), 0u);
}

TEST_F(DeskTest, WhatAnApproverIsShownIsKept) {
  command_.parameters = {{.value = "AAAAKg==", .binary = true}, {.value = "x"}};
  command_.safeguards = {{.action = {"reveal", {"Column", "c"}}, .effect = "partial"}};
  auto asked = desk().ask(session_, command_, hold_, bound_,
                          {.estimate = "about 3 rows", .shown = {"42", ""}});
  ASSERT_TRUE(asked) << asked.error().detail;
  (void)desk().vote(asked->id, person("bob"), true, "", here);
  const Request found = **desk().find(asked->id);
  EXPECT_EQ(found.estimate, "about 3 rows");
  EXPECT_EQ(found.shown, (std::vector<std::string>{"42", ""}));
  ASSERT_EQ(found.safeguards.size(), 1u);
  EXPECT_EQ(found.safeguards[0].effect, "partial");
  EXPECT_EQ(found.votes.at(0).address, here);
  // It changes nothing of what is approved.
  EXPECT_EQ(ask().id, asked->id);
}

TEST_F(DeskTest, OneChainCannotFillTheDesk) {
  for (int i = 0; i < 20; ++i) {
    command_.text = "delete from orders where id = " + std::to_string(i);
    (void)ask();
  }
  command_.text = "delete from orders";
  EXPECT_EQ(refused(desk().ask(session_, command_, hold_, bound_)),
            "too many requests for approval wait already");
  session_.chain.identities[0].id = "zoe";
  (void)ask();
}

}  // namespace
}  // namespace sallyport::approval

#include "net/reactor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "net/both.h"
#include "net/helpers.h"
#include "net/signal.h"

namespace sallyport::net {
namespace {

using namespace std::chrono_literals;

// The tests of loops run over both kernels; those of what stands on one need no kernel in
// particular.
class ReactorTest : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    const auto choice = choose_backend(GetParam());
    if (!choice) GTEST_SKIP() << "not on this machine: " << choice.error().detail;
  }
  static std::unique_ptr<Reactor> make_reactor() { return Reactor::make(GetParam()).value(); }
};

std::unique_ptr<Reactor> make_reactor() {
  return Reactor::make().value();
}
SteadyTime in(std::chrono::nanoseconds duration) {
  return std::chrono::steady_clock::now() + duration;
}

Task<int> number(int value) {
  co_return value;
}

Task<void> say(std::string word, std::vector<std::string>& log, int times) {
  for (int i = 0; i < times; ++i) {
    log.push_back(word);
    co_await Reactor::current().yield();
  }
}

Task<void> say_later(std::string word, std::vector<std::string>& log,
                     std::chrono::milliseconds delay) {
  co_await Reactor::current().sleep_for(delay);
  log.push_back(word);
}

Task<void> throw_it() {
  co_await Reactor::current().yield();
  throw std::runtime_error("a bug in one session");
}

/// Logs when its frame goes.
struct Tombstone {
  std::string name;
  std::vector<std::string>& log;
  ~Tombstone() { log.push_back(name); }
};

Task<void> wait_for_ever(std::string name, std::vector<std::string>& log, Signal& never) {
  const Tombstone tombstone{name, log};
  co_await never.wait();
}

Task<void> spawn_when_destroyed_task(std::vector<std::string>& log, Signal& never) {
  struct SpawnsAgain {
    std::vector<std::string>& log;
    Signal& never;
    ~SpawnsAgain() { Reactor::current().spawn("late", wait_for_ever("late", log, never)); }
  };
  const SpawnsAgain again{log, never};
  co_await never.wait();
}

TEST_P(ReactorTest, RunsATaskToItsEnd) {
  auto reactor = make_reactor();
  EXPECT_EQ(reactor->run_to_end(number(7)), 7);
  EXPECT_EQ(reactor->run_to_end(number(8)), 8);
}

TEST_P(ReactorTest, YieldLetsOthersRun) {
  std::vector<std::string> log;
  auto reactor = make_reactor();
  reactor->spawn("a", say("a", log, 3));
  reactor->run_to_end(say("b", log, 3));
  EXPECT_EQ(log, (std::vector<std::string>{"a", "b", "a", "b", "a", "b"}));
}

TEST_P(ReactorTest, SleepsInOrderOfTheDeadlines) {
  std::vector<std::string> log;
  auto reactor = make_reactor();
  reactor->spawn("30", say_later("30", log, 30ms));
  reactor->spawn("10", say_later("10", log, 10ms));
  reactor->spawn("20", say_later("20", log, 20ms));
  const SteadyTime start = std::chrono::steady_clock::now();
  reactor->run_to_end(say_later("40", log, 40ms));
  EXPECT_GE(std::chrono::steady_clock::now() - start, 40ms);
  EXPECT_EQ(log, (std::vector<std::string>{"10", "20", "30", "40"}));
}

TEST_P(ReactorTest, AnExceptionEndsOnlyItsTask) {
  std::vector<std::string> log;
  auto reactor = make_reactor();
  reactor->spawn("bug", throw_it());
  reactor->run_to_end(say_later("alive", log, 5ms));
  EXPECT_EQ(log.size(), 1u);
  EXPECT_EQ(reactor->spawned(), 0u);
}

TEST_P(ReactorTest, RunToEndRethrows) {
  auto reactor = make_reactor();
  EXPECT_THROW(reactor->run_to_end(throw_it()), std::runtime_error);
}

TEST_P(ReactorTest, DestroysPendingTasksInTheOrderTheyWereSpawned) {
  std::vector<std::string> log;
  Signal never;
  auto reactor = make_reactor();
  for (const char* name : {"first", "second", "third"}) {
    reactor->spawn(name, wait_for_ever(name, log, never));
  }
  reactor->run_to_end(number(0));
  EXPECT_EQ(reactor->spawned(), 3u);
  EXPECT_TRUE(log.empty());
  reactor.reset();
  EXPECT_EQ(log, (std::vector<std::string>{"first", "second", "third"}));
}

TEST_P(ReactorTest, ATaskThatWasNeverStartedIsDestroyedToo) {
  std::vector<std::string> log;
  Signal never;
  auto reactor = make_reactor();
  reactor->spawn("x", wait_for_ever("x", log, never));
  reactor.reset();
  EXPECT_TRUE(log.empty());  // its body never ran; the sanitizer sees whether its frame went
}

TEST_P(ReactorTest, SpawningWhileItIsDestroyedLeaksNothing) {
  std::vector<std::string> log;
  Signal never;
  auto reactor = make_reactor();
  reactor->spawn("x", spawn_when_destroyed_task(log, never));
  reactor->run_to_end(number(0));
  reactor.reset();
  EXPECT_TRUE(log.empty());
}

TEST_P(ReactorTest, PostsFromManyThreadsAllArriveInOrderPerThread) {
  constexpr int threads = 4;
  constexpr int jobs = 5000;
  auto reactor = make_reactor();
  std::vector<int> last(threads, -1);
  int arrived = 0;
  std::vector<std::thread> senders;
  for (int t = 0; t < threads; ++t) {
    senders.emplace_back([&, t] {
      for (int i = 0; i < jobs; ++i) {
        reactor->post([&, t, i] {
          EXPECT_EQ(last[static_cast<std::size_t>(t)], i - 1);
          last[static_cast<std::size_t>(t)] = i;
          if (++arrived == threads * jobs) reactor->stop();
        });
      }
    });
  }
  reactor->run();
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(arrived, threads * jobs);
}

TEST_P(ReactorTest, StopWakesALoopThatSleeps) {
  auto reactor = make_reactor();
  std::thread stopper([&] {
    std::this_thread::sleep_for(20ms);
    reactor->stop();
  });
  reactor->run();
  stopper.join();
}

TEST_P(ReactorTest, APosterMayOutliveItsReactor) {
  auto reactor = make_reactor();
  const Poster poster = reactor->poster();
  bool ran = false;
  EXPECT_TRUE(poster.post([&] { ran = true; }));
  reactor.reset();
  EXPECT_FALSE(poster.post([&] { ran = true; }));
  EXPECT_FALSE(ran);
}

TEST_P(ReactorTest, AJobThatThrowsDoesNotEndTheLoop) {
  auto reactor = make_reactor();
  reactor->post([] { throw std::runtime_error("bad job"); });
  EXPECT_EQ(reactor->run_to_end(number(1)), 1);
}

TEST(Timer, MayBeMovedCancelledAndDestroyed) {
  auto reactor = make_reactor();
  std::vector<std::string> log;
  Timer moved_later(reactor->timers(), [&] { log.push_back("later"); });
  Timer moved_earlier(reactor->timers(), [&] { log.push_back("earlier"); });
  Timer cancelled(reactor->timers(), [&] { log.push_back("cancelled"); });
  auto destroyed = std::make_unique<Timer>(reactor->timers(), [&] { log.push_back("destroyed"); });
  moved_later.arm(in(5ms));
  moved_later.arm(in(20ms));
  moved_earlier.arm(in(1h));
  moved_earlier.arm(in(10ms));
  cancelled.arm(in(5ms));
  cancelled.cancel();
  destroyed->arm(in(5ms));
  destroyed.reset();
  std::vector<std::string> ignored;
  reactor->run_to_end(say_later("", ignored, 40ms));
  EXPECT_EQ(log, (std::vector<std::string>{"earlier", "later"}));
}

TEST(Timer, AThousandFireInOrder) {
  TimerHeap heap;
  std::vector<int> fired;
  std::vector<std::unique_ptr<Timer>> timers;
  const SteadyTime start{};
  for (int i = 0; i < 1000; ++i) {
    const int at = (i * 7919) % 1000;
    timers.push_back(std::make_unique<Timer>(heap, [&fired, at] { fired.push_back(at); }));
    timers.back()->arm(start + std::chrono::milliseconds(at));
  }
  for (std::size_t i = 0; i < timers.size(); i += 3) timers[i].reset();
  heap.run_due(start + 499ms);
  EXPECT_TRUE(std::is_sorted(fired.begin(), fired.end()));
  EXPECT_LE(fired.back(), 499);
  heap.run_due(start + 10s);
  EXPECT_TRUE(std::is_sorted(fired.begin(), fired.end()));
  EXPECT_EQ(fired.size(), 666u);
  EXPECT_EQ(heap.size(), 0u);
}

Task<void> wait_and_log(Signal& signal, std::string name, std::vector<std::string>& log) {
  co_await signal.wait();
  log.push_back(name);
}

Task<void> notify_twice(Signal& signal, std::vector<std::string>& log) {
  signal.notify();
  log.push_back("notified");
  co_await Reactor::current().yield();
  co_await Reactor::current().yield();
  signal.notify();
}

TEST(Signal, WakesItsWaitersInOrderAndNeverInsideNotify) {
  std::vector<std::string> log;
  Signal signal;
  auto reactor = make_reactor();
  reactor->spawn("a", wait_and_log(signal, "a", log));
  reactor->spawn("b", wait_and_log(signal, "b", log));
  reactor->run_to_end(notify_twice(signal, log));
  EXPECT_EQ(log, (std::vector<std::string>{"notified", "a", "b"}));
}

Task<bool> wait_until(Signal& signal, SteadyTime deadline) {
  co_return co_await signal.wait_until(deadline);
}

Task<void> notify_after(Signal& signal, std::chrono::milliseconds delay) {
  co_await Reactor::current().sleep_for(delay);
  signal.notify();
}

TEST(Signal, WaitUntilTellsWhichCameFirst) {
  Signal signal;
  auto reactor = make_reactor();
  EXPECT_FALSE(reactor->run_to_end(wait_until(signal, in(10ms))));
  reactor->spawn("notify", notify_after(signal, 5ms));
  EXPECT_TRUE(reactor->run_to_end(wait_until(signal, in(10s))));
  EXPECT_FALSE(reactor->run_to_end(wait_until(signal, in(-1s))));
}

Task<void> locked_section(AsyncMutex& mutex, std::string name, std::vector<std::string>& log) {
  const auto guard = co_await mutex.lock();
  log.push_back(name + " in");
  co_await Reactor::current().sleep_for(2ms);
  log.push_back(name + " out");
}

Task<void> until_unlocked(AsyncMutex& mutex) {
  do {
    co_await Reactor::current().sleep_for(1ms);
  } while (mutex.locked());
}

TEST(AsyncMutex, IsFirstComeFirstServed) {
  std::vector<std::string> log;
  AsyncMutex mutex;
  auto reactor = make_reactor();
  for (const char* name : {"a", "b", "c"}) {
    reactor->spawn(name, locked_section(mutex, name, log));
  }
  reactor->run_to_end(until_unlocked(mutex));
  EXPECT_EQ(log, (std::vector<std::string>{"a in", "a out", "b in", "b out", "c in", "c out"}));
}

Task<void> hold_until(AsyncMutex& mutex, Signal& release) {
  const auto guard = co_await mutex.lock();
  co_await release.wait();
}

TEST(AsyncMutex, AWaiterThatGoesDoesNotKeepTheLock) {
  std::vector<std::string> log;
  AsyncMutex mutex;
  Signal release;
  {
    auto reactor = make_reactor();
    reactor->spawn("holder", hold_until(mutex, release));
    reactor->spawn("waiter", locked_section(mutex, "waiter", log));
    reactor->run_to_end(number(0));
    EXPECT_TRUE(mutex.locked());
  }
  EXPECT_FALSE(mutex.locked());
  EXPECT_TRUE(log.empty());
}

Task<int> number_later(int value, std::chrono::milliseconds delay) {
  co_await Reactor::current().sleep_for(delay);
  co_return value;
}

Task<int> fail_later(std::chrono::milliseconds delay) {
  co_await Reactor::current().sleep_for(delay);
  throw std::runtime_error("late");
}

TEST(Both, ReturnsBothResultsWhoeverIsLast) {
  auto reactor = make_reactor();
  using Pair = std::pair<int, int>;
  EXPECT_EQ(reactor->run_to_end(both(number(1), number(2))), Pair(1, 2));
  EXPECT_EQ(reactor->run_to_end(both(number_later(1, 4ms), number(2))), Pair(1, 2));
  EXPECT_EQ(reactor->run_to_end(both(number(1), number_later(2, 4ms))), Pair(1, 2));
  EXPECT_EQ(reactor->run_to_end(both(number_later(1, 4ms), number_later(2, 2ms))), Pair(1, 2));
}

TEST(Both, TakesTasksWithoutAValue) {
  std::vector<std::string> log;
  auto reactor = make_reactor();
  EXPECT_EQ(reactor->run_to_end(both(say("a", log, 2), number_later(2, 1ms))).second, 2);
  reactor->run_to_end(both(say("a", log, 2), say("b", log, 2)));
  EXPECT_EQ(log, (std::vector<std::string>{"a", "a", "a", "b", "a", "b"}));
}

TEST(Both, WaitsForTheOtherBeforeItRethrows) {
  std::vector<std::string> log;
  auto reactor = make_reactor();
  EXPECT_THROW(reactor->run_to_end(both(fail_later(1ms), say_later("done", log, 10ms))),
               std::runtime_error);
  EXPECT_EQ(log.size(), 1u);
}

TEST(Both, MayBeDestroyedWhileItWaits) {
  std::vector<std::string> log;
  Signal never;
  auto reactor = make_reactor();
  reactor->spawn("main", [](std::vector<std::string>& of, Signal& signal) -> Task<void> {
    co_await both(wait_for_ever("a", of, signal), wait_for_ever("b", of, signal));
  }(log, never));
  reactor->run_to_end(number_later(0, 1ms));
  reactor.reset();
  EXPECT_EQ(log, (std::vector<std::string>{"b", "a"}));
}

Task<int> ask_helper(int value) {
  auto result = co_await on_helper([value] { return value * 2; });
  co_return result.value();
}

TEST(Helpers, DoTheWorkOnAnotherThread) {
  auto reactor = make_reactor();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(reactor->run_to_end(ask_helper(i)), 2 * i);
}

struct Progress {
  std::atomic<bool> may_go = false;
  std::atomic<bool> gave = false;
};

Task<bool> give_up_on_helper(std::shared_ptr<Progress> progress) {
  Handover<int> answer;
  EXPECT_TRUE(run_on_helper([progress, giver = answer.giver()] {
    while (!progress->may_go) std::this_thread::sleep_for(1ms);
    giver.give(1);
    progress->gave = true;
  }));
  const auto value = co_await answer.wait_until(in(10ms));
  co_return value.has_value();
}

TEST(Helpers, AnAnswerThatComesAfterTheReactorIsDropped) {
  const auto progress = std::make_shared<Progress>();
  {
    auto reactor = make_reactor();
    EXPECT_FALSE(reactor->run_to_end(give_up_on_helper(progress)));
  }
  progress->may_go = true;
  while (!progress->gave) std::this_thread::sleep_for(1ms);
}

INSTANTIATE_TEST_SUITE_P(Kernel, ReactorTest, testing::Values(Backend::epoll, Backend::io_uring),
                         [](const auto& tested) {
                           return std::string(tested.param == Backend::epoll ? "Epoll" : "Uring");
                         });

}  // namespace
}  // namespace sallyport::net

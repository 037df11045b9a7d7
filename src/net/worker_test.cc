#include "net/worker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <set>
#include <thread>

#include "net/connect.h"
#include "net/listener.h"
#include "net/process_signals.h"

namespace sallyport::net {
namespace {

using namespace std::chrono_literals;

Task<void> echo(std::unique_ptr<Stream> stream) {
  for (;;) {
    auto chunk = co_await stream->read();
    if (!chunk) co_return;
    if (auto written = co_await stream->write(chunk->bytes()); !written) co_return;
  }
}

Task<void> serve(std::unique_ptr<Listener> listener, std::atomic<int>& accepted) {
  for (;;) {
    auto stream = co_await listener->accept();
    if (!stream) co_return;
    ++accepted;
    Reactor::current().spawn("echo", echo(std::move(*stream)));
  }
}

Task<bool> ping(std::uint16_t port) {
  auto stream = co_await connect("127.0.0.1", port, std::chrono::steady_clock::now() + 5s);
  if (!stream) co_return false;
  if (auto written = co_await (*stream)->write(as_bytes("ping")); !written) co_return false;
  auto chunk = co_await (*stream)->read();
  co_return chunk&& as_text(chunk->bytes()) == "ping";
}

class WorkersTest : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    const auto choice = choose_backend(GetParam());
    if (!choice) GTEST_SKIP() << "not on this machine: " << choice.error().detail;
  }
};

TEST_P(WorkersTest, ShareAPortAndServeEveryClient) {
  std::atomic<int> accepted = 0;
  std::uint16_t port = 0;  // written by the first worker before the second is set up
  auto workers = Workers::start(
      2,
      [&](std::size_t) -> Result<void> {
        auto listener = Listener::bind({"127.0.0.1", port});
        if (!listener) return fail(listener);
        port = (*listener)->port();
        Reactor::current().spawn("serve", serve(std::move(*listener), accepted));
        return ok();
      },
      GetParam());
  ASSERT_TRUE(workers.has_value());
  auto reactor = Reactor::make(GetParam()).value();
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(reactor->run_to_end(ping(port)));
  EXPECT_EQ(accepted, 50);
  (*workers)->stop();
  (*workers)->stop();
  EXPECT_FALSE(reactor->run_to_end(ping(port)));
}

TEST_P(WorkersTest, RunWhatIsPostedOnTheirOwnThread) {
  auto workers = Workers::start(3, [](std::size_t) { return ok(); }, GetParam());
  ASSERT_TRUE(workers.has_value());
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::atomic<int> ran = 0;
  for (std::size_t i = 0; i < 300; ++i) {
    (*workers)->post(i % 3, [&] {
      const std::lock_guard lock(mutex);
      threads.insert(std::this_thread::get_id());
      ++ran;
    });
  }
  while (ran < 300) std::this_thread::sleep_for(1ms);
  (*workers)->stop();
  EXPECT_EQ(threads.size(), 3u);
  EXPECT_EQ(threads.count(std::this_thread::get_id()), 0u);
}

TEST_P(WorkersTest, AFailedSetupStopsThemAll) {
  std::atomic<int> set_up = 0;
  auto workers = Workers::start(3, [&](std::size_t index) -> Result<void> {
    ++set_up;
    if (index == 1) return fail(Errc::io, "port in use");
    return ok();
  });
  ASSERT_FALSE(workers.has_value());
  EXPECT_EQ(workers.error().detail, "worker 1: port in use");
  EXPECT_EQ(set_up, 2);
}

// As main() must: before the first thread starts, here the helpers of other tests.
const bool blocked_first = [] {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGHUP);
  return ::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0;
}();

TEST(ProcessSignals, ArriveOnTheReactor) {
  ASSERT_TRUE(blocked_first);
  auto reactor = Reactor::make().value();
  std::vector<int> seen;
  auto signals = ProcessSignals::watch({SIGTERM, SIGHUP}, reactor->poster(), [&](int signal) {
    seen.push_back(signal);
    reactor->stop();
  });
  ASSERT_TRUE(signals.has_value());
  ::kill(::getpid(), SIGHUP);
  reactor->run();
  ::kill(::getpid(), SIGTERM);
  reactor->run();
  EXPECT_EQ(seen, (std::vector<int>{SIGHUP, SIGTERM}));
  EXPECT_FALSE(ProcessSignals::watch({-1}, reactor->poster(), [](int) {}).has_value());
}

INSTANTIATE_TEST_SUITE_P(Kernel, WorkersTest, testing::Values(Backend::epoll, Backend::io_uring),
                         [](const auto& tested) {
                           return std::string(tested.param == Backend::epoll ? "Epoll" : "Uring");
                         });

}  // namespace
}  // namespace sallyport::net

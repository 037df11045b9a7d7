// Real sockets on loopback, under every kernel this machine has.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "net/address.h"
#include "net/both.h"
#include "net/connect.h"
#include "net/descriptor.h"
#include "net/listener.h"
#include "net/reactor.h"
#include "net/signal.h"

namespace sallyport::net {
namespace {

using namespace std::chrono_literals;
using StreamPtr = std::unique_ptr<Stream>;

SteadyTime in(std::chrono::nanoseconds duration) {
  return std::chrono::steady_clock::now() + duration;
}

struct Connected {
  StreamPtr client;
  StreamPtr server;
};

Task<Connected> make_connected(Listener& listener) {
  auto made = co_await both(connect("127.0.0.1", listener.port(), in(5s)), listener.accept());
  co_return Connected{std::move(made.first.value()), std::move(made.second.value())};
}

Task<std::string> read_all(Stream& stream) {
  std::string all;
  for (;;) {
    auto chunk = co_await stream.read();
    if (!chunk) co_return all;
    all += as_text(chunk->bytes());
  }
}

Task<std::string> read_exactly(Stream& stream, std::size_t size) {
  std::string all;
  while (all.size() < size) {
    auto chunk = co_await stream.read();
    if (!chunk) break;
    all += as_text(chunk->bytes());
  }
  co_return all;
}

Task<Errc> read_error(Stream& stream) {
  auto chunk = co_await stream.read();
  co_return chunk ? Errc{} : chunk.error().code;
}

Task<Errc> write(Stream& stream, std::string text) {
  auto written = co_await stream.write(as_bytes(text));
  co_return written ? Errc{} : written.error().code;
}

Task<void> write_bytewise(Stream& stream, std::string text) {
  for (const char c : text) {
    EXPECT_EQ(co_await write(stream, std::string(1, c)), Errc{});
    co_await Reactor::current().yield();
  }
  stream.close();
}

Task<Errc> write_then_close(Stream& stream, std::string text) {
  const Errc outcome = co_await write(stream, std::move(text));
  stream.close();
  co_return outcome;
}

Task<void> close_after(Stream& stream, std::chrono::milliseconds delay) {
  co_await Reactor::current().sleep_for(delay);
  stream.close();
}

Task<void> echo(StreamPtr stream) {
  for (;;) {
    auto chunk = co_await stream->read();
    if (!chunk) co_return;
    if (auto written = co_await stream->write(chunk->bytes()); !written) co_return;
  }
}

Task<void> serve_echo(Listener& listener) {
  for (;;) {
    auto stream = co_await listener.accept();
    if (!stream) co_return;
    Reactor::current().spawn("echo", echo(std::move(*stream)));
  }
}

Task<Errc> accept_error(Listener& listener) {
  auto stream = co_await listener.accept();
  co_return stream ? Errc{} : stream.error().code;
}

Task<Result<StreamPtr>> connect_to(std::string host, std::uint16_t port,
                                   std::chrono::nanoseconds limit) {
  return connect(std::move(host), port, in(limit));
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + i / 251);
  return text;
}

class Tcp : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    auto reactor = Reactor::make(GetParam());
    if (!reactor) GTEST_SKIP() << "not on this machine: " << reactor.error().detail;
    reactor_ = std::move(*reactor);
    listener_ = Listener::bind({"127.0.0.1", 0}).value();
  }

  Connected connected() { return reactor_->run_to_end(make_connected(*listener_)); }
  // A task that a test has spawned and that has references into it must be done with them.
  template <class T>
  T run(Task<T> task) {
    return reactor_->run_to_end(std::move(task));
  }

  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<Listener> listener_;
};

TEST_P(Tcp, TellsThePeer) {
  const Connected pair = connected();
  EXPECT_EQ(pair.client->peer().ip, "127.0.0.1");
  EXPECT_EQ(pair.client->peer().port, listener_->port());
  EXPECT_EQ(pair.server->peer().ip, "127.0.0.1");
  EXPECT_NE(pair.server->peer().port, 0);
}

TEST_P(Tcp, CarriesBothWaysAtOnce) {
  const Connected pair = connected();
  const std::string up = pattern(3'000'000);
  const std::string down = pattern(2'000'001);
  auto result = run(both(both(write(*pair.client, up), read_exactly(*pair.client, down.size())),
                         both(write(*pair.server, down), read_exactly(*pair.server, up.size()))));
  EXPECT_EQ(result.first.first, Errc{});
  EXPECT_EQ(result.second.first, Errc{});
  EXPECT_TRUE(result.first.second == down);
  EXPECT_TRUE(result.second.second == up);
  EXPECT_EQ(reactor_->buffers().in_use(), 0u);
}

TEST_P(Tcp, TornWritesArriveWhole) {
  const Connected pair = connected();
  const std::string text = pattern(500);
  EXPECT_EQ(run(both(write_bytewise(*pair.client, text), read_all(*pair.server))).second, text);
  EXPECT_EQ(run(read_error(*pair.server)), Errc::closed);  // and stays so
}

TEST_P(Tcp, AnIdleStreamOwnsNoBuffer) {
  const Connected pair = connected();
  pair.server->set_read_deadline(in(10ms));
  EXPECT_EQ(run(read_error(*pair.server)), Errc::timeout);
  EXPECT_EQ(reactor_->buffers().in_use(), 0u);
}

Task<std::size_t> write_until_timeout(Stream& stream) {
  const std::string block(64 * 1024, 'x');
  std::size_t total = 0;
  for (;;) {
    stream.set_write_deadline(in(50ms));
    auto written = co_await stream.write(as_bytes(block));
    if (!written) {
      EXPECT_EQ(written.error().code, Errc::timeout);
      co_return total;
    }
    total += block.size();
  }
}

TEST_P(Tcp, AWriterWaitsForASlowReader) {
  const Connected pair = connected();
  const std::size_t total = run(write_until_timeout(*pair.client));
  EXPECT_LT(total, 32u * 1024 * 1024);  // what kernel buffers hold, not what the reader ignores
  EXPECT_LE(reactor_->buffers().in_use(), 8u);
  // What went out in part ends the stream: nothing may follow it.
  pair.client->set_write_deadline(std::nullopt);
  EXPECT_EQ(run(write(*pair.client, "more")), Errc::closed);
}

Task<std::string> read_slowly(Stream& stream) {
  std::string all;
  for (;;) {
    auto chunk = co_await stream.read();
    if (!chunk) co_return all;
    all += as_text(chunk->bytes());
    if (all.size() % 7 == 0) co_await Reactor::current().sleep_for(1ms);
  }
}

TEST_P(Tcp, NothingIsLostOnASlowReader) {
  const Connected pair = connected();
  const std::string text = pattern(8'000'000);
  EXPECT_TRUE(run(both(write_then_close(*pair.client, text), read_slowly(*pair.server))).second ==
              text);
}

TEST_P(Tcp, InputThatNobodyReadsDoesNotKeepTheLoopBusy) {
  const Connected pair = connected();
  EXPECT_EQ(run(write(*pair.client, "unread")), Errc{});
  rusage before{};
  rusage after{};
  ::getrusage(RUSAGE_THREAD, &before);
  run(close_after(*pair.client, 200ms));
  run(reactor_->sleep_for(200ms));  // now with the peer's end as well
  ::getrusage(RUSAGE_THREAD, &after);
  const auto used = [](const rusage& usage) {
    return std::chrono::seconds(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           std::chrono::microseconds(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  };
  EXPECT_LT(used(after) - used(before), 100ms);
  EXPECT_EQ(run(read_exactly(*pair.server, 6)), "unread");
  EXPECT_EQ(run(read_error(*pair.server)), Errc::closed);
}

TEST_P(Tcp, CloseWakesAPendingReadAndWrite) {
  const Connected pair = connected();
  reactor_->spawn("close", close_after(*pair.client, 20ms));
  const auto result =
      run(both(read_error(*pair.client), write(*pair.client, std::string(50'000'000, 'x'))));
  EXPECT_EQ(result.first, Errc::closed);
  EXPECT_EQ(result.second, Errc::closed);
  EXPECT_EQ(run(read_error(*pair.client)), Errc::closed);
  EXPECT_EQ(run(write(*pair.client, "x")), Errc::closed);
  pair.client->close();
}

Task<void> extend_deadline(Stream& stream, int times) {
  for (int i = 0; i < times; ++i) {
    stream.set_read_deadline(in(40ms));
    co_await Reactor::current().sleep_for(10ms);
  }
}

TEST_P(Tcp, ADeadlineMayBeMovedWhileAReadWaits) {
  const Connected pair = connected();
  const SteadyTime start = std::chrono::steady_clock::now();
  const auto result = run(both(read_error(*pair.server), extend_deadline(*pair.server, 8)));
  EXPECT_EQ(result.first, Errc::timeout);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 105ms);
}

TEST_P(Tcp, AReadMayBeTriedAgainAfterItsDeadline) {
  const Connected pair = connected();
  pair.server->set_read_deadline(in(5ms));
  EXPECT_EQ(run(read_error(*pair.server)), Errc::timeout);
  EXPECT_EQ(run(read_error(*pair.server)), Errc::timeout);
  pair.server->set_read_deadline(std::nullopt);
  EXPECT_EQ(run(both(read_exactly(*pair.server, 2), write(*pair.client, "ok"))).first, "ok");
}

TEST_P(Tcp, AnErrorMessageBeforeCloseSurvivesUnreadInput) {
  const Connected pair = connected();
  EXPECT_EQ(run(write(*pair.client, "input that the server never reads")), Errc{});
  run(reactor_->sleep_for(5ms));
  EXPECT_EQ(run(write_then_close(*pair.server, "refused: because")), Errc{});
  EXPECT_EQ(run(read_all(*pair.client)), "refused: because");
}

TEST_P(Tcp, WriteLastIsDeliveredBeforeTheEnd) {
  const Connected pair = connected();
  pair.server->write_last(as_bytes("bye"));
  pair.server->close();
  pair.server->write_last(as_bytes("too late"));
  EXPECT_EQ(run(read_all(*pair.client)), "bye");
}

TEST_P(Tcp, WritingToAResetConnectionFailsAndDoesNotKillUs) {
  Connected pair = connected();
  pair.server.reset();
  Errc outcome{};
  for (int i = 0; i < 100 && outcome == Errc{}; ++i) {
    outcome = run(write(*pair.client, "x"));
    run(reactor_->sleep_for(1ms));
  }
  EXPECT_EQ(outcome, Errc::closed);
}

Task<void> until_spawned(std::size_t left) {
  while (Reactor::current().spawned() > left) co_await Reactor::current().sleep_for(1ms);
}

/// As many buffers in use as make them scarce, as if by other sessions.
class ScarceBuffers {
 public:
  explicit ScarceBuffers(BufferPool& pool) : pool_(pool) {
    while (!pool.scarce()) taken_.push_back(pool.take());
  }
  ScarceBuffers(const ScarceBuffers&) = delete;
  ~ScarceBuffers() {
    for (std::byte* const buffer : taken_) pool_.give_back(buffer);
  }
  std::size_t size() const { return taken_.size(); }

 private:
  BufferPool& pool_;
  std::vector<std::byte*> taken_;
};

TEST_P(Tcp, IsReadAndWrittenHoweverManyBuffersOthersHold) {
  const Connected pair = connected();
  const ScarceBuffers others(reactor_->buffers());
  const std::string text = pattern(3'000'000);
  EXPECT_TRUE(run(both(write_then_close(*pair.client, text), read_slowly(*pair.server))).second ==
              text);
}

Task<void> flood(Stream& stream) {
  const std::string block(64 * 1024, 'x');
  while (co_await stream.write(as_bytes(block))) {
  }
}

Task<void> read_a_little(Stream& stream) {
  (void)co_await stream.read();
}

// Each has been read once, so that its kernel half receives, and then no more.
TEST_P(Tcp, AStreamThatIsNotReadHoldsFewBuffers) {
  constexpr std::size_t streams = 40;
  std::vector<Connected> pairs;
  for (std::size_t i = 0; i < streams; ++i) pairs.push_back(connected());
  for (Connected& pair : pairs) {
    reactor_->spawn("flood", flood(*pair.client));
    run(read_a_little(*pair.server));
  }
  run(reactor_->sleep_for(100ms));
  // 64 KiB and what one turn brings on top of that before the kernel hears of it.
  constexpr std::size_t each_max = 4 + 34;
  EXPECT_LE(reactor_->buffers().in_use(), streams * each_max);
  const std::size_t before = reactor_->buffers().in_use();
  run(reactor_->sleep_for(50ms));
  EXPECT_EQ(reactor_->buffers().in_use(), before);  // and it does not grow
  for (Connected& pair : pairs) pair.client->close();
  run(reactor_->sleep_for(5ms));
}

TEST_P(Tcp, AStreamThatIsNotReadHoldsOneBufferWhereTheyAreScarce) {
  constexpr std::size_t streams = 40;
  const ScarceBuffers others(reactor_->buffers());
  std::vector<Connected> pairs;
  for (std::size_t i = 0; i < streams; ++i) pairs.push_back(connected());
  for (Connected& pair : pairs) {
    reactor_->spawn("flood", flood(*pair.client));
    run(read_a_little(*pair.server));
  }
  run(reactor_->sleep_for(100ms));
  EXPECT_LE(reactor_->buffers().in_use(), others.size() + streams);
  for (Connected& pair : pairs) pair.client->close();
  run(reactor_->sleep_for(5ms));
}

/// `text` to each of many at the same time, who all read from the first.
Task<void> send_to_many(std::vector<Connected>& pairs, const std::string& text) {
  for (Connected& pair : pairs) {
    Reactor::current().spawn("send", [](Stream& stream, const std::string& all) -> Task<void> {
      EXPECT_EQ(co_await write_then_close(stream, all), Errc{});
    }(*pair.client, text));
  }
  co_return;
}

TEST_P(Tcp, NothingIsLostWhenTheBuffersOfATurnRunOut) {
  auto& exhausted = metrics::counter(
      "sallyport_reactor_buffers_exhausted_total",
      "Times that io_uring had no receive buffer left within one turn, and had to ask again.");
  const double before = exhausted.value();
  std::vector<Connected> pairs;
  for (int i = 0; i < 120; ++i) pairs.push_back(connected());
  const std::string text = pattern(1'000'000);
  int whole = 0;
  for (Connected& pair : pairs) {
    reactor_->spawn("read", [](Stream& stream, const std::string& all, int& good) -> Task<void> {
      if (co_await read_all(stream) == all) ++good;
    }(*pair.server, text, whole));
  }
  run(send_to_many(pairs, text));
  run(until_spawned(1));
  EXPECT_EQ(whole, 120);
  if (GetParam() == Backend::io_uring) EXPECT_GT(exhausted.value(), before);
}

Task<void> one_of_many(std::uint16_t port, std::string text, int& done) {
  auto stream = co_await connect("127.0.0.1", port, in(20s));
  EXPECT_TRUE(stream.has_value());
  if (!stream) co_return;
  EXPECT_EQ(co_await write(**stream, text), Errc{});
  EXPECT_EQ(co_await read_exactly(**stream, text.size()), text);
  ++done;
}

TEST_P(Tcp, AThousandConnectionsAtOnce) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  int done = 0;
  reactor_->spawn("serve", serve_echo(*listener_));
  for (int i = 0; i < 1000; ++i) {
    reactor_->spawn("client", one_of_many(listener_->port(), pattern(1000), done));
  }
  run(until_spawned(2));  // the server and this
  EXPECT_EQ(done, 1000);
  EXPECT_EQ(reactor_->buffers().in_use(), 0u);
}

TEST_P(Tcp, DestroyingTheReactorDestroysSessionsThatWait) {
  Connected pair = connected();
  reactor_->spawn("echo", echo(std::move(pair.server)));
  run(reactor_->sleep_for(2ms));
  pair.client.reset();
  listener_.reset();
  EXPECT_EQ(reactor_->spawned(), 1u);
  reactor_.reset();  // the sanitizer and the pool's check see what is left
}

TEST_P(Tcp, CloseEndsAPendingAcceptAndFreesThePort) {
  const std::uint16_t port = listener_->port();
  reactor_->spawn("close", [](Listener& listener) -> Task<void> {
    co_await Reactor::current().sleep_for(5ms);
    listener.close();
  }(*listener_));
  EXPECT_EQ(run(accept_error(*listener_)), Errc::closed);
  EXPECT_EQ(run(accept_error(*listener_)), Errc::closed);
  auto refused = run(connect_to("127.0.0.1", port, 2s));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::unavailable);
  EXPECT_TRUE(Listener::bind({"127.0.0.1", port}).has_value());
}

TEST_P(Tcp, SeveralListenersShareAPort) {
  auto second = Listener::bind({"127.0.0.1", listener_->port()});
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ((*second)->port(), listener_->port());
}

TEST_P(Tcp, BindsOnlyWhatIsAnAddress) {
  auto listener = Listener::bind({"localhost", 0});
  ASSERT_FALSE(listener.has_value());
  EXPECT_EQ(listener.error().code, Errc::invalid);
  EXPECT_EQ(Listener::bind({"192.0.2.1", 0}).error().code, Errc::io);
}

TEST_P(Tcp, ConnectResolvesNames) {
  auto made = run(both(connect("localhost", listener_->port(), in(5s)), listener_->accept()));
  ASSERT_TRUE(made.first.has_value()) << made.first.error().detail;
  EXPECT_TRUE(made.second.has_value());
  auto unknown = run(connect_to("no-such-host.invalid", 1, 5s));
  ASSERT_FALSE(unknown.has_value());
  EXPECT_NE(unknown.error().detail.find("no-such-host.invalid"), std::string::npos);
}

TEST_P(Tcp, AMappedClientIsTheIpv4ThatItIs) {
  auto dual = Listener::bind({"::", 0});
  if (!dual) GTEST_SKIP() << "no IPv6 here: " << dual.error().detail;
  const Connected pair = run(make_connected(**dual));
  EXPECT_EQ(pair.server->peer().ip, "127.0.0.1");
}

/// A port whose queue of clients is full, so that a connect to it hangs.
struct FullPort {
  Descriptor listening{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::vector<Descriptor> waiting;
  SocketAddress address = *to_address({"127.0.0.1", 0});

  FullPort() {
    EXPECT_EQ(::bind(listening.get(), address.get(), address.size), 0);
    EXPECT_EQ(::listen(listening.get(), 0), 0);
    EXPECT_EQ(::getsockname(listening.get(), address.get(), &address.size), 0);
    for (int i = 0; i < 4; ++i) {
      Descriptor& client =
          waiting.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      ::connect(client.get(), address.get(), address.size);
    }
    std::this_thread::sleep_for(10ms);
  }
};

TEST_P(Tcp, ConnectEndsAtItsDeadline) {
  const FullPort full;
  const SteadyTime start = std::chrono::steady_clock::now();
  auto stream = run(connect_to("127.0.0.1", to_endpoint(full.address).port, 50ms));
  ASSERT_FALSE(stream.has_value());
  EXPECT_EQ(stream.error().code, Errc::timeout);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 2s);
}

TEST_P(Tcp, AConnectThatIsDestroyedLeavesNothing) {
  const FullPort full;
  reactor_->spawn("connect", [](std::uint16_t port) -> Task<void> {
    auto stream = co_await connect("127.0.0.1", port, in(60s));
    ADD_FAILURE() << "connected to a full port";
  }(to_endpoint(full.address).port));
  run(reactor_->sleep_for(5ms));
  listener_.reset();
  reactor_.reset();
}

TEST_P(Tcp, RunningOutOfDescriptorsIsWaitedOut) {
  // The sanitizer checks an object's type through a pipe, and finds fault where it cannot have one:
  // the logger must have been used before.
  log::warn("this test runs out of descriptors");
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  // Room for both ends of the first connection and the client's end of the second. Set before the
  // first accept, because io_uring accepts under the limit at the time it was asked.
  rlimit tight = before;
  {
    const std::array<Descriptor, 3> next{Descriptor(::dup(0)), Descriptor(::dup(0)),
                                         Descriptor(::dup(0))};
    tight.rlim_cur = static_cast<rlim_t>(next[2].get()) + 1;
  }
  ::setrlimit(RLIMIT_NOFILE, &tight);
  reactor_->spawn("serve", serve_echo(*listener_));
  auto first = run(connect_to("127.0.0.1", listener_->port(), 5s)).value();
  EXPECT_EQ(run(both(write(*first, "warm"), read_exactly(*first, 4))).second, "warm");

  auto second = run(connect_to("127.0.0.1", listener_->port(), 5s)).value();
  second->set_read_deadline(in(50ms));
  EXPECT_EQ(run(both(write(*second, "hi"), read_error(*second))).second, Errc::timeout);
  ::setrlimit(RLIMIT_NOFILE, &before);
  second->set_read_deadline(in(5s));
  EXPECT_EQ(run(read_exactly(*second, 2)), "hi");
}

INSTANTIATE_TEST_SUITE_P(Kernel, Tcp, testing::Values(Backend::epoll, Backend::io_uring),
                         [](const auto& tested) {
                           return std::string(tested.param == Backend::epoll ? "Epoll" : "Uring");
                         });

}  // namespace
}  // namespace sallyport::net

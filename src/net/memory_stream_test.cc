#include "net/memory_stream.h"

#include <gtest/gtest.h>

#include "net/both.h"
#include "net/reactor.h"

namespace sallyport::net {
namespace {

using namespace std::chrono_literals;

SteadyTime in(std::chrono::nanoseconds duration) {
  return std::chrono::steady_clock::now() + duration;
}

Task<std::string> read_all(Stream& stream, std::size_t* reads = nullptr) {
  std::string all;
  for (;;) {
    auto chunk = co_await stream.read();
    if (!chunk) co_return all;
    if (reads) ++*reads;
    all += as_text(chunk->bytes());
  }
}

Task<Errc> write_then_close(Stream& stream, std::string text) {
  auto written = co_await stream.write(as_bytes(text));
  stream.close();
  co_return written ? Errc{} : written.error().code;
}

Task<Errc> read_error(Stream& stream) {
  auto chunk = co_await stream.read();
  co_return chunk ? Errc{} : chunk.error().code;
}

Task<Errc> write_error(Stream& stream, std::string text) {
  auto written = co_await stream.write(as_bytes(text));
  co_return written ? Errc{} : written.error().code;
}

Task<void> close_after(Stream& stream, std::chrono::milliseconds delay) {
  co_await Reactor::current().sleep_for(delay);
  stream.close();
}

class Memory : public testing::Test {
 protected:
  std::unique_ptr<Reactor> reactor_ = Reactor::make().value();
};

TEST_F(Memory, CarriesMoreThanItsCapacityBecauseTheWriterWaits) {
  const std::string text(100'000, 'x');
  MemoryPair pair = make_memory_pair({.capacity_bytes = 100});
  auto result = reactor_->run_to_end(both(write_then_close(*pair.a, text), read_all(*pair.b)));
  EXPECT_EQ(result.first, Errc{});
  EXPECT_EQ(result.second, text);
  EXPECT_EQ(as_text(pair.a->written()), text);
}

TEST_F(Memory, AWriterWaitsWhileNobodyReads) {
  MemoryPair pair = make_memory_pair({.capacity_bytes = 10});
  pair.a->set_write_deadline(in(10ms));
  EXPECT_EQ(reactor_->run_to_end(write_error(*pair.a, std::string(11, 'x'))), Errc::timeout);
  EXPECT_EQ(pair.a->written().size(), 10u);
}

TEST_F(Memory, TearsReadsWhenTold) {
  MemoryPair pair = make_memory_pair({.read_bytes_max = 1});
  pair.b->feed(as_bytes("hello"));
  pair.b->close();
  std::size_t reads = 0;
  EXPECT_EQ(reactor_->run_to_end(read_all(*pair.a, &reads)), "hello");
  EXPECT_EQ(reads, 5u);
}

TEST_F(Memory, ReadsEndWithTimeoutAtTheDeadline) {
  MemoryPair pair = make_memory_pair();
  pair.a->set_read_deadline(in(5ms));
  EXPECT_EQ(reactor_->run_to_end(read_error(*pair.a)), Errc::timeout);
}

TEST_F(Memory, CloseWakesBothDirections) {
  MemoryPair pair = make_memory_pair({.capacity_bytes = 1});
  reactor_->spawn("close", close_after(*pair.a, 5ms));
  const auto result =
      reactor_->run_to_end(both(read_error(*pair.a), write_error(*pair.a, "too much")));
  EXPECT_EQ(result.first, Errc::closed);
  EXPECT_EQ(result.second, Errc::closed);
}

TEST_F(Memory, WritingToAPeerThatIsGoneFails) {
  MemoryPair pair = make_memory_pair();
  pair.b.reset();
  EXPECT_EQ(reactor_->run_to_end(write_error(*pair.a, "x")), Errc::closed);
  EXPECT_EQ(reactor_->run_to_end(read_error(*pair.a)), Errc::closed);
}

TEST_F(Memory, FailsWhereItIsToldTo) {
  MemoryPair pair = make_memory_pair();
  pair.a->set_faults({.fail_read = 2, .fail_write = 1});
  pair.b->feed(as_bytes("ab"));
  EXPECT_EQ(reactor_->run_to_end(read_error(*pair.a)), Errc{});
  pair.b->feed(as_bytes("c"));
  EXPECT_EQ(reactor_->run_to_end(read_error(*pair.a)), Errc::io);
  EXPECT_EQ(reactor_->run_to_end(write_error(*pair.a, "x")), Errc::io);
  EXPECT_EQ(reactor_->run_to_end(write_error(*pair.a, "y")), Errc{});
  EXPECT_EQ(as_text(pair.a->written()), "y");
  EXPECT_EQ(pair.a->operations(), 4u);
}

TEST_F(Memory, ClosesAtTheNthOperation) {
  MemoryPair pair = make_memory_pair();
  pair.a->set_faults({.close_at = 2});
  EXPECT_EQ(reactor_->run_to_end(write_error(*pair.a, "x")), Errc{});
  EXPECT_EQ(reactor_->run_to_end(write_error(*pair.a, "y")), Errc::closed);
  EXPECT_TRUE(pair.a->is_closed());
  EXPECT_EQ(reactor_->run_to_end(read_all(*pair.b)), "x");
}

}  // namespace
}  // namespace sallyport::net

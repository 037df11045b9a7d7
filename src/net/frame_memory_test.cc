#include "net/frame_memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "net/reactor.h"

namespace sallyport::net {
namespace {

using detail::frame_bytes_max;
using detail::give_back_frame;
using detail::take_frame;

TEST(FrameMemory, FramesOfEverySizeAreWholeAndApart) {
  std::vector<std::pair<unsigned char*, std::size_t>> taken;
  for (int round = 0; round < 3; ++round) {
    for (std::size_t size = 1; size <= frame_bytes_max + 100; size += 37) {
      auto* const frame = static_cast<unsigned char*>(take_frame(size));
      std::memset(frame, static_cast<int>(size & 0xff), size);
      taken.emplace_back(frame, size);
    }
    for (const auto& [frame, size] : taken) {
      EXPECT_EQ(frame[0], size & 0xff);
      EXPECT_EQ(frame[size - 1], size & 0xff);
    }
    for (const auto& [frame, size] : taken) give_back_frame(frame, size);
    taken.clear();
  }
}

TEST(FrameMemory, AFrameMayGoOnAnotherThreadAndAfterItsThread) {
  void* frame = nullptr;
  std::thread([&] { frame = take_frame(200); }).join();
  std::memset(frame, 1, 200);
  give_back_frame(frame, 200);
  for (int i = 0; i < 1000; ++i) give_back_frame(take_frame(200), 200);
}

}  // namespace
}  // namespace sallyport::net

#pragma once
// Memory of coroutine frames. A command runs through some dozens of short coroutines, and their
// frames have few sizes: what one gives back the next takes. Inside net/ only.

#include <cstddef>

namespace sallyport::net::detail {

/// Kept by the thread that gives them back; frames above frame_bytes_max are not kept.
inline constexpr std::size_t frame_bytes_max = 4096;
void* take_frame(std::size_t size);
void give_back_frame(void* frame, std::size_t size) noexcept;

/// A promise's operator new and delete.
struct FrameMemory {
  static void* operator new(std::size_t size) { return take_frame(size); }
  static void operator delete(void* frame, std::size_t size) noexcept {
    give_back_frame(frame, size);
  }
};

}  // namespace sallyport::net::detail

#include "net/frame_memory.h"

#include <array>
#include <cstdint>
#include <new>

namespace sallyport::net::detail {
namespace {

constexpr std::size_t step = 64;
constexpr std::size_t sizes = frame_bytes_max / step;
constexpr std::uint32_t kept_per_size_max = 128;

/// A frame that nobody uses.
struct Unused {
  Unused* next;
};

struct Kept {
  Unused* first = nullptr;
  std::uint32_t count = 0;
};

struct Frames {
  std::array<Kept, sizes> by_size{};
  bool gone = false;  // the thread ends; what is given back after that is freed

  ~Frames() {
    gone = true;
    for (Kept& kept : by_size) {
      while (Unused* const frame = kept.first) {
        kept.first = frame->next;
        ::operator delete(frame);
      }
    }
  }
};

thread_local Frames frames;

// The sanitizers see every frame come and go.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || \
    __has_feature(thread_sanitizer)
constexpr bool keep = false;
#else
constexpr bool keep = true;
#endif
#else
constexpr bool keep = true;
#endif

constexpr std::size_t index_of(std::size_t size) {
  return (size - 1) / step;
}

}  // namespace

void* take_frame(std::size_t size) {
  if (!keep || size > frame_bytes_max) return ::operator new(size);
  const std::size_t index = index_of(size);
  Kept& kept = frames.by_size[index];
  if (kept.first == nullptr) return ::operator new((index + 1) * step);
  Unused* const frame = kept.first;
  kept.first = frame->next;
  --kept.count;
  return frame;
}

void give_back_frame(void* frame, std::size_t size) noexcept {
  if (!keep || size > frame_bytes_max) return ::operator delete(frame);
  Kept& kept = frames.by_size[index_of(size)];
  if (frames.gone || kept.count == kept_per_size_max) return ::operator delete(frame);
  auto* const unused = static_cast<Unused*>(frame);
  unused->next = kept.first;
  kept.first = unused;
  ++kept.count;
}

}  // namespace sallyport::net::detail

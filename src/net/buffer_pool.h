#pragma once
// BufferPool: a worker's receive buffers. One thread; nothing here locks.

#include <cstddef>
#include <memory>
#include <vector>

#include "net/stream.h"

namespace sallyport::net {

class BufferPool {
 public:
  static constexpr std::size_t buffer_bytes = 16 * 1024;
  static constexpr std::size_t buffers_max_default = 4096;  // 64 MiB a worker

  explicit BufferPool(std::size_t buffers_max = buffers_max_default);
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  /// All buffers must be back: a Chunk does not outlive its reactor.
  ~BufferPool();

  /// A buffer of buffer_bytes, or null at the cap.
  std::byte* take();
  void give_back(std::byte* buffer) noexcept;

  /// Copies at most buffer_bytes of `bytes` into a Chunk; empty at the cap.
  Chunk copy(Bytes bytes);

  std::size_t in_use() const { return in_use_; }
  bool exhausted() const { return in_use_ >= buffers_max_; }
  /// Frees the buffers that were idle all the time since the last call.
  void trim();

 private:
  std::size_t buffers_max_;
  std::size_t in_use_ = 0;
  std::size_t idle_low_ = 0;
  std::vector<std::unique_ptr<std::byte[]>> idle_;
};

}  // namespace sallyport::net

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
  static constexpr std::size_t buffers_plenty = 4096;  // 64 MiB a worker

  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  /// All buffers must be back: a Chunk does not outlive its reactor.
  ~BufferPool();

  /// A buffer of buffer_bytes. There is always one: a worker that had none would stop for all its
  /// sessions because of a few slow ones. What bounds the pool is that each stream holds few, and
  /// at most one unread one while they are scarce.
  std::byte* take();
  void give_back(std::byte* buffer) noexcept;

  /// Copies at most buffer_bytes of `bytes` into a Chunk.
  Chunk copy(Bytes bytes);

  std::size_t in_use() const { return in_use_; }
  bool scarce() const { return in_use_ >= buffers_plenty; }
  /// Frees the buffers that were idle all the time since the last call.
  void trim();

 private:
  std::size_t in_use_ = 0;
  std::size_t idle_low_ = 0;
  std::vector<std::unique_ptr<std::byte[]>> idle_;
};

}  // namespace sallyport::net

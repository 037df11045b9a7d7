#include "net/buffer_pool.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define SALLYPORT_POISON(buffer) ASAN_POISON_MEMORY_REGION(buffer, BufferPool::buffer_bytes)
#define SALLYPORT_UNPOISON(buffer) ASAN_UNPOISON_MEMORY_REGION(buffer, BufferPool::buffer_bytes)
#endif
#endif
#ifndef SALLYPORT_POISON
#define SALLYPORT_POISON(buffer) static_cast<void>(buffer)
#define SALLYPORT_UNPOISON(buffer) static_cast<void>(buffer)
#endif

namespace sallyport::net {

Chunk::Chunk(Chunk&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      buffer_(std::exchange(other.buffer_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

Chunk& Chunk::operator=(Chunk&& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(buffer_, other.buffer_);
  std::swap(size_, other.size_);
  return *this;
}

Chunk::~Chunk() {
  if (pool_) pool_->give_back(buffer_);
}

bool Chunk::append(Bytes more) {
  if (more.size() > BufferPool::buffer_bytes - size_) return false;
  std::memcpy(buffer_ + size_, more.data(), more.size());
  size_ += more.size();
  return true;
}

BufferPool::~BufferPool() {
  SALLYPORT_CHECK(in_use_ == 0);
}

std::byte* BufferPool::take() {
  ++in_use_;
  if (idle_.empty()) return new std::byte[buffer_bytes];
  std::byte* const buffer = idle_.back().release();
  SALLYPORT_UNPOISON(buffer);
  idle_.pop_back();
  idle_low_ = std::min(idle_low_, idle_.size());
  return buffer;
}

void BufferPool::give_back(std::byte* buffer) noexcept {
  SALLYPORT_CHECK(in_use_ > 0);
  --in_use_;
  SALLYPORT_POISON(buffer);  // who still reads what was received is found by the sanitizer
  idle_.emplace_back(buffer);
}

Chunk BufferPool::copy(Bytes bytes) {
  std::byte* const buffer = take();
  const std::size_t size = std::min(bytes.size(), buffer_bytes);
  std::memcpy(buffer, bytes.data(), size);
  return Chunk(*this, buffer, size);
}

void BufferPool::trim() {
  idle_.erase(idle_.begin(), idle_.begin() + static_cast<std::ptrdiff_t>(idle_low_));
  idle_low_ = idle_.size();
}

}  // namespace sallyport::net

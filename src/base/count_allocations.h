#pragma once
// Counts what a whole program allocates: for tests and benchmarks. It replaces operator new, so one
// file of a program includes it, and no file of the product.

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace sallyport {

struct Allocations {
  std::atomic<std::uint64_t> count{0};

  void* make(std::size_t size) noexcept {
    count.fetch_add(1, std::memory_order_relaxed);
    return std::malloc(size);
  }
};
inline Allocations allocations;

}  // namespace sallyport

void* operator new(std::size_t size) {
  if (void* const memory = sallyport::allocations.make(size)) return memory;
  throw std::bad_alloc();
}
// The sanitizer has its own of this one, which would not go with the delete below.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return sallyport::allocations.make(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

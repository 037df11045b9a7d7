#pragma once
// Signal and AsyncMutex: waiting for another coroutine of the same thread.

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "net/reactor.h"

namespace sallyport::net {

/// `while (!condition) co_await changed.wait();` Remembers nothing: a notify() without a waiter is
/// lost, which is harmless because nothing runs between the check and the wait.
class Signal {
 public:
  auto wait() {
    struct Awaiter {
      Signal& signal;
      Waiter waiter;
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> self) {
        waiter.coroutine = self;
        signal.waiters_.push_back(waiter);
      }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this, {}};
  }

  /// False if `deadline` came first.
  Task<bool> wait_until(SteadyTime deadline);

  /// Wakes all that wait now, in the order they came; none of them runs inside the call.
  void notify();

 private:
  WaiterList waiters_;
  std::size_t notified_ = 0;
};

/// First come, first served. `const auto guard = co_await mutex.lock();`
class AsyncMutex {
 public:
  class [[nodiscard]] Guard {
   public:
    explicit Guard(AsyncMutex& mutex) : mutex_(&mutex) {}
    Guard(Guard&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
    Guard& operator=(Guard&&) = delete;
    ~Guard() {
      if (mutex_) mutex_->unlock();
    }

   private:
    AsyncMutex* mutex_;
  };

  auto lock() {
    struct Awaiter {
      AsyncMutex& mutex;
      Waiter waiter;
      bool granted = false;  // handed over by unlock() while it was waiting, or free

      explicit Awaiter(AsyncMutex& of) : mutex(of) {}
      Awaiter(const Awaiter&) = delete;
      // A coroutine destroyed between the hand-over and its turn must not keep the lock.
      ~Awaiter() {
        if (!granted && mutex.next_ == &waiter) mutex.unlock();
      }
      bool await_ready() {
        if (mutex.locked_) return false;
        mutex.locked_ = true;
        granted = true;
        return true;
      }
      void await_suspend(std::coroutine_handle<> self) {
        waiter.coroutine = self;
        mutex.waiters_.push_back(waiter);
      }
      Guard await_resume() {
        if (mutex.next_ == &waiter) mutex.next_ = nullptr;
        granted = true;
        return Guard(mutex);
      }
    };
    return Awaiter(*this);
  }

  bool locked() const { return locked_; }

 private:
  void unlock();

  bool locked_ = false;
  Waiter* next_ = nullptr;  // has been given the lock but has not run yet
  WaiterList waiters_;
};

}  // namespace sallyport::net

#pragma once
// Waiters: coroutines of many reactors (and plain threads) that wait for the commit thread. Woken
// with one post per reactor and batch.

#include <coroutine>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "net/poster.h"
#include "net/reactor.h"

namespace sallyport::ledger {

/// One that waits. Set up on the reactor's thread, answered by the commit thread, resumed on the
/// reactor's thread again.
struct Wait {
  std::uint64_t sequence = 0;
  net::Reactor* reactor = nullptr;  // to group by; used on its own thread only
  net::Poster poster;
  std::coroutine_handle<> coroutine;  // null once the coroutine is gone; reactor's thread only
  Result<void> result;
};
using WaitHandle = std::shared_ptr<Wait>;

/// Those answered at one time.
class WokenWaits {
 public:
  void add(WaitHandle wait, Result<void> result);
  /// Posts them to their reactors.
  void post();

 private:
  std::vector<WaitHandle> waits_;
};

/// Suspends the coroutine and hands its Wait to `enroll`.
template <class Register>
class WaitAwaiter {
 public:
  /// `enroll(WaitHandle)` is called when the coroutine is suspended; false: answered already.
  WaitAwaiter(std::uint64_t sequence, Register enroll)
      : wait_(std::make_shared<Wait>(Wait{.sequence = sequence,
                                          .reactor = &net::Reactor::current(),
                                          .poster = net::Reactor::current().poster(),
                                          .coroutine = {},
                                          .result = {}})),
        enroll_(std::move(enroll)) {}
  WaitAwaiter(const WaitAwaiter&) = delete;
  WaitAwaiter& operator=(const WaitAwaiter&) = delete;
  ~WaitAwaiter() { wait_->coroutine = nullptr; }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> self) {
    wait_->coroutine = self;
    return enroll_(wait_);
  }
  Result<void> await_resume() { return std::move(wait_->result); }

 private:
  WaitHandle wait_;
  Register enroll_;
};

}  // namespace sallyport::ledger

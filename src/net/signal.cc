#include "net/signal.h"

namespace sallyport::net {

void Signal::notify() {
  ++notified_;
  if (!waiters_.empty()) Reactor::current().schedule_all(waiters_);
}

Task<bool> Signal::wait_until(SteadyTime deadline) {
  struct Wait {
    WaiterList& list;
    Waiter& waiter;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> self) {
      waiter.coroutine = self;
      list.push_back(waiter);
    }
    void await_resume() const noexcept {}
  };

  Reactor& reactor = Reactor::current();
  if (deadline <= reactor.now()) co_return false;
  const std::size_t before = notified_;
  Waiter waiter;
  Timer timer(reactor.timers(), [&] { reactor.schedule(waiter); });
  timer.arm(deadline);
  co_await Wait{waiters_, waiter};
  // A notify() that came first counts, even if the timer expired before its coroutine ran.
  co_return notified_ != before;
}

void AsyncMutex::unlock() {
  next_ = nullptr;
  if (waiters_.empty()) {
    locked_ = false;
    return;
  }
  next_ = &waiters_.front();
  Reactor::current().schedule(*next_);
}

}  // namespace sallyport::net

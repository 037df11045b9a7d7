#pragma once
// Reactor: one worker's loop. It owns what is spawned on it, the timers, the receive buffers and
// the kernel interface (io_uring, or epoll where that is forbidden: nobody outside net/ knows).

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/result.h"
#include "net/backend.h"
#include "net/buffer_pool.h"
#include "net/poster.h"
#include "net/task.h"
#include "net/timer.h"
#include "net/waiter.h"

namespace sallyport::net {

class Kernel;

/// Belongs to the thread that made it: everything but stop(), post() and poster() is for that
/// thread only. One per thread at a time. Streams, listeners, timers and chunks made on it must go
/// before it does.
class Reactor {
 public:
  static Result<std::unique_ptr<Reactor>> make(Backend backend = Backend::automatic);
  /// This thread's. Having none is a bug.
  static Reactor& current();

  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;
  /// Destroys, in the order they were spawned, the tasks that are not done, then posted jobs.
  ~Reactor();

  /// Until stop(). One that came before makes it return at once.
  void run();
  /// From any thread, or from inside a task. The turn that runs is finished.
  void stop();

  /// Runs `job` on this reactor's thread at its next turn. From any thread.
  void post(Job job) { poster_.post(std::move(job)); }
  /// For threads that may outlive the reactor.
  Poster poster() const { return poster_; }

  /// Starts `task` at the next turn and owns it until it is done. An exception ends the task and
  /// is logged under `name`.
  void spawn(std::string_view name, Task<void> task);
  /// How many spawned tasks are not done.
  std::size_t spawned() const { return spawned_.size(); }

  /// Runs the loop until `task` is done. For main() and tests; not from inside a task.
  template <class T>
  T run_to_end(Task<T> task);

  Task<void> sleep_until(SteadyTime time);
  Task<void> sleep_for(std::chrono::nanoseconds duration);
  /// `co_await reactor.yield();` lets everything else that is ready run first.
  auto yield() {
    struct Awaiter {
      Reactor& reactor;
      Waiter waiter;
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> self) {
        waiter.coroutine = self;
        reactor.schedule(waiter);
      }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this, {}};
  }

  /// Resumes the waiter's coroutine soon, behind what is already ready.
  void schedule(Waiter& waiter) { ready_.push_back(waiter); }
  void schedule_all(WaiterList& waiters) { ready_.take_all(waiters); }

  /// The time at which this turn began: good enough for deadlines and free of charge.
  SteadyTime now() const { return now_; }
  TimerHeap& timers() { return timers_; }
  BufferPool& buffers() { return buffers_; }
  Kernel& kernel() { return *kernel_; }
  std::string_view backend_name() const;

 private:
  struct Spawned;
  struct Root;

  Reactor(std::unique_ptr<Kernel> kernel, std::shared_ptr<detail::Mailbox> mailbox);
  void turn();
  void resume_ready();
  void run_jobs();
  Root supervise(Spawned& self, Task<void> task);
  template <class T>
  static Task<void> capture(Task<T> task, Reactor& reactor, detail::Promise<T>& into);

  std::shared_ptr<detail::Mailbox> mailbox_;
  Poster poster_;
  TimerHeap timers_;
  BufferPool buffers_;
  std::unique_ptr<Kernel> kernel_;
  WaiterList ready_;
  std::list<Spawned> spawned_;
  std::list<Spawned> finished_;
  SteadyTime now_{};
  SteadyTime trim_at_{};
};

template <class T>
Task<void> Reactor::capture(Task<T> task, Reactor& reactor, detail::Promise<T>& into) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(task);
    } else {
      into.value.emplace(co_await std::move(task));
    }
  } catch (...) {
    into.failure = std::current_exception();
  }
  reactor.stop();
}

template <class T>
T Reactor::run_to_end(Task<T> task) {
  detail::Promise<T> outcome;
  spawn("main", capture(std::move(task), *this, outcome));
  run();
  return outcome.take();
}

}  // namespace sallyport::net

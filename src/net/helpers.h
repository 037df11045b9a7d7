#pragma once
// Work that would block a reactor (name resolution, password hashing, HTTP calls of the control
// plane) runs on a few helper threads. Not for the path of a command: a hand-over costs 5 us.

#include <memory>
#include <type_traits>
#include <utility>

#include "net/poster.h"
#include "net/reactor.h"
#include "net/signal.h"
#include "net/task.h"

namespace sallyport::net {

/// A value that another thread hands to a coroutine of the reactor it was made on.
template <class T>
class Handover {
 public:
  class Giver {
   public:
    /// From any thread, once. The value is dropped if nobody waits any more.
    void give(T value) const {
      poster_.post([state = state_, value = std::move(value)]() mutable {
        state->value.emplace(std::move(value));
        state->given.notify();
      });
    }

   private:
    friend Handover;
    struct State {
      std::optional<T> value;
      Signal given;
    };
    Giver(Poster poster, std::shared_ptr<State> state)
        : poster_(std::move(poster)), state_(std::move(state)) {}
    Poster poster_;
    std::shared_ptr<State> state_;
  };

  Handover() : state_(std::make_shared<typename Giver::State>()) {}
  Giver giver() const { return Giver(Reactor::current().poster(), state_); }

  Task<T> wait() {
    while (!state_->value) co_await state_->given.wait();
    co_return std::move(*state_->value);
  }
  /// nullopt if `deadline` came first; the value is then dropped when it comes.
  Task<std::optional<T>> wait_until(SteadyTime deadline) {
    while (!state_->value) {
      if (!co_await state_->given.wait_until(deadline)) co_return std::nullopt;
    }
    co_return std::move(state_->value);
  }

 private:
  std::shared_ptr<typename Giver::State> state_;
};

/// Runs `job` on one of at most helper_threads_max threads. False if helper_jobs_max jobs wait.
constexpr unsigned helper_threads_max = 4;
constexpr unsigned helper_jobs_max = 1024;
[[nodiscard]] bool run_on_helper(Job job);

/// `co_await on_helper([..] { return value; })`: the work's value, or unavailable if too much work
/// waits. `work` must not throw, and must own what it uses: the caller may go before it is done.
template <class Work>
Task<Result<std::invoke_result_t<Work>>> on_helper(Work work) {
  using T = std::invoke_result_t<Work>;
  Handover<T> result;
  const bool taken = run_on_helper(
      [giver = result.giver(), work = std::move(work)]() mutable { giver.give(work()); });
  if (!taken) co_return fail(Errc::unavailable, "too much waits for a helper thread");
  co_return co_await result.wait();
}

}  // namespace sallyport::net

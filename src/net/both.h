#pragma once
// both(): two tasks at the same time on one thread, for example the two directions of a relay.

#include <coroutine>
#include <type_traits>
#include <utility>
#include <variant>

#include "net/task.h"

namespace sallyport::net {

namespace detail {

/// void has no values; a pair needs one.
template <class T>
using ValueOf = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

struct Join {
  int running = 3;  // the two branches and the one who starts them
  std::coroutine_handle<> caller;
};

/// One of the two: keeps its outcome and, if it is the last, resumes the one who waits for both.
template <class T>
class Branch {
 public:
  struct promise_type : Promise<T> {
    Join* of = nullptr;

    Branch get_return_object() {
      return Branch(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    auto final_suspend() noexcept {
      struct Last {
        bool await_ready() noexcept { return false; }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
          Join& join = *self.promise().of;
          return --join.running == 0 ? join.caller : std::noop_coroutine();
        }
        void await_resume() noexcept {}
      };
      return Last{};
    }
  };

  Branch(Branch&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  Branch& operator=(Branch&&) = delete;
  ~Branch() {
    if (frame_) frame_.destroy();
  }

  void start(Join& join) {
    frame_.promise().of = &join;
    frame_.resume();
  }
  ValueOf<T> take() {
    if constexpr (std::is_void_v<T>) {
      frame_.promise().take();
      return {};
    } else {
      return frame_.promise().take();
    }
  }

 private:
  explicit Branch(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_;
};

template <class T>
Branch<T> branch(Task<T> task) {
  co_return co_await std::move(task);
}

}  // namespace detail

/// Starts `a`, then `b`, and returns when both are done; void becomes std::monostate. An exception
/// is rethrown after both are done, the one of `a` first. Nothing is cancelled: a relay closes the
/// stream that the other direction waits for.
template <class A, class B>
Task<std::pair<detail::ValueOf<A>, detail::ValueOf<B>>> both(Task<A> a, Task<B> b) {
  struct StartBoth {
    detail::Branch<A>& first;
    detail::Branch<B>& second;
    detail::Join join;

    bool await_ready() noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> caller) {
      join.caller = caller;
      first.start(join);
      second.start(join);
      return --join.running != 0;
    }
    void await_resume() noexcept {}
  };

  detail::Branch<A> first = detail::branch(std::move(a));
  detail::Branch<B> second = detail::branch(std::move(b));
  co_await StartBoth{first, second, {}};
  auto of_first = first.take();
  auto of_second = second.take();
  co_return std::pair<detail::ValueOf<A>, detail::ValueOf<B>>(std::move(of_first),
                                                              std::move(of_second));
}

}  // namespace sallyport::net

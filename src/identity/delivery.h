#pragma once
// Delivery: a coroutine waits for a value that another thread makes. The frame may go while it
// waits: what comes then is dropped.

#include <coroutine>
#include <memory>
#include <optional>
#include <utility>

#include "net/reactor.h"

namespace sallyport::identity {

/// Belongs to the reactor's thread; only what sender() returns may go to another.
template <class T>
class Delivery {
  struct State {
    net::Waiter waiter;
    bool waiting = false;
    std::optional<T> value;
  };

 public:
  Delivery() : state_(std::make_shared<State>()) {}
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;
  ~Delivery() {
    state_->waiting = false;
    state_->waiter.unlink();
  }

  /// To be called once, from any thread.
  auto sender() const {
    return [state = state_, poster = net::Reactor::current().poster()](T value) {
      poster.post([state, value = std::move(value)]() mutable {
        state->value.emplace(std::move(value));
        if (std::exchange(state->waiting, false)) net::Reactor::current().schedule(state->waiter);
      });
    };
  }

  /// `T value = co_await delivery.wait();`
  auto wait() {
    struct Awaiter {
      State& state;
      bool await_ready() const noexcept { return state.value.has_value(); }
      void await_suspend(std::coroutine_handle<> self) {
        state.waiter.coroutine = self;
        state.waiting = true;
      }
      T await_resume() { return std::move(*state.value); }
    };
    return Awaiter{*state_};
  }

 private:
  std::shared_ptr<State> state_;
};

}  // namespace sallyport::identity

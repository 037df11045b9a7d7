#pragma once
// Waiter: a suspended coroutine in at most one list of waiters (a Signal's, a mutex's, the
// reactor's ready list). It leaves its list when it is destroyed, so a coroutine's frame may be
// destroyed while it waits.

#include <coroutine>

namespace sallyport::net {

class WaiterList;

class Waiter {
 public:
  Waiter() = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  ~Waiter() { unlink(); }

  bool linked() const { return next_ != this; }
  void unlink() {
    previous_->next_ = next_;
    next_->previous_ = previous_;
    previous_ = next_ = this;
  }

  std::coroutine_handle<> coroutine;

 private:
  friend WaiterList;

  Waiter* previous_ = this;
  Waiter* next_ = this;
};

/// First in, first out. Waiters still in it when it goes are simply let go.
class WaiterList {
 public:
  WaiterList() = default;
  WaiterList(const WaiterList&) = delete;
  WaiterList& operator=(const WaiterList&) = delete;
  ~WaiterList() {
    while (!empty()) front().unlink();
  }

  bool empty() const { return !head_.linked(); }
  Waiter& front() { return *head_.next_; }
  void push_back(Waiter& waiter) {
    waiter.unlink();
    waiter.previous_ = head_.previous_;
    waiter.next_ = &head_;
    head_.previous_->next_ = &waiter;
    head_.previous_ = &waiter;
  }
  /// All of `other`, in order, behind what is here.
  void take_all(WaiterList& other) {
    if (other.empty()) return;
    Waiter* const first = other.head_.next_;
    Waiter* const last = other.head_.previous_;
    other.head_.previous_ = other.head_.next_ = &other.head_;
    first->previous_ = head_.previous_;
    head_.previous_->next_ = first;
    last->next_ = &head_;
    head_.previous_ = last;
  }

 private:
  Waiter head_;
};

}  // namespace sallyport::net

#pragma once
// Timer: calls back once, on its reactor's thread. Cancelling, and moving to a later time, cost a
// store; arming an idle timer and destroying one cost O(log n).

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "base/clock.h"

namespace sallyport::net {

class TimerHeap;

/// Must not outlive its heap (its reactor). Destroying it cancels it. Made of reactor.timers().
class Timer {
 public:
  Timer(TimerHeap& heap, std::function<void()> expired);
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer();

  /// Replaces an earlier arm().
  void arm(SteadyTime at);
  void cancel() { armed_ = false; }
  /// nullopt: not armed.
  std::optional<SteadyTime> at() const { return armed_ ? std::optional(at_) : std::nullopt; }

 private:
  friend TimerHeap;
  static constexpr std::size_t nowhere = static_cast<std::size_t>(-1);

  TimerHeap& heap_;
  std::function<void()> expired_;
  SteadyTime at_{};
  bool armed_ = false;
  // In the heap, where a cancelled or later at_ is noticed only when the entry is due.
  std::size_t position_ = nowhere;
};

class TimerHeap {
 public:
  TimerHeap() = default;
  TimerHeap(const TimerHeap&) = delete;
  TimerHeap& operator=(const TimerHeap&) = delete;

  /// When run_due() should be called next.
  std::optional<SteadyTime> next() const;
  /// Calls back the timers that are due, in order of their time. A callback may arm and cancel any
  /// timer, and destroy any but its own.
  void run_due(SteadyTime now);
  std::size_t size() const { return entries_.size(); }

 private:
  friend Timer;
  struct Entry {
    SteadyTime at;
    Timer* timer;
  };

  void insert(Timer& timer);
  void remove(Timer& timer);
  void place(std::size_t position, Entry entry);
  void sift_up(std::size_t position);
  void sift_down(std::size_t position);

  std::vector<Entry> entries_;
};

}  // namespace sallyport::net

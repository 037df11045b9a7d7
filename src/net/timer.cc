#include "net/timer.h"

#include <utility>

namespace sallyport::net {

Timer::Timer(TimerHeap& heap, std::function<void()> expired)
    : heap_(heap), expired_(std::move(expired)) {}

Timer::~Timer() {
  heap_.remove(*this);
}

void Timer::arm(SteadyTime at) {
  at_ = at;
  armed_ = true;
  if (position_ != nowhere && heap_.entries_[position_].at <= at) return;
  heap_.remove(*this);
  heap_.insert(*this);
}

std::optional<SteadyTime> TimerHeap::next() const {
  return entries_.empty() ? std::nullopt : std::optional(entries_.front().at);
}

void TimerHeap::run_due(SteadyTime now) {
  // A callback that arms a timer in the past must not keep the loop here.
  for (std::size_t left = entries_.size(); left > 0; --left) {
    if (entries_.empty() || entries_.front().at > now) return;
    Timer& timer = *entries_.front().timer;
    remove(timer);
    if (!timer.armed_) continue;
    if (timer.at_ > now) {
      insert(timer);
      continue;
    }
    timer.armed_ = false;
    timer.expired_();
  }
}

void TimerHeap::insert(Timer& timer) {
  entries_.push_back({});
  place(entries_.size() - 1, {timer.at_, &timer});
  sift_up(entries_.size() - 1);
}

void TimerHeap::remove(Timer& timer) {
  const std::size_t position = std::exchange(timer.position_, Timer::nowhere);
  if (position == Timer::nowhere) return;
  const Entry last = entries_.back();
  entries_.pop_back();
  if (position == entries_.size()) return;
  place(position, last);
  sift_up(position);
  sift_down(last.timer->position_);
}

void TimerHeap::place(std::size_t position, Entry entry) {
  entries_[position] = entry;
  entry.timer->position_ = position;
}

void TimerHeap::sift_up(std::size_t position) {
  while (position > 0) {
    const std::size_t parent = (position - 1) / 2;
    if (entries_[parent].at <= entries_[position].at) return;
    const Entry moved = entries_[position];
    place(position, entries_[parent]);
    place(parent, moved);
    position = parent;
  }
}

void TimerHeap::sift_down(std::size_t position) {
  for (;;) {
    std::size_t least = position;
    for (std::size_t child = 2 * position + 1; child <= 2 * position + 2; ++child) {
      if (child < entries_.size() && entries_[child].at < entries_[least].at) least = child;
    }
    if (least == position) return;
    const Entry moved = entries_[position];
    place(position, entries_[least]);
    place(least, moved);
    position = least;
  }
}

}  // namespace sallyport::net

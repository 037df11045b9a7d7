#pragma once
// StreamDeadline: the deadline of one direction of a stream. Inside net/ only.

#include <memory>
#include <optional>

#include "net/reactor.h"
#include "net/signal.h"

namespace sallyport::net {

class StreamDeadline {
 public:
  /// `wakes` is notified when the deadline passes.
  StreamDeadline(Reactor& reactor, Signal& wakes) : reactor_(reactor), wakes_(wakes) {}

  void set(std::optional<SteadyTime> at) {
    at_ = at;
    if (!at) {
      timer_.reset();
      return;
    }
    if (timer_ == nullptr) {
      timer_ = std::make_unique<Timer>(reactor_.timers(), [this] { wakes_.notify(); });
    }
    timer_->arm(*at);
  }
  bool passed() const { return at_ && *at_ <= reactor_.now(); }

 private:
  Reactor& reactor_;
  Signal& wakes_;
  std::unique_ptr<Timer> timer_;  // most streams have no deadline most of the time
  std::optional<SteadyTime> at_;
};

}  // namespace sallyport::net

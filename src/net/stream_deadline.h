#pragma once
// StreamDeadline: the deadline of one direction of a stream. Inside net/ only.

#include <optional>

#include "net/reactor.h"
#include "net/signal.h"

namespace sallyport::net {

class StreamDeadline {
 public:
  /// `wakes` is notified when the deadline passes.
  StreamDeadline(Reactor& reactor, Signal& wakes)
      : reactor_(reactor), timer_(reactor.timers(), [&wakes] { wakes.notify(); }) {}

  void set(std::optional<SteadyTime> at) {
    at_ = at;
    if (at) {
      timer_.arm(*at);
    } else {
      timer_.cancel();
    }
  }
  bool passed() const { return at_ && *at_ <= reactor_.now(); }

 private:
  Reactor& reactor_;
  Timer timer_;
  std::optional<SteadyTime> at_;
};

}  // namespace sallyport::net

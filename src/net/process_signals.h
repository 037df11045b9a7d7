#pragma once
// SIGTERM, SIGINT, SIGHUP and the like as calls on a reactor.

#include <csignal>
#include <functional>
#include <initializer_list>
#include <memory>

#include "base/result.h"
#include "net/poster.h"

namespace sallyport::net {

/// Blocks the signals in the calling thread: call it in main() before any thread starts, so that
/// every thread inherits that.
class ProcessSignals {
 public:
  /// `on_signal` runs on the poster's reactor, once per signal that came.
  static Result<std::unique_ptr<ProcessSignals>> watch(std::initializer_list<int> signals,
                                                       Poster poster,
                                                       std::function<void(int)> on_signal);
  virtual ~ProcessSignals() = default;  // ends the watching; the signals stay blocked
};

}  // namespace sallyport::net

#pragma once
// Pool: idle connections of one worker to its targets. One is only kept after an answer that ended
// cleanly, and only used again if nothing has come on it since.

#include <list>
#include <memory>

#include "base/metrics.h"
#include "net/timer.h"
#include "protocol/http/upstream.h"

namespace sallyport::web {

/// Belongs to its worker's thread.
class Pool {
 public:
  struct Taken {
    std::unique_ptr<Upstream> upstream;
    bool used_before = false;
  };
  /// Under the Permit of a session. `fresh`: not one that was used before.
  Task<Result<Taken>> take(const Permit& session, const std::shared_ptr<const Target>& target,
                           bool fresh);
  void give_back(std::unique_ptr<Upstream> upstream);

  /// Nothing that is open now is used again: the configuration is another.
  void renew() { idle_.clear(); }
  void close();

 private:
  struct Idle {
    std::unique_ptr<Upstream> upstream;
    SteadyTime until;
  };
  std::size_t idle_of(const Target& target) const;
  void close_idle();

  std::list<Idle> idle_;               // the longest idle first
  std::unique_ptr<net::Timer> timer_;  // null while nothing is idle
  bool closed_ = false;
};

}  // namespace sallyport::web

#pragma once
// Workers: the threads of the gateway, each with its reactor.

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "base/result.h"
#include "net/poster.h"
#include "net/reactor.h"

namespace sallyport::net {

class Workers {
 public:
  /// Called on each worker's thread before its loop runs: bind, spawn. An error stops them all.
  using Setup = std::function<Result<void>(std::size_t index)>;

  /// Starts `count` threads and returns when all are set up. On an error none is left.
  static Result<std::unique_ptr<Workers>> start(std::size_t count, Setup setup,
                                                Backend backend = Backend::automatic);
  virtual ~Workers() = default;  // stops and joins

  virtual std::size_t size() const = 0;
  /// Runs `job` on that worker. From any thread.
  virtual void post(std::size_t index, Job job) = 0;
  /// Ends the loops, destroys what is still spawned, and joins. Idempotent. Not from a worker.
  virtual void stop() = 0;
};

}  // namespace sallyport::net

#include "net/helpers.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace sallyport::net {
namespace {

/// Never destroyed: a helper may be in a resolver call that takes longer than the process should.
class Helpers {
 public:
  static Helpers& instance() {
    static Helpers& helpers = *new Helpers;
    return helpers;
  }

  bool run(Job job) {
    const std::lock_guard lock(mutex_);
    if (jobs_.size() >= helper_jobs_max) return false;
    jobs_.push_back(std::move(job));
    if (idle_ < jobs_.size() && threads_ < helper_threads_max) {
      ++threads_;
      std::thread([this] { work(); }).detach();
    }
    more_.notify_one();
    return true;
  }

 private:
  void work() {
    for (;;) next()();
  }

  Job next() {
    std::unique_lock lock(mutex_);
    ++idle_;
    more_.wait(lock, [this] { return !jobs_.empty(); });
    --idle_;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    return job;
  }

  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<Job> jobs_;
  unsigned threads_ = 0;
  unsigned idle_ = 0;
};

}  // namespace

bool run_on_helper(Job job) {
  return Helpers::instance().run(std::move(job));
}

}  // namespace sallyport::net

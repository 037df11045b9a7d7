#pragma once
// HelperThread: one thread and a bounded queue, for what would hold up a reactor (libcurl, argon2).

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace sallyport::identity {

class HelperThread {
 public:
  /// Called once: with true if the thread stops or the queue is full and nothing was done.
  using Job = std::move_only_function<void(bool cancelled)>;

  explicit HelperThread(std::size_t queue_max);
  ~HelperThread();  // cancels what waits
  HelperThread(const HelperThread&) = delete;
  HelperThread& operator=(const HelperThread&) = delete;

  void run(Job job);  // from any thread

 private:
  void work();

  const std::size_t queue_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> queue_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace sallyport::identity

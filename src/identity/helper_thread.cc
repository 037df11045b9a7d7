#include "identity/helper_thread.h"

namespace sallyport::identity {

HelperThread::HelperThread(std::size_t queue_max)
    : queue_max_(queue_max), thread_([this] { work(); }) {}

HelperThread::~HelperThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
  for (auto& job : queue_) job(true);
}

void HelperThread::run(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ && queue_.size() < queue_max_) {
      queue_.push_back(std::move(job));
      changed_.notify_one();
      return;
    }
  }
  job(true);
}

void HelperThread::work() {
  while (true) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    job(false);
  }
}

}  // namespace sallyport::identity

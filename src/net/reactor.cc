#include "net/reactor.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <exception>
#include <mutex>

#include "base/log.h"
#include "net/kernel.h"
#include "net/mailbox.h"
#include "net/signal.h"

namespace sallyport::net {
namespace {

constexpr int rounds_per_turn_max = 16;
constexpr std::chrono::seconds trim_interval{10};

thread_local Reactor* this_threads = nullptr;

void log_exception(std::string_view event, std::string_view name) {
  try {
    throw;
  } catch (const std::exception& problem) {
    log::error(event, {{"name", name}, {"error", problem.what()}});
  } catch (...) {
    log::error(event, {{"name", name}, {"error", "not a std::exception"}});
  }
}

Result<std::unique_ptr<Kernel>> make_kernel(Backend backend, int wake_fd) {
  if (backend == Backend::io_uring) return make_uring_kernel(wake_fd);
  return make_epoll_kernel(wake_fd);
}

}  // namespace

void detail::Mailbox::wake() {
  if (!asleep) return;
  asleep = false;
  const std::uint64_t one = 1;
  const ssize_t written = ::write(wake_fd.get(), &one, sizeof one);
  SALLYPORT_CHECK(written == sizeof one || errno == EAGAIN);
}

bool Poster::post(Job job) const {
  const std::lock_guard lock(mailbox_->mutex);
  if (!mailbox_->open) return false;
  mailbox_->jobs.push_back(std::move(job));
  mailbox_->wake();
  return true;
}

// Supervises one spawned task; its frame is destroyed by Spawned, never by itself.
struct Reactor::Root {
  struct promise_type {
    Root get_return_object() {
      return Root{std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
  std::coroutine_handle<> frame;
};

struct Reactor::Spawned {
  std::string name;
  std::list<Spawned>::iterator position{};
  std::coroutine_handle<> frame{};
  Waiter start{};

  ~Spawned() {
    if (frame) frame.destroy();
  }
};

Result<std::unique_ptr<Reactor>> Reactor::make(Backend backend) {
  auto mailbox = std::make_shared<detail::Mailbox>();
  mailbox->wake_fd = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!mailbox->wake_fd) return fail_errno(Errc::io, "eventfd", errno);
  auto choice = choose_backend(backend);
  if (!choice) return fail(choice);
  auto kernel = make_kernel(choice->backend, mailbox->wake_fd.get());
  if (!kernel) return fail(kernel);
  return std::unique_ptr<Reactor>(new Reactor(std::move(*kernel), std::move(mailbox)));
}

Reactor& Reactor::current() {
  SALLYPORT_CHECK(this_threads != nullptr);
  return *this_threads;
}

Reactor::Reactor(std::unique_ptr<Kernel> kernel, std::shared_ptr<detail::Mailbox> mailbox)
    : mailbox_(std::move(mailbox)),
      poster_(mailbox_),
      kernel_(std::move(kernel)),
      now_(std::chrono::steady_clock::now()) {
  SALLYPORT_CHECK(this_threads == nullptr);
  this_threads = this;
}

Reactor::~Reactor() {
  SALLYPORT_CHECK(this_threads == this);
  // What goes may spawn and post: that goes too, unrun.
  while (!spawned_.empty()) {
    std::list<Spawned> going;
    going.splice(going.end(), spawned_, spawned_.begin());
  }
  finished_.clear();
  std::vector<Job> jobs;
  {
    const std::lock_guard lock(mailbox_->mutex);
    mailbox_->open = false;
    jobs.swap(mailbox_->jobs);
  }
  jobs.clear();
  kernel_.reset();
  this_threads = nullptr;
}

std::string_view Reactor::backend_name() const {
  return kernel_->name();
}

void Reactor::run() {
  const auto stopped = [this] {
    const std::lock_guard lock(mailbox_->mutex);
    return std::exchange(mailbox_->stopping, false);
  };
  while (!stopped()) turn();
}

void Reactor::stop() {
  const std::lock_guard lock(mailbox_->mutex);
  mailbox_->stopping = true;
  mailbox_->wake();
}

void Reactor::turn() {
  bool may_sleep = ready_.empty();
  {
    const std::lock_guard lock(mailbox_->mutex);
    may_sleep = may_sleep && mailbox_->jobs.empty() && !mailbox_->stopping;
    mailbox_->asleep = may_sleep;
  }
  kernel_->wait(may_sleep ? timers_.next() : SteadyTime::min());
  now_ = std::chrono::steady_clock::now();
  run_jobs();
  timers_.run_due(now_);
  resume_ready();
  finished_.clear();
  if (now_ >= trim_at_) {
    buffers_.trim();
    trim_at_ = now_ + trim_interval;
  }
}

void Reactor::run_jobs() {
  std::vector<Job> jobs;
  {
    const std::lock_guard lock(mailbox_->mutex);
    mailbox_->asleep = false;
    jobs.swap(mailbox_->jobs);
  }
  for (Job& job : jobs) {
    try {
      job();
    } catch (...) {
      log_exception("posted job failed", "post");
    }
    job = nullptr;
  }
}

// What becomes ready meanwhile runs too, so that a hand-over between coroutines costs no system
// call; but not without end, or two that wake each other would keep the sockets waiting.
void Reactor::resume_ready() {
  for (int round = 0; round < rounds_per_turn_max && !ready_.empty(); ++round) {
    WaiterList batch;
    batch.take_all(ready_);
    while (!batch.empty()) {
      Waiter& waiter = batch.front();
      waiter.unlink();
      waiter.coroutine.resume();
    }
  }
}

void Reactor::spawn(std::string_view name, Task<void> task) {
  Spawned& spawned = spawned_.emplace_back(std::string(name));
  spawned.position = std::prev(spawned_.end());
  spawned.frame = supervise(spawned, std::move(task)).frame;
  spawned.start.coroutine = spawned.frame;
  schedule(spawned.start);
}

Reactor::Root Reactor::supervise(Spawned& self, Task<void> task) {
  try {
    // Moved, so that what the task was given goes when it ends, not when its turn does.
    Task<void> running = std::move(task);
    co_await std::move(running);
  } catch (...) {
    log_exception("task failed", self.name);
  }
  finished_.splice(finished_.end(), spawned_, self.position);
}

Task<void> Reactor::sleep_until(SteadyTime time) {
  Signal expired;
  Timer timer(timers_, [&expired] { expired.notify(); });
  timer.arm(time);
  co_await expired.wait();
}

Task<void> Reactor::sleep_for(std::chrono::nanoseconds duration) {
  co_await sleep_until(std::chrono::steady_clock::now() + duration);
}

}  // namespace sallyport::net

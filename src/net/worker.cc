#include "net/worker.h"

#include <fmt/format.h>

#include <future>
#include <optional>
#include <thread>
#include <utility>

#include "base/check.h"

namespace sallyport::net {
namespace {

class ThreadWorkers final : public Workers {
 public:
  ~ThreadWorkers() override { stop(); }

  Result<void> start_all(std::size_t count, const Setup& setup, Backend backend) {
    for (std::size_t index = 0; index < count; ++index) {
      std::promise<Result<Poster>> started;
      auto outcome = started.get_future();
      threads_.emplace_back(work, index, std::cref(setup), backend, std::move(started));
      auto poster = outcome.get();
      if (!poster) return fail(poster, fmt::format("worker {}", index));
      posters_.push_back(std::move(*poster));
    }
    return ok();
  }

  std::size_t size() const override { return posters_.size(); }

  void post(std::size_t index, Job job) override {
    SALLYPORT_CHECK(index < posters_.size());
    posters_[index].post(std::move(job));
  }

  void stop() override {
    for (const Poster& poster : posters_) poster.post([] { Reactor::current().stop(); });
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  static void work(std::size_t index, const Setup& setup, Backend backend,
                   std::promise<Result<Poster>> started) {
    auto reactor = Reactor::make(backend);
    if (!reactor) {
      started.set_value(fail(reactor));
      return;
    }
    if (auto set_up = setup(index); !set_up) {
      started.set_value(fail(set_up));
      return;
    }
    started.set_value((*reactor)->poster());
    (*reactor)->run();
  }

  std::vector<std::thread> threads_;
  std::vector<Poster> posters_;
};

}  // namespace

Result<std::unique_ptr<Workers>> Workers::start(std::size_t count, Setup setup, Backend backend) {
  auto workers = std::make_unique<ThreadWorkers>();
  if (auto started = workers->start_all(count, setup, backend); !started) return fail(started);
  return workers;
}

}  // namespace sallyport::net

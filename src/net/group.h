#pragma once
// Group: tasks that run at the same time on one thread and belong to one owner, for example the
// streams of a connection. What is not done goes with it.

#include <list>

#include "net/both.h"
#include "net/task.h"

namespace sallyport::net {

class Group {
 public:
  Group() = default;
  Group(const Group&) = delete;

  /// Runs `task` until it first waits. It must not throw: nobody waits for it.
  void start(Task<void> task) {
    sweep();
    auto& running = running_.emplace_back(detail::branch(std::move(task)));
    running.branch.start(running.join);
  }

  /// Frees those that are done, and counts the others. Not from inside one of them.
  std::size_t sweep() {
    std::erase_if(running_, [](const Running& each) { return each.join.running == 0; });
    return running_.size();
  }

 private:
  struct Running {
    explicit Running(detail::Branch<void> of) : branch(std::move(of)) {}
    detail::Branch<void> branch;
    detail::Join join{.running = 1, .caller = std::noop_coroutine()};
  };
  std::list<Running> running_;
};

}  // namespace sallyport::net

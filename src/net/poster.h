#pragma once
// Poster: the way into a reactor from another thread. A value; it may outlive the reactor.

#include <functional>
#include <memory>

namespace sallyport::net {

namespace detail {
struct Mailbox;
}

using Job = std::move_only_function<void()>;

class Poster {
 public:
  explicit Poster(std::shared_ptr<detail::Mailbox> mailbox) : mailbox_(std::move(mailbox)) {}

  /// Runs `job` on the reactor's thread, soon and in order. From any thread. False, and `job` is
  /// destroyed here, if the reactor is gone. Costs a system call only if the reactor sleeps.
  bool post(Job job) const;

 private:
  std::shared_ptr<detail::Mailbox> mailbox_;
};

}  // namespace sallyport::net

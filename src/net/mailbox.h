#pragma once
// Mailbox: a reactor's jobs from other threads. Inside net/ only.

#include <mutex>
#include <vector>

#include "net/descriptor.h"
#include "net/poster.h"

namespace sallyport::net::detail {

struct Mailbox {
  std::mutex mutex;
  std::vector<Job> jobs;
  bool open = true;     // the reactor is there
  bool asleep = false;  // the reactor waits in the kernel: a post must wake it
  bool stopping = false;
  Descriptor wake_fd;  // an eventfd

  /// With the lock held. Once per sleep: later posts find the reactor awake.
  void wake();
};

}  // namespace sallyport::net::detail

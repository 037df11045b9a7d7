#pragma once
// Uring: one io_uring instance with the ring of buffers that receives take from. It owns what the
// kernel may still use; sockets and listeners stand on it (uring_socket.h, uring_kernel.cc).
// Inside net/ only. One thread.

#include <liburing.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/result.h"
#include "net/buffer_pool.h"

namespace sallyport::net {

/// One request of ours in the kernel. done() may come several times for one (multishot).
class UringOperation {
 public:
  UringOperation() = default;
  UringOperation(const UringOperation&) = delete;
  UringOperation& operator=(const UringOperation&) = delete;
  virtual ~UringOperation() = default;

  /// Marks and schedules only. After the last one in_flight() is false.
  virtual void done(int result, unsigned flags) = 0;

  bool in_flight() const { return keep_ != nullptr; }

 private:
  friend class Uring;
  std::shared_ptr<void> keep_;  // what this operation is part of, while the kernel has it
  std::uint64_t batch_ = 0;     // in which it was asked for
};

class Uring {
 public:
  Uring() = default;
  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;
  /// Waits until the kernel has let go of everything: all that is in flight must be cancelled.
  ~Uring();

  static constexpr unsigned submissions = 1024;
  static constexpr unsigned completions = 8192;
  static constexpr unsigned ring_buffers = 1024;

  /// unavailable with the reason where the machine has no io_uring that will do. The fewer buffers
  /// are for a probe.
  Result<void> start(unsigned buffers = ring_buffers);

  /// The caller fills in the request; the Uring sets what it belongs to. Nothing is submitted
  /// before the loop waits. `owner` keeps the operation alive.
  template <class Prepare>
  void request(UringOperation& operation, std::shared_ptr<void> owner, Prepare prepare) {
    SALLYPORT_CHECK(!operation.in_flight());
    io_uring_sqe* const entry = next_entry();
    prepare(entry);
    io_uring_sqe_set_data(entry, &operation);
    operation.keep_ = std::move(owner);
    operation.batch_ = batch_;
    ++in_flight_;
  }
  /// The operation ends soon, if it does not end by itself before that. Its descriptor may be
  /// closed then.
  void cancel(UringOperation& operation);
  /// The operation has ended when this returns. Other events may be handed out by it.
  void cancel_now(UringOperation& operation);

  /// Submits what was asked for, waits as Kernel::wait() does, and hands out. One system call.
  void wait(std::optional<SteadyTime> until);
  /// The same for a probe, where the call itself may be forbidden.
  Result<void> try_wait(std::optional<SteadyTime> until);

  /// Puts the ring's buffer into a Chunk and another one into its place.
  Chunk take_buffer(unsigned id, std::size_t size);
  /// What it holds.
  Bytes buffer(unsigned id, std::size_t size) const { return {buffers_[id], size}; }
  /// Gives it back to the kernel.
  void provide(unsigned id);

  /// Something is in flight.
  bool busy() const { return in_flight_ > 0; }

 private:
  io_uring_sqe* next_entry();
  void submit();
  void hand_out();
  Result<void> set_up_buffers(unsigned count);

  io_uring ring_{};
  bool ring_made_ = false;
  bool handing_out_ = false;
  io_uring_buf_ring* ring_of_buffers_ = nullptr;
  unsigned buffers_count_ = 0;
  int provided_ = 0;  // and not yet told to the kernel
  std::array<std::byte*, ring_buffers> buffers_{};
  std::size_t in_flight_ = 0;
  std::uint64_t batch_ = 0;  // of requests, until they are submitted
};

}  // namespace sallyport::net

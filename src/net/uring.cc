#include "net/uring.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "net/kernel.h"
#include "net/reactor.h"

namespace sallyport::net {

Result<void> Uring::start(unsigned buffers) {
  // DEFER_TASKRUN (Linux 6.1) is younger than everything else that is used here. Completions are
  // made only when this thread waits for them, so its work is not interrupted.
  io_uring_params parameters{};
  parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                     IORING_SETUP_COOP_TASKRUN | IORING_SETUP_CQSIZE;
  parameters.cq_entries = completions;
  if (const int made = io_uring_queue_init_params(submissions, &ring_, &parameters); made < 0) {
    if (made == -EINVAL) return fail(Errc::unavailable, "io_uring: Linux 6.1 or newer is needed");
    if (made == -EPERM) {
      return fail(Errc::unavailable,
                  "io_uring: not permitted (kernel.io_uring_disabled or a seccomp profile)");
    }
    return fail_errno(Errc::unavailable, "io_uring", -made);
  }
  ring_made_ = true;
  io_uring_register_ring_fd(&ring_);  // saves a lookup per call; works without
  return set_up_buffers(buffers);
}

Result<void> Uring::set_up_buffers(unsigned count) {
  constexpr std::size_t page = 4096;
  const std::size_t bytes = count * sizeof(io_uring_buf);
  void* const memory = std::aligned_alloc(page, (bytes + page - 1) / page * page);
  SALLYPORT_CHECK(memory != nullptr);
  std::memset(memory, 0, bytes);
  ring_of_buffers_ = static_cast<io_uring_buf_ring*>(memory);
  buffers_count_ = count;
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uint64_t>(memory);
  registration.ring_entries = count;
  if (const int done = io_uring_register_buf_ring(&ring_, &registration, 0); done != 0) {
    return fail_errno(Errc::unavailable, "io_uring buffer rings", -done);
  }
  io_uring_buf_ring_init(ring_of_buffers_);
  for (unsigned id = 0; id < count; ++id) {
    buffers_[id] = new std::byte[BufferPool::buffer_bytes];
    provide(id);
  }
  return ok();
}

Uring::~Uring() {
  while (in_flight_ > 0) wait(std::nullopt);
  if (ring_made_) io_uring_queue_exit(&ring_);
  std::free(ring_of_buffers_);
  for (std::byte* const buffer : buffers_) delete[] buffer;
}

io_uring_sqe* Uring::next_entry() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  while (!entry) {
    submit();
    entry = io_uring_get_sqe(&ring_);
  }
  return entry;
}

void Uring::submit() {
  ++batch_;
  const int submitted = io_uring_submit(&ring_);
  SALLYPORT_CHECK(submitted >= 0 || submitted == -EINTR || submitted == -EAGAIN ||
                  submitted == -EBUSY);
}

void Uring::cancel(UringOperation& operation) {
  if (!operation.in_flight()) return;
  // A request names its descriptor by number until it is submitted, and the number may be given to
  // another socket as soon as this one is closed.
  if (operation.batch_ == batch_) submit();
  io_uring_sqe* const entry = next_entry();
  io_uring_prep_cancel(entry, &operation, 0);
  entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
  io_uring_sqe_set_data(entry, nullptr);
}

void Uring::cancel_now(UringOperation& operation) {
  cancel(operation);
  while (operation.in_flight()) wait(std::nullopt);
}

void Uring::wait(std::optional<SteadyTime> until) {
  const Result<void> waited = try_wait(until);
  SALLYPORT_CHECK(waited.has_value());
}

Result<void> Uring::try_wait(std::optional<SteadyTime> until) {
  if (provided_ > 0) io_uring_buf_ring_advance(ring_of_buffers_, std::exchange(provided_, 0));
  ++batch_;
  int waited = 0;
  const auto left = until && *until != SteadyTime::min() ? *until - std::chrono::steady_clock::now()
                                                         : std::chrono::nanoseconds(0);
  if (!until) {
    waited = io_uring_submit_and_wait(&ring_, 1);
  } else if (left.count() <= 0) {
    waited = io_uring_submit_and_get_events(&ring_);
  } else {
    const auto nanoseconds = std::chrono::nanoseconds(left).count();
    __kernel_timespec time{.tv_sec = nanoseconds / 1'000'000'000,
                           .tv_nsec = nanoseconds % 1'000'000'000};
    io_uring_cqe* first = nullptr;
    waited = io_uring_submit_and_wait_timeout(&ring_, &first, 1, &time, nullptr);
  }
  const bool good =
      waited >= 0 || waited == -EINTR || waited == -ETIME || waited == -EAGAIN || waited == -EBUSY;
  if (!good) return fail_errno(Errc::unavailable, "io_uring_enter", -waited);
  hand_out();
  return ok();
}

void Uring::hand_out() {
  SALLYPORT_CHECK(!std::exchange(handing_out_, true));
  io_uring_cqe* completion = nullptr;
  while (io_uring_peek_cqe(&ring_, &completion) == 0) {
    auto* const operation = static_cast<UringOperation*>(io_uring_cqe_get_data(completion));
    const int result = completion->res;
    const unsigned flags = completion->flags;
    io_uring_cqe_seen(&ring_, completion);
    if (!operation) continue;  // a cancellation: what it cancelled answers itself
    std::shared_ptr<void> last;
    if ((flags & IORING_CQE_F_MORE) == 0) {
      --in_flight_;
      last = std::exchange(operation->keep_, nullptr);
    }
    operation->done(result, flags);
  }
  handing_out_ = false;
}

Chunk Uring::take_buffer(unsigned id, std::size_t size) {
  BufferPool& pool = Reactor::current().buffers();
  std::byte* const received = std::exchange(buffers_[id], pool.take());
  provide(id);
  return Chunk(pool, received, size);
}

void Uring::provide(unsigned id) {
  io_uring_buf_ring_add(ring_of_buffers_, buffers_[id], BufferPool::buffer_bytes,
                        static_cast<unsigned short>(id), io_uring_buf_ring_mask(buffers_count_),
                        provided_++);
}

}  // namespace sallyport::net

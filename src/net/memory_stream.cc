#include "net/memory_stream.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "net/reactor.h"
#include "net/stream_deadline.h"

namespace sallyport::net {
namespace {

/// One direction. What is before `read_to` has been read.
struct Pipe {
  ByteVector bytes;
  std::size_t read_to = 0;
  bool writer_gone = false;
  bool reader_gone = false;
  Signal readable;
  Signal writable;

  std::size_t unread() const { return bytes.size() - read_to; }
  void put(Bytes data) {
    append(bytes, data);
    readable.notify();
  }
};

class MemoryEnd final : public MemoryStream {
 public:
  MemoryEnd(std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out, const MemoryOptions& options)
      : in_(std::move(in)),
        out_(std::move(out)),
        options_(options),
        read_deadline_(Reactor::current(), in_->readable),
        write_deadline_(Reactor::current(), out_->writable) {}
  ~MemoryEnd() override { close(); }

  Task<Result<Chunk>> read() override {
    count_operation();
    if (++reads_ == faults_.fail_read) co_return fail(Errc::io, "injected");
    for (;;) {
      if (closed_) co_return fail(Errc::closed, "closed on this side");
      if (read_deadline_.passed()) co_return fail(Errc::timeout, "read deadline passed");
      if (in_->unread() > 0) co_return take();
      if (in_->writer_gone) co_return fail(Errc::closed, "the peer has closed");
      co_await in_->readable.wait();
    }
  }

  Task<Result<void>> write(Bytes data) override {
    count_operation();
    if (++writes_ == faults_.fail_write) co_return fail(Errc::io, "injected");
    for (;;) {
      if (closed_) co_return fail(Errc::closed, "closed on this side");
      if (out_->reader_gone) co_return fail(Errc::closed, "the peer has closed");
      if (write_deadline_.passed()) co_return fail(Errc::timeout, "write deadline passed");
      data = data.subspan(put_what_fits(data));
      if (data.empty()) co_return ok();
      co_await out_->writable.wait();
    }
  }

  void write_last(Bytes data) override {
    if (!closed_ && !out_->reader_gone) put_what_fits(data);
  }

  void set_read_deadline(std::optional<SteadyTime> deadline) override {
    read_deadline_.set(deadline);
  }
  void set_write_deadline(std::optional<SteadyTime> deadline) override {
    write_deadline_.set(deadline);
  }

  void close() override {
    if (std::exchange(closed_, true)) return;
    in_->reader_gone = true;
    out_->writer_gone = true;
    for (Pipe* pipe : {in_.get(), out_.get()}) {
      pipe->readable.notify();
      pipe->writable.notify();
    }
  }

  Endpoint peer() const override { return {"127.0.0.1", 1}; }

  void set_faults(const Faults& faults) override { faults_ = faults; }
  std::size_t operations() const override { return operations_; }
  Bytes written() const override { return out_->bytes; }
  void feed(Bytes bytes) override { out_->put(bytes); }
  bool is_closed() const override { return closed_; }

 private:
  void count_operation() {
    if (++operations_ == faults_.close_at) close();
  }

  Result<Chunk> take() {
    Bytes unread = Bytes(in_->bytes).subspan(in_->read_to);
    unread = unread.first(std::min(unread.size(), options_.read_bytes_max));
    Chunk chunk = Reactor::current().buffers().copy(unread);
    in_->read_to += chunk.bytes().size();
    in_->writable.notify();
    return chunk;
  }

  std::size_t put_what_fits(Bytes data) {
    const std::size_t unread = out_->unread();
    const std::size_t room =
        options_.capacity_bytes > unread ? options_.capacity_bytes - unread : 0;
    const std::size_t size = std::min(room, data.size());
    if (size > 0) out_->put(data.first(size));
    return size;
  }

  std::shared_ptr<Pipe> in_;
  std::shared_ptr<Pipe> out_;
  MemoryOptions options_;
  Faults faults_;
  StreamDeadline read_deadline_;
  StreamDeadline write_deadline_;
  std::size_t operations_ = 0;
  std::size_t reads_ = 0;
  std::size_t writes_ = 0;
  bool closed_ = false;
};

}  // namespace

MemoryPair make_memory_pair(const MemoryOptions& options) {
  SALLYPORT_CHECK(options.capacity_bytes > 0 && options.read_bytes_max > 0);
  const auto to_b = std::make_shared<Pipe>();
  const auto to_a = std::make_shared<Pipe>();
  return {std::make_unique<MemoryEnd>(to_a, to_b, options),
          std::make_unique<MemoryEnd>(to_b, to_a, options)};
}

}  // namespace sallyport::net

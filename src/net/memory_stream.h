#pragma once
// Connected streams in memory, for tests: bounded, recorded, and failing where a test says so.

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "net/stream.h"

namespace sallyport::net {

/// Where one end fails. Operations are counted from 1, each read() and write() call is one.
struct Faults {
  std::optional<std::size_t> fail_read;   // the n-th read fails with io
  std::optional<std::size_t> fail_write;  // the n-th write fails with io, nothing written
  std::optional<std::size_t> close_at;    // the n-th operation, read or write, closes this end
};

struct MemoryOptions {
  std::size_t capacity_bytes = 64 * 1024;  // a writer waits while that much is unread
  std::size_t read_bytes_max = 16 * 1024;  // the most that one read returns: 1 tears everything
};

class MemoryStream : public Stream {
 public:
  virtual void set_faults(const Faults& faults) = 0;
  /// How many read() and write() calls this end has seen.
  virtual std::size_t operations() const = 0;
  /// Every byte that write() has taken at this end.
  virtual Bytes written() const = 0;
  /// Writes without waiting and above the capacity: what the other end will read. No operation.
  virtual void feed(Bytes bytes) = 0;
  virtual bool is_closed() const = 0;
};

struct MemoryPair {
  std::unique_ptr<MemoryStream> a;
  std::unique_ptr<MemoryStream> b;
};

/// Needs a current reactor. What is written to `a` is read from `b` and the other way round. After
/// one end has closed or gone, the other reads what was written, then closed; its writes fail.
MemoryPair make_memory_pair(const MemoryOptions& options = {});

}  // namespace sallyport::net

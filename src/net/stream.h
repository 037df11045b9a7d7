#pragma once
// Stream: the one byte stream the rest of Sallyport sees. TCP, TLS and the tests' memory streams
// implement it; nothing outside net/ names a socket.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "net/task.h"

namespace sallyport::net {

class BufferPool;

/// Received bytes in a buffer borrowed from the worker's pool (16 KiB). Goes back to the pool when
/// the Chunk goes, so a session that waits owns no buffer. Belongs to its worker's thread.
class Chunk {
 public:
  Chunk() = default;
  Chunk(BufferPool& pool, std::byte* buffer, std::size_t size)
      : pool_(&pool), buffer_(buffer), size_(size) {}
  Chunk(Chunk&& other) noexcept;
  Chunk& operator=(Chunk&& other) noexcept;
  ~Chunk();

  Bytes bytes() const { return {buffer_, size_}; }
  bool empty() const { return size_ == 0; }
  /// False, and nothing is done, if `more` does not fit behind what is here.
  bool append(Bytes more);

 private:
  BufferPool* pool_ = nullptr;
  std::byte* buffer_ = nullptr;
  std::size_t size_ = 0;
};

struct Endpoint {
  std::string ip;  // numeric; IPv4-mapped IPv6 addresses are given as IPv4
  std::uint16_t port = 0;
};

/// At most one read and one write may be in flight at a time; a read and a write may overlap.
class Stream {
 public:
  virtual ~Stream() = default;

  /// At least one byte. Fails with closed at the peer's end of data or after close(), with timeout
  /// at the read deadline, with malformed on bytes that are not TLS.
  virtual Task<Result<Chunk>> read() = 0;

  /// Writes all of `data`, which must outlive the call. Completes when the kernel has taken it,
  /// which is the back-pressure of a relay: do not read on before.
  virtual Task<Result<void>> write(Bytes data) = 0;

  /// Hands over what goes without waiting, and does not tell how much: a farewell before close().
  /// Not while a write is in flight.
  virtual void write_last(Bytes /*data*/) {}

  /// A read or write that has not completed by then fails with timeout. nullopt: no deadline.
  virtual void set_read_deadline(std::optional<SteadyTime> deadline) = 0;
  virtual void set_write_deadline(std::optional<SteadyTime> deadline) = 0;

  /// Ends both directions; what is in flight fails with closed. Idempotent.
  virtual void close() = 0;

  virtual Endpoint peer() const = 0;

  /// The peer has ended its side or broken off, as far as the kernel knows: for who waits long and
  /// does not read meanwhile.
  virtual bool peer_gone() const { return false; }

  /// Nothing has come that was not read, and the peer has not ended, as far as is known: for who
  /// keeps a connection and wants to use it again.
  virtual bool quiet() const { return !peer_gone(); }
};

}  // namespace sallyport::net

#pragma once
// Decoder: what a body is behind its Content-Encoding (RFC 9110 section 8.4.1): gzip, deflate, br,
// zstd. It streams, and stops at bombs: at more than so many bytes, or at more than so many times
// what came in. Nothing is encoded again: what goes on is not compressed.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace sallyport::content {

enum class Encoding : std::uint8_t { identity, gzip, deflate, br, zstd };
std::string_view to_string(Encoding encoding);

/// From the values of all Content-Encoding headers of a message. Fails on what is not known, and on
/// two of them, one within the other.
Result<Encoding> encoding_of(std::span<const std::string_view> values);

struct DecodeLimits {
  std::uint64_t bytes_max = std::uint64_t{256} << 20;
  std::uint32_t ratio_max = 250;                            // of bytes out to bytes in, ...
  std::uint64_t ratio_from_bytes = std::uint64_t{1} << 20;  // ... once so many are out
};

class Decoder {
 public:
  virtual ~Decoder() = default;

  /// The next piece, at most 64 KB, good until the next call; takes what it needs from the front
  /// of `input`. Empty when more input is needed, and only then. Bytes behind the end fail.
  Result<Bytes> take(Bytes& input);
  /// At the end of the body. Fails if it is cut off.
  Result<void> finish() const;

 protected:
  explicit Decoder(const DecodeLimits& limits) : limits_(limits) {}
  struct Step {
    std::size_t taken = 0;
    std::size_t made = 0;
    bool ended = false;
  };
  virtual Result<Step> step(Bytes input, std::span<std::byte> output) = 0;

 private:
  DecodeLimits limits_;
  std::uint64_t in_ = 0;
  std::uint64_t made_ = 0;
  bool ended_ = false;
  bool pending_ = false;  // the last step filled all of the buffer: there may be more
  std::unique_ptr<std::byte[]> buffer_;
};

/// Null for identity, which needs none.
Result<std::unique_ptr<Decoder>> make_decoder(Encoding encoding, const DecodeLimits& limits);

}  // namespace sallyport::content

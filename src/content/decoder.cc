#include "content/decoder.h"

#include <brotli/decode.h>
#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>

#include "http/text.h"

namespace sallyport::content {
namespace {

constexpr std::size_t buffer_bytes = std::size_t{64} * 1024;
/// RFC 9659: more memory than this is not asked of who decodes.
constexpr int zstd_window_log_max = 23;

constexpr std::array<std::pair<std::string_view, Encoding>, 6> names{
    {{"identity", Encoding::identity},
     {"gzip", Encoding::gzip},
     {"deflate", Encoding::deflate},
     {"br", Encoding::br},
     {"zstd", Encoding::zstd},
     {"x-gzip", Encoding::gzip}}};

/// gzip, and deflate in its zlib wrapping, which is what RFC 9110 says. Deflate without it is
/// refused: whether a body has it is a guess.
class ZlibDecoder final : public Decoder {
 public:
  ZlibDecoder(const DecodeLimits& limits, bool gzip) : Decoder(limits) {
    // The sum of a window of 32 KB and 16 for the wrapping of gzip.
    ready_ = inflateInit2(&stream_, 15 + (gzip ? 16 : 0)) == Z_OK;
  }
  ~ZlibDecoder() override { inflateEnd(&stream_); }

 private:
  Result<Step> step(Bytes input, std::span<std::byte> output) override {
    if (!ready_) return fail(Errc::unavailable, "zlib cannot begin");
    const auto size = static_cast<uInt>(std::min<std::size_t>(input.size(), 1u << 30));
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(input.data()));
    stream_.avail_in = size;
    stream_.next_out = reinterpret_cast<Bytef*>(output.data());
    stream_.avail_out = static_cast<uInt>(output.size());
    const int done = inflate(&stream_, Z_NO_FLUSH);
    if (done != Z_OK && done != Z_STREAM_END && done != Z_BUF_ERROR) {
      return fail(Errc::malformed, "the body is not what its Content-Encoding says");
    }
    return Step{size - stream_.avail_in, output.size() - stream_.avail_out, done == Z_STREAM_END};
  }

  z_stream stream_{};
  bool ready_ = false;
};

class BrotliDecoder final : public Decoder {
 public:
  explicit BrotliDecoder(const DecodeLimits& limits)
      : Decoder(limits), state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {}
  ~BrotliDecoder() override {
    if (state_ != nullptr) BrotliDecoderDestroyInstance(state_);
  }

 private:
  Result<Step> step(Bytes input, std::span<std::byte> output) override {
    if (state_ == nullptr) return fail(Errc::unavailable, "brotli cannot begin");
    std::size_t in = input.size();
    std::size_t out = output.size();
    auto next_in = reinterpret_cast<const std::uint8_t*>(input.data());
    auto next_out = reinterpret_cast<std::uint8_t*>(output.data());
    const auto done =
        BrotliDecoderDecompressStream(state_, &in, &next_in, &out, &next_out, nullptr);
    if (done == BROTLI_DECODER_RESULT_ERROR) {
      return fail(Errc::malformed, "the body is not what its Content-Encoding says");
    }
    return Step{input.size() - in, output.size() - out, done == BROTLI_DECODER_RESULT_SUCCESS};
  }

  BrotliDecoderState* state_;
};

class ZstdDecoder final : public Decoder {
 public:
  explicit ZstdDecoder(const DecodeLimits& limits)
      : Decoder(limits), stream_(ZSTD_createDStream()) {
    if (stream_ != nullptr) {
      ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, zstd_window_log_max);
    }
  }
  ~ZstdDecoder() override { ZSTD_freeDStream(stream_); }

 private:
  Result<Step> step(Bytes input, std::span<std::byte> output) override {
    if (stream_ == nullptr) return fail(Errc::unavailable, "zstd cannot begin");
    ZSTD_inBuffer in{input.data(), input.size(), 0};
    ZSTD_outBuffer out{output.data(), output.size(), 0};
    const std::size_t left = ZSTD_decompressStream(stream_, &out, &in);
    if (ZSTD_isError(left) != 0) {
      return fail(Errc::malformed, fmt::format("the body is not what its Content-Encoding says: {}",
                                               ZSTD_getErrorName(left)));
    }
    return Step{in.pos, out.pos, left == 0};
  }

  ZSTD_DStream* stream_;
};

}  // namespace

std::string_view to_string(Encoding encoding) {
  return names[static_cast<std::size_t>(encoding)].first;
}

Result<Encoding> encoding_of(std::span<const std::string_view> values) {
  Encoding found = Encoding::identity;
  bool one = false;
  for (const std::string_view value : values) {
    for (std::size_t begin = 0; begin <= value.size();) {
      const std::size_t end = std::min(value.find(',', begin), value.size());
      const std::string name = http::lower(http::trim(value.substr(begin, end - begin)));
      begin = end + 1;
      const auto* const known = std::ranges::find(names, name, &decltype(names)::value_type::first);
      if (known == names.end())
        return fail(Errc::malformed, "a Content-Encoding that is not known");
      if (one) return fail(Errc::malformed, "more than one Content-Encoding");
      one = true;
      found = known->second;
    }
  }
  return found;
}

Result<Bytes> Decoder::take(Bytes& input) {
  if (ended_) {
    if (!input.empty()) return fail(Errc::malformed, "bytes behind the end of the compressed body");
    return Bytes();
  }
  if (buffer_ == nullptr) buffer_ = std::make_unique_for_overwrite<std::byte[]>(buffer_bytes);
  while (!ended_ && (pending_ || !input.empty())) {
    auto done = step(input, {buffer_.get(), buffer_bytes});
    if (!done) return fail(done);
    if (done->taken == 0 && done->made == 0 && !done->ended && !input.empty()) {
      return fail(Errc::malformed, "the decoder does not go on");
    }
    input = input.subspan(done->taken);
    in_ += done->taken;
    made_ += done->made;
    ended_ = done->ended;
    pending_ = done->made == buffer_bytes;
    if (made_ > limits_.bytes_max) {
      return fail(Errc::too_large, fmt::format("the body is above {} bytes without its encoding",
                                               limits_.bytes_max));
    }
    if (made_ > limits_.ratio_from_bytes && made_ / limits_.ratio_max > in_) {
      return fail(Errc::too_large,
                  fmt::format("the body grows to more than {} times its size", limits_.ratio_max));
    }
    if (done->made > 0) return Bytes(buffer_.get(), done->made);
  }
  if (ended_ && !input.empty()) {
    return fail(Errc::malformed, "bytes behind the end of the compressed body");
  }
  return Bytes();
}

Result<void> Decoder::finish() const {
  // A body of no bytes at all is what some servers send with 204 and 304.
  if (!ended_ && in_ > 0) return fail(Errc::malformed, "the compressed body is cut off");
  return ok();
}

Result<std::unique_ptr<Decoder>> make_decoder(Encoding encoding, const DecodeLimits& limits) {
  switch (encoding) {
    case Encoding::identity:
      return nullptr;
    case Encoding::gzip:
    case Encoding::deflate:
      return std::make_unique<ZlibDecoder>(limits, encoding == Encoding::gzip);
    case Encoding::br:
      return std::make_unique<BrotliDecoder>(limits);
    case Encoding::zstd:
      return std::make_unique<ZstdDecoder>(limits);
  }
  return fail(Errc::invalid, "no such encoding");
}

}  // namespace sallyport::content

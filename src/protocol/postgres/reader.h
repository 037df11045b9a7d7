#pragma once
// Decoder: cuts received bytes into messages, in place. MessageReader: the same over a Stream.
// Nothing is copied but a message that arrives in several reads; a long DataRow or CopyData is not
// gathered at all but handed on in pieces.

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <string_view>

#include "net/stream.h"
#include "protocol/postgres/wire.h"

namespace sallyport::postgres {

/// Which messages may come, and how long. A type that is not listed is malformed.
class MessageLimits {
 public:
  /// What a client may send after startup; `message_bytes_max` bounds Query, Parse, Bind, CopyData.
  static MessageLimits client(std::size_t message_bytes_max);
  /// What a client may send before it has proved who it is: passwords.
  static MessageLimits login();
  /// What a server may send; rows and copy data may have any length, for they are streamed.
  static MessageLimits server();

  /// 0 if the type may not come at all.
  std::uint32_t bytes_max(char type) const { return bytes_max_[static_cast<unsigned char>(type)]; }
  bool streamed(char type) const { return type == streamed_[0] || type == streamed_[1]; }
  /// Above its limit such a message is discarded, so that it can be refused and the session lives.
  bool discarded(char type) const {
    return std::ranges::find(discarded_, type) != discarded_.end();
  }

 private:
  std::array<std::uint32_t, 256> bytes_max_{};
  std::array<char, 2> streamed_{};
  std::array<char, 4> discarded_{};
};

class Decoder {
 public:
  explicit Decoder(const MessageLimits& limits) : limits_(&limits) {}

  /// What has arrived already and was not given out is judged by these as well.
  void use(const MessageLimits& limits) { limits_ = &limits; }

  /// `data` must stay until it is consumed: until next() gives nullopt, or forever if it fails.
  void feed(Bytes data);

  /// The next message or piece; nullopt when what was fed is used up. A length that does not cover
  /// itself, an unknown type, or a message above its limit fails as soon as its header is here.
  Result<std::optional<Message>> next();

  /// Bytes of an incomplete message that are being held.
  std::size_t held() const { return carry_.size(); }
  bool empty() const { return data_.empty() && !mid_message(); }
  bool mid_message() const {
    return streaming_left_ > 0 || discarding_left_ > 0 || !carry_.empty();
  }

 private:
  Result<std::optional<Message>> next_piece();

  const MessageLimits* limits_;
  Bytes data_;                    // fed and not consumed
  ByteVector carry_;              // the beginning of a message that did not arrive whole
  bool carry_delivered_ = false;  // the message in carry_ was handed out
  char streaming_type_ = 0;
  std::size_t streaming_left_ = 0;   // body bytes of a streamed message still to come
  std::size_t discarding_left_ = 0;  // bytes of a discarded one
};

class MessageReader {
 public:
  /// Both must outlive the reader.
  MessageReader(net::Stream& stream, const MessageLimits& limits)
      : stream_(stream), decoder_(limits) {}

  /// What has been received already; nullopt when fill() must be awaited.
  Result<std::optional<Message>> poll() { return decoder_.next(); }
  /// After poll() gave nullopt: gives the buffer back, and everything poll() gave before is gone.
  /// For those who may wait long before fill().
  void drop() { chunk_ = net::Chunk(); }
  /// `bytes`, given by poll(), lie in the buffer: they stay until drop() or fill().
  bool holds(Bytes bytes) const {
    const Bytes chunk = chunk_.bytes();
    return !std::less<>()(bytes.data(), chunk.data()) &&
           std::less<>()(bytes.data(), chunk.data() + chunk.size());
  }

  /// Instead of those it was made with.
  void use(const MessageLimits& limits) { decoder_.use(limits); }

  /// Receives more, for begin_with().
  net::Task<Result<net::Chunk>> receive() {
    drop();
    return stream_.read();
  }
  /// Both at once.
  net::Task<Result<void>> fill();

  /// poll() or fill() until there is a message: for the parts of a session that are not hot.
  net::Task<Result<Message>> next();

  /// Takes up what was received, by receive() or before the reader existed.
  void begin_with(net::Chunk chunk);

  bool mid_message() const { return decoder_.mid_message(); }
  /// Everything that was received has been read. After poll() gave nothing.
  bool empty() const { return decoder_.empty(); }

 private:
  net::Stream& stream_;
  net::Chunk chunk_;
  Decoder decoder_;
};

}  // namespace sallyport::postgres

#include "protocol/postgres/reader.h"

#include <algorithm>
#include <string>

namespace sallyport::postgres {
namespace {

constexpr std::uint32_t any_length = 0x3fffffff;  // PostgreSQL's own limit, 1 GiB
constexpr std::uint32_t small_message_max = 64 * 1024;
constexpr std::uint32_t password_message_max = 20 * 1024;  // a token may be 16 KiB
// A row description can have 1,664 columns with long names.
constexpr std::uint32_t description_max = 1 << 20;
// What one call of a function by number may return: a client says how much of a large object.
constexpr std::uint32_t function_result_max = 16 << 20;
// Above this a row or a piece of copy data is not gathered but streamed.
constexpr std::size_t streamed_from = 8 * 1024;

std::string name(char type) {
  return type >= ' ' && type <= '~' ? std::string(1, type)
                                    : "0x" + to_hex(Bytes(reinterpret_cast<std::byte*>(&type), 1));
}

}  // namespace

MessageLimits MessageLimits::client(std::size_t message_bytes_max) {
  MessageLimits limits;
  const auto set = [&](char type, std::size_t most) {
    limits.bytes_max_[static_cast<unsigned char>(type)] =
        static_cast<std::uint32_t>(std::min<std::size_t>(most, any_length));
  };
  for (const char type : {frontend::query, frontend::parse, frontend::bind, frontend::copy_data,
                          frontend::function_call}) {
    set(type, message_bytes_max);
  }
  for (const char type : {frontend::close, frontend::copy_done, frontend::copy_fail,
                          frontend::describe, frontend::execute, frontend::flush,
                          frontend::password, frontend::sync, frontend::terminate}) {
    set(type, small_message_max);
  }
  limits.streamed_ = {frontend::copy_data, frontend::copy_data};
  limits.discarded_ = {frontend::query, frontend::parse, frontend::bind, frontend::function_call};
  return limits;
}

MessageLimits MessageLimits::login() {
  MessageLimits limits;
  limits.bytes_max_[static_cast<unsigned char>(frontend::password)] = password_message_max;
  return limits;
}

MessageLimits MessageLimits::server() {
  MessageLimits limits;
  const auto set = [&](char type, std::uint32_t most) {
    limits.bytes_max_[static_cast<unsigned char>(type)] = most;
  };
  for (const char type :
       {backend::authentication, backend::key_data, backend::bind_complete, backend::close_complete,
        backend::command_complete, backend::copy_done, backend::copy_in, backend::copy_out,
        backend::empty_query, backend::negotiate_version, backend::no_data, backend::notification,
        backend::parameter_status, backend::parse_complete, backend::portal_suspended,
        backend::ready}) {
    set(type, small_message_max);
  }
  for (const char type : {backend::error, backend::notice, backend::row_description,
                          backend::parameter_description}) {
    set(type, description_max);
  }
  set(backend::function_result, function_result_max);
  set(backend::data_row, any_length);
  set(backend::copy_data, any_length);
  limits.streamed_ = {backend::data_row, backend::copy_data};
  return limits;
}

void Decoder::feed(Bytes data) {
  data_ = data;
}

Result<std::optional<Message>> Decoder::next() {
  if (carry_delivered_) {
    carry_delivered_ = false;
    // A long message must not leave its buffer with an idle session.
    if (carry_.capacity() > small_message_max) {
      ByteVector().swap(carry_);
    } else {
      carry_.clear();
    }
  }
  if (discarding_left_ > 0) {
    const std::size_t size = std::min(discarding_left_, data_.size());
    data_ = data_.subspan(size);
    discarding_left_ -= size;
  }
  if (data_.empty()) return std::nullopt;
  if (streaming_left_ > 0) return next_piece();

  // Complete the header first: everything else depends on it.
  if (!carry_.empty() && carry_.size() < header_bytes) {
    const std::size_t missing = std::min(header_bytes - carry_.size(), data_.size());
    append(carry_, data_.first(missing));
    data_ = data_.subspan(missing);
    if (carry_.size() < header_bytes) return std::nullopt;
  }
  const Bytes start = carry_.empty() ? data_ : Bytes(carry_);
  if (start.size() < header_bytes) {
    append(carry_, std::exchange(data_, {}));
    return std::nullopt;
  }

  const char type = static_cast<char>(start[0]);
  const std::uint32_t length = read_u32(start.subspan(1));
  const std::uint32_t most = limits_->bytes_max(type);
  if (most == 0) return fail(Errc::malformed, "unexpected message type " + name(type));
  if (length < 4) {
    return fail(Errc::malformed, "message length " + std::to_string(length) + " is below 4");
  }
  const std::size_t size = std::size_t{1} + length;
  if (length > most && limits_->discarded(type) && length <= any_length) {
    discarding_left_ = size - carry_.size();
    carry_delivered_ = true;
    return Message{.type = type, .raw = {}, .body = {}, .discarded = true};
  }
  if (length > most) {
    return fail(Errc::too_large, "message " + name(type) + " of " + std::to_string(length) +
                                     " bytes, at most " + std::to_string(most));
  }

  if (carry_.empty() && data_.size() >= size) {
    const Bytes raw = data_.first(size);
    data_ = data_.subspan(size);
    return Message{.type = type, .raw = raw, .body = raw.subspan(header_bytes)};
  }

  if (limits_->streamed(type) && size > streamed_from) {
    // Hand on what is there: the header, from the carry if it was torn, and what follows it.
    streaming_type_ = type;
    if (!carry_.empty()) {
      streaming_left_ = size - carry_.size();
      carry_delivered_ = true;
      return Message{.type = type, .raw = carry_, .body = {}, .first = true, .last = false};
    }
    const Bytes raw = std::exchange(data_, {});
    streaming_left_ = size - raw.size();
    return Message{
        .type = type, .raw = raw, .body = raw.subspan(header_bytes), .first = true, .last = false};
  }

  const std::size_t missing = std::min(size - carry_.size(), data_.size());
  append(carry_, data_.first(missing));
  data_ = data_.subspan(missing);
  if (carry_.size() < size) return std::nullopt;
  carry_delivered_ = true;
  return Message{.type = type, .raw = carry_, .body = Bytes(carry_).subspan(header_bytes)};
}

Result<std::optional<Message>> Decoder::next_piece() {
  const std::size_t size = std::min(streaming_left_, data_.size());
  const Bytes piece = data_.first(size);
  data_ = data_.subspan(size);
  streaming_left_ -= size;
  return Message{.type = streaming_type_,
                 .raw = piece,
                 .body = piece,
                 .first = false,
                 .last = streaming_left_ == 0};
}

net::Task<Result<void>> MessageReader::fill() {
  chunk_ = net::Chunk();
  auto chunk = co_await stream_.read();
  if (!chunk) co_return fail(chunk);
  begin_with(*std::move(chunk));
  co_return ok();
}

net::Task<Result<Message>> MessageReader::next() {
  while (true) {
    auto message = poll();
    if (!message) co_return fail(message);
    if (*message) co_return **message;
    auto filled = co_await fill();
    if (!filled) co_return fail(filled);
  }
}

void MessageReader::begin_with(net::Chunk chunk) {
  chunk_ = std::move(chunk);
  decoder_.feed(chunk_.bytes());
}

}  // namespace sallyport::postgres

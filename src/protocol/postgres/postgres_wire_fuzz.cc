// Both decoders and every body: no crash, no read outside, and torn reads never change what is
// seen.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "protocol/postgres/reader.h"

namespace sallyport::postgres {
namespace {

void read_body(bool from_client, const Message& message) {
  const Bytes body = message.body;
  if (from_client) {
    switch (message.type) {
      case frontend::query:
        (void)query_text(body);
        break;
      case frontend::parse:
        (void)parse_body(body);
        break;
      case frontend::bind:
        (void)bind_body(body);
        break;
      case frontend::execute:
        (void)execute_body(body);
        break;
      case frontend::function_call:
        (void)function_call_body(body);
        break;
      case frontend::close:
      case frontend::describe:
        (void)name_body(body);
        break;
      default:
        break;
    }
    return;
  }
  switch (message.type) {
    case backend::error:
    case backend::notice:
      (void)error_fields(body);
      break;
    case backend::data_row: {
      // Whole or in two pieces, a row is read alike.
      const auto whole = data_row_fields(body);
      RowCheck pieces;
      const bool fits =
          pieces.feed(body.first(body.size() / 2)) && pieces.feed(body.subspan(body.size() / 2));
      const auto fields = pieces.finish();
      if (whole.has_value() != (fits && fields) || (whole && *whole != *fields)) std::abort();
      break;
    }
    case backend::parameter_description:
      (void)check_parameter_description(body);
      break;
    case backend::function_result:
      (void)check_function_result(body);
      break;
    case backend::notification:
      (void)check_notification(body);
      break;
    case backend::copy_in:
    case backend::copy_out:
      (void)check_copy_response(body);
      break;
    case backend::row_description:
      (void)row_description_fields(body);
      break;
    case backend::parameter_status:
      (void)parameter_status_body(body);
      break;
    case backend::key_data:
      (void)key_data_body(body);
      break;
    case backend::command_complete:
      (void)rows_of_tag(as_text(body));
      break;
    default:
      break;
  }
}

/// A digest of all that is decoded when the input arrives in pieces of `step` bytes.
std::uint64_t decode(bool from_client, const MessageLimits& limits, Bytes input, std::size_t step) {
  Decoder decoder(limits);
  std::uint64_t seen = 14695981039346656037u;
  const auto note = [&](std::uint64_t value) { seen = (seen ^ value) * 1099511628211u; };
  while (!input.empty()) {
    const std::size_t size = std::min(step, input.size());
    decoder.feed(input.first(size));
    input = input.subspan(size);
    while (true) {
      auto message = decoder.next();
      if (!message) {
        note(1);
        return seen;
      }
      if (!*message) break;
      if ((*message)->first) note(static_cast<unsigned char>((*message)->type));
      for (const std::byte byte : (*message)->raw) note(std::to_integer<std::uint64_t>(byte));
      if ((*message)->first && (*message)->last) read_body(from_client, **message);
    }
  }
  return seen;
}

}  // namespace
}  // namespace sallyport::postgres

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using namespace sallyport::postgres;
  static const MessageLimits client = MessageLimits::client(64 * 1024);
  static const MessageLimits server = MessageLimits::server();
  if (size < 2) return 0;
  const bool from_client = (data[0] & 1) != 0;
  const std::size_t step = data[1] + std::size_t{1};
  const Bytes input(reinterpret_cast<const std::byte*>(data) + 2, size - 2);
  const MessageLimits& limits = from_client ? client : server;
  if (decode(from_client, limits, input, step) !=
      decode(from_client, limits, input, input.size())) {
    std::abort();
  }
  return 0;
}

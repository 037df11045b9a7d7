// Fuzz: a response decoder fed with anything, torn anywhere, gives the same response or failure.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/check.h"
#include "http/response_decoder.h"

namespace sallyport::http {
namespace {

std::optional<Response> read(std::string_view text, std::size_t piece, bool to_head) {
  ResponseDecoder decoder(to_head);
  while (!text.empty()) {
    Bytes input = as_bytes(text.substr(0, piece));
    text.remove_prefix(input.size());
    while (!input.empty()) {
      auto taken = decoder.take(input);
      if (!taken) return std::nullopt;
      if (*taken) return std::move(**taken);
    }
  }
  auto ended = decoder.at_end();
  if (!ended) return std::nullopt;
  return std::move(*ended);
}

}  // namespace
}  // namespace sallyport::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  if (size == 0) return 0;
  const bool to_head = (data[0] & 0x80) != 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = http::read(text, text.size() + 1, to_head);
  const auto torn = http::read(text, 1 + data[0] % 32, to_head);
  SALLYPORT_CHECK(whole.has_value() == torn.has_value());
  if (whole) {
    SALLYPORT_CHECK(whole->status == torn->status);
    SALLYPORT_CHECK(whole->body == torn->body);
    SALLYPORT_CHECK(whole->headers.all.size() == torn->headers.all.size());
    SALLYPORT_CHECK(!to_head || whole->body.empty());
  }
  return 0;
}

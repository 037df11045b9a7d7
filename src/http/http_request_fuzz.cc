// Fuzz: a request decoder fed with anything, torn anywhere, gives the same requests, and each of
// them reads back as itself when written again.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "http/encoder.h"
#include "http/request_decoder.h"

namespace sallyport::http {
namespace {

struct Read {
  std::vector<Request> requests;
  int status = 0;
};

Read read(std::string_view text, std::size_t piece) {
  RequestDecoder decoder;
  Read read;
  while (!text.empty()) {
    Bytes input = as_bytes(text.substr(0, piece));
    text.remove_prefix(input.size());
    while (!input.empty()) {
      auto taken = decoder.take(input);
      if (!taken) {
        read.status = taken.error().status;
        return read;
      }
      if (*taken) read.requests.push_back(std::move(**taken));
    }
  }
  return read;
}

void check_reads_back(Request request) {
  // Framing is the encoder's, so what the fields said about it goes.
  std::erase_if(request.headers.all, [](const Header& header) {
    return Headers{{header}}.get("Content-Length") || Headers{{header}}.get("Transfer-Encoding") ||
           Headers{{header}}.get("Connection") || Headers{{header}}.get("Trailer") ||
           Headers{{header}}.get("Keep-Alive");
  });
  const auto bytes = encode(request);
  SALLYPORT_CHECK(bytes.has_value());
  const auto back = read(*bytes, bytes->size());
  if (back.status == 414 || back.status == 431) return;  // escapes made it longer
  SALLYPORT_CHECK(back.status == 0 && back.requests.size() == 1);
  SALLYPORT_CHECK(back.requests[0].method == request.method);
  SALLYPORT_CHECK(back.requests[0].path == request.path);
  SALLYPORT_CHECK(back.requests[0].query == request.query);
  SALLYPORT_CHECK(back.requests[0].body == request.body);
}

}  // namespace
}  // namespace sallyport::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = http::read(text, text.size() + 1);
  const auto torn = http::read(text, 1 + data[0] % 32);
  SALLYPORT_CHECK(whole.status == torn.status);
  SALLYPORT_CHECK(whole.requests.size() == torn.requests.size());
  for (std::size_t i = 0; i < whole.requests.size(); ++i) {
    SALLYPORT_CHECK(whole.requests[i].path == torn.requests[i].path);
    SALLYPORT_CHECK(whole.requests[i].body == torn.requests[i].body);
    http::check_reads_back(whole.requests[i]);
  }
  return 0;
}

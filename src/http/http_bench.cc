// What the codec costs per message.

#include <benchmark/benchmark.h>

#include <string>

#include "http/encoder.h"
#include "http/request_decoder.h"
#include "http/response_decoder.h"

namespace sallyport::http {
namespace {

const std::string request_text =
    "GET /api/v1/sessions?limit=50 HTTP/1.1\r\nHost: gw.example.com:8443\r\n"
    "User-Agent: curl/7.88.1\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\n"
    "Authorization: Bearer 0123456789abcdef0123456789abcdef\r\nCookie: a=b\r\n"
    "X-Request-Id: 7f6c\r\nCache-Control: no-cache\r\n\r\n";

void decode_request(benchmark::State& state) {
  RequestDecoder decoder;
  for (auto _ : state) {
    Bytes input = as_bytes(request_text);
    auto request = decoder.take(input);
    benchmark::DoNotOptimize(request);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * request_text.size()));
}
BENCHMARK(decode_request);

void encode_response(benchmark::State& state) {
  const auto response = Response::json(200, std::string(1000, 'x'));
  for (auto _ : state) {
    auto bytes = encode(response, {});
    benchmark::DoNotOptimize(bytes);
  }
}
BENCHMARK(encode_response);

void decode_response(benchmark::State& state) {
  const auto text = *encode(Response::json(200, std::string(1000, 'x')), {});
  for (auto _ : state) {
    ResponseDecoder decoder;
    Bytes input = as_bytes(text);
    auto response = decoder.take(input);
    benchmark::DoNotOptimize(response);
  }
}
BENCHMARK(decode_response);

}  // namespace
}  // namespace sallyport::http

// How fast JSON is masked, in bytes that come in, beside what only parses it: simdjson, which reads
// a whole document at once, and which this has to be measured against. In pieces of 16 KB.

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <simdjson.h>

#include <cstdlib>
#include <fstream>
#include <random>
#include <string>

#include "content/json_masker.h"

namespace sallyport::content {
namespace {

/// A list of customers as an API would give it, 16 MB.
std::string customers(bool pretty) {
  std::mt19937 random(7);
  const auto any = [&](std::size_t below) { return random() % below; };
  constexpr std::array<const char*, 8> words{"order", "shipped", "Berlin",  "express",
                                             "blue",  "large",   "account", "note"};
  const char* const newline = pretty ? "\n    " : "";
  const char* const space = pretty ? " " : "";
  std::string text = "[";
  for (std::size_t i = 0; text.size() < (std::size_t{16} << 20); ++i) {
    text += fmt::format(
        "{0}{{{1}\"id\":{2}{3},{1}\"name\":{2}\"{4} "
        "{5}\",{1}\"email\":{2}\"{4}{3}@example.com\",{1}"
        "\"active\":{2}true,{1}\"balance\":{2}{6}.{7},{1}\"address\":{2}{{\"street\":{2}\"{5} "
        "{8}\","
        "\"city\":{2}\"Z\xc3\xbcrich\",\"zip\":{2}\"{9}\"}},{1}\"tags\":{2}[\"{5}\",\"{4}\"],{1}"
        "\"note\":{2}\"{4} {5} {5} {4} and {4}, {5}\\n{4} {5} {4} {5}\"}}",
        i == 0 ? "" : ",", newline, space, i, words[any(8)], words[any(8)], any(100'000), any(100),
        any(300), 10'000 + any(89'999));
  }
  return text + "]";
}

const std::string& text(bool pretty = false) {
  static const std::string compact = customers(false);
  static const std::string spaced = customers(true);
  return pretty ? spaced : compact;
}

/// For bench/json_masks, which gives it to others.
const bool written = [] {
  const char* const file = std::getenv("CONTENT_BENCH_WRITE");
  if (file == nullptr) return false;
  std::ofstream(file) << text();
  std::exit(0);
}();

void parse_simdjson(benchmark::State& state) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(text());
  for (auto _ : state) {
    simdjson::dom::element root;
    if (parser.parse(padded).get(root) != simdjson::SUCCESS) state.SkipWithError("failed");
    benchmark::DoNotOptimize(root);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(text().size() * state.iterations()));
}
BENCHMARK(parse_simdjson)->Unit(benchmark::kMillisecond);

void mask(benchmark::State& state, std::vector<std::string> paths, bool detect, bool pretty) {
  SelectorBuilder builder;
  for (const std::string& path : paths) {
    if (!builder.add({path, {"pii.email"}})) state.SkipWithError("path");
  }
  const auto selector = *builder.build();
  mask::Masker detectors(*mask::Scanner::make(*mask::Patterns::make()), mask::Mode::mask);
  const Bytes all = as_bytes(text(pretty));
  ByteVector out;
  for (auto _ : state) {
    JsonMasker masker(Plan::make(selector, {}, {}, {}, detect ? &detectors : nullptr));
    for (std::size_t at = 0; at < all.size(); at += 16'384) {
      out.clear();
      const std::size_t size = std::min<std::size_t>(16'384, all.size() - at);
      if (!masker.feed(all.subspan(at, size), out)) state.SkipWithError("failed");
    }
    if (!masker.finish(out)) state.SkipWithError("failed");
    state.counters["masked"] = static_cast<double>(masker.masked().fields);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(all.size() * state.iterations()));
}
BENCHMARK_CAPTURE(mask, one_path, {"$[*].email"}, false, false)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(mask, anywhere, {"$..email", "$..phone", "$..zip"}, false, false)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(mask, one_path_pretty, {"$[*].email"}, false, true)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(mask, paths_and_detectors, {"$[*].email"}, true, false)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace sallyport::content

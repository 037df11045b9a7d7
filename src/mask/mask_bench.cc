// How fast texts go through the detectors, in bytes of text: cells one by one, as they come in
// DataRows, and one long text. `scripts/bench micro`, or mask_bench alone.

#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <vector>

#include "mask/masker.h"

namespace sallyport::mask {
namespace {

enum class Kind : std::uint8_t {
  words,   // no digits: no candidates
  mixed,   // names, prices, numbers, sentences with numbers; one cell in a hundred has a hit
  emails,  // all of them hits
  json,    // documents of 300 bytes, one in a hundred with a hit
  dates,   // timestamps as text
};

constexpr std::array<const char*, 20> word_list{
    "order",   "shipped", "customer",  "payment", "Berlin",  "Amsterdam", "invoice",
    "pending", "product", "warehouse", "Lorem",   "ipsum",   "dolor",     "blue",
    "large",   "express", "delivery",  "account", "balance", "note"};
constexpr std::array<const char*, 15> hits{
    "anna.smith@example.com",
    "4904023784846686",
    "219-09-9999",
    "DE89370400440532013000",
    "+49 170 1234567",
    "(415) 555-2671",
    "203.0.113.4",
    "2001:db8:85a3::8a2e:370:7334",
    "AKIATRUYVWTQFENQD30P",
    "ghp_R4jNX0JOc1tpTbvskfKzSS5G1E7VEb89SuAN",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "519.526.021-49",
    "00:1B:44:11:3A:B7",
    "password=hunter22",
    "postgres://bob:s3cret@db.local/x"};

std::vector<std::string> make(Kind kind) {
  std::mt19937 random(7);
  const auto any = [&](std::size_t below) { return random() % below; };
  const auto word = [&] { return std::string(word_list[any(word_list.size())]); };
  const auto sentence = [&](bool digits) {
    std::string text;
    for (std::size_t n = 3 + any(12); n-- > 0;) {
      text += word() + " ";
      if (digits && any(20) == 0) text += std::to_string(any(10'000)) + " ";
    }
    return text;
  };
  std::vector<std::string> cells;
  for (std::size_t bytes = 0; bytes < (std::size_t{16} << 20);) {
    std::string cell;
    switch (kind) {
      case Kind::words:
        cell = sentence(false);
        break;
      case Kind::emails:
        cell = word() + std::to_string(any(1000)) + "@example.com";
        break;
      case Kind::dates:
        cell = "2026-11-" + std::to_string(10 + any(20)) + " 14:05:17.123456+00";
        break;
      case Kind::mixed:
        switch (any(6)) {
          case 0:
            cell = std::to_string(any(1'000'000));
            break;
          case 1:
            cell = std::to_string(any(100'000)) + "." + std::to_string(any(100));
            break;
          case 2:
            cell = word() + " " + word();
            break;
          default:
            cell = sentence(true);
        }
        if (any(100) == 0) cell += std::string(" ") + hits[any(hits.size())];
        break;
      case Kind::json:
        cell = "{\"id\": " + std::to_string(any(1'000'000));
        while (cell.size() < 300)
          cell += ", \"" + word() + "\": \"" + word() + "\", \"n\": " + std::to_string(any(1000));
        if (any(100) == 0) cell += std::string(", \"x\": \"") + hits[any(hits.size())] + "\"";
        cell += "}";
        break;
    }
    bytes += cell.size();
    cells.push_back(std::move(cell));
  }
  return cells;
}

void cells(benchmark::State& state, Kind kind) {
  const std::vector<std::string> all = make(kind);
  std::vector<std::string> work = all;
  Masker masker(*Scanner::make(*Patterns::make()), Mode::report);
  Findings findings;
  std::size_t bytes = 0;
  for (const std::string& cell : all) bytes += cell.size();
  std::size_t found = 0;
  for (auto _ : state) {
    found = 0;
    for (std::string& cell : work) {
      findings.clear();
      if (!masker.whole(cell, {}, findings)) state.SkipWithError("failed");
      found += findings.found.size();
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes * state.iterations()));
  state.counters["cells_with_hits"] = static_cast<double>(found) / static_cast<double>(all.size());
  state.counters["bytes_per_cell"] = static_cast<double>(bytes) / static_cast<double>(all.size());
}
BENCHMARK_CAPTURE(cells, no_candidates, Kind::words)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(cells, one_in_100_hits, Kind::mixed)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(cells, json_one_in_100_hits, Kind::json)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(cells, timestamps, Kind::dates)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(cells, all_emails, Kind::emails)->Unit(benchmark::kMillisecond);

/// One value of 1 GB that comes in pieces of 16 KB, hidden as it goes by.
void stream(benchmark::State& state) {
  std::string piece;
  for (const std::string& cell : make(Kind::mixed)) {
    piece += cell + "\n";
    if (piece.size() >= 16'384) break;
  }
  piece.resize(16'384);
  Masker masker(*Scanner::make(*Patterns::make()), Mode::mask);
  Findings findings;
  constexpr std::size_t bytes = std::size_t{1} << 30;
  std::size_t most = 0;
  for (auto _ : state) {
    TextStream text;
    ByteVector out;
    text.begin({});
    for (std::size_t done = 0; done < bytes; done += piece.size()) {
      out.clear();
      findings.clear();
      if (!text.feed(masker, piece, done + piece.size() == bytes, out, findings)) {
        state.SkipWithError("failed");
      }
      most = std::max(most, out.capacity());
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes * state.iterations()));
  state.counters["out_bytes_max"] = static_cast<double>(most);
}
BENCHMARK(stream)->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace
}  // namespace sallyport::mask

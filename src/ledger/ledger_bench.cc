// What one record costs: building the payload, framing and chaining it, and the whole way to the
// disk in batches.

#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <thread>
#include <vector>

#include "ledger/files.h"
#include "ledger/format.h"
#include "ledger/ledger.h"
#include "ledger/payloads.h"

namespace sallyport::ledger {
namespace {

void chain_a_record(benchmark::State& state) {
  const Record record{.kind = RecordKind::command,
                      .session = std::string(32, 's'),
                      .payload = std::string(static_cast<std::size_t>(state.range(0)), 'x')};
  ByteVector buffer(digest_bytes);
  std::uint64_t sequence = 0;
  for (auto step : state) {
    if (buffer.size() > (1U << 20)) buffer.resize(digest_bytes);
    append_frame(buffer, record, ++sequence);
  }
}
BENCHMARK(chain_a_record)->Arg(300)->Arg(1000)->Arg(8000);

void build_a_command(benchmark::State& state) {
  Session session;
  session.connection = "shop";
  session.chain.identities.push_back({.id = "alice"});
  Command command;
  command.kind = "query";
  command.text = "select id, status, total from orders where id = 5";
  command.actions = {
      {.name = "sql:select", .resource = {.type = "Table", .id = "shop/app/orders"}}};
  Decision decision;
  decision.answers = {{.principal = "User::\"alice\"",
                       .action = command.actions[0],
                       .allowed = true,
                       .policies = {"support-read"}}};
  for (auto step : state) benchmark::DoNotOptimize(command_payload(session, command, decision));
}
BENCHMARK(build_a_command);

// Appends `range` records and waits for the last.
void append_durably(benchmark::State& state) {
  std::string name = (std::filesystem::temp_directory_path() / "ledger-bench-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) return state.SkipWithError("no directory");
  {
    auto ledger =
        Ledger::open({.directory = name + "/log"}, system_files(), system_clock(), system_random());
    if (!ledger) return state.SkipWithError(ledger.error().detail.c_str());
    for (auto step : state) {
      Result<std::uint64_t> last = 0;
      for (std::int64_t i = 0; i < state.range(0); ++i) {
        last = (*ledger)->append(
            {.kind = RecordKind::command, .session = "s", .payload = std::string(300, 'x')});
      }
      if (!last || !(*ledger)->wait_durable(*last, std::chrono::seconds(30))) {
        state.SkipWithError("not durable");
      }
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
  }
  std::filesystem::remove_all(name);
}
BENCHMARK(append_durably)->Arg(1)->Arg(32)->Arg(1024)->UseRealTime();

// How long a commit takes that meets the end of a segment: batches of 32 KiB, 2 ms apart, through
// three segments of 64 MiB.
void commit_over_segment_changes(benchmark::State& state) {
  using Milliseconds = std::chrono::duration<double, std::milli>;
  constexpr std::size_t segment_bytes = std::size_t{64} << 20;
  constexpr std::size_t batch_records = 8;
  constexpr std::size_t record_bytes = 4000;
  constexpr std::size_t batches = 3 * segment_bytes / (batch_records * record_bytes);
  std::string name = (std::filesystem::temp_directory_path() / "ledger-bench-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) return state.SkipWithError("no directory");
  std::vector<double> took;
  for (auto step : state) {
    auto ledger = Ledger::open({.directory = name + "/log", .segment_bytes = segment_bytes},
                               system_files(), system_clock(), system_random());
    if (!ledger) return state.SkipWithError(ledger.error().detail.c_str());
    for (std::size_t batch = 0; batch < batches; ++batch) {
      const auto start = std::chrono::steady_clock::now();
      Result<std::uint64_t> last = 0;
      for (std::size_t i = 0; i < batch_records; ++i) {
        last = (*ledger)->append({.kind = RecordKind::command,
                                  .session = "s",
                                  .payload = std::string(record_bytes, 'x')});
      }
      if (!last || !(*ledger)->wait_durable(*last, std::chrono::seconds(30))) {
        return state.SkipWithError("not durable");
      }
      took.push_back(Milliseconds(std::chrono::steady_clock::now() - start).count());
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  std::filesystem::remove_all(name);
  std::ranges::sort(took);
  const auto at = [&](double part) {
    return took[static_cast<std::size_t>(part * static_cast<double>(took.size() - 1))];
  };
  state.counters["p50_ms"] = at(0.5);
  state.counters["p99_ms"] = at(0.99);
  state.counters["p99.9_ms"] = at(0.999);
  state.counters["worst_ms"] = took.back();
}
BENCHMARK(commit_over_segment_changes)->Iterations(1)->UseRealTime();

}  // namespace
}  // namespace sallyport::ledger

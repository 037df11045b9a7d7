// What it costs to decide on a command by the starter policies: time and allocations, asked afresh,
// with memory that is used again, and from the cache.

#include <benchmark/benchmark.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/count_allocations.h"
#include "policy/decision_cache.h"

namespace sallyport::policy {
namespace {

constexpr WallTime now{std::chrono::sys_days{std::chrono::year{2026} / 11 / 24}};

std::shared_ptr<const Policies> starter() {
  std::vector<cedar::PolicyText> texts;
  const std::filesystem::path folder =
      std::filesystem::path(__FILE__).parent_path() / "../../policies";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".cedar") continue;
    std::ifstream file(entry.path());
    texts.push_back({entry.path().string(), {std::istreambuf_iterator<char>(file), {}}});
  }
  auto made = Policies::make(texts, {{.name = "shop",
                                      .protocol = "postgres",
                                      .env = "demo",
                                      .classification = {{"*.customers.email", "pii.email"}}}});
  return made ? *made : nullptr;
}

Session session_of(bool delegated) {
  Session session;
  session.id = "s1";
  session.connection = "shop";
  session.chain.identities = {
      {.kind = IdentityKind::user, .id = "alice", .groups = {"support", "staff"}}};
  if (delegated) {
    session.chain.identities.push_back(
        {.kind = IdentityKind::agent, .id = "support-copilot", .attested = true});
    session.authentication.scopes = {"db:read"};
  }
  session.authentication.method = "jwt";
  session.authentication.authenticated_at = now;
  session.source_ip = "10.1.2.3";
  return session;
}

/// SELECT of so many columns.
Command select(std::int64_t columns) {
  Command command;
  command.kind = "query";
  command.actions = {{"sql:select", {"Table", "shop/shop/public/customers"}}};
  for (std::int64_t i = 0; i < columns; ++i) {
    command.actions.push_back(
        {"sql:select", {"Column", "shop/shop/public/customers/c" + std::to_string(i)}});
  }
  command.context = SqlContext{.kind = "select", .fingerprint = "f", .hash = "h"};
  return command;
}

template <class Decide>
void run(benchmark::State& state, Decide decide) {
  const auto policies = starter();
  if (policies == nullptr) return state.SkipWithError("the starter policies do not load");
  const Session session = session_of(state.range(1) != 0);
  const Command command = select(state.range(0));
  if (!decide(policies, session, command)) return state.SkipWithError("denied");
  const std::uint64_t before = allocations.count.load();
  std::uint64_t allowed = 0;
  for (auto _ : state) allowed += decide(policies, session, command) ? 1 : 0;
  benchmark::DoNotOptimize(allowed);
  state.counters["allocations"] = benchmark::Counter(
      static_cast<double>(allocations.count.load() - before), benchmark::Counter::kAvgIterations);
}

void afresh(benchmark::State& state) {
  run(state, [](const auto& policies, const Session& session, const Command& command) {
    return policies->decide(session, command, now).verdict == Verdict::allow;
  });
}

void with_scratch(benchmark::State& state) {
  cedar::Scratch scratch;
  run(state, [&](const auto& policies, const Session& session, const Command& command) {
    return policies->decide(session, command, now, scratch).verdict == Verdict::allow;
  });
}

void cached(benchmark::State& state) {
  DecisionCache cache;
  run(state, [&](const auto& policies, const Session& session, const Command& command) {
    return cache.decide(policies, session, command, now)->verdict == Verdict::allow;
  });
}

void arguments(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"columns", "delegated"})->Args({4, 0})->Args({4, 1})->Args({30, 0});
}

BENCHMARK(afresh)->Apply(arguments);
BENCHMARK(with_scratch)->Apply(arguments);
BENCHMARK(cached)->Apply(arguments);

}  // namespace
}  // namespace sallyport::policy

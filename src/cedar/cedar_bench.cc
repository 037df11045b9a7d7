// Nanoseconds and allocations for each decision: over the policies and requests of the product's
// model, over the generated cases and over sets of 10 to 10,000 policies of which few apply.
// The first two need data that is not part of the tree ($SALLYPORT_SHARED, $SALLYPORT_CEDAR_CORPUS)
// and are left out without it.

#include <benchmark/benchmark.h>
#include <malloc.h>
#include <simdjson.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/count_allocations.h"
#include "cedar/authorize.h"
#include "cedar/json.h"
#include "cedar/validate.h"

namespace sallyport::cedar {
namespace {

namespace dom = simdjson::dom;
namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A policy set, entities, and requests that are asked one after the other.
struct World {
  PolicySet policies;
  Entities entities;
  std::unique_ptr<Arena> arena = std::make_unique<Arena>();
  std::vector<Request> requests;
};

/// Decides in turn, and counts what each decision allocates.
void decide(benchmark::State& state, const std::vector<World>& worlds) {
  std::vector<std::pair<const World*, const Request*>> all;
  for (const World& world : worlds) {
    for (const Request& request : world.requests) all.emplace_back(&world, &request);
  }
  if (all.empty()) return state.SkipWithError("its data is not here");
  Scratch scratch;
  std::size_t at = 0;
  std::uint64_t allowed = 0;
  for (const auto& [world, request] : all) {  // warm
    allowed += world->policies.authorize(*request, world->entities, scratch).allowed ? 1 : 0;
  }
  const std::uint64_t before = allocations.count.load();
  for (auto _ : state) {
    const auto& [world, request] = all[at];
    allowed += world->policies.authorize(*request, world->entities, scratch).allowed ? 1 : 0;
    if (++at == all.size()) at = 0;
  }
  benchmark::DoNotOptimize(allowed);
  state.counters["allocations"] = benchmark::Counter(
      static_cast<double>(allocations.count.load() - before), benchmark::Counter::kAvgIterations);
  state.counters["requests"] = static_cast<double>(all.size());
}

std::optional<World> load(const fs::path& file, const fs::path& root, Ids ids) {
  dom::parser parser;
  const dom::element json = parser.load(file.string());
  const auto text = [&](std::string_view key) { return read(root / std::string_view(json[key])); };
  World world;
  const auto schema = Schema::parse("schema", text("schema"));
  auto policies = PolicySet::parse("policies", text("policies"), ids);
  if (!schema || !policies) return std::nullopt;
  world.policies = std::move(*policies);
  auto entities = entities_from_json(text("entities"), &*schema);
  if (!entities) return std::nullopt;
  world.entities = std::move(*entities);
  for (const dom::element item : json["requests"].get_array()) {
    const auto uid = [&](std::string_view key) {
      return world.arena->uid(std::string_view(item[key]["type"]),
                              std::string_view(item[key]["id"]));
    };
    Request request{uid("principal"), uid("action"), uid("resource"), {}};
    const ActionType* const action = schema->action(request.action->type, request.action->id);
    auto context = value_from_json(simdjson::to_string(item["context"]), *world.arena,
                                   action != nullptr ? &action->context : nullptr);
    if (!context) return std::nullopt;
    request.context = *context;
    world.requests.push_back(request);
  }
  return world;
}

void policy_model(benchmark::State& state) {
  static const std::vector<World> worlds = [] {
    std::vector<World> made;
    const char* const shared = std::getenv("SALLYPORT_SHARED");
    if (shared == nullptr) return made;
    const fs::path root = fs::path(shared) / "policy-model";
    if (auto world = load(root / "model.requests.json", root, Ids::from_annotation)) {
      made.push_back(std::move(*world));
    }
    return made;
  }();
  decide(state, worlds);
}
BENCHMARK(policy_model);

void corpus(benchmark::State& state) {
  static const std::vector<World> worlds = [] {
    std::vector<World> made;
    const char* const folder = std::getenv("SALLYPORT_CEDAR_CORPUS");
    if (folder == nullptr) return made;
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (!name.ends_with(".json") || name.ends_with(".entities.json")) continue;
      if (auto world = load(entry.path(), fs::path(folder) / "..", Ids::by_position)) {
        made.push_back(std::move(*world));
      }
    }
    return made;
  }();
  decide(state, worlds);
}
BENCHMARK(corpus);

/// `count` policies: one in ten for everybody with a condition, the others each for a group, a
/// user, a folder or an action of its own. The request is covered by about eight of them whatever
/// `count`.
std::string many_policies(std::int64_t count) {
  std::string text;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::string n = std::to_string(i);
    switch (i < 10 ? i : 1 + i % 9) {
      case 0:
        text +=
            "permit (principal is User, action in Action::\"read\", resource is Doc) when { "
            "principal.level >= 3 && context.mfa };";
        break;
      case 1:
        text += "permit (principal in Group::\"g" + n +
                "\", action in Action::\"read\", resource in Folder::\"f1\") when { "
                "resource.owner == principal || principal.level > 2 };";
        break;
      case 2:
        text += "permit (principal == User::\"u" + n + "\", action, resource);";
        break;
      case 3:
        text += "forbid (principal, action, resource in Folder::\"f" + n +
                "\") unless { context.mfa };";
        break;
      case 4:
        text += "permit (principal, action == Action::\"a" + n + "\", resource);";
        break;
      case 5:
        text += "permit (principal is User in Group::\"g" + n +
                "\", action, resource is Doc) when { context.ip.isInRange(ip(\"10.0.0.0/8\")) };";
        break;
      case 6:
        text += "permit (principal, action == Action::\"view\", resource == Doc::\"d" + n + "\");";
        break;
      default:
        text += "forbid (principal in Group::\"g" + n + "\", action, resource in Folder::\"f" + n +
                "\") when { principal.level < 5 };";
    }
    text += '\n';
  }
  return text;
}

World one_request(std::int64_t count) {
  World world;
  world.policies = std::move(*PolicySet::parse("many", many_policies(count)));
  EntityBuilder builder;
  Arena& arena = builder.arena();
  const auto add = [&](const EntityUid* uid, std::vector<const EntityUid*> parents,
                       std::vector<Field> attributes = {}) {
    builder.add(uid, parents, arena.record(attributes));
    return uid;
  };
  const EntityUid* const user = arena.uid("User", "u2");
  const EntityUid* const read_group = add(arena.uid("Action", "read"), {});
  add(arena.uid("Action", "view"), {read_group});
  const EntityUid* const g1 = add(arena.uid("Group", "g1"), {arena.uid("Group", "g5")});
  const EntityUid* const f1 = add(arena.uid("Folder", "f1"), {arena.uid("Folder", "f3")});
  add(user, {g1}, {{"level", Value::number(4)}});
  add(arena.uid("Doc", "d6"), {f1}, {{"owner", Value::borrow(user)}});
  world.entities = std::move(*builder.finish());
  const Field context[] = {{"mfa", Value::boolean(true)},
                           {"ip", world.arena->ip(*parse_ip("10.1.2.3"))}};
  world.requests.push_back({world.arena->uid("User", "u2"), world.arena->uid("Action", "view"),
                            world.arena->uid("Doc", "d6"), world.arena->record(context)});
  return world;
}

void policies(benchmark::State& state) {
  std::vector<World> worlds;
  worlds.push_back(one_request(state.range(0)));
  decide(state, worlds);
}
BENCHMARK(policies)->RangeMultiplier(10)->Range(10, 10'000);

void parsing(benchmark::State& state) {
  const std::string text = many_policies(state.range(0));
  std::size_t kept = 0;
  for (auto _ : state) {
    const std::size_t before = mallinfo2().uordblks;
    const auto set = PolicySet::parse("many", text);
    benchmark::DoNotOptimize(set);
    kept = mallinfo2().uordblks - before;
  }
  state.counters["bytes_per_policy"] =
      static_cast<double>(kept) / static_cast<double>(state.range(0));
}
BENCHMARK(parsing)->Arg(1'000)->Arg(10'000);

void validation(benchmark::State& state) {
  const auto schema = *Schema::parse("schema", R"(
      entity Group in [Group]; entity User in [Group] = {level: Long};
      entity Folder in [Folder]; entity Doc in [Folder] = {owner: User};
      action read; action view, edit in read appliesTo {
        principal: User, resource: Doc, context: {mfa: Bool, ip: ipaddr}};)");
  const auto set = *PolicySet::parse("many", many_policies(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(validate(set, schema));
}
BENCHMARK(validation)->Arg(1'000)->Arg(10'000);

}  // namespace
}  // namespace sallyport::cedar

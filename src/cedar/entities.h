#pragma once
// The entity store: attributes, tags and ancestors by uid. Immutable once built, so any number of
// threads may read it. A store may lie over another one (a request's own entities over those that
// all requests share).

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "cedar/value.h"

namespace sallyport::cedar {

constexpr std::size_t entities_max = 200'000;
constexpr std::size_t ancestors_max = 4'000'000;  // over all entities of a store
constexpr std::size_t hierarchy_depth_max = 500;

struct Entity {
  const EntityUid* uid = nullptr;
  Value attributes;                             // a record
  Value tags;                                   // a record
  std::span<const EntityUid* const> ancestors;  // sorted by hash, itself not among them
};

/// Cedar's `in` for an entity that was looked up: null if it is not in the store.
bool is_in(const EntityUid& uid, const Entity* entity, const EntityUid& ancestor);

class Entities {
 public:
  Entities() = default;

  /// The entity here or in the store below, or null.
  const Entity* find(const EntityUid& uid) const;
  /// Cedar's `in`: the same, or a descendant. An entity that is not in the store is in itself only.
  bool is_in(const EntityUid& uid, const EntityUid& ancestor) const;
  std::span<const Entity> entities() const { return entities_; }

 private:
  friend class EntityBuilder;
  std::vector<Entity> entities_;  // sorted by hash
  std::shared_ptr<const Arena> arena_;
  const Entities* below_ = nullptr;
};

/// Collects entities, then closes the hierarchy. `below` must outlive the store that is made.
class EntityBuilder {
 public:
  explicit EntityBuilder(const Entities* below = nullptr) : below_(below) {}

  /// Where what is passed to `add` lives, unless it outlives the store anyway.
  Arena& arena() { return *arena_; }
  /// Attributes and tags are records or of kind none.
  void add(const EntityUid* uid, std::span<const EntityUid* const> parents, Value attributes,
           Value tags = {});
  /// Fails on an entity given twice, on a cycle, and above the limits.
  Result<Entities> finish();

 private:
  struct State;
  Result<void> close(State& state, std::size_t index, std::size_t depth);
  Result<void> collect(State& state, std::size_t index, std::size_t depth);

  std::shared_ptr<Arena> arena_ = std::make_shared<Arena>();
  std::vector<Entity> entities_;
  const Entities* below_;
};

}  // namespace sallyport::cedar

#include "cedar/entities.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

namespace sallyport::cedar {
namespace {

bool by_hash(const EntityUid* a, const EntityUid* b) {
  if (a->hash != b->hash) return a->hash < b->hash;
  if (a->id != b->id) return a->id < b->id;
  return a->type < b->type;
}

bool has_ancestor(std::span<const EntityUid* const> ancestors, const EntityUid& uid) {
  auto at = std::ranges::lower_bound(ancestors, uid.hash, {}, &EntityUid::hash);
  for (; at != ancestors.end() && (*at)->hash == uid.hash; ++at) {
    if (**at == uid) return true;
  }
  return false;
}

const Entity* find_in(std::span<const Entity> entities, const EntityUid& uid) {
  auto at = std::ranges::lower_bound(entities, uid.hash, {},
                                     [](const Entity& entity) { return entity.uid->hash; });
  for (; at != entities.end() && at->uid->hash == uid.hash; ++at) {
    if (*at->uid == uid) return &*at;
  }
  return nullptr;
}

}  // namespace

const Entity* Entities::find(const EntityUid& uid) const {
  for (const Entities* store = this; store != nullptr; store = store->below_) {
    if (const Entity* const entity = find_in(store->entities_, uid)) return entity;
  }
  return nullptr;
}

bool Entities::is_in(const EntityUid& uid, const EntityUid& ancestor) const {
  return uid == ancestor || cedar::is_in(uid, find(uid), ancestor);
}

bool is_in(const EntityUid& uid, const Entity* entity, const EntityUid& ancestor) {
  return uid == ancestor || (entity != nullptr && has_ancestor(entity->ancestors, ancestor));
}

struct EntityBuilder::State {
  enum class Mark : std::uint8_t { open, entered, closed };
  std::vector<Mark> marks;
  std::size_t ancestors = 0;
};

void EntityBuilder::add(const EntityUid* uid, std::span<const EntityUid* const> parents,
                        Value attributes, Value tags) {
  const auto copy = arena_->array<const EntityUid*>(parents.size());
  std::ranges::copy(parents, copy.begin());
  if (!attributes) attributes = arena_->record({});
  if (!tags) tags = arena_->record({});
  entities_.push_back({uid, attributes, tags, copy});
}

Result<void> EntityBuilder::close(State& state, std::size_t index, std::size_t depth) {
  if (state.marks[index] == State::Mark::closed) return ok();
  if (state.marks[index] == State::Mark::entered) {
    return fail(Errc::invalid,
                "the parents of " + entities_[index].uid->to_string() + " make a cycle");
  }
  if (depth > hierarchy_depth_max) {
    return fail(Errc::too_large,
                fmt::format("entities are nested more than {} deep", hierarchy_depth_max));
  }
  state.marks[index] = State::Mark::entered;
  auto collected = collect(state, index, depth);
  if (!collected) return collected;
  state.marks[index] = State::Mark::closed;
  return ok();
}

/// Makes the entity's parents into all its ancestors.
Result<void> EntityBuilder::collect(State& state, std::size_t index, std::size_t depth) {
  const std::span<const EntityUid* const> parents = entities_[index].ancestors;
  std::vector<const EntityUid*> all(parents.begin(), parents.end());
  for (const EntityUid* const parent : parents) {
    const Entity* known = find_in(entities_, *parent);
    if (known != nullptr) {
      auto closed = close(state, static_cast<std::size_t>(known - entities_.data()), depth + 1);
      if (!closed) return closed;
    } else if (below_ != nullptr) {
      known = below_->find(*parent);
    }
    if (known != nullptr) all.insert(all.end(), known->ancestors.begin(), known->ancestors.end());
  }
  std::ranges::sort(all, by_hash);
  const auto repeated =
      std::ranges::unique(all, [](const EntityUid* a, const EntityUid* b) { return *a == *b; });
  all.erase(repeated.begin(), repeated.end());
  state.ancestors += all.size();
  if (state.ancestors > ancestors_max) {
    return fail(Errc::too_large, fmt::format("more than {} ancestors", ancestors_max));
  }
  const auto copy = arena_->array<const EntityUid*>(all.size());
  std::ranges::copy(all, copy.begin());
  entities_[index].ancestors = copy;
  return ok();
}

Result<Entities> EntityBuilder::finish() {
  if (entities_.size() > entities_max) {
    return fail(Errc::too_large, fmt::format("more than {} entities", entities_max));
  }
  std::ranges::sort(entities_, by_hash, &Entity::uid);
  const auto twice = std::ranges::adjacent_find(
      entities_, [](const Entity& a, const Entity& b) { return *a.uid == *b.uid; });
  if (twice != entities_.end()) {
    return fail(Errc::invalid, twice->uid->to_string() + " is given twice");
  }
  State state{std::vector(entities_.size(), State::Mark::open)};
  for (std::size_t i = 0; i < entities_.size(); ++i) {
    if (auto closed = close(state, i, 0); !closed) return fail(closed);
  }
  Entities store;
  store.entities_ = std::move(entities_);
  store.arena_ = std::move(arena_);
  store.below_ = below_;
  return store;
}

}  // namespace sallyport::cedar

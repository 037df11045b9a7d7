#pragma once
// ExpiringMap: a bounded map whose entries end, for codes and tokens that are held in memory under
// the hash of their text. One thread's.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crypto.h"

namespace sallyport::identity {

template <class T>
class ExpiringMap {
 public:
  explicit ExpiringMap(std::size_t entries_max) : entries_max_(entries_max) {}

  /// False if it is full of entries that have not ended.
  bool put(std::string_view text, T value, SteadyTime ends, SteadyTime now) {
    // Not more often: who fills it must not have us look through all of it each time.
    constexpr std::chrono::seconds sweeps_apart{1};
    if (entries_.size() >= entries_max_ && now >= swept_at_ + sweeps_apart) {
      std::erase_if(entries_, [&](const auto& one) { return now >= one.second.ends; });
      swept_at_ = now;
    }
    if (entries_.size() >= entries_max_) return false;
    entries_.insert_or_assign(sha256(as_bytes(text)), Entry{std::move(value), ends});
    return true;
  }

  T* find(std::string_view text, SteadyTime now) {
    const auto found = entries_.find(sha256(as_bytes(text)));
    if (found == entries_.end() || now >= found->second.ends) return nullptr;
    return &found->second.value;
  }

  std::optional<T> take(std::string_view text, SteadyTime now) {
    T* found = find(text, now);
    if (found == nullptr) return std::nullopt;
    std::optional<T> value(std::move(*found));
    entries_.erase(sha256(as_bytes(text)));
    return value;
  }

  /// True at the first live entry for which `predicate` is.
  template <class Predicate>
  bool any(Predicate predicate, SteadyTime now) {
    for (auto& [key, entry] : entries_) {
      if (now < entry.ends && predicate(entry.value)) return true;
    }
    return false;
  }

  template <class Predicate>
  void erase_if(Predicate predicate) {
    std::erase_if(entries_, [&](const auto& one) { return predicate(one.second.value); });
  }

 private:
  struct Entry {
    T value;
    SteadyTime ends;
  };
  std::size_t entries_max_;
  std::map<Digest, Entry> entries_;
  SteadyTime swept_at_ = SteadyTime::min();
};

}  // namespace sallyport::identity

#include "content/name_set.h"

#include <algorithm>
#include <cstring>
#include <random>

namespace sallyport::content {
namespace {

std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = Wide{a} * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

template <class Word>
std::uint64_t load(const char* at) {
  Word value{};
  std::memcpy(&value, at, sizeof value);
  return value;
}

/// Up to 8 bytes; loads of a fixed size overlap instead of one of any size.
std::uint64_t load_few(const char* at, std::size_t size) {
  if (size == 8) return load<std::uint64_t>(at);
  if (size >= 4) return load<std::uint32_t>(at) << 32 | load<std::uint32_t>(at + size - 4);
  if (size == 0) return 0;
  const auto byte = [&](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(at[i])}; };
  return byte(0) << 16 | byte(size / 2) << 8 | byte(size - 1);
}

}  // namespace

std::uint64_t hash_name(std::string_view name) {
  static const std::uint64_t seed = [] {
    std::random_device random;
    return std::uint64_t{random()} << 32 | random();
  }();
  constexpr std::uint64_t odd = 0x9e3779b97f4a7c15;
  std::uint64_t hash = fold(seed ^ odd, name.size() + odd);
  const char* at = name.data();
  std::size_t left = name.size();
  for (; left > 8; left -= 8, at += 8) {
    hash = fold(hash ^ load<std::uint64_t>(at), seed | 1) + odd;
  }
  hash = fold(hash ^ load_few(at, left), odd ^ seed);
  return hash | 1;
}

bool NameSet::insert(Table& table, std::uint64_t hash) {
  const std::size_t mask = table.slots.size() - 1;
  std::size_t at = (hash >> 1) & mask;
  while (table.slots[at] != 0) {
    if (table.slots[at] == hash) return false;
    at = (at + 1) & mask;
  }
  table.slots[at] = hash;
  ++table.used;
  return true;
}

void NameSet::grow(Table& table, std::size_t slots) {
  std::vector<std::uint64_t> old(slots);
  old.swap(table.slots);
  table.used = 0;
  for (const std::uint64_t hash : old) {
    if (hash != 0) insert(table, hash);
  }
}

NameSet::Added NameSet::add(Mark& object, std::uint64_t hash) {
  if (left_ == 0) return Added::too_many;
  if (object.large) {
    Table& table = many_.back();
    if ((table.used + 1) * 2 > table.slots.size()) grow(table, table.slots.size() * 2);
    if (!insert(table, hash)) return Added::duplicate;
    --left_;
    return Added::fresh;
  }
  const auto begin = few_.begin() + object.begin;
  if (std::find(begin, few_.end(), hash) != few_.end()) return Added::duplicate;
  --left_;
  few_.push_back(hash);
  if (few_.size() - object.begin <= few_max) return Added::fresh;
  Table& table = many_.emplace_back();
  grow(table, std::size_t{4} * few_max);
  for (std::size_t i = object.begin; i < few_.size(); ++i) insert(table, few_[i]);
  few_.resize(object.begin);
  object.large = true;
  return Added::fresh;
}

void NameSet::end_object(const Mark& object) {
  if (object.large) {
    left_ += many_.back().used;
    many_.pop_back();
    return;
  }
  left_ += static_cast<std::uint32_t>(few_.size()) - object.begin;
  few_.resize(object.begin);
}

}  // namespace sallyport::content

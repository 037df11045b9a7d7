#pragma once
// NameSet: tells whether a name is in an object twice, for all objects that are open. It keeps 64
// bits of a keyed hash of each name: two names that agree in them would be taken for one, and the
// document refused; one that is there twice is never missed.

#include <cstdint>
#include <string_view>
#include <vector>

namespace sallyport::content {

/// Of a name, under a key of this process that the sender does not know. Never 0.
std::uint64_t hash_name(std::string_view name);

class NameSet {
 public:
  /// One open object.
  struct Mark {
    std::uint32_t begin = 0;
    bool large = false;
  };
  enum class Added : std::uint8_t { fresh, duplicate, too_many };

  /// `names_max`: of all open objects together.
  explicit NameSet(std::uint32_t names_max) : left_(names_max) {}

  Mark begin_object() const { return {static_cast<std::uint32_t>(few_.size()), false}; }
  Added add(Mark& object, std::uint64_t hash);
  /// Objects end in the reverse order of their beginning.
  void end_object(const Mark& object);

 private:
  static constexpr std::uint32_t few_max = 16;
  struct Table {
    std::vector<std::uint64_t> slots;  // a power of two; 0: free
    std::uint32_t used = 0;
  };
  static bool insert(Table& table, std::uint64_t hash);
  static void grow(Table& table, std::size_t slots);

  std::uint32_t left_;
  std::vector<std::uint64_t> few_;  // of small objects, the innermost last
  std::vector<Table> many_;         // of large ones
};

}  // namespace sallyport::content

#pragma once
// Finds the policies whose head may cover a request without looking at the others. Each policy is
// filed once, under the narrowest part of its head; a request looks under its own entities, their
// ancestors and their types. Inside of this room only.

#include <cstdint>
#include <span>
#include <vector>

#include "cedar/entities.h"
#include "cedar/program.h"

namespace sallyport::cedar {

/// A request's entities, looked up once. An entity that is not in the store is null.
struct KnownEntities {
  const Entity* principal = nullptr;
  const Entity* action = nullptr;
  const Entity* resource = nullptr;
};

class PolicyIndex {
 public:
  PolicyIndex() = default;
  explicit PolicyIndex(const std::vector<Policy>& policies);

  /// Numbers of policies, growing, into `found`. Those left out do not cover the request.
  void find(const EntityUid& principal, const EntityUid& action, const EntityUid& resource,
            const KnownEntities& known, std::vector<std::uint32_t>& found) const;

 private:
  /// Policies by a hash. A collision only finds policies that turn out not to cover the request.
  class Table {
   public:
    void add(std::uint64_t hash, std::uint32_t policy) { filed_.push_back({hash, policy}); }
    void close();
    void find(std::uint64_t hash, std::vector<std::uint32_t>& found) const;
    bool empty() const { return filed_.empty(); }

   private:
    struct Filed {
      std::uint64_t hash = 0;
      std::uint32_t policy = 0;
    };
    struct Slot {
      std::uint64_t hash = 0;
      std::uint32_t begin = 0;
      std::uint32_t count = 0;  // 0: free
    };
    std::vector<Filed> filed_;  // sorted
    std::vector<Slot> slots_;   // a power of two of them, at most half in use
  };

  void file(const Policy& policy, std::uint32_t number);
  static void find_below(const Table& table, const EntityUid& uid, const Entity* entity,
                         std::vector<std::uint32_t>& found);

  Table principals_;
  Table resources_;
  Table actions_;
  Table principal_types_;
  Table resource_types_;
  std::vector<std::uint32_t> rest_;
};

}  // namespace sallyport::cedar

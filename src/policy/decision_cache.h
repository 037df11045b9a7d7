#pragma once
// Decisions that were made before. A key holds the values of all that a decision can depend on, so
// an entry is right for as long as its policies are in force: who is in the chain, what is to be
// done, and whatever the policies can read of the context. Belongs to one thread.
//
// Not kept: decisions with an evaluation error, those that no policy made, and any at all while the
// policies read something that is new with every command (the time, a statement's hash).

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/crypto.h"
#include "cedar/authorize.h"
#include "core/model.h"
#include "policy/policies.h"

namespace sallyport::policy {

class DecisionCache {
 public:
  /// `bytes_max` bounds what is kept, about, `entries_max` the number. Least recently used out
  /// first.
  explicit DecisionCache(std::size_t entries_max = 4096,
                         std::size_t bytes_max = std::size_t{8} << 20);
  DecisionCache(const DecisionCache&) = delete;
  DecisionCache& operator=(const DecisionCache&) = delete;

  /// What `policies->decide` says, from the cache or by asking. Other policies than last time, even
  /// of the same epoch, start an empty cache.
  std::shared_ptr<const Decision> decide(const std::shared_ptr<const Policies>& policies,
                                         const Session& session, const Command& command,
                                         WallTime now);

  /// Says, for as long as it lives, that `session` does not change: what its keys have in common is
  /// worked out once. At most one of a session.
  class Fixed {
   public:
    Fixed(DecisionCache& cache, const Session& session);
    Fixed(const Fixed&) = delete;
    Fixed& operator=(const Fixed&) = delete;
    ~Fixed() { cache_.fixed_.erase(&session_); }

   private:
    DecisionCache& cache_;
    const Session& session_;
  };

  std::size_t size() const { return entries_.size(); }
  std::uint64_t hits() const { return hits_; }
  std::uint64_t misses() const { return misses_; }  // with those that are never kept

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const Decision> decision;
    std::size_t bytes = 0;
  };
  void start_over(const std::shared_ptr<const Policies>& policies);
  bool make_key(const Session& session, const Command& command, WallTime now,
                const std::vector<cedar::ContextPath>& paths);
  void keep(std::string key, std::shared_ptr<const Decision> decision);

  std::size_t entries_max_;
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::uint64_t hits_ = 0;
  std::uint64_t misses_ = 0;
  std::shared_ptr<const Policies> policies_;  // held, so that no other set gets its address
  std::list<Entry> entries_;                  // most recently used first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key_;
  std::string key_;  // of the command at hand; its memory is used again
  /// Of sessions that are fixed: the hash of what their keys have in common, once worked out.
  std::unordered_map<const Session*, std::optional<Digest>> fixed_;
  cedar::Scratch scratch_;
};

}  // namespace sallyport::policy

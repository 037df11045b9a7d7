#pragma once
// Desk: keeps requests for approval, counts the votes, and tells who waits. What is approved may be
// used as often as it says and no more, whatever crashes: a use is in the store before the command
// is sent.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "approval/request.h"
#include "base/clock.h"
#include "base/result.h"
#include "net/poster.h"
#include "store/approvals.h"

namespace sallyport::approval {

struct DeskOptions {
  std::chrono::seconds pending_s{900};  // until a request expires
  std::size_t pending_per_requester_max = 20;
  std::size_t hourly_per_requester_max = 200;  // requests, whatever became of them
  std::size_t request_bytes_max = 256 * 1024;  // more than anybody would read
  std::chrono::hours kept{24 * 90};            // once it is final; the ledger has it for ever
  std::int64_t window_uses_max = 100;          // commands under one approval of a window
  std::size_t waiters_max = 32;                // sessions that wait for one request
  /// Records "voted", "approved" or "denied" with the vote as the request's last one, before it
  /// counts; if that fails it does not. Then Notice is told the same.
  std::function<Result<void>(std::string_view event, const Request&, const std::string& who)>
      record_vote{};
};

/// Shared by all threads.
class Desk {
 public:
  /// What happened, for the ledger and the notifiers. Called with no lock held.
  using Notice =
      std::function<void(std::string_view event, const Request&, const std::string& who)>;
  /// Whether the policies of now would let that vote count.
  using StillCounts = std::function<bool(const Request&, const Vote&)>;

  /// The references must outlive it.
  Desk(store::Database& database, const Clock& clock, Random& random, Notice notice,
       StillCounts still_counts, DeskOptions options = {});

  /// The open request of this chain for exactly this, or nothing: then ask() makes one. Fails as
  /// ask() would.
  Result<std::optional<Request>> asked(const Session& session, const Command& command,
                                       const Hold& hold, const std::vector<std::string>& bound);
  /// The open request of this chain for exactly this, or a new one. Fails with too_large if the
  /// chain has too many, with denied if the hold cannot be approved. `view`: what else an approver
  /// is shown.
  struct View {
    std::string estimate;            // of how much it would touch
    std::vector<std::string> shown;  // Request::shown
    std::vector<std::string> items;  // Request::items
  };
  Result<Request> ask(const Session& session, const Command& command, const Hold& hold,
                      const std::vector<std::string>& bound, View view = {});

  /// What people said yes to, as the policies see it. nullopt if it is not approved (any more): a
  /// vote of somebody who may not vote any more does not count. `routes`: who has to say yes by the
  /// policies of now.
  std::optional<Approval> approval_of(const Request& request, const std::vector<Route>& routes,
                                      const Command& command) const;

  /// The approved list of this chain whose next statement this is, or nothing.
  Result<std::optional<Request>> next_of_list(const Session& session, const Command& command,
                                              const std::vector<std::string>& bound);

  /// Takes a use of an approved request. False if there is none: used up, lapsed, revoked; or if
  /// another statement of a list is next by now.
  Result<bool> use(const Request& request);

  Result<std::optional<Request>> find(std::string_view id);
  /// Newest first, at most 200; in one state, those that are not final, or all.
  Result<std::vector<Request>> list(std::optional<State> state, bool all = false);

  /// One person's word. Whether the policies allow it is for the caller to know; these rules hold
  /// whatever they say: nobody in the chain of the request, nor the owner of an agent in it, nor
  /// anyone through an agent. One no denies it. Fails with denied and says why. `address`: where
  /// the vote comes from.
  Result<Request> vote(std::string_view id, const identity::Credential& voter, bool approve,
                       const std::string& reason, const std::string& address);
  /// What waits is cancelled, what is approved is revoked. Fails with denied if it is final.
  Result<Request> withdraw(std::string_view id, const std::string& who);

  /// Ends what nobody decided on or used in time, and tells. To be called every second or so.
  void sweep();

  /// `changed` runs on the poster's thread after any change of that request, until the Watch goes.
  class [[nodiscard]] Watch {
   public:
    Watch(Desk& desk, std::string id, std::uint64_t number)
        : desk_(&desk), id_(std::move(id)), number_(number) {}
    Watch(Watch&& other) noexcept
        : desk_(std::exchange(other.desk_, nullptr)),
          id_(std::move(other.id_)),
          number_(other.number_) {}
    Watch& operator=(Watch&&) = delete;
    ~Watch() {
      if (desk_ != nullptr) desk_->unwatch(id_, number_);
    }

   private:
    Desk* desk_;
    std::string id_;
    std::uint64_t number_;
  };
  /// `changed` must stand being called after what it belongs to has gone. nullopt if as many watch
  /// that request as may.
  std::optional<Watch> watch(std::string id, net::Poster poster, std::function<void()> changed);

 private:
  struct Watcher {
    net::Poster poster;
    std::function<void()> changed;
  };
  Result<Request> load(store::ApprovalRow row);
  Result<Request> existing(std::string_view id);
  Result<std::optional<Request>> open_one(const Request& request);
  Result<void> room_for(const std::string& requester);
  Request made_of(const Session& session, const Command& command, const Hold& hold,
                  const std::vector<std::string>& bound) const;
  void unwatch(const std::string& id, std::uint64_t number);
  void tell(std::string_view event, const Request& request, const std::string& who);

  store::ApprovalStore store_;
  const Clock& clock_;
  Random& random_;
  Notice notice_;
  StillCounts still_counts_;
  const DeskOptions options_;
  std::mutex changing_;  // one change of requests at a time
  std::mutex watchers_mutex_;
  std::unordered_map<std::string, std::map<std::uint64_t, Watcher>> watchers_;  // by request
  std::uint64_t next_watcher_ = 0;
};

}  // namespace sallyport::approval

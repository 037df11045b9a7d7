#pragma once
// Pool: the server connections of one worker, in use and idle. A session takes one for its life; a
// connection whose session ended cleanly is reset, verified (upstream_reset.cc) and kept for a
// short while for a session that would open exactly the same one. PoolDesk: what the pools of all
// workers share, which is how many there are and who waits.
//
// Whatever is not as expected closes the connection: the next session then opens a new one.

#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "net/poster.h"
#include "net/signal.h"
#include "net/timer.h"
#include "protocol/postgres/options.h"
#include "protocol/postgres/upstream.h"

namespace sallyport::postgres {

class Pool;

/// Of all workers. Sessions begin and end here, commands do not: one lock is enough.
class PoolDesk {
 public:
  /// Holds one of the places that a target has; gives it up, or to who waits longest, when it goes.
  class Place {
   public:
    Place(PoolDesk& desk, std::string connection)
        : desk_(&desk), connection_(std::move(connection)) {}
    Place(Place&& other) noexcept
        : desk_(std::exchange(other.desk_, nullptr)), connection_(std::move(other.connection_)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(desk_, other.desk_);
      std::swap(connection_, other.connection_);
      return *this;
    }
    ~Place() {
      if (desk_ != nullptr) desk_->give(connection_);
    }

   private:
    PoolDesk* desk_;
    std::string connection_;
  };

  struct Waiter {
    net::Poster poster;
    std::function<void()> wake;  // on the poster's thread, soon after `granted`
    SteadyTime since{};
    bool granted = false;  // under the desk's lock
  };

  /// nullopt if the target has `max` connections (0: no limit) or somebody waits for one.
  std::optional<Place> take(const std::string& connection, std::size_t max);
  /// Queues, or grants a place that has become free meanwhile. The waiter must leave() again.
  std::shared_ptr<Waiter> wait(const std::string& connection, std::size_t max, Waiter waiter);
  bool granted(const Waiter& waiter);
  /// A place if the waiter was granted one.
  std::optional<Place> leave(const std::string& connection, const std::shared_ptr<Waiter>& waiter);
  /// Since when the first one in the queue waits.
  std::optional<SteadyTime> first_waits_since(const std::string& connection);

  /// Asks every pool for a place of this connection, and idle connections to a server to be closed.
  void make_room(const std::string& connection);
  void let_go(const std::string& host, std::uint16_t port);

 private:
  friend Pool;
  struct Of {
    std::size_t places = 0;
    std::deque<std::shared_ptr<Waiter>> waiting;
  };
  struct Member {
    net::Poster poster;
    std::weak_ptr<Pool*> pool;
  };
  void give(const std::string& connection);
  void enter(Member member);
  void on_each(const std::function<void(Pool&)>& job);

  std::mutex mutex_;
  std::map<std::string, Of> by_connection_;
  std::vector<Member> members_;
};

/// Belongs to its worker's thread.
class Pool {
 public:
  Pool(PoolDesk& desk, Random& random);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool();

  /// One connection. Whoever has it gives it back, or drops it, which closes it.
  struct Connection;
  struct Dropped {
    void operator()(Connection* connection) const;
  };
  using Lease = std::unique_ptr<Connection, Dropped>;

  struct Failure {
    Error error;
    bool full = false;  // the wait for a place was too long
  };
  /// A connection that has its label, warm or new, under the Permit of the session that takes it.
  Task<std::expected<Lease, Failure>> take(const Permit& session,
                                           std::shared_ptr<const Target> target,
                                           UpstreamLogin login, SteadyTime deadline);
  static Upstream& upstream(const Lease& lease);

  /// After Upstream::begin_reset() was sent: keeps the connection if it proves to be as new.
  /// Under the Permit of the session that gives it.
  Task<void> give_back(const Permit& session, Lease lease);
  /// Closes it and counts why: a fixed word.
  void discard(Lease lease, std::string_view reason, std::string_view detail = "");

  /// Idle connections to that server are closed, here and by the other workers: a database can only
  /// be dropped, renamed or copied when nobody is connected to it.
  void let_go(const Target& target) { desk_.let_go(target.host, target.port); }

  /// What was opened before is not used again: certificates, passwords and settings may be others.
  void renew();
  /// Nothing is kept from now on, and who waits is sent away.
  void close();

  std::size_t idle() const { return idle_.size(); }

 private:
  friend PoolDesk;
  struct Waiting;
  struct Metrics;

  Lease take_idle(const Target& target, const UpstreamLogin& login);
  std::optional<PoolDesk::Place> evict_idle(const std::string& connection);
  Task<std::expected<std::optional<PoolDesk::Place>, Failure>> wait_for_place(Waiting& waiting,
                                                                              SteadyTime deadline);
  void hand_or_keep(Lease lease);
  void close_idle(std::string_view reason, const std::function<bool(const Connection&)>& which);
  void close_expired();
  void arm();
  std::size_t idle_of(const std::string& connection) const;
  Metrics& metrics_of(const std::string& connection);

  PoolDesk& desk_;
  Random& random_;
  std::shared_ptr<Pool*> self_;  // what the desk knows it by
  std::uint64_t generation_ = 0;
  bool closed_ = false;
  std::list<Lease> idle_;  // the longest idle first
  std::list<Waiting*> waiting_;
  std::unique_ptr<net::Timer> timer_;  // null while nothing is idle
  std::map<std::string, Metrics> metrics_;
};

}  // namespace sallyport::postgres

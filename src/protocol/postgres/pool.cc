#include "protocol/postgres/pool.h"

#include <algorithm>

#include "base/log.h"
#include "net/reactor.h"

namespace sallyport::postgres {
namespace {

constexpr std::chrono::seconds hand_over_s_max{2};
// A warm connection goes to a session of its own worker that wants just that one, unless another
// has waited for any for longer than this.
constexpr std::chrono::seconds passed_over_s_max{1};
// What the server knows a connection by while no session has it, and after a RESET ALL.
constexpr std::string_view nobody = "sallyport";

}  // namespace

// ---- PoolDesk ----------------------------------------------------------------------------------

std::optional<PoolDesk::Place> PoolDesk::take(const std::string& connection, std::size_t max) {
  const std::lock_guard lock(mutex_);
  Of& of = by_connection_[connection];
  if (max != 0 && (of.places >= max || !of.waiting.empty())) return std::nullopt;
  ++of.places;
  return Place(*this, connection);
}

std::shared_ptr<PoolDesk::Waiter> PoolDesk::wait(const std::string& connection, std::size_t max,
                                                 Waiter waiter) {
  auto shared = std::make_shared<Waiter>(std::move(waiter));
  const std::lock_guard lock(mutex_);
  Of& of = by_connection_[connection];
  if (of.places < max && of.waiting.empty()) {
    ++of.places;
    shared->granted = true;
  } else {
    of.waiting.push_back(shared);
  }
  return shared;
}

std::optional<PoolDesk::Place> PoolDesk::leave(const std::string& connection,
                                               const std::shared_ptr<Waiter>& waiter) {
  const std::lock_guard lock(mutex_);
  std::erase(by_connection_[connection].waiting, waiter);
  if (!waiter->granted) return std::nullopt;
  waiter->granted = false;
  return Place(*this, connection);
}

bool PoolDesk::granted(const Waiter& waiter) {
  const std::lock_guard lock(mutex_);
  return waiter.granted;
}

std::optional<SteadyTime> PoolDesk::first_waits_since(const std::string& connection) {
  const std::lock_guard lock(mutex_);
  const Of& of = by_connection_[connection];
  if (of.waiting.empty()) return std::nullopt;
  return of.waiting.front()->since;
}

void PoolDesk::give(const std::string& connection) {
  const std::lock_guard lock(mutex_);
  Of& of = by_connection_[connection];
  while (!of.waiting.empty()) {
    const std::shared_ptr<Waiter> first = of.waiting.front();
    of.waiting.pop_front();
    first->granted = true;
    if (first->poster.post(first->wake)) return;
    first->granted = false;  // its worker is gone
  }
  --of.places;
}

void PoolDesk::enter(Member member) {
  const std::lock_guard lock(mutex_);
  std::erase_if(members_, [](const Member& one) { return one.pool.expired(); });
  members_.push_back(std::move(member));
}

void PoolDesk::on_each(const std::function<void(Pool&)>& job) {
  const std::lock_guard lock(mutex_);
  for (const Member& member : members_) {
    member.poster.post([weak = member.pool, job] {
      if (const auto pool = weak.lock()) job(**pool);
    });
  }
}

void PoolDesk::make_room(const std::string& connection) {
  on_each([connection](Pool& pool) { (void)pool.evict_idle(connection); });
}

// ---- Pool --------------------------------------------------------------------------------------

struct Pool::Metrics {
  explicit Metrics(const std::string& connection)
      : in_use(metrics::gauge("sallyport_server_connections_in_use",
                              "Connections to targets that a session has.",
                              {{"connection", connection}})),
        idle(metrics::gauge("sallyport_server_connections_idle",
                            "Connections to targets that wait for a session.",
                            {{"connection", connection}})),
        waiting(metrics::gauge("sallyport_server_connections_waiting",
                               "Sessions that wait for a connection to their target.",
                               {{"connection", connection}})),
        opened(metrics::counter("sallyport_server_connections_opened_total",
                                "Connections to targets that were opened.",
                                {{"connection", connection}})),
        reused(metrics::counter("sallyport_server_connections_reused_total",
                                "Sessions that took a warm connection.",
                                {{"connection", connection}})),
        reset(
            metrics::counter("sallyport_server_connections_reset_total",
                             "Connections that were reset after a session and found to be as new.",
                             {{"connection", connection}})) {}

  metrics::Gauge& in_use;
  metrics::Gauge& idle;
  metrics::Gauge& waiting;
  metrics::Counter& opened;
  metrics::Counter& reused;
  metrics::Counter& reset;
};

struct Pool::Connection {
  std::unique_ptr<Upstream> upstream;
  std::shared_ptr<const Target> target;
  UpstreamLogin login;  // with the label of nobody
  PoolDesk::Place place;
  std::uint64_t generation = 0;
  SteadyTime opened;
  SteadyTime idle_since{};
  metrics::Gauge* counted = nullptr;  // in_use or idle

  void count_in(metrics::Gauge* gauge) {
    if (counted != nullptr) counted->sub();
    counted = gauge;
    if (counted != nullptr) counted->add();
  }
};

void Pool::Dropped::operator()(Connection* connection) const {
  connection->count_in(nullptr);
  connection->upstream->stream().close();
  delete connection;
}

/// A session that waits, in take().
struct Pool::Waiting {
  const Target& target;
  const UpstreamLogin& login;
  net::Signal woken;
  Lease handed{};
  bool sent_away = false;
};

Pool::Pool(PoolDesk& desk, Random& random)
    : desk_(desk), random_(random), self_(std::make_shared<Pool*>(this)) {
  desk_.enter({net::Reactor::current().poster(), self_});
}

Pool::~Pool() = default;

Upstream& Pool::upstream(const Lease& lease) {
  return *lease->upstream;
}

Pool::Metrics& Pool::metrics_of(const std::string& connection) {
  return metrics_.try_emplace(connection, connection).first->second;
}

Task<std::expected<Pool::Lease, Pool::Failure>> Pool::take(const Permit& session,
                                                           std::shared_ptr<const Target> target,
                                                           UpstreamLogin login,
                                                           SteadyTime deadline) {
  net::Reactor& reactor = net::Reactor::current();
  const std::string label = login.label;
  const bool reuse = target->reuse();
  // The label of the first session must not come back in a later one's RESET ALL.
  if (reuse) login.label = nobody;
  Metrics& metrics = metrics_of(target->connection);

  Lease warm = take_idle(*target, login);
  std::optional<PoolDesk::Place> place;
  if (warm == nullptr) {
    place = desk_.take(target->connection, target->pool.max);
    if (!place) {
      Waiting waiting{.target = *target, .login = login, .woken = {}};
      const metrics::InFlight counted(metrics.waiting);
      auto waited = co_await wait_for_place(waiting, deadline);
      if (!waited) co_return std::unexpected(std::move(waited.error()));
      place = std::move(*waited);
      warm = std::move(waiting.handed);
    }
  }
  if (warm != nullptr) {
    auto handed = co_await warm->upstream->hand_over(
        session, label, std::min(deadline, reactor.now() + hand_over_s_max));
    if (handed) {
      metrics.reused.add();
      co_return std::move(warm);
    }
    // One that is dead is seldom alone: a server that was restarted has closed them all.
    place.emplace(std::move(warm->place));
    discard(std::move(warm), "dead", handed.error().detail);
    close_idle("dead",
               [&](const Connection& one) { return one.target->connection == target->connection; });
  }

  const std::uint64_t generation = generation_;
  auto opened = co_await Upstream::open(session, target, login, deadline, random_);
  if (!opened) co_return std::unexpected(Failure{std::move(opened.error())});
  metrics.opened.add();
  Lease lease(new Connection{.upstream = std::move(*opened),
                             .target = target,
                             .login = std::move(login),
                             .place = *std::move(place),
                             .generation = generation,
                             .opened = reactor.now()});
  lease->count_in(&metrics.in_use);
  if (reuse) {
    auto labelled = co_await lease->upstream->hand_over(session, label, deadline);
    if (!labelled) {
      std::string detail = labelled.error().detail;
      discard(std::move(lease), "label", detail);
      co_return std::unexpected(Failure{Error(Errc::unavailable, std::move(detail))});
    }
  }
  co_return std::move(lease);
}

Pool::Lease Pool::take_idle(const Target& target, const UpstreamLogin& login) {
  const SteadyTime now = net::Reactor::current().now();
  for (auto at = idle_.rbegin(); at != idle_.rend(); ++at) {
    const Connection& one = **at;
    if (one.target.get() != &target || one.generation != generation_ || one.login != login ||
        one.opened + target.pool.lifetime <= now) {
      continue;
    }
    Lease lease = std::move(*at);
    idle_.erase(std::next(at).base());
    lease->count_in(&metrics_of(target.connection).in_use);
    arm();
    return lease;
  }
  return nullptr;
}

/// The place of the connection to that target that is idle for the longest.
std::optional<PoolDesk::Place> Pool::evict_idle(const std::string& connection) {
  const auto found = std::ranges::find_if(
      idle_, [&](const Lease& one) { return one->target->connection == connection; });
  if (found == idle_.end()) return std::nullopt;
  Lease lease = std::move(*found);
  idle_.erase(found);
  std::optional<PoolDesk::Place> place(std::move(lease->place));
  discard(std::move(lease), "wanted");
  return place;
}

/// A place, or nullopt and a connection in `waiting`.
Task<std::expected<std::optional<PoolDesk::Place>, Pool::Failure>> Pool::wait_for_place(
    Waiting& waiting, SteadyTime deadline) {
  net::Reactor& reactor = net::Reactor::current();
  const std::string& connection = waiting.target.connection;
  const PoolOptions& options = waiting.target.pool;
  const SteadyTime until = std::min(deadline, reactor.now() + options.wait);

  waiting_.push_back(&waiting);
  const auto waiter = desk_.wait(connection, options.max,
                                 {.poster = reactor.poster(),
                                  .wake =
                                      [weak = std::weak_ptr<Pool*>(self_)] {
                                        const auto pool = weak.lock();
                                        if (pool == nullptr) return;
                                        // Whose turn it is they see for themselves.
                                        for (Waiting* const one : (*pool)->waiting_)
                                          one->woken.notify();
                                      },
                                  .since = reactor.now()});
  desk_.make_room(connection);
  std::optional<PoolDesk::Place> place;
  bool in_time = true;
  while (true) {
    if (waiting.handed != nullptr || waiting.sent_away || !in_time) {
      place = desk_.leave(connection, waiter);
      break;
    }
    if (desk_.granted(*waiter)) {
      place = desk_.leave(connection, waiter);
      break;
    }
    in_time = co_await waiting.woken.wait_until(until);
  }
  std::erase(waiting_, &waiting);
  if (waiting.handed != nullptr) co_return std::nullopt;  // `place` goes to the next who waits
  if (waiting.sent_away) {
    co_return std::unexpected(Failure{Error(Errc::closed, "the gateway is shutting down")});
  }
  if (place) co_return std::move(place);
  co_return std::unexpected(
      Failure{Error(Errc::timeout, "no server connection became free within " +
                                       std::to_string(options.wait.count()) + " s; connection \"" +
                                       connection + "\" may have " + std::to_string(options.max)),
              true});
}

Task<void> Pool::give_back(const Permit& session, Lease lease) {
  (void)session;  // still open: it covers what was sent to reset the connection
  auto reset = co_await lease->upstream->finish_reset();
  if (!reset) {
    log::warn("server connection not reset",
              {{"connection", lease->target->connection}, {"detail", reset.error().detail}});
    discard(std::move(lease), "check", reset.error().detail);
    co_return;
  }
  metrics_of(lease->target->connection).reset.add();
  hand_or_keep(std::move(lease));
}

void Pool::hand_or_keep(Lease lease) {
  const PoolOptions& options = lease->target->pool;
  const std::string connection = lease->target->connection;
  const SteadyTime now = net::Reactor::current().now();
  if (closed_) return discard(std::move(lease), "shutdown");
  if (lease->generation != generation_) return discard(std::move(lease), "reload");
  if (lease->opened + options.lifetime <= now) return discard(std::move(lease), "lifetime");

  if (const auto since = desk_.first_waits_since(connection)) {
    const auto wants_this = [&](const Waiting* one) {
      return one->handed == nullptr && !one->sent_away && &one->target == lease->target.get() &&
             one->login == lease->login;
    };
    const auto found = std::ranges::find_if(waiting_, wants_this);
    if (found == waiting_.end() || *since + passed_over_s_max < now) {
      return discard(std::move(lease), "wanted");
    }
    (*found)->handed = std::move(lease);
    (*found)->woken.notify();
    return;
  }
  if (idle_of(connection) >= options.idle_max) return discard(std::move(lease), "idle_max");
  lease->idle_since = now;
  lease->count_in(&metrics_of(connection).idle);
  idle_.push_back(std::move(lease));
  arm();
}

void Pool::discard(Lease lease, std::string_view reason, std::string_view detail) {
  const std::string& connection = lease->target->connection;
  metrics::counter("sallyport_server_connections_discarded_total",
                   "Connections to targets that were closed instead of kept, by reason.",
                   {{"connection", connection}, {"reason", std::string(reason)}})
      .add();
  log::debug("server connection closed",
             {{"connection", connection}, {"reason", reason}, {"detail", detail}});
}

void Pool::close_idle(std::string_view reason,
                      const std::function<bool(const Connection&)>& which) {
  for (auto at = idle_.begin(); at != idle_.end();) {
    if (!which(**at)) {
      ++at;
      continue;
    }
    Lease lease = std::move(*at);
    at = idle_.erase(at);
    discard(std::move(lease), reason);
  }
}

void Pool::close_expired() {
  const SteadyTime now = net::Reactor::current().now();
  close_idle("lifetime",
             [&](const Connection& one) { return one.opened + one.target->pool.lifetime <= now; });
  close_idle("idle", [&](const Connection& one) {
    return one.idle_since + one.target->pool.idle <= now &&
           idle_of(one.target->connection) > one.target->pool.idle_min;
  });
  arm();
}

/// For the next moment at which something may have expired.
void Pool::arm() {
  if (idle_.empty()) {
    if (timer_ != nullptr) timer_->cancel();
    return;
  }
  SteadyTime next = SteadyTime::max();
  for (const Lease& one : idle_) {
    const SteadyTime lifetime_over = one->opened + one->target->pool.lifetime;
    const bool kept = idle_of(one->target->connection) <= one->target->pool.idle_min;
    next = std::min(next, kept ? lifetime_over
                               : std::min(lifetime_over, one->idle_since + one->target->pool.idle));
  }
  if (timer_ == nullptr) {
    timer_ =
        std::make_unique<net::Timer>(net::Reactor::current().timers(), [this] { close_expired(); });
  }
  timer_->arm(next);
}

std::size_t Pool::idle_of(const std::string& connection) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      idle_, [&](const Lease& one) { return one->target->connection == connection; }));
}

void Pool::renew() {
  ++generation_;
  close_idle("reload", [](const Connection&) { return true; });
}

void Pool::close() {
  closed_ = true;
  close_idle("shutdown", [](const Connection&) { return true; });
  timer_.reset();
  for (Waiting* const one : waiting_) {
    one->sent_away = true;
    one->woken.notify();
  }
}

void PoolDesk::let_go(const std::string& host, std::uint16_t port) {
  on_each([host, port](Pool& pool) {
    pool.close_idle("let go", [&](const Pool::Connection& one) {
      return one.target->port == port && one.target->host == host;
    });
  });
}

}  // namespace sallyport::postgres

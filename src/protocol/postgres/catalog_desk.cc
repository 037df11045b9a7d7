#include "protocol/postgres/catalog_desk.h"

#include <utility>

#include "base/log.h"
#include "base/metrics.h"
#include "net/reactor.h"
#include "protocol/postgres/upstream.h"

namespace sallyport::postgres {
namespace {

constexpr std::chrono::seconds read_s_max{60};
/// A client that names what is not there may not keep us reading.
constexpr std::chrono::milliseconds attempts_apart{1000};
/// So often the refresh time a catalog that cannot be renewed may still be used.
constexpr int stale_factor = 10;
constexpr std::size_t databases_max = 1000;

struct Metrics {
  metrics::Counter& read =
      metrics::counter("sallyport_catalog_reads_total", "Catalogs read from targets.");
  metrics::Counter& failed =
      metrics::counter("sallyport_catalog_failures_total", "Catalogs that could not be read.");
};

Metrics& counters() {
  static Metrics metrics;
  return metrics;
}

}  // namespace

void CatalogDesk::changed(const std::string& connection, const std::string& database) {
  const std::lock_guard lock(mutex_);
  if (const auto found = entries_.find({connection, database}); found != entries_.end()) {
    ++found->second.wanted;
  }
}

bool CatalogDesk::is_current(const Entry& entry, const Target& target) const {
  return entry.catalog != nullptr && entry.has >= entry.wanted &&
         guard_.clock().steady() - entry.read_at < stale_factor * target.catalog_refresh;
}

std::shared_ptr<const catalog::Catalog> CatalogDesk::at_hand(const Target& target,
                                                             const std::string& database) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find({target.connection, database});
  if (found == entries_.end() || !is_current(found->second, target) ||
      guard_.clock().steady() - found->second.read_at >= target.catalog_refresh) {
    return nullptr;
  }
  return found->second.catalog;
}

void CatalogDesk::doubted(std::shared_ptr<const Target> target, const std::string& database) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find({target->connection, database});
    if (found == entries_.end() || found->second.reading ||
        guard_.clock().steady() - found->second.tried_at < attempts_apart) {
      return;
    }
    found->second.reading = true;
  }
  net::Reactor::current().spawn("catalog", read(*this, std::move(target), database));
}

Task<Result<std::shared_ptr<const catalog::Catalog>>> CatalogDesk::get(
    std::shared_ptr<const Target> target, std::string database, Want want) {
  const Key key{target->connection, database};
  const SteadyTime asked = guard_.clock().steady();
  while (true) {
    std::optional<net::Handover<bool>> done;
    bool read_it = false;
    {
      const std::lock_guard lock(mutex_);
      if (!entries_.contains(key) && entries_.size() >= databases_max) {
        co_return fail(Errc::too_large, "more databases than the gateway keeps catalogs of");
      }
      Entry& entry = entries_[key];
      const SteadyTime now = guard_.clock().steady();
      const bool tried = entry.tried_at != SteadyTime{};
      const bool just_tried = tried && now - entry.tried_at < attempts_apart;
      if (is_current(entry, *target)) {
        const bool new_enough =
            entry.read_at >= asked || (just_tried && entry.read_at >= asked - attempts_apart);
        if (want == Want::current || new_enough) {
          // Old: whoever comes later has a newer one, and nobody waits.
          if (now - entry.read_at >= target->catalog_refresh && !entry.reading && !just_tried) {
            entry.reading = true;
            net::Reactor::current().spawn("catalog", read(*this, target, database));
          }
          co_return entry.catalog;
        }
        if (just_tried && !entry.reading && entry.tried_at >= asked) co_return entry.catalog;
      } else if (just_tried && !entry.reading && !entry.problem.empty()) {
        co_return fail(Errc::unavailable, entry.problem);
      }
      done.emplace();
      entry.waiting.push_back(done->giver());
      read_it = !std::exchange(entry.reading, true);
    }
    if (read_it) net::Reactor::current().spawn("catalog", read(*this, target, database));
    auto finished = co_await done->wait_until(net::Reactor::current().now() + read_s_max);
    if (!finished) co_return fail(Errc::timeout, "reading the catalog takes too long");
  }
}

Task<void> CatalogDesk::read(CatalogDesk& desk, std::shared_ptr<const Target> target,
                             std::string database) {
  const Key key{target->connection, database};
  // If the reactor goes while this waits, those who wait must not wait for ever.
  struct Finish {
    CatalogDesk& desk;
    const Key& key;
    bool finished = false;
    ~Finish() {
      if (!finished) desk.done(key, 0, {}, fail(Errc::closed, "the gateway is stopping"));
    }
  } finish{desk, key};
  std::uint64_t shows = 0;
  std::uint64_t epoch = 0;
  {
    const std::lock_guard lock(desk.mutex_);
    shows = desk.entries_[key].wanted;
    epoch = ++desk.epoch_;
  }
  const SteadyTime began = desk.guard_.clock().steady();
  auto catalog = co_await desk.read_now(std::move(target), database, epoch);
  finish.finished = true;
  desk.done(key, shows, began, std::move(catalog));
}

Task<Result<std::shared_ptr<const catalog::Catalog>>> CatalogDesk::read_now(
    std::shared_ptr<const Target> target, const std::string& database, std::uint64_t epoch) {
  const SteadyTime deadline = net::Reactor::current().now() + read_s_max;
  auto permit = guard_.own("catalog read", target->connection + "/" + database);
  if (!permit) co_return fail(Errc::io, permit.error().reason);
  UpstreamLogin login{
      .database = database, .label = "sallyport catalog", .read_only = true, .settings = {}};
  auto upstream =
      co_await Upstream::open(*permit, std::move(target), std::move(login), deadline, random_);
  Result<std::shared_ptr<const catalog::Catalog>> catalog =
      upstream ? co_await (*upstream)->read_catalog(*permit, epoch, deadline)
               : Result<std::shared_ptr<const catalog::Catalog>>(fail(upstream));
  if (upstream) co_await (*upstream)->close(*permit);
  Outcome outcome{.failed = !catalog};
  if (!catalog) outcome.error = catalog.error().detail;
  if (catalog) outcome.tag = "CATALOG";
  (void)guard_.settle(std::move(*permit), outcome);
  co_return catalog;
}

void CatalogDesk::done(const Key& key, std::uint64_t shows, SteadyTime began,
                       Result<std::shared_ptr<const catalog::Catalog>> catalog) {
  std::vector<net::Handover<bool>::Giver> waiting;
  {
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_[key];
    entry.reading = false;
    entry.tried_at = guard_.clock().steady();
    waiting = std::exchange(entry.waiting, {});
    if (catalog) {
      entry.problem.clear();
      entry.has = shows;
      entry.read_at = began;
      // One that says the same keeps its epoch, and all that was learned by it.
      if (entry.catalog == nullptr || entry.catalog->digest() != (*catalog)->digest()) {
        entry.catalog = std::move(*catalog);
      }
    } else {
      entry.problem = catalog.error().detail;
    }
  }
  const bool good = catalog.has_value();
  (good ? counters().read : counters().failed).add();
  if (!good) {
    log::warn(
        "catalog not read",
        {{"connection", key.first}, {"database", key.second}, {"detail", catalog.error().detail}});
  }
  for (const auto& giver : waiting) giver.give(true);
}

}  // namespace sallyport::postgres

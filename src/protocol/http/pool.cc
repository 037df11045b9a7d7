#include "protocol/http/pool.h"

#include <algorithm>

#include "net/reactor.h"

namespace sallyport::web {
namespace {

constexpr std::chrono::seconds look_again{5};

metrics::Counter& connections(bool used_before) {
  static const auto make = [](const char* how) -> metrics::Counter& {
    return metrics::counter("sallyport_http_target_connections_total",
                            "Connections to HTTP targets that a request went over, new or kept.",
                            {{"connection", how}});
  };
  static metrics::Counter& fresh = make("new");
  static metrics::Counter& kept = make("kept");
  return used_before ? kept : fresh;
}

}  // namespace

Task<Result<Pool::Taken>> Pool::take(const Permit& session,
                                     const std::shared_ptr<const Target>& target, bool fresh) {
  const SteadyTime now = net::Reactor::current().now();
  // The last that was used is the least likely to have been closed meanwhile.
  for (auto at = idle_.end(); !fresh && at != idle_.begin();) {
    --at;
    if (at->upstream->shared_target() != target) continue;
    auto upstream = std::move(at->upstream);
    const bool good = at->until > now && upstream->quiet();
    at = idle_.erase(at);
    if (!good) continue;
    connections(true).add();
    co_return Taken{std::move(upstream), true};
  }
  auto opened = co_await Upstream::open(session, target, now + target->connect_s_max);
  if (!opened) co_return fail(opened);
  connections(false).add();
  co_return Taken{std::move(*opened), false};
}

void Pool::give_back(std::unique_ptr<Upstream> upstream) {
  const Target& target = upstream->target();
  // Whether something is left on it is asked when it is taken again: a system call.
  if (closed_ || idle_of(target) >= target.idle_max) return;
  const SteadyTime until = net::Reactor::current().now() + target.idle_s_max;
  idle_.push_back({std::move(upstream), until});
  if (timer_ != nullptr) return;
  timer_ = std::make_unique<net::Timer>(net::Reactor::current().timers(), [this] { close_idle(); });
  timer_->arm(until);
}

std::size_t Pool::idle_of(const Target& target) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      idle_, [&](const Idle& idle) { return &idle.upstream->target() == &target; }));
}

void Pool::close_idle() {
  const SteadyTime now = net::Reactor::current().now();
  std::erase_if(idle_,
                [&](const Idle& idle) { return idle.until <= now || !idle.upstream->quiet(); });
  // Not destroyed while it calls: one timer more often than needed does no harm.
  timer_->arm(now + look_again);
}

void Pool::close() {
  closed_ = true;
  idle_.clear();
}

}  // namespace sallyport::web

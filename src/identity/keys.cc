#include "identity/keys.h"

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "identity/delivery.h"
#include "identity/json.h"

namespace sallyport::identity {
namespace {

struct Nothing {};

/// Where the documents of RFC 8414 are: between the host and the issuer's path.
std::string rfc8414_url(const std::string& issuer) {
  const auto host_at = issuer.find("//") + 2;
  const auto path_at = std::min(issuer.find('/', host_at), issuer.size());
  std::string path = issuer.substr(path_at);
  if (path == "/") path.clear();
  return issuer.substr(0, path_at) + "/.well-known/oauth-authorization-server" + path;
}

std::string openid_url(std::string issuer) {
  if (issuer.ends_with('/')) issuer.pop_back();
  return issuer + "/.well-known/openid-configuration";
}

Result<std::string> jwks_uri_of(const Result<Fetched>& fetched, const std::string& issuer) {
  if (!fetched) return std::unexpected(fetched.error());
  auto document = Json::parse(fetched->body, kJwksBytesMax);
  if (!document) return fail(document, "discovery");
  if (document->text("issuer") != issuer) {
    return fail(Errc::denied, "discovery document is of another issuer");
  }
  const auto uri = document->text("jwks_uri");
  if (!uri || !is_fetchable(*uri)) return fail(Errc::denied, "discovery without an https jwks_uri");
  return std::string(*uri);
}

}  // namespace

struct KeyCache::State : std::enable_shared_from_this<State> {
  State(const IssuerOptions& options, const Clock& clock, Fetcher& fetcher)
      : issuer(options.url),
        fetched_total(metrics::counter("sallyport_issuer_key_fetches_total",
                                       "Fetches of an issuer's keys",
                                       {{"issuer", options.url}, {"result", "ok"}})),
        failed_total(metrics::counter("sallyport_issuer_key_fetches_total",
                                      "Fetches of an issuer's keys",
                                      {{"issuer", options.url}, {"result", "failed"}})),
        stale_total(metrics::counter("sallyport_issuer_keys_stale_total",
                                     "Tokens checked with keys past their age",
                                     {{"issuer", options.url}})),
        discovery_url(options.openid_configuration_url),
        ca_file(options.ca_file),
        clock(clock),
        fetcher(fetcher) {}

  const std::string issuer;
  metrics::Counter& fetched_total;
  metrics::Counter& failed_total;
  metrics::Counter& stale_total;
  const std::string discovery_url;  // empty: derived
  const std::string ca_file;
  const Clock& clock;
  Fetcher& fetcher;

  std::mutex mutex;
  bool fixed = false;  // keys given by configuration: nothing is ever fetched
  std::shared_ptr<const KeySet> keys;
  SteadyTime fresh_until{};
  std::optional<SteadyTime> attempted_at;
  bool fetching = false;
  std::vector<std::function<void(Nothing)>> waiters;
  std::map<std::string, SteadyTime, std::less<>> unknown_kids;
  Metrics counts;

  enum class Next : std::uint8_t { answer, wait };
  struct Look {
    Next next = Next::answer;
    Result<std::shared_ptr<const PublicKey>> key{nullptr};
  };

  /// What is known now. `last`: a fetch has just ended, so there is nothing to wait for.
  Look look(const std::string& kid, Algorithm algorithm, bool last) {
    const SteadyTime now = clock.steady();
    const bool may_fetch =
        !last && !fixed && (fetching || !attempted_at || now >= *attempted_at + kFetchFloor);
    if (!keys || (!fixed && now >= fresh_until + kStaleMax)) {
      if (may_fetch) return {.next = Next::wait};
      return {.key = fail(Errc::unavailable, "no keys of " + issuer)};
    }
    const bool stale = !fixed && now >= fresh_until;
    if (stale && may_fetch) return {.next = Next::wait};

    auto key = keys->find(kid, algorithm);
    if (key) {
      if (stale) {
        ++counts.served_stale;
        stale_total.add();
      }
      return {.key = std::move(key)};
    }
    const auto known = unknown_kids.find(kid);
    const bool remembered = known != unknown_kids.end() && now < known->second + kAgeMin;
    if (may_fetch && !remembered) return {.next = Next::wait};
    if (last) remember_unknown(kid, now);
    return {.key = nullptr};
  }

  void remember_unknown(const std::string& kid, SteadyTime now) {
    ++counts.unknown_kids;
    if (unknown_kids.size() >= kUnknownKidsMax) unknown_kids.clear();
    unknown_kids[kid] = now;
  }

  /// Under the lock. True if the caller has to start the fetch.
  bool join(std::function<void(Nothing)> waiter) {
    waiters.push_back(std::move(waiter));
    if (fetching) return false;
    fetching = true;
    attempted_at = clock.steady();
    ++counts.fetches;
    return true;
  }

  void fetch() {
    const std::string url = discovery_url.empty() ? openid_url(issuer) : discovery_url;
    fetcher.get(url, ca_file, [self = shared_from_this()](Result<Fetched> fetched) {
      auto uri = jwks_uri_of(fetched, self->issuer);
      if (uri) return self->fetch_keys(*uri);
      // A document that is wrong stays wrong elsewhere; one that is missing may be of RFC 8414.
      if (fetched || !self->discovery_url.empty()) return self->finish(fail(uri), std::nullopt);
      self->fetcher.get(rfc8414_url(self->issuer), self->ca_file, [self](Result<Fetched> other) {
        auto other_uri = jwks_uri_of(other, self->issuer);
        if (!other_uri) return self->finish(fail(other_uri), std::nullopt);
        self->fetch_keys(*other_uri);
      });
    });
  }

  void fetch_keys(const std::string& uri) {
    fetcher.get(uri, ca_file, [self = shared_from_this()](Result<Fetched> fetched) {
      if (!fetched) return self->finish(fail(fetched), std::nullopt);
      self->finish(parse_jwks(fetched->body), fetched->max_age_s);
    });
  }

  void finish(Result<KeySet> set, std::optional<std::uint32_t> max_age_s) {
    std::vector<std::function<void(Nothing)>> woken;
    const auto keys_skipped = set ? set->skipped : std::vector<std::string>{};
    {
      const std::lock_guard lock(mutex);
      fetching = false;
      woken.swap(waiters);
      if (set) {
        const auto age = std::clamp(std::chrono::seconds(max_age_s.value_or(0)), kAgeMin, kAgeMax);
        fresh_until = clock.steady() + age;
        keys = std::make_shared<const KeySet>(std::move(*set));
      } else {
        ++counts.failures;
      }
    }
    (set ? fetched_total : failed_total).add();
    if (set) {
      for (const auto& why : keys_skipped) {
        log::info("issuer's key not used", {{"issuer", issuer}, {"key", why}});
      }
    } else {
      log::warn("issuer's keys not fetched", {{"issuer", issuer}, {"error", set.error().detail}});
    }
    for (auto& wake : woken) wake(Nothing{});
  }
};

KeyCache::KeyCache(const IssuerOptions& issuer, const Clock& clock, Fetcher& fetcher)
    : state_(std::make_shared<State>(issuer, clock, fetcher)) {
  if (issuer.jwks.empty()) return;
  state_->fixed = true;
  if (auto set = parse_jwks(issuer.jwks)) {
    state_->keys = std::make_shared<const KeySet>(std::move(*set));
  }
}

KeyCache::~KeyCache() = default;

net::Task<Result<std::shared_ptr<const PublicKey>>> KeyCache::find(std::string kid,
                                                                   Algorithm algorithm) {
  const auto state = state_;
  {
    const std::lock_guard lock(state->mutex);
    auto look = state->look(kid, algorithm, false);
    if (look.next == State::Next::answer) co_return std::move(look.key);
    if (state->waiters.size() >= kWaitersMax) {
      co_return fail(Errc::unavailable, "too many logins wait for keys");
    }
  }
  Delivery<Nothing> delivery;
  bool starts = false;
  {
    const std::lock_guard lock(state->mutex);
    starts = state->join(delivery.sender());
  }
  if (starts) state->fetch();
  co_await delivery.wait();
  const std::lock_guard lock(state->mutex);
  co_return std::move(state->look(kid, algorithm, true).key);
}

KeyCache::Metrics KeyCache::metrics() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counts;
}

}  // namespace sallyport::identity

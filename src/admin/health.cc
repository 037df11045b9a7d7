#include "admin/health.h"

#include <boost/json.hpp>
#include <utility>

#include "base/check.h"
#include "base/metrics.h"

namespace sallyport::admin {

Health::Health(std::string_view version, std::string_view commit, const Clock& clock)
    : version_(version), process_(version, commit, clock) {}

void Health::add_check(std::string name, Check check) {
  for (const auto& known : checks_) SALLYPORT_CHECK(known.name != name);
  checks_.push_back({std::move(name), std::move(check), {}});
}

void Health::add_notice(std::string name, Notice notice) {
  for (const auto& known : checks_) SALLYPORT_CHECK(known.name != name);
  checks_.push_back({std::move(name), {}, std::move(notice)});
}

void Health::add_routes(Router& router) {
  router.add("GET", "/healthz", at_once([this](const http::Request&) {
               const boost::json::object alive{{"status", "alive"}, {"version", version_}};
               return http::Response::json(200, boost::json::serialize(alive) + "\n");
             }));
  router.add("GET", "/readyz", at_once([this](const http::Request&) { return readiness(); }));
  router.add("GET", "/metrics", at_once([this](const http::Request&) { return metrics_page(); }));
}

http::Response Health::readiness() const {
  bool ready = true;
  boost::json::array checks;
  for (const auto& [name, check, notice] : checks_) {
    const Result<void> outcome = check ? check() : ok();
    boost::json::object entry{{"name", name}, {"ok", outcome.has_value()}};
    if (!outcome) {
      ready = false;
      entry["error"] = to_string(outcome.error().code);
      entry["detail"] = outcome.error().detail;
    } else if (const std::string told = notice ? notice() : std::string(); !told.empty()) {
      entry["detail"] = told;
    }
    checks.push_back(std::move(entry));
  }
  const auto* status = draining_ ? "draining" : ready ? "ready" : "not ready";
  const boost::json::object page{{"status", status}, {"checks", std::move(checks)}};
  return http::Response::json(ready && !draining_ ? 200 : 503, boost::json::serialize(page) + "\n");
}

http::Response Health::metrics_page() {
  process_.update();
  http::Response response;
  response.headers.add("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  response.body = metrics_text();
  return response;
}

}  // namespace sallyport::admin

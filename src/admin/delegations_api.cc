#include "admin/delegations_api.h"

#include <algorithm>
#include <boost/json.hpp>

#include "admin/api.h"
#include "base/log.h"
#include "base/metrics.h"
#include "identity/json.h"

namespace sallyport::admin {
namespace {

using identity::Credential;
using identity::Delegations;
using identity::Json;

constexpr std::size_t kBodyBytesMax = 4096;
constexpr std::string_view kPath = "/api/v1/delegations";

metrics::Counter& delegations(const char* event) {
  return metrics::counter("sallyport_delegations_total", "Delegations, by what happened.",
                          {{"event", event}});
}

boost::json::object json_of(const Delegations::Row& row, std::string_view state) {
  boost::json::object object{{"id", row.id},
                             {"user", row.user},
                             {"agent", row.agent},
                             {"connection", row.connection},
                             {"reason", row.reason},
                             {"created_at", to_iso8601(row.created_at)},
                             {"expires_at", to_iso8601(row.expires_at)},
                             {"state", state}};
  if (row.revoked_at != WallTime{}) object["revoked_at"] = to_iso8601(row.revoked_at);
  return object;
}

http::Response problem_of(const Error& error) {
  switch (error.code) {
    case Errc::denied:
      return problem(403, "Not allowed", error.detail, "use a token of your own");
    case Errc::invalid:
      return problem(400, "Bad request", error.detail);
    case Errc::too_large:
      return problem(409, "Too many", error.detail, "revoke some: `sallyport delegations list`");
    default:
      log::error("delegations not reached", {{"error", error.detail}});
      return problem(503, "Unavailable", "the delegations cannot be reached right now",
                     "try again");
  }
}

}  // namespace

DelegationsApi::DelegationsApi(const identity::Authenticator& authenticator,
                               Delegations& delegations, MayConnect may_connect,
                               identity::Recorder record)
    : authenticator_(authenticator),
      delegations_(delegations),
      may_connect_(std::move(may_connect)),
      record_(std::move(record)) {}

void DelegationsApi::add_routes(Router& router) {
  const Handler handler = [this](http::Request request) { return handle(std::move(request)); };
  router.add("GET", kPath, handler);
  router.add("POST", kPath, handler);
  router.add_prefix("DELETE", std::string(kPath) + "/", handler);
}

net::Task<http::Response> DelegationsApi::handle(http::Request request) {
  auto who = co_await authenticate(authenticator_, request);
  if (!who) co_return std::move(who.error());
  if (request.method == "GET") co_return list(*who);
  if (request.method == "POST") co_return co_await create(*who, request.body);
  co_return co_await revoke(*who, std::string_view(request.path).substr(kPath.size() + 1));
}

http::Response DelegationsApi::list(const Credential& who) const {
  auto rows = delegations_.list(who);
  if (!rows) return problem_of(rows.error());
  boost::json::array all;
  for (const auto& row : *rows) all.push_back(json_of(row, delegations_.state_of(row)));
  return fresh(200, boost::json::object{{"delegations", std::move(all)}});
}

net::Task<http::Response> DelegationsApi::create(const Credential& who, std::string_view body) {
  const auto document = Json::parse(body, kBodyBytesMax);
  const auto agent_id = document ? document->text("agent") : std::nullopt;
  const auto connection = document ? document->text("connection") : std::nullopt;
  const Json* const seconds = document ? document->member("for_s") : nullptr;
  const auto ttl = seconds == nullptr ? std::nullopt : seconds->integer();
  if (!agent_id || !connection || !ttl) {
    co_return problem(400, "Bad request", "the body names no agent, connection and time",
                      R"(send {"agent":"copilot","connection":"shop","for_s":7200})");
  }
  const auto agent = authenticator_.issuers()->agent(*agent_id);
  if (!agent) {
    co_return problem(404, "No such agent", "there is no agent of that name",
                      "agents are registered in the gateway's configuration");
  }
  // One that may not be used and one that is not there look the same.
  if (!may_connect_(who, *connection)) {
    co_return problem(404, "No such connection",
                      "there is no connection of that name that you may use",
                      "GET /api/v1/connections says what you may use");
  }
  const std::string reason(document->text("reason").value_or(""));
  const std::int64_t bounded = std::clamp<std::int64_t>(*ttl, 0, std::int64_t{1} << 32);
  auto row = delegations_.make(who, *agent, std::string(*connection), reason,
                               std::chrono::seconds(bounded));
  if (!row) co_return problem_of(row.error());
  auto recorded = co_await record_({.who = row->user,
                                    .action = "delegation.created",
                                    .target = row->id,
                                    .detail = row->agent + " on " + row->connection + " until " +
                                              to_iso8601(row->expires_at) + ": " + row->reason});
  if (!recorded) co_return problem_of(recorded.error());
  if (auto added = delegations_.add(*row); !added) co_return problem_of(added.error());
  delegations("created").add();

  Credential chain = who;
  chain.chain.identities.push_back(*agent);
  auto object = json_of(*row, "active");
  object["may_connect"] = may_connect_(chain, row->connection);
  co_return fresh(201, object);
}

net::Task<http::Response> DelegationsApi::revoke(const Credential& who, std::string_view id) {
  auto row = delegations_.revoke(who, id);
  if (!row) co_return problem_of(row.error());
  if (!*row) {
    co_return problem(404, "No such delegation", "you have no live delegation with that id",
                      "`sallyport delegations list` shows them");
  }
  delegations("revoked").add();
  // It has ended already: that must not depend on the disk.
  auto recorded = co_await record_({.who = who.chain.to_string(),
                                    .action = "delegation.revoked",
                                    .target = (*row)->id,
                                    .detail = (*row)->agent + " on " + (*row)->connection});
  if (!recorded) log::error("revocation not recorded", {{"detail", recorded.error().detail}});
  co_return fresh(200, json_of(**row, "revoked"));
}

}  // namespace sallyport::admin

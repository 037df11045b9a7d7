#include "admin/break_glass_api.h"

#include <boost/json.hpp>

#include "admin/api.h"
#include "base/log.h"
#include "identity/json.h"

namespace sallyport::admin {
namespace {

using store::BreakGlassRow;

constexpr std::string_view root = "/api/v1/break-glass";
constexpr std::size_t body_bytes_max = 16 * 1024;
constexpr std::size_t finding_bytes_max = 4096;

boost::json::object to_json(const BreakGlassRow& row, WallTime now) {
  boost::json::object object{{"session", row.session},
                             {"user", row.user},
                             {"protocol", row.protocol},
                             {"connection", row.connection},
                             {"ticket", row.ticket},
                             {"reason", row.reason},
                             {"started_at", to_iso8601(row.started_at)},
                             {"review_due_at", to_iso8601(row.review_due_at)},
                             {"overdue", row.reviewed_by.empty() && now > row.review_due_at}};
  if (!row.reviewed_by.empty()) {
    object["reviewed_by"] = row.reviewed_by;
    object["reviewed_at"] = to_iso8601(row.reviewed_at);
    object["finding"] = row.finding;
  }
  return object;
}

http::Response broken(const Error& error) {
  log::error("break-glass", {{"detail", error.detail}});
  return problem(503, "Unavailable", "the sessions cannot be read right now", "try again");
}

}  // namespace

BreakGlassApi::BreakGlassApi(const identity::Authenticator& authenticator,
                             store::BreakGlassStore& store, ApprovalsApi::WhyNot why_not,
                             identity::Recorder record, const Clock& clock)
    : authenticator_(authenticator),
      store_(store),
      why_not_(std::move(why_not)),
      record_(std::move(record)),
      clock_(clock) {}

void BreakGlassApi::add_routes(Router& router) {
  const Handler handler = [this](http::Request request) { return handle(std::move(request)); };
  router.add("GET", root, handler);
  router.add_prefix("POST", std::string(root) + "/", handler);
}

net::Task<http::Response> BreakGlassApi::handle(http::Request request) {
  auto who = co_await authenticate(authenticator_, request);
  if (!who) co_return std::move(who.error());
  if (request.method == "GET" || request.method == "HEAD") co_return list(*who, request);
  co_return co_await review(std::move(*who), std::move(request));
}

/// As a request for approval of the session: the same people, by the same policies.
std::optional<std::string> BreakGlassApi::why_no_review(const BreakGlassRow& row,
                                                        const identity::Credential& who,
                                                        const std::string& address) const {
  if (who.chain.delegated() || who.chain.subject().kind != IdentityKind::user) {
    return "only people may review, and not through an agent";
  }
  if (who.chain.subject().id == row.user) return "nobody reviews what they did themselves";
  auto requester = identity::credential_from_json(row.requester);
  if (!requester) return "the session cannot be read";
  approval::Request session{.id = row.session,
                            .protocol = row.protocol,
                            .connection = row.connection,
                            .requester = std::move(*requester),
                            .text = "review of break-glass: " + row.reason};
  return why_not_(session, who, true, address);
}

bool BreakGlassApi::may_see(const BreakGlassRow& row, const identity::Credential& who,
                            const std::string& address) const {
  const bool own = !who.chain.delegated() && who.chain.subject().id == row.user;
  return own || !why_no_review(row, who, address);
}

http::Response BreakGlassApi::list(const identity::Credential& who, const http::Request& request) {
  const auto form = http::parse_form(request.query);
  if (!form) return problem(400, "Bad request", "malformed query");
  auto rows = store_.list(form->contains("all"), [&](const BreakGlassRow& row) {
    return may_see(row, who, request.client_ip);
  });
  if (!rows) return broken(rows.error());
  boost::json::array shown;
  for (const BreakGlassRow& row : *rows) shown.push_back(to_json(row, clock_.now()));
  return fresh(200, boost::json::object{{"sessions", std::move(shown)}});
}

net::Task<http::Response> BreakGlassApi::review(identity::Credential who, http::Request request) {
  std::string_view id = std::string_view(request.path).substr(root.size() + 1);
  constexpr std::string_view verb = "/review";
  if (!id.ends_with(verb)) co_return problem(404, "Not found", "there is no such path in this API");
  id.remove_suffix(verb.size());
  const auto document = identity::Json::parse(request.body, body_bytes_max);
  const auto finding = document ? document->text("finding") : std::nullopt;
  if (!finding || finding->empty() || finding->size() > finding_bytes_max) {
    co_return problem(400, "Bad request", "a review says what was found",
                      R"(send {"finding": "..."} of at most 4096 bytes)");
  }
  auto row = store_.find(id);
  if (!row) co_return broken(row.error());
  if (!*row || !may_see(**row, who, request.client_ip)) {
    co_return problem(404, "No such session", "there is no session of that id for you to review",
                      "`sallyport approvals reviews` shows those that there are");
  }
  if (const auto why_not = why_no_review(**row, who, request.client_ip)) {
    co_return problem(403, "Not permitted", *why_not);
  }
  if (!(*row)->reviewed_by.empty()) {
    co_return problem(409, "Not counted", "it has been reviewed already");
  }
  const std::string by = who.chain.subject().id;
  auto recorded = co_await record_({.who = by,
                                    .action = "break_glass.reviewed",
                                    .target = std::string(id),
                                    .detail = std::string(*finding)});
  if (!recorded) co_return broken(recorded.error());
  auto done = store_.review(id, by, *finding, clock_.now());
  if (!done) co_return broken(done.error());
  if (!*done) co_return problem(409, "Not counted", "it has been reviewed already");
  auto after = store_.find(id);
  if (!after || !*after) co_return broken({Errc::io, "the session is gone"});
  co_return fresh(200, to_json(**after, clock_.now()));
}

}  // namespace sallyport::admin

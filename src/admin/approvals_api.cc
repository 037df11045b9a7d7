#include "admin/approvals_api.h"

#include <algorithm>
#include <boost/json.hpp>

#include "admin/api.h"
#include "base/log.h"
#include "http/text.h"
#include "identity/json.h"

namespace sallyport::admin {
namespace {

using approval::Request;
using approval::State;

constexpr std::string_view root = "/api/v1/approvals";
constexpr std::size_t body_bytes_max = 16 * 1024;

boost::json::array list_of(const std::vector<std::string>& texts) {
  boost::json::array all;
  for (const std::string& text : texts) all.emplace_back(text);
  return all;
}

boost::json::object to_json(const Request& request) {
  boost::json::array chain;
  for (const Identity& identity : request.requester.chain.identities) {
    chain.push_back(boost::json::object{{"kind", cedar_type(identity.kind)},
                                        {"id", identity.id},
                                        {"name", identity.display_name},
                                        {"groups", list_of(identity.groups)}});
  }
  boost::json::array parameters;
  for (const Parameter& parameter : request.parameters) {
    boost::json::object one{{"binary", parameter.binary}};
    one["value"] = parameter.value ? boost::json::value(*parameter.value) : nullptr;
    const std::size_t place = parameters.size();
    if (place < request.shown.size() && !request.shown[place].empty()) {
      one["shown"] = request.shown[place];
    }
    parameters.push_back(std::move(one));
  }
  boost::json::array touches;
  for (const Action& action : request.actions) {
    touches.push_back(boost::json::object{
        {"action", action.name},
        {"resource", action.resource.type + "::\"" + action.resource.id + "\""}});
  }
  boost::json::array safeguards;
  for (const Safeguard& safeguard : request.safeguards) {
    const Resource& on = safeguard.action.resource;
    safeguards.push_back(boost::json::object{{"lacks", safeguard.action.name},
                                             {"resource", on.type + "::\"" + on.id + "\""},
                                             {"effect", safeguard.effect}});
  }
  boost::json::array routes;
  for (const Route& route : request.routes) {
    routes.push_back(boost::json::object{{"policy", route.policy},
                                         {"approvers", list_of(route.approvers)},
                                         {"quorum", route.quorum},
                                         {"ttl_s", route.ttl.count()}});
  }
  boost::json::array votes;
  for (const approval::Vote& vote : request.votes) {
    votes.push_back(boost::json::object{{"voter", vote.voter},
                                        {"name", vote.name},
                                        {"verdict", vote.approve ? "approve" : "deny"},
                                        {"reason", vote.reason},
                                        {"at", to_iso8601(vote.at)}});
  }
  return {{"id", request.id},
          {"state", approval::to_string(request.state)},
          {"kind", request.kind},
          {"who", request.requester.chain.to_string()},
          {"chain", std::move(chain)},
          {"protocol", request.protocol},
          {"connection", request.connection},
          {"database", request.database},
          {"text", request.text},
          {"parameters", std::move(parameters)},
          {"bound", list_of(request.bound)},
          {"touches", std::move(touches)},
          {"estimate", request.estimate},
          {"safeguards", std::move(safeguards)},
          {"risk", request.risk()},
          {"routes", std::move(routes)},
          {"votes", std::move(votes)},
          {"votes_missing", request.state == State::pending ? request.votes_missing() : 0},
          {"created_at", to_iso8601(request.created_at)},
          {"ends_at", to_iso8601(request.ends_at)},
          {"closed_by", request.closed_by},
          {"hash", request.hash}};
}

http::Response not_found() {
  return problem(404, "No such request", "there is no request for approval of that id for you",
                 "`sallyport approvals list` shows those that there are");
}

http::Response broken(const Error& error) {
  log::error("approvals", {{"detail", error.detail}});
  return problem(503, "Unavailable", "the requests for approval cannot be read right now",
                 "try again");
}

/// It is a request of this credential's: of a person's own, or of an agent's that acts for them; an
/// agent's own only if it acts for the same.
bool asks(const Request& request, const identity::Credential& who) {
  if (who.chain.delegated()) {
    return approval::key_of(request.requester.chain) == approval::key_of(who.chain);
  }
  return std::ranges::any_of(request.requester.chain.identities, [&](const Identity& identity) {
    return approval::is_same(identity, who.chain.subject());
  });
}

}  // namespace

ApprovalsApi::ApprovalsApi(const identity::Authenticator& authenticator, approval::Desk& desk,
                           WhyNot why_not)
    : authenticator_(authenticator), desk_(desk), why_not_(std::move(why_not)) {}

void ApprovalsApi::add_routes(Router& router) {
  const Handler handler = [this](http::Request request) { return handle(std::move(request)); };
  router.add("GET", root, handler);
  router.add_prefix("GET", std::string(root) + "/", handler);
  router.add_prefix("POST", std::string(root) + "/", handler);
}

net::Task<http::Response> ApprovalsApi::handle(http::Request request) {
  auto who = co_await authenticate(authenticator_, request);
  if (!who) co_return std::move(who.error());
  std::string_view rest = std::string_view(request.path).substr(root.size());
  if (rest.empty()) co_return list(*who, request);
  rest.remove_prefix(1);
  const std::size_t slash = rest.find('/');
  const std::string_view id = rest.substr(0, slash);
  if (request.method == "GET" && slash == std::string_view::npos) co_return one(*who, id, request);
  if (request.method == "POST" && slash != std::string_view::npos) {
    co_return act(*who, id, rest.substr(slash + 1), request);
  }
  co_return problem(404, "Not found", "there is no such path in this API");
}

bool ApprovalsApi::may_see(const Request& request, const identity::Credential& who,
                           const std::string& address) const {
  const std::string& only = who.authentication.connection;
  if (!only.empty() && only != request.connection) return false;
  return asks(request, who) || !why_not_(request, who, true, address) ||
         !why_not_(request, who, false, address);
}

http::Response ApprovalsApi::list(const identity::Credential& who, const http::Request& asked) {
  const auto form = http::parse_form(asked.query);
  if (!form) return problem(400, "Bad request", "malformed query");
  const auto wanted = form->find("state");
  std::optional<State> state;
  if (wanted != form->end() && wanted->second != "all") {
    state = approval::state_from(wanted->second);
    if (!state) {
      return problem(400, "Bad request", "no such state: " + wanted->second,
                     "pending, approved, denied, expired, cancelled, consumed, lapsed, revoked");
    }
  }
  auto all = desk_.list(state, wanted != form->end() && !state);
  if (!all) return broken(all.error());
  boost::json::array shown;
  for (const Request& request : *all) {
    if (may_see(request, who, asked.client_ip)) shown.push_back(seen_by(request, who, asked));
  }
  return fresh(200, boost::json::object{{"approvals", std::move(shown)}});
}

boost::json::object ApprovalsApi::seen_by(const Request& request, const identity::Credential& who,
                                          const http::Request& asked) const {
  boost::json::object body = to_json(request);
  // How much there is of what a condition finds is for who decides; who asks could ask again.
  if (asks(request, who)) body["estimate"] = "";
  body["may_approve"] = approval::why_not_entitled(request, who).empty() &&
                        !why_not_(request, who, true, asked.client_ip);
  return body;
}

http::Response ApprovalsApi::one(const identity::Credential& who, std::string_view id,
                                 const http::Request& asked) {
  auto found = desk_.find(id);
  if (!found) return broken(found.error());
  if (!*found || !may_see(**found, who, asked.client_ip)) return not_found();
  return fresh(200, seen_by(**found, who, asked));
}

http::Response ApprovalsApi::act(const identity::Credential& who, std::string_view id,
                                 std::string_view verb, const http::Request& asked) {
  if (verb != "approve" && verb != "deny" && verb != "withdraw") {
    return problem(404, "Not found", "there is no such path in this API");
  }
  std::string reason;
  if (!asked.body.empty()) {
    const auto document = identity::Json::parse(asked.body, body_bytes_max);
    if (!document || !document->is_object()) {
      return problem(400, "Bad request", "the body is no JSON object",
                     R"(send {"reason": "..."} or nothing)");
    }
    reason = std::string(document->text("reason").value_or(""));
  }
  auto found = desk_.find(id);
  if (!found) return broken(found.error());
  if (!*found || !may_see(**found, who, asked.client_ip)) return not_found();
  const bool approve = verb == "approve";
  const bool own_withdrawal = verb == "withdraw" && asks(**found, who);
  const auto why_not = why_not_(**found, who, verb != "deny", asked.client_ip);
  if (why_not && !own_withdrawal) {
    return problem(403, "Not permitted", *why_not);
  }
  auto done = verb == "withdraw" ? desk_.withdraw(id, who.chain.to_string())
                                 : desk_.vote(id, who, approve, reason, asked.client_ip);
  if (!done) {
    if (done.error().code != Errc::denied) return broken(done.error());
    return problem(409, "Not counted", done.error().detail);
  }
  return fresh(200, seen_by(*done, who, asked));
}

}  // namespace sallyport::admin

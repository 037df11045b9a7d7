#include "approval/request.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <utility>

#include "base/crypto.h"
#include "identity/json.h"

namespace sallyport::approval {
namespace {

constexpr std::size_t body_bytes_max = 32u << 20;

constexpr std::array<std::pair<State, std::string_view>, 8> states{{
    {State::pending, "pending"},
    {State::approved, "approved"},
    {State::denied, "denied"},
    {State::expired, "expired"},
    {State::cancelled, "cancelled"},
    {State::consumed, "consumed"},
    {State::lapsed, "lapsed"},
    {State::revoked, "revoked"},
}};

/// No two different sequences of texts make the same bytes.
class Hasher {
 public:
  Hasher& add(std::string_view text) {
    number(text.size());
    sha_.update(as_bytes(text));
    return *this;
  }
  Hasher& number(std::uint64_t value) {
    std::array<std::byte, 8> bytes;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<std::byte>(value >> (8 * i));
    }
    sha_.update(bytes);
    return *this;
  }
  std::string hex() {
    std::string text;
    for (const std::byte byte : sha_.finish()) {
      constexpr std::string_view digits = "0123456789abcdef";
      text += digits[std::to_integer<unsigned>(byte) >> 4];
      text += digits[std::to_integer<unsigned>(byte) & 15];
    }
    return text;
  }

 private:
  Sha256 sha_;
};

void add_chain(Hasher& hasher, const Chain& chain) {
  hasher.number(chain.identities.size());
  for (const Identity& identity : chain.identities) {
    hasher.add(cedar_type(identity.kind)).add(identity.id).add(identity.issuer);
    hasher.add(identity.subject);
  }
}

void add_actions(Hasher& hasher, const std::vector<Action>& actions) {
  std::vector<Action> sorted = actions;
  std::ranges::sort(sorted);
  const auto twice = std::ranges::unique(sorted);
  sorted.erase(twice.begin(), twice.end());
  hasher.number(sorted.size());
  for (const Action& action : sorted) {
    hasher.add(action.name).add(action.resource.type).add(action.resource.id);
  }
}

/// As a list has it and as a client sends it may differ in what stands around.
std::string_view bare(std::string_view text) {
  constexpr std::string_view around = " \t\r\n\f\v;";
  const auto begin = text.find_first_not_of(around);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(around) + 1 - begin);
}

boost::json::array list(const std::vector<std::string>& texts) {
  boost::json::array all;
  for (const std::string& text : texts) all.emplace_back(text);
  return all;
}

std::string text(const identity::Json& object, std::string_view name) {
  return std::string(object.text(name).value_or(""));
}

std::int64_t number(const identity::Json& object, std::string_view name) {
  const identity::Json* member = object.member(name);
  return member == nullptr ? 0 : member->integer().value_or(0);
}

const identity::Json::Array& array(const identity::Json& object, std::string_view name) {
  static const identity::Json::Array none;
  const identity::Json* member = object.member(name);
  return member == nullptr || member->array() == nullptr ? none : *member->array();
}

}  // namespace

std::string_view to_string(State state) {
  const auto* const found = std::ranges::find(states, state, &decltype(states)::value_type::first);
  return found == states.end() ? "?" : found->second;
}

std::optional<State> state_from(std::string_view name) {
  const auto* const found = std::ranges::find(states, name, &decltype(states)::value_type::second);
  if (found == states.end()) return std::nullopt;
  return found->first;
}

std::chrono::seconds Request::ttl() const {
  std::chrono::seconds shortest = std::chrono::hours(24);
  for (const Route& route : routes) shortest = std::min(shortest, route.ttl);
  return shortest;
}

std::int64_t Request::risk() const {
  std::int64_t risk = 0;
  for (const Action& action : actions) {
    const bool reads =
        action.name == "sql:select" || action.name == "http:read" || action.name == "connect";
    const bool changes = action.name == "sql:insert" || action.name == "sql:update" ||
                         action.name == "sql:delete" || action.name == "http:write";
    risk = std::max<std::int64_t>(risk, reads ? 10 : changes ? 50 : 80);
  }
  return risk + (requester.chain.delegated() ? 10 : 0);
}

bool is_same(const Identity& a, const Identity& b) {
  return (a.kind == b.kind && a.id == b.id) ||
         (!a.subject.empty() && a.issuer == b.issuer && a.subject == b.subject);
}

std::size_t votes_missing(const std::vector<Route>& routes, const std::vector<Vote>& votes) {
  std::size_t missing = 0;
  for (const Route& route : routes) {
    const auto counts = [&](const Vote& vote) {
      return vote.approve &&
             (route.approvers.empty() ||
              std::ranges::any_of(
                  vote.credential.chain.subject().groups, [&](const std::string& group) {
                    return std::ranges::find(route.approvers, group) != route.approvers.end();
                  }));
    };
    const auto said_yes = static_cast<std::size_t>(std::ranges::count_if(votes, counts));
    const std::size_t needed = std::max<std::uint32_t>(1, route.quorum);
    if (said_yes < needed) missing = std::max(missing, needed - said_yes);
  }
  return routes.empty() ? 1 : missing;
}

std::string why_not_entitled(const Request& request, const identity::Credential& voter) {
  if (voter.chain.delegated()) return "nobody may vote through an agent";
  const Identity& who = voter.chain.subject();
  if (who.kind != IdentityKind::user) return "only people may vote";
  for (const Identity& in_chain : request.requester.chain.identities) {
    if (is_same(in_chain, who)) {
      return "who asks, or is asked for, may not vote";
    }
    if (in_chain.kind != IdentityKind::user && in_chain.owner == who.id) {
      return "the owner of an agent may not vote on what it asks for";
    }
  }
  return {};
}

std::string hash_of(const Session& session, const Command& command, std::string_view kind,
                    const std::vector<std::string>& bound) {
  Hasher hasher;
  hasher.add("sallyport approval 1").add(kind);
  hasher.add(session.tenant).add(session.protocol).add(session.connection).add(session.database);
  add_chain(hasher, session.chain);
  add_actions(hasher, command.actions);
  if (kind == "window") return hasher.hex();
  hasher.add(kind == "list" ? bare(command.text) : command.text);
  hasher.number(command.parameters.size());
  for (const Parameter& parameter : command.parameters) {
    hasher.number(parameter.value.has_value()).number(parameter.binary);
    hasher.number(parameter.sent_binary);
    hasher.add(parameter.value.value_or(""));
  }
  hasher.number(bound.size());
  for (const std::string& one : bound) hasher.add(one);
  hasher.number(command.safeguards.size());
  for (const Safeguard& safeguard : command.safeguards) {
    add_actions(hasher, {safeguard.action});
    hasher.add(safeguard.effect);
  }
  return hasher.hex();
}

std::string key_of(const Chain& chain) {
  Hasher hasher;
  add_chain(hasher, chain);
  return hasher.hex();
}

std::string body_of(const Request& request) {
  boost::json::array parameters;
  for (const Parameter& parameter : request.parameters) {
    boost::json::object one{{"binary", parameter.binary}};
    if (parameter.value) one["value"] = *parameter.value;
    const std::size_t place = parameters.size();
    if (place < request.shown.size() && !request.shown[place].empty()) {
      one["shown"] = request.shown[place];
    }
    parameters.push_back(std::move(one));
  }
  boost::json::array safeguards;
  for (const Safeguard& safeguard : request.safeguards) {
    safeguards.push_back(boost::json::object{{"name", safeguard.action.name},
                                             {"type", safeguard.action.resource.type},
                                             {"id", safeguard.action.resource.id},
                                             {"effect", safeguard.effect}});
  }
  boost::json::array actions;
  for (const Action& action : request.actions) {
    actions.push_back(boost::json::object{
        {"name", action.name}, {"type", action.resource.type}, {"id", action.resource.id}});
  }
  boost::json::array routes;
  for (const Route& route : request.routes) {
    routes.push_back(boost::json::object{{"policy", route.policy},
                                         {"approvers", list(route.approvers)},
                                         {"quorum", route.quorum},
                                         {"ttl_s", route.ttl.count()},
                                         {"mode", route.mode},
                                         {"alert", route.alert},
                                         {"review", route.review}});
  }
  return boost::json::serialize(
      boost::json::object{{"tenant", request.tenant},
                          {"protocol", request.protocol},
                          {"connection", request.connection},
                          {"database", request.database},
                          {"requester", identity::to_json(request.requester)},
                          {"kind", request.kind},
                          {"text", request.text},
                          {"parameters", std::move(parameters)},
                          {"items", list(request.items)},
                          {"bound", list(request.bound)},
                          {"actions", std::move(actions)},
                          {"safeguards", std::move(safeguards)},
                          {"estimate", request.estimate},
                          {"routes", std::move(routes)}});
}

Result<Request> request_from_body(std::string_view body) {
  auto document = identity::Json::parse(body, body_bytes_max);
  if (!document) return fail(document, "approval");
  auto requester = identity::credential_from_json(document->text("requester").value_or(""));
  if (!requester) return fail(requester, "approval");
  Request request{.tenant = text(*document, "tenant"),
                  .protocol = text(*document, "protocol"),
                  .connection = text(*document, "connection"),
                  .database = text(*document, "database"),
                  .requester = std::move(*requester),
                  .kind = text(*document, "kind"),
                  .text = text(*document, "text"),
                  .estimate = text(*document, "estimate")};
  for (const identity::Json& one : array(*document, "parameters")) {
    Parameter parameter;
    if (const auto value = one.text("value")) parameter.value = std::string(*value);
    const identity::Json* const binary = one.member("binary");
    parameter.binary = binary != nullptr && binary->boolean().value_or(false);
    request.shown.push_back(text(one, "shown"));
    request.parameters.push_back(std::move(parameter));
  }
  if (const identity::Json* const bound = document->member("bound")) {
    request.bound = bound->strings().value_or(std::vector<std::string>());
  }
  if (const identity::Json* const items = document->member("items")) {
    request.items = items->strings().value_or(std::vector<std::string>());
  }
  for (const identity::Json& one : array(*document, "actions")) {
    request.actions.push_back({text(one, "name"), {text(one, "type"), text(one, "id")}});
  }
  for (const identity::Json& one : array(*document, "safeguards")) {
    request.safeguards.push_back(
        {.action = {text(one, "name"), {text(one, "type"), text(one, "id")}},
         .effect = text(one, "effect")});
  }
  for (const identity::Json& one : array(*document, "routes")) {
    Route route{.policy = text(one, "policy"),
                .quorum = static_cast<std::uint32_t>(number(one, "quorum")),
                .ttl = std::chrono::seconds(number(one, "ttl_s")),
                .mode = text(one, "mode"),
                .alert = text(one, "alert"),
                .review = text(one, "review")};
    const identity::Json* const approvers = one.member("approvers");
    auto names = approvers == nullptr ? std::nullopt : approvers->strings();
    if (!names) return fail(Errc::malformed, "approval: a route without approvers");
    route.approvers = std::move(*names);
    request.routes.push_back(std::move(route));
  }
  if (request.routes.empty()) return fail(Errc::malformed, "approval: without a route");
  return request;
}

}  // namespace sallyport::approval

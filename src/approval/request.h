#pragma once
// A request for approval: exactly what is asked for, by whom, who may say yes, and what was said.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "core/model.h"
#include "identity/credential.h"

namespace sallyport::approval {

/// pending -> approved | denied | expired | cancelled; approved -> consumed | lapsed | revoked.
enum class State : std::uint8_t {
  pending,
  approved,   // may be used
  denied,     // by one person
  expired,    // nobody decided in time
  cancelled,  // by who asked
  consumed,   // used as often as it may be
  lapsed,     // not used in time
  revoked,    // taken back after it was approved
};
std::string_view to_string(State state);
std::optional<State> state_from(std::string_view name);
constexpr bool is_final(State state) {
  return state != State::pending && state != State::approved;
}

struct Vote {
  std::string voter;  // user id
  std::string name;   // for people
  identity::Credential credential;
  bool approve = false;
  std::string reason;
  std::string address;  // that it came from
  WallTime at{};
};

/// One person, or one agent: by the id, or by what the issuer says of it.
bool is_same(const Identity& a, const Identity& b);

/// 1 where there is no route: nobody can say yes.
std::size_t votes_missing(const std::vector<Route>& routes, const std::vector<Vote>& votes);

struct Request {
  std::string id;
  std::string tenant;
  std::string protocol;
  std::string connection;
  std::string database;
  identity::Credential requester;
  std::string hash;  // of all that must be the same when it is used, hex
  std::string kind;  // "statement": once; "list": each of `items` once, in order; "window"
  std::string text;
  std::vector<Parameter> parameters;
  std::vector<std::string> shown;  // binary ones as text, by their place; empty: as it is
  std::vector<std::string> items;  // of a list: hash_of() each of its statements
  std::vector<std::string> bound;  // what else decides what it does, for people
  std::vector<Action> actions;
  std::vector<Safeguard> safeguards;  // in force
  std::string estimate;               // of what it would touch, for people; or why there is none
  std::vector<Route> routes;
  State state = State::pending;
  WallTime created_at{};
  WallTime ends_at{};     // of this state
  std::string closed_by;  // who denied, cancelled or revoked it
  std::int64_t uses_left = 0;
  std::vector<Vote> votes;

  /// For how long it may be used once it is approved: the shortest of the routes.
  std::chrono::seconds ttl() const;
  /// A rough word for policies, 0 to 100: reading 10, changing 50, anything else 80, and 10 more
  /// where an agent acts.
  std::int64_t risk() const;
  /// People who are still needed, of the route that needs most; 0: enough have said yes.
  std::size_t votes_missing() const { return approval::votes_missing(routes, votes); }
};

/// Why this one may not vote on it whatever the policies say, or empty.
std::string why_not_entitled(const Request& request, const identity::Credential& voter);

/// What must be the same when an approval is used: the tenant, connection and database, the whole
/// chain, and for a statement its text, its parameters, its safeguards, and `bound`, which is what
/// else decides what it does (search_path, login role, types of parameters), in an order of the
/// protocol's. For a list, its text without what is around it: `; ` does not matter. For a window,
/// its actions instead. Hex.
std::string hash_of(const Session& session, const Command& command, std::string_view kind,
                    const std::vector<std::string>& bound);

/// The chain, as a key.
std::string key_of(const Chain& chain);

/// All but what the store keeps in columns of its own.
std::string body_of(const Request& request);
Result<Request> request_from_body(std::string_view body);

}  // namespace sallyport::approval

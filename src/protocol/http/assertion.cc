#include "protocol/http/assertion.h"

#include <boost/json.hpp>

namespace sallyport::web {
namespace {

namespace json = boost::json;

std::int64_t seconds_of(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

json::object identity_of(const Identity& identity) {
  return {{"sub", identity.subject}, {"sub_iss", identity.issuer}, {"sub_id", identity.id}};
}

/// The agent that acts now outside, those that it acts through within (RFC 8693 section 4.1).
json::value act_of(const Chain& chain) {
  json::value act;
  for (std::size_t i = 1; i < chain.identities.size(); ++i) {
    json::object actor = identity_of(chain.identities[i]);
    if (!act.is_null()) actor["act"] = std::move(act);
    act = std::move(actor);
  }
  return act;
}

}  // namespace

std::string Assertions::make(const Session& session, std::string_view issuer,
                             std::string_view audience, WallTime now) const {
  const Identity& subject = session.chain.subject();
  json::object claims = identity_of(subject);
  claims["iss"] = issuer;
  claims["aud"] = audience;
  claims["iat"] = seconds_of(now);
  claims["exp"] = seconds_of(now + lifetime);
  claims["txn"] = session.id;
  claims["connection"] = session.connection;
  claims["groups"] = json::value_from(subject.groups);
  if (!subject.display_name.empty()) claims["name"] = subject.display_name;
  if (!subject.email.empty()) claims["email"] = subject.email;
  if (session.chain.delegated()) claims["act"] = act_of(session.chain);
  return key_.sign_jwt("sallyport-assertion+jwt", json::serialize(claims));
}

}  // namespace sallyport::web

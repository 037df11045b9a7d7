#include "ledger/payloads.h"

#include "ledger/json_writer.h"

namespace sallyport::ledger {
namespace {

std::int64_t micros(WallTime time) {
  return time.time_since_epoch().count();
}

void write_texts(JsonWriter& json, std::string_view key,
                 const std::map<std::string, std::string>& texts) {
  json.named(key).begin_object();
  for (const auto& [name, text] : texts) json.named(name).value(text);
  json.end_object();
}

void write_identity(JsonWriter& json, const Identity& identity) {
  json.begin_object()
      .field("kind", cedar_type(identity.kind))
      .field("id", identity.id)
      .field("issuer", identity.issuer)
      .field("subject", identity.subject)
      .field("name", identity.display_name)
      .field("email", identity.email)
      .strings("groups", identity.groups)
      .field("owner", identity.owner)
      .field("attested", identity.attested)
      .field("active", identity.active);
  if (!identity.job.empty()) write_texts(json, "job", identity.job);
  json.end_object();
}

void write_authentication(JsonWriter& json, const Authentication& authentication) {
  json.key("authentication")
      .begin_object()
      .field("method", authentication.method)
      .field("acr", authentication.acr)
      .field("authenticated_at_us", micros(authentication.authenticated_at))
      .field("sender_bound", authentication.sender_bound)
      .field("device_managed", authentication.device_managed)
      .strings("scopes", authentication.scopes)
      .field("expires_at_us", micros(authentication.expires_at))
      .field("issued_at_us", micros(authentication.issued_at))
      .field("login_session", authentication.login_session)
      .field("transaction", authentication.transaction)
      .field("connection", authentication.connection)
      .field("delegation", authentication.delegation)
      .end_object();
}

void write_sql(JsonWriter& json, const SqlContext& sql) {
  json.key("sql")
      .begin_object()
      .field("kind", sql.kind)
      .field("fingerprint", sql.fingerprint)
      .field("hash", sql.hash)
      .field("has_where", sql.has_where)
      .field("read_only_transaction", sql.read_only_transaction)
      .field("multi", sql.multi)
      .field("dynamic_sql", sql.dynamic_sql)
      .end_object();
}

void write_http(JsonWriter& json, const HttpContext& http) {
  json.key("http")
      .begin_object()
      .field("host", http.host)
      .field("body_bytes", http.body_bytes)
      .field("hash", http.hash)
      .end_object();
}

void write_action_fields(JsonWriter& json, const Action& action) {
  json.field("action", action.name)
      .field("type", action.resource.type)
      .field("resource", action.resource.id);
}

void write_command(JsonWriter& json, const Command& command) {
  json.key("command").begin_object().field("kind", command.kind).field("text", command.text);
  json.key("parameters").begin_array();
  for (const Parameter& parameter : command.parameters) {
    json.begin_object().key("value");
    if (parameter.value) {
      json.value(std::string_view(*parameter.value));
    } else {
      json.null();
    }
    json.field("binary", parameter.binary).end_object();
  }
  json.end_array().key("actions").begin_array();
  for (const Action& action : command.actions) {
    json.begin_object();
    write_action_fields(json, action);
    json.end_object();
  }
  json.end_array();
  if (const auto* sql = std::get_if<SqlContext>(&command.context)) write_sql(json, *sql);
  if (const auto* http = std::get_if<HttpContext>(&command.context)) write_http(json, *http);
  if (!command.executed_sha256.empty()) {
    json.field("executed_sha256", command.executed_sha256);
  } else if (!command.executed.empty()) {
    json.field("executed", command.executed);
  }
  if (!command.safeguards.empty()) {
    json.key("safeguards").begin_array();
    for (const Safeguard& safeguard : command.safeguards) {
      json.begin_object();
      write_action_fields(json, safeguard.action);
      json.field("effect", safeguard.effect).end_object();
    }
    json.end_array();
  }
  json.field("read_only", command.read_only).end_object();
}

void write_hold(JsonWriter& json, const Hold& hold) {
  json.key("hold").begin_object().field("kind", hold.kind).key("routes").begin_array();
  for (const Route& route : hold.routes) {
    json.begin_object()
        .field("policy", route.policy)
        .strings("approvers", route.approvers)
        .field("quorum", route.quorum)
        .field("ttl_s", route.ttl.count())
        .field("mode", route.mode)
        .field("alert", route.alert)
        .field("review", route.review)
        .end_object();
  }
  json.end_array().end_object();
}

void write_decision(JsonWriter& json, const Decision& decision) {
  json.key("decision")
      .begin_object()
      .field("verdict", to_string(decision.verdict))
      .field("policy_epoch", decision.policy_epoch)
      .field("reason", decision.reason)
      .key("answers")
      .begin_array();
  for (const Answer& answer : decision.answers) {
    json.begin_object().field("principal", answer.principal);
    write_action_fields(json, answer.action);
    json.field("allowed", answer.allowed)
        .strings("policies", answer.policies)
        .strings("errors", answer.errors)
        .end_object();
  }
  json.end_array();
  if (decision.hold) write_hold(json, *decision.hold);
  if (!decision.approval.empty()) json.field("approval", decision.approval);
  json.end_object();
}

std::string_view to_string(Refusal::Kind kind) {
  switch (kind) {
    case Refusal::Kind::policy:
      return "policy";
    case Refusal::Kind::approval:
      return "approval";
    case Refusal::Kind::cancelled:
      return "cancelled";
    case Refusal::Kind::not_analysed:
      return "not_analysed";
    case Refusal::Kind::not_recorded:
      return "not_recorded";
    case Refusal::Kind::session:
      return "session";
  }
  return "policy";
}

// What a list of commands wants to show without looking up the session.
void write_who(JsonWriter& json, const Session& session) {
  json.field("who", session.chain.identities.empty() ? std::string() : session.chain.to_string())
      .field("connection", session.connection);
}

}  // namespace

std::string session_start_payload(const Session& session) {
  JsonWriter json;
  json.begin_object();
  write_who(json, session);
  json.field("tenant", session.tenant)
      .field("protocol", session.protocol)
      .field("database", session.database)
      .key("chain")
      .begin_array();
  for (const Identity& identity : session.chain.identities) write_identity(json, identity);
  json.end_array();
  write_authentication(json, session.authentication);
  json.field("source_ip", session.source_ip)
      .field("source_port", session.source_port)
      .field("tls", session.tls)
      .field("started_at_us", micros(session.started_at));
  if (session.break_glass) json.field("break_glass", true);
  if (!session.purpose.empty()) json.field("purpose", session.purpose);
  if (!session.ticket.empty()) json.field("ticket", session.ticket);
  write_texts(json, "claimed", session.claimed);
  json.end_object();
  return json.take();
}

std::string session_end_payload(const Session& session, const SessionEnd& end) {
  JsonWriter json;
  json.begin_object();
  write_who(json, session);
  json.field("reason", end.reason)
      .field("detail", end.detail)
      .field("commands", end.commands)
      .field("refused", end.refused)
      .field("duration_us", end.duration.count())
      .end_object();
  return json.take();
}

std::string command_payload(const Session& session, const Command& command,
                            const Decision& decision) {
  JsonWriter json;
  json.begin_object();
  write_who(json, session);
  write_command(json, command);
  write_decision(json, decision);
  json.end_object();
  return json.take();
}

std::string outcome_payload(std::uint64_t command_sequence, const Outcome& outcome,
                            std::chrono::microseconds duration) {
  JsonWriter json;
  json.begin_object()
      .field("command", command_sequence)
      .field("failed", outcome.failed)
      .field("error", outcome.error)
      .field("tag", outcome.tag)
      .field("rows", outcome.rows)
      .field("bytes", outcome.bytes)
      .field("masked_fields", outcome.masked_fields);
  if (!outcome.detected.empty()) {
    json.key("detected").begin_object();
    for (const auto& [detector, count] : outcome.detected) json.named(detector).value(count);
    json.end_object();
  }
  json.field("duration_us", duration.count()).end_object();
  return json.take();
}

std::string refusal_payload(const Session& session, const Command& command,
                            const Decision& decision, const Refusal& refusal) {
  JsonWriter json;
  json.begin_object();
  write_who(json, session);
  write_command(json, command);
  write_decision(json, decision);
  json.key("refusal")
      .begin_object()
      .field("kind", to_string(refusal.kind))
      .field("reason", refusal.reason)
      .field("policy", refusal.policy)
      .field("hint", refusal.hint);
  if (!refusal.request.empty()) json.field("request", refusal.request);
  json.end_object().end_object();
  return json.take();
}

std::string login_refused_payload(const LoginRefused& refused) {
  JsonWriter json;
  json.begin_object()
      .field("protocol", refused.protocol)
      .field("connection", refused.connection)
      .field("user", refused.user)
      .field("method", refused.method)
      .field("reason", refused.reason)
      .field("source_ip", refused.source_ip)
      .field("source_port", refused.source_port)
      .field("tls", refused.tls)
      .end_object();
  return json.take();
}

std::string admin_change_payload(const AdminChange& change) {
  JsonWriter json;
  json.begin_object()
      .field("who", change.who)
      .field("action", change.action)
      .field("target", change.target)
      .field("detail", change.detail)
      .end_object();
  return json.take();
}

std::string gateway_payload(const GatewayEvent& event) {
  JsonWriter json;
  json.begin_object().field("event", event.event).field("detail", event.detail).end_object();
  return json.take();
}

}  // namespace sallyport::ledger

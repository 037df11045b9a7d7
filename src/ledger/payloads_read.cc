// The way back from a payload to the values it was built from.

#include <boost/json.hpp>

#include "ledger/payloads.h"

namespace sallyport::ledger {
namespace {

namespace json = boost::json;

// Reads the fields of one object and keeps the first thing that was wrong with any of them.
class Fields {
 public:
  Fields(const json::object& object, std::string& problem) : object_(&object), problem_(&problem) {}

  std::string text(std::string_view key) const {
    const json::value* value = find(key);
    if (value == nullptr) return {};
    if (const json::string* text = value->if_string()) return std::string(*text);
    return wrong(key), std::string();
  }
  bool flag(std::string_view key) const {
    const json::value* value = find(key);
    if (value == nullptr) return false;
    if (const bool* flag = value->if_bool()) return *flag;
    return wrong(key), false;
  }
  template <std::integral T>
  T number(std::string_view key) const {
    const json::value* value = find(key);
    if (value == nullptr) return 0;
    if (const auto* s = value->if_int64(); s && std::in_range<T>(*s)) return static_cast<T>(*s);
    if (const auto* u = value->if_uint64(); u && std::in_range<T>(*u)) return static_cast<T>(*u);
    return wrong(key), T{0};
  }
  WallTime time(std::string_view key) const {
    return WallTime(std::chrono::microseconds(number<std::int64_t>(key)));
  }
  std::chrono::microseconds micros(std::string_view key) const {
    return std::chrono::microseconds(number<std::int64_t>(key));
  }
  std::vector<std::string> texts(std::string_view key) const {
    std::vector<std::string> list;
    for (const json::value& item : array(key)) {
      if (const json::string* text = item.if_string()) {
        list.emplace_back(*text);
      } else {
        wrong(key);
      }
    }
    return list;
  }
  const json::array& array(std::string_view key) const {
    static const json::array none;
    const json::value* value = find(key);
    if (value == nullptr) return none;
    if (const json::array* array = value->if_array()) return *array;
    return wrong(key), none;
  }
  Fields object(std::string_view key) const {
    const json::value* value = find(key);
    return value == nullptr ? Fields(nothing(), *problem_) : of(*value, key);
  }
  Fields of(const json::value& value, std::string_view key) const {
    if (const json::object* object = value.if_object()) return Fields(*object, *problem_);
    return wrong(key), Fields(nothing(), *problem_);
  }
  const json::object& raw() const { return *object_; }
  bool has(std::string_view key) const { return object_->contains(key); }
  void wrong(std::string_view key) const {
    if (problem_->empty()) *problem_ = "missing or mistyped: " + std::string(key);
  }

 private:
  static const json::object& nothing() {
    static const json::object none;
    return none;
  }
  const json::value* find(std::string_view key) const {
    const json::value* value = object_->if_contains(key);
    if (value == nullptr) wrong(key);
    return value;
  }

  const json::object* object_;
  std::string* problem_;
};

template <class Read>
auto parse(std::string_view payload, Read read)
    -> Result<decltype(read(std::declval<const Fields&>()))> {
  json::error_code code;
  const json::value value = json::parse(payload, code);
  if (code || !value.is_object()) return fail(Errc::malformed, "the payload is not a JSON object");
  std::string problem;
  auto result = read(Fields(value.get_object(), problem));
  if (!problem.empty()) return fail(Errc::malformed, "payload: " + problem);
  return result;
}

std::map<std::string, std::string> read_texts(const Fields& fields) {
  std::map<std::string, std::string> texts;
  for (const auto& entry : fields.raw()) {
    if (const json::string* text = entry.value().if_string()) {
      texts.emplace(std::string(entry.key()), std::string(*text));
    }
  }
  return texts;
}

Identity read_identity(const Fields& fields) {
  Identity identity;
  const std::string kind = fields.text("kind");
  for (const IdentityKind known :
       {IdentityKind::user, IdentityKind::agent, IdentityKind::workload}) {
    if (cedar_type(known) == kind) identity.kind = known;
  }
  if (cedar_type(identity.kind) != kind) fields.wrong("kind");
  identity.id = fields.text("id");
  identity.issuer = fields.text("issuer");
  identity.subject = fields.text("subject");
  identity.display_name = fields.text("name");
  identity.email = fields.text("email");
  identity.groups = fields.texts("groups");
  identity.owner = fields.text("owner");
  identity.attested = fields.flag("attested");
  identity.active = fields.flag("active");
  if (fields.has("job")) identity.job = read_texts(fields.object("job"));
  return identity;
}

Authentication read_authentication(const Fields& fields) {
  Authentication authentication;
  authentication.method = fields.text("method");
  authentication.acr = fields.text("acr");
  authentication.authenticated_at = fields.time("authenticated_at_us");
  authentication.sender_bound = fields.flag("sender_bound");
  authentication.device_managed = fields.flag("device_managed");
  authentication.scopes = fields.texts("scopes");
  authentication.expires_at = fields.time("expires_at_us");
  if (fields.has("issued_at_us")) {  // records of before delegation lack all of these
    authentication.issued_at = fields.time("issued_at_us");
    authentication.login_session = fields.text("login_session");
    authentication.transaction = fields.text("transaction");
    authentication.connection = fields.text("connection");
    authentication.delegation = fields.text("delegation");
  }
  return authentication;
}

SqlContext read_sql(const Fields& fields) {
  SqlContext sql;
  sql.kind = fields.text("kind");
  sql.fingerprint = fields.text("fingerprint");
  sql.hash = fields.text("hash");
  sql.has_where = fields.flag("has_where");
  sql.read_only_transaction = fields.flag("read_only_transaction");
  sql.multi = fields.flag("multi");
  sql.dynamic_sql = fields.flag("dynamic_sql");
  return sql;
}

/// Without the parameters of its query: they are in the command's text.
HttpContext read_http(const Fields& fields) {
  HttpContext http;
  http.host = fields.text("host");
  http.body_bytes = fields.number<std::int64_t>("body_bytes");
  http.hash = fields.text("hash");
  return http;
}

Action read_action(const Fields& fields) {
  return {.name = fields.text("action"),
          .resource = {.type = fields.text("type"), .id = fields.text("resource")}};
}

Command read_command(const Fields& fields) {
  Command command;
  command.kind = fields.text("kind");
  command.text = fields.text("text");
  for (const json::value& item : fields.array("parameters")) {
    const Fields parameter = fields.of(item, "parameters");
    const json::value* value = parameter.raw().if_contains("value");
    const bool null = value != nullptr && value->is_null();
    command.parameters.push_back(
        {.value = null ? std::nullopt : std::optional(parameter.text("value")),
         .binary = parameter.flag("binary")});
  }
  for (const json::value& item : fields.array("actions")) {
    command.actions.push_back(read_action(fields.of(item, "actions")));
  }
  if (fields.has("sql")) command.context = read_sql(fields.object("sql"));
  if (fields.has("http")) command.context = read_http(fields.object("http"));
  if (fields.has("executed")) command.executed = fields.text("executed");
  if (fields.has("executed_sha256")) command.executed_sha256 = fields.text("executed_sha256");
  if (fields.has("safeguards")) {
    for (const json::value& item : fields.array("safeguards")) {
      const Fields safeguard = fields.of(item, "safeguards");
      command.safeguards.push_back(
          {.action = read_action(safeguard), .effect = safeguard.text("effect")});
    }
  }
  command.read_only = fields.flag("read_only");
  return command;
}

Hold read_hold(const Fields& fields) {
  Hold hold{.kind = fields.text("kind"), .routes = {}};
  for (const json::value& item : fields.array("routes")) {
    const Fields route = fields.of(item, "routes");
    hold.routes.push_back({.policy = route.text("policy"),
                           .approvers = route.texts("approvers"),
                           .quorum = route.number<std::uint32_t>("quorum"),
                           .ttl = std::chrono::seconds(route.number<std::int64_t>("ttl_s")),
                           .mode = route.text("mode"),
                           .alert = route.text("alert"),
                           .review = route.text("review")});
  }
  return hold;
}

Decision read_decision(const Fields& fields) {
  Decision decision;
  const std::string verdict = fields.text("verdict");
  for (const Verdict known : {Verdict::allow, Verdict::hold, Verdict::deny}) {
    if (to_string(known) == verdict) decision.verdict = known;
  }
  if (to_string(decision.verdict) != verdict) fields.wrong("verdict");
  decision.policy_epoch = fields.number<std::uint64_t>("policy_epoch");
  decision.reason = fields.text("reason");
  if (fields.has("approval")) decision.approval = fields.text("approval");
  for (const json::value& item : fields.array("answers")) {
    const Fields answer = fields.of(item, "answers");
    decision.answers.push_back({.principal = answer.text("principal"),
                                .action = read_action(answer),
                                .allowed = answer.flag("allowed"),
                                .policies = answer.texts("policies"),
                                .errors = answer.texts("errors")});
  }
  if (fields.has("hold")) decision.hold = read_hold(fields.object("hold"));
  return decision;
}

Refusal read_refusal(const Fields& fields) {
  Refusal refusal;
  const std::string kind = fields.text("kind");
  if (kind == "policy") {
    refusal.kind = Refusal::Kind::policy;
  } else if (kind == "approval") {
    refusal.kind = Refusal::Kind::approval;
  } else if (kind == "cancelled") {
    refusal.kind = Refusal::Kind::cancelled;
  } else if (kind == "not_analysed") {
    refusal.kind = Refusal::Kind::not_analysed;
  } else if (kind == "not_recorded") {
    refusal.kind = Refusal::Kind::not_recorded;
  } else if (kind == "session") {
    refusal.kind = Refusal::Kind::session;
  } else {
    fields.wrong("kind");
  }
  refusal.reason = fields.text("reason");
  refusal.policy = fields.text("policy");
  refusal.hint = fields.text("hint");
  if (fields.has("request")) refusal.request = fields.text("request");
  return refusal;
}

}  // namespace

Result<Session> parse_session_start(std::string_view session_id, std::string_view payload) {
  return parse(payload, [&](const Fields& fields) {
    Session session;
    session.id = session_id;
    session.connection = fields.text("connection");
    session.tenant = fields.text("tenant");
    session.protocol = fields.text("protocol");
    session.database = fields.text("database");
    for (const json::value& item : fields.array("chain")) {
      session.chain.identities.push_back(read_identity(fields.of(item, "chain")));
    }
    if (session.chain.identities.empty()) fields.wrong("chain");
    session.authentication = read_authentication(fields.object("authentication"));
    session.source_ip = fields.text("source_ip");
    session.source_port = fields.number<std::uint16_t>("source_port");
    session.tls = fields.flag("tls");
    session.started_at = fields.time("started_at_us");
    if (fields.has("break_glass")) session.break_glass = fields.flag("break_glass");
    if (fields.has("purpose")) session.purpose = fields.text("purpose");
    if (fields.has("ticket")) session.ticket = fields.text("ticket");
    session.claimed = read_texts(fields.object("claimed"));
    return session;
  });
}

Result<SessionEnd> parse_session_end(std::string_view payload) {
  return parse(payload, [](const Fields& fields) {
    return SessionEnd{.reason = fields.text("reason"),
                      .detail = fields.text("detail"),
                      .commands = fields.number<std::uint64_t>("commands"),
                      .refused = fields.number<std::uint64_t>("refused"),
                      .duration = fields.micros("duration_us")};
  });
}

Result<CommandRecord> parse_command(std::string_view payload) {
  return parse(payload, [](const Fields& fields) {
    return CommandRecord{.command = read_command(fields.object("command")),
                         .decision = read_decision(fields.object("decision"))};
  });
}

Result<OutcomeRecord> parse_outcome(std::string_view payload) {
  return parse(payload, [](const Fields& fields) {
    OutcomeRecord record;
    record.command_sequence = fields.number<std::uint64_t>("command");
    record.outcome.failed = fields.flag("failed");
    record.outcome.error = fields.text("error");
    record.outcome.tag = fields.text("tag");
    record.outcome.rows = fields.number<std::uint64_t>("rows");
    record.outcome.bytes = fields.number<std::uint64_t>("bytes");
    record.outcome.masked_fields = fields.number<std::uint64_t>("masked_fields");
    if (fields.has("detected")) {
      const Fields detected = fields.object("detected");
      for (const auto& entry : detected.raw()) {
        record.outcome.detected[std::string(entry.key())] =
            detected.number<std::uint64_t>(entry.key());
      }
    }
    record.duration = fields.micros("duration_us");
    return record;
  });
}

Result<RefusalRecord> parse_refusal(std::string_view payload) {
  return parse(payload, [](const Fields& fields) {
    return RefusalRecord{.command = read_command(fields.object("command")),
                         .decision = read_decision(fields.object("decision")),
                         .refusal = read_refusal(fields.object("refusal"))};
  });
}

Result<LoginRefused> parse_login_refused(std::string_view payload) {
  return parse(payload, [](const Fields& fields) {
    return LoginRefused{.protocol = fields.text("protocol"),
                        .connection = fields.text("connection"),
                        .user = fields.text("user"),
                        .method = fields.text("method"),
                        .reason = fields.text("reason"),
                        .source_ip = fields.text("source_ip"),
                        .source_port = fields.number<std::uint16_t>("source_port"),
                        .tls = fields.flag("tls")};
  });
}

Result<AdminChange> parse_admin_change(std::string_view payload) {
  return parse(payload, [](const Fields& fields) {
    return AdminChange{.who = fields.text("who"),
                       .action = fields.text("action"),
                       .target = fields.text("target"),
                       .detail = fields.text("detail")};
  });
}

Result<GatewayEvent> parse_gateway(std::string_view payload) {
  return parse(payload, [](const Fields& fields) {
    return GatewayEvent{.event = fields.text("event"), .detail = fields.text("detail")};
  });
}

}  // namespace sallyport::ledger

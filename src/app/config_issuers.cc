#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "app/config_parts.h"
#include "identity/fetcher.h"

namespace sallyport::app {
namespace {

void read_algorithms(Reading& reading, Fields& fields, identity::IssuerOptions& issuer) {
  const Value* value = fields.list("algorithms");
  if (!value) return;
  issuer.algorithms.clear();
  for (const Value& item : value->items) {
    const auto name = scalar_text(item, "each of issuers.algorithms", reading.problems);
    if (!name) continue;
    if (const auto algorithm = identity::algorithm_from(*name)) {
      issuer.algorithms.push_back(*algorithm);
    } else {
      reading.problems.push_back(
          {item.place, fmt::format("'{}' is no signature algorithm that is accepted", *name),
           "RS256, PS256, ES256, EdDSA; or 384 and 512 of the first three"});
    }
  }
  if (value->items.empty()) {
    fields.problem("algorithms", "issuers.algorithms is empty", "remove it for the usual four");
  }
}

void read_agents(Reading& reading, Fields& issuer_fields, identity::IssuerOptions& issuer) {
  const Value* value = issuer_fields.map("agents");
  if (!value) return;
  for (const Entry& entry : value->entries) {
    Fields fields(*entry.value, "issuers.agents." + entry.key, reading.problems);
    identity::AgentOptions agent;
    agent.client_id = entry.key;
    agent.id = fields.text_or("id", "");
    agent.display_name = fields.text_or("name", "");
    agent.owner = fields.text_or("owner", "");
    agent.groups = fields.texts("groups");
    agent.attested = fields.flag_or("attested", false);
    fields.finish();
    issuer.agents.push_back(std::move(agent));
  }
}

void read_predicates(Reading& reading, Fields& fields, const std::string& issuer,
                     identity::WorkloadRule& rule) {
  const Value* when = fields.map("when");
  if (!when || when->entries.empty()) {
    fields.problem("when", "a workload without predicates would be anybody",
                   "when: {repository_id: \"456789\", ref: refs/heads/main}");
    return;
  }
  for (const Entry& entry : when->entries) {
    if (entry.key == "sub" && issuer.contains("githubusercontent.com")) {
      reading.problems.push_back({entry.place, "the form of GitHub's sub changes; it is no key",
                                  "pin repository_id, repository_owner_id, ref, environment or "
                                  "job_workflow_ref"});
    }
    auto& allowed = rule.when[entry.key];
    if (!entry.value->items.empty()) {
      for (const Value& item : entry.value->items) {
        if (auto text = scalar_text(item, entry.key, reading.problems)) allowed.push_back(*text);
      }
    } else if (auto text = scalar_text(*entry.value, entry.key, reading.problems)) {
      allowed.push_back(*text);
    }
    if (std::ranges::find(allowed, "*") != allowed.end()) {
      reading.problems.push_back({entry.place, "'*' alone lets any value in", "name the values"});
    }
  }
}

/// "2027-01-31": the first moment of that day, UTC.
std::optional<WallTime> day(const std::string& text) {
  int year = 0;
  unsigned month = 0;
  unsigned date = 0;
  char rest = 0;
  if (text.size() != 10 ||
      std::sscanf(text.c_str(), "%4d-%2u-%2u%c", &year, &month, &date, &rest) != 3) {
    return std::nullopt;
  }
  const std::chrono::year_month_day is{std::chrono::year(year), std::chrono::month(month),
                                       std::chrono::day(date)};
  if (!is.ok()) return std::nullopt;
  return WallTime(std::chrono::sys_days(is));
}

void read_workloads(Reading& reading, Fields& issuer_fields, identity::IssuerOptions& issuer) {
  const Value* value = issuer_fields.map("workloads");
  if (!value) return;
  for (const Entry& entry : value->entries) {
    Fields fields(*entry.value, "issuers.workloads." + entry.key, reading.problems);
    identity::WorkloadRule rule;
    rule.name = entry.key;
    read_predicates(reading, fields, issuer.url, rule);
    rule.groups = fields.texts("groups");
    rule.owner = fields.required_text("owner", "owner: dana, who answers for it");
    const std::string expires = fields.required_text("expires", "expires: 2027-01-31");
    if (const auto at = day(expires)) {
      rule.expires_at = *at;
    } else if (!expires.empty()) {
      fields.problem("expires", fmt::format("'{}' is no day", expires), "expires: 2027-01-31");
    }
    fields.finish();
    issuer.workloads.push_back(std::move(rule));
  }
}

identity::IssuerOptions read_issuer(Reading& reading, const Value& value, Config& config) {
  Fields fields(value, "issuers", reading.problems);
  identity::IssuerOptions issuer;
  issuer.url = fields.required_text("issuer", "issuer: https://login.example.com");
  issuer.name = fields.text_or("name", "");
  issuer.audience = fields.required_text("audience", "audience: sallyport");
  read_algorithms(reading, fields, issuer);
  issuer.access_token_typ =
      fields.choice_or("access_token_typ", issuer.access_token_typ, {"at+jwt", "JWT", "none"});
  issuer.id_claim = fields.text_or("id_claim", issuer.id_claim);
  issuer.groups_claim = fields.text_or("groups_claim", issuer.groups_claim);
  issuer.name_claim = fields.text_or("name_claim", issuer.name_claim);
  issuer.email_claim = fields.text_or("email_claim", issuer.email_claim);
  issuer.openid_configuration_url = fields.text_or("openid_configuration_url", "");
  issuer.ca_file = fields.file("ca").string();
  const std::string client = fields.text_or("cli_client_id", config.cli_client_id);
  if (config.issuers.empty()) config.cli_client_id = client;
  issuer.client_id = client;
  read_agents(reading, fields, issuer);
  read_workloads(reading, fields, issuer);
  if (!issuer.url.empty() && !identity::is_fetchable(issuer.url)) {
    fields.problem("issuer", fmt::format("'{}' cannot be trusted with keys", issuer.url),
                   "an issuer is an https:// address, exactly as in its tokens");
  }
  if (issuer.id_claim == "email") {
    fields.problem("id_claim", "issuers.id_claim cannot be email",
                   "addresses are given to other people; use sub or an immutable id");
  }
  fields.finish();
  return issuer;
}

BuiltinUser read_user(Reading& reading, const Entry& entry) {
  const std::string name = "builtin_issuer.users." + entry.key;
  Fields fields(*entry.value, name, reading.problems);
  BuiltinUser user;
  user.name = entry.key;
  user.display_name = fields.text_or("name", entry.key);
  user.email = fields.text_or("email", "");
  user.groups = fields.texts("groups");
  user.active = fields.flag_or("active", true);
  user.password_hash = fields.text_or("password_hash", "");
  if (!user.password_hash.empty() && !user.password_hash.starts_with("$argon2id$")) {
    fields.problem("password_hash", name + ".password_hash must be an argon2id hash",
                   "it starts with $argon2id$");
  }
  if (fields.has("password") || !fields.has("password_hash")) {
    user.password = read_secret(reading, fields, "password", "password: env:ALICE_PASSWORD");
  }
  if (fields.has("password") && fields.has("password_hash")) {
    fields.problem("password", name + " has both password and password_hash", "keep one");
  }
  fields.finish();
  return user;
}

BuiltinAgent read_agent(Reading& reading, const Entry& entry) {
  Fields fields(*entry.value, "builtin_issuer.agents." + entry.key, reading.problems);
  BuiltinAgent agent;
  agent.client_id = entry.key;
  agent.display_name = fields.text_or("name", entry.key);
  agent.owner = fields.text_or("owner", "");
  agent.groups = fields.texts("groups");
  agent.secret = read_secret(reading, fields, "secret", "secret: env:COPILOT_SECRET");
  fields.finish();
  return agent;
}

BuiltinClient read_client(Reading& reading, const Entry& entry) {
  Fields fields(*entry.value, "builtin_issuer.clients." + entry.key, reading.problems);
  BuiltinClient client;
  client.client_id = entry.key;
  fields.require("redirect_uris", "redirect_uris: [http://127.0.0.1/callback]");
  client.redirect_uris = fields.texts("redirect_uris");
  fields.finish();
  return client;
}

/// The map under `key`, entry by entry.
template <class T, class Read>
void read_each(Reading& reading, Fields& fields, const std::string& key, std::vector<T>& into,
               Read read) {
  const Value* value = fields.map(key);
  if (!value) return;
  for (const Entry& entry : value->entries) {
    if (!is_name(entry.key)) {
      reading.problems.push_back({entry.place, fmt::format("'{}' cannot be a name here", entry.key),
                                  "letters, digits, '-', '_' and '.', at most 63"});
    }
    into.push_back(read(reading, entry));
  }
}

}  // namespace

void read_issuers(Reading& reading, Fields& top, Config& config) {
  const Value* value = top.list("issuers");
  if (!value) return;
  for (const Value& item : value->items) {
    identity::IssuerOptions issuer = read_issuer(reading, item, config);
    const auto same = [&](const identity::IssuerOptions& other) {
      return other.url == issuer.url || (!issuer.name.empty() && other.name == issuer.name);
    };
    if (std::ranges::any_of(config.issuers, same)) {
      reading.problems.push_back({item.place, fmt::format("issuer '{}' is there twice", issuer.url),
                                  "each issuer and each name once"});
    }
    const bool primary = config.issuers.empty() && !top.has("builtin_issuer");
    if (issuer.name.empty() && !primary) {
      reading.problems.push_back({item.place, "issuers.name is missing",
                                  "all but the first issuer need one; it becomes part of the "
                                  "ids of their users"});
    }
    config.issuers.push_back(std::move(issuer));
  }
}

void read_builtin_issuer(Reading& reading, Fields& top, Config& config) {
  const Value* value = top.get("builtin_issuer");
  if (!value) return;
  Fields fields(*value, "builtin_issuer", reading.problems);
  BuiltinIssuer issuer;
  fields.require("users", "users: {alice: {groups: [support], password: env:ALICE_PASSWORD}}");
  read_each(reading, fields, "users", issuer.users, read_user);
  read_each(reading, fields, "agents", issuer.agents, read_agent);
  read_each(reading, fields, "clients", issuer.clients, read_client);
  issuer.token_ttl_s = static_cast<std::uint32_t>(fields.number_or("token_ttl_s", 3600, 60, 86400));
  for (const BuiltinAgent& agent : issuer.agents) {
    if (!agent.owner.empty() &&
        std::ranges::find(issuer.users, agent.owner, &BuiltinUser::name) == issuer.users.end()) {
      std::vector<std::string> names;
      for (const BuiltinUser& user : issuer.users) names.push_back(user.name);
      const std::string near = nearest(agent.owner, names);
      fields.problem("agents",
                     fmt::format("the owner '{}' of {} is no user", agent.owner, agent.client_id),
                     near.empty() ? "name one of builtin_issuer.users"
                                  : fmt::format("did you mean '{}'?", near));
    }
  }
  fields.finish();
  config.builtin_issuer = std::move(issuer);
}

}  // namespace sallyport::app

// The section `approvals`: how long requests wait, who is told of them, and who may vote in Slack.

#include <fmt/format.h>

#include <algorithm>

#include "app/config_parts.h"
#include "identity/fetcher.h"

namespace sallyport::app {
namespace {

constexpr std::size_t webhooks_max = 16;
const std::vector<std::string> events{"requested", "decided", "expired", "break_glass"};

void read_events(Fields& fields, approval::Webhook& hook) {
  std::vector<std::string> wanted = fields.has("events") ? fields.texts("events") : events;
  for (std::string& event : wanted) {
    if (std::ranges::find(events, event) == events.end()) {
      fields.problem("events", fmt::format("{}: there is no event '{}'", fields.name(), event),
                     fmt::format("one of {}", fmt::join(events, ", ")));
    }
    hook.events.insert(std::move(event));
  }
}

approval::Webhook read_webhook(Reading& reading, const Value& value, const std::string& name) {
  Fields fields(value, name, reading.problems);
  approval::Webhook hook{.name = fields.required_text("name", "name: chat")};
  if (!hook.name.empty() && !is_name(hook.name)) {
    fields.problem("name", fmt::format("{}.name: '{}' is no name", name, hook.name),
                   "letters, digits, '-', '_' and '.'");
  }
  hook.slack = fields.choice_or("format", "json", {"json", "slack"}) == "slack";
  const std::string written = fields.text_or("url", "");
  const bool elsewhere = written.starts_with("file:") || written.starts_with("env:");
  // With Slack whoever knows the address may write there: it is a secret, like a password.
  hook.url = hook.slack || elsewhere
                 ? read_secret(reading, fields, "url", "url: file:slack.url").value
                 : fields.required_text("url", "url: https://chat.example.com/hooks/sallyport");
  if (!hook.url.empty() && !identity::is_fetchable(hook.url)) {
    fields.problem("url", fmt::format("{}.url is no https URL", name),
                   "plain http is for loopback addresses only");
  }
  if (hook.slack) {
    if (fields.has("secret")) {
      fields.problem("secret", fmt::format("{}: Slack checks no signature of ours", name),
                     "its URL is the secret: leave `secret` out");
    }
  } else {
    hook.secret = read_secret(reading, fields, "secret", "secret: file:webhook.secret").value;
    if (!hook.secret.empty() && hook.secret.size() < 16) {
      fields.problem("secret", fmt::format("{}.secret is too short to sign with", name),
                     "`openssl rand -base64 32` makes one");
    }
  }
  if (fields.has("ca")) hook.ca_file = fields.file("ca").string();
  read_events(fields, hook);
  fields.finish();
  return hook;
}

void read_webhooks(Reading& reading, Fields& fields, ApprovalsConfig& approvals) {
  const Value* const list = fields.list("webhooks");
  if (list == nullptr) return;
  for (const Value& value : list->items) {
    const std::string name = fmt::format("approvals.webhooks[{}]", approvals.webhooks.size());
    approval::Webhook hook = read_webhook(reading, value, name);
    if (std::ranges::find(approvals.webhooks, hook.name, &approval::Webhook::name) !=
        approvals.webhooks.end()) {
      fields.problem("webhooks", fmt::format("two webhooks are named '{}'", hook.name));
    }
    approvals.webhooks.push_back(std::move(hook));
  }
  if (approvals.webhooks.size() > webhooks_max) {
    fields.problem("webhooks", fmt::format("more than {} webhooks", webhooks_max));
  }
}

void read_slack(Reading& reading, Fields& top, ApprovalsConfig& approvals,
                const std::vector<identity::IssuerOptions>& issuers) {
  const Value* const value = top.get("slack");
  if (value == nullptr) return;
  Fields fields(*value, "approvals.slack", reading.problems);
  approvals.slack.signing_secret =
      read_secret(reading, fields, "signing_secret", "signing_secret: file:slack.secret");
  approvals.slack.team = fields.text_or("team", "");
  if (const Value* const users = fields.map("users")) {
    for (const auto& entry : users->entries) {
      Fields user(*entry.value, "approvals.slack.users." + entry.key, reading.problems);
      SlackUser& read = approvals.slack.users[entry.key];
      read = {.issuer = user.text_or("issuer", ""),
              .subject = user.required_text("subject", "subject: dana"),
              .id = user.text_or("id", ""),
              .groups = user.texts("groups")};
      const auto issuer = std::ranges::find_if(issuers, [&](const auto& one) {
        return !read.issuer.empty() && (one.name == read.issuer || one.url == read.issuer);
      });
      const bool named = issuer != issuers.end() && issuer->id_claim != "sub";
      // Else they would be somebody else in Slack than where they log in.
      if (!read.issuer.empty() && issuer == issuers.end()) {
        user.problem("issuer", fmt::format("{}: no issuer '{}'", user.name(), read.issuer),
                     "the name or the URL of one of issuers, or nothing for the built-in one");
      } else if (named && read.id.empty()) {
        user.problem("subject",
                     fmt::format("{}: users of issuer '{}' go by their {}", user.name(),
                                 read.issuer, issuer->id_claim),
                     fmt::format("id: what {} says of them", issuer->id_claim));
      } else if (!named && !read.id.empty() && read.id != read.subject) {
        user.problem("id", fmt::format("{}: users of this issuer go by their subject", user.name()),
                     "leave `id` out");
      }
      user.finish();
    }
  }
  fields.finish();
}

}  // namespace

void read_approvals(Reading& reading, Fields& top, Config& config) {
  const Value* value = top.get("approvals");
  if (!value) return;
  Fields fields(*value, "approvals", reading.problems);
  ApprovalsConfig& approvals = config.approvals;
  approvals.wait_s =
      static_cast<std::uint32_t>(fields.number_or("wait_s", approvals.wait_s, 0, 86'400));
  approvals.pending_s =
      static_cast<std::uint32_t>(fields.number_or("pending_s", approvals.pending_s, 10, 604'800));
  approvals.break_glass_s = static_cast<std::uint32_t>(
      fields.number_or("break_glass_s", approvals.break_glass_s, 60, 86'400));
  read_webhooks(reading, fields, approvals);
  read_slack(reading, fields, approvals, config.issuers);
  fields.finish();
}

}  // namespace sallyport::app

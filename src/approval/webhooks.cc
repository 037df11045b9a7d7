#include "approval/webhooks.h"

#include <fmt/format.h>
#include <boost/json.hpp>

#include <algorithm>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/metrics.h"
#include "identity/http_post.h"

namespace sallyport::approval {
namespace {

constexpr std::size_t batch_max = 16;
constexpr std::size_t answers_max = 100;
constexpr std::chrono::seconds look_again{1};
constexpr std::chrono::seconds pause_max{60};
constexpr std::size_t text_bytes_max = 8 * 1024;
constexpr std::size_t slack_text_bytes_max = 2500;  // Slack takes 3000 characters of a section

metrics::Counter& counter(std::string_view result) {
  return metrics::counter("sallyport_webhooks_total", "Webhook messages, by what became of them.",
                          {{"result", std::string(result)}});
}

/// "https://hooks.slack.com" of "https://hooks.slack.com/services/...".
std::string_view origin_of(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  return url.substr(0, url.find_first_of("/?#", scheme + 3));
}

std::string shortened(std::string_view text, std::size_t bytes_max) {
  std::string kept(text);
  cut(kept, bytes_max);
  if (kept.size() < text.size()) kept += " ...";
  return kept;
}

/// Slack's own three escapes; and no backquote may end the block of code.
std::string for_slack(std::string_view text, std::size_t bytes_max) {
  std::string escaped;
  for (const char c : shortened(text, bytes_max)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '`':
        escaped += '\'';
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

boost::json::object mrkdwn(std::string text) {
  return {{"type", "section"}, {"text", {{"type", "mrkdwn"}, {"text", std::move(text)}}}};
}

boost::json::object button(std::string_view label, std::string_view action, std::string_view style,
                           std::string_view id) {
  return {{"type", "button"},
          {"text", {{"type", "plain_text"}, {"text", label}}},
          {"action_id", action},
          {"style", style},
          {"value", id}};
}

}  // namespace

std::string_view told_event(std::string_view event) {
  if (event == "requested" || event == "expired") return event;
  if (event == "approved" || event == "denied" || event == "cancelled" || event == "revoked") {
    return "decided";
  }
  return {};
}

std::string webhook_body(std::string_view event, const Request& request, std::string_view who,
                         WallTime now) {
  boost::json::array touches;
  for (const Action& action : request.actions) {
    if (touches.size() == 100) break;
    touches.push_back(boost::json::object{
        {"action", action.name},
        {"resource", action.resource.type + "::\"" + action.resource.id + "\""}});
  }
  boost::json::array routes;
  for (const Route& route : request.routes) {
    boost::json::array approvers;
    for (const std::string& group : route.approvers) approvers.emplace_back(group);
    routes.push_back(boost::json::object{
        {"policy", route.policy}, {"approvers", std::move(approvers)}, {"quorum", route.quorum}});
  }
  return boost::json::serialize(boost::json::object{
      {"type", "approval." + std::string(event)},
      {"timestamp", to_iso8601(now)},
      {"data", boost::json::object{{"id", request.id},
                                   {"state", to_string(request.state)},
                                   {"who", request.requester.chain.to_string()},
                                   {"by", who},
                                   {"connection", request.connection},
                                   {"database", request.database},
                                   {"kind", request.kind},
                                   {"text", shortened(request.text, text_bytes_max)},
                                   {"estimate", request.estimate},
                                   {"risk", request.risk()},
                                   {"touches", std::move(touches)},
                                   {"routes", std::move(routes)},
                                   {"created_at", to_iso8601(request.created_at)},
                                   {"ends_at", to_iso8601(request.ends_at)}}}});
}

std::string slack_body(std::string_view event, const Request& request, std::string_view who) {
  const std::string asker = for_slack(request.requester.chain.to_string(), 200);
  const bool waits = event == "requested";
  const std::string title =
      waits ? fmt::format("{} asks for an approval on {}", asker, request.connection)
            : fmt::format("The request of {} on {} was {}{}", asker, request.connection, event,
                          who.empty() ? "" : " by " + for_slack(who, 200));
  boost::json::array blocks{mrkdwn("*" + title + "*")};
  if (waits) {
    blocks.push_back(mrkdwn("```" + for_slack(request.text, slack_text_bytes_max) + "```"));
    std::string more = request.estimate.empty() ? "" : for_slack(request.estimate, 500) + "\n";
    for (const Route& route : request.routes) {
      more +=
          fmt::format("asked by policy {}: {} of {}\n", for_slack(route.policy, 100), route.quorum,
                      route.approvers.empty()
                          ? "those who may"
                          : for_slack(fmt::format("{}", fmt::join(route.approvers, ", ")), 300));
    }
    blocks.push_back(mrkdwn(std::move(more)));
    // Nobody says yes to what they cannot see whole.
    if (request.text.size() <= slack_text_bytes_max && request.parameters.empty()) {
      blocks.push_back(boost::json::object{
          {"type", "actions"},
          {"elements", boost::json::array{button("Approve", "approve", "primary", request.id),
                                          button("Deny", "deny", "danger", request.id)}}});
    }
  }
  blocks.push_back(boost::json::object{
      {"type", "context"},
      {"elements",
       boost::json::array{boost::json::object{
           {"type", "mrkdwn"}, {"text", "`sallyport approvals show " + request.id + "`"}}}}});
  return boost::json::serialize(boost::json::object{{"text", title + " (" + request.id + ")"},
                                                    {"blocks", std::move(blocks)}});
}

std::vector<std::pair<std::string, std::string>> signature_headers(std::string_view secret,
                                                                   std::string_view id,
                                                                   WallTime now,
                                                                   std::string_view body) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  const std::string signed_text = fmt::format("{}.{}.{}", id, seconds, body);
  // As others give such secrets; what is no base64 is taken as it is.
  constexpr std::string_view prefix = "whsec_";
  ByteVector key;
  if (secret.starts_with(prefix)) {
    if (auto decoded = from_base64(secret.substr(prefix.size()))) key = std::move(*decoded);
  }
  if (key.empty()) {
    const Bytes raw = as_bytes(secret);
    key.assign(raw.begin(), raw.end());
  }
  return {{"webhook-id", std::string(id)},
          {"webhook-timestamp", std::to_string(seconds)},
          {"webhook-signature", "v1," + to_base64(hmac_sha256(key, as_bytes(signed_text)))}};
}

Webhooks::Webhooks(store::Database& database, const Clock& clock, Random& random,
                   std::vector<Webhook> hooks, WebhookLimits limits)
    : store_(database),
      clock_(clock),
      random_(random),
      limits_(limits),
      hooks_(std::move(hooks)),
      thread_([this] { work(); }) {}

Webhooks::~Webhooks() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Webhooks::use(std::vector<Webhook> hooks) {
  const std::lock_guard lock(mutex_);
  hooks_ = std::move(hooks);
}

void Webhooks::queue(std::string_view event,
                     const std::function<std::string(const Webhook&)>& body_of) {
  const WallTime now = clock_.now();
  bool queued = false;
  std::vector<Webhook> hooks;
  {
    const std::lock_guard lock(mutex_);
    hooks = hooks_;
  }
  for (const Webhook& hook : hooks) {
    if (!hook.events.contains(event)) continue;
    auto added = store_.add({.id = "msg_" + random_hex(random_, 16),
                             .hook = hook.name,
                             .body = body_of(hook),
                             .created_at = now,
                             .next_at = now},
                            limits_.queue_max);
    if (!added) {
      counter("not_queued").add();
      log::error("webhook not queued", {{"hook", hook.name}, {"detail", added.error().detail}});
      continue;
    }
    if (*added > 0) {
      counter("dropped").add(static_cast<double>(*added));
      log::error("webhooks dropped: too many wait", {{"dropped", *added}});
    }
    queued = true;
  }
  if (!queued) return;
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_one();
}

void Webhooks::tell(std::string_view event, const Request& request, std::string_view who) {
  const std::string_view told = told_event(event);
  if (told.empty()) return;
  queue(told, [&](const Webhook& hook) {
    return hook.slack ? slack_body(event, request, who)
                      : webhook_body(event, request, who, clock_.now());
  });
}

void Webhooks::alert(std::string json, const std::string& text) {
  queue("break_glass", [&](const Webhook& hook) {
    if (!hook.slack) {
      return fmt::format(R"({{"type":"break_glass.opened","timestamp":"{}","data":{}}})",
                         to_iso8601(clock_.now()), json);
    }
    return boost::json::serialize(boost::json::object{
        {"text", text},
        {"blocks", boost::json::array{mrkdwn("*Break-glass*\n" + for_slack(text, 2500))}}});
  });
}

bool Webhooks::answer_slack(const std::string& url, std::string json) {
  const std::lock_guard lock(mutex_);
  const auto hook = std::ranges::find_if(hooks_, [&](const Webhook& one) {
    return one.slack && !origin_of(url).empty() && origin_of(one.url) == origin_of(url);
  });
  if (hook == hooks_.end() || answers_.size() >= answers_max) return false;
  Webhook to = *hook;
  to.url = url;
  answers_.emplace_back(std::move(to), std::move(json));
  woken_ = true;
  changed_.notify_one();
  return true;
}

std::chrono::milliseconds Webhooks::wait_after(std::int64_t attempts) const {
  std::chrono::milliseconds wait = limits_.first_wait;
  for (std::int64_t i = 1; i < attempts && wait < limits_.wait_max; ++i) wait *= 2;
  return std::min(wait, limits_.wait_max);
}

void Webhooks::deliver(const store::DeliveryRow& row) {
  Webhook hook;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(hooks_, row.hook, &Webhook::name);
    if (found != hooks_.end()) hook = *found;
  }
  const auto drop = [&](std::string_view result) {
    counter(result).add();
    if (auto removed = store_.remove(row.number); !removed) {
      log::error("webhook not removed", {{"id", row.id}, {"detail", removed.error().detail}});
    }
  };
  if (hook.name.empty()) return drop("no_longer_configured");
  // One that does not answer must not keep the others from being told.
  if (const auto paused = paused_.find(hook.name);
      paused != paused_.end() && clock_.now() < paused->second) {
    (void)store_.again(row.number, row.attempts, paused->second);
    return;
  }
  std::vector<std::pair<std::string, std::string>> headers{{"Content-Type", "application/json"},
                                                           {"User-Agent", "sallyport"}};
  if (!hook.slack) {
    for (auto& header : signature_headers(hook.secret, row.id, clock_.now(), row.body)) {
      headers.push_back(std::move(header));
    }
  }
  const auto status = identity::http_post(hook.url, hook.ca_file, headers, row.body);
  if (status && *status >= 200 && *status < 300) return drop("delivered");
  const std::string why = status ? "status " + std::to_string(*status) : status.error().detail;
  const std::int64_t attempts = row.attempts + 1;
  log::warn("webhook not delivered",
            {{"hook", hook.name}, {"id", row.id}, {"attempts", attempts}, {"detail", why}});
  if (attempts >= limits_.attempts_max) return drop("given_up");
  counter("failed").add();
  const WallTime next = clock_.now() + wait_after(attempts);
  paused_[hook.name] = std::min(next, clock_.now() + pause_max);
  auto later = store_.again(row.number, attempts, next);
  if (!later) log::error("webhook not kept", {{"id", row.id}, {"detail", later.error().detail}});
}

void Webhooks::work() {
  while (true) {
    std::vector<std::pair<Webhook, std::string>> answers;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, look_again, [&] { return stopping_ || woken_; });
      if (stopping_) return;
      woken_ = false;
      answers = std::exchange(answers_, {});
    }
    for (const auto& [hook, body] : answers) {
      (void)identity::http_post(hook.url, hook.ca_file, {{"Content-Type", "application/json"}},
                                body);
    }
    auto rows = store_.due(clock_.now(), batch_max);
    if (!rows) {
      log::error("webhooks not readable", {{"detail", rows.error().detail}});
      continue;
    }
    for (const store::DeliveryRow& row : *rows) {
      {
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
      }
      deliver(row);
    }
    if (rows->size() == batch_max) {
      const std::lock_guard lock(mutex_);
      woken_ = true;
    }
  }
}

}  // namespace sallyport::approval

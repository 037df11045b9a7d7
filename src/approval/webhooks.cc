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
constexpr std::chrono::milliseconds pause_max{60'000};
constexpr std::size_t text_bytes_max = 8 * 1024;
constexpr std::size_t slack_text_bytes_max = 2900;  // Slack takes 3000 characters of a section
constexpr std::size_t slack_name_bytes_max = 200;

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
  if (!is_utf8(kept)) {  // a receiver may refuse it whole
    std::ranges::replace_if(
        kept, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
  }
  return kept;
}

/// A text as Slack will show it.
struct SlackText {
  std::string text;   // escaped
  bool whole = true;  // nothing is cut off, nothing looks different, nothing is invisible
};

/// Characters that are not seen, or that turn others around.
bool is_hidden(std::string_view text) {
  for (const std::string_view bad : {"\xc2\xa0", "\xc2\xad", "\xef\xbb\xbf"}) {
    if (text.contains(bad)) return true;
  }
  for (std::size_t at = text.find('\xe2'); at != std::string_view::npos && text.size() - at > 2;
       at = text.find('\xe2', at + 1)) {
    const auto second = static_cast<unsigned char>(text[at + 1]);
    const auto third = static_cast<unsigned char>(text[at + 2]);
    // U+2000 to U+200F, U+2028 to U+202F, U+2060 to U+206F.
    if (second == 0x80 && (third <= 0x8f || third >= 0xa8) && third <= 0xaf) return true;
    if (second == 0x81 && third >= 0xa0 && third <= 0xaf) return true;
  }
  return false;
}

/// Slack's own three escapes, of which an '&' may be five bytes; and no backquote may end the block
/// of code. Slack refuses a whole message for a text that is too long, or no UTF-8.
SlackText for_slack(std::string_view text, std::size_t bytes_max) {
  SlackText shown{.whole = !is_hidden(text)};
  const bool utf8 = is_utf8(text);
  for (const char c : text) {
    if (shown.text.size() > bytes_max) break;
    const auto code = static_cast<unsigned char>(c);
    const bool control = (code < 0x20 && c != '\n' && c != '\t') || code == 0x7f;
    if (c == '&') {
      shown.text += "&amp;";
    } else if (c == '<') {
      shown.text += "&lt;";
    } else if (c == '>') {
      shown.text += "&gt;";
    } else if (c == '`' || control || (!utf8 && code >= 0x80)) {
      shown.text += c == '`' ? '\'' : '?';
      shown.whole = false;
    } else {
      shown.text += c;
    }
  }
  if (shown.text.size() <= bytes_max) return shown;
  shown.whole = false;
  constexpr std::string_view dots = " ...";
  std::size_t end = bytes_max - dots.size();
  while (end > 0 && (static_cast<unsigned char>(shown.text[end]) & 0xc0) == 0x80) --end;
  shown.text.resize(end);
  const auto escape = shown.text.rfind('&');
  if (escape != std::string::npos && shown.text.find(';', escape) == std::string::npos) {
    shown.text.resize(escape);
  }
  shown.text += dots;
  return shown;
}

/// All that decides what a statement does, but its text and its parameters: as
/// `sallyport approvals show` has it.
std::string details_of(const Request& request) {
  std::string lines = "database: " + request.database + "\n";
  for (const std::string& bound : request.bound) lines += bound + "\n";
  for (const Action& action : request.actions) {
    lines +=
        "touches: " + action.name + " " + action.resource.type + " " + action.resource.id + "\n";
  }
  for (const Safeguard& safeguard : request.safeguards) {
    lines += "safeguard: " + safeguard.effect + " " + safeguard.action.resource.id + "\n";
  }
  return lines;
}

std::string in_code(const SlackText& shown) {
  return "```" + shown.text + "```";
}

boost::json::object mrkdwn(std::string_view text) {
  return {{"type", "section"}, {"text", {{"type", "mrkdwn"}, {"text", text}}}};
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

bool fits_slack(const Request& request) {
  return request.kind == "statement" && request.parameters.empty() &&
         for_slack(request.requester.chain.to_string(), slack_name_bytes_max).whole &&
         for_slack(request.text, slack_text_bytes_max).whole &&
         for_slack(details_of(request), slack_text_bytes_max).whole;
}

std::string slack_body(std::string_view event, const Request& request, std::string_view who) {
  const std::string asker =
      for_slack(request.requester.chain.to_string(), slack_name_bytes_max).text;
  const bool waits = event == "requested";
  const std::string title =
      waits ? fmt::format("{} asks for an approval on {}", asker, request.connection)
            : fmt::format("The request of {} on {} was {}{}", asker, request.connection, event,
                          who.empty() ? "" : " by " + for_slack(who, slack_name_bytes_max).text);
  boost::json::array blocks{mrkdwn("*" + title + "*")};
  if (waits) {
    if (request.kind == "window") blocks.push_back(mrkdwn("_For a time, not for one statement._"));
    blocks.push_back(mrkdwn(in_code(for_slack(request.text, slack_text_bytes_max))));
    blocks.push_back(mrkdwn(in_code(for_slack(details_of(request), slack_text_bytes_max))));
    std::string more = request.estimate.empty() ? "" : request.estimate + "\n";
    for (const Route& route : request.routes) {
      more += fmt::format("asked by policy {}: {} of {}\n", route.policy, route.quorum,
                          route.approvers.empty()
                              ? "those who may"
                              : fmt::format("{}", fmt::join(route.approvers, ", ")));
    }
    blocks.push_back(mrkdwn(for_slack(more, slack_text_bytes_max).text));
    // Nobody says yes to what they cannot see whole.
    if (fits_slack(request)) {
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
    stop_.request_stop();
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
                             .urgent = event == "break_glass",
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
        {"text", for_slack(text, slack_text_bytes_max).text},
        {"blocks", boost::json::array{
                       mrkdwn("*Break-glass*\n" + for_slack(text, slack_text_bytes_max).text)}}});
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
  Pause& pause = pauses_[hook.name];
  if (!row.urgent && clock_.now() < pause.until) {
    (void)store_.again(row.number, row.attempts, pause.until);
    return;
  }
  std::vector<std::pair<std::string, std::string>> headers{{"Content-Type", "application/json"},
                                                           {"User-Agent", "sallyport"}};
  if (!hook.slack) {
    for (auto& header : signature_headers(hook.secret, row.id, clock_.now(), row.body)) {
      headers.push_back(std::move(header));
    }
  }
  const auto status =
      identity::http_post(hook.url, hook.ca_file, headers, row.body, stop_.get_token());
  if (status && *status >= 200 && *status < 300) {
    pause = {};
    return drop("delivered");
  }
  if (stop_.stop_requested()) return;  // it goes out when somebody runs again
  const std::string why = status ? "status " + std::to_string(*status) : status.error().detail;
  const std::int64_t attempts = row.attempts + 1;
  log::warn("webhook not delivered",
            {{"hook", hook.name}, {"id", row.id}, {"attempts", attempts}, {"detail", why}});
  // It would be refused again.
  if (status && *status >= 400 && *status < 500 && *status != 408 && *status != 429) {
    return drop("refused");
  }
  if (attempts >= limits_.attempts_max) return drop("given_up");
  counter("failed").add();
  // An answer is about this message: what is in it must not hold up others. But who gives none, or
  // asks for less, is given time.
  if (!status || *status == 429 || *status == 503) {
    pause.until = clock_.now() + std::min(wait_after(++pause.failures), pause_max);
  }
  auto later = store_.again(row.number, attempts, clock_.now() + wait_after(attempts));
  if (!later) log::error("webhook not kept", {{"id", row.id}, {"detail", later.error().detail}});
}

void Webhooks::work() {
  while (true) {
    std::vector<std::pair<Webhook, std::string>> answers;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, look_again, [&] { return stop_.stop_requested() || woken_; });
      if (stop_.stop_requested()) return;
      woken_ = false;
      answers = std::exchange(answers_, {});
    }
    for (const auto& [hook, body] : answers) {
      if (stop_.stop_requested()) return;
      (void)identity::http_post(hook.url, hook.ca_file, {{"Content-Type", "application/json"}},
                                body, stop_.get_token());
    }
    auto rows = store_.due(clock_.now(), batch_max);
    if (!rows) {
      log::error("webhooks not readable", {{"detail", rows.error().detail}});
      continue;
    }
    for (const store::DeliveryRow& row : *rows) {
      if (stop_.stop_requested()) return;
      deliver(row);
    }
    if (rows->size() == batch_max) {
      const std::lock_guard lock(mutex_);
      woken_ = true;
    }
  }
}

}  // namespace sallyport::approval

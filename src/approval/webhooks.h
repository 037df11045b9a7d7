#pragma once
// Webhooks: tells others what happens to requests for approval, and that somebody broke the glass.
// What is to be told is in the store before anybody is told, and goes out again until it was taken
// or has been tried too often.

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "approval/request.h"
#include "base/clock.h"
#include "base/result.h"
#include "store/webhooks.h"

namespace sallyport::approval {

struct Webhook {
  std::string name;
  std::string url;
  std::string secret;   // signs; empty with `slack`, where the URL is the secret
  std::string ca_file;  // empty: the system's
  bool slack = false;   // Slack's messages instead of our JSON
  /// "requested", "decided", "expired", "break_glass".
  std::set<std::string, std::less<>> events;
};

struct WebhookLimits {
  std::size_t queue_max = 10'000;  // messages that wait for a hook; above, its oldest go
  std::int64_t attempts_max = 12;
  std::chrono::milliseconds first_wait{2'000};  // doubled with every attempt
  std::chrono::milliseconds wait_max{3'600'000};
};

/// The event's name for those who are told, or empty: nobody is.
std::string_view told_event(std::string_view event);

/// `{"type":"approval.requested","timestamp":...,"data":{...}}`: what would be done, for whom,
/// who asks for it; no values of parameters.
std::string webhook_body(std::string_view event, const Request& request, std::string_view who,
                         WallTime now);
/// True if a message for Slack shows all that an approver has to see: a statement whose text,
/// database, names, touches and safeguards fit, without parameters.
bool fits_slack(const Request& request);
/// The same as a message for Slack's incoming webhooks: with buttons while it waits, if it fits.
std::string slack_body(std::string_view event, const Request& request, std::string_view who);

/// webhook-id, webhook-timestamp and webhook-signature, as in "Standard Webhooks": "v1," and the
/// base64 of HMAC-SHA256 over "id.timestamp.body".
std::vector<std::pair<std::string, std::string>> signature_headers(std::string_view secret,
                                                                   std::string_view id,
                                                                   WallTime now,
                                                                   std::string_view body);

/// From any thread; sends on one of its own.
class Webhooks {
 public:
  /// `database`, `clock` and `random` must outlive it.
  Webhooks(store::Database& database, const Clock& clock, Random& random,
           std::vector<Webhook> hooks, WebhookLimits limits = {});
  ~Webhooks();
  Webhooks(const Webhooks&) = delete;
  Webhooks& operator=(const Webhooks&) = delete;

  /// Replaces who is told from now on; what waits for one that is gone is dropped.
  void use(std::vector<Webhook> hooks);

  /// Queues for everybody who wants to know of it.
  void tell(std::string_view event, const Request& request, std::string_view who);
  /// Somebody broke the glass: `json` is its data, `text` the same for people.
  void alert(std::string json, const std::string& text);
  /// An answer to what somebody clicked in Slack. Not kept: it is for who looks at it now. False if
  /// the address is not of a host that we talk to.
  bool answer_slack(const std::string& url, std::string json);

 private:
  void queue(std::string_view event, const std::function<std::string(const Webhook&)>& body_of);
  void work();
  void deliver(const store::DeliveryRow& row);
  std::chrono::milliseconds wait_after(std::int64_t attempts) const;

  store::DeliveryStore store_;
  const Clock& clock_;
  Random& random_;
  const WebhookLimits limits_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Webhook> hooks_;
  std::vector<std::pair<Webhook, std::string>> answers_;  // for Slack
  struct Pause {
    std::int64_t failures = 0;  // in a row
    WallTime until{};
  };
  std::map<std::string, Pause, std::less<>> pauses_;  // of hooks that do not answer; the thread's
  bool woken_ = false;
  std::stop_source stop_;
  std::thread thread_;
};

}  // namespace sallyport::approval

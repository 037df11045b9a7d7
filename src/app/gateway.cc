#include "app/gateway.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <boost/json.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

#include "app/api_document.h"
#include "app/policy_tools.h"
#include "app/postgres_options.h"
#include "app/version.h"
#include "app/web_options.h"
#include "base/counted.h"
#include "base/log.h"
#include "base/metrics.h"
#include "cedar/extension.h"
#include "cli/policy_files.h"
#include "core/resource_id.h"
#include "ledger/files.h"
#include "ledger/payloads.h"
#include "net/reactor.h"

namespace sallyport::app {
namespace {

constexpr std::chrono::milliseconds poll_interval{20};
constexpr std::chrono::seconds sweep_interval{1};
constexpr std::size_t approval_detail_bytes_max = 4096;
constexpr std::chrono::seconds end_s_max{5};  // for ended sessions to write their last record

std::size_t worker_count(const Config& config) {
  if (config.workers != 0) return config.workers;
  return std::max(1U, std::thread::hardware_concurrency());
}

/// Keys that a running gateway cannot follow.
std::vector<std::string_view> restart_needed(const Config& before, const Config& after) {
  std::vector<std::string_view> keys;
  const auto differs = [](const std::optional<ListenerConfig>& a,
                          const std::optional<ListenerConfig>& b) {
    return a.has_value() != b.has_value() ||
           (a && (a->address != b->address || a->port != b->port));
  };
  if (before.data != after.data) keys.push_back("data");
  if (before.tenant != after.tenant) keys.push_back("tenant");
  if (before.workers != after.workers) keys.push_back("workers");
  if (before.reactor != after.reactor) keys.push_back("reactor");
  if (differs(before.postgres, after.postgres)) keys.push_back("listeners.postgres");
  if (differs(before.http, after.http)) keys.push_back("listeners.http");
  if (differs(before.admin, after.admin)) keys.push_back("listeners.admin");
  if (before.ledger.segment_bytes != after.ledger.segment_bytes ||
      before.ledger.reads_durable != after.ledger.reads_durable) {
    keys.push_back("ledger");
  }
  if (before.builtin_issuer.has_value() != after.builtin_issuer.has_value()) {
    keys.push_back("builtin_issuer");
  }
  if (audience_of(before) != audience_of(after)) keys.push_back("issuers.audience");
  // It is the name of our own tokens' issuer, and what proofs of DPoP are for.
  if (before.admin && after.admin && before.admin->public_url != after.admin->public_url) {
    keys.push_back("listeners.admin.public_url");
  }
  return keys;
}

Result<std::shared_ptr<const policy::Policies>> load_policies(const Config& config) {
  auto texts = cli::read_policies(config.policies);
  if (!texts) return fail(texts);
  auto policies = policy::Policies::make(*texts, connection_facts(config), config.tenant);
  if (!policies) return policies;
  for (const cedar::Finding& warning : (*policies)->warnings()) {
    log::warn("policy warning", {{"policy", warning.policy}, {"what", warning.to_string()}});
  }
  return policies;
}

/// "gateway.example.com" of "https://gateway.example.com:6480".
std::string host_of(std::string_view url) {
  url.remove_prefix(std::min(url.size(), url.find("//") + 2));
  url = url.substr(0, url.find('/'));
  const bool v6 = url.starts_with('[');
  return std::string(v6 ? url.substr(1, url.find(']') - 1) : url.substr(0, url.find(':')));
}

admin::ApiOptions api_options(const Config& config) {
  admin::ApiOptions options;
  const bool builtin = config.builtin_issuer.has_value();
  options.issuer = builtin ? config.admin->public_url : config.issuers.front().url;
  options.audience = audience_of(config);
  options.token_service = config.admin->public_url;
  options.client_id = builtin ? std::string(identity::kCliClient) : config.cli_client_id;
  for (const ConnectionConfig& connection : config.connections) {
    const bool is_http = connection.protocol == "http";
    const auto& listener = is_http ? config.http : config.postgres;
    if (!listener) continue;
    options.connections.push_back(
        {.name = connection.name,
         .protocol = connection.protocol,
         .host = host_of(is_http ? listener->public_url : config.admin->public_url),
         .port = listener->port,
         .database = is_http ? "" : connection.name,
         .url = is_http ? listener->public_url + "/c/" + connection.name : ""});
  }
  return options;
}

/// Within which time somebody has to look at what was done, and whom to page: as @review and @alert
/// of the policies say that let it.
std::pair<std::chrono::seconds, std::string> review_of(const cedar::PolicySet& set,
                                                       const std::vector<std::string>& policies) {
  std::chrono::seconds review = std::chrono::hours(24);
  std::string alert;
  for (const std::string& id : policies) {
    const cedar::Policy* const policy = set.find(id);
    if (policy == nullptr) continue;
    for (const cedar::Annotation& annotation : policy->annotations) {
      if (annotation.name == "alert") alert = annotation.value;
      if (annotation.name != "review") continue;
      const auto ms = cedar::parse_duration(annotation.value);
      if (ms && *ms > 0) review = std::chrono::seconds(*ms / 1000);
    }
  }
  return {review, alert};
}

admin::SlackApi::Options slack_options(const Config& config) {
  return {.signing_secret = config.approvals.slack.signing_secret.value,
          .team = config.approvals.slack.team};
}

void count_reload(bool done) {
  for (const bool each : {true, false}) {  // both are there from the first on
    metrics::counter("sallyport_reloads_total", "Reloads of configuration and policies, by result.",
                     {{"result", each ? "done" : "refused"}})
        .add(each == done ? 1 : 0);
  }
  metrics::gauge("sallyport_reload_refused",
                 "1 while what is in force is not what the files say, as the last reload was "
                 "refused.")
      .set(done ? 0 : 1);
}

void tell_reactor(const net::BackendChoice& choice, std::size_t workers) {
  const std::string name(net::to_string(choice.backend));
  metrics::gauge("sallyport_reactor_info", "What the workers' loops run on: 1 for the one.",
                 {{"reactor", name}})
      .set(1);
  if (choice.why.empty()) {
    log::info("reactor", {{"runs", name}, {"workers", workers}});
  } else {
    log::info("reactor", {{"runs", name}, {"workers", workers}, {"because", choice.why}});
  }
}

}  // namespace

Result<void> port_is_free(const ListenerConfig& listener) {
  sockaddr_storage storage{};
  socklen_t size = 0;
  if (auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
      inet_pton(AF_INET, listener.address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(listener.port);
    size = sizeof *v4;
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    inet_pton(AF_INET6, listener.address.c_str(), &v6->sin6_addr);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(listener.port);
    size = sizeof *v6;
  }
  const int socket = ::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool bound = bind(socket, reinterpret_cast<sockaddr*>(&storage), size) == 0;
  const int problem = errno;
  close(socket);
  if (bound) return ok();
  return fail(Errc::io,
              fmt::format("{}:{}: {}", listener.address, listener.port, std::strerror(problem)));
}

Gateway::Gateway(Config config, Load load) : config_(std::move(config)), load_(std::move(load)) {}

Gateway::~Gateway() {
  // A start that failed half way, or a run that was never begun.
  if (workers_) workers_->stop();
  if (ledger_) static_cast<void>(ledger_->close());
}

Result<std::unique_ptr<Gateway>> Gateway::start(Config config, Load load) {
  std::unique_ptr<Gateway> gateway(new Gateway(std::move(config), std::move(load)));
  if (auto opened = gateway->open(); !opened) return fail(opened);
  if (auto opened = gateway->open_admin(); !opened) return fail(opened);
  if (auto started = gateway->start_workers(); !started) return fail(started);
  gateway->record("started", fmt::format("version {} ({})", version(), commit()));
  return gateway;
}

Result<void> Gateway::open() {
  auto ledger = Ledger::open({.directory = config_.data / "ledger",
                              .tenant = config_.tenant,
                              .segment_bytes = config_.ledger.segment_bytes},
                             ledger::system_files(), system_clock(), system_random());
  if (!ledger) return fail(ledger, "opening the ledger");
  ledger_ = std::move(*ledger);

  auto logins = LoginServices::open(
      config_, [this](identity::Change change) { return record_change(std::move(change)); });
  if (!logins) return fail(logins);
  logins_ = std::move(*logins);

  webhooks_ = std::make_unique<approval::Webhooks>(logins_->database(), system_clock(),
                                                   system_random(), config_.approvals.webhooks);
  break_glass_.emplace(logins_->database());
  desk_ = std::make_unique<approval::Desk>(
      logins_->database(), system_clock(), system_random(),
      [this](std::string_view event, const approval::Request& request, const std::string& who) {
        // Votes are on record before they count.
        if (event != "voted" && event != "approved" && event != "denied") {
          (void)record_approval(event, request, who);
        }
        webhooks_->tell(event, request, who);
      },
      [this](const approval::Request& request, const approval::Vote& vote) {
        return !why_no_vote(request, vote.credential, vote.approve, vote.address, vote.at);
      },
      approval::DeskOptions{
          .pending_s = std::chrono::seconds(config_.approvals.pending_s),
          .record_vote = [this](std::string_view event, const approval::Request& request,
                                const std::string& who) {
            return record_approval(event, request, who);
          }});
  auto policies = load_policies(config_);
  if (!policies) return fail(policies);
  guard_ = std::make_unique<Guard>(
      std::move(*policies), *ledger_, system_clock(),
      GuardOptions{.reads = config_.ledger.reads_durable ? GuardOptions::Reads::durable
                                                         : GuardOptions::Reads::written,
                   .approvals = desk_.get(),
                   .revoked = [this](const Session& session) { return revoked(session); },
                   .break_glass =
                       [this](const Session& session, const std::vector<std::string>& policies) {
                         return glass_broken(session, policies);
                       }});
  cancels_ = std::make_unique<postgres::CancelDesk>(system_random());
  pools_ = std::make_unique<postgres::PoolDesk>();
  catalogs_ = std::make_unique<postgres::CatalogDesk>(*guard_, system_random());
  auto options = make_postgres_options(config_, worker_count(config_));
  if (!options) return fail(options);
  postgres_options_ = std::move(*options);
  auto web_options = make_web_options(config_, worker_count(config_));
  if (!web_options) return fail(web_options);
  web_options_ = std::move(*web_options);
  auto key = identity::SigningKey::load_or_create((config_.data / "assertion-key.pem").string());
  if (!key) return fail(key);
  assertions_ = std::make_unique<web::Assertions>(std::move(*key));
  return ok();
}

Result<void> Gateway::open_admin() {
  health_ = std::make_unique<admin::Health>(version(), commit());
  health_->add_check("ledger", [this]() -> Result<void> {
    const ledger::Status status = ledger_->status();
    if (!status.accepting) return fail(Errc::unavailable, status.problem);
    return ok();
  });
  // Without the reason: whoever asks sees this, and policies are not for everybody.
  health_->add_notice("configuration", [this]() -> std::string {
    if (!reload_refused_at_) return {};
    return fmt::format(
        "the reload at {} was refused, what was in force before still is; why is in "
        "the log and in the ledger",
        to_iso8601(*reload_refused_at_));
  });
  health_->add_routes(router_);
  logins_->add_routes(router_);
  if (!config_.admin) return ok();
  api_ = make_api(config_);
  const auto ask_api = [this](http::Request request) { return answer_api(std::move(request)); };
  for (const auto& [method, path] : admin::Api::routes()) router_.add(method, path, ask_api);
  const auto why_not = [this](const approval::Request& request, const identity::Credential& who,
                              bool approve, const std::string& address) {
    return why_no_vote(request, who, approve, address, system_clock().now());
  };
  approvals_api_ = std::make_unique<admin::ApprovalsApi>(logins_->authenticator(), *desk_, why_not);
  approvals_api_->add_routes(router_);
  slack_api_ = std::make_unique<admin::SlackApi>(
      slack_options(config_), [this](const std::string& user) { return who_in_slack(user); },
      *desk_, *webhooks_, why_not, system_clock());
  slack_api_->add_routes(router_);
  break_glass_api_ = std::make_unique<admin::BreakGlassApi>(
      logins_->authenticator(), *break_glass_,
      [this, why_not](const approval::Request& session, const identity::Credential& who,
                      bool approve, const std::string& address) {
        approval::Request ours = session;
        ours.tenant = config_.tenant;
        return why_not(ours, who, approve, address);
      },
      [this](identity::Change change) { return record_change(std::move(change)); }, system_clock());
  break_glass_api_->add_routes(router_);
  delegations_api_ = std::make_unique<admin::DelegationsApi>(
      logins_->authenticator(), logins_->delegations(),
      [this](const identity::Credential& credential, std::string_view connection) {
        return config_.connection(connection) != nullptr &&
               may_connect(credential, std::string(connection));
      },
      [this](identity::Change change) { return record_change(std::move(change)); });
  delegations_api_->add_routes(router_);
  if (auto added = add_api_document(router_); !added) return fail(added);
  auto tls = make_server_tls(config_.admin->tls);
  if (!tls) return fail(tls, "listeners.admin.tls");
  admin_ = std::make_unique<admin::Server>(router_, admin::ServerOptions{.tls = *tls});
  if (auto free = port_is_free(*config_.admin); !free) return fail(free, "listeners.admin");
  auto listener = net::Listener::bind({config_.admin->address, config_.admin->port});
  if (!listener) return fail(listener, "listeners.admin");
  net::Reactor::current().spawn("admin", admin_->serve(std::move(*listener)));
  return ok();
}

std::shared_ptr<admin::Api> Gateway::make_api(const Config& config) {
  return std::make_shared<admin::Api>(
      api_options(config), logins_->authenticator(), logins_->tickets(),
      [this](const identity::Credential& credential, const admin::ApiConnection& connection) {
        return may_connect(credential, connection.name);
      });
}

net::Task<http::Response> Gateway::answer_api(http::Request request) {
  const std::shared_ptr<admin::Api> api = api_;  // a reload may replace it meanwhile
  co_return co_await api->handle(std::move(request));
}

bool Gateway::may_connect(const identity::Credential& credential,
                          const std::string& connection) const {
  Session session;
  session.tenant = config_.tenant;
  const ConnectionConfig* const configured = config_.connection(connection);
  session.protocol = configured == nullptr ? "" : configured->protocol;
  session.connection = connection;
  session.chain = credential.chain;
  session.authentication = credential.authentication;
  session.source_ip = "127.0.0.1";
  session.break_glass = credential.stated.break_glass;
  session.ticket = credential.stated.ticket;
  session.purpose = credential.stated.purpose;
  if (revoked(session)) return false;
  Command command;
  command.kind = "connect";
  command.actions = {{"connect", {"Connection", resource_id({connection})}}};
  const Decision decision = guard_->policies()->decide(session, command, system_clock().now());
  return decision.verdict == Verdict::allow;
}

std::optional<std::string> Gateway::why_no_vote(const approval::Request& request,
                                                const identity::Credential& who, bool approve,
                                                const std::string& address, WallTime when) const {
  // Also asked on workers, while a reload replaces config_.
  if (auto problem = logins_->revocations().problem(who.chain, who.authentication)) return problem;
  Session session;
  session.tenant = request.tenant;
  session.protocol = request.protocol;
  session.connection = request.connection;
  session.chain = who.chain;
  session.authentication = who.authentication;
  session.source_ip = address;
  Command command;
  command.kind = "vote";
  command.actions = {{approve ? "approve" : "reject", {"ApprovalRequest", request.id}}};
  VoteContext vote{.requester = request.requester.chain.subject(),
                   .target = request.text,
                   .risk = request.risk()};
  for (const Identity& identity : request.requester.chain.identities) {
    if (identity.kind == IdentityKind::agent) vote.actors.push_back(identity.id);
  }
  command.context = std::move(vote);
  const Decision decision = guard_->policies()->decide(session, command, when);
  if (decision.verdict == Verdict::allow) return std::nullopt;
  return decision.reason;
}

std::optional<identity::Credential> Gateway::who_in_slack(const std::string& slack_user) const {
  const auto& users = config_.approvals.slack.users;
  const auto found = users.find(slack_user);
  if (found == users.end()) return std::nullopt;
  const SlackUser& user = found->second;
  const auto issuers = logins_->authenticator().issuers();
  const identity::Issuer* const builtin = logins_->issuer();
  const std::string builtin_url = builtin == nullptr ? "" : builtin->options().url;
  const auto issuer = std::ranges::find_if(issuers->all, [&](const auto& one) {
    return one.url == (user.issuer.empty() ? builtin_url : user.issuer) ||
           (!user.issuer.empty() && one.name == user.issuer);
  });
  if (issuer == issuers->all.end()) return std::nullopt;
  if (issuer->id_claim != "sub" && user.id.empty()) return std::nullopt;
  auto id = issuers->id_of(*issuer, user.id.empty() ? user.subject : user.id);
  if (!id) return std::nullopt;
  Identity who{.id = *id, .issuer = issuer->url, .subject = user.subject, .groups = user.groups};
  if (issuer->url == builtin_url) {
    const auto known = std::ranges::find(builtin->users(), user.subject,
                                         &identity::BuiltinIssuerOptions::User::name);
    if (known == builtin->users().end()) return std::nullopt;
    who.groups = known->groups;
    who.display_name = known->display_name;
  }
  // When they logged in nobody knows: a policy that wants a fresh login does not take a click.
  identity::Credential credential{.chain = {.identities = {std::move(who)}}};
  credential.authentication.method = "slack";
  credential.authentication.issued_at = system_clock().now();
  return credential;
}

Result<void> Gateway::glass_broken(const Session& session,
                                   const std::vector<std::string>& policies) {
  const WallTime now = system_clock().now();
  const auto in_force = guard_->policies();
  const auto [review, alert] = review_of(in_force->set(), policies);
  const std::string who = session.chain.to_string();
  const std::string detail = fmt::format("{} on {} from {}: {}: {}", who, session.connection,
                                         session.source_ip, session.ticket, session.purpose);
  auto recorded = ledger_->append(
      {.kind = ledger::RecordKind::admin_change,
       .session = session.id,
       .payload = ledger::admin_change_payload(
           {.who = who, .action = "break_glass.opened", .target = session.id, .detail = detail})});
  if (!recorded) return fail(recorded);
  auto kept =
      break_glass_->add({.session = session.id,
                         .user = session.chain.subject().id,
                         .requester = identity::to_json(
                             {.chain = session.chain, .authentication = session.authentication}),
                         .protocol = session.protocol,
                         .connection = session.connection,
                         .ticket = session.ticket,
                         .reason = session.purpose,
                         .started_at = now,
                         .review_due_at = now + review});
  if (!kept) return fail(kept, "it cannot be kept for a review");
  if (session.authentication.expires_at != WallTime{}) {
    const std::lock_guard lock(glass_mutex_);
    glass_ends_.insert(std::chrono::ceil<std::chrono::seconds>(session.authentication.expires_at));
  }
  log::warn("break-glass", {{"session", session.id},
                            {"user", who},
                            {"connection", session.connection},
                            {"ticket", session.ticket},
                            {"reason", session.purpose},
                            {"alert", alert}});
  webhooks_->alert(
      boost::json::serialize(boost::json::object{{"session", session.id},
                                                 {"who", who},
                                                 {"connection", session.connection},
                                                 {"from", session.source_ip},
                                                 {"ticket", session.ticket},
                                                 {"reason", session.purpose},
                                                 {"alert", alert},
                                                 {"review_due_at", to_iso8601(now + review)}}),
      detail);
  return ok();
}

Result<void> Gateway::record_approval(std::string_view event, const approval::Request& request,
                                      const std::string& who) {
  // The whole text is in the record of the command, if it runs.
  std::string detail = fmt::format("{} on {} ({}): {}", request.requester.chain.to_string(),
                                   request.connection, request.estimate, request.text);
  cut(detail, approval_detail_bytes_max);
  if (!request.votes.empty() && (event == "voted" || event == "approved" || event == "denied")) {
    const approval::Vote& vote = request.votes.back();
    detail = "from " + vote.address + (vote.reason.empty() ? "" : ": " + vote.reason);
  }
  auto recorded = ledger_->append(
      {.kind = ledger::RecordKind::admin_change,
       .session = "",
       .payload = ledger::admin_change_payload({.who = who,
                                                .action = "approval." + std::string(event),
                                                .target = request.id,
                                                .detail = std::move(detail)})});
  if (recorded) return ok();
  log::error("approval not recorded", {{"problem", recorded.error().detail}});
  return fail(recorded);
}

std::optional<std::string> Gateway::revoked(const Session& session) const {
  const std::string& only = session.authentication.connection;
  if (!only.empty() && only != session.connection) {
    return "the delegation is for the connection " + only + " only";
  }
  // Others end with what they do next. This one also in the middle of a result.
  const WallTime ends = session.authentication.expires_at;
  if (session.break_glass && ends != WallTime{} && ends <= system_clock().now()) {
    return "the time of break-glass is over";
  }
  return logins_->revocations().problem(session.chain, session.authentication);
}

void Gateway::end_broken_glass() {
  {
    const std::lock_guard lock(glass_mutex_);
    const auto over = glass_ends_.upper_bound(system_clock().now());
    if (over == glass_ends_.begin()) return;
    glass_ends_.erase(glass_ends_.begin(), over);
  }
  end_revoked(false);
}

void Gateway::end_revoked(bool policies) {
  on_each_worker([policies](Worker& worker) {
    net::Reactor& reactor = net::Reactor::current();
    if (worker.adapter) reactor.spawn("end revoked", worker.adapter->end_revoked(policies));
    if (worker.web) reactor.spawn("end revoked", worker.web->end_revoked(policies));
  });
}

Result<void> Gateway::start_workers() {
  worker_parts_.resize(worker_count(config_));
  for (const auto& [name, listener] : {std::pair{"listeners.postgres", &config_.postgres},
                                       std::pair{"listeners.http", &config_.http}}) {
    if (!*listener) continue;
    if (auto free = port_is_free(**listener); !free) return fail(free, name);
  }
  auto choice = net::choose_backend(config_.reactor);
  if (!choice) return fail(Errc::invalid, "reactor: " + choice.error().detail);
  auto workers = net::Workers::start(
      worker_parts_.size(), [this](std::size_t index) { return set_up_worker(index); },
      choice->backend);
  if (!workers) return fail(workers);
  tell_reactor(*choice, worker_parts_.size());
  workers_ = std::move(*workers);
  logins_->revocations().changed = [this] { end_revoked(false); };
  return ok();
}

Result<void> Gateway::set_up_worker(std::size_t index) {
  Worker& worker = worker_parts_[index];
  auto adapter =
      postgres::Adapter::make(postgres_options_, {.guard = *guard_,
                                                  .authenticator = logins_->authenticator(),
                                                  .tickets = logins_->tickets(),
                                                  .cancels = *cancels_,
                                                  .pools = *pools_,
                                                  .catalogs = *catalogs_,
                                                  .random = system_random()});
  if (!adapter) return fail(adapter);
  worker.adapter = std::move(*adapter);
  worker.web = std::make_unique<web::Adapter>(
      web_options_, web::Adapter::Shared{.guard = *guard_,
                                         .authenticator = logins_->authenticator(),
                                         .tickets = logins_->tickets(),
                                         .assertions = *assertions_,
                                         .random = system_random()});
  if (config_.postgres) {
    auto listening = listen(worker, "postgres", *config_.postgres,
                            [](Worker& its, std::unique_ptr<net::Stream> client) {
                              return its.adapter->serve(std::move(client));
                            });
    if (!listening) return listening;
  }
  if (!config_.http) return ok();
  return listen(worker, "http", *config_.http,
                [](Worker& its, std::unique_ptr<net::Stream> client) {
                  return its.web->serve(std::move(client));
                });
}

Result<void> Gateway::listen(Worker& worker, std::string_view name, const ListenerConfig& at,
                             Serve serve) {
  auto listener = net::Listener::bind({at.address, at.port});
  if (!listener) return fail(listener, "listeners." + std::string(name));
  net::Reactor::current().spawn(
      std::string(name) + " listener",
      accept_clients(std::move(*listener), worker, std::string(name), serve));
  return ok();
}

net::Task<void> Gateway::accept_clients(std::unique_ptr<net::Listener> listener, Worker& worker,
                                        std::string name, Serve serve) {
  worker.listeners.push_back(listener.get());
  while (true) {
    auto client = co_await listener->accept();
    if (!client) {
      if (client.error().code != Errc::closed) {
        log::error("listener broken", {{"problem", client.error().detail}});
      }
      break;
    }
    net::Reactor::current().spawn(name + " session",
                                  serve_client(worker, std::move(*client), serve));
  }
  worker.listeners.remove(listener.get());
}

net::Task<void> Gateway::serve_client(Worker& worker, std::unique_ptr<net::Stream> client,
                                      Serve serve) {
  const Counted count(clients_);
  co_await serve(worker, std::move(client));
}

net::Task<void> Gateway::sweep() {
  while (stop_signals_ == 0) {
    desk_->sweep();
    end_broken_glass();
    co_await net::Reactor::current().sleep_for(sweep_interval);
  }
}

net::Task<void> Gateway::run() {
  net::Reactor::current().spawn("approvals", sweep());
  while (stop_signals_ == 0) co_await signalled_.wait();
  co_await shut_down();
}

void Gateway::on_signal(int signal) {
  if (signal == SIGHUP) return reload();
  ++stop_signals_;
  signalled_.notify();
}

void Gateway::on_each_worker(const std::function<void(Worker&)>& job) {
  for (std::size_t i = 0; i < worker_parts_.size(); ++i) {
    workers_->post(i, [this, i, job] { job(worker_parts_[i]); });
  }
}

net::Task<bool> Gateway::clients_gone(SteadyTime deadline, bool until_hurried) {
  net::Reactor& reactor = net::Reactor::current();
  while (clients_ > 0 && reactor.now() < deadline && !(until_hurried && stop_signals_ > 1)) {
    co_await reactor.sleep_for(poll_interval);
  }
  co_return clients_ == 0;
}

net::Task<void> Gateway::shut_down() {
  net::Reactor& reactor = net::Reactor::current();
  log::info("stopping", {{"clients", clients_.load()}, {"grace_s", config_.shutdown_grace_s}});
  record("stopping", "");
  health_->set_draining();
  on_each_worker([](Worker& worker) {
    for (net::Listener* const listener : worker.listeners) listener->close();
    if (worker.web) worker.web->drain();
  });
  bool gone =
      co_await clients_gone(reactor.now() + std::chrono::seconds(config_.shutdown_grace_s), true);
  if (!gone) {
    on_each_worker([](Worker& worker) {
      worker.adapter->end_all("the gateway is shutting down");
      worker.web->end_all();
    });
    gone = co_await clients_gone(reactor.now() + end_s_max, false);
  }
  if (!gone) log::warn("clients are still there", {{"clients", clients_.load()}});
  if (admin_) static_cast<void>(co_await admin_->shutdown(end_s_max));
  // An adapter goes on its own thread; one that still serves goes with its worker's tasks instead.
  if (gone)
    on_each_worker([](Worker& worker) {
      worker.adapter.reset();
      worker.web.reset();
    });
  // A worker that does not come back must not keep the process: what it has recorded is on disk.
  ::alarm(static_cast<unsigned>(end_s_max.count()) * 2);
  workers_->stop();
  ::alarm(0);
  record("stopped", "");
  if (auto closed = ledger_->close(); !closed) {
    log::error("closing the ledger", {{"problem", closed.error().detail}});
  }
  log::info("stopped");
}

void Gateway::reload() {
  if (stop_signals_ > 0) return;
  auto reloaded = try_reload();
  count_reload(reloaded.has_value());
  if (reloaded) {
    reload_refused_at_.reset();
    log::info("reloaded",
              {{"config", config_.file.string()}, {"policy_epoch", guard_->policies()->epoch()}});
    record("reloaded", "");
    return;
  }
  reload_refused_at_ = system_clock().now();
  log::error("reload refused, everything stays as it was", {{"problem", reloaded.error().detail}});
  record("reload refused", reloaded.error().detail);
}

Result<void> Gateway::try_reload() {
  ConfigResult loaded = load_();
  if (!loaded) return fail(Errc::invalid, to_string(loaded.error()));
  // First everything that can fail, then everything that takes effect.
  auto policies = load_policies(*loaded);
  if (!policies) return fail(policies);
  auto options = make_postgres_options(*loaded, worker_parts_.size());
  if (!options) return fail(options);
  auto web_options = make_web_options(*loaded, worker_parts_.size());
  if (!web_options) return fail(web_options);
  auto admin_tls = make_server_tls(loaded->admin ? loaded->admin->tls : std::optional<TlsFiles>());
  if (!admin_tls) return fail(admin_tls, "listeners.admin.tls");

  if (auto used = logins_->use(*loaded); !used) return fail(used);

  for (const std::string_view key : restart_needed(config_, *loaded)) {
    log::warn("this change needs a restart", {{"key", key}});
  }
  guard_->use(std::move(*policies));
  postgres_options_ = std::move(*options);
  on_each_worker([fresh = postgres_options_](Worker& worker) {
    if (worker.adapter) worker.adapter->use(fresh);
  });
  web_options_ = std::move(*web_options);
  on_each_worker([fresh = web_options_](Worker& worker) {
    if (worker.web) worker.web->use(fresh);
  });
  end_revoked(true);
  if (admin_) admin_->set_tls(std::move(*admin_tls));
  if (admin_ && loaded->admin) api_ = make_api(*loaded);
  webhooks_->use(loaded->approvals.webhooks);
  if (slack_api_) slack_api_->use(slack_options(*loaded));
  config_ = std::move(*loaded);
  return ok();
}

net::Task<Result<void>> Gateway::record_change(identity::Change change) {
  return guard_->change({.who = std::move(change.who),
                         .action = std::move(change.action),
                         .target = std::move(change.target),
                         .detail = std::move(change.detail)});
}

void Gateway::record(std::string event, std::string detail) {
  auto appended =
      ledger_->append({.kind = ledger::RecordKind::gateway,
                       .session = "",
                       .payload = ledger::gateway_payload({std::move(event), std::move(detail)})});
  if (!appended) log::error("not recorded", {{"problem", appended.error().detail}});
}

}  // namespace sallyport::app

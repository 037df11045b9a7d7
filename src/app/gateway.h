#pragma once
// Gateway: everything that runs, named and wired in one place. `serve` and `demo` differ only in
// where their configuration comes from.

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "admin/api.h"
#include "admin/approvals_api.h"
#include "admin/break_glass_api.h"
#include "admin/delegations_api.h"
#include "admin/health.h"
#include "admin/router.h"
#include "admin/server.h"
#include "admin/slack_api.h"
#include "app/config.h"
#include "app/login_services.h"
#include "approval/desk.h"
#include "approval/webhooks.h"
#include "base/result.h"
#include "guard/guard.h"
#include "ledger/ledger.h"
#include "net/listener.h"
#include "net/signal.h"
#include "net/worker.h"
#include "protocol/http/adapter.h"
#include "protocol/postgres/adapter.h"

namespace sallyport::app {

/// Fails if anybody listens there. Our listeners share their port among the workers (SO_REUSEPORT),
/// so the kernel would also let a second gateway share it, and half the clients would land there.
Result<void> port_is_free(const ListenerConfig& listener);

/// Belongs to the main thread, which has a reactor: there the admin port lives. Sessions live on
/// the workers.
class Gateway {
 public:
  /// Reads the configuration again, for a reload.
  using Load = std::function<ConfigResult()>;

  /// Listens when it returns. Nothing is left on an error.
  static Result<std::unique_ptr<Gateway>> start(Config config, Load load);
  ~Gateway();

  /// Until a SIGTERM or SIGINT was passed to on_signal() and everything has ended.
  net::Task<void> run();

  /// From the main reactor. SIGHUP reloads; SIGTERM and SIGINT stop, a second one at once.
  void on_signal(int signal);

  const Config& config() const { return config_; }
  LoginServices& logins() { return *logins_; }
  const std::filesystem::path& ledger_directory() const { return ledger_->directory(); }
  std::string ledger_public_key() const { return ledger_->public_key_pem(); }

 private:
  /// What one worker has. Only touched on its thread once it runs.
  struct Worker {
    std::unique_ptr<postgres::Adapter> adapter;
    std::unique_ptr<web::Adapter> web;
    std::list<net::Listener*> listeners;
  };
  /// Serves one client to its end, with an adapter of the worker.
  using Serve = net::Task<void> (*)(Worker& worker, std::unique_ptr<net::Stream> client);

  explicit Gateway(Config config, Load load);
  Result<void> open();
  Result<void> open_admin();
  std::shared_ptr<admin::Api> make_api(const Config& config);
  net::Task<http::Response> answer_api(http::Request request);
  /// What the policies would say to a login, for the list of connections and for tickets. The
  /// session asks again when it is opened.
  bool may_connect(const identity::Credential& credential, const std::string& connection) const;
  /// By the policies of now, in the circumstances of `when`.
  std::optional<std::string> why_no_vote(const approval::Request& request,
                                         const identity::Credential& who, bool approve,
                                         const std::string& address, WallTime when) const;
  Result<void> record_approval(std::string_view event, const approval::Request& request,
                               const std::string& who);
  /// The person behind a user of Slack, by the configuration.
  std::optional<identity::Credential> who_in_slack(const std::string& slack_user) const;
  void end_broken_glass();
  /// Tells people of a session under break-glass, and keeps it for a review. On any thread.
  Result<void> glass_broken(const Session& session, const std::vector<std::string>& policies);
  /// Ends approvals whose time is up, until the gateway stops.
  net::Task<void> sweep();
  Result<void> start_workers();
  Result<void> set_up_worker(std::size_t index);
  Result<void> listen(Worker& worker, std::string_view name, const ListenerConfig& at, Serve serve);
  net::Task<void> accept_clients(std::unique_ptr<net::Listener> listener, Worker& worker,
                                 std::string name, Serve serve);
  net::Task<void> serve_client(Worker& worker, std::unique_ptr<net::Stream> client, Serve serve);
  net::Task<void> shut_down();
  /// True when no client is left before `deadline`, or a second signal came and cut that short.
  net::Task<bool> clients_gone(SteadyTime deadline, bool until_hurried);
  /// Why the credential of a session is no longer good, or nothing.
  std::optional<std::string> revoked(const Session& session) const;
  /// Ends what is open and may not go on, on every worker; `policies`: by these too.
  void end_revoked(bool policies);
  void on_each_worker(const std::function<void(Worker&)>& job);
  void reload();
  Result<void> try_reload();
  void record(std::string event, std::string detail);
  net::Task<Result<void>> record_change(identity::Change change);

  Config config_;
  Load load_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<LoginServices> logins_;
  std::unique_ptr<approval::Webhooks> webhooks_;
  std::unique_ptr<approval::Desk> desk_;
  std::optional<store::BreakGlassStore> break_glass_;
  std::mutex glass_mutex_;
  std::set<WallTime> glass_ends_;  // of open sessions under break-glass, to the second
  std::unique_ptr<Guard> guard_;
  std::unique_ptr<postgres::CancelDesk> cancels_;
  std::unique_ptr<postgres::PoolDesk> pools_;
  std::unique_ptr<postgres::CatalogDesk> catalogs_;
  std::shared_ptr<const postgres::Options> postgres_options_;
  std::shared_ptr<const web::Options> web_options_;
  std::unique_ptr<web::Assertions> assertions_;
  std::vector<Worker> worker_parts_;
  std::atomic<std::size_t> clients_ = 0;
  std::unique_ptr<net::Workers> workers_;

  std::unique_ptr<admin::Health> health_;
  std::optional<WallTime> reload_refused_at_;  // what is in force is older than the files
  std::shared_ptr<admin::Api> api_;
  std::unique_ptr<admin::ApprovalsApi> approvals_api_;
  std::unique_ptr<admin::DelegationsApi> delegations_api_;
  std::unique_ptr<admin::SlackApi> slack_api_;
  std::unique_ptr<admin::BreakGlassApi> break_glass_api_;
  admin::Router router_;
  std::unique_ptr<admin::Server> admin_;

  net::Signal signalled_;
  int stop_signals_ = 0;
};

}  // namespace sallyport::app

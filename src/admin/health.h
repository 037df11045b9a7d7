#pragma once
// Health: /healthz says that the process answers, /readyz whether it should get work, /metrics what
// it has done. Others register the checks.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/process_metrics.h"
#include "admin/router.h"
#include "base/result.h"

namespace sallyport::admin {

/// Belongs to the thread of the server that serves it.
class Health {
 public:
  /// Answers from what is known, at once: it may not block. A failure's detail is shown to whoever
  /// asks, so it holds no secret.
  using Check = std::function<Result<void>()>;

  Health(std::string_view version, std::string_view commit, const Clock& clock = system_clock());

  /// What an operator should know though all work is done as before; empty while there is nothing.
  /// It is shown to whoever asks, too.
  using Notice = std::function<std::string()>;

  /// Before serving. Names are unique over checks and notices.
  void add_check(std::string name, Check check);
  void add_notice(std::string name, Notice notice);
  /// From now on /readyz says 503, so that a load balancer sends no more clients.
  void set_draining() { draining_ = true; }

  /// GET /healthz, /readyz and /metrics. The router must not outlive this.
  void add_routes(Router& router);

  /// {"status":"ready","checks":[{"name":"ledger","ok":true}]} with 200, or 503 with "status" being
  /// "not ready" or "draining", and a "detail" in each check that failed and each notice that has
  /// something to say.
  http::Response readiness() const;

 private:
  struct Named {
    std::string name;
    Check check;  // or
    Notice notice;
  };

  http::Response metrics_page();

  std::string version_;
  ProcessMetrics process_;
  std::vector<Named> checks_;
  bool draining_ = false;
};

}  // namespace sallyport::admin

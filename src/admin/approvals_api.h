#pragma once
// The REST API of approvals, under /api/v1/approvals: what waits, what it is, and one's word on it.
// Every request carries its own bearer token; who may see and vote is for the policies to say.

#include <boost/json/fwd.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "admin/router.h"
#include "approval/desk.h"
#include "http/message.h"
#include "identity/authenticator.h"
#include "net/task.h"

namespace sallyport::admin {

/// Belongs to one reactor's thread.
class ApprovalsApi {
 public:
  /// Why the policies do not let this person approve (or deny) that request from that
  /// address; nullopt: they do.
  using WhyNot = std::function<std::optional<std::string>(const approval::Request&,
                                                          const identity::Credential&, bool approve,
                                                          const std::string& address)>;

  /// The references must outlive it.
  ApprovalsApi(const identity::Authenticator& authenticator, approval::Desk& desk, WhyNot why_not);

  /// GET  /api/v1/approvals?state=STATE         pending and approved ones, or all in a state
  /// GET  /api/v1/approvals/ID
  /// POST /api/v1/approvals/ID/approve          {"reason": "..."}, as for the next two
  /// POST /api/v1/approvals/ID/deny
  /// POST /api/v1/approvals/ID/withdraw         by who asked, or by who may approve
  void add_routes(Router& router);
  net::Task<http::Response> handle(http::Request request);

 private:
  http::Response list(const identity::Credential& who, const http::Request& asked);
  http::Response one(const identity::Credential& who, std::string_view id,
                     const http::Request& asked);
  boost::json::object seen_by(const approval::Request& request, const identity::Credential& who,
                              const http::Request& asked) const;
  http::Response act(const identity::Credential& who, std::string_view id, std::string_view verb,
                     const http::Request& asked);
  bool may_see(const approval::Request& request, const identity::Credential& who,
               const std::string& address) const;

  const identity::Authenticator& authenticator_;
  approval::Desk& desk_;
  WhyNot why_not_;
};

}  // namespace sallyport::admin

#pragma once
// What was done under break-glass has to be looked at afterwards, by somebody else:
// /api/v1/break-glass says which sessions await that.

#include "admin/approvals_api.h"
#include "admin/router.h"
#include "base/clock.h"
#include "identity/authenticator.h"
#include "identity/token_service.h"
#include "store/break_glass.h"

namespace sallyport::admin {

class BreakGlassApi {
 public:
  /// The references must outlive it. `why_not`: who may review is who might have approved.
  BreakGlassApi(const identity::Authenticator& authenticator, store::BreakGlassStore& store,
                ApprovalsApi::WhyNot why_not, identity::Recorder record, const Clock& clock);

  /// GET  /api/v1/break-glass?all=1          that await a review, or all
  /// POST /api/v1/break-glass/ID/review      {"finding": "..."}
  void add_routes(Router& router);
  net::Task<http::Response> handle(http::Request request);

 private:
  http::Response list(const identity::Credential& who, const http::Request& request);
  net::Task<http::Response> review(identity::Credential who, http::Request request);
  bool may_see(const store::BreakGlassRow& row, const identity::Credential& who,
               const std::string& address) const;
  std::optional<std::string> why_no_review(const store::BreakGlassRow& row,
                                           const identity::Credential& who,
                                           const std::string& address) const;

  const identity::Authenticator& authenticator_;
  store::BreakGlassStore& store_;
  ApprovalsApi::WhyNot why_not_;
  identity::Recorder record_;
  const Clock& clock_;
};

}  // namespace sallyport::admin

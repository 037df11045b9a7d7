#pragma once
// LoginServices: who may log in and how. The store, the issuers and their keys, tickets, the token
// service, and the built-in issuer if it is configured.

#include <memory>
#include <optional>

#include "admin/router.h"
#include "app/config.h"
#include "base/result.h"
#include "identity/authenticator.h"
#include "identity/fetcher.h"
#include "identity/issuer.h"
#include "identity/tickets.h"
#include "identity/token_service.h"
#include "store/database.h"
#include "store/tickets.h"

namespace sallyport::app {

/// What tokens of the built-in issuer are for.
inline constexpr const char* builtin_audience = "sallyport";
/// What tokens for this gateway are for: the first issuer's audience, as the clients are told.
std::string audience_of(const Config& config);

class LoginServices {
 public:
  /// On the main thread, where the admin port is served.
  static Result<std::unique_ptr<LoginServices>> open(const Config& config,
                                                     identity::Recorder record);

  /// The token service's and the built-in issuer's. The router must not outlive this.
  void add_routes(admin::Router& router);

  const identity::Authenticator& authenticator() const { return *authenticator_; }
  identity::Tickets& tickets() { return *tickets_; }
  store::Database& database() { return *database_; }
  const identity::Issuer* issuer() const { return issuer_.get(); }  // null if not configured

 private:
  LoginServices() = default;
  net::Task<http::Response> answer_token(http::Request request);

  std::unique_ptr<store::Database> database_;
  std::optional<store::TicketStore> ticket_store_;
  std::optional<identity::Tickets> tickets_;
  std::unique_ptr<identity::Fetcher> fetcher_;
  std::unique_ptr<identity::Issuer> issuer_;
  std::unique_ptr<identity::Authenticator> authenticator_;
  std::optional<identity::TokenService> token_service_;  // where there is an admin port
};

}  // namespace sallyport::app

#pragma once
// LoginServices: who may log in and how, who may act for whom, and what was revoked. The store, the
// issuers and their keys, tickets, the token service, delegations, and the built-in issuer if it is
// configured.

#include <map>
#include <memory>
#include <optional>

#include "admin/router.h"
#include "app/config.h"
#include "base/result.h"
#include "identity/authenticator.h"
#include "identity/delegations.h"
#include "identity/fetcher.h"
#include "identity/issuer.h"
#include "identity/logout.h"
#include "identity/revocations.h"
#include "identity/tickets.h"
#include "identity/token_service.h"
#include "store/database.h"
#include "store/delegations.h"
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

  /// Takes the issuers, agents, workloads and built-in users of another configuration, for logins
  /// and for what is open (revocations()). Fails if they make no sense, and then everything stays
  /// as it was.
  Result<void> use(const Config& config);

  /// Theirs. The router must not outlive this.
  void add_routes(admin::Router& router);

  const identity::Authenticator& authenticator() const { return *authenticator_; }
  identity::Tickets& tickets() { return *tickets_; }
  store::Database& database() { return *database_; }
  identity::Delegations& delegations() { return *delegations_; }
  identity::Revocations& revocations() { return *revocations_; }
  const identity::Issuer* issuer() const { return issuer_.get(); }  // null if not configured

 private:
  LoginServices() = default;
  net::Task<http::Response> answer_token(http::Request request);
  identity::BuiltinIssuerOptions issuer_options(const Config& config);
  Result<void> open_store(const Config& config);
  Result<void> open_issuer(const Config& config);
  /// What tokens are checked against; the built-in issuer is the first, whose people have the bare
  /// names.
  std::vector<identity::IssuerOptions> all_issuers(const Config& config) const;
  void renew_directory();

  std::unique_ptr<store::Database> database_;
  std::optional<store::TicketStore> ticket_store_;
  std::optional<identity::Tickets> tickets_;
  std::optional<store::DelegationStore> delegation_store_;
  std::optional<store::LogoutStore> logout_store_;
  std::unique_ptr<identity::Revocations> revocations_;
  std::optional<identity::Delegations> delegations_;
  std::unique_ptr<identity::Fetcher> fetcher_;
  std::unique_ptr<identity::Issuer> issuer_;
  std::unique_ptr<identity::Authenticator> authenticator_;
  std::optional<identity::TokenService> token_service_;  // where there is an admin port
  std::optional<identity::Logout> logout_;               // the same
  /// Of built-in passwords that the configuration has in clear, by user and the password's hash.
  std::map<std::string, std::string> password_hashes_;
  std::string token_key_jwk_;
};

}  // namespace sallyport::app

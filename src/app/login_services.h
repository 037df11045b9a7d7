#pragma once
// LoginServices: who may log in and how. The store, the issuers and their keys, tickets, and the
// built-in issuer if it is configured.

#include <memory>
#include <optional>

#include "app/config.h"
#include "base/result.h"
#include "identity/authenticator.h"
#include "identity/fetcher.h"
#include "identity/tickets.h"
#include "store/database.h"
#include "store/tickets.h"

namespace sallyport::app {

class LoginServices {
 public:
  static Result<std::unique_ptr<LoginServices>> open(const Config& config);

  const identity::Authenticator& authenticator() const { return *authenticator_; }
  identity::Tickets& tickets() { return *tickets_; }

 private:
  LoginServices() = default;

  std::unique_ptr<store::Database> database_;
  std::optional<store::TicketStore> ticket_store_;
  std::optional<identity::Tickets> tickets_;
  std::unique_ptr<identity::Fetcher> fetcher_;
  std::unique_ptr<identity::Authenticator> authenticator_;
};

}  // namespace sallyport::app

#pragma once
// The REST API of delegations, under /api/v1/delegations: a person lets an agent act for them, sees
// what they gave, and takes it back. Every request carries its own bearer token.

#include <functional>
#include <string_view>

#include "admin/router.h"
#include "http/message.h"
#include "identity/authenticator.h"
#include "identity/delegations.h"
#include "identity/token_service.h"
#include "net/task.h"

namespace sallyport::admin {

/// Belongs to one reactor's thread.
class DelegationsApi {
 public:
  /// True if this chain may know of and connect to the connection of that name, which exists.
  using MayConnect = std::function<bool(const identity::Credential&, std::string_view connection)>;

  /// The references must outlive it.
  DelegationsApi(const identity::Authenticator& authenticator, identity::Delegations& delegations,
                 MayConnect may_connect, identity::Recorder record);

  /// GET    /api/v1/delegations       what a person gave, or an agent got
  /// POST   /api/v1/delegations       {"agent": "copilot", "connection": "shop", "for_s": 7200,
  ///                                  "reason": "..."}
  /// DELETE /api/v1/delegations/ID    by who gave it, or by the agent
  void add_routes(Router& router);
  net::Task<http::Response> handle(http::Request request);

 private:
  http::Response list(const identity::Credential& who) const;
  net::Task<http::Response> create(const identity::Credential& who, std::string_view body);
  net::Task<http::Response> revoke(const identity::Credential& who, std::string_view id);

  const identity::Authenticator& authenticator_;
  identity::Delegations& delegations_;
  MayConnect may_connect_;
  identity::Recorder record_;
};

}  // namespace sallyport::admin

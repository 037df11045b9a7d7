#pragma once
// The REST API under /api/v1, for the command line client and scripts: who am I, what may I connect
// to, a ticket for it. Every request carries its own bearer token; there is no session.

#include <boost/json/fwd.hpp>
#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/router.h"
#include "base/clock.h"
#include "http/message.h"
#include "identity/authenticator.h"
#include "identity/tickets.h"
#include "net/task.h"

namespace sallyport::admin {

/// What a client has to know to reach a connection through the gateway.
struct ApiConnection {
  std::string name;
  std::string protocol;  // "postgres"
  std::string host;      // the gateway's, as clients reach it
  std::uint16_t port = 0;
  std::string database;  // what to ask for: the connection's name where there is only one
  std::string url;       // http: of the connection, no slash behind; else empty
};

struct ApiOptions {
  std::vector<ApiConnection> connections;
  // What `sallyport login` needs; told to anybody who asks.
  std::string issuer;
  std::string client_id;
  std::string audience;
  std::string token_service;  // what issues delegated tokens: this gateway
};

/// Belongs to one reactor's thread.
class Api {
 public:
  /// True if this chain may know of and connect to a connection. Must not block.
  using MayConnect = std::function<bool(const identity::Credential&, const ApiConnection&)>;

  /// The references must outlive it. An empty `may_connect` leaves it to the connection itself.
  Api(ApiOptions options, const identity::Authenticator& authenticator, identity::Tickets& tickets,
      MayConnect may_connect = {});

  /// GET /api/v1/whoami, GET /api/v1/connections, POST /api/v1/tickets, and
  /// GET /.well-known/oauth-protected-resource (RFC 9728): method and path of each.
  static const std::vector<std::pair<std::string_view, std::string_view>>& routes();
  void add_routes(Router& router);
  net::Task<http::Response> handle(http::Request request);

 private:
  http::Response whoami(const identity::Credential& credential) const;
  http::Response connections(const identity::Credential& credential) const;
  http::Response mint(const identity::Credential& credential, std::string_view body) const;
  http::Response metadata() const;
  bool may_connect(const identity::Credential& credential, const ApiConnection& connection) const;

  ApiOptions options_;
  const identity::Authenticator& authenticator_;
  identity::Tickets& tickets_;
  MayConnect may_connect_;
};

/// Who the bearer token of a request is of, or the answer that refuses it.
net::Task<std::expected<identity::Credential, http::Response>> authenticate(
    const identity::Authenticator& authenticator, const http::Request& request);

/// JSON that no cache may keep.
http::Response fresh(int status, const boost::json::value& body);

/// RFC 9457. `hint` says what to do, or is empty.
http::Response problem(int status, std::string_view title, std::string_view detail,
                       std::string_view hint = "");

}  // namespace sallyport::admin

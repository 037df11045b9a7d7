#pragma once
// The built-in issuer: a small OpenID provider for the demo and for small teams, on the admin port.
// Discovery, keys, authorization code with PKCE (RFC 7636), device grant (RFC 8628), refresh,
// client credentials for agents; access tokens of RFC 9068. Its token endpoint is the token
// service's too (token_service.h), which the router sees to. It keeps no sessions: each login asks
// for the password. Codes and refresh tokens live in memory, so a restart asks again.
//
//   issuer.cc         routes, discovery, what every part needs
//   issuer_login.cc   the page where people log in, and the device page
//   issuer_token.cc   the token endpoint and what it issues
//   issuer_pages.cc   HTML

#include <chrono>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "http/message.h"
#include "identity/claims.h"
#include "identity/expiring_map.h"
#include "identity/helper_thread.h"
#include "identity/password.h"
#include "identity/signing_key.h"
#include "net/task.h"

namespace sallyport::identity {

inline constexpr std::string_view kCliClient = "sallyport-cli";

struct BuiltinIssuerOptions {
  struct User {
    std::string name;  // `sub` and `preferred_username`
    std::string display_name;
    std::string email;
    std::vector<std::string> groups;
    std::string password_hash;  // of hash_password()
  };
  struct Agent {
    std::string client_id;
    std::string display_name;
    std::string owner;
    std::vector<std::string> groups;
    std::string secret;
  };
  struct Client {  // a public one; the command line client is always there
    std::string client_id;
    std::vector<std::string> redirect_uris;
  };

  std::string url;  // "https://gateway.example.com:8443", without a path
  std::string audience;
  std::vector<User> users;
  std::vector<Agent> agents;
  std::vector<Client> clients;
  std::chrono::seconds token_ttl_s{3600};
  std::vector<std::string> other_keys;  // public JWKs that its key document shows too
};

/// Belongs to one reactor's thread.
class Issuer {
 public:
  /// The clock and the random source must outlive it.
  static Result<std::unique_ptr<Issuer>> create(BuiltinIssuerOptions options, SigningKey key,
                                                const Clock& clock, Random& random);

  /// Takes other users, agents and clients from now on, and returns those of before. Fails like
  /// create(), and then everything stays as it was.
  Result<BuiltinIssuerOptions> use(BuiltinIssuerOptions options);

  const std::vector<BuiltinIssuerOptions::User>& users() const { return options_.users; }

  /// The paths it answers, for the router: GET and POST.
  static const std::vector<std::string_view>& paths();
  net::Task<http::Response> handle(http::Request request);

  /// How an Authenticator is to trust it, keys included.
  IssuerOptions options() const;
  /// An access token as a login of the command line client would give, for the demo and for tests.
  Result<std::string> mint_token(std::string_view user, std::chrono::seconds ttl) const;

 private:
  using Form = std::map<std::string, std::string>;

  /// Someone who logged in for a client.
  struct Login {
    std::string user;
    std::string client_id;
    std::string scope;
    std::string nonce;
    WallTime at{};
  };
  struct Code {
    Login login;
    std::string redirect_uri;
    std::string challenge;
  };
  struct Device {
    std::string client_id;
    std::string scope;
    std::string user_code;
    enum class State : std::uint8_t { pending, approved, denied } state = State::pending;
    Login login;
    std::chrono::seconds interval{5};
    SteadyTime polled{};
  };
  struct Refresh {
    Login login;
    std::string family;
    bool used = false;
  };
  /// An authorization request that was checked.
  struct Authorize {
    Form form;  // what the page carries along
    std::string redirect_uri;
    std::string state;
  };
  Issuer(BuiltinIssuerOptions options, SigningKey key, const Clock& clock, Random& random);

  http::Response discovery() const;
  http::Response keys() const;

  net::Task<http::Response> authorize(http::Request request);
  std::expected<Authorize, http::Response> check_authorize(const Form& form) const;
  http::Response login_page(const http::Request& request, const Authorize& asked,
                            std::string_view problem);
  net::Task<http::Response> device(http::Request request);
  http::Response device_page(const http::Request& request, std::string_view user_code,
                             std::string_view problem);
  /// The user's name, or a text for the page.
  net::Task<std::expected<std::string, std::string>> log_in(std::string client_ip, Form form);
  net::Task<Result<bool>> password_is_right(std::string hash, std::string password);
  /// What makes a form ours and this browser's; a cookie is set if there is none.
  std::string csrf_of(std::string_view cookie, std::string_view purpose) const;
  bool csrf_is_right(const http::Request& request, const Form& form,
                     std::string_view purpose) const;

  http::Response device_authorization(const http::Request& request);
  http::Response token(const http::Request& request);
  http::Response token_for_code(const Form& form);
  http::Response token_for_device(const Form& form);
  http::Response token_for_refresh(const Form& form);
  http::Response token_for_agent(const http::Request& request, const Form& form);
  http::Response tokens_of(const Login& login, std::string family);
  std::string access_token(const BuiltinIssuerOptions::User& user, std::string_view client_id,
                           std::string_view scope, WallTime at, std::chrono::seconds ttl) const;
  http::Response userinfo(const http::Request& request) const;

  const BuiltinIssuerOptions::User* user(std::string_view name) const;
  const BuiltinIssuerOptions::Agent* agent(std::string_view client_id) const;
  bool is_public_client(std::string_view client_id) const;
  bool redirect_is_allowed(std::string_view client_id, std::string_view uri) const;

  BuiltinIssuerOptions options_;  // no reference into it is held over a co_await
  const SigningKey key_;
  const Clock& clock_;
  Random& random_;
  const std::string csrf_secret_;
  const std::string nobody_hash_;  // what an unknown user's password is compared with
  HelperThread hashing_{64};
  Attempts attempts_;
  ExpiringMap<Code> codes_{10'000};
  ExpiringMap<Device> devices_{1'000};
  ExpiringMap<Refresh> refreshes_{50'000};
};

}  // namespace sallyport::identity

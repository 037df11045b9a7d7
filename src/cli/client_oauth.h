#pragma once
// The client's side of a login at an issuer: discovery, authorization code with PKCE, device grant.

#include <functional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "cli/client_state.h"

namespace sallyport::cli {

/// Where a gateway's users log in.
struct LoginPlace {
  std::string gateway;
  std::string ca_file;
  std::string audience;
  std::string client_id;
  std::string issuer;
  std::string authorization_endpoint;
  std::string token_endpoint;
  std::string device_endpoint;  // empty: the issuer has none
  bool answers_with_iss = false;
  bool offers_refresh = false;
  std::vector<std::string> more_scopes;  // to ask for besides the usual ones
};

/// Asks the gateway, then its issuer, whose document must name it byte for byte.
Result<LoginPlace> find_login_place(const std::string& gateway, const std::string& ca_file);

/// By the browser of this machine. `show` gets the address to open.
Result<ClientState> login_by_browser(const LoginPlace& place, Random& random,
                                     const std::function<void(const std::string& url)>& show);
/// By a browser anywhere. `show` gets the address, the code, and the address with the code in it.
Result<ClientState> login_by_device(
    const LoginPlace& place,
    const std::function<void(const std::string& url, const std::string& code,
                             const std::string& whole_url)>& show);

/// An ID token that came from the token endpoint over TLS: issuer, audience, expiry and nonce
/// (OpenID Connect Core 3.1.3.7). An empty `nonce` asks for none.
Result<void> check_id_token(std::string_view token, const LoginPlace& place, std::string_view nonce,
                            WallTime now);

}  // namespace sallyport::cli

// The pages where people give their passwords, and only there.

#include <algorithm>

#include "base/log.h"
#include "http/text.h"
#include "identity/delivery.h"
#include "identity/issuer.h"
#include "identity/issuer_pages.h"
#include "identity/issuer_parts.h"

namespace sallyport::identity {
namespace {

constexpr std::string_view kCookie = "sallyport_login";
constexpr std::chrono::seconds kCodeTtl{60};
constexpr std::size_t kFieldBytesMax = 2048;
// Failures within Attempts::kWindow. The first two stop guessing, the third one stops guessing one
// user's password from many addresses.
constexpr int kPerUserAndAddress = 5;
constexpr int kPerAddress = 30;
constexpr int kPerUser = 50;

std::string cookie_of(const http::Request& request) {
  const auto header = request.headers.get("Cookie");
  std::string_view rest = header.value_or("");
  while (!rest.empty()) {
    const auto semicolon = std::min(rest.find(';'), rest.size());
    const auto pair = http::trim(rest.substr(0, semicolon));
    if (pair.starts_with(kCookie) && pair.substr(kCookie.size()).starts_with('=')) {
      const auto value = pair.substr(kCookie.size() + 1);
      return value.size() == 64 ? std::string(value) : std::string();
    }
    rest.remove_prefix(std::min(semicolon + 1, rest.size()));
  }
  return "";
}

http::Response redirect(const std::string& uri, const std::map<std::string, std::string>& added) {
  std::string query;
  for (const auto& [name, value] : added) {
    query += (query.empty() ? "" : "&") + name + "=" + http::url_encode(value);
  }
  auto response = http::Response::redirect(uri + (uri.contains('?') ? "&" : "?") + query);
  response.headers.add("Cache-Control", "no-store");
  response.headers.add("Referrer-Policy", "no-referrer");
  return response;
}

/// As a person may type it: without the hyphen, in any case.
std::string normal_user_code(std::string_view text) {
  std::string letters;
  for (const char c : text) {
    if (http::is_alpha(c)) letters.push_back(static_cast<char>(http::to_lower(c) - ('a' - 'A')));
  }
  return letters;
}

}  // namespace

std::string Issuer::csrf_of(std::string_view cookie, std::string_view purpose) const {
  return to_base64url(hmac_sha256(as_bytes(csrf_secret_),
                                  as_bytes(std::string(purpose) + ":" + std::string(cookie))));
}

bool Issuer::csrf_is_right(const http::Request& request, const Form& form,
                           std::string_view purpose) const {
  const auto cookie = cookie_of(request);
  return !cookie.empty() &&
         equal_in_constant_time(as_bytes(field(form, "csrf")), as_bytes(csrf_of(cookie, purpose)));
}

std::expected<Issuer::Authorize, http::Response> Issuer::check_authorize(const Form& form) const {
  const auto page = [&](std::string_view text) {
    return std::unexpected(
        render_message("This login link does not work", text, 400, random_hex(random_, 16)));
  };
  for (const auto& [name, value] : form) {
    if (value.size() > kFieldBytesMax) return page("It is too long.");
  }
  const auto client = field(form, "client_id");
  Authorize asked{.redirect_uri = field(form, "redirect_uri"), .state = field(form, "state")};
  // Until these two are known to be right, nothing is sent anywhere.
  if (!is_public_client(client)) return page("It names a client that this issuer does not know.");
  if (!redirect_is_allowed(client, asked.redirect_uri)) {
    return page("It leads to an address that is not registered for this client.");
  }
  const auto refuse = [&](std::string error, std::string description) {
    return std::unexpected(redirect(asked.redirect_uri, {{"error", std::move(error)},
                                                         {"error_description", description},
                                                         {"state", asked.state},
                                                         {"iss", options_.url}}));
  };
  if (field(form, "response_type") != "code")
    return refuse("unsupported_response_type", "code only");
  if (field(form, "code_challenge_method") != "S256" ||
      field(form, "code_challenge").size() != 43) {
    return refuse("invalid_request", "PKCE with S256 is required");
  }
  for (const std::string_view name :
       {"response_type", "client_id", "redirect_uri", "state", "nonce", "scope", "code_challenge",
        "code_challenge_method"}) {
    if (auto value = field(form, name); !value.empty()) asked.form[std::string(name)] = value;
  }
  return asked;
}

http::Response Issuer::login_page(const http::Request& request, const Authorize& asked,
                                  std::string_view problem) {
  auto cookie = cookie_of(request);
  const bool fresh = cookie.empty();
  if (fresh) cookie = random_hex(random_, 32);
  LoginPage page{.title = "Log in",
                 .intro = field(asked.form, "client_id") == kCliClient
                              ? "The sallyport command line client asks who you are."
                              : field(asked.form, "client_id") + " asks who you are.",
                 .action = "/oauth2/authorize",
                 .problem = std::string(problem),
                 .hidden = asked.form,
                 .leads_to = origin_of(asked.redirect_uri)};
  page.hidden["csrf"] = csrf_of(cookie, "authorize");
  auto response = render(page, problem.empty() ? 200 : 400, random_hex(random_, 16));
  if (fresh) {
    response.headers.add("Set-Cookie", std::string(kCookie) + "=" + cookie +
                                           "; Path=/oauth2; HttpOnly; SameSite=Strict" +
                                           (request.tls ? "; Secure" : ""));
  }
  return response;
}

net::Task<http::Response> Issuer::authorize(http::Request request) {
  const bool post = request.method == "POST";
  const auto form = http::parse_form(post ? request.body : request.query);
  if (!form) co_return oauth_error("invalid_request", "malformed or repeated parameters");
  auto asked = check_authorize(*form);
  if (!asked) co_return asked.error();
  if (!post) co_return login_page(request, *asked, "");
  if (!csrf_is_right(request, *form, "authorize")) {
    co_return login_page(request, *asked, "The page was open too long. Please log in again.");
  }

  auto user = co_await log_in(request.client_ip, *form);
  if (!user) co_return login_page(request, *asked, user.error());
  const std::string code = random_hex(random_, 32);
  const SteadyTime now = clock_.steady();
  const bool kept = codes_.put(code,
                               {.login = {.user = *user,
                                          .client_id = field(*form, "client_id"),
                                          .scope = field(*form, "scope"),
                                          .nonce = field(*form, "nonce"),
                                          .at = clock_.now()},
                                .redirect_uri = asked->redirect_uri,
                                .challenge = field(*form, "code_challenge")},
                               now + kCodeTtl, now);
  if (!kept) co_return login_page(request, *asked, "Too many logins at once. Please try again.");
  co_return redirect(asked->redirect_uri,
                     {{"code", code}, {"state", asked->state}, {"iss", options_.url}});
}

net::Task<std::expected<std::string, std::string>> Issuer::log_in(std::string client_ip,
                                                                  Form form) {
  const std::string name = field(form, "username");
  const auto* known = user(name);
  const std::string from = "from " + network_of(client_ip);
  const std::string both = from + " " + name;
  // Names that nobody has share 256 counters, so that inventing them fills nothing.
  const std::string whom =
      known != nullptr ? "user " + name
                       : "nobody " + to_hex(Bytes(sha256(as_bytes(nobody_hash_ + name))).first(1));
  const auto wait = std::max({attempts_.wait(both, kPerUserAndAddress),
                              attempts_.wait(from, kPerAddress), attempts_.wait(whom, kPerUser)});
  if (wait.count() > 0) {
    co_return std::unexpected("Too many attempts. Please wait " + std::to_string(wait.count()) +
                              " seconds.");
  }
  // Counted before the answer is known, so that many at once are not one.
  for (const auto& key : {both, from, whom}) attempts_.failed(key);
  // An unknown name takes as long as a known one.
  auto right = co_await password_is_right(known == nullptr ? nobody_hash_ : known->password_hash,
                                          field(form, "password"));
  if (!right) co_return std::unexpected("Too many logins at once. Please try again.");
  if (!*right || known == nullptr) {
    log::info("login failed", {{"user", name.substr(0, 64)}, {"ip", client_ip}});
    co_return std::unexpected("User name or password is wrong.");
  }
  attempts_.succeeded(both);
  attempts_.succeeded(whom);
  attempts_.forgive(from);
  log::info("login", {{"user", name}, {"ip", client_ip}});
  co_return name;
}

net::Task<Result<bool>> Issuer::password_is_right(std::string hash, std::string password) {
  Delivery<Result<bool>> delivery;
  hashing_.run([hash = std::move(hash), password = std::move(password),
                send = delivery.sender()](bool cancelled) {
    if (cancelled) return send(fail(Errc::unavailable, "too many logins wait"));
    send(check_password(hash, password));
  });
  co_return co_await delivery.wait();
}

http::Response Issuer::device_page(const http::Request& request, std::string_view user_code,
                                   std::string_view problem) {
  auto cookie = cookie_of(request);
  const bool fresh = cookie.empty();
  if (fresh) cookie = random_hex(random_, 32);
  const LoginPage page{
      .title = "Log in a device",
      .intro =
          "Only if you started this yourself and see this code on your own device. "
          "Whoever has the device will act in your name.",
      .action = "/oauth2/device",
      .problem = std::string(problem),
      .hidden = {{"csrf", csrf_of(cookie, "device")}},
      .asks_user_code = true,
      .user_code = std::string(user_code.substr(0, 16)),
      .button = "Log in the device"};
  auto response = render(page, problem.empty() ? 200 : 400, random_hex(random_, 16));
  if (fresh) {
    response.headers.add("Set-Cookie", std::string(kCookie) + "=" + cookie +
                                           "; Path=/oauth2; HttpOnly; SameSite=Strict" +
                                           (request.tls ? "; Secure" : ""));
  }
  return response;
}

net::Task<http::Response> Issuer::device(http::Request request) {
  const bool post = request.method == "POST";
  const auto form = http::parse_form(post ? request.body : request.query);
  if (!form) co_return oauth_error("invalid_request", "malformed or repeated parameters");
  const auto typed = field(*form, "user_code");
  if (!post) co_return device_page(request, typed, "");
  if (!csrf_is_right(request, *form, "device")) {
    co_return device_page(request, typed, "The page was open too long. Please log in again.");
  }
  auto name = co_await log_in(request.client_ip, *form);
  if (!name) co_return device_page(request, typed, name.error());

  // Guessing codes is counted like guessing passwords.
  const std::string guesses = "code " + network_of(request.client_ip);
  if (attempts_.wait(guesses, kPerUserAndAddress).count() > 0) {
    co_return device_page(request, "", "Too many attempts. Please wait a few minutes.");
  }
  const auto code = normal_user_code(typed);
  const bool found = devices_.any(
      [&](Device& device) {
        if (device.user_code != code || device.state != Device::State::pending) return false;
        device.state = Device::State::approved;
        device.login = {.user = *name,
                        .client_id = device.client_id,
                        .scope = device.scope,
                        .at = clock_.now()};
        return true;
      },
      clock_.steady());
  if (!found) {
    attempts_.failed(guesses);
    co_return device_page(request, "", "This code is not known, or it has expired.");
  }
  co_return render_message("The device is logged in", "You can close this page.", 200,
                           random_hex(random_, 16));
}

}  // namespace sallyport::identity

#include "app/login_services.h"

#include "base/clock.h"
#include "identity/password.h"
#include "identity/signing_key.h"

namespace sallyport::app {
namespace {

Result<identity::SigningKey> load_key(const Config& config, const char* file) {
  return identity::SigningKey::load_or_create((config.data / file).string());
}

identity::BuiltinIssuerOptions issuer_options(const Config& config) {
  identity::BuiltinIssuerOptions options;
  options.url = config.admin->public_url;
  options.audience = builtin_audience;
  options.token_ttl_s = std::chrono::seconds(config.builtin_issuer->token_ttl_s);
  for (const BuiltinUser& user : config.builtin_issuer->users) {
    options.users.push_back(
        {.name = user.name,
         .display_name = user.display_name,
         .email = user.email,
         .groups = user.groups,
         .password_hash = user.password_hash.empty()
                              ? identity::hash_password(user.password.value, system_random())
                              : user.password_hash});
  }
  for (const BuiltinAgent& agent : config.builtin_issuer->agents) {
    options.agents.push_back({.client_id = agent.client_id,
                              .display_name = agent.display_name,
                              .owner = agent.owner,
                              .groups = agent.groups,
                              .secret = agent.secret.value});
  }
  for (const BuiltinClient& client : config.builtin_issuer->clients) {
    options.clients.push_back(
        {.client_id = client.client_id, .redirect_uris = client.redirect_uris});
  }
  return options;
}

Result<std::unique_ptr<identity::Issuer>> make_issuer(const Config& config, std::string token_key) {
  auto key = load_key(config, "issuer-key.pem");
  if (!key) return fail(key);
  identity::BuiltinIssuerOptions options = issuer_options(config);
  options.other_keys.push_back(std::move(token_key));
  return identity::Issuer::create(std::move(options), std::move(*key), system_clock(),
                                  system_random());
}

bool is_exchange(const http::Request& request) {
  const auto form = http::parse_form(request.body);
  const auto grant = form ? form->find("grant_type") : decltype(form->end())();
  return form && grant != form->end() && grant->second == identity::kExchangeGrant;
}

net::Task<http::Response> answered(http::Response response) {
  co_return response;
}

}  // namespace

std::string audience_of(const Config& config) {
  if (config.builtin_issuer) return builtin_audience;
  return config.issuers.empty() ? "" : config.issuers.front().audience;
}

Result<std::unique_ptr<LoginServices>> LoginServices::open(const Config& config,
                                                           identity::Recorder record) {
  std::unique_ptr<LoginServices> services(new LoginServices());
  auto database = store::Database::open((config.data / "sallyport.db").string());
  if (!database) return fail(database, "opening the store");
  services->database_ = std::move(*database);
  auto tickets = store::TicketStore::create(*services->database_, system_random());
  if (!tickets) return fail(tickets, "opening the store of tickets");
  services->ticket_store_.emplace(std::move(*tickets));
  services->tickets_.emplace(
      *services->ticket_store_, system_clock(), system_random(),
      identity::TicketOptions{.ttl_s = std::chrono::seconds(config.limits.ticket_ttl_s)});
  services->fetcher_ = std::make_unique<identity::CurlFetcher>();
  std::vector<identity::IssuerOptions> issuers = config.issuers;
  auto key = load_key(config, "token-key.pem");
  if (!key) return fail(key);
  if (config.builtin_issuer) {
    auto issuer = make_issuer(config, key->public_jwk());
    if (!issuer) return fail(issuer, "builtin_issuer");
    services->issuer_ = std::move(*issuer);
    // The first issuer's people have the bare names.
    issuers.insert(issuers.begin(), services->issuer_->options());
  }
  const identity::TokenServiceOptions exchange{.url = config.admin ? config.admin->public_url : "",
                                               .audience = audience_of(config)};
  std::optional<identity::IssuerOptions> own;
  if (config.admin) own = identity::TokenService::trust(exchange, *key);
  auto authenticator = identity::Authenticator::create(std::move(issuers), system_clock(),
                                                       *services->fetcher_, std::move(own));
  if (!authenticator) return fail(authenticator, "issuers");
  services->authenticator_ = std::move(*authenticator);
  if (config.admin) {
    services->token_service_.emplace(exchange, std::move(*key), *services->authenticator_,
                                     system_clock(), system_random(), std::move(record));
  }
  return services;
}

net::Task<http::Response> LoginServices::answer_token(http::Request request) {
  if (is_exchange(request)) return token_service_->exchange(std::move(request));
  if (issuer_) return issuer_->handle(std::move(request));
  return answered(http::Response::json(
      400, R"({"error":"unsupported_grant_type","error_description":"only token exchange"})"));
}

void LoginServices::add_routes(admin::Router& router) {
  if (!token_service_) return;
  constexpr std::string_view token = "/oauth2/token";
  router.add("POST", token,
             [this](http::Request request) { return answer_token(std::move(request)); });
  if (!issuer_) {
    router.add("GET", "/.well-known/oauth-authorization-server",
               admin::at_once([this](const http::Request&) { return token_service_->metadata(); }));
    router.add("GET", "/.well-known/jwks.json", admin::at_once([this](const http::Request&) {
                 return http::Response::json(200,
                                             R"({"keys":[)" + token_service_->public_jwk() + "]}");
               }));
    return;
  }
  for (const std::string_view path : identity::Issuer::paths()) {
    for (const std::string_view method : {"GET", "POST"}) {
      if (path == token && method == "POST") continue;
      router.add(method, path, [issuer = issuer_.get()](http::Request request) {
        return issuer->handle(std::move(request));
      });
    }
  }
}

}  // namespace sallyport::app

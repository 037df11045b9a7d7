#include "app/login_services.h"

#include "base/clock.h"
#include "identity/password.h"
#include "identity/signing_key.h"

namespace sallyport::app {
namespace {

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

Result<std::unique_ptr<identity::Issuer>> make_issuer(const Config& config) {
  auto key = identity::SigningKey::load_or_create((config.data / "issuer-key.pem").string());
  if (!key) return fail(key);
  return identity::Issuer::create(issuer_options(config), std::move(*key), system_clock(),
                                  system_random());
}

}  // namespace

Result<std::unique_ptr<LoginServices>> LoginServices::open(const Config& config) {
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
  if (config.builtin_issuer) {
    auto issuer = make_issuer(config);
    if (!issuer) return fail(issuer, "builtin_issuer");
    services->issuer_ = std::move(*issuer);
    // The first issuer's people have the bare names.
    issuers.insert(issuers.begin(), services->issuer_->options());
  }
  auto authenticator =
      identity::Authenticator::create(std::move(issuers), system_clock(), *services->fetcher_);
  if (!authenticator) return fail(authenticator, "issuers");
  services->authenticator_ = std::move(*authenticator);
  return services;
}

void LoginServices::add_routes(admin::Router& router) {
  if (!issuer_) return;
  for (const std::string_view path : identity::Issuer::paths()) {
    for (const std::string_view method : {"GET", "POST"}) {
      router.add(method, path, [issuer = issuer_.get()](http::Request request) {
        return issuer->handle(std::move(request));
      });
    }
  }
}

}  // namespace sallyport::app

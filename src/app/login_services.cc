#include "app/login_services.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "identity/password.h"
#include "identity/signing_key.h"

namespace sallyport::app {
namespace {

Result<identity::SigningKey> load_key(const Config& config, const char* file) {
  return identity::SigningKey::load_or_create((config.data / file).string());
}

bool is_exchange(const http::Request& request) {
  const auto form = http::parse_form(request.body);
  const auto grant = form ? form->find("grant_type") : decltype(form->end())();
  return form && grant != form->end() && grant->second == identity::kExchangeGrant;
}

identity::TicketOptions ticket_options(const Config& config) {
  return {.ttl_s = std::chrono::seconds(config.limits.ticket_ttl_s),
          .break_glass_s = std::chrono::seconds(config.approvals.break_glass_s)};
}

net::Task<http::Response> answered(http::Response response) {
  co_return response;
}

}  // namespace

std::string audience_of(const Config& config) {
  if (config.builtin_issuer) return builtin_audience;
  return config.issuers.empty() ? "" : config.issuers.front().audience;
}

identity::BuiltinIssuerOptions LoginServices::issuer_options(const Config& config) {
  identity::BuiltinIssuerOptions options;
  options.url = config.admin->public_url;
  options.audience = builtin_audience;
  options.token_ttl_s = std::chrono::seconds(config.builtin_issuer->token_ttl_s);
  options.other_keys = {token_key_jwk_};
  for (const BuiltinUser& user : config.builtin_issuer->users) {
    if (!user.active) continue;
    std::string hash = user.password_hash;
    if (hash.empty()) {
      // A reload must not hash again what it hashed before: each takes some 20 ms.
      auto& known =
          password_hashes_[user.name + "\n" + to_hex(sha256(as_bytes(user.password.value)))];
      if (known.empty()) known = identity::hash_password(user.password.value, system_random());
      hash = known;
    }
    options.users.push_back({.name = user.name,
                             .display_name = user.display_name,
                             .email = user.email,
                             .groups = user.groups,
                             .password_hash = std::move(hash)});
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

Result<void> LoginServices::open_store(const Config& config) {
  auto database = store::Database::open((config.data / "sallyport.db").string());
  if (!database) return fail(database, "opening the store");
  database_ = std::move(*database);
  auto tickets = store::TicketStore::create(*database_, system_random());
  if (!tickets) return fail(tickets, "opening the store of tickets");
  ticket_store_.emplace(std::move(*tickets));
  tickets_.emplace(*ticket_store_, system_clock(), system_random(), ticket_options(config));
  delegation_store_.emplace(*database_);
  logout_store_.emplace(*database_);
  auto revocations =
      identity::Revocations::open(*delegation_store_, *logout_store_, system_clock());
  if (!revocations) return fail(revocations, "opening the store of revocations");
  revocations_ = std::move(*revocations);
  delegations_.emplace(*delegation_store_, *revocations_, system_clock(), system_random());
  return ok();
}

Result<void> LoginServices::open_issuer(const Config& config) {
  if (!config.builtin_issuer) return ok();
  auto key = load_key(config, "issuer-key.pem");
  if (!key) return fail(key);
  auto issuer = identity::Issuer::create(issuer_options(config), std::move(*key), system_clock(),
                                         system_random());
  if (!issuer) return fail(issuer, "builtin_issuer");
  issuer_ = std::move(*issuer);
  return ok();
}

Result<std::unique_ptr<LoginServices>> LoginServices::open(const Config& config,
                                                           identity::Recorder record) {
  std::unique_ptr<LoginServices> services(new LoginServices());
  if (auto opened = services->open_store(config); !opened) return fail(opened);
  auto key = load_key(config, "token-key.pem");
  if (!key) return fail(key);
  services->token_key_jwk_ = key->public_jwk();
  if (auto opened = services->open_issuer(config); !opened) return fail(opened);
  services->fetcher_ = std::make_unique<identity::CurlFetcher>();
  const identity::TokenServiceOptions exchange{.url = config.admin ? config.admin->public_url : "",
                                               .audience = audience_of(config)};
  std::optional<identity::IssuerOptions> own;
  if (config.admin) own = identity::TokenService::trust(exchange, *key);
  auto authenticator = identity::Authenticator::create(
      services->all_issuers(config), system_clock(), *services->fetcher_, std::move(own),
      services->revocations_.get());
  if (!authenticator) return fail(authenticator, "issuers");
  services->authenticator_ = std::move(*authenticator);
  services->renew_directory();
  if (!config.admin) return services;
  services->authenticator_->accept_proofs(config.admin->public_url);
  services->token_service_.emplace(exchange, std::move(*key), *services->authenticator_,
                                   *services->delegations_, system_clock(), system_random(),
                                   record);
  services->logout_.emplace(*services->authenticator_, *services->revocations_, system_clock(),
                            std::move(record));
  return services;
}

std::vector<identity::IssuerOptions> LoginServices::all_issuers(const Config& config) const {
  std::vector<identity::IssuerOptions> issuers = config.issuers;
  if (issuer_) issuers.insert(issuers.begin(), issuer_->options());
  return issuers;
}

Result<void> LoginServices::use(const Config& config) {
  std::optional<identity::BuiltinIssuerOptions> before;
  if (issuer_ && config.builtin_issuer) {
    auto used = issuer_->use(issuer_options(config));
    if (!used) return fail(used, "builtin_issuer");
    before = std::move(*used);
  }
  if (auto used = authenticator_->use(all_issuers(config)); !used) {
    if (before) (void)issuer_->use(std::move(*before));  // as it was: it was good
    return fail(used, "issuers");
  }
  tickets_->use(ticket_options(config));
  renew_directory();
  return ok();
}

void LoginServices::renew_directory() {
  const auto issuers = authenticator_->issuers();
  identity::Directory directory;
  for (const identity::IssuerOptions& issuer : issuers->all) {
    directory.issuers.push_back({.url = issuer.url, .agents = issuers->agents_of(issuer)});
    if (!issuer_ || issuer.url != issuer_->options().url) continue;
    auto& users = directory.issuers.back().users.emplace();
    for (const auto& user : issuer_->users()) users.emplace(user.name, user.groups);
  }
  revocations_->use(std::move(directory));
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
  router.add("POST", "/oauth2/backchannel_logout",
             [this](http::Request request) { return logout_->handle(std::move(request)); });
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

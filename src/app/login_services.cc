#include "app/login_services.h"

#include "base/clock.h"

namespace sallyport::app {

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
  auto authenticator =
      identity::Authenticator::create(config.issuers, system_clock(), *services->fetcher_);
  if (!authenticator) return fail(authenticator, "issuers");
  services->authenticator_ = std::move(*authenticator);
  return services;
}

}  // namespace sallyport::app

#pragma once
// Tickets: what a native client gives as its password. Opaque, 256 bits, bound to a chain and a
// connection, good to start a session for minutes. Only what checks them is kept.

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "identity/credential.h"
#include "identity/scram.h"
#include "store/tickets.h"

namespace sallyport::identity {

struct TicketOptions {
  std::chrono::seconds ttl_s{15 * 60};       // at most 15 minutes
  std::chrono::seconds break_glass_s{3600};  // sessions under break-glass end by then
};

struct MintedTicket {
  std::string text;  // "spt_..."; shown once, kept nowhere
  std::string user;  // the name to log in with
  WallTime expires_at{};
};

/// Shared by all workers.
class Tickets {
 public:
  /// The references must outlive it.
  Tickets(store::TicketStore& store, const Clock& clock, Random& random,
          TicketOptions options = {});

  /// For tickets that are made from now on. On the thread of mint().
  void use(TicketOptions options);

  /// Fails with denied if the credential ends too soon to be worth a ticket. Over the cap per user
  /// the oldest ticket goes.
  Result<MintedTicket> mint(const Credential& credential, const std::string& connection);

  /// What a SCRAM login as `user` on `connection` may prove. A user nobody knows and one without
  /// tickets get the same: a stable salt and as many candidates, which nothing proves.
  Result<ScramVerifier> verifier(std::string_view user, std::string_view connection);

  /// The credential of the ticket that was proved (ScramServer::Finished::id). Fails with denied if
  /// it expired or was revoked in between.
  Result<Credential> redeem(std::string_view id);

  /// The same for protocols that see the ticket itself.
  Result<Credential> redeem_text(std::string_view text, std::string_view connection);

 private:
  ByteVector salt_of(std::string_view user) const;

  store::TicketStore& store_;
  const Clock& clock_;
  Random& random_;
  TicketOptions options_;
};

}  // namespace sallyport::identity

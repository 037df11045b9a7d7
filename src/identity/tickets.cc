#include "identity/tickets.h"

#include <algorithm>

namespace sallyport::identity {
namespace {

constexpr std::string_view kPrefix = "spt_";
constexpr std::size_t kTicketBytes = 32;
constexpr std::chrono::seconds kTtlMax{15 * 60};
constexpr std::chrono::seconds kTtlMin{5};  // below, a login would not finish

}  // namespace

Tickets::Tickets(store::TicketStore& store, const Clock& clock, Random& random,
                 TicketOptions options)
    : store_(store), clock_(clock), random_(random) {
  use(options);
}

void Tickets::use(TicketOptions options) {
  options_ = options;
  options_.ttl_s = std::min(options_.ttl_s, kTtlMax);
}

ByteVector Tickets::salt_of(std::string_view user) const {
  const Digest digest = hmac_sha256(store_.secret(), as_bytes("scram salt:" + std::string(user)));
  return {digest.begin(), digest.begin() + 16};
}

Result<MintedTicket> Tickets::mint(const Credential& credential, const std::string& connection) {
  const WallTime now = clock_.now();
  const WallTime expires_at =
      std::min<WallTime>(now + options_.ttl_s, credential.authentication.expires_at);
  if (expires_at < now + kTtlMin) return fail(Errc::denied, "the credential is about to expire");

  Credential kept = credential;
  kept.authentication.sender_bound = false;  // the ticket is good for whoever has it
  if (kept.stated.break_glass) {
    WallTime& ends = kept.authentication.expires_at;
    ends = std::min<WallTime>(ends, now + options_.break_glass_s);
  }
  ByteVector secret(kTicketBytes);
  random_.fill(secret);
  MintedTicket ticket{.text = std::string(kPrefix) + to_base64url(secret),
                      .user = credential.chain.subject().id,
                      .expires_at = expires_at};
  const ScramKeys keys = scram_keys(ticket.text, salt_of(ticket.user), kScramIterations);
  store::TicketRow row{.id = random_hex(random_, 16),
                       .user = ticket.user,
                       .connection = connection,
                       .hash = sha256(as_bytes(ticket.text)),
                       .stored_key = keys.stored_key,
                       .server_key = keys.server_key,
                       .credential = to_json(kept),
                       .created_at = now,
                       .expires_at = expires_at};
  if (auto added = store_.add(row, now); !added) return fail(added);
  return ticket;
}

Result<ScramVerifier> Tickets::verifier(std::string_view user, std::string_view connection) {
  auto rows = store_.live(user, connection, clock_.now());
  if (!rows) return fail(rows);
  ScramVerifier verifier{.salt = salt_of(user), .iterations = kScramIterations, .candidates = {}};
  for (const auto& row : *rows) {
    verifier.candidates.push_back(
        {{.stored_key = row.stored_key, .server_key = row.server_key}, row.id});
  }
  // Everybody has as many, so that how long a refusal takes tells nothing.
  while (verifier.candidates.size() < store::TicketStore::kPerUserMax) {
    ScramKeys nobody;
    random_.fill(nobody.stored_key);
    verifier.candidates.push_back({nobody, ""});
  }
  return verifier;
}

namespace {

Result<Credential> redeem_row(Result<std::optional<store::TicketRow>> row) {
  if (!row) return fail(row);
  if (!*row) return fail(Errc::denied, "no such ticket, or it expired");
  auto credential = credential_from_json((*row)->credential);
  if (!credential) return fail(credential, "ticket");
  credential->authentication.method = "ticket";
  return credential;
}

}  // namespace

Result<Credential> Tickets::redeem(std::string_view id) {
  return redeem_row(store_.by_id(id, clock_.now()));
}

Result<Credential> Tickets::redeem_text(std::string_view text, std::string_view connection) {
  auto row = store_.by_hash(sha256(as_bytes(text)), clock_.now());
  if (row && *row && (*row)->connection != connection) {
    return fail(Errc::denied, "the ticket is for another connection");
  }
  return redeem_row(std::move(row));
}

}  // namespace sallyport::identity

#pragma once
// Tickets at rest: what checks them, never what is presented.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/result.h"
#include "store/database.h"

namespace sallyport::store {

struct TicketRow {
  std::string id;  // random, unrelated to the ticket's text
  std::string user;
  std::string connection;
  Digest hash{};  // SHA-256 of the text
  Digest stored_key{};
  Digest server_key{};
  std::string credential;  // JSON
  WallTime created_at{};
  WallTime expires_at{};
};

class TicketStore {
 public:
  static constexpr std::size_t kPerUserMax = 16;

  /// Makes its secret on the first use of the database. `database` must outlive it.
  static Result<TicketStore> create(Database& database, Random& random);

  /// Above kPerUserMax the user's oldest go. Expired ones of everybody go too.
  Result<void> add(const TicketRow& row, WallTime now);
  /// Live tickets of a user for a connection, newest first.
  Result<std::vector<TicketRow>> live(std::string_view user, std::string_view connection,
                                      WallTime now);
  Result<std::optional<TicketRow>> by_id(std::string_view id, WallTime now);
  Result<std::optional<TicketRow>> by_hash(const Digest& hash, WallTime now);

  /// From which salts are derived; stays the same over restarts.
  const ByteVector& secret() const { return secret_; }

 private:
  TicketStore(Database& database, ByteVector secret);
  Database* database_;
  ByteVector secret_;
};

}  // namespace sallyport::store

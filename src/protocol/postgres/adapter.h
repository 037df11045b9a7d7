#pragma once
// PostgreSQL, protocol 3.0 and 3.2: how Sallyport stands between a client and a server that speak
// it.
//
// A session goes through these files, in this order:
//   login.cc         TLS, the startup message, who the client is
//   adapter.cc       the Session, its Permit, a connection to the target (pool.h), the greeting
//   client_side.cc   a command, its Permit, the bytes to the server   } at the same time,
//   server_side.cc   the answer, released when its record is safe     } see conversation.h
//   reuse.cc         the client leaves: may the connection serve another session?
//   adapter.cc       the end: the connection reset or closed, the session's last record
//
// wire.h holds the message formats and does no I/O; sql/ turns text into Actions and knows no
// protocol.

#include <cstddef>
#include <list>
#include <memory>
#include <string>

#include "guard/guard.h"
#include "identity/authenticator.h"
#include "identity/tickets.h"
#include "mask/masker.h"
#include "net/stream.h"
#include "policy/decision_cache.h"
#include "protocol/postgres/cancel.h"
#include "protocol/postgres/catalog_desk.h"
#include "protocol/postgres/login.h"
#include "protocol/postgres/masking.h"
#include "protocol/postgres/options.h"
#include "protocol/postgres/pool.h"
#include "protocol/postgres/sql/parser.h"
#include "protocol/postgres/sql/shape.h"

namespace sallyport::postgres {

using net::Task;

/// One per worker. serve() runs for thousands of clients at once.
class Adapter {
 public:
  struct Shared {
    Guard& guard;
    const identity::Authenticator& authenticator;
    identity::Tickets& tickets;
    CancelDesk& cancels;
    PoolDesk& pools;
    CatalogDesk& catalogs;
    Random& random;
  };
  /// What is shared must outlive the adapter and every serve(). Fails if the SQL sandbox cannot be
  /// made.
  static Result<std::unique_ptr<Adapter>> make(std::shared_ptr<const Options> options,
                                               Shared shared);
  ~Adapter();

  /// For clients from now on; open sessions keep what they started with.
  void use(std::shared_ptr<const Options> options) {
    options_ = std::move(options);
    pool_.renew();
  }

  /// Serves one client until either side closes; on this worker from start to end.
  Task<void> serve(std::unique_ptr<net::Stream> client);

  std::size_t sessions() const { return open_.size(); }
  /// Ends every session that may not go on: whose credential was revoked and, if `policies`, whose
  /// chain the policies would no longer let connect. Returns when all have been told.
  Task<void> end_revoked(bool policies);
  /// Ends all sessions, each with its record; serve() of each returns soon after. No connection
  /// to a target is kept from then on.
  void end_all(std::string_view message);

 private:
  struct Live;

  Adapter(std::shared_ptr<const Options> options, Shared shared,
          std::unique_ptr<sql::Parser> parser);

  /// How a conversation ended, and whether its server connection can serve another.
  struct Ended {
    ledger::SessionEnd end;
    bool reset_begun = false;
    std::string_view why_not_reset = "ended";
  };

  // Not inlined: clang would put their frames into one, and a session that waits would hold all of
  // it.
  [[gnu::noinline]] Task<std::unique_ptr<LoggedIn>> log_in(std::unique_ptr<net::Stream> stream,
                                                           const Options& options,
                                                           SteadyTime deadline);
  Session session_of(LoggedIn& client);
  static std::shared_ptr<const Target> target_of(const LoggedIn& client, const Options& options,
                                                 Session& session);
  [[gnu::noinline]] Task<void> no_such_connection(LoggedIn& client, const Session& session);
  void closed(const Session& session, const ledger::SessionEnd& end);
  [[gnu::noinline]] Task<ledger::SessionEnd> run_session(std::unique_ptr<LoggedIn> client,
                                                         const Session& session,
                                                         const Options& options,
                                                         std::shared_ptr<const Target> target,
                                                         SteadyTime deadline);
  // The client has been told where these fail.
  [[gnu::noinline]] Task<std::expected<Permit, ledger::SessionEnd>> open(LoggedIn& client,
                                                                         const Session& session);
  [[gnu::noinline]] Task<std::expected<Pool::Lease, ledger::SessionEnd>> lease(
      LoggedIn& client, const Session& session, const Permit& permit,
      std::shared_ptr<const Target> target, bool read_only, SteadyTime deadline);
  /// Null where nothing is to be detected. Throws std::bad_alloc if there is no memory for one.
  std::shared_ptr<mask::Masker> masker_of(const Target& target);
  CancelDesk::Place enter_cancel_desk(const std::shared_ptr<Live>& live, std::size_t key_bytes);
  [[gnu::noinline]] static Task<Result<void>> greet(LoggedIn& client, const Session& session,
                                                    const Upstream& upstream,
                                                    const CancelDesk::Place& cancel);
  [[gnu::noinline]] Task<Ended> converse(std::unique_ptr<LoggedIn> client, const Session& session,
                                         const Permit& permit, Upstream& upstream,
                                         const Options& options,
                                         std::shared_ptr<const Target> target, bool read_only);
  Task<void> tell(LoggedIn& client, ErrorText error);
  void end_if_revoked(Live& live, bool policies);

  std::shared_ptr<const Options> options_;
  Shared shared_;
  std::unique_ptr<sql::Parser> parser_;
  sql::ShapeCache shapes_;
  policy::DecisionCache decisions_;
  Masking masking_;
  /// One for each way to detect that a connection has, shared by the sessions of this worker.
  std::vector<std::shared_ptr<mask::Masker>> maskers_;
  std::list<std::shared_ptr<Live>> open_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for end_revoked()
  std::list<net::Stream*> logging_in_;
  std::size_t clients_ = 0;
  Pool pool_;
};

}  // namespace sallyport::postgres

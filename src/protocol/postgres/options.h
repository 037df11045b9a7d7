#pragma once
// What an operator sets for PostgreSQL, checked when the configuration loads and immutable after.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mask/masker.h"
#include "net/tls.h"
#include "protocol/postgres/context.h"

namespace sallyport::postgres {

/// How the gateway may prove to a target who it is. A target that asks for something else is
/// refused before it hears anything: an impostor would ask for what it can use.
struct UpstreamAuth {
  bool none = true;  // the target asks for nothing
  bool scram = true;
  bool md5 = false;
  bool password = false;  // in the clear, and then only over TLS
};

/// How many connections to a target there may be, and which are kept for the next session.
struct PoolOptions {
  bool reuse = true;              // false: every session gets a connection of its own
  std::size_t max = 0;            // of all workers; 0: as many as there are sessions
  std::size_t idle_min = 0;       // per worker: so many are not closed for being idle
  std::size_t idle_max = 16;      // per worker
  std::chrono::seconds wait{10};  // for one of `max`
  std::chrono::seconds lifetime{3600};
  /// PostgreSQL's DROP DATABASE waits five seconds for the database to be free: shorter than that,
  /// no idle connection of ours is ever in its way.
  std::chrono::seconds idle{3};
};

/// Where a connection leads, and as whom the gateway logs in there.
struct Target {
  std::string connection;  // "shop"
  std::string host;
  std::uint16_t port = 5432;
  std::vector<std::string> databases;  // the first is the default; others are "shop/other"
  std::shared_ptr<const net::TlsClientContext> tls;  // null: plaintext
  std::string user;
  std::string password;
  UpstreamAuth auth;
  std::chrono::seconds connect_s_max{10};  // until the login there is done
  /// Settings of every session on the target (statement_timeout and the like): the operator's, not
  /// the client's.
  std::vector<std::pair<std::string, std::string>> settings;
  PoolOptions pool;
  ContextKey context;  // empty: the target is not told who a session is for
  /// 64 hex digits, for masks of the kind `hash`: a setting of every session.
  std::string mask_key;
  mask::Mode detect = mask::Mode::off;  // what becomes of what detectors find in answers
  mask::DetectorSet detectors;
  std::shared_ptr<const mask::Patterns> patterns;  // null if nothing is detected
  std::chrono::seconds catalog_refresh{60};        // how old what is known of its tables may get

  /// Whether a server process may serve one session after another. Not where it is told who a
  /// session is for: that is good for the process, so its next session could tell it again.
  bool reuse() const { return pool.reuse && !context; }

  /// search_path is only the default: who may change it is for the policies to say.
  bool fixes(std::string_view setting) const {
    return setting != "search_path" &&
           std::ranges::any_of(settings, [&](const auto& own) { return own.first == setting; });
  }
};

struct Options {
  std::shared_ptr<const net::TlsServerContext> tls;              // null: clients cannot use TLS
  std::map<std::string, std::shared_ptr<const Target>> targets;  // by connection

  std::size_t message_bytes_max = std::size_t{16} << 20;  // of a client's Query, Parse or Bind
  std::size_t session_bytes_max = std::size_t{64} << 20;  // statements, portals, unsent refusals
  std::size_t pipeline_max = 4096;                        // replies a client may be owed
  std::size_t sessions_max = 20'000;                      // per worker
  std::chrono::seconds login_s_max{30};                   // from accept to ReadyForQuery
  std::chrono::seconds idle_s_max{0};                     // 0: a session may wait for ever
  std::chrono::seconds approval_s_max{300};               // a statement waits for people
};

}  // namespace sallyport::postgres

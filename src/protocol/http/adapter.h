#pragma once
// HTTP: how Sallyport stands between a client and a web application or an API.
//
// A request goes through these files, in this order:
//   http1.cc, http2.cc  a client's connection and what it sends, as a Channel for each request
//   conversation.cc  which connection a request is for, our own pages
//   session.cc       who asks (a bearer token), the Session of that and its Permit
//   analyse.cc       what it asks for: an action on an Endpoint, and the head for the target
//   exchange.cc      its Permit, the bytes to the target, the answer back, streamed both ways
//   holding.cc       where people have to say yes first
//
// src/http has the message formats and does no I/O; fields.cc says which header fields pass.

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "guard/guard.h"
#include "identity/authenticator.h"
#include "identity/tickets.h"
#include "net/stream.h"
#include "policy/decision_cache.h"
#include "protocol/http/assertion.h"
#include "protocol/http/options.h"
#include "protocol/http/pool.h"

namespace sallyport::web {

class Conversation;
class Exchange;

/// One per worker. serve() runs for thousands of clients at once.
class Adapter {
 public:
  struct Shared {
    Guard& guard;
    const identity::Authenticator& authenticator;
    identity::Tickets& tickets;
    const Assertions& assertions;
    Random& random;
  };
  /// What is shared must outlive the adapter and every serve().
  Adapter(std::shared_ptr<const Options> options, Shared shared);
  ~Adapter();

  /// For requests from now on.
  void use(std::shared_ptr<const Options> options);

  /// Serves one client's connection until either side closes; on this worker from start to end.
  Task<void> serve(std::unique_ptr<net::Stream> client);

  std::size_t clients() const { return clients_; }
  /// Ends every session that may not go on, with the answer that is under way: whose credential was
  /// revoked and, if `policies`, whose chain the policies would no longer let connect.
  Task<void> end_revoked(bool policies);
  /// No further request on any connection: those that wait for one are closed.
  void drain();
  /// Ends everything; serve() of each returns soon after.
  void end_all();

 private:
  friend class Conversation;
  friend class Exchange;
  class Exchange;

  Task<void> serve_over(std::unique_ptr<net::Stream> client, bool tls, bool http2);

  /// Null where it looks for nothing. Shared by all who want the same.
  std::shared_ptr<mask::Masker> detectors_of(const Masking& masking);

  std::shared_ptr<const Options> options_;
  Shared shared_;
  std::vector<std::shared_ptr<mask::Masker>> detectors_;
  policy::DecisionCache decisions_;
  Pool pool_;
  std::list<std::shared_ptr<Conversation*>> open_;
  std::list<net::Stream*> securing_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for end_revoked()
  std::size_t clients_ = 0;
  bool draining_ = false;
};

}  // namespace sallyport::web

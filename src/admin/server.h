#pragma once
// Server: the admin port's HTTP/1.1 server on our own strict codec. It owns connections, deadlines
// and limits; what is answered is the router's business.

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "admin/router.h"
#include "base/clock.h"
#include "http/request_decoder.h"
#include "net/listener.h"
#include "net/signal.h"
#include "net/stream.h"
#include "net/task.h"
#include "net/tls.h"

namespace sallyport::admin {

struct ServerOptions {
  std::shared_ptr<const net::TlsServerContext> tls;  // null: plain
  std::chrono::milliseconds handshake_max{10'000};
  std::chrono::milliseconds header_max{10'000};  // from a request's first byte; else 408
  std::chrono::milliseconds body_max{30'000};    // from the end of its headers; else 408
  std::chrono::milliseconds idle_max{75'000};    // between requests
  std::chrono::milliseconds write_max{30'000};   // per response
  std::chrono::milliseconds linger_max{1'000};   // for the client to take in a refusal
  /// At the limit a newcomer takes the place of the longest connected client that is not being
  /// answered, so slow clients cannot keep others out.
  std::size_t connections_max = 512;
  http::RequestLimits request;
  /// Names (without port) that Host may have; others get 421. Empty: any. What keeps a web page
  /// from reaching a loopback port under a name of its own (DNS rebinding).
  std::vector<std::string> hosts;
};

/// Belongs to one worker's thread. An exception of a handler ends its connection and nothing else.
/// Must outlive its reactor, or its shutdown() that gave true.
class Server {
 public:
  /// `router` and `clock` outlive the server; the router is not changed any more.
  Server(const Router& router, ServerOptions options, const Clock& clock = system_clock());
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Accepts until shutdown() or until the listener breaks. To be spawned, once per listener.
  net::Task<void> serve(std::unique_ptr<net::Listener> listener);

  /// Serves one client to its end; with TLS if the options say so.
  net::Task<void> serve_client(std::unique_ptr<net::Stream> stream);

  /// For clients that come from now on.
  void set_tls(std::shared_ptr<const net::TlsServerContext> tls) { options_.tls = std::move(tls); }

  /// Stops accepting, closes idle connections, lets running requests finish within `grace`, then
  /// closes theirs. True when nothing is left; false if a handler still runs a second later.
  net::Task<bool> shutdown(std::chrono::nanoseconds grace);

  std::size_t connections() const { return clients_.size(); }

 private:
  struct Client {
    enum class State : std::uint8_t {
      waiting,    // nothing of a request has come
      receiving,  // or refused, and given time to read why
      answering,
      leaving,  // closed by us, gone at one of the next turns
    };
    net::Stream* stream = nullptr;
    State state = State::waiting;
  };
  class Attendance;  // a Client in clients_ for as long as it lives
  class Conversation;

  net::Task<void> attend(std::unique_ptr<Attendance> attendance,
                         std::unique_ptr<net::Stream> stream);
  bool make_room();
  void close_waiting();
  void close_all();

  const Router& router_;
  ServerOptions options_;
  const Clock& clock_;
  std::list<Client> clients_;            // oldest first
  std::list<net::Listener*> listeners_;  // those that serve() has
  net::Signal changed_;                  // a client or a listener went
  bool stopping_ = false;
};

}  // namespace sallyport::admin

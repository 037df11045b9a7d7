#include "admin/server.h"

#include <algorithm>
#include <utility>

#include "admin/conversation.h"
#include "base/log.h"
#include "base/metrics.h"
#include "net/reactor.h"

namespace sallyport::admin {
namespace {

constexpr std::chrono::seconds last_wait{1};

metrics::Gauge& open_connections() {
  static auto& gauge =
      metrics::gauge("sallyport_admin_connections", "Open connections of the admin port.");
  return gauge;
}
metrics::Counter& dropped_connections() {
  static auto& counter =
      metrics::counter("sallyport_admin_dropped_connections_total",
                       "Connections of the admin port closed because there were too many.");
  return counter;
}

}  // namespace

class Server::Attendance {
 public:
  Attendance(Server& server, net::Stream& stream)
      : server_(server), at_(server.clients_.insert(server.clients_.end(), Client{&stream})) {}
  Attendance(const Attendance&) = delete;
  Attendance& operator=(const Attendance&) = delete;
  ~Attendance() {
    server_.clients_.erase(at_);
    server_.changed_.notify();
  }

  Client& client() { return *at_; }

 private:
  Server& server_;
  std::list<Client>::iterator at_;
  metrics::InFlight counted_{open_connections()};
};

Server::Server(const Router& router, ServerOptions options, const Clock& clock)
    : router_(router), options_(std::move(options)), clock_(clock) {}

net::Task<void> Server::serve(std::unique_ptr<net::Listener> listener) {
  struct Leave {
    Server& server;
    std::list<net::Listener*>::iterator at;
    ~Leave() {
      server.listeners_.erase(at);
      server.changed_.notify();
    }
  } const leave{*this, listeners_.insert(listeners_.end(), listener.get())};

  while (!stopping_) {
    auto stream = co_await listener->accept();
    if (!stream) {
      if (stream.error().code != Errc::closed) {
        log::error("admin listener failed", {{"error", stream.error().detail}});
      }
      co_return;
    }
    const bool room = make_room();
    if (room) net::Reactor::current().spawn("admin client", serve_client(std::move(*stream)));
  }
}

// Counted before the coroutine starts, so that a burst of clients in one turn meets the limit.
net::Task<void> Server::serve_client(std::unique_ptr<net::Stream> stream) {
  auto attendance = std::make_unique<Attendance>(*this, *stream);
  return attend(std::move(attendance), std::move(stream));
}

net::Task<void> Server::attend(std::unique_ptr<Attendance> attendance,
                               std::unique_ptr<net::Stream> stream) {
  auto& client = attendance->client();
  if (options_.tls) {
    const auto deadline = net::Reactor::current().now() + options_.handshake_max;
    const auto peer = stream->peer();
    auto secured = co_await net::tls_accept(std::move(stream), options_.tls, deadline);
    if (!secured) {
      log::debug("admin TLS handshake failed",
                 {{"error", secured.error().detail}, {"client", peer.ip}});
      co_return;
    }
    stream = std::move(*secured);
    client.stream = stream.get();
  }
  Conversation conversation(*this, client);
  co_await conversation.run();
  stream->close();
}

/// Whether one more client may come.
bool Server::make_room() {
  if (clients_.size() < options_.connections_max) return true;
  dropped_connections().add();
  using State = Client::State;
  for (const auto state : {State::waiting, State::receiving}) {
    const auto client = std::ranges::find(clients_, state, &Client::state);
    if (client == clients_.end()) continue;
    client->stream->close();
    client->state = State::leaving;
    return true;
  }
  return false;
}

void Server::close_waiting() {
  for (auto& client : clients_) {
    if (client.state == Client::State::waiting) client.stream->close();
  }
}

void Server::close_all() {
  for (auto& client : clients_) client.stream->close();
}

net::Task<bool> Server::shutdown(std::chrono::nanoseconds grace) {
  stopping_ = true;
  for (auto* listener : listeners_) listener->close();
  close_waiting();
  auto& reactor = net::Reactor::current();
  const auto soft = reactor.now() + grace;
  for (const auto deadline : {soft, soft + last_wait}) {
    while (!clients_.empty() || !listeners_.empty()) {
      const bool in_time = co_await changed_.wait_until(deadline);
      if (!in_time) break;
    }
    close_all();
  }
  co_return clients_.empty() && listeners_.empty();
}

}  // namespace sallyport::admin

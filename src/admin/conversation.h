#pragma once
// Server::Conversation: the requests of one connection, one after the other. Inside admin/ only.

#include <optional>
#include <string>

#include "admin/server.h"
#include "http/encoder.h"

namespace sallyport::admin {

class Server::Conversation {
 public:
  /// `client.stream` is connected and secured; both outlive the conversation.
  Conversation(Server& server, Client& client);

  /// Ends when the connection does, or should.
  net::Task<void> run();

 private:
  net::Task<std::optional<http::Request>> receive();
  net::Task<bool> read_more();
  net::Task<bool> answer(http::Request request);
  net::Task<http::Response> respond(const Router::Match& match, http::Request request);
  net::Task<void> refuse(int status, std::string reason);
  net::Task<bool> send(http::Response response, http::ResponseForm form);
  net::Task<void> linger();
  bool serves_host(const http::Request& request) const;
  SteadyTime read_deadline() const;

  Server& server_;
  Client& client_;
  net::Stream& stream_;
  http::RequestDecoder decoder_;
  net::Chunk chunk_;  // what input_ points into
  Bytes input_;       // received and not yet decoded
  SteadyTime phase_began_;
  enum class Phase : std::uint8_t { idle, header, body } phase_ = Phase::idle;
  bool continued_ = false;  // "100 Continue" was sent for this request
};

}  // namespace sallyport::admin

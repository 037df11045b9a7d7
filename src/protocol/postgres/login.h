#pragma once
// Login: everything before a session exists. TLS, one startup message, and who the client is.
// Bounded in time and bytes, because nothing here is authenticated.

#include <memory>
#include <optional>
#include <string>

#include "guard/guard.h"
#include "identity/authenticator.h"
#include "identity/tickets.h"
#include "net/stream.h"
#include "protocol/postgres/cancel.h"
#include "protocol/postgres/options.h"
#include "protocol/postgres/reader.h"
#include "protocol/postgres/settings.h"

namespace sallyport::postgres {

using net::Task;

/// A client that has proved who it is, and has not been told so yet.
struct LoggedIn {
  std::unique_ptr<net::Stream> stream;
  std::shared_ptr<const MessageLimits> limits;  // the reader's
  std::unique_ptr<MessageReader> reader;
  StartupSettings settings;
  identity::Credential credential;
  std::string connection;
  std::string database;  // empty: the connection's default
  bool tls = false;
  std::size_t cancel_key_bytes = 4;
  ByteVector greeting;  // the last message of authentication, for AuthenticationOk to follow
};

class Login {
 public:
  /// All must outlive run().
  Login(const Options& options, Guard& guard, const identity::Authenticator& authenticator,
        identity::Tickets& tickets, CancelDesk& cancels, Random& random)
      : options_(options),
        guard_(guard),
        authenticator_(authenticator),
        tickets_(tickets),
        cancels_(cancels),
        random_(random) {}

  /// nullopt: there will be no session, and the client has been told why, or it wanted none (a
  /// cancel request).
  Task<std::optional<LoggedIn>> run(std::unique_ptr<net::Stream> stream, SteadyTime deadline);

 private:
  struct Denied {
    std::string_view sqlstate;
    std::string message;
    std::string hint;
    std::string reason;  // for the operator; the message if empty
  };
  struct Scrammed {
    identity::Credential credential;
    std::string last_message;
  };

  Task<Result<std::optional<StartupMessage>>> open(LoggedIn& client, SteadyTime deadline);
  Task<Result<void>> secure(LoggedIn& client, SteadyTime deadline);
  Task<std::expected<void, Denied>> authenticate(LoggedIn& client);
  Task<std::expected<identity::Credential, Denied>> by_token(LoggedIn& client);
  Task<std::expected<Scrammed, Denied>> by_ticket(LoggedIn& client);
  Task<std::expected<ByteVector, Denied>> password_message(LoggedIn& client);
  Task<std::expected<void, Denied>> say(LoggedIn& client, const ByteVector& message);
  Task<void> turn_away(LoggedIn& client, Denied denied);
  Task<Result<void>> negotiate(LoggedIn& client, std::uint32_t version);

  const Options& options_;
  Guard& guard_;
  const identity::Authenticator& authenticator_;
  identity::Tickets& tickets_;
  CancelDesk& cancels_;
  Random& random_;
  ByteVector server_end_point_;
  std::optional<ByteVector> certificate_sha256_;  // of the client's, if it showed one
  std::string method_;
  std::string claimed_user_;  // without its suffix
  bool token_ = false;        // user=alice#jwt
};

}  // namespace sallyport::postgres

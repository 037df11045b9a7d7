#pragma once
// What the commands that talk to a gateway share: which one, with which token, and how a failure is
// told.

#include <cstdint>
#include <string>
#include <string_view>

#include <CLI/App.hpp>

#include "base/result.h"
#include "cli/client_http.h"
#include "identity/json.h"

namespace sallyport::cli {

inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;
inline constexpr int exit_not_logged_in = 3;

/// --gateway, --ca and --json, and what the environment and the last login say where they are
/// missing: SALLYPORT_GATEWAY, SALLYPORT_TOKEN and SALLYPORT_CA.
struct ClientOptions {
  std::string gateway;
  std::string ca_file;
  bool json = false;

  void add_to(CLI::App& command);
};

/// A gateway and a token for it.
class Client {
 public:
  /// Renews the saved token if it is about to end. Fails with denied if nobody is logged in.
  static Result<Client> open(const ClientOptions& options);

  /// The answer's JSON; fails with what the gateway's problem document says.
  Result<identity::Json> get(std::string_view path) const;
  Result<identity::Json> post(std::string_view path, std::string json) const;
  Result<identity::Json> remove(std::string_view path) const;

  const std::string& ca_file() const { return ca_file_; }

 private:
  Result<identity::Json> call(HttpAsk ask) const;

  std::string gateway_;
  std::string ca_file_;
  std::string token_;
};

struct Ticket {
  std::string text;
  std::string user;
  std::string connection;
  std::string host;
  std::uint16_t port = 0;
  std::string database;
  std::string url;  // of an HTTP connection, no slash behind; else empty
  std::string expires_at;
  std::string ca_file;  // as the client knows the gateway by; empty: the system's
};
/// What a session is for: --ticket, --reason and --break-glass.
struct StatedOptions {
  std::string ticket;
  std::string reason;
  bool break_glass = false;

  void add_to(CLI::App& command);
};
Result<Ticket> fetch_ticket(const ClientOptions& options, const std::string& connection,
                            const StatedOptions& stated = {});

/// How libpq is told of a ticket: PGHOST, PGPASSWORD and the like.
std::vector<std::pair<std::string, std::string>> libpq_environment(const Ticket& ticket);
/// postgresql://user:ticket@host:port/database?sslmode=verify-full...
std::string libpq_url(const Ticket& ticket);
/// For a POSIX shell, in single quotes where it needs them.
std::string shell_quote(std::string_view text);

/// As JSON text again, for --json.
std::string as_json(const identity::Json& json);

/// Prints the error to stderr and ends the command with its exit code.
[[noreturn]] void give_up(const Error& error);

}  // namespace sallyport::cli

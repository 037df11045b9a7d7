#pragma once
// What the payload of each kind of record says: builders from the core types, and the way back for
// readers. Strings come out as valid UTF-8 with control characters escaped. Nothing secret may be
// passed in: a command text that sets a password is redacted by who analysed it.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "core/model.h"

namespace sallyport::ledger {

std::string session_start_payload(const Session& session);

struct SessionEnd {
  std::string reason;  // "client", "revoked", "expired", "shutdown", "error" ...
  std::string detail;  // for the operator, or empty
  std::uint64_t commands = 0;
  std::uint64_t refused = 0;
  std::chrono::microseconds duration{};
};
std::string session_end_payload(const Session& session, const SessionEnd& end);

/// A permitted command, with the decision. `command.raw` is not recorded.
std::string command_payload(const Session& session, const Command& command,
                            const Decision& decision);

/// `command_sequence` is the sequence of the command's record.
std::string outcome_payload(std::uint64_t command_sequence, const Outcome& outcome,
                            std::chrono::microseconds duration);

std::string refusal_payload(const Session& session, const Command& command,
                            const Decision& decision, const Refusal& refusal);

/// A client that was turned away before it had a session. Everything it said is unverified.
struct LoginRefused {
  std::string protocol;
  std::string connection;  // as asked for
  std::string user;        // as claimed
  std::string method;      // "ticket", "jwt" ... or empty
  std::string reason;
  std::string source_ip;
  std::uint16_t source_port = 0;
  bool tls = false;
};
std::string login_refused_payload(const LoginRefused& refused);

struct AdminChange {
  std::string who;     // Chain::to_string(), or "gateway"
  std::string action;  // "policies.reload"
  std::string target;
  std::string detail;
};
std::string admin_change_payload(const AdminChange& change);

/// Start, stop and reload of the gateway, and the ledger's own recoveries.
struct GatewayEvent {
  std::string event;
  std::string detail;
};
std::string gateway_payload(const GatewayEvent& event);

// The way back. Unknown fields are ignored, so that an old reader reads a newer log; a missing or
// mistyped field is malformed.

struct CommandRecord {
  Command command;
  Decision decision;
};
struct RefusalRecord {
  Command command;
  Decision decision;
  Refusal refusal;
};
struct OutcomeRecord {
  std::uint64_t command_sequence = 0;
  Outcome outcome;
  std::chrono::microseconds duration{};
};

Result<Session> parse_session_start(std::string_view session_id, std::string_view payload);
Result<SessionEnd> parse_session_end(std::string_view payload);
Result<CommandRecord> parse_command(std::string_view payload);
Result<OutcomeRecord> parse_outcome(std::string_view payload);
Result<RefusalRecord> parse_refusal(std::string_view payload);
Result<LoginRefused> parse_login_refused(std::string_view payload);
Result<AdminChange> parse_admin_change(std::string_view payload);
Result<GatewayEvent> parse_gateway(std::string_view payload);

}  // namespace sallyport::ledger

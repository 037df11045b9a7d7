#pragma once
// Record: one entry of the ledger, as a caller gives it and as a reader gets it back.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace sallyport::ledger {

/// The numbers are on disk: never reuse one.
enum class RecordKind : std::uint8_t {
  session_start = 1,
  session_end = 2,
  command = 3,        // a command that was permitted, with its decision
  outcome = 4,        // how a permitted command ended
  refusal = 5,        // a command that was refused, with its decision
  login_refused = 6,  // a client that never became a session
  admin_change = 7,
  recovery = 8,  // written by the ledger itself: a torn tail was cut, or records were lost
  gateway = 9,   // start, stop, reload
};

std::string_view to_string(RecordKind kind);
std::optional<RecordKind> record_kind_from(std::string_view name);
std::optional<RecordKind> record_kind_from(std::uint8_t number);

/// `payload` is the text of a JSON object; payloads.h builds and reads them.
struct Record {
  RecordKind kind = RecordKind::gateway;
  std::string session;  // the session's id, or empty; at most 255 bytes
  std::string payload;
  WallTime time{};  // zero: the ledger's clock says
};

}  // namespace sallyport::ledger

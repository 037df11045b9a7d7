#pragma once
// The context of a question, as BaseCtx, SqlCtx and HttpCtx of the schema have it.

#include <optional>

#include "base/clock.h"
#include "base/result.h"
#include "cedar/value.h"
#include "core/model.h"

namespace sallyport::policy {

/// How far ahead of this clock the time of a log-in may be.
constexpr std::chrono::seconds clock_skew_max{60};

struct Contexts {
  cedar::Value base;
  cedar::Value command;  // with what the command says of itself; none when it says nothing
};

/// In `arena`, borrowing texts of session, command and approval, which may be null. Fails on an
/// address that is none.
Result<Contexts> contexts(const Session& session, const Command& command, WallTime now,
                          cedar::Arena& arena, const Approval* approval = nullptr);

/// The parts of it: what is the same for all commands of a session, and what a command says of
/// itself (a record with "stmt" in it, or with "host", "query" ...); nullopt if it says nothing.
Result<cedar::Value> session_context(const Session& session, WallTime now, cedar::Arena& arena);
std::optional<cedar::Value> command_context(const Command& command, cedar::Arena& arena);
/// Whether an attribute of the context is one of command_context().
bool is_of_command(std::string_view attribute);

}  // namespace sallyport::policy

#pragma once
// Guard: the only road from a client's command to a target. It decides (policy/), and records
// (ledger/); it knows no protocol.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "core/model.h"
#include "ledger/ledger.h"
#include "ledger/payloads.h"
#include "net/task.h"

namespace sallyport {

using net::Task;

namespace approval {
class Desk;
struct Request;
}  // namespace approval
namespace policy {
class DecisionCache;
class Policies;
}  // namespace policy
class Guard;

/// Proof that a command was decided on and recorded. Only Guard makes one, and every function that
/// sends bytes to a target takes one, so a protocol that forgets to ask does not compile.
/// Each is settled exactly once: by Guard::settle, or, when a session breaks off, by its destructor
/// as a command whose end nobody saw.
class Permit {
 public:
  Permit(Permit&& other) noexcept;
  Permit& operator=(Permit&&) = delete;
  ~Permit();

  const Command& command() const { return held_->command; }
  /// The bytes to send, once: a second call gives none.
  ByteVector take_bytes() { return std::exchange(held_->command.raw, {}); }
  /// The sequence of its record in the ledger.
  std::uint64_t sequence() const { return held_->sequence; }

 private:
  friend class Guard;
  struct Held {
    std::string session;
    std::uint64_t sequence;
    Command command;
    SteadyTime started;
  };
  Permit(Guard& guard, Held held);

  Guard* guard_;                // null once settled
  std::unique_ptr<Held> held_;  // apart, for a Permit is moved many times
};

struct GuardOptions {
  /// `ledger.reads`: whether an answer waits until its record is safe from a power cut, or only
  /// from the end of this process. Writes always wait for the disk before they are sent.
  enum class Reads : std::uint8_t { durable, written };
  Reads reads = Reads::durable;
  approval::Desk* approvals = nullptr;  // null: what lacks an approval is refused
  /// Why a session's credential is no longer good, for the client, or nothing. Asked at every
  /// command, so it must not wait. Empty: none is ever revoked.
  std::function<std::optional<std::string>(const Session&)> revoked;
  /// A session under break-glass is about to begin: tells people, and keeps that it awaits a
  /// review. `policies`: that let it. It does not begin if this fails.
  std::function<Result<void>(const Session&, const std::vector<std::string>& policies)> break_glass;
};

/// A command that lacks an approval and nothing else. Not recorded yet.
struct HeldCommand {
  Command command;
  Decision decision;
};

/// Shared by all workers.
class Guard {
 public:
  /// `ledger` and `clock` must outlive the guard and every Permit.
  Guard(std::shared_ptr<const policy::Policies> policies, Ledger& ledger, const Clock& clock,
        GuardOptions options = {});
  ~Guard();

  /// Why an open session must end now, or nothing: its credential was revoked, or the policies in
  /// force would not let its chain connect.
  std::optional<std::string> must_end(const Session& session) const;
  /// The first of the two alone, which costs next to nothing.
  std::optional<std::string> revoked(const Session& session) const;

  /// Replaces the policies for every command from now on, of open sessions too.
  void use(std::shared_ptr<const policy::Policies> policies);
  std::shared_ptr<const policy::Policies> policies() const;

  /// False when no policy could let the whole chain change anything on this connection: such a
  /// session runs in read-only transactions, so that the server refuses what analysis missed.
  bool may_write(const Session& session) const;

  /// Records the session and decides whether it may exist. The Permit is the session's own: it
  /// covers what the gateway itself says to the target (its login, its goodbye, its synchronising),
  /// and is settled when the session ends.
  Task<std::expected<Permit, Refusal>> open(const Session& session, Command connect);

  /// Decides, and writes the command to the ledger before it returns a Permit. A command that is
  /// not known to be read-only is on disk by then. A ledger that cannot be written refuses.
  /// `cache` is the worker's own, or null: then the policies are asked. With `held`, a command that
  /// lacks an approval is put there, and the refusal means nothing.
  Task<std::expected<Permit, Refusal>> authorize(const Session& session, Command command,
                                                 policy::DecisionCache* cache = nullptr,
                                                 std::optional<HeldCommand>* held = nullptr);

  /// To prepare is not to run: what lacks an approval may be prepared.
  Task<std::expected<Permit, Refusal>> authorize_preparation(const Session& session,
                                                             Command command,
                                                             policy::DecisionCache* cache);

  /// A command that was held, with what people said: decided once more by what holds now, and if it
  /// may run, the approval is used up before it does. `request` is for exactly this command.
  Task<std::expected<Permit, Refusal>> authorize_approved(const Session& session, Command command,
                                                          const approval::Request& request);
  /// The end of one that got no approval.
  Refusal refuse(const Session& session, const HeldCommand& held, Refusal refusal);

  /// Null: nobody can be asked.
  approval::Desk* approvals() const { return options_.approvals; }

  /// Which safeguards the whole chain may switch off (`reveal`, `unfilter`): the same questions as
  /// of a command, of which nothing is recorded. authorize() refuses a command whose safeguards
  /// were decided by other policies than those that are in force by then.
  std::shared_ptr<const Decision> safeguards(const Session& session, const CommandContext& context,
                                             std::vector<Action> actions,
                                             policy::DecisionCache* cache) const;

  /// For what the gateway says to a target on its own account, with no word of a client in it:
  /// reading what a database defines. Recorded as an event, and not decided.
  std::expected<Permit, Refusal> own(const std::string& event, const std::string& detail);

  /// Records that an invariant did not hold in this session, and tells the operator.
  void alert(const Session& session, const std::string& event, const std::string& detail);

  /// Refuses what could not even be analysed, and records that.
  Refusal refuse(const Session& session, const Command& command, Refusal refusal);

  /// The same for what was understood, but cannot be masked. What the policies deny anyway is
  /// denied by them.
  Refusal refuse_understood(const Session& session, const Command& command, Refusal refusal,
                            policy::DecisionCache* cache);

  /// Completes when the answer to this command may be released to the client. Fails if its record
  /// can no longer be made safe: then nothing of the answer may leave.
  Task<Result<void>> recorded(const Permit& permit);
  /// True if recorded() would succeed at once, without the price of a coroutine.
  bool recorded_now(const Permit& permit);

  /// Writes how the command ended. The client sees the end only after this has succeeded.
  Result<void> settle(Permit permit, const Outcome& outcome);

  /// The last record of a session that was opened, permitted or not.
  void close(const Session& session, const ledger::SessionEnd& end);

  /// Records a change of who may do what. Completes when it is on disk; only then may it be made.
  Task<Result<void>> change(ledger::AdminChange change);

  /// A client that was turned away before it had a session.
  void login_refused(const ledger::LoginRefused& refused);

  const Clock& clock() const { return clock_; }
  /// Permits that are not settled yet: sessions and commands that are under way.
  std::size_t permits_open() const { return permits_open_; }

 private:
  friend class Permit;

  /// Why the command may not even be decided: its session is over, or its safeguards are not those
  /// of the policies in force.
  std::optional<Refusal> outdated(const Session& session, const Command& command,
                                  const policy::Policies& in_force, WallTime now);
  std::expected<Permit, Refusal> record(const Session& session, Command command,
                                        const Decision& decision, SteadyTime started);
  /// The Permit of what may not be sent before its record is on disk, once it is.
  Task<std::expected<Permit, Refusal>> on_disk(Permit permit);
  Refusal refuse(const Session& session, const Command& command, const Decision& decision,
                 Refusal refusal);
  ledger::Commit commit_of(const Command& command) const;
  void abandon(Permit& permit) noexcept;
  Result<void> append_outcome(Permit& permit, const Outcome& outcome);

  std::atomic<std::shared_ptr<const policy::Policies>> policies_;
  Ledger& ledger_;
  const Clock& clock_;
  GuardOptions options_;
  std::atomic<std::size_t> permits_open_ = 0;
};

}  // namespace sallyport

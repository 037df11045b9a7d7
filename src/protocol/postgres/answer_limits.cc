// How much of an answer a chain gets that may not `unlimited` on all that it comes from. The row
// that is too much is not shown, and the client gets an error instead, as it would of a server;
// what the server says still is not for it.

#include <algorithm>
#include <iterator>

#include "base/metrics.h"
#include "core/resource_id.h"
#include "policy/policies.h"
#include "protocol/postgres/conversation.h"

namespace sallyport::postgres {
namespace {

constexpr std::size_t asked_at_once_max = 64;
// The first and the last message of a COPY may be no rows: a header, a trailer.
constexpr std::uint64_t copy_messages_beside_rows_max = 2;

metrics::Counter& cut_off_counter() {
  static metrics::Counter& counter = metrics::counter(
      "sallyport_answers_cut_off_total", "Answers longer than the limits of their connection.");
  return counter;
}

/// What an answer may come from: relations by their names, all else as the connection.
std::vector<Resource> sources(const Session& session, const Command& command) {
  std::vector<Resource> all;
  const auto* const sql = std::get_if<SqlContext>(&command.context);
  bool unseen = sql != nullptr && sql->dynamic_sql;
  for (const Action& action : command.actions) {
    if (action.resource.type == "Table") {
      all.push_back(action.resource);
    } else if (action.name.starts_with("sql:") && action.name != "sql:set") {
      unseen = true;
    }
  }
  std::ranges::sort(all);
  all.erase(std::ranges::unique(all).begin(), all.end());
  if (unseen) all.push_back({"Connection", resource_id({session.connection})});
  return all;
}

std::string described(const policy::AnswerLimits& most) {
  std::string text = "at most ";
  if (most.rows_max > 0) text += std::to_string(most.rows_max) + " rows";
  if (most.rows_max > 0 && most.bytes_max > 0) text += " and ";
  if (most.bytes_max > 0) text += std::to_string(most.bytes_max) + " bytes";
  return text;
}

}  // namespace

/// Asks the policies, where the connection has limits.
void Conversation::limit(Asked& asked) {
  asked.limited.reset();
  std::erase_if(asked.command.safeguards,
                [](const Safeguard& one) { return one.action.name == "unlimited"; });
  if (asked.refusal) return;
  const auto policies = guard_.policies();
  const policy::ConnectionFacts* const facts = policies->connection(session_.connection);
  if (facts == nullptr) return;
  const policy::AnswerLimits& most = facts->answer_limits;
  if (most.rows_max == 0 && most.bytes_max == 0) return;
  std::vector<Action> actions;
  for (Resource& source : sources(session_, asked.command)) {
    actions.push_back({"unlimited", std::move(source)});
  }
  bool lifted = true;
  for (std::size_t from = 0; from < actions.size() && lifted; from += asked_at_once_max) {
    const auto begin = actions.begin() + static_cast<std::ptrdiff_t>(from);
    const auto count = std::min(asked_at_once_max, actions.size() - from);
    const auto decision =
        guard_.safeguards(session_, asked.command.context,
                          {begin, begin + static_cast<std::ptrdiff_t>(count)}, &decisions_);
    lifted = decision->verdict == Verdict::allow;
  }
  if (lifted) return;
  asked.limited = {.most = most, .given = asked.given};
  asked.command.safeguards.push_back({.action = actions.front(), .effect = described(most)});
}

/// It is not for the client: too much, or behind what was too much.
bool Conversation::withheld(Reply& head, const Message& message) {
  if (client_out_.muted()) return true;
  const bool of_portal = head.expect == Expect::execute;
  const std::optional<Limited>& limited = of_portal ? head.portal->limited : head.limited;
  if (!limited) return false;
  // Of a long message this is the first piece.
  const std::uint64_t bytes = std::uint64_t{1} + read_u32(message.raw.subspan(1));
  const std::uint64_t beside =
      message.type == backend::copy_data ? copy_messages_beside_rows_max : 0;
  bool too_much = false;
  const auto count = [&](Given& given) {
    given.rows += message.type == backend::function_result ? 0 : 1;
    given.bytes += bytes;
    const policy::AnswerLimits& most = limited->most;
    too_much = too_much || (most.rows_max > 0 && given.rows > most.rows_max + beside) ||
               (most.bytes_max > 0 && given.bytes > most.bytes_max);
  };
  count(of_portal ? head.portal->given : head.given);
  for (const auto& given : limited->given) count(*given);
  if (too_much) cut_off(head, limited->most);
  return too_much;
}

void Conversation::cut_off(Reply& head, const policy::AnswerLimits& most) {
  cut_off_counter().add();
  piece_open_ = false;
  const bool extended = head.expect == Expect::execute;
  const std::string message =
      "the answer is longer than you may have on this connection: " + described(most);
  // Up to its Sync the client will take everything for undone, and the server has not heard of it.
  const auto changes = [](const Reply& reply) {
    const Permit* const permit = permit_of(reply);
    return permit != nullptr && !permit->command().read_only;
  };
  const auto sync = std::ranges::find(replies_, Expect::sync, &Reply::expect);
  const auto behind = extended ? sync : std::next(replies_.begin());
  if ((extended && batch_changed_) || std::any_of(replies_.begin(), behind, changes)) {
    return end("limit", "54000", message + "; what the statement changed may hold");
  }
  append_error(client_out_.end(),
               {.severity = "ERROR",
                .sqlstate = "54000",
                .message = message,
                .detail = "",
                .hint = "ask for fewer rows at a time, or for the right to `unlimited`"});
  head.cut_off = true;
  client_out_.mute();
  muted_until_ = extended ? Expect::sync : Expect::query;
  if (extended && sync == replies_.end()) skipping_ = true;
  // A cancel that comes late must not meet another command.
  cancel_wanted_ = std::none_of(std::next(replies_.begin()), replies_.end(),
                                [](const Reply& reply) { return permit_of(reply) != nullptr; });
}

}  // namespace sallyport::postgres

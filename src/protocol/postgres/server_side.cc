// The server's side of a conversation: every message belongs to the reply at the head of the queue,
// or is one of the three that a server may send at any time. Anything else ends the session: a
// reply that is attributed to the wrong command would pass the wrong command's decision.

#include <algorithm>
#include <array>

#include "base/log.h"
#include "net/reactor.h"
#include "protocol/postgres/conversation.h"
#include "protocol/postgres/settings.h"

namespace sallyport::postgres {
namespace {

constexpr std::size_t client_flush_bytes = 64 * 1024;
constexpr std::chrono::seconds cancel_s_max{2};
// To Upstream::set_label(), before ReadyForQuery.
constexpr std::array label_answers{backend::parse_complete, backend::bind_complete,
                                   backend::command_complete, backend::close_complete};

bool copies_to_client(const sql::Analysis& analysis) {
  return std::ranges::any_of(analysis.statements, [](const sql::Statement& statement) {
    return statement.kind == "copy_to" && statement.copy == sql::CopyEnd::client;
  });
}

Result<void> unexpected(const Message& message, std::string_view where) {
  return fail(Errc::malformed,
              std::string("the target sent '") + message.type + "' " + std::string(where));
}

/// Whatever the server said: the client did not get it all.
void note_cut_off(Outcome& outcome) {
  outcome.failed = true;
  outcome.error = "54000";
}

/// Of the command whose answer is coming.
Outcome& outcome_of(Reply& head) {
  return head.portal && head.portal->outcome ? *head.portal->outcome : head.outcome;
}

Result<std::string_view> tag_of(const Message& message) {
  FieldReader reader(message.body);
  const std::string_view tag = reader.text();
  if (!reader.finished()) return fail(Errc::malformed, "CommandComplete of the target");
  return tag;
}

}  // namespace

const Permit* permit_of(const Reply& reply) {
  if (reply.permit) return &*reply.permit;
  return reply.portal != nullptr && reply.portal->permit ? &*reply.portal->permit : nullptr;
}

Task<Result<void>> Conversation::server_side() {
  while (!ended_) {
    auto message = upstream_.reader().poll();
    if (message && *message) {
      Result<void> handled = ok();
      if (!release_now()) handled = co_await release();
      if (handled && !ended_) handled = on_server(**message);
      if (!handled) {
        end_for(handled.error());
        break;
      }
      if (std::exchange(cancel_wanted_, false)) {
        (void)co_await upstream_.cancel(permit_, net::Reactor::current().now() + cancel_s_max);
      }
      if (client_out_.size() < client_flush_bytes) continue;
    } else if (!message) {
      end_for(message.error());
      break;
    }
    if (!client_flushed()) {
      auto flushed = co_await flush_client();
      if (!flushed) {
        stop("client", flushed.error().detail);
        break;
      }
    }
    if (*message) continue;
    auto chunk = co_await upstream_.reader().receive();
    if (!chunk) {
      end("target", "08006", "the connection to the target was lost");
      break;
    }
    upstream_.reader().begin_with(*std::move(chunk));
  }
  // What was released may still be on its way: a refusal, or the server's own last words.
  (void)co_await flush_client();
  client_.close();
  if (!reset_begun_) upstream_.stream().close();
  progress_.notify();
  co_return ok();
}

/// What the server said is not to be trusted, or what it was asked cannot be recorded.
void Conversation::end_for(const Error& problem) {
  log::warn(
      "session ended by its target",
      {{"session", session_.id}, {"connection", session_.connection}, {"detail", problem.detail}});
  if (problem.code == Errc::io) {
    end("ledger", "58000", "the gateway cannot record this session, so it ends");
  } else if (problem.code == Errc::unavailable) {
    end("detectors", "58000",
        "an answer could not be looked through for what it must not show, so this session ends");
  } else {
    end("target", "08006", "the target does not speak as it should");
  }
}

/// A message of the server's, as it came.
void Conversation::pass_to_client(const Message& message) {
  if (upstream_.reader().holds(message.raw)) {
    client_out_.pass(message.raw);
  } else {
    client_out_.add(message.raw);
  }
}

/// release_now() was true.
Result<void> Conversation::on_server(const Message& message) {
  Reply* const head = replies_.empty() ? nullptr : &replies_.front();
  if (detection_ && (message.type == backend::error || message.type == backend::notice ||
                     message.type == backend::notification)) {
    auto hidden = detection_->told(message);
    if (!hidden) return fail(hidden);
    detection_->note(head == nullptr ? nullptr : &outcome_of(*head));
    return on_message(head, *hidden);
  }
  return on_message(head, message);
}

Result<void> Conversation::on_message(Reply* head, const Message& message) {
  if (!message.first) {
    if (head == nullptr) return unexpected(message, "with nothing asked");
    return on_piece(*head, message);
  }
  piece_open_ = !message.last;
  switch (message.type) {
    case backend::parameter_status:
    case backend::notice:
    case backend::notification:
      return on_unasked(message);
    default:
      break;
  }
  if (head == nullptr) {
    if (message.type != backend::error) return unexpected(message, "with nothing asked");
    // The server's own reason to end the session: "terminating connection due to ...".
    if (auto fields = error_fields(message.body); !fields) return fail(fields);
    error_to_client(message, nullptr);
    stop("target", describe_error(message.body));
    return ok();
  }
  return on_answer(*head, message);
}

Result<void> Conversation::on_unasked(const Message& message) {
  // It belongs to no answer, so it is for the client whatever of an answer is not.
  struct Heard {
    ClientOut& out;
    const bool muted = out.muted();
    explicit Heard(ClientOut& to) : out(to) {
      if (muted) out.unmute();
    }
    ~Heard() {
      if (muted) out.mute();
    }
  } const heard(client_out_);
  if (message.type == backend::parameter_status) {
    auto status = parameter_status_body(message.body);
    if (!status) return fail(status);
    if (auto pinned = check_pinned(status->name, status->value); !pinned) return fail(pinned);
    upstream_.note_report(status->name, status->value);
    if (status->name == "application_name") label_lost_ = status->value != label_;
    // These tell of the gateway's own login and label.
    if (status->name == "session_authorization" || status->name == "application_name" ||
        !is_reported(status->name)) {
      return ok();
    }
  } else if (message.type == backend::notice) {
    if (auto fields = error_fields(message.body); !fields) return fail(fields);
    if (notice_to_client(message)) return ok();
  } else {
    if (auto checked = check_notification(message.body); !checked) return fail(checked);
    if (guarded_) return ok();
  }
  pass_to_client(message);
  return ok();
}

/// True if what the server says now may be looked at: it answers nothing, or what is recorded.
bool Conversation::release_now() {
  if (replies_.empty() || replies_.front().released) return true;
  Reply& head = replies_.front();
  const Permit* const permit = permit_of(head);
  head.released = permit == nullptr || guard_.recorded_now(*permit);
  return head.released;
}

Task<Result<void>> Conversation::release() {
  client_out_.gather();
  Reply& head = replies_.front();
  auto recorded = co_await guard_.recorded(*permit_of(head));
  if (!recorded) co_return fail(Errc::io, recorded.error().detail);
  head.released = true;
  co_return ok();
}

Result<void> Conversation::on_answer(Reply& head, const Message& message) {
  if (message.type == backend::ready) return on_ready(head, message);
  if (message.type == backend::error) return on_error(head, message);

  switch (head.expect) {
    case Expect::query:
      if (head.outcome.failed) return unexpected(message, "after an error");
      if (head.function_call) return on_function_result(head, message);
      if (message.type == backend::command_complete || message.type == backend::empty_query) {
        return on_query_done(head, message);
      }
      return on_result(head, head.outcome, message);

    case Expect::parse:
      if (message.type != backend::parse_complete || !message.body.empty()) {
        return unexpected(message, "instead of ParseComplete");
      }
      head.prepared->batch = 0;
      if (auto settled = guard_.settle(*std::exchange(head.permit, std::nullopt), {.tag = "PARSE"});
          !settled) {
        return fail(Errc::io, settled.error().detail);
      }
      break;

    case Expect::bind:
      if (message.type != backend::bind_complete || !message.body.empty()) {
        return unexpected(message, "instead of BindComplete");
      }
      head.portal->batch = 0;
      break;

    case Expect::describe_statement:
      if (message.type == backend::parameter_description) {
        if (std::exchange(head.answered, true)) return unexpected(message, "twice");
        if (auto checked = check_parameter_description(message.body); !checked) {
          return fail(checked);
        }
        pass_to_client(message);
        return ok();
      }
      if (!head.answered) return unexpected(message, "before ParameterDescription");
      [[fallthrough]];
    case Expect::describe_portal:
      if (message.type == backend::row_description) {
        auto columns = row_description_fields(message.body);
        if (!columns) return fail(columns);
        const Shield* const shield = head.portal != nullptr     ? head.portal->shield.get()
                                     : head.prepared != nullptr ? head.prepared->shield.get()
                                                                : nullptr;
        if (shows_hidden(shield, message.body)) return alarm();
        if (head.portal != nullptr) head.portal->columns = *columns;
        if (detection_) {
          auto looked_at = detection_->columns(message.body);
          if (!looked_at) return fail(looked_at);
          (head.portal ? head.portal->looked_at : head.prepared->looked_at) = *looked_at;
        }
      } else if (message.type != backend::no_data || !message.body.empty()) {
        return unexpected(message, "instead of a description");
      }
      break;

    case Expect::execute:
      if (message.type == backend::command_complete || message.type == backend::empty_query ||
          message.type == backend::portal_suspended) {
        return finish_execute(head, message);
      }
      if (message.type == backend::row_description) {
        return unexpected(message, "while a portal runs");
      }
      if (!head.columns) head.columns = head.portal->columns;
      return on_result(head, *head.portal->outcome, message);

    case Expect::close:
      if (message.type != backend::close_complete || !message.body.empty()) {
        return unexpected(message, "instead of CloseComplete");
      }
      // Only what was closed: the name may stand for something newer by now.
      if (head.prepared != nullptr && names_.prepared(head.name) == head.prepared) {
        names_.forget_prepared(head.name);
      }
      if (head.portal != nullptr && names_.portal(head.name) == head.portal) {
        names_.forget_portal(head.name);
      }
      break;

    case Expect::refused_query:
    case Expect::refused_parse:
      return unexpected(message, "for a statement it had to refuse");
    case Expect::sync:
      return unexpected(message, "instead of ReadyForQuery");
    case Expect::label:
      if (head.completed == label_answers.size() || message.type != label_answers[head.completed]) {
        return unexpected(message, "in answer to the label");
      }
      ++head.completed;
      return ok();
    case Expect::local:
      return unexpected(message, "with nothing asked");
  }
  pass_to_client(message);
  pop();
  return ok();
}

/// A later piece of a row or of copy data: its first piece was judged.
Result<void> Conversation::on_piece(Reply& head, const Message& message) {
  if (message.type == backend::data_row) {
    if (!row_check_.feed(message.body)) return unexpected(message, "whose fields do not fit it");
    if (message.last) {
      auto fields = row_check_.finish();
      if (!fields) return fail(fields);
      if (*fields != head.columns.value_or(*fields)) {
        return unexpected(message, "with other columns than it described");
      }
    }
  }
  if (client_out_.muted()) return ok();
  Outcome& outcome = outcome_of(head);
  outcome.bytes += message.raw.size();
  piece_open_ = !message.last;
  return data_to_client(head, outcome, message);
}

/// Rows and copy data, whole or a piece.
Result<void> Conversation::data_to_client(Reply& head, Outcome& outcome, const Message& message) {
  if (!detection_) {
    pass_to_client(message);
    return ok();
  }
  if (message.type == backend::copy_data) {
    piece_open_ = false;  // what goes out is in messages of their own
    if (auto done = detection_->copy(message, client_out_.end()); !done) return done;
  } else {
    const LookedAtColumns* columns = head.looked_at.get();
    if (columns == nullptr && head.portal != nullptr) {
      const Portal& portal = *head.portal;
      columns = portal.looked_at ? portal.looked_at.get() : portal.prepared->looked_at.get();
    }
    if (auto done = detection_->row(message, columns, client_out_.end()); !done) return done;
  }
  detection_->note(&outcome);
  return ok();
}

Result<void> Conversation::on_row(Reply& head, const Message& message) {
  // A portal's rows were described before, or never; those of a query must be.
  const bool described = head.stage == Reply::Stage::rows;
  if (!described && (head.expect == Expect::query || head.stage != Reply::Stage::none)) {
    return unexpected(message, "before it was described");
  }
  head.stage = Reply::Stage::rows;
  if (!message.last) {
    row_check_.begin();
    if (!row_check_.feed(message.body)) return unexpected(message, "whose fields do not fit it");
    return ok();
  }
  auto fields = data_row_fields(message.body);
  if (!fields) return fail(fields);
  if (!head.columns) head.columns = *fields;
  if (*fields != *head.columns) {
    return unexpected(message, "with other columns than it described");
  }
  return ok();
}

/// CommandComplete or EmptyQueryResponse: one for each statement of the text.
Result<void> Conversation::on_query_done(Reply& head, const Message& message) {
  const std::size_t statements = head.analysis->statements.size();
  if (head.completed == std::max<std::size_t>(statements, 1)) {
    return unexpected(message, "more often than there were statements");
  }
  if (head.stage == Reply::Stage::copy_out) return unexpected(message, "inside a copy");
  if (message.type == backend::command_complete) {
    auto tag = tag_of(message);
    if (!tag) return fail(tag);
    head.outcome.tag = last_tag_ = *tag;
    head.outcome.rows += rows_of_tag(*tag);
  } else if (!message.body.empty()) {
    return unexpected(message, "with a body");
  }
  ++head.completed;
  head.stage = Reply::Stage::none;
  head.columns.reset();
  head.looked_at.reset();
  copy_in_ = nullptr;
  pass_to_client(message);
  return ok();
}

/// The one value of a function that was called by number.
Result<void> Conversation::on_function_result(Reply& head, const Message& message) {
  if (message.type != backend::function_result) return unexpected(message, "for a function call");
  if (head.completed != 0) return unexpected(message, "twice");
  if (auto checked = check_function_result(message.body); !checked) return fail(checked);
  head.outcome.tag = "FUNCTION CALL";
  ++head.completed;
  if (withheld(head, message)) return ok();
  head.outcome.bytes += message.raw.size();
  pass_to_client(message);
  return ok();
}

Result<void> Conversation::on_result(Reply& head, Outcome& outcome, const Message& message) {
  using Stage = Reply::Stage;
  switch (message.type) {
    case backend::row_description: {
      if (head.stage != Stage::none) return unexpected(message, "inside a result");
      auto columns = row_description_fields(message.body);
      if (!columns) return fail(columns);
      if (shows_hidden(head.shield.get(), message.body)) return alarm();
      head.columns = *columns;
      head.stage = Stage::rows;
      if (detection_) {
        auto looked_at = detection_->columns(message.body);
        if (!looked_at) return fail(looked_at);
        head.looked_at = *std::move(looked_at);
      }
      break;
    }
    case backend::data_row:
      if (auto row = on_row(head, message); !row) return fail(row);
      if (withheld(head, message)) return ok();
      outcome.bytes += message.raw.size();
      return data_to_client(head, outcome, message);
    case backend::copy_out:
    case backend::copy_in: {
      // Asked for by nobody, this would make a client send what it holds, or read rows that no
      // decision was made for.
      const bool in = message.type == backend::copy_in;
      const sql::Analysis& analysis =
          head.analysis ? *head.analysis : *head.portal->prepared->analysis;
      if (head.stage != Stage::none ||
          (in ? head.copies_expected == 0 : !copies_to_client(analysis))) {
        return unexpected(message, "without a COPY");
      }
      if (auto checked = check_copy_response(message.body); !checked) return fail(checked);
      head.stage = in ? Stage::copy_in : Stage::copy_out;
      if (in) begin_copy_in(head.permit ? *head.permit : *head.portal->permit);
      if (!in && detection_) detection_->begin_copy(message.body[0] == std::byte{1});
      break;
    }
    case backend::copy_data:
      if (head.stage != Stage::copy_out) return unexpected(message, "outside of a copy");
      if (withheld(head, message)) return ok();
      outcome.bytes += message.raw.size();
      return data_to_client(head, outcome, message);
    case backend::copy_done:
      if (head.stage != Stage::copy_out || !message.body.empty()) {
        return unexpected(message, "outside of a copy");
      }
      head.stage = Stage::copied_out;
      if (detection_) {
        if (auto done = detection_->end_copy(client_out_.end()); !done) return done;
        detection_->note(&outcome);
      }
      break;
    default:
      return unexpected(message, "in a result");
  }
  pass_to_client(message);
  return ok();
}

void Conversation::begin_copy_in(const Permit& permit) {
  copy_in_ = &permit;
  Reply& head = replies_.front();
  --head.copies_expected;
  --copies_expected_;
  progress_.notify();
}

Result<void> Conversation::finish_execute(Reply& head, const Message& message) {
  if (head.stage == Reply::Stage::copy_out) return unexpected(message, "inside a copy");
  Portal& portal = *head.portal;
  Outcome outcome = *std::exchange(portal.outcome, std::nullopt);
  if (message.type == backend::command_complete) {
    auto tag = tag_of(message);
    if (!tag) return fail(tag);
    outcome.tag = last_tag_ = *tag;
    outcome.rows = rows_of_tag(*tag);
    apply(*portal.prepared->analysis, portal.prepared->sql, portal.prepared->as);
  } else if (!message.body.empty()) {
    return unexpected(message, "with a body");
  } else {
    outcome.tag = message.type == backend::portal_suspended ? "SUSPENDED" : "EMPTY";
  }
  copy_in_ = nullptr;
  if (head.cut_off) note_cut_off(outcome);
  batch_changed_ |= !portal.permit->command().read_only;
  if (auto settled = guard_.settle(*std::exchange(portal.permit, std::nullopt), outcome);
      !settled) {
    return fail(Errc::io, settled.error().detail);
  }
  pass_to_client(message);
  pop();
  return ok();
}

Result<void> Conversation::on_error(Reply& head, const Message& message) {
  auto fields = error_fields(message.body);
  if (!fields) return fail(fields);
  for (const auto& [code, value] : *fields) {
    if (code == 'V' && (value == "FATAL" || value == "PANIC")) {
      client_out_.unmute();
      error_to_client(message, nullptr);  // the server's last words, whatever was asked
      stop("target", describe_error(message.body));
      return ok();
    }
  }
  copy_in_ = nullptr;
  last_tag_ = "ROLLBACK";  // whatever ended, nothing of it holds
  switch (head.expect) {
    case Expect::query:
      if (head.outcome.failed) return unexpected(message, "twice");
      head.outcome.failed = true;
      head.outcome.error = sqlstate_of(message.body);
      if (head.cut_off) note_cut_off(head.outcome);
      error_to_client(message, head.analysis.get());
      return ok();
    case Expect::refused_query:
      if (head.answered) return unexpected(message, "twice");
      head.answered = true;
      to_client(head.local);
      return ok();
    case Expect::sync:
      // A commit that failed, deferred constraints for example.
      if (std::exchange(head.answered, true)) return unexpected(message, "twice");
      error_to_client(message, nullptr);
      return ok();
    case Expect::refused_parse:
      to_client(head.local);
      break;
    case Expect::execute:
      head.portal->outcome->failed = true;
      head.portal->outcome->error = sqlstate_of(message.body);
      if (head.cut_off) note_cut_off(*head.portal->outcome);
      error_to_client(message, head.portal->prepared->analysis.get());
      break;
    case Expect::parse:
      head.outcome.error = sqlstate_of(message.body);
      [[fallthrough]];
    case Expect::bind:
    case Expect::describe_statement:
    case Expect::describe_portal:
    case Expect::close:
      error_to_client(message, head.prepared != nullptr ? head.prepared->analysis.get() : nullptr);
      break;
    case Expect::label:
    case Expect::local:
      return unexpected(message, "with nothing asked");
  }
  skip_to_sync();
  return ok();
}

/// The server answers nothing more up to the next Sync.
void Conversation::skip_to_sync() {
  while (!replies_.empty() && replies_.front().expect != Expect::sync) {
    drop(replies_.front());
    replies_.pop_front();
  }
  if (replies_.empty()) {
    // The client has not sent that Sync yet.
    skipping_ = true;
  }
  progress_.notify();
}

void Conversation::drop(Reply& reply) {
  finished(reply);
  switch (reply.expect) {
    case Expect::parse: {
      names_.undo(reply.name, reply.prepared, std::move(reply.before));
      reply.prepared->batch = 0;
      Outcome outcome{.failed = true, .error = reply.outcome.error};
      if (outcome.error.empty()) outcome.error = "skipped after an error";
      if (reply.permit) {
        (void)guard_.settle(*std::exchange(reply.permit, std::nullopt), outcome);
      }
      break;
    }
    case Expect::bind:
      names_.undo(reply.name, reply.portal);
      reply.portal->batch = 0;
      break;
    case Expect::execute: {
      Portal& portal = *reply.portal;
      Outcome outcome = std::exchange(portal.outcome, std::nullopt).value_or(Outcome{});
      if (!outcome.failed) outcome = {.failed = true, .error = "skipped after an error"};
      if (portal.permit) {
        (void)guard_.settle(*std::exchange(portal.permit, std::nullopt), outcome);
      }
      break;
    }
    case Expect::query:
    case Expect::refused_query:  // the server skips these as well
      --owed_ready_;
      break;
    case Expect::local:
      to_client(reply.local);
      break;
    case Expect::refused_parse:
    case Expect::describe_statement:
    case Expect::describe_portal:
    case Expect::close:
    case Expect::sync:
    case Expect::label:
      break;
  }
}

Result<void> Conversation::on_ready(Reply& head, const Message& message) {
  if (message.body.size() != 1) return unexpected(message, "of a wrong length");
  const char status = static_cast<char>(message.body[0]);
  if (status != 'I' && status != 'T' && status != 'E') {
    return unexpected(message, "with an unknown status");
  }
  switch (head.expect) {
    case Expect::query: {
      const bool failed = head.outcome.failed;
      if (!failed && head.completed != std::max<std::size_t>(head.analysis->statements.size(), 1)) {
        return unexpected(message, "before every statement was complete");
      }
      if (!failed) {
        const Command& command = head.permit->command();
        apply(*head.analysis, command.text, command.executed);
      }
      if (head.cut_off) note_cut_off(head.outcome);
      if (auto settled = guard_.settle(*std::exchange(head.permit, std::nullopt), head.outcome);
          !settled) {
        return fail(Errc::io, settled.error().detail);
      }
      break;
    }
    case Expect::refused_query:
      if (!head.answered) return unexpected(message, "for a statement it had to refuse");
      break;
    case Expect::sync:
      batch_changed_ = false;
      break;
    case Expect::label:
      // The state of the transaction is what it was, and the client has not asked.
      if (head.completed != label_answers.size() || status != transaction_) {
        return unexpected(message, "in answer to the label");
      }
      --owed_ready_;
      pop();
      return ok();
    default:
      return unexpected(message, "before it was asked for");
  }
  --owed_ready_;
  copy_in_ = nullptr;
  transaction_ = status;
  if (status == 'I') {
    transaction_ended();
    if (std::exchange(definitions_change_, false)) {
      catalogs_.changed(session_.connection, session_.database);
    }
  }
  if (client_out_.muted() && head.expect == muted_until_) client_out_.unmute();
  pass_to_client(message);
  pop();
  return ok();
}

/// Nothing waits for this reply any more.
void Conversation::finished(Reply& reply) {
  if (reply.steers) --steering_;
  copies_expected_ -= reply.copies_expected;
}

void Conversation::pop() {
  finished(replies_.front());
  replies_.pop_front();
  drain_local();
  progress_.notify();
}

void Conversation::drain_local() {
  while (!replies_.empty() && replies_.front().expect == Expect::local) {
    const Reply& reply = replies_.front();
    to_client(reply.local);
    if (reply.local_ready) append_ready(client_out_.end(), transaction_);
    replies_.pop_front();
  }
}

}  // namespace sallyport::postgres

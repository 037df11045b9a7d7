// The client's side of a conversation: a message becomes a Command, a Permit, and bytes to the
// server, or a refusal in its place. A message that is not listed here ends the session. Those of
// the extended protocol: client_extended.cc. What a text would do: client_asks.cc.

#include <algorithm>
#include <array>

#include "base/log.h"
#include "net/reactor.h"
#include "protocol/postgres/client_side.h"
#include "protocol/postgres/conversation.h"
#include "protocol/postgres/settings.h"

namespace sallyport::postgres {
namespace {

constexpr std::size_t upstream_flush_bytes = 64 * 1024;
// A pipeline may not keep the worker from its other sessions.
constexpr int messages_per_turn = 32;
constexpr std::chrono::seconds cancel_s_max{2};

}  // namespace

Task<Result<void>> Conversation::client_side() {
  int messages = 0;
  while (!ended_) {
    auto message = client_reader_.poll();
    if (!message) {
      const bool too_large = message.error().code == Errc::too_large;
      end("protocol", too_large ? "54000" : "08P01", message.error().detail);
      break;
    }
    if (!*message) {
      client_reader_.drop();
      if (upstream_.queued() > 0) {
        auto flushed = co_await upstream_.flush();
        if (!flushed) {
          stop("target", flushed.error().detail);
          break;
        }
      }
      if (!client_flushed()) {
        auto told = co_await flush_client();
        if (!told) {
          stop("client", told.error().detail);
          break;
        }
      }
      if (options_.idle_s_max.count() > 0) {
        client_.set_read_deadline(net::Reactor::current().now() + options_.idle_s_max);
      }
      auto chunk = co_await client_reader_.receive();
      if (!chunk) {
        if (chunk.error().code == Errc::timeout) {
          end("idle", "57P05", "terminating connection due to idle-session timeout");
        } else {
          co_await leave(chunk.error().detail);
        }
        break;
      }
      client_reader_.begin_with(*std::move(chunk));
      continue;
    }
    if (++messages % messages_per_turn == 0) co_await net::Reactor::current().yield();
    auto handled = co_await on_client(**message);
    if (!handled) {
      end("protocol", handled.error().code == Errc::malformed ? "08P01" : "58000",
          handled.error().detail);
      break;
    }
    if (!*handled) {
      co_await leave("");
      break;
    }
    if (upstream_.queued() > upstream_flush_bytes) {
      auto flushed = co_await upstream_.flush();
      if (!flushed) {
        stop("target", flushed.error().detail);
        break;
      }
    }
  }
  if (running() && end_.reason == "client") {
    // Nobody waits for what runs: it must not go on at the target.
    auto cancelled =
        co_await upstream_.cancel(permit_, net::Reactor::current().now() + cancel_s_max);
    if (!cancelled) log::debug("cancel failed", {{"detail", cancelled.error().detail}});
  }
  if (!reset_begun_) co_await upstream_.close(permit_);
  co_return ok();
}

Task<Result<bool>> Conversation::on_client(const Message& message) {
  if (message.type == frontend::terminate) co_return false;
  if (copies_expected_ > 0 && copy_in_ == nullptr) co_await copy_begun();
  if (ended_) co_return true;
  switch (message.type) {
    case frontend::sync: {
      if (!message.body.empty()) co_return fail(Errc::malformed, "Sync with a body");
      if (copy_in_ == nullptr && pipeline_full()) {
        auto room = co_await room_in_pipeline();
        if (!room) co_return fail(room);
      }
      on_sync();
      co_return true;
    }
    case frontend::copy_data:
    case frontend::copy_done:
    case frontend::copy_fail: {
      auto copied = on_copy(message);
      if (!copied) co_return fail(copied);
      co_return true;
    }
    default:
      break;
  }
  if (skipping_) co_return true;  // as the server would, up to Sync
  if (copy_in_ != nullptr) {
    // The server ignores these while it copies, and errs on everything else.
    if (message.type == frontend::flush) co_return true;
    co_return fail(Errc::malformed, "unexpected message during COPY FROM STDIN");
  }
  if (pipeline_full()) {
    auto room = co_await room_in_pipeline();
    if (!room) co_return fail(room);
  }
  if (steering_ > 0) co_await steering_answered();
  if (ended_ || skipping_) co_return true;
  if (message.discarded) {
    refuse_too_large(message.type);
    co_return true;
  }

  if (refuse_when_full(message.type)) co_return true;
  restore_label();

  Result<void> done = ok();
  switch (message.type) {
    case frontend::query:
      done = co_await on_query(message.body);
      break;
    case frontend::parse:
      done = co_await on_parse(message);
      break;
    case frontend::bind:
      done = co_await on_bind(message);
      break;
    case frontend::describe:
      done = co_await on_describe(message.body);
      break;
    case frontend::execute:
      done = co_await on_execute(message.body);
      break;
    case frontend::close:
      done = co_await on_close(message.body);
      break;
    case frontend::flush:
      if (!message.body.empty()) co_return fail(Errc::malformed, "Flush with a body");
      if (batch_forwarded_) upstream_.flush_request(permit_);
      break;
    case frontend::function_call:
      done = co_await on_function_call(message.body);
      break;
    default:
      co_return fail(Errc::malformed, "unexpected message from the client");
  }
  if (!done) co_return fail(done);
  co_return true;
}

Task<Result<void>> Conversation::room_in_pipeline() {
  while (pipeline_full() && !ended_) {
    // Without a Sync the server may keep its answers back.
    upstream_.flush_request(permit_);
    auto flushed = co_await upstream_.flush();
    if (!flushed) co_return fail(flushed);
    co_await progress_.wait();
  }
  co_return ok();
}

/// Until every COPY FROM STDIN that was sent has begun or failed: before that, nobody can say
/// whether the client's next message is for the copy.
Task<void> Conversation::copy_begun() {
  upstream_.flush_request(permit_);
  while (copies_expected_ > 0 && copy_in_ == nullptr && !ended_) {
    if (auto flushed = co_await upstream_.flush(); !flushed) co_return;
    if (copies_expected_ > 0 && copy_in_ == nullptr && !ended_) co_await progress_.wait();
  }
}

/// Until it is certain again what names mean.
Task<void> Conversation::steering_answered() {
  upstream_.flush_request(permit_);
  while (steering_ > 0 && !ended_ && !skipping_) {
    if (auto flushed = co_await upstream_.flush(); !flushed) co_return;
    if (steering_ > 0 && !ended_ && !skipping_) co_await progress_.wait();
  }
}

Task<void> Conversation::batches_answered() {
  while (owed_ready_ > 0 && !ended_) {
    if (auto flushed = co_await upstream_.flush(); !flushed) co_return;
    if (owed_ready_ > 0 && !ended_) co_await progress_.wait();
  }
}

bool Conversation::is_confirmed(const std::string& statement) const {
  const auto prepared = names_.prepared(statement);
  return prepared == nullptr || prepared->batch == 0 || prepared->batch == batch_;
}

Task<void> Conversation::confirmed(const std::string& statement) {
  while (!ended_ && !is_confirmed(statement)) {
    if (auto flushed = co_await upstream_.flush(); !flushed) co_return;
    co_await progress_.wait();
  }
}

bool Conversation::is_portal_confirmed(const std::string& portal) const {
  const auto bound = names_.portal(portal);
  return bound == nullptr || bound->batch == 0 || bound->batch == batch_;
}

Task<void> Conversation::portal_confirmed(const std::string& portal) {
  while (!ended_ && !is_portal_confirmed(portal)) {
    if (auto flushed = co_await upstream_.flush(); !flushed) co_return;
    co_await progress_.wait();
  }
}

// ---- Refusing ----------------------------------------------------------------------------------

void Conversation::expect(Reply reply) {
  if (reply.expect == Expect::query || reply.expect == Expect::refused_query ||
      reply.expect == Expect::sync || reply.expect == Expect::label) {
    ++owed_ready_;
  }
  reply.held = Held(held_bytes_, reply.local.size());
  if (reply.steers) ++steering_;
  copies_expected_ += reply.copies_expected;
  replies_.push_back(std::move(reply));
}

void Conversation::answer_locally(ByteVector bytes, bool ready) {
  Reply reply;
  reply.expect = Expect::local;
  reply.local = std::move(bytes);
  reply.local_ready = ready;
  expect(std::move(reply));
  drain_local();
}

void Conversation::refuse_query(const Refusal& refusal, std::string_view sqlstate,
                                std::uint32_t position) {
  ++end_.refused;
  ByteVector error;
  append_error(error, error_of(refusal, sqlstate, session_), position);
  if (replies_.empty() && transaction_ != 'T' && !batch_forwarded_) {
    answer_locally(std::move(error), true);
    return;
  }
  // The server has to agree that the transaction is over.
  upstream_.abort_by_query(permit_);
  Reply reply;
  reply.expect = Expect::refused_query;
  reply.local = std::move(error);
  expect(std::move(reply));
}

void Conversation::query_not_permitted(const Refusal& refusal) {
  if (refusal.kind == Refusal::Kind::session) {
    end_refused(refusal);
  } else {
    refuse_query(refusal, "42501", 0);
  }
}

void Conversation::refuse_extended(const Refusal& refusal, std::string_view sqlstate,
                                   std::uint32_t position) {
  ++end_.refused;
  skipping_ = true;
  ByteVector error;
  append_error(error, error_of(refusal, sqlstate, session_), position);
  if (replies_.empty() && transaction_ != 'T' && !batch_forwarded_) {
    answer_locally(std::move(error), false);
    return;
  }
  upstream_.abort_by_parse(permit_);
  batch_forwarded_ = true;
  Reply reply;
  reply.expect = Expect::refused_parse;
  reply.local = std::move(error);
  expect(std::move(reply));
}

bool Conversation::refuse_when_full(char type) {
  if (held_bytes_ <= options_.session_bytes_max) return false;
  if (type != frontend::parse && type != frontend::bind) return false;
  Command command;
  command.kind = type == frontend::parse ? "prepare" : "execute";
  refuse_extended(guard_.refuse(session_, command,
                                not_analysed("this session holds more prepared statements and "
                                             "portals than it may",
                                             "close those that are no longer used")),
                  "53200", 0);
  return true;
}

void Conversation::refuse_too_large(char type) {
  Command command;
  command.kind = type == frontend::query           ? "query"
                 : type == frontend::function_call ? "function_call"
                 : type == frontend::parse         ? "prepare"
                                                   : "execute";
  const Refusal refusal =
      guard_.refuse(session_, command,
                    not_analysed("the statement or its parameters are longer than " +
                                     std::to_string(options_.message_bytes_max) + " bytes",
                                 "the operator can raise limits.message_bytes_max"));
  if (type == frontend::query || type == frontend::function_call) {
    refuse_query(refusal, "54000", 0);
  } else {
    refuse_extended(refusal, "54000", 0);
  }
}

// ---- Messages ----------------------------------------------------------------------------------

Task<Result<void>> Conversation::on_query(Bytes body) {
  auto text = query_text(body);
  if (!text) co_return fail(text);
  names_.forget_unnamed();
  Asked asked = co_await ask("query", std::string(*text));
  if (ended_) co_return ok();
  if (asked.refusal) {
    refuse_query(refused(asked), asked.sqlstate, asked.position);
    co_return ok();
  }
  append_query(asked.command.raw,
               asked.replaced_sql.empty() ? asked.command.text : asked.replaced_sql);
  if (!asked.command.read_only) {
    auto flushed = co_await upstream_.flush();  // what came before need not wait for the disk
    if (!flushed) co_return fail(flushed);
  }
  ++end_.commands;
  auto permit = co_await authorize(asked, {});
  if (ended_ || skipping_) co_return ok();
  if (!permit) {
    query_not_permitted(permit.error());
    co_return ok();
  }
  about_to_run(*asked.analysis);
  upstream_.send(*permit);
  Reply reply;
  reply.expect = Expect::query;
  reply.steers = steers(*asked.analysis);
  reply.copies_expected = copies_from_client(*asked.analysis);
  reply.permit.emplace(std::move(*permit));
  reply.analysis = std::move(asked.analysis);
  reply.shield = std::move(asked.shield);
  reply.limited = std::move(asked.limited);
  expect(std::move(reply));
  co_return ok();
}

void Conversation::on_sync() {
  if (copy_in_ != nullptr) return;  // the server ignores it while it copies
  skipping_ = false;
  ++batch_;
  if (std::exchange(batch_forwarded_, false)) {
    upstream_.sync(permit_);
    Reply reply;
    reply.expect = Expect::sync;
    expect(std::move(reply));
  } else {
    answer_locally({}, true);
  }
}

Result<void> Conversation::on_copy(const Message& message) {
  if (message.type == frontend::copy_data && !message.first) {
    // A message that was begun has to be ended, even if the copy is over by now.
    if (copy_piece_open_) upstream_.copy_data(copy_in_ ? *copy_in_ : permit_, message.raw);
    copy_piece_open_ = copy_piece_open_ && !message.last;
    return ok();
  }
  // Left over from a copy that the server has ended: the server would ignore it too.
  if (copy_in_ == nullptr) return ok();
  switch (message.type) {
    case frontend::copy_data:
      upstream_.copy_data(*copy_in_, message.raw);
      copy_piece_open_ = !message.last;
      break;
    case frontend::copy_done:
      if (!message.body.empty()) return fail(Errc::malformed, "CopyDone with a body");
      upstream_.copy_done(*std::exchange(copy_in_, nullptr));
      break;
    case frontend::copy_fail: {
      FieldReader reader(message.body);
      const std::string_view reason = reader.text();
      if (!reader.finished()) return fail(Errc::malformed, "CopyFail message");
      upstream_.copy_fail(*std::exchange(copy_in_, nullptr), reason);
      break;
    }
    default:
      return fail(Errc::malformed, "not a copy message");
  }
  return ok();
}

}  // namespace sallyport::postgres

#include "protocol/postgres/conversation.h"

#include "net/both.h"
#include "net/reactor.h"

namespace sallyport::postgres {
namespace {

// Of a client that does not read. A revoked session must be closed within a second.
constexpr std::chrono::milliseconds last_words_max{500};

}  // namespace

ErrorText error_of(const Refusal& refusal, std::string_view sqlstate, const Session& session) {
  ErrorText text{
      .sqlstate = sqlstate, .message = refusal.reason, .detail = "", .hint = refusal.hint};
  switch (refusal.kind) {
    case Refusal::Kind::policy:
      text.detail = refusal.policy.empty() ? "no policy permits it" : "policy: " + refusal.policy;
      text.detail += ", session: " + session.id;
      break;
    case Refusal::Kind::approval:
      text.detail =
          "request=" + refusal.request + ", policy: " + refusal.policy + ", session: " + session.id;
      break;
    case Refusal::Kind::cancelled:
      text.sqlstate = "57014";
      text.detail = "request=" + refusal.request;
      break;
    case Refusal::Kind::not_analysed:
      break;
    case Refusal::Kind::not_recorded:
      text.sqlstate = "58000";
      break;
    case Refusal::Kind::session:
      text.severity = "FATAL";
      text.sqlstate = "28000";
      break;
  }
  return text;
}

Conversation::Conversation(Parts parts)
    : session_(parts.session),
      permit_(parts.permit),
      guard_(parts.guard),
      parser_(parts.parser),
      shapes_(parts.shapes),
      decisions_(parts.decisions),
      fixed_(decisions_, session_),
      masking_(parts.masking),
      catalogs_(parts.catalogs),
      options_(parts.options),
      client_(parts.client),
      client_reader_(parts.client_reader),
      upstream_(parts.upstream),
      target_(std::move(parts.target)),
      read_only_(parts.read_only),
      place_(std::move(parts.place)),
      label_(std::move(parts.label)),
      reuse_(parts.reuse),
      let_go_(std::move(parts.let_go)) {
  path_.session = path_.initial = place_.search_path;
  if (parts.masker != nullptr) detection_ = std::make_unique<Detection>(std::move(parts.masker));
}

Task<ledger::SessionEnd> Conversation::run() {
  auto [from_client, from_server] = co_await net::both(client_side(), server_side());
  (void)from_client;  // both have said how it ended through stop()
  (void)from_server;
  co_return end_;
}

void Conversation::stop(std::string reason, std::string detail) {
  if (ended_) return;  // the first reason is the one that counts
  ended_ = true;
  end_.reason = std::move(reason);
  end_.detail = std::move(detail);
  // A client that no longer reads must not keep the session.
  client_.set_write_deadline(net::Reactor::current().now() + last_words_max);
  progress_.notify();
}

void Conversation::end(std::string reason, std::string_view sqlstate, std::string message) {
  if (ended_) return;
  stop(std::move(reason), message);
  // Only between messages: an error inside another message would be read as part of it.
  if (!piece_open_) {
    client_out_.unmute();
    append_error(client_out_.end(), {.severity = "FATAL",
                                     .sqlstate = sqlstate,
                                     .message = std::move(message),
                                     .detail = "",
                                     .hint = ""});
  }
  upstream_.stream().close();
}

void Conversation::end_refused(const Refusal& refusal) {
  end(guard_.revoked(session_) ? "revoked" : "expired", "28000", refusal.reason);
}

Task<Result<void>> Conversation::flush_client() {
  if (client_writing_.locked()) client_out_.gather();
  const auto guard = co_await client_writing_.lock();
  if (client_out_.empty()) co_return ok();
  const ClientOut::Taken sending(client_out_);
  co_return co_await client_.write(sending.bytes());
}

}  // namespace sallyport::postgres

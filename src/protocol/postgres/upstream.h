#pragma once
// Upstream: the gateway's own connection to a target. There is no way to send it bytes as such: a
// decided command goes out as its Permit holds it, and everything else is one of a closed list of
// protocol messages.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "guard/guard.h"
#include "net/stream.h"
#include "protocol/postgres/catalog/catalog.h"
#include "protocol/postgres/options.h"
#include "protocol/postgres/reader.h"

namespace sallyport::postgres {

using net::Task;

/// What the gateway asks for in its own startup message.
struct UpstreamLogin {
  std::string database;
  std::string label;  // application_name: tells the target's log who this is, and cannot be changed
  bool read_only = false;  // default_transaction_read_only, pinned
  std::vector<std::pair<std::string, std::string>> settings;  // checked ones of the client

  bool operator==(const UpstreamLogin&) const = default;
};

class Upstream {
 public:
  /// Connects and logs in, under the Permit of the session. `target` is kept.
  static Task<Result<std::unique_ptr<Upstream>>> open(const Permit& session,
                                                      std::shared_ptr<const Target> target,
                                                      UpstreamLogin login, SteadyTime deadline,
                                                      Random& random);

  /// The same over a stream that is connected already (and secured: then with its channel binding).
  static Task<Result<std::unique_ptr<Upstream>>> log_in_over(const Permit& session,
                                                             std::shared_ptr<const Target> target,
                                                             std::unique_ptr<net::Stream> stream,
                                                             ByteVector server_end_point,
                                                             UpstreamLogin login, Random& random);

  /// The Query, Parse or Bind message that was decided, byte for byte. All of these only queue;
  /// flush() sends.
  void send(Permit& command);
  void execute(const Permit& command, std::string_view portal, std::uint32_t rows_max);
  /// Copy data as it came: a whole message or a piece of one.
  void copy_data(const Permit& command, Bytes raw);
  void copy_done(const Permit& command);
  void copy_fail(const Permit& command, std::string_view reason);

  void describe(const Permit& session, char kind, std::string_view name);
  void close_name(const Permit& session, char kind, std::string_view name);
  void sync(const Permit& session);
  void flush_request(const Permit& session);
  /// A statement that the server is bound to refuse, so that it aborts its transaction as it would
  /// have, had it refused the command that we did. By simple query, or as a Parse.
  void abort_by_query(const Permit& session);
  void abort_by_parse(const Permit& session);
  /// application_name, as a batch of its own: ParseComplete, BindComplete, CommandComplete,
  /// CloseComplete, ReadyForQuery.
  void set_label(const Permit& session, std::string_view label);

  std::size_t queued() const { return out_.size(); }
  Task<Result<void>> flush();

  MessageReader& reader() { return reader_; }
  net::Stream& stream() { return *stream_; }

  /// Asks the target to cancel what runs on this connection, over a connection of its own.
  Task<Result<void>> cancel(const Permit& session, SteadyTime deadline);

  // Between two sessions (upstream_reset.cc).

  /// Sends what makes the server forget the session, under the Permit of that session: only when
  /// nothing is outstanding and no transaction is open. finish_reset() reads the answers.
  Task<Result<void>> begin_reset(const Permit& session, SteadyTime deadline);
  /// Fails unless the server is as it was after its login, so far as the server can tell: answers
  /// that are exactly the expected ones, a probe that finds nothing, the settings reported at
  /// login, and not one byte more.
  Task<Result<void>> finish_reset();
  /// Sets the label under the Permit of the next session, and proves that the server is alive and
  /// has had nothing to say since the reset.
  Task<Result<void>> hand_over(const Permit& session, std::string_view label, SteadyTime deadline);

  /// Tells the server process who its session is for (context.h): before
  /// anything of the client is sent.
  Task<Result<void>> pass_on(const Permit& permit, const ContextKey& key, const Session& session,
                             WallTime now, SteadyTime deadline);

  /// What the database defines, in one transaction that reads only (upstream_catalog.cc). Under a
  /// Permit of the gateway's own; fails at `deadline`.
  Task<Result<std::shared_ptr<const catalog::Catalog>>> read_catalog(const Permit& own,
                                                                     std::uint64_t epoch,
                                                                     SteadyTime deadline);

  /// The plan of a statement as JSON, without running it (upstream_explain.cc). On a connection
  /// that was opened for that; fails at `deadline`.
  Task<Result<std::string>> explain(const Permit& own, std::string_view sql,
                                    const std::vector<std::uint32_t>& types,
                                    const std::vector<Parameter>& parameters, SteadyTime deadline);

  /// The server reported a setting by ParameterStatus.
  void note_report(std::string_view name, std::string_view value);
  /// A cancel was sent: it may arrive at any time.
  bool cancelled() const { return cancelled_; }

  /// Says goodbye if it can do so without waiting for long, and closes.
  Task<void> close(const Permit& session);

  using Parameters = std::vector<std::pair<std::string, std::string>>;
  /// As the server reported them at login; application_name, the label, without its value.
  const Parameters& parameters() const { return *parameters_; }

 private:
  Upstream(std::shared_ptr<const Target> target, std::unique_ptr<net::Stream> stream,
           ByteVector server_end_point);

  Task<Result<void>> log_in(const UpstreamLogin& login, Random& random);
  Task<Result<void>> authenticate(Random& random);
  Task<Result<void>> answer_scram(Bytes mechanisms, Random& random);
  Task<Result<void>> await_ready();
  static Result<void> note_parameter(Bytes body, Parameters& parameters);
  Result<void> as_at_login();
  Task<Result<Message>> own_answer(std::size_t& asides);
  Task<Result<void>> own_command(std::string_view tag, std::size_t& asides);
  Task<Result<void>> own_ready(std::size_t& asides);
  Task<Result<void>> probe_answer(std::size_t& asides);
  Task<Result<void>> own_statement(std::string_view sql, std::string_view tag);
  Task<Result<void>> own_rows(std::string_view sql, const std::function<Result<void>(Bytes)>& row);

  std::shared_ptr<const Target> target_;
  std::unique_ptr<net::Stream> stream_;
  ByteVector server_end_point_;  // empty without TLS
  MessageReader reader_;
  ByteVector out_;
  std::shared_ptr<const Parameters> parameters_;  // shared by connections of the same
  Parameters changed_;                            // reported, and not as at login
  bool cancelled_ = false;
  std::uint32_t process_id_ = 0;
  ByteVector cancel_key_;
};

/// Fails if a setting that reading SQL depends on is not what the gateway pinned.
Result<void> check_pinned(std::string_view name, std::string_view value);

/// What gives the target's log the gateway's name for a session.
std::string label_statement(std::string_view label);

/// SQLSTATE and message of an ErrorResponse, for logs.
std::string describe_error(Bytes body);
std::string sqlstate_of(Bytes body);

}  // namespace sallyport::postgres

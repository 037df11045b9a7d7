#pragma once
// Conversation: one client's session with one server, after both have logged in. Two coroutines of
// one worker share it, so nothing here needs a lock:
//   client_side.cc  client's messages -> analysis -> Guard -> server. Never writes an answer
//   itself. server_side.cc  server's messages -> the reply they belong to -> released to the
//   client.
//   client_held.cc  what waits for people to say yes. answer_limits.cc  how much may be shown.
// Between them is `replies_`: what the client is owed, in order. A refusal is a reply too, so it
// comes out in its place, however deep the client pipelines.

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "guard/guard.h"
#include "net/signal.h"
#include "net/stream.h"
#include "protocol/postgres/client_out.h"
#include "protocol/postgres/detection.h"
#include "protocol/postgres/masking.h"
#include "protocol/postgres/names.h"
#include "protocol/postgres/options.h"
#include "protocol/postgres/reader.h"
#include "protocol/postgres/sql/actions.h"
#include "protocol/postgres/sql/shape.h"
#include "protocol/postgres/upstream.h"

namespace sallyport::postgres {

using net::Task;

/// What a client is owed, and how the server's messages are to be read until it has it.
struct Reply {
  enum class Expect : std::uint8_t {
    query,          // rows and tags, then ReadyForQuery
    refused_query,  // an error in place of which `local` goes out, then ReadyForQuery
    parse,
    refused_parse,  // an error in place of which `local` goes out
    bind,
    describe_statement,
    describe_portal,
    execute,
    close,
    sync,   // ReadyForQuery
    label,  // the gateway's own: nothing of it goes out
    local,  // nothing: `local` goes out as it is
  };
  Expect expect = Expect::local;
  std::optional<Permit> permit;                      // query, parse
  std::shared_ptr<const sql::Analysis> analysis;     // query: what to apply when it has succeeded
  std::shared_ptr<const Shield> shield;              // query: what its answer may not show
  std::optional<Limited> limited;                    // query: how much of an answer there may be
  Given given;                                       // query: how much there was
  std::shared_ptr<const LookedAtColumns> looked_at;  // of the rows that are coming
  std::string name;                                  // parse, bind, close: what is named
  std::shared_ptr<Prepared> prepared;                // parse, close
  std::shared_ptr<Prepared> before;                  // parse: what the name meant
  std::shared_ptr<Portal> portal;                    // bind, describe_portal, execute, close
  ByteVector local;
  Held held;
  bool local_ready = false;  // a ReadyForQuery of ours follows `local`
  bool released = false;     // the record is safe: the answer may go out
  bool answered = false;     // what may come once has come: an error, a ParameterDescription
  bool cut_off = false;      // more came than may be shown, and the client was told
  Outcome outcome;           // query
  /// Where the answer to the statement that runs has got to.
  enum class Stage : std::uint8_t { none, rows, copy_out, copied_out, copy_in };
  Stage stage = Stage::none;
  std::size_t completed = 0;             // query: statements with their tag; label: answers
  std::optional<std::uint16_t> columns;  // of the rows that are coming, once known
  bool steers = false;                   // names may mean something else once this is done
  bool function_call = false;            // query: a value is due, and no rows
  std::size_t copies_expected = 0;       // COPY FROM STDIN in it that the server has not begun
};

/// Of the command that the reply answers; null if it is not one.
const Permit* permit_of(const Reply& reply);

/// The session's knowledge of search_path, which decides what unqualified names mean. nullopt:
/// nobody can say what the server has, and only qualified names may be used.
struct SearchPath {
  using Schemas = std::optional<std::vector<std::string>>;

  Schemas initial;
  Schemas session;                            // outlives the transaction, if that commits
  std::optional<Schemas> before_transaction;  // what a rollback goes back to, once changed
  std::optional<Schemas> local;               // SET LOCAL: until the transaction ends

  const Schemas& current() const { return local ? *local : session; }
};

class Conversation {
 public:
  struct Parts {
    const Session& session;
    const Permit& permit;  // the session's own
    Guard& guard;
    sql::Parser& parser;
    sql::ShapeCache& shapes;
    policy::DecisionCache& decisions;
    Masking& masking;
    CatalogDesk& catalogs;
    const Options& options;
    net::Stream& client;
    MessageReader& client_reader;
    Upstream& upstream;
    std::shared_ptr<const Target> target;  // its settings are the operator's, not the client's
    bool read_only = false;                // the server runs this session in read-only transactions
    std::string label;                     // application_name, which the gateway keeps as it is
    bool reuse = false;                    // a clean end leaves the connection reset, not closed
    std::function<void()> let_go;          // before a database is dropped, renamed or copied
    std::shared_ptr<mask::Masker> masker;  // null: no detector looks at what the server sends
    sql::Place place;
  };
  /// All references must outlive run().
  explicit Conversation(Parts parts);

  /// Relays until either side ends, and says how it ended.
  Task<ledger::SessionEnd> run();

  /// Something runs at the server that could be cancelled. On this conversation's thread.
  bool running() const { return !replies_.empty(); }
  /// Cancels a command that waits for an approval, if one does.
  bool cancel_waiting();

  /// After run(): the reset was sent to the server, and Upstream::finish_reset() tells the rest.
  bool reset_begun() const { return reset_begun_; }
  /// Why not, in a fixed word.
  std::string_view why_not_reset() const;

  /// Ends the session: the client is told `message` if it can be told at once.
  void end(std::string reason, std::string_view sqlstate, std::string message);

 private:
  using Expect = Reply::Expect;

  // client_side.cc
  Task<Result<void>> client_side();
  Task<Result<bool>> on_client(const Message& message);  // false: the client said goodbye
  Task<Result<void>> on_query(Bytes body);
  Task<Result<void>> on_parse(const Message& message);
  Task<Result<void>> on_bind(const Message& message);
  Task<Result<void>> on_describe(Bytes body);
  Task<Result<void>> on_execute(Bytes body);
  Task<Result<void>> on_close(Bytes body);
  bool refuse_name(std::string_view name);
  void on_sync();
  Task<Result<void>> on_function_call(Bytes body);
  Result<void> on_copy(const Message& message);

  void restore_label();
  bool idle() const;
  Task<void> leave(std::string detail);
  void about_to_run(const sql::Analysis& analysis);

  bool is_confirmed(const std::string& statement) const;
  Task<void> confirmed(const std::string& statement);
  bool is_portal_confirmed(const std::string& portal) const;
  Task<void> portal_confirmed(const std::string& portal);
  Task<void> batches_answered();
  Task<void> steering_answered();
  Task<void> copy_begun();
  bool pipeline_full() const {
    return !replies_.empty() &&
           (replies_.size() >= options_.pipeline_max || held_bytes_ > options_.session_bytes_max);
  }
  Task<Result<void>> room_in_pipeline();

  struct Asked {
    Command command;
    std::shared_ptr<const sql::Analysis> analysis;
    std::string replaced_sql;  // what to send instead of the client's text, or empty
    /// What names in it stand for, as the client wrote it and as it was sent.
    std::vector<Sent> named;
    std::set<std::string, std::less<>> names_seen;  // of the same
    WallTime good_until{};                          // of an approval that it rests on
    std::shared_ptr<const Shield> shield;
    std::optional<Limited> limited;
    std::vector<std::shared_ptr<Given>> given;  // of the cursors that it reads
    std::set<int> setting_parameters;           // sql/rewrite.h
    bool understood = false;  // its actions are known, so that the policies can be asked
    std::optional<Refusal> refusal;
    std::string_view sqlstate = "42501";
    std::uint32_t position = 0;
  };
  // client_held.cc
  Task<std::expected<Permit, Refusal>> authorize(Asked& asked,
                                                 const std::vector<std::uint32_t>& types);
  Task<std::expected<std::vector<std::string>, Refusal>> items_of(
      const HeldCommand& held, const Asked& asked, const std::vector<std::string>& bound);
  Refusal asked_as_list(const HeldCommand& held, const approval::Request& request);
  Task<std::expected<Permit, Refusal>> wait_for(const approval::Request& request, HeldCommand held,
                                                Asked& asked,
                                                const std::vector<std::uint32_t>& types);
  Refusal not_yet(const HeldCommand& held, const approval::Request& request);
  Task<std::optional<Refusal>> masked_otherwise(HeldCommand& held, Asked& asked,
                                                const std::vector<std::uint32_t>& types);

  /// Analyses a text and says what it would do, or why it may not be asked at all.
  Task<Asked> ask(std::string kind, std::string sql);
  Task<Asked> ask_prepared(std::string kind, std::shared_ptr<const Prepared> prepared);
  Refusal refused(const Asked& asked);
  bool needs_protection(const Asked& asked) const {
    return !asked.refusal && masking_.concerns(session_);
  }
  Task<void> protect(Asked& asked, const std::string* sent);
  void limit(Asked& asked);  // answer_limits.cc
  void check_settings_read(Asked& asked, const std::vector<std::uint32_t>& types);
  void definitions_changed(const sql::Analysis& analysis);
  void add_actions(const sql::Analysis& analysis, sql::Decidable decidable, Asked& asked);
  sql::Decidable decidable(const Prepared& prepared) const;
  std::optional<Refusal> check_session_state(const sql::Statement& statement);
  bool may_be_of_unseen_code(const std::string& cursor) const;
  void add_named(const sql::Statement& statement, Asked& asked);

  void refuse_query(const Refusal& refusal, std::string_view sqlstate, std::uint32_t position);
  void refuse_extended(const Refusal& refusal, std::string_view sqlstate, std::uint32_t position);
  void refuse_too_large(char type);
  bool refuse_when_full(char type);
  void answer_locally(ByteVector bytes, bool ready);
  void expect(Reply reply);

  // server_side.cc
  Task<Result<void>> server_side();
  Result<void> on_server(const Message& message);
  Result<void> on_message(Reply* head, const Message& message);
  Result<void> on_unasked(const Message& message);
  Task<Result<void>> release();
  bool release_now();
  Result<void> on_answer(Reply& head, const Message& message);
  Result<void> on_result(Reply& head, Outcome& outcome, const Message& message);
  Result<void> on_function_result(Reply& head, const Message& message);
  Result<void> on_row(Reply& head, const Message& message);
  Result<void> on_piece(Reply& head, const Message& message);
  Result<void> data_to_client(Reply& head, Outcome& outcome, const Message& message);

  // answer_limits.cc
  bool withheld(Reply& head, const Message& message);
  void cut_off(Reply& head, const policy::AnswerLimits& most);

  // guarded_answers.cc
  bool shows_hidden(const Shield* shield, Bytes row_description);
  Result<void> alarm();
  void error_to_client(const Message& message, const sql::Analysis* analysis);
  bool notice_to_client(const Message& message);
  Result<void> on_query_done(Reply& head, const Message& message);
  Result<void> on_error(Reply& head, const Message& message);
  Result<void> on_ready(Reply& head, const Message& message);
  Result<void> finish_execute(Reply& head, const Message& message);
  void skip_to_sync();
  void drop(Reply& reply);
  void finished(Reply& reply);
  void pop();
  void drain_local();
  void begin_copy_in(const Permit& permit);
  void apply(const sql::Analysis& analysis, std::string_view sql, std::string_view sent);
  void transaction_ended();
  void set_path(const sql::SettingChange& setting);
  void path_changed();
  bool steers(const sql::Analysis& analysis) const;
  /// Another number: unqualified names may mean something else.
  std::uint64_t meaning() const { return place_version_ * (temporary_max + 1) + temporary_.size(); }
  bool is_outdated(const Portal& portal) const;
  bool means_the_same(const Portal& portal) const;
  void query_not_permitted(const Refusal& refusal);
  void not_permitted(const Refusal& refusal);

  void to_client(Bytes bytes) { client_out_.add(bytes); }
  void pass_to_client(const Message& message);
  void end_for(const Error& problem);
  Task<Result<void>> flush_client();
  /// flush_client() would do nothing.
  bool client_flushed() const { return client_out_.empty() && !client_writing_.locked(); }
  void stop(std::string reason, std::string detail);
  /// Its credential is no longer good.
  void end_refused(const Refusal& refusal);

  const Session& session_;
  const Permit& permit_;
  Guard& guard_;
  sql::Parser& parser_;
  sql::ShapeCache& shapes_;
  policy::DecisionCache& decisions_;
  const policy::DecisionCache::Fixed fixed_;
  Masking& masking_;
  CatalogDesk& catalogs_;
  const Options& options_;
  net::Stream& client_;
  MessageReader& client_reader_;
  Upstream& upstream_;
  const std::shared_ptr<const Target> target_;
  const bool read_only_;
  sql::Place place_;
  std::uint64_t place_version_ = 1;  // names may mean something else when it changes
  SearchPath path_;

  std::size_t held_bytes_ = 0;  // before what counts into it
  Names names_;
  std::list<Reply> replies_;
  std::size_t owed_ready_ = 0;       // replies that end in the server's ReadyForQuery
  std::size_t steering_ = 0;         // replies that steer
  std::size_t copies_expected_ = 0;  // of all replies
  char transaction_ = 'I';           // as the last ReadyForQuery said
  std::uint64_t batch_ = 1;          // of the client's extended messages, up to its next Sync
  bool batch_forwarded_ = false;     // something of this batch went to the server
  bool batch_changed_ = false;       // what was executed up to here may have, since the last Sync
  bool skipping_ = false;            // an error in this batch: everything up to Sync is discarded
  const Permit* copy_in_ = nullptr;  // the command whose copy data the client is sending
  bool copy_piece_open_ = false;     // the beginning of a CopyData went to the server, not its end
  std::string last_tag_;
  const std::string label_;
  bool label_lost_ = false;  // by RESET ALL and the like
  /// Something on the connection is masked or filtered for this chain: what the server says beside
  /// its answers is not for it. Stays, for a commit may say late what a statement did.
  bool guarded_ = false;
  static constexpr std::size_t temporary_max = 1000;
  std::set<std::string, std::less<>> temporary_;  // relations that it made, if they are still there
  bool definitions_change_ = false;               // by the transaction that is open
  const bool reuse_;
  bool unseen_ran_ = false;  // code that no text shows, which may have opened cursors
  bool stained_ = false;     // by what no reset undoes
  bool reset_begun_ = false;
  std::function<void()> let_go_;

  ClientOut client_out_;                  // released: may be sent at any time
  bool piece_open_ = false;               // it ends inside a message
  Expect muted_until_ = Expect::sync;     // while it is muted: whose ReadyForQuery ends that
  bool cancel_wanted_ = false;            // of what runs: nobody will see the rest of its answer
  RowCheck row_check_;                    // of the DataRow that comes in pieces
  std::unique_ptr<Detection> detection_;  // null: nothing is looked through
  net::AsyncMutex client_writing_;
  net::Signal progress_;  // a reply was finished, or the session ended
  enum class Waiting : std::uint8_t { no, yes, cancelled };
  Waiting waiting_ = Waiting::no;  // for an approval
  bool ended_ = false;
  ledger::SessionEnd end_;
};

/// What the client is told of a refusal.
ErrorText error_of(const Refusal& refusal, std::string_view sqlstate, const Session& session);

}  // namespace sallyport::postgres

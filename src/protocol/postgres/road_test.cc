// The road, with everything real but the wire: ledger on disk, policies, analysis, and two streams
// in memory with a scripted client and a scripted server. Whatever fails, and whenever: nothing is
// sent without an earlier record, nothing is shown before its record is safe, every Permit is
// settled.

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "guard/guard.h"
#include "ledger/format.h"
#include "ledger/testing.h"
#include "net/both.h"
#include "net/memory_stream.h"
#include "net/reactor.h"
#include "policy/decision_cache.h"
#include "policy/policies.h"
#include "protocol/postgres/conversation.h"

using namespace std::string_literals;

namespace sallyport::postgres {
namespace {

using ledger::FaultyFiles;
using ledger::RecordKind;
using ledger::TemporaryDirectory;

constexpr std::string_view policies_text = R"(
@id("all") permit (principal, action, resource);
@id("no-secrets") forbid (principal, action, resource in Table::"shop/shop/public/secrets");
)";

std::shared_ptr<const policy::Policies> make_policies() {
  auto made = policy::Policies::make({{"test.cedar", std::string(policies_text)}},
                                     {{.name = "shop", .protocol = "postgres", .env = "test"}});
  EXPECT_TRUE(made) << made.error().detail;
  return *made;
}

Session make_session() {
  Session session;
  session.id = "s1";
  session.protocol = "postgres";
  session.connection = "shop";
  session.database = "shop";
  Identity alice;
  alice.id = "alice";
  alice.issuer = "https://issuer.test";
  alice.subject = "alice";
  session.chain.identities.push_back(alice);
  session.authentication.method = "ticket";
  session.source_ip = "127.0.0.1";
  return session;
}

struct Entry {
  std::uint64_t sequence = 0;
  RecordKind kind{};
  std::string payload;
};

std::vector<Entry> read_ledger(const std::filesystem::path& directory) {
  std::vector<Entry> entries;
  for (std::uint64_t number = 0;; ++number) {
    const auto file = directory / ledger::segment_name(number);
    if (!std::filesystem::exists(file)) break;
    const std::string bytes = ledger::slurp(file);
    auto scanner = ledger::SegmentScanner::open(as_bytes(bytes));
    if (!scanner) break;
    while (true) {
      auto frame = scanner->next();
      if (!frame || !*frame) break;
      entries.push_back(
          {(*frame)->sequence, (*frame)->kind, ledger::payload_of(**frame).value_or("")});
    }
  }
  return entries;
}

/// What the two scripts saw, with how far the ledger was safe at that moment.
struct Seen {
  struct Event {
    std::string what;
    std::uint64_t durable = 0;
  };
  std::vector<Event> sent;          // texts that reached the server
  std::vector<Event> shown;         // rows that reached the client
  std::vector<std::string> client;  // types of all messages, errors with their SQLSTATE
};

class Server {
 public:
  Server(net::Stream& stream, const Ledger& ledger, Seen& seen)
      : stream_(stream), ledger_(ledger), seen_(seen) {}

  /// Answers as PostgreSQL would, as far as these tests go: a row for every text.
  Task<void> run() {
    if (!co_await read(4)) co_return;
    const std::uint32_t length = read_u32(buffer_);
    if (!co_await read(length)) co_return;
    buffer_.erase(buffer_.begin(), buffer_.begin() + length);
    ByteVector out;
    MessageBuilder(out, backend::authentication).u32(0);
    append_parameter_status(out, "client_encoding", "UTF8");
    append_parameter_status(out, "standard_conforming_strings", "on");
    MessageBuilder(out, backend::key_data).u32(1).u32(2);
    append_ready(out, status_);
    if (!co_await stream_.write(out)) co_return;

    std::map<std::string, std::string> prepared;
    std::string bound;
    bool skipping = false;
    while (true) {
      if (!co_await read(header_bytes)) co_return;
      const char type = static_cast<char>(buffer_[0]);
      const std::uint32_t size = read_u32(Bytes(buffer_).subspan(1)) + 1;
      if (!co_await read(size)) co_return;
      const ByteVector message(buffer_.begin(), buffer_.begin() + size);
      buffer_.erase(buffer_.begin(), buffer_.begin() + size);
      const Bytes body = Bytes(message).subspan(header_bytes);
      out.clear();
      if (type == frontend::terminate) co_return;
      if (skipping && type != frontend::sync) continue;
      switch (type) {
        case frontend::query: {
          const std::string sql(query_text(body).value());
          note(sql);
          run_sql(out, sql, true);
          append_ready(out, status_);
          break;
        }
        case frontend::parse: {
          const auto parsed = parse_body(body);
          if (parsed->sql.starts_with("sallyport")) {
            error(out);
            skipping = true;
            break;
          }
          prepared[std::string(parsed->name)] = parsed->sql;
          MessageBuilder(out, backend::parse_complete);
          break;
        }
        case frontend::bind: {
          bound = prepared[std::string(bind_body(body)->statement)];
          note(bound);
          MessageBuilder(out, backend::bind_complete);
          break;
        }
        case frontend::describe:
          MessageBuilder(out, backend::no_data);
          break;
        case frontend::execute:
          run_sql(out, bound, false);
          break;
        case frontend::sync:
          skipping = false;
          append_ready(out, status_);
          break;
        default:
          co_return;
      }
      if (!out.empty() && !co_await stream_.write(out)) co_return;
    }
  }

 private:
  void note(const std::string& sql) { seen_.sent.push_back({sql, ledger_.durable_sequence()}); }
  void error(ByteVector& out) {
    append_error(out, {.sqlstate = "42601", .message = "syntax error", .detail = "", .hint = ""});
    if (status_ == 'T') status_ = 'E';
  }
  void run_sql(ByteVector& out, const std::string& sql, bool describe) {
    if (sql.starts_with("sallyport")) {
      error(out);
      return;
    }
    if (sql == "begin") status_ = 'T';
    if (sql == "rollback") status_ = 'I';
    if (describe) {
      MessageBuilder(out, backend::row_description)
          .u16(1)
          .text("c")
          .u32(0)
          .u16(0)
          .u32(25)
          .u16(0xffff)
          .u32(0xffffffff)
          .u16(0);
    }
    const std::string cell = "row of " + sql;
    MessageBuilder(out, backend::data_row)
        .u16(1)
        .u32(static_cast<std::uint32_t>(cell.size()))
        .bytes(as_bytes(cell));
    MessageBuilder(out, backend::command_complete).text("SELECT 1");
  }
  Task<bool> read(std::size_t size) {
    while (buffer_.size() < size) {
      auto chunk = co_await stream_.read();
      if (!chunk) co_return false;
      append(buffer_, chunk->bytes());
    }
    co_return true;
  }

  net::Stream& stream_;
  const Ledger& ledger_;
  Seen& seen_;
  ByteVector buffer_;
  char status_ = 'I';
};

/// Sends `script` a part at a time, reads until the ReadyForQuery of each part, and says goodbye.
Task<void> run_client(net::Stream& stream, std::vector<std::pair<ByteVector, int>> script,
                      const Ledger& ledger, Seen& seen) {
  static const MessageLimits limits = MessageLimits::server();
  MessageReader reader(stream, limits);
  for (const auto& [bytes, readies] : script) {
    if (!co_await stream.write(bytes)) co_return;
    for (int ready = 0; ready < readies;) {
      auto message = co_await reader.next();
      if (!message) co_return;
      std::string what(1, message->type);
      if (message->type == backend::error) what += sqlstate_of(message->body);
      if (message->type == backend::ready) {
        what += static_cast<char>(message->body[0]);
        ++ready;
      }
      if (message->type == backend::data_row) {
        seen.shown.push_back(
            {std::string(as_text(message->body.subspan(6))), ledger.durable_sequence()});
      }
      seen.client.push_back(what);
    }
  }
  ByteVector goodbye;
  MessageBuilder(goodbye, frontend::terminate);
  (void)co_await stream.write(goodbye);
}

struct Faults {
  net::Faults client;
  net::Faults server;
  std::uint64_t ledger_call = FaultyFiles::never;
  std::uint64_t ledger_failures = FaultyFiles::never - 1;
};

struct Drive {
  Seen seen;
  std::vector<Entry> ledger;
  ledger::SessionEnd end;
  std::size_t client_operations = 0;
  std::size_t server_operations = 0;
  std::uint64_t ledger_calls = 0;
  bool opened = false;
};

class Road : public testing::Test {
 protected:
  void SetUp() override {
    auto parser = sql::Parser::make();
    ASSERT_TRUE(parser) << parser.error().detail;
    parser_ = std::move(*parser);
    policies_ = make_policies();
  }

  Drive drive(const std::vector<std::pair<ByteVector, int>>& script, const Faults& faults = {}) {
    Drive run;
    const TemporaryDirectory directory;
    FaultyFiles files;
    auto reactor = net::Reactor::make(net::Backend::epoll);
    EXPECT_TRUE(reactor);
    {
      auto ledger = Ledger::open({.directory = directory / "log",
                                  .segment_bytes = 128 * 1024,
                                  .recovery_interval = std::chrono::hours(1)},
                                 files, system_clock(), system_random());
      EXPECT_TRUE(ledger) << ledger.error().detail;
      files.fail_at(faults.ledger_call, faults.ledger_failures, true);
      Guard guard(policies_, **ledger, system_clock());
      (*reactor)->run_to_end(session(script, faults, guard, **ledger, run));
      EXPECT_EQ(guard.permits_open(), 0u);
      run.ledger_calls = files.calls();
      (void)(*ledger)->close();
    }
    run.ledger = read_ledger(directory / "log");
    return run;
  }

  Task<void> session(std::vector<std::pair<ByteVector, int>> script, Faults faults, Guard& guard,
                     const Ledger& ledger, Drive& run) {
    const Session session = make_session();
    auto client = net::make_memory_pair();
    auto server = net::make_memory_pair();
    client.a->set_faults(faults.client);
    server.a->set_faults(faults.server);
    Command connect;
    connect.kind = "connect";
    connect.text = "connect to shop";
    connect.actions = {{.name = "connect", .resource = {.type = "Connection", .id = "shop"}}};
    auto permit = co_await guard.open(session, std::move(connect));
    if (permit) {
      net::MemoryStream& client_end = *client.a;
      net::MemoryStream& server_end = *server.a;
      auto parts =
          net::both(serve(session, *permit, guard, client_end, std::move(server.a), run),
                    net::both(run_and_close(*client.b, std::move(script), ledger, run.seen),
                              run_server(*server.b, ledger, run.seen)));
      co_await std::move(parts);
      run.client_operations = client_end.operations();
      (void)server_end;
      (void)guard.settle(std::move(*permit), {.tag = "DISCONNECT"});
      guard.close(session, run.end);
    }
  }

  static Task<void> run_and_close(net::Stream& stream,
                                  std::vector<std::pair<ByteVector, int>> script,
                                  const Ledger& ledger, Seen& seen) {
    co_await run_client(stream, std::move(script), ledger, seen);
    stream.close();
  }
  static Task<void> run_server(net::Stream& stream, const Ledger& ledger, Seen& seen) {
    Server server(stream, ledger, seen);
    co_await server.run();
    stream.close();
  }

  Task<void> serve(const Session& session, const Permit& permit, Guard& guard,
                   net::MemoryStream& client, std::unique_ptr<net::MemoryStream> server,
                   Drive& run) {
    net::MemoryStream& server_end = *server;
    auto target = std::make_shared<Target>();
    target->connection = "shop";
    target->user = "gateway";
    target->databases = {"shop"};
    auto upstream =
        co_await Upstream::log_in_over(permit, target, std::move(server), {},
                                       {.database = "shop", .label = "test"}, system_random());
    if (upstream) {
      run.opened = true;
      const MessageLimits limits = MessageLimits::client(1 << 20);
      MessageReader reader(client, limits);
      sql::ShapeCache shapes;
      policy::DecisionCache decisions;
      CatalogDesk catalogs(guard, system_random());
      Masking masking(guard, catalogs, *parser_, decisions);
      const Options options;
      Conversation conversation({.session = session,
                                 .permit = permit,
                                 .guard = guard,
                                 .parser = *parser_,
                                 .shapes = shapes,
                                 .decisions = decisions,
                                 .masking = masking,
                                 .catalogs = catalogs,
                                 .options = options,
                                 .client = client,
                                 .client_reader = reader,
                                 .upstream = **upstream,
                                 .read_only = false,
                                 .place = {.connection = "shop", .database = "shop"}});
      run.end = co_await conversation.run();
      run.server_operations = server_end.operations();
      (*upstream)->stream().close();
    }
    client.close();
  }

  std::unique_ptr<sql::Parser> parser_;
  std::shared_ptr<const policy::Policies> policies_;
};

ByteVector query(std::string_view sql) {
  ByteVector out;
  append_query(out, sql);
  return out;
}

ByteVector extended(const std::vector<std::string>& texts) {
  ByteVector out;
  for (const std::string& sql : texts) {
    append_parse(out, "", sql, {});
    MessageBuilder(out, frontend::bind).text("").text("").u16(0).u16(0).u16(0);
    MessageBuilder(out, frontend::describe).u8('P').text("");
    MessageBuilder(out, frontend::execute).text("").u32(0);
  }
  MessageBuilder(out, frontend::sync);
  return out;
}

/// A session with all that matters: reads, writes, refusals alone, in a transaction, in a pipeline.
std::vector<std::pair<ByteVector, int>> whole_session() {
  ByteVector pipeline = query("select 10 from orders");
  append(pipeline, query("select 11 from secrets"));
  append(pipeline, query("delete from orders where id = 12"));
  return {{query("select 1 from orders"), 1},
          {query("delete from orders where id = 2"), 1},
          {query("select 3 from secrets"), 1},
          {query("begin"), 1},
          {query("select 4 from secrets"), 1},
          {query("rollback"), 1},
          {extended({"select 5 from orders", "update orders set a = 6 where id = 1"}), 1},
          {extended({"select 7 from orders", "select 8 from secrets", "select 9 from orders"}), 1},
          {pipeline, 3}};
}

std::string joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all += part + " ";
  return all;
}

std::map<std::string, std::uint64_t> sequences_by_text(const std::vector<Entry>& entries) {
  // Each text is asked once in a session, but a Parse and a Bind share it: the later one counts.
  std::map<std::string, std::uint64_t> sequences;
  for (const Entry& entry : entries) {
    if (entry.kind != RecordKind::command) continue;
    if (auto command = ledger::parse_command(entry.payload)) {
      if (command->command.kind != "prepare") {
        sequences[command->command.text] = entry.sequence;
      }
    }
  }
  return sequences;
}

/// The properties. `ledger_failed`: the log may end early, and outcomes may be missing from it.
void check(const Drive& run, bool ledger_failed) {
  const auto sequences = sequences_by_text(run.ledger);
  for (const auto& sent : run.seen.sent) {
    if (sent.what.starts_with("sallyport")) continue;
    const auto found = sequences.find(sent.what);
    const bool write = sent.what.starts_with("delete") || sent.what.starts_with("update");
    if (found == sequences.end()) {
      // Only a read may have been sent whose record was then lost with the disk.
      EXPECT_TRUE(ledger_failed && !write) << "sent without a record: " << sent.what;
      continue;
    }
    if (write) {
      EXPECT_LE(found->second, sent.durable) << "sent before it was safe: " << sent.what;
    }
  }
  for (const auto& shown : run.seen.shown) {
    const std::string text = shown.what.substr(std::string("row of ").size());
    const auto found = sequences.find(text);
    if (found == sequences.end()) {
      ADD_FAILURE() << "shown without a record: " << text;
      continue;
    }
    EXPECT_LE(found->second, shown.durable) << "shown before it was safe: " << text;
  }
  for (const auto& sent : run.seen.sent) {
    EXPECT_EQ(sent.what.find("secrets"), std::string::npos) << "sent though refused: " << sent.what;
  }
  if (ledger_failed) return;
  std::map<std::uint64_t, int> outcomes;
  for (const Entry& entry : run.ledger) {
    if (entry.kind == RecordKind::outcome) {
      ++outcomes[ledger::parse_outcome(entry.payload)->command_sequence];
    }
  }
  for (const Entry& entry : run.ledger) {
    if (entry.kind == RecordKind::command) {
      EXPECT_EQ(outcomes[entry.sequence], 1) << "command " << entry.payload;
    }
  }
  ASSERT_FALSE(run.ledger.empty());
  EXPECT_EQ(run.ledger.back().kind, RecordKind::session_end);
}

TEST_F(Road, AnswersInOrderAndAbortsTheTransactionOfARefusal) {
  const Drive run = drive(whole_session());
  EXPECT_EQ(joined(run.seen.client),
            "T D C ZI "                       // select 1
            "T D C ZI "                       // delete 2
            "E42501 ZI "                      // secrets
            "T D C ZT E42501 ZE "             // begin, refused inside: the server aborted too
            "T D C ZI "                       // rollback
            "1 2 n D C 1 2 n D C ZI "         // extended, both
            "1 2 n D C E42501 ZI "            // the second is refused, the third skipped
            "T D C ZI E42501 ZI T D C ZI ");  // a pipeline of simple queries
  check(run, false);
  EXPECT_EQ(run.end.reason, "client");
}

TEST_F(Road, APeerThatClosesAtAnyMomentLeavesNothingUnrecordedOrUnsettled) {
  const Drive whole = drive(whole_session());
  ASSERT_GT(whole.client_operations, 10u);
  for (std::size_t n = 1; n <= whole.client_operations + 1; ++n) {
    SCOPED_TRACE("client closes at " + std::to_string(n));
    check(drive(whole_session(), {.client = {.close_at = n}}), false);
  }
  for (std::size_t n = 1; n <= whole.server_operations + 4; ++n) {
    SCOPED_TRACE("server closes at " + std::to_string(n));
    check(drive(whole_session(), {.server = {.close_at = n}}), false);
  }
}

TEST_F(Road, AStreamThatFailsAtAnyMomentLeavesNothingUnrecordedOrUnsettled) {
  const Drive whole = drive(whole_session());
  for (std::size_t n = 1; n <= whole.client_operations; ++n) {
    SCOPED_TRACE(n);
    check(drive(whole_session(), {.client = {.fail_read = n}}), false);
    check(drive(whole_session(), {.client = {.fail_write = n}}), false);
    check(drive(whole_session(), {.server = {.fail_read = n}}), false);
    check(drive(whole_session(), {.server = {.fail_write = n}}), false);
  }
}

TEST_F(Road, ALedgerThatFailsAtAnyMomentLetsNothingPassUnrecorded) {
  const Drive whole = drive(whole_session());
  ASSERT_GT(whole.ledger_calls, 5u);
  std::size_t cut_short = 0;
  for (std::uint64_t n = 0; n <= whole.ledger_calls; ++n) {
    SCOPED_TRACE("ledger fails at " + std::to_string(n));
    const Drive run = drive(whole_session(), {.ledger_call = n});
    check(run, true);
    if (run.seen.shown.size() < whole.seen.shown.size()) ++cut_short;
  }
  EXPECT_GT(cut_short, 0u) << "no failure was ever felt: the test tests nothing";
}

}  // namespace
}  // namespace sallyport::postgres

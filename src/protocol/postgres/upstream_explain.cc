// What a statement would touch, as the target's planner guesses, over a connection of the gateway's
// own: never the client's, which waits meanwhile. Nothing runs: EXPLAIN without ANALYZE, in a
// transaction that reads only, for at most two seconds.

#include "net/reactor.h"
#include "protocol/postgres/catalog_desk.h"
#include "protocol/postgres/plan.h"
#include "protocol/postgres/settings.h"
#include "protocol/postgres/sql/planning.h"
#include "protocol/postgres/upstream.h"

namespace sallyport::postgres {
namespace {

constexpr std::chrono::seconds explain_s_max{3};  // with the login
constexpr int explains_max = 4;                   // at once, of all workers

/// Statements that EXPLAIN can take, and that touch nothing but tables, by their text. What else
/// the planner might run, sql/planning.h says.
std::string_view why_no_estimate(const Command& command) {
  const auto* const sql = std::get_if<SqlContext>(&command.context);
  if (sql == nullptr || sql->multi) return "more than one statement";
  if (sql->dynamic_sql) return "it runs SQL that is not in its text";
  if (sql->kind != "select" && sql->kind != "insert" && sql->kind != "update" &&
      sql->kind != "delete" && sql->kind != "merge") {
    return "not a statement that can be estimated";
  }
  for (const Action& action : command.actions) {
    if (action.name != "sql:select" && action.name != "sql:insert" && action.name != "sql:update" &&
        action.name != "sql:delete") {
      return "it does more than read and change rows";
    }
  }
  return {};
}

/// As the client sent it. nullopt: it is recorded cut.
std::optional<std::optional<ByteVector>> raw_value(const Parameter& parameter) {
  if (!parameter.value) return std::optional<ByteVector>();
  if (!parameter.binary) {
    const Bytes bytes = as_bytes(*parameter.value);
    return ByteVector(bytes.begin(), bytes.end());
  }
  auto bytes = from_base64(*parameter.value);
  if (!bytes) return std::nullopt;
  return std::move(*bytes);
}

Result<void> append_bind(ByteVector& out, const std::vector<Parameter>& parameters) {
  MessageBuilder builder(out, frontend::bind);
  builder.text("").text("").u16(static_cast<std::uint16_t>(parameters.size()));
  for (const Parameter& parameter : parameters) builder.u16(parameter.sent_binary ? 1 : 0);
  builder.u16(static_cast<std::uint16_t>(parameters.size()));
  for (const Parameter& parameter : parameters) {
    const auto value = raw_value(parameter);
    if (!value) return fail(Errc::too_large, "a parameter is too long");
    builder.u32(*value ? static_cast<std::uint32_t>((*value)->size()) : 0xFFFFFFFF);
    if (*value) builder.bytes(**value);
  }
  builder.u16(0);
  return ok();
}

struct Slot {
  std::atomic<int>& of;
  bool taken = ++of <= explains_max;
  ~Slot() { --of; }
};

}  // namespace

Task<Result<std::string>> Upstream::explain(const Permit&, std::string_view sql,
                                            const std::vector<std::uint32_t>& types,
                                            const std::vector<Parameter>& parameters,
                                            SteadyTime deadline) {
  stream_->set_read_deadline(deadline);
  stream_->set_write_deadline(deadline);
  append_parse(out_, "", "EXPLAIN (FORMAT JSON) " + std::string(sql), types);
  if (auto bound = append_bind(out_, parameters); !bound) {
    out_.clear();
    co_return fail(bound);
  }
  MessageBuilder(out_, frontend::execute).text("").u32(0);
  {
    const MessageBuilder sync(out_, frontend::sync);
  }
  if (auto sent = co_await flush(); !sent) co_return fail(sent);
  std::size_t asides = 0;
  std::string row;
  for (const char expected : {backend::parse_complete, backend::bind_complete, backend::data_row,
                              backend::command_complete, backend::ready}) {
    while (true) {
      auto message = co_await own_answer(asides);
      if (!message) co_return fail(message);
      if (message->type == backend::error) {
        co_return fail(Errc::unavailable, "the target says " + sqlstate_of(message->body));
      }
      if (message->type != expected) co_return fail(Errc::malformed, "an answer out of its place");
      if (expected != backend::data_row) break;
      row += as_text(message->body);  // it may come in pieces
      if (row.size() > plan_bytes_max) co_return fail(Errc::too_large, "the plan is too long");
      if (message->last) break;
    }
  }
  FieldReader reader(as_bytes(row));
  const std::uint16_t columns = reader.u16();
  const std::uint32_t size = reader.u32();
  const Bytes plan = reader.bytes(size);
  if (columns != 1 || !reader.finished()) co_return fail(Errc::malformed, "not a plan");
  co_return std::string(as_text(plan));
}

Task<std::string> CatalogDesk::estimate(std::shared_ptr<const Target> target, sql::Parser& parser,
                                        Estimated asked) {
  const auto none = [](std::string_view why) { return "no estimate: " + std::string(why); };
  const Command& command = asked.command;
  const std::string& text = command.executed.empty() ? command.text : command.executed;
  std::string database = asked.database;
  if (const std::string_view why = why_no_estimate(command); !why.empty()) co_return none(why);
  static std::atomic<int> running = 0;
  const Slot slot(running);
  if (!slot.taken) co_return none("too many are being made");
  auto catalog = co_await get(target, database, Want::current);
  if (!catalog) co_return none("nobody knows what the planner might run");
  auto runs = sql::runs_in_planning(parser, text, **catalog, asked.names, asked.types);
  if (!runs) co_return none("it cannot be analysed");
  if (!runs->empty()) co_return none("the planner might run a function: " + *runs);
  const SteadyTime deadline = net::Reactor::current().now() + explain_s_max;
  auto permit = guard_.own("estimate", target->connection + "/" + database);
  if (!permit) co_return none("the ledger cannot record it");
  UpstreamLogin login{.database = std::move(database),
                      .label = "sallyport estimate",
                      .read_only = true,
                      .settings = {{"search_path", to_search_path(asked.names.path)},
                                   {"statement_timeout", "2s"},
                                   {"lock_timeout", "500ms"}}};
  // Its own, not those that the operator gives sessions.
  auto own = std::make_shared<Target>(*target);
  std::erase_if(own->settings, [&](const auto& setting) {
    return std::ranges::any_of(login.settings,
                               [&](const auto& ours) { return ours.first == setting.first; });
  });
  auto upstream =
      co_await Upstream::open(*permit, std::move(own), std::move(login), deadline, random_);
  Result<std::string> plan = upstream ? co_await (*upstream)->explain(*permit, text, asked.types,
                                                                      command.parameters, deadline)
                                      : Result<std::string>(fail(upstream));
  if (upstream) co_await (*upstream)->close(*permit);
  Result<std::string> summary = plan ? plan_summary(*plan) : Result<std::string>(fail(plan));
  Outcome outcome{.failed = !summary};
  (summary ? outcome.tag : outcome.error) = summary ? "EXPLAIN" : summary.error().detail;
  (void)guard_.settle(std::move(*permit), outcome);
  // What the target says of its own may have values in it; that is for the operator's ledger.
  co_return summary ? std::move(*summary) : none("the target did not give one");
}

}  // namespace sallyport::postgres

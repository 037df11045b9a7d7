// The extended protocol's messages from the client, but for Sync and Flush: Parse, Bind, Describe,
// Execute, Close. Each waits until the name it uses can mean one thing only.

#include <algorithm>
#include <array>

#include "base/crypto.h"
#include "policy/policies.h"
#include "protocol/postgres/client_side.h"
#include "protocol/postgres/conversation.h"
#include "protocol/postgres/sql/mask_sql.h"

namespace sallyport::postgres {
namespace {

constexpr std::size_t parameter_recorded_bytes_max = 4096;         // of one value
constexpr std::size_t parameters_recorded_bytes_max = 256 * 1024;  // of one command
constexpr std::size_t name_bytes_max = 63;                         // NAMEDATALEN - 1

/// What goes into the ledger of a bound value: text as it is, binary as base64, and of a long one
/// its beginning, its length and its hash. Takes what it keeps off `budget`.
Parameter recorded_parameter(const std::optional<Bytes>& value, bool binary, std::size_t& budget) {
  if (!value) return {.value = std::nullopt, .binary = binary, .sent_binary = binary};
  const std::size_t most = std::min(parameter_recorded_bytes_max, budget);
  if (value->size() > most) {
    constexpr std::size_t shown = 64;
    budget -= std::min(budget, 3 * shown);
    return {.value = to_base64(value->first(std::min(shown, value->size()))) + "... (" +
                     std::to_string(value->size()) + " bytes, sha256 " + to_hex(sha256(*value)) +
                     ")",
            .binary = true,
            .sent_binary = binary};
  }
  budget -= value->size();
  const Bytes kept = *value;
  if (!binary && is_utf8(as_text(kept))) return {.value = std::string(as_text(kept))};
  return {.value = to_base64(kept), .binary = true, .sent_binary = binary};
}

/// Its plan is made when it is bound. All others are worked out when they are executed.
bool is_planned(const sql::Statement& statement) {
  static constexpr std::array<std::string_view, 5> kinds{"select", "insert", "update", "delete",
                                                         "merge"};
  return std::ranges::find(kinds, statement.kind) != kinds.end();
}

/// current_setting($1) with a value that could be the name of a setting of the gateway's.
bool names_gateway_setting(const Prepared& prepared, const BindBody& bound) {
  if (std::ranges::none_of(prepared.analysis->statements, reads_settings)) return false;
  return std::ranges::any_of(bound.parameters, [](const std::optional<Bytes>& value) {
    if (!value) return false;
    std::string text(as_text(*value));
    for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return text.find(sql::gateway_setting_prefix) != std::string::npos;
  });
}

/// What is called by number, whose numbers are the same in every server: large objects, as libpq
/// and JDBC have them.
std::string_view function_called(std::uint32_t number) {
  struct Function {
    std::uint32_t number;
    std::string_view name;
  };
  static constexpr std::array<Function, 15> functions = {{{715, "lo_create"},
                                                          {764, "lo_import"},
                                                          {765, "lo_export"},
                                                          {952, "lo_open"},
                                                          {953, "lo_close"},
                                                          {954, "loread"},
                                                          {955, "lowrite"},
                                                          {956, "lo_lseek"},
                                                          {957, "lo_creat"},
                                                          {958, "lo_tell"},
                                                          {964, "lo_unlink"},
                                                          {1004, "lo_truncate"},
                                                          {3170, "lo_lseek64"},
                                                          {3171, "lo_tell64"},
                                                          {3172, "lo_truncate64"}}};
  const auto found = std::ranges::find(functions, number, &Function::number);
  return found == functions.end() ? std::string_view() : found->name;
}

}  // namespace

/// Decided as the SELECT that it stands for; what is sent is the message that was understood.
Task<Result<void>> Conversation::on_function_call(Bytes body) {
  const auto call = function_call_body(body);
  // What cannot be read is no function that we know: the server would go on after an error too.
  const std::string_view function = call ? function_called(call->function) : std::string_view();
  if (function.empty()) {
    Command command;
    command.kind = "function_call";
    refuse_query(guard_.refuse(session_, command,
                               not_analysed("function calls by number are not allowed",
                                            "call the function in a SELECT")),
                 "0A000", 0);
    co_return ok();
  }
  ByteVector raw;
  append_function_call(raw, body);
  std::vector<Parameter> arguments;
  std::size_t budget = parameters_recorded_bytes_max;
  for (std::size_t i = 0; i < call->arguments.size(); ++i) {
    arguments.push_back(recorded_parameter(call->arguments[i], call->binary(i), budget));
  }
  Asked asked = co_await ask("function_call", "SELECT pg_catalog." + std::string(function) + "()");
  if (ended_) co_return ok();
  if (!asked.refusal && asked.shield != nullptr) {
    asked.refusal = not_analysed("large objects cannot be used while columns are masked for you");
  }
  if (asked.refusal) {
    refuse_query(refused(asked), asked.sqlstate, 0);
    co_return ok();
  }
  asked.command.raw = std::move(raw);
  asked.command.parameters = std::move(arguments);
  auto flushed = co_await upstream_.flush();
  if (!flushed) co_return fail(flushed);
  ++end_.commands;
  auto permit = co_await authorize(asked, {});
  if (ended_) co_return ok();
  if (!permit) {
    query_not_permitted(permit.error());
    co_return ok();
  }
  upstream_.send(*permit);
  Reply reply;
  reply.expect = Expect::query;
  reply.function_call = true;
  reply.limited = std::move(asked.limited);
  reply.permit.emplace(std::move(*permit));
  reply.analysis = std::move(asked.analysis);
  expect(std::move(reply));
  co_return ok();
}

Task<Result<void>> Conversation::on_parse(const Message& message) {
  auto parsed = parse_body(message.body);
  if (!parsed) co_return fail(parsed);
  const std::string name(parsed->name);
  if (refuse_name(name)) co_return ok();
  const std::vector<std::uint32_t> types = std::move(parsed->parameter_types);
  Asked asked = co_await ask("prepare", std::string(parsed->sql));
  if (!name.empty() && !is_confirmed(name)) co_await confirmed(name);
  if (ended_ || skipping_) co_return ok();
  if (!asked.refusal && asked.analysis->statements.size() > 1) {
    asked.refusal = not_analysed("cannot insert multiple commands into a prepared statement");
    asked.sqlstate = "42601";
  }
  if (!asked.refusal) check_settings_read(asked, types);
  if (asked.refusal) {
    refuse_extended(refused(asked), asked.sqlstate, asked.position);
    co_return ok();
  }
  auto prepared = std::make_shared<Prepared>();
  prepared->sql = asked.command.text;
  prepared->as = asked.replaced_sql;
  if (!asked.command.executed.empty() && asked.command.executed == prepared->as) {
    prepared->as_sha256 = to_hex(sha256(as_bytes(prepared->as)));
  }
  prepared->parameter_types = types;
  prepared->analysis = asked.analysis;
  prepared->shield = asked.shield;
  prepared->batch = batch_;
  prepared->held = Held(held_bytes_, prepared->sql.size() + prepared->as.size() + 1024);
  append_parse(asked.command.raw, name,
               asked.replaced_sql.empty() ? asked.command.text : asked.replaced_sql, types);
  asked.command.read_only = true;  // to parse is not to run
  auto permit =
      co_await guard_.authorize_preparation(session_, std::move(asked.command), &decisions_);
  if (ended_ || skipping_) co_return ok();
  if (!permit) {
    not_permitted(permit.error());
    co_return ok();
  }
  Reply reply;
  reply.expect = Expect::parse;
  reply.name = name;
  reply.prepared = prepared;
  if (!names_.define(name, prepared, reply.before)) {
    refuse_extended(guard_.refuse(session_, permit->command(),
                                  not_analysed("too many prepared statements in this session",
                                               "close those that are no longer used")),
                    "54000", 0);
    co_return ok();
  }
  upstream_.send(*permit);
  batch_forwarded_ = true;
  reply.permit.emplace(std::move(*permit));
  expect(std::move(reply));
  co_return ok();
}

Task<Result<void>> Conversation::on_bind(const Message& message) {
  auto bound = bind_body(message.body);
  if (!bound) co_return fail(bound);
  const std::string statement(bound->statement);
  const std::string name(bound->portal);
  if (refuse_name(statement) || refuse_name(name)) co_return ok();
  ByteVector raw(message.raw.begin(), message.raw.end());
  std::vector<Parameter> parameters;
  parameters.reserve(bound->parameters.size());
  std::size_t budget = parameters_recorded_bytes_max;
  for (std::size_t i = 0; i < bound->parameters.size(); ++i) {
    parameters.push_back(recorded_parameter(bound->parameters[i], bound->binary(i), budget));
  }
  const std::size_t held = parameters_recorded_bytes_max - budget + 256;

  if (!is_confirmed(statement)) co_await confirmed(statement);
  if (!is_portal_confirmed(name)) co_await portal_confirmed(name);
  const auto prepared = names_.prepared(statement);
  if (ended_ || skipping_) co_return ok();
  if (prepared == nullptr) {
    Command command;
    command.kind = "execute";
    command.text = statement;
    refuse_extended(
        guard_.refuse(session_, command,
                      not_analysed(statement.empty() ? "unnamed prepared statement does not exist"
                                                     : "prepared statement \"" + statement +
                                                           "\" does not exist")),
        "26000", 0);
    co_return ok();
  }
  if (std::ranges::any_of(prepared->analysis->statements, uses_names)) co_await batches_answered();
  if (ended_ || skipping_) co_return ok();
  Asked asked = co_await ask_prepared("execute", prepared);
  if (ended_ || skipping_) co_return ok();
  asked.command.parameters = parameters;
  // Also where nothing is masked yet: it may be by the time that it runs.
  if (!asked.refusal && names_gateway_setting(*prepared, *bound)) {
    asked.refusal = not_analysed("the gateway's own settings cannot be read");
  }
  if (asked.refusal) {
    refuse_extended(refused(asked), asked.sqlstate, 0);
    co_return ok();
  }
  asked.command.raw = std::move(raw);
  if (!asked.command.read_only) {
    auto flushed = co_await upstream_.flush();
    if (!flushed) co_return fail(flushed);
  }
  ++end_.commands;
  auto permit = co_await authorize(asked, prepared->parameter_types);
  if (ended_ || skipping_) co_return ok();
  if (!permit) {
    not_permitted(permit.error());
    co_return ok();
  }
  auto portal = std::make_shared<Portal>();
  portal->prepared = prepared;
  portal->parameters = std::move(parameters);
  portal->shield = asked.shield;
  portal->limited = std::move(asked.limited);
  portal->meant_at = meaning();
  portal->good_until = asked.good_until;
  portal->batch = batch_;
  portal->held = Held(held_bytes_, held);
  if (!names_.define(name, portal)) {
    refuse_extended(guard_.refuse(session_, permit->command(),
                                  not_analysed("too many portals in this session")),
                    "54000", 0);
    co_return ok();
  }
  // To bind calls what can be computed before.
  about_to_run(*prepared->analysis);
  upstream_.send(*permit);
  batch_forwarded_ = true;
  portal->permit.emplace(std::move(*permit));
  Reply reply;
  reply.expect = Expect::bind;
  reply.name = name;
  reply.portal = std::move(portal);
  expect(std::move(reply));
  co_return ok();
}

Task<Result<void>> Conversation::on_describe(Bytes body) {
  auto named = name_body(body);
  if (!named) co_return fail(named);
  const char kind = named->kind;
  const std::string name(named->name);
  if (refuse_name(name)) co_return ok();
  Reply reply;
  if (kind == 'S') {
    if (!is_confirmed(name)) co_await confirmed(name);
    reply.expect = Expect::describe_statement;
    reply.prepared = names_.prepared(name);
  } else {
    if (!is_portal_confirmed(name)) co_await portal_confirmed(name);
    reply.expect = Expect::describe_portal;
    reply.portal = names_.portal(name);
  }
  if (ended_ || skipping_) co_return ok();
  // A cursor that DECLARE made is a portal to the server, and some drivers describe it.
  const bool cursor = kind == 'P' && names_.cursor(name) != nullptr;
  if (reply.prepared == nullptr && reply.portal == nullptr && !cursor) {
    Command command;
    command.kind = "describe";
    command.text = name;
    const bool statement = kind == 'S';
    refuse_extended(guard_.refuse(session_, command,
                                  not_analysed((statement ? "prepared statement \"" : "portal \"") +
                                               name + "\" does not exist")),
                    statement ? "26000" : "34000", 0);
    co_return ok();
  }
  upstream_.describe(permit_, kind, name);
  batch_forwarded_ = true;
  expect(std::move(reply));
  co_return ok();
}

Task<Result<void>> Conversation::on_execute(Bytes body) {
  auto execute = execute_body(body);
  if (!execute) co_return fail(execute);
  const std::string name(execute->portal);
  if (refuse_name(name)) co_return ok();
  const std::uint32_t rows_max = execute->rows_max;
  if (!is_portal_confirmed(name)) co_await portal_confirmed(name);
  const auto portal = names_.portal(name);
  if (ended_ || skipping_) co_return ok();
  if (portal == nullptr) {
    Command command;
    command.kind = "execute";
    command.text = name;
    refuse_extended(
        guard_.refuse(session_, command, not_analysed("portal \"" + name + "\" does not exist")),
        "34000", 0);
    co_return ok();
  }
  if (portal->outcome) {
    // Executed again while the first Execute is still owed its answer: wait, for a Permit is used
    // once and the next one is decided by what holds then.
    upstream_.flush_request(permit_);
    while (portal->outcome && !ended_ && !skipping_) {
      if (auto flushed = co_await upstream_.flush(); !flushed) co_return fail(flushed);
      if (portal->outcome && !ended_ && !skipping_) co_await progress_.wait();
    }
    if (ended_ || skipping_) co_return ok();
  }
  // What was planned when it was bound reads what its names meant then. The rest looks them up now.
  const bool same = means_the_same(*portal);
  const bool planned = std::ranges::all_of(portal->prepared->analysis->statements, is_planned);
  if (portal->permit && (is_outdated(*portal) || (!same && !planned))) {
    (void)guard_.settle(*std::exchange(portal->permit, std::nullopt),
                        {.failed = true, .error = "what it was decided by changed before it ran"});
  }
  if (!portal->permit) {
    Asked asked = co_await ask_prepared("execute", portal->prepared);
    if (ended_ || skipping_) co_return ok();
    asked.command.parameters = portal->parameters;
    if (!asked.refusal && !same) {
      asked.refusal = not_analysed("names mean something else than when this portal was bound",
                                   "bind it again");
    }
    if (asked.refusal) {
      refuse_extended(refused(asked), asked.sqlstate, 0);
      co_return ok();
    }
    ++end_.commands;
    auto permit = co_await authorize(asked, portal->prepared->parameter_types);
    if (ended_ || skipping_) co_return ok();
    if (!permit) {
      not_permitted(permit.error());
      co_return ok();
    }
    portal->permit.emplace(std::move(*permit));
    portal->shield = asked.shield;
    portal->limited = std::move(asked.limited);
    portal->good_until = asked.good_until;
  }
  about_to_run(*portal->prepared->analysis);
  portal->outcome.emplace();
  upstream_.execute(*portal->permit, name, rows_max);
  batch_forwarded_ = true;
  Reply reply;
  reply.expect = Expect::execute;
  reply.steers = steers(*portal->prepared->analysis);
  reply.copies_expected = copies_from_client(*portal->prepared->analysis);
  reply.name = name;
  reply.portal = portal;
  expect(std::move(reply));
  co_return ok();
}

/// Its names mean what they meant when it was bound. Relations of the session count only where
/// something is masked: there one of them may have stood before another.
bool Conversation::means_the_same(const Portal& portal) const {
  if (masking_.concerns(session_)) return portal.meant_at == meaning();
  return portal.meant_at / (temporary_max + 1) == place_version_;
}

/// Bound under other policies, or with a credential or an approval that has ended since.
bool Conversation::is_outdated(const Portal& portal) const {
  const WallTime now = guard_.clock().now();
  const auto is_over = [now](WallTime end) { return end != WallTime{} && end <= now; };
  return portal.permit->command().policy_epoch != guard_.policies()->epoch() ||
         is_over(session_.authentication.expires_at) || is_over(portal.good_until);
}

void Conversation::not_permitted(const Refusal& refusal) {
  if (refusal.kind == Refusal::Kind::session) {
    end_refused(refusal);
  } else {
    refuse_extended(refusal, "42501", 0);
  }
}

Task<Result<void>> Conversation::on_close(Bytes body) {
  auto named = name_body(body);
  if (!named) co_return fail(named);
  const char kind = named->kind;
  const std::string name(named->name);
  if (refuse_name(name)) co_return ok();
  Reply reply;
  reply.expect = Expect::close;
  reply.name = name;
  if (kind == 'S') {
    if (!is_confirmed(name)) co_await confirmed(name);
    reply.prepared = names_.prepared(name);
  } else {
    if (!is_portal_confirmed(name)) co_await portal_confirmed(name);
    reply.portal = names_.portal(name);
    // It may close what DECLARE made: a FETCH by a name that could mean something else is refused.
    names_.forget_cursor(name);
  }
  if (ended_ || skipping_) co_return ok();
  upstream_.close_name(permit_, kind, name);
  batch_forwarded_ = true;
  expect(std::move(reply));
  co_return ok();
}

/// The server would cut a longer name, so that two of ours were one of its.
bool Conversation::refuse_name(std::string_view name) {
  if (name.size() <= name_bytes_max) return false;
  Command command;
  command.kind = "name";
  refuse_extended(guard_.refuse(session_, command,
                                not_analysed("a name is longer than " +
                                             std::to_string(name_bytes_max) + " bytes")),
                  "42622", 0);
  return true;
}

}  // namespace sallyport::postgres

#include "cli/sessions_report.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>

#include "base/clock.h"
#include "base/numbers.h"
#include "cli/ledger_place.h"
#include "ledger/json_writer.h"
#include "ledger/payloads.h"
#include "ledger/read.h"

namespace sallyport::cli {
namespace {

namespace log = sallyport::ledger;

constexpr std::size_t users_max = 100'000;
constexpr std::size_t uses_max = 1'000;  // different ones, of one user of one connection

struct Arguments {
  LedgerPlace place;
  std::string connection;
  std::string since = "30d";
  bool json = false;
};

/// What one chain did through one connection.
struct Usage {
  std::set<std::string> claimed;  // application names, as the clients said
  std::set<std::string> from;     // addresses
  std::uint64_t sessions = 0;
  std::uint64_t commands = 0;
  std::uint64_t refused = 0;
  WallTime first{};
  WallTime last{};
  std::map<std::pair<std::string, std::string>, std::uint64_t> uses;  // action, resource
  bool more = false;                                                  // uses that are not counted
};

using Key = std::pair<std::string, std::string>;  // connection, chain
using Report = std::map<Key, Usage>;

[[noreturn]] void give_up_on(const Error& error) {
  give_up(2, error.detail, "`sallyport ledger verify` says what is wrong with it");
}

/// "30d", "12h" or "all".
std::optional<WallTime> since_of(const std::string& text, WallTime now) {
  if (text == "all") return std::nullopt;
  const auto number = parse_number<std::uint32_t>(
      std::string_view(text).substr(0, text.empty() ? 0 : text.size() - 1));
  if (!number || *number == 0 || *number > 36'500 || (text.back() != 'd' && text.back() != 'h')) {
    give_up(2, "--since is no time: " + terminal_safe(text), "for example 30d, 12h or all");
  }
  return now - std::chrono::hours(*number * (text.back() == 'd' ? 24U : 1U));
}

void begin(const log::Entry& entry, const Arguments& arguments, Report& report,
           std::unordered_map<std::string, Usage*>& by_session) {
  auto session = log::parse_session_start(entry.session, entry.payload);
  if (!session) give_up_on(session.error());
  if (!arguments.connection.empty() && session->connection != arguments.connection) return;
  const Key key{session->connection, session->chain.to_string()};
  if (report.size() >= users_max && !report.contains(key)) {
    give_up(2, "more users than one report holds", "--connection or --since makes it smaller");
  }
  Usage& usage = report[key];
  if (usage.sessions++ == 0) usage.first = entry.time;
  usage.last = entry.time;
  if (usage.from.size() < uses_max) usage.from.insert(session->source_ip);
  for (const auto& [name, value] : session->claimed) {
    if (name == "application_name" && usage.claimed.size() < uses_max) usage.claimed.insert(value);
  }
  by_session[entry.session] = &usage;
}

void count(const log::Entry& entry, Usage& usage) {
  usage.last = entry.time;
  if (entry.kind == log::RecordKind::refusal) {
    ++usage.refused;
    return;
  }
  auto record = log::parse_command(entry.payload);
  if (!record) give_up_on(record.error());
  ++usage.commands;
  for (const Action& action : record->command.actions) {
    const std::pair use{action.name, action.resource.type + "::\"" + action.resource.id + "\""};
    if (usage.uses.size() >= uses_max && !usage.uses.contains(use)) {
      usage.more = true;
      continue;
    }
    ++usage.uses[use];
  }
}

Report make(const Arguments& arguments) {
  log::Filter filter;
  filter.kinds = {log::RecordKind::session_start, log::RecordKind::session_end,
                  log::RecordKind::command, log::RecordKind::refusal};
  filter.since = since_of(arguments.since, system_clock().now());
  auto reader = log::LogReader::open(arguments.place.path(), filter, log::system_files());
  if (!reader) give_up_on(reader.error());
  Report report;
  std::unordered_map<std::string, Usage*> by_session;
  while (true) {
    auto entry = reader->next();
    if (!entry) give_up_on(entry.error());
    if (!*entry) return report;
    if ((*entry)->kind == log::RecordKind::session_start) {
      begin(**entry, arguments, report, by_session);
      continue;
    }
    const auto found = by_session.find((*entry)->session);
    if (found == by_session.end()) continue;
    if ((*entry)->kind == log::RecordKind::session_end) {
      by_session.erase(found);
    } else {
      count(**entry, *found->second);
    }
  }
}

std::string joined(const std::set<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + terminal_safe(text);
  return all;
}

void print(const Key& key, const Usage& usage) {
  fmt::print("  {}\n    {} sessions, {} commands, {} refused, {} to {}\n",
             terminal_safe(key.second), usage.sessions, usage.commands, usage.refused,
             to_iso8601(usage.first), to_iso8601(usage.last));
  fmt::print("    from {}", joined(usage.from));
  if (!usage.claimed.empty()) fmt::print(", as {}", joined(usage.claimed));
  fmt::print("\n");
  for (const auto& [use, times] : usage.uses) {
    fmt::print("    {:>8}  {} {}\n", times, terminal_safe(use.first), terminal_safe(use.second));
  }
  if (usage.more) fmt::print("    and more, of more than {} kinds\n", uses_max);
}

std::string as_json(const Key& key, const Usage& usage) {
  log::JsonWriter json;
  json.begin_object()
      .field("connection", key.first)
      .field("who", key.second)
      .field("sessions", usage.sessions)
      .field("commands", usage.commands)
      .field("refused", usage.refused)
      .field("first", to_iso8601(usage.first))
      .field("last", to_iso8601(usage.last))
      .strings("from", usage.from)
      .strings("application_names", usage.claimed)
      .key("uses")
      .begin_array();
  for (const auto& [use, times] : usage.uses) {
    json.begin_object()
        .field("action", use.first)
        .field("resource", use.second)
        .field("times", times)
        .end_object();
  }
  json.end_array().field("complete", !usage.more).end_object();
  return json.take();
}

void run(const Arguments& arguments) {
  std::string connection;
  for (const auto& [key, usage] : make(arguments)) {
    if (arguments.json) {
      fmt::print("{}\n", as_json(key, usage));
      continue;
    }
    if (std::exchange(connection, key.first) != key.first) {
      fmt::print("{}\n", terminal_safe(key.first));
    }
    print(key, usage);
  }
}

}  // namespace

void add_sessions_report(CLI::App& sessions) {
  CLI::App* const command =
      sessions.add_subcommand("report", "Who used what through which connection");
  auto arguments = std::make_shared<Arguments>();
  arguments->place.add_options(*command);
  command->add_option("--connection", arguments->connection, "Only this connection");
  command->add_option("--since", arguments->since,
                      "Sessions that began within this time: 30d (the default), 12h, all");
  command->add_flag("--json", arguments->json, "One JSON object a line");
  command->footer(
      "Examples:\n"
      "  sallyport sessions report --data /var/lib/sallyport\n"
      "  sallyport sessions report --connection billing --since 90d --json | jq -r .who");
  command->callback([arguments] { run(*arguments); });
}

}  // namespace sallyport::cli

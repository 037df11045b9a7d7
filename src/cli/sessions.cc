#include "cli/sessions.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include "cli/ledger_place.h"
#include "cli/sessions_report.h"
#include "ledger/json_writer.h"
#include "ledger/sessions.h"

namespace sallyport::cli {
namespace {

namespace log = sallyport::ledger;
using log::JsonWriter;
using std::chrono::microseconds;

constexpr std::chrono::seconds pause_max{10};  // of a replay, however long the user thought

std::string as_duration(microseconds duration) {
  const auto us = duration.count();
  if (us < 1000) return fmt::format("{} us", us);
  if (us < 1000000) return fmt::format("{:.1f} ms", static_cast<double>(us) / 1e3);
  return fmt::format("{:.1f} s", static_cast<double>(us) / 1e6);
}

struct ListArguments {
  LedgerPlace place;
  std::string who;
  std::string connection;
  std::size_t limit = 100;
  bool json = false;
};

std::string as_json(const log::SessionSummary& summary) {
  const Session& session = summary.session;
  JsonWriter json;
  json.begin_object()
      .field("id", session.id)
      .field("who", session.chain.to_string())
      .field("connection", session.connection)
      .field("protocol", session.protocol)
      .field("database", session.database)
      .field("source_ip", session.source_ip)
      .field("started", to_iso8601(session.started_at))
      .key("ended");
  if (summary.ended) {
    json.value(to_iso8601(*summary.ended));
  } else {
    json.null();
  }
  json.field("reason", summary.end ? summary.end->reason : std::string())
      .field("commands", summary.commands)
      .field("refused", summary.refused)
      .field("first_sequence", summary.first_sequence)
      .end_object();
  return json.take();
}

void run_list(const ListArguments& arguments) {
  log::SessionQuery query{.who = arguments.who, .connection = arguments.connection};
  query.sessions_max = arguments.limit;
  const auto sessions = log::list_sessions(arguments.place.path(), query, log::system_files());
  if (!sessions) give_up(2, sessions.error().detail);
  if (!arguments.json) {
    fmt::print("{:<34} {:<27} {:<28} {:<12} {:>8} {:>7}  {}\n", "SESSION", "STARTED", "WHO",
               "CONNECTION", "COMMANDS", "REFUSED", "END");
  }
  for (const log::SessionSummary& summary : *sessions) {
    if (arguments.json) {
      fmt::print("{}\n", as_json(summary));
      continue;
    }
    const std::string end = summary.end ? summary.end->reason : summary.ended ? "ended" : "open";
    fmt::print("{:<34} {:<27} {:<28} {:<12} {:>8} {:>7}  {}\n", terminal_safe(summary.session.id),
               to_iso8601(summary.session.started_at),
               terminal_safe(summary.session.chain.to_string()),
               terminal_safe(summary.session.connection), summary.commands, summary.refused,
               terminal_safe(end));
  }
}

// --- One session ---

void print_indented(std::string_view text) {
  const std::string safe = terminal_safe(text, true);
  for (std::size_t at = 0; at <= safe.size();) {
    const std::size_t end = std::min(safe.find('\n', at), safe.size());
    fmt::print("    {}\n", safe.substr(at, end - at));
    at = end + 1;
  }
}

void print_parameters(const Command& command) {
  for (std::size_t i = 0; i < command.parameters.size(); ++i) {
    const Parameter& parameter = command.parameters[i];
    fmt::print("      ${} = {}{}\n", i + 1,
               parameter.value ? terminal_safe(*parameter.value) : std::string("NULL"),
               parameter.binary ? " (binary, base64)" : "");
  }
}

void print_decision(const Decision& decision) {
  for (const Answer& answer : decision.answers) {
    std::string policies;
    for (const std::string& policy : answer.policies) {
      if (!policies.empty()) policies += ", ";
      policies += policy;
    }
    if (policies.empty()) policies = "no policy permits it";
    fmt::print("      {} {} {} on {}::\"{}\"  [{}]\n", answer.allowed ? "yes" : "NO ",
               terminal_safe(answer.principal), terminal_safe(answer.action.name),
               terminal_safe(answer.action.resource.type), terminal_safe(answer.action.resource.id),
               terminal_safe(policies));
  }
}

// Prints the records of one session one after another, with the time since its start.
class Printer {
 public:
  explicit Printer(WallTime start) : start_(start) {}

  void print(const log::Entry& entry) {
    const double seconds = static_cast<double>((entry.time - start_).count()) / 1e6;
    fmt::print("{:>10.3f}  #{:<6} ", seconds, entry.sequence);
    switch (entry.kind) {
      case log::RecordKind::session_start:
        return start(entry);
      case log::RecordKind::session_end:
        return end(entry);
      case log::RecordKind::command:
        return command(entry);
      case log::RecordKind::outcome:
        return outcome(entry);
      case log::RecordKind::refusal:
        return refusal(entry);
      default:
        fmt::print("{} {}\n", log::to_string(entry.kind), terminal_safe(entry.payload));
    }
  }

 private:
  template <class T>
  static T need(Result<T> parsed) {
    if (!parsed) give_up(1, parsed.error().detail, "run `sallyport ledger verify`");
    return std::move(*parsed);
  }

  static void start(const log::Entry& entry) {
    const Session session = need(log::parse_session_start(entry.session, entry.payload));
    fmt::print("start    {} on {} ({}{}), from {}:{}, {}, by {}\n",
               terminal_safe(session.chain.to_string()), terminal_safe(session.connection),
               terminal_safe(session.protocol),
               session.database.empty() ? std::string() : " " + terminal_safe(session.database),
               terminal_safe(session.source_ip), session.source_port,
               session.tls ? "TLS" : "no TLS", terminal_safe(session.authentication.method));
    for (const auto& [key, value] : session.claimed) {
      fmt::print("      claims {} = {}\n", terminal_safe(key), terminal_safe(value));
    }
  }
  static void end(const log::Entry& entry) {
    const log::SessionEnd end = need(log::parse_session_end(entry.payload));
    fmt::print("end      {}{}{}, after {}\n", terminal_safe(end.reason),
               end.detail.empty() ? "" : ": ", terminal_safe(end.detail),
               as_duration(end.duration));
  }
  static void command(const log::Entry& entry) {
    const log::CommandRecord record = need(log::parse_command(entry.payload));
    fmt::print("{} {}\n", terminal_safe(to_string(record.decision.verdict)),
               terminal_safe(record.command.kind));
    print_indented(record.command.text);
    print_parameters(record.command);
    print_decision(record.decision);
  }
  static void outcome(const log::Entry& entry) {
    const log::OutcomeRecord record = need(log::parse_outcome(entry.payload));
    fmt::print("{} of #{}: {}, {} rows, {} bytes, {} masked, {}\n",
               record.outcome.failed ? "FAILED " : "done   ", record.command_sequence,
               terminal_safe(record.outcome.failed ? record.outcome.error : record.outcome.tag),
               record.outcome.rows, record.outcome.bytes, record.outcome.masked_fields,
               as_duration(record.duration));
    for (const auto& [detector, count] : record.outcome.detected) {
      fmt::print("         detected {}: {}\n", terminal_safe(detector), count);
    }
  }
  static void refusal(const log::Entry& entry) {
    const log::RefusalRecord record = need(log::parse_refusal(entry.payload));
    fmt::print("REFUSED {}: {}{}\n", terminal_safe(record.command.kind),
               terminal_safe(record.refusal.reason),
               record.refusal.policy.empty() ? std::string()
                                             : " [" + terminal_safe(record.refusal.policy) + "]");
    print_indented(record.command.text);
    print_parameters(record.command);
    print_decision(record.decision);
  }

  WallTime start_;
};

std::string as_json(const log::Entry& entry) {
  JsonWriter json;
  json.begin_object()
      .field("sequence", entry.sequence)
      .field("time", to_iso8601(entry.time))
      .field("kind", log::to_string(entry.kind))
      .field("session", entry.session)
      .key("data")
      .raw(entry.payload)
      .end_object();
  return json.take();
}

struct ShowArguments {
  LedgerPlace place;
  std::string id;
  double speed = 1;
  bool json = false;
};

void run_show(const ShowArguments& arguments, bool in_time) {
  const auto entries =
      log::session_records(arguments.place.path(), arguments.id, log::system_files());
  if (!entries) {
    give_up(2, terminal_safe(entries.error().detail), "`sallyport sessions list` shows them");
  }
  Printer printer(entries->front().time);
  WallTime before = entries->front().time;
  for (const log::Entry& entry : *entries) {
    if (in_time) {
      const double us = static_cast<double>((entry.time - before).count()) / arguments.speed;
      const double most = static_cast<double>(microseconds(pause_max).count());
      std::this_thread::sleep_for(
          microseconds(static_cast<std::int64_t>(std::clamp(us, 0.0, most))));
      before = entry.time;
    }
    if (arguments.json) {
      fmt::print("{}\n", as_json(entry));
    } else {
      printer.print(entry);
    }
    std::fflush(stdout);
  }
}

void add_list(CLI::App& parent) {
  CLI::App* command = parent.add_subcommand("list", "The newest sessions, oldest first");
  auto arguments = std::make_shared<ListArguments>();
  arguments->place.add_options(*command);
  command->add_option("--who", arguments->who, "Part of a name, or an identity's id");
  command->add_option("--connection", arguments->connection, "Only on this connection");
  command->add_option("--limit", arguments->limit, "At most so many (100)")
      ->check(CLI::Range(1, 100000));
  command->add_flag("--json", arguments->json, "One JSON object a line");
  command->footer("Example:\n  sallyport sessions list --who alice --connection shop");
  command->callback([arguments] { run_list(*arguments); });
}

void add_show(CLI::App& parent, const char* name, const char* about, bool in_time) {
  CLI::App* command = parent.add_subcommand(name, about);
  auto arguments = std::make_shared<ShowArguments>();
  arguments->place.add_options(*command);
  command->add_option("id", arguments->id, "The session's id, or how it begins")->required();
  command->add_flag("--json", arguments->json, "One JSON object a line");
  if (in_time) {
    command->add_option("--speed", arguments->speed, "So many times as fast as it happened (1)")
        ->check(CLI::Range(0.01, 1e6));
  }
  command->footer(
      fmt::format("Example:\n  sallyport sessions {} 3f2a{}", name, in_time ? " --speed 10" : ""));
  command->callback([arguments, in_time] { run_show(*arguments, in_time); });
}

}  // namespace

void add_sessions(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("sessions", "Who did what: list, show and replay sessions");
  command->require_subcommand(1);
  add_list(*command);
  add_show(*command, "show", "Everything one session did, at once", false);
  add_show(*command, "replay", "Everything one session did, in the time it took", true);
  add_sessions_report(*command);
}

}  // namespace sallyport::cli

#include "cli/ledger.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include "cli/ledger_place.h"
#include "ledger/json_writer.h"
#include "ledger/prove.h"
#include "ledger/read.h"
#include "ledger/verify.h"

namespace sallyport::cli {
namespace {

namespace log = sallyport::ledger;
using log::JsonWriter;

constexpr std::size_t small_file_bytes_max = 65536;
constexpr std::chrono::milliseconds follow_interval{200};

std::string read_small(const std::filesystem::path& path) {
  auto text = log::read_text(log::system_files(), path, small_file_bytes_max);
  if (!text) give_up(2, text.error().detail);
  return std::move(*text);
}

struct VerifyArguments {
  LedgerPlace place;
  std::string public_key;
  std::string head;
  bool json = false;
};

std::string as_json(const log::Verification& verified) {
  JsonWriter json;
  json.begin_object()
      .field("ok", verified.good())
      .field("tenant", verified.tenant)
      .field("node", verified.node)
      .field("segments", verified.segments)
      .field("records", verified.records)
      .field("checkpoints", verified.checkpoints)
      .field("last_sequence", verified.last_sequence)
      .field("signed_sequence", verified.signed_sequence)
      .strings("notices", verified.notices)
      .key("problems")
      .begin_array();
  for (const log::Finding& finding : verified.problems) {
    json.begin_object()
        .field("file", finding.file)
        .field("offset", finding.offset)
        .field("sequence", finding.sequence)
        .field("what", finding.what)
        .end_object();
  }
  json.end_array().end_object();
  return json.take();
}

void print_text(const log::Verification& verified, bool key_beside) {
  for (const log::Finding& finding : verified.problems) {
    fmt::print("BROKEN {}\n", terminal_safe(finding.to_string()));
  }
  for (const std::string& notice : verified.notices) {
    fmt::print("note: {}\n", terminal_safe(notice));
  }
  if (key_beside) {
    fmt::print(
        "note: the public key was taken from beside the ledger; keep a copy elsewhere and "
        "give it with --public-key\n");
  }
  if (verified.good()) {
    fmt::print(
        "OK {}/{}: {} records in {} segments, {} checkpoints, signed up to record {} of {}\n",
        verified.tenant, verified.node, verified.records, verified.segments, verified.checkpoints,
        verified.signed_sequence, verified.last_sequence);
  }
}

void run_verify(const VerifyArguments& arguments) {
  const std::filesystem::path directory = arguments.place.path();
  const bool beside = arguments.public_key.empty();
  const std::string pem = read_small(beside ? directory / log::public_key_name
                                            : std::filesystem::path(arguments.public_key));
  const auto key = ed25519_public_from_pem(pem);
  if (!key) give_up(2, "the public key: " + key.error().detail);
  std::optional<std::string> head;
  if (!arguments.head.empty()) head = read_small(arguments.head);
  auto verified = log::verify(directory, *key, std::move(head), log::system_files());
  if (!verified) give_up(2, verified.error().detail);
  if (arguments.json) {
    fmt::print("{}\n", as_json(*verified));
  } else {
    print_text(*verified, beside);
  }
  if (!verified->good()) throw CLI::RuntimeError(1);
}

void add_verify(CLI::App& parent) {
  CLI::App* command = parent.add_subcommand(
      "verify", "Check that nothing was changed, removed, reordered or cut off");
  auto arguments = std::make_shared<VerifyArguments>();
  arguments->place.add_options(*command, true);
  command->add_option("--public-key", arguments->public_key, "The log's public key, PEM")
      ->type_name("FILE");
  command
      ->add_option("--head", arguments->head,
                   "A head that `ledger head` printed earlier and you kept elsewhere")
      ->type_name("FILE");
  command->add_flag("--json", arguments->json, "Answer as JSON");
  command->footer(
      "Exit status: 0 good, 1 broken, 2 it could not be checked.\n\n"
      "Examples:\n"
      "  sallyport ledger verify --data /var/lib/sallyport\n"
      "  sallyport ledger verify --dir backup/ledger --public-key audit.pem --head monday.head");
  command->callback([arguments] { run_verify(*arguments); });
}

void add_head(CLI::App& parent) {
  CLI::App* command = parent.add_subcommand(
      "head", "Print the newest signed head, to be kept where the gateway cannot write");
  auto place = std::make_shared<LedgerPlace>();
  place->add_options(*command, true);
  command->footer("Example:\n  sallyport ledger head --data /var/lib/sallyport > monday.head");
  command->callback([place] {
    const auto head = log::newest_head(place->path(), log::system_files());
    if (!head) give_up(2, head.error().detail);
    fmt::print("{}\n", terminal_safe(*head));
  });
}

struct ExportArguments {
  LedgerPlace place;
  std::string format = "jsonl";
  std::string session;
  std::vector<std::string> kinds;
  std::uint64_t from = 0;
  bool follow = false;
};

std::string as_line(const log::Entry& entry) {
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

void run_export(const ExportArguments& arguments) {
  log::Filter filter;
  filter.from_sequence = arguments.from;
  if (!arguments.session.empty()) filter.session = arguments.session;
  for (const std::string& name : arguments.kinds) {
    const auto kind = log::record_kind_from(std::string_view(name));
    if (!kind) give_up(2, "no kind of record is called " + terminal_safe(name));
    filter.kinds.push_back(*kind);
  }
  auto reader =
      log::LogReader::open(arguments.place.path(), std::move(filter), log::system_files());
  if (!reader) give_up(2, reader.error().detail);
  while (true) {
    const auto entry = reader->next();
    if (!entry) give_up(1, entry.error().detail, "run `sallyport ledger verify`");
    if (*entry) {
      fmt::print("{}\n", as_line(**entry));
      continue;
    }
    if (std::fflush(stdout) != 0) throw CLI::RuntimeError(1);  // whoever read it is gone
    if (!arguments.follow) return;
    std::this_thread::sleep_for(follow_interval);
  }
}

void add_export(CLI::App& parent) {
  CLI::App* command = parent.add_subcommand("export", "Print the records, one JSON object a line");
  auto arguments = std::make_shared<ExportArguments>();
  arguments->place.add_options(*command);
  command->add_option("--format", arguments->format, "jsonl")->check(CLI::IsMember({"jsonl"}));
  command->add_option("--session", arguments->session, "Only this session")->type_name("ID");
  command->add_option("--kind", arguments->kinds, "Only this kind of record; may be repeated");
  command->add_option("--from", arguments->from, "Begin at this sequence number");
  command->add_flag("--follow", arguments->follow, "Go on with new records as they come");
  command->footer(
      "Examples:\n"
      "  sallyport ledger export --data /var/lib/sallyport\n"
      "  sallyport ledger export --kind refusal --kind login_refused --follow");
  command->callback([arguments] { run_export(*arguments); });
}

void add_prove(CLI::App& parent) {
  CLI::App* command = parent.add_subcommand(
      "prove", "Print a proof that one record is in the log, for who has only the public key");
  struct Arguments {
    LedgerPlace place;
    std::uint64_t sequence = 0;
  };
  auto arguments = std::make_shared<Arguments>();
  arguments->place.add_options(*command);
  command->add_option("sequence", arguments->sequence, "The record's sequence number")->required();
  command->footer("Example:\n  sallyport ledger prove 4711 --data /var/lib/sallyport > proof.json");
  command->callback([arguments] {
    const auto proof =
        log::prove(arguments->place.path(), arguments->sequence, log::system_files());
    if (!proof) give_up(2, proof.error().detail);
    fmt::print("{}\n", log::to_json(*proof));
  });
}

}  // namespace

void add_ledger(CLI::App& app) {
  CLI::App* command = app.add_subcommand("ledger", "Verify, anchor and export the ledger");
  command->require_subcommand(1);
  add_verify(*command);
  add_head(*command);
  add_export(*command);
  add_prove(*command);
}

}  // namespace sallyport::cli

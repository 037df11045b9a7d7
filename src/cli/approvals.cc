#include "cli/approvals.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <set>
#include <thread>
#include <utility>

#include "cli/client.h"
#include "http/message.h"

namespace sallyport::cli {
namespace {

using identity::Json;

constexpr std::string_view root = "/api/v1/approvals";
constexpr std::chrono::seconds look_again{1};
constexpr std::size_t shown_bytes_max = 100;

struct Arguments {
  ClientOptions client;
  std::string id;
  std::string reason;
  std::string state;
  std::string finding;
  bool all = false;
};

std::string text(const Json& json, std::string_view name) {
  return std::string(json.text(name).value_or(""));
}

/// For a terminal: what a requester wrote must not move the cursor.
std::string printable(std::string_view raw) {
  std::string shown;
  for (const char c : raw) {
    const bool control =
        (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
    shown += control ? '?' : c;
  }
  return shown;
}

std::string in_one_line(std::string_view raw) {
  std::string line;
  for (const char c : printable(raw)) line += c == '\n' || c == '\t' ? ' ' : c;
  if (line.size() <= shown_bytes_max) return line;
  std::size_t end = shown_bytes_max - 3;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;
  return line.substr(0, end) + "...";
}

const Json::Array& array(const Json& json, std::string_view name) {
  static const Json::Array none;
  const Json* const member = json.member(name);
  return member == nullptr || member->array() == nullptr ? none : *member->array();
}

std::string joined(const Json& json, std::string_view name) {
  const Json* const member = json.member(name);
  const auto all = member == nullptr ? std::nullopt : member->strings();
  std::string line;
  for (const std::string& one : all.value_or(std::vector<std::string>())) {
    line += (line.empty() ? "" : ", ") + one;
  }
  return line;
}

void print_line(const Json& request) {
  fmt::print("{}  {:<9}  {}  {}  {}\n", text(request, "id"), text(request, "state"),
             printable(text(request, "who")), text(request, "connection"),
             in_one_line(text(request, "text")));
}

void print_whole(const Json& request) {
  fmt::print("{}  {}\n", text(request, "id"), text(request, "state"));
  fmt::print("  who         {}\n", printable(text(request, "who")));
  fmt::print("  on          {}, database {}\n", text(request, "connection"),
             printable(text(request, "database")));
  const std::string kind = text(request, "kind");
  fmt::print("  approval    of {}\n", kind == "window" ? "these actions for a time"
                                      : kind == "list" ? "these statements, each once, in order"
                                                       : "this statement, once");
  fmt::print("\n{}\n", printable(text(request, "text")));
  std::size_t number = 0;
  for (const Json& parameter : array(request, "parameters")) {
    const auto value = parameter.text("value");
    const Json* const binary = parameter.member("binary");
    const bool encoded = binary != nullptr && binary->boolean().value_or(false);
    fmt::print("  ${} = {}\n", ++number,
               !value ? "NULL"
               : !text(parameter, "shown").empty()
                   ? "'" + printable(text(parameter, "shown")) + "' (sent in binary)"
               : encoded ? "binary, in base64: " + std::string(*value)
                         : "'" + printable(*value) + "'");
  }
  for (const Json& bound : array(request, "bound")) {
    fmt::print("  {}\n", printable(bound.string().value_or("")));
  }
  fmt::print("\n");
  for (const Json& touched : array(request, "touches")) {
    fmt::print("  touches     {} {}\n", text(touched, "action"),
               printable(text(touched, "resource")));
  }
  if (!text(request, "estimate").empty()) {
    fmt::print("  estimate    {}\n", printable(text(request, "estimate")));
  }
  for (const Json& safeguard : array(request, "safeguards")) {
    fmt::print("  safeguard   {} {}\n", printable(text(safeguard, "effect")),
               printable(text(safeguard, "resource")));
  }
  for (const Json& route : array(request, "routes")) {
    const Json* const quorum = route.member("quorum");
    fmt::print("  asked by    policy {}: {} of {}\n", text(route, "policy"),
               quorum == nullptr ? 1 : quorum->integer().value_or(1),
               joined(route, "approvers").empty() ? "those who may" : joined(route, "approvers"));
  }
  for (const Json& vote : array(request, "votes")) {
    fmt::print("  {:<10}  {} {}{}{}\n", text(vote, "verdict"), text(vote, "voter"),
               text(vote, "at"), text(vote, "reason").empty() ? "" : ": ",
               printable(text(vote, "reason")));
  }
  if (const Json* const missing = request.member("votes_missing");
      missing != nullptr && missing->integer().value_or(0) > 0) {
    fmt::print("  missing     {} more\n", *missing->integer());
  }
  if (!text(request, "closed_by").empty()) {
    fmt::print("  closed by   {}\n", printable(text(request, "closed_by")));
  }
  fmt::print("  asked       {}\n  until       {}\n", text(request, "created_at"),
             text(request, "ends_at"));
}

Client open(const Arguments& arguments) {
  auto client = Client::open(arguments.client);
  if (!client) give_up(client.error());
  return std::move(*client);
}

std::string path_of(const Arguments& arguments) {
  std::string path(root);
  if (!arguments.state.empty()) path += "?state=" + http::url_encode(arguments.state);
  return path;
}

void list(const Arguments& arguments) {
  auto all = open(arguments).get(path_of(arguments));
  if (!all) give_up(all.error());
  if (arguments.client.json) return fmt::print("{}\n", as_json(*all));
  const Json::Array& requests = array(*all, "approvals");
  for (const Json& request : requests) print_line(request);
  if (requests.empty()) fmt::print(stderr, "nothing waits for approval\n");
}

void show(const Arguments& arguments) {
  auto request = open(arguments).get(std::string(root) + "/" + http::url_encode(arguments.id));
  if (!request) give_up(request.error());
  if (arguments.client.json) return fmt::print("{}\n", as_json(*request));
  print_whole(*request);
}

void act(const Arguments& arguments, std::string_view verb) {
  auto request = open(arguments).post(
      std::string(root) + "/" + http::url_encode(arguments.id) + "/" + std::string(verb),
      boost::json::serialize(boost::json::object{{"reason", arguments.reason}}));
  if (!request) give_up(request.error());
  if (arguments.client.json) return fmt::print("{}\n", as_json(*request));
  print_line(*request);
  if (const Json* const missing = request->member("votes_missing");
      missing != nullptr && missing->integer().value_or(0) > 0) {
    fmt::print("{} more must say yes\n", *missing->integer());
  }
}

constexpr std::string_view break_glass = "/api/v1/break-glass";

void reviews(const Arguments& arguments) {
  auto all = open(arguments).get(std::string(break_glass) + (arguments.all ? "?all=1" : ""));
  if (!all) give_up(all.error());
  if (arguments.client.json) return fmt::print("{}\n", as_json(*all));
  const Json::Array& sessions = array(*all, "sessions");
  for (const Json& session : sessions) {
    const Json* const overdue = session.member("overdue");
    const bool late = overdue != nullptr && overdue->boolean().value_or(false);
    const std::string by = text(session, "reviewed_by");
    fmt::print("{}  {}  {}  {}  {}: {}  {}\n", text(session, "session"),
               text(session, "started_at"), printable(text(session, "user")),
               text(session, "connection"), in_one_line(text(session, "ticket")),
               in_one_line(text(session, "reason")),
               !by.empty() ? "reviewed by " + printable(by)
               : late      ? "OVERDUE since " + text(session, "review_due_at")
                           : "review due " + text(session, "review_due_at"));
  }
  if (sessions.empty()) fmt::print(stderr, "nothing awaits a review\n");
}

void review(const Arguments& arguments) {
  auto session = open(arguments).post(
      std::string(break_glass) + "/" + http::url_encode(arguments.id) + "/review",
      boost::json::serialize(boost::json::object{{"finding", arguments.finding}}));
  if (!session) give_up(session.error());
  if (arguments.client.json) return fmt::print("{}\n", as_json(*session));
  fmt::print("{} is reviewed\n", text(*session, "session"));
}

void watch(const Arguments& arguments) {
  std::set<std::string> seen;
  bool asked = false;  // with an answer
  bool out_of_touch = false;
  while (true) {
    // Opened anew each time, so that the token is renewed when it ends.
    auto client = Client::open(arguments.client);
    auto all = client ? client->get(path_of(arguments)) : Result<Json>(fail(client));
    if (!all) {
      // Whoever watches wants to know of what comes after the gateway was away.
      if (!asked || all.error().code == Errc::denied) give_up(all.error());
      if (!std::exchange(out_of_touch, true)) {
        fmt::print(stderr, "still trying: {}\n", all.error().detail);
      }
      std::this_thread::sleep_for(look_again);
      continue;
    }
    asked = true;
    out_of_touch = false;
    for (const Json& request : array(*all, "approvals")) {
      if (!seen.insert(text(request, "id") + text(request, "state")).second) continue;
      if (arguments.client.json) {
        fmt::print("{}\n", as_json(request));
      } else {
        print_line(request);
      }
    }
    std::fflush(stdout);
    std::this_thread::sleep_for(look_again);
  }
}

}  // namespace

void add_approvals(CLI::App& app) {
  auto* command = app.add_subcommand("approvals", "What waits for people to say yes");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n"
      "  sallyport approvals list                       what waits for you\n"
      "  sallyport approvals watch                      the same, as it comes\n"
      "  sallyport approvals show apr_0123456789abcdef0123\n"
      "  sallyport approvals approve apr_0123456789abcdef0123 --reason 'ticket 4711'\n"
      "  sallyport approvals reviews                    break-glass that nobody has looked at");
  auto arguments = std::make_shared<Arguments>();
  const auto add = [&](const char* name, const char* help, const char* examples) {
    auto* one = command->add_subcommand(name, help);
    arguments->client.add_to(*one);
    one->footer(examples);
    return one;
  };
  const auto with_id = [&](CLI::App* one) {
    one->add_option("ID", arguments->id, "The request, apr_...")->required();
    return one;
  };
  const auto with_reason = [&](CLI::App* one) {
    one->add_option("--reason", arguments->reason, "Why, for the record");
    return one;
  };
  const auto with_state = [&](CLI::App* one) {
    one->add_option(
        "--state", arguments->state,
        "pending, approved, denied, expired, cancelled, consumed, lapsed, revoked, all");
    return one;
  };
  with_state(
      add("list", "Requests that you asked for or may decide on",
          "Examples:\n  sallyport approvals list\n  sallyport approvals list --state all --json"))
      ->callback([arguments] { list(*arguments); });
  with_id(add("show", "One request: exactly what would run, for whom, and who has said what",
              "Example:\n  sallyport approvals show apr_0123456789abcdef0123"))
      ->callback([arguments] { show(*arguments); });
  with_reason(with_id(add("approve", "Say yes to exactly that",
                          "Example:\n  sallyport approvals approve apr_0123456789abcdef0123 "
                          "--reason 'ticket 4711'")))
      ->callback([arguments] { act(*arguments, "approve"); });
  with_reason(with_id(add("deny", "Say no: one no ends the request",
                          "Example:\n  sallyport approvals deny apr_0123456789abcdef0123 "
                          "--reason 'not on a Friday'")))
      ->callback([arguments] { act(*arguments, "deny"); });
  with_id(add("withdraw", "Take back a request of yours, or an approval that is not used yet",
              "Example:\n  sallyport approvals withdraw apr_0123456789abcdef0123"))
      ->callback([arguments] { act(*arguments, "withdraw"); });
  with_state(
      add("watch", "Print requests as they come and change, until Ctrl-C",
          "Examples:\n  sallyport approvals watch\n  sallyport approvals watch --json | jq .id"))
      ->callback([arguments] { watch(*arguments); });
  auto* due = add("reviews", "Sessions under break-glass that somebody has to look at",
                  "Examples:\n  sallyport approvals reviews\n  sallyport approvals reviews --all");
  due->add_flag("--all", arguments->all, "Also those that were reviewed");
  due->callback([arguments] { reviews(*arguments); });
  auto* done =
      with_id(add("review", "Say what you found in a session under break-glass",
                  "Example:\n  sallyport sessions show 0123456789abcdef01234567 --data DIR\n"
                  "  sallyport approvals review 0123456789abcdef01234567 --finding 'as the "
                  "ticket says, nothing else'"));
  done->add_option("--finding", arguments->finding, "What you found, for the record")->required();
  done->callback([arguments] { review(*arguments); });
}

}  // namespace sallyport::cli

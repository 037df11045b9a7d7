#include "cli/http.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "cli/client.h"

namespace sallyport::cli {
namespace {

struct Arguments {
  ClientOptions options;
  std::string connection;
  std::string path;
  std::vector<std::string> rest;
};

/// A file in memory that curl reads as its --config: a ticket in an argument would be seen by
/// everybody on the machine.
Result<int> config_with(const std::string& text) {
  const int file = ::memfd_create("curl-config", 0);
  const bool written =
      file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::lseek(file, 0, SEEK_SET) == 0;
  if (!written) return fail(Errc::io, std::string("a file in memory: ") + std::strerror(errno));
  return file;
}

/// Becomes curl; returns only if that fails.
Error become_curl(const Ticket& ticket, const Arguments& arguments) {
  if (ticket.url.empty()) {
    return {
        Errc::invalid,
        ticket.connection + " is no HTTP connection (hint: `sallyport connect` is for databases)"};
  }
  auto config = config_with("header = \"Authorization: Bearer " + ticket.text + "\"\n");
  if (!config) return config.error();
  std::vector<std::string> words{"curl", "--config", "/dev/fd/" + std::to_string(*config)};
  if (!ticket.ca_file.empty()) words.insert(words.end(), {"--cacert", ticket.ca_file});
  words.insert(words.end(), arguments.rest.begin(), arguments.rest.end());
  const std::string_view slash = arguments.path.starts_with('/') ? "" : "/";
  words.push_back(ticket.url + std::string(slash) + arguments.path);
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  ::execvp("curl", pointers.data());
  return {Errc::unavailable, std::string("curl cannot be started: ") + std::strerror(errno)};
}

}  // namespace

void add_http(CLI::App& app) {
  auto* http = app.add_subcommand("http", "Send requests to HTTP connections");
  http->require_subcommand(1);
  auto* curl = http->add_subcommand("curl", "Run curl with a ticket for a connection");
  auto arguments = std::make_shared<Arguments>();
  arguments->options.add_to(*curl);
  curl->add_option("NAME", arguments->connection, "the connection")->required();
  curl->add_option("PATH", arguments->path, "the path, and the query")->required();
  curl->add_option("ARGS", arguments->rest, "after --: arguments of curl");
  curl->footer(
      "Programs use the plain URL that GET /api/v1/connections says, with a token of their own.\n\n"
      "Examples:\n"
      "  sallyport http curl crm /customers/42\n"
      "  sallyport http curl crm '/customers?page=2' -- -sS -i\n"
      "  sallyport http curl crm /notes -- --json '{\"text\": \"called back\"}'");
  curl->callback([arguments] {
    auto ticket = fetch_ticket(arguments->options, arguments->connection);
    if (!ticket) give_up(ticket.error());
    give_up(become_curl(*ticket, *arguments));
  });
}

}  // namespace sallyport::cli

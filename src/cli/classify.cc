// Samples a connection through the gateway, as the signed-in user and under the policies like any
// client, and counts what the detectors find. Values are looked at and forgotten: what is printed
// are names of columns and numbers.

#include "cli/classify.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/client.h"
#include "mask/scanner.h"

namespace sallyport::cli {
namespace {

namespace json = boost::json;

constexpr int value_characters_max = 2000;
constexpr std::size_t columns_max = 20'000;
/// Of the values of a column so many must be of a class before it is proposed: one in twenty.
constexpr std::uint64_t share_min = 20;

struct Arguments {
  ClientOptions options;
  std::string connection;
  std::vector<std::string> tables;
  std::uint32_t rows = 200;
};

struct Column {
  std::string schema;
  std::string table;
  std::string name;
  std::uint64_t values = 0;
  std::map<std::string, std::uint64_t> found;  // values, by detector
  std::map<std::string, std::uint64_t> classes;
  std::string by_name;  // the class that its name suggests, or empty

  std::string path() const { return schema + "." + table + "." + name; }
};

using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using Answer = std::unique_ptr<PGresult, decltype(&PQclear)>;

std::string first_line(const char* text) {
  std::string line(text);
  return line.substr(0, line.find('\n'));
}

Result<Answer> ask(PGconn* connection, const std::string& sql) {
  Answer answer(PQexec(connection, sql.c_str()), &PQclear);
  if (PQresultStatus(answer.get()) != PGRES_TUPLES_OK) {
    return fail(Errc::denied, first_line(PQerrorMessage(connection)));
  }
  return answer;
}

std::string quoted(PGconn* connection, const std::string& name) {
  const std::unique_ptr<char, decltype(&PQfreemem)> text(
      PQescapeIdentifier(connection, name.data(), name.size()), &PQfreemem);
  return text ? std::string(text.get()) : std::string("\"\"");
}

/// What people call such columns. Whole words, between underscores or capitals.
std::string class_of_name(std::string_view name) {
  static const std::map<std::string, std::string, std::less<>> known{
      {"email", "pii.email"},
      {"mail", "pii.email"},
      {"phone", "pii.phone"},
      {"mobile", "pii.phone"},
      {"telephone", "pii.phone"},
      {"fax", "pii.phone"},
      {"firstname", "pii.name"},
      {"lastname", "pii.name"},
      {"surname", "pii.name"},
      {"fullname", "pii.name"},
      {"familyname", "pii.name"},
      {"givenname", "pii.name"},
      {"maidenname", "pii.name"},
      {"address", "pii.address"},
      {"street", "pii.address"},
      {"postcode", "pii.address"},
      {"zipcode", "pii.address"},
      {"dob", "pii.birth_date"},
      {"birth", "pii.birth_date"},
      {"birthday", "pii.birth_date"},
      {"birthdate", "pii.birth_date"},
      {"born", "pii.birth_date"},
      {"ssn", "pii.ssn"},
      {"passport", "pii.passport"},
      {"iban", "pii.iban"},
      {"card", "pci.card"},
      {"creditcard", "pci.card"},
      {"pan", "pci.card"},
      {"password", "secret.password"},
      {"passwd", "secret.password"},
      {"pwd", "secret.password"},
      {"secret", "secret.token"},
      {"token", "secret.token"},
      {"apikey", "secret.token"},
      {"salary", "hr.salary"},
      {"wage", "hr.salary"},
      {"nationalid", "pii.national_id"},
      {"taxid", "pii.tax_id"}};
  std::vector<std::string> words{""};
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto c = static_cast<unsigned char>(name[i]);
    const bool starts =
        std::isupper(c) != 0 && i > 0 && std::islower(static_cast<unsigned char>(name[i - 1])) != 0;
    if (std::isalpha(c) == 0 || starts) words.emplace_back();
    if (std::isalpha(c) != 0) words.back() += static_cast<char>(std::tolower(c));
  }
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i + 1 < words.size()) {
      if (const auto both = known.find(words[i] + words[i + 1]); both != known.end())
        return both->second;
    }
    if (const auto one = known.find(words[i]); one != known.end()) return one->second;
  }
  return {};
}

Result<std::vector<Column>> columns_of(PGconn* connection, const Arguments& arguments) {
  auto answer =
      ask(connection,
          "select n.nspname, c.relname, a.attname from pg_catalog.pg_attribute a "
          "join pg_catalog.pg_class c on c.oid = a.attrelid "
          "join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
          "where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'm', 'v', 'f') "
          "and not c.relispartition and n.nspname not in ('pg_catalog', 'information_schema') "
          "and n.nspname not like 'pg_toast%' and n.nspname not like 'pg_temp%' "
          "order by 1, 2, a.attnum");
  if (!answer) return fail(answer, "the list of columns");
  std::vector<Column> columns;
  for (int row = 0; row < PQntuples(answer->get()); ++row) {
    const auto field = [&](int at) { return std::string(PQgetvalue(answer->get(), row, at)); };
    Column column;
    column.schema = field(0);
    column.table = field(1);
    column.name = field(2);
    const bool wanted =
        arguments.tables.empty() ||
        std::ranges::any_of(arguments.tables, [&](const std::string& table) {
          return table == column.table || table == column.schema + "." + column.table;
        });
    if (wanted) columns.push_back(std::move(column));
  }
  if (columns.size() > columns_max) {
    return fail(Errc::too_large,
                fmt::format("{} columns; name tables with --table", columns.size()));
  }
  return columns;
}

Result<void> look(mask::Scanner& scanner, Column& column, std::string_view value,
                  const mask::Topics& named) {
  ++column.values;
  const auto hits = scanner.scan(value, named);
  if (!hits) return ok();  // too much of it: counts as nothing found
  std::vector<std::string_view> detectors;
  std::vector<std::string_view> classes;
  for (const mask::Hit& hit : *hits) {
    const mask::DetectorInfo& detector = mask::info(hit.detector);
    if (std::ranges::find(detectors, detector.name) == detectors.end()) {
      detectors.push_back(detector.name);
      ++column.found[std::string(detector.name)];
    }
    if (std::ranges::find(classes, detector.classification) == classes.end()) {
      classes.push_back(detector.classification);
      ++column.classes[std::string(detector.classification)];
    }
  }
  return ok();
}

/// Fills in what is found in [first, last), which are of one table.
Result<void> sample(PGconn* connection, mask::Scanner& scanner, std::span<Column> table,
                    std::uint32_t rows) {
  std::string sql = "select ";
  for (const Column& column : table) {
    if (&column != table.data()) sql += ", ";
    sql += fmt::format("left({}::text, {})", quoted(connection, column.name), value_characters_max);
  }
  sql += fmt::format(" from {}.{} limit {}", quoted(connection, table.front().schema),
                     quoted(connection, table.front().table), rows);
  auto answer = ask(connection, sql);
  if (!answer) return fail(answer);
  for (std::size_t i = 0; i < table.size(); ++i) {
    Column& column = table[i];
    const auto named = scanner.topics_of(column.name);
    for (int row = 0; row < PQntuples(answer->get()); ++row) {
      const int at = static_cast<int>(i);
      if (PQgetisnull(answer->get(), row, at) != 0) continue;
      const std::string_view value(PQgetvalue(answer->get(), row, at),
                                   static_cast<std::size_t>(PQgetlength(answer->get(), row, at)));
      if (auto done = look(scanner, column, value, named.value_or(mask::Topics())); !done)
        return done;
    }
  }
  return ok();
}

struct Proposal {
  const Column* column;
  std::string classification;
  std::string evidence;
};

std::optional<Proposal> proposal_of(const Column& column) {
  Proposal proposal{.column = &column, .classification = column.by_name, .evidence = {}};
  std::uint64_t most = 0;
  for (const auto& [classification, count] : column.classes) {
    if (count * share_min < column.values || count <= most) continue;
    most = count;
    proposal.classification = classification;
  }
  if (proposal.classification.empty()) return std::nullopt;
  for (const auto& [detector, count] : column.found) {
    proposal.evidence += fmt::format("{}{} in {} of {}", proposal.evidence.empty() ? "" : ", ",
                                     detector, count, column.values);
  }
  if (!column.by_name.empty()) {
    proposal.evidence +=
        fmt::format("{}its name says {}", proposal.evidence.empty() ? "" : "; ", column.by_name);
  }
  return proposal;
}

void print_json(const std::vector<Proposal>& proposals,
                const std::map<std::string, std::string>& refused) {
  json::array list;
  for (const Proposal& proposal : proposals) {
    json::object found;
    for (const auto& [detector, count] : proposal.column->found) found[detector] = count;
    list.push_back(json::object{{"column", proposal.column->path()},
                                {"classification", proposal.classification},
                                {"values", proposal.column->values},
                                {"found", std::move(found)},
                                {"by_name", proposal.column->by_name}});
  }
  json::object not_sampled;
  for (const auto& [table, reason] : refused) not_sampled[table] = reason;
  fmt::print("{}\n", json::serialize(json::object{{"suggestions", std::move(list)},
                                                  {"not_sampled", std::move(not_sampled)}}));
}

void print_text(const std::vector<Proposal>& proposals,
                const std::map<std::string, std::string>& refused) {
  if (proposals.empty()) {
    fmt::print("nothing to suggest\n");
  } else {
    fmt::print("classification:\n");
    for (const Proposal& proposal : proposals) {
      fmt::print("  \"{}\": {}  # {}\n", proposal.column->path(), proposal.classification,
                 proposal.evidence);
    }
  }
  for (const auto& [table, reason] : refused) {
    fmt::print(stderr, "not sampled: {}: {}\n", table, reason);
  }
}

/// A connection with `detect: mask` hides what is to be found.
void warn_of_masks(PGconn* connection) {
  const auto answer = ask(connection, "select 'nobody' || '@' || 'example.com'");
  if (answer && std::string_view(PQgetvalue(answer->get(), 0, 0)) != "nobody@example.com") {
    fmt::print(stderr,
               "this connection has detect: mask, which hides what is looked for; "
               "sample one with detect: report or off\n");
  }
}

void run(const Arguments& arguments) {
  auto ticket = fetch_ticket(arguments.options, arguments.connection);
  if (!ticket) give_up(ticket.error());
  const Connection connection(PQconnectdb(libpq_url(*ticket).c_str()), &PQfinish);
  if (PQstatus(connection.get()) != CONNECTION_OK) {
    give_up({Errc::unavailable, first_line(PQerrorMessage(connection.get()))});
  }
  PQsetNoticeProcessor(connection.get(), [](void*, const char*) {}, nullptr);
  auto patterns = mask::Patterns::make();
  if (!patterns) give_up(patterns.error());
  auto scanner = mask::Scanner::make(*std::move(patterns));
  if (!scanner) give_up(scanner.error());
  auto columns = columns_of(connection.get(), arguments);
  if (!columns) give_up(columns.error());
  warn_of_masks(connection.get());

  std::map<std::string, std::string> refused;
  for (std::size_t first = 0; first < columns->size();) {
    std::size_t last = first;
    const auto same = [&](const Column& column) {
      return column.schema == (*columns)[first].schema && column.table == (*columns)[first].table;
    };
    while (last < columns->size() && same((*columns)[last])) ++last;
    const std::span<Column> table = std::span(*columns).subspan(first, last - first);
    if (auto done = sample(connection.get(), *scanner, table, arguments.rows); !done) {
      if (PQstatus(connection.get()) != CONNECTION_OK) give_up(done.error());
      refused[table.front().schema + "." + table.front().table] = done.error().detail;
    }
    first = last;
  }
  std::vector<Proposal> proposals;
  for (Column& column : *columns) {
    column.by_name = class_of_name(column.name);
    if (auto proposal = proposal_of(column)) proposals.push_back(*std::move(proposal));
  }
  if (arguments.options.json) {
    print_json(proposals, refused);
  } else {
    print_text(proposals, refused);
  }
}

}  // namespace

void add_classify(CLI::App& app) {
  auto* group = app.add_subcommand("classify", "Find the columns that should be classified");
  group->require_subcommand(1);
  auto* command = group->add_subcommand(
      "suggest", "Sample a connection and propose classes, with counts and never values");
  auto arguments = std::make_shared<Arguments>();
  arguments->options.add_to(*command);
  command->add_option("NAME", arguments->connection, "the connection")->required();
  command->add_option("--table", arguments->tables, "only these tables: name or schema.name");
  command->add_option("--rows", arguments->rows, "of each table (default: 200)")
      ->check(CLI::Range(1, 100'000));
  command->footer(
      "It reads as the signed-in user, through the gateway: the policies decide what, and the "
      "ledger\n"
      "records it. What it prints can be pasted into the connection's configuration.\n\n"
      "Examples:\n"
      "  sallyport classify suggest shop\n"
      "  sallyport classify suggest shop --table public.customers --rows 1000 --json");
  command->callback([arguments] { run(*arguments); });
}

}  // namespace sallyport::cli

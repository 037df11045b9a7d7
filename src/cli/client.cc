#include "cli/client.h"

#include <fmt/format.h>
#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>

#include "base/clock.h"
#include "cli/client_state.h"
#include "http/message.h"

namespace sallyport::cli {
namespace {

constexpr std::int64_t kRenewBeforeS = 60;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::int64_t now_s() {
  return std::chrono::floor<std::chrono::seconds>(system_clock().now()).time_since_epoch().count();
}

/// A new access token for the saved refresh token, saved again. Leaves `state` as it is if that is
/// refused: the gateway will say what is wrong with the old one.
Result<void> renew(const std::string& path, ClientState& state) {
  auto answer =
      http_call({.url = state.token_endpoint,
                 .ca_file = state.ca_file,
                 .form = "grant_type=refresh_token&client_id=" + http::url_encode(state.client_id) +
                         "&refresh_token=" + http::url_encode(state.refresh_token)});
  if (!answer) return fail(answer);
  const auto tokens = answer->json();
  const auto access = tokens.text("access_token");
  if (answer->status != 200 || !access) return ok();
  state.access_token = *access;
  if (const auto refresh = tokens.text("refresh_token")) state.refresh_token = *refresh;
  const auto* seconds = tokens.member("expires_in");
  state.expires_s = now_s() + (seconds ? seconds->integer().value_or(0) : 0);
  return save_state(path, state);
}

boost::json::value to_boost(const identity::Json& json) {
  if (const auto text = json.string()) return boost::json::value(*text);
  if (const auto number = json.integer()) return boost::json::value(*number);
  if (const auto flag = json.boolean()) return boost::json::value(*flag);
  if (const auto* elements = json.array()) {
    boost::json::array array;
    for (const auto& element : *elements) array.push_back(to_boost(element));
    return array;
  }
  if (const auto* members = json.object()) {
    boost::json::object object;
    for (const auto& [name, value] : *members) object[name] = to_boost(value);
    return object;
  }
  return nullptr;
}

}  // namespace

std::string as_json(const identity::Json& json) {
  return boost::json::serialize(to_boost(json));
}

void ClientOptions::add_to(CLI::App& command) {
  command.add_option("--gateway", gateway, "URL of the gateway (or SALLYPORT_GATEWAY)");
  command.add_option("--ca", ca_file,
                     "file with the authority of its certificate (or SALLYPORT_CA)");
  command.add_flag("--json", json, "print JSON");
}

Result<Client> Client::open(const ClientOptions& options) {
  Client client;
  client.token_ = environment("SALLYPORT_TOKEN");
  client.gateway_ = options.gateway.empty() ? environment("SALLYPORT_GATEWAY") : options.gateway;
  client.ca_file_ = options.ca_file.empty() ? environment("SALLYPORT_CA") : options.ca_file;
  while (client.gateway_.ends_with('/')) client.gateway_.pop_back();
  if (!client.token_.empty() && !client.gateway_.empty()) return client;

  auto path = state_path();
  if (!path) return fail(path);
  auto state = load_state(*path);
  if (!state) return fail(state);
  if (!*state)
    return fail(Errc::denied, "nobody is logged in; run `sallyport login --gateway URL`");
  ClientState& saved = **state;
  if (client.gateway_.empty()) client.gateway_ = saved.gateway;
  if (client.gateway_ == saved.gateway && client.ca_file_.empty()) client.ca_file_ = saved.ca_file;
  if (!client.token_.empty()) return client;
  // A token goes to the gateway it was got for and nowhere else.
  if (client.gateway_ != saved.gateway) {
    return fail(Errc::denied, "you are logged in to " + saved.gateway +
                                  "; run `sallyport login --gateway " + client.gateway_ + "`");
  }
  if (!saved.refresh_token.empty() && saved.expires_s < now_s() + kRenewBeforeS) {
    if (auto renewed = renew(*path, saved); !renewed) return fail(renewed);
  }
  client.token_ = saved.access_token;
  return client;
}

Result<identity::Json> Client::call(HttpAsk ask) const {
  ask.ca_file = ca_file_;
  ask.bearer = token_;
  auto answer = http_call(ask);
  if (!answer) return fail(answer);
  auto json = answer->json();
  if (answer->status >= 200 && answer->status < 300 && json.is_object()) return json;
  std::string text(
      json.text("detail").value_or("the gateway answers " + std::to_string(answer->status)));
  if (const auto hint = json.text("hint")) text += "; " + std::string(*hint);
  return fail(answer->status == 401 ? Errc::denied : Errc::unavailable, std::move(text));
}

Result<identity::Json> Client::get(std::string_view path) const {
  return call({.url = gateway_ + std::string(path)});
}

Result<identity::Json> Client::post(std::string_view path, std::string json) const {
  return call({.url = gateway_ + std::string(path), .json = std::move(json)});
}

Result<identity::Json> Client::remove(std::string_view path) const {
  return call({.url = gateway_ + std::string(path), .method = "DELETE"});
}

void StatedOptions::add_to(CLI::App& command) {
  command.add_option("--ticket", ticket, "the change or incident that this is for, for the record");
  command.add_option("--reason", reason, "why, for the record");
  command.add_flag("--break-glass", break_glass,
                   "in an emergency: with a ticket and a reason; people are told at once, and "
                   "somebody has to review it");
}

Result<Ticket> fetch_ticket(const ClientOptions& options, const std::string& connection,
                            const StatedOptions& stated) {
  auto client = Client::open(options);
  if (!client) return fail(client);
  boost::json::object ask{{"connection", connection}};
  if (!stated.ticket.empty()) ask["ticket"] = stated.ticket;
  if (!stated.reason.empty()) ask["purpose"] = stated.reason;
  if (stated.break_glass) ask["break_glass"] = true;
  auto answer = client->post("/api/v1/tickets", boost::json::serialize(ask));
  if (!answer) return fail(answer);
  const auto read = [&](std::string_view name) {
    return std::string(answer->text(name).value_or(""));
  };
  const auto* port = answer->member("port");
  Ticket ticket{.text = read("ticket"),
                .user = read("user"),
                .connection = read("connection"),
                .host = read("host"),
                .port = static_cast<std::uint16_t>(port ? port->integer().value_or(0) : 0),
                .database = read("database"),
                .url = read("url"),
                .expires_at = read("expires_at"),
                .ca_file = client->ca_file()};
  if (ticket.text.empty() || ticket.host.empty() || ticket.port == 0) {
    return fail(Errc::malformed, "the gateway's answer is not a ticket");
  }
  if (!ticket.ca_file.empty()) ticket.ca_file = std::filesystem::absolute(ticket.ca_file).string();
  return ticket;
}

std::vector<std::pair<std::string, std::string>> libpq_environment(const Ticket& ticket) {
  std::vector<std::pair<std::string, std::string>> all{
      {"PGHOST", ticket.host},         {"PGPORT", std::to_string(ticket.port)},
      {"PGDATABASE", ticket.database}, {"PGUSER", ticket.user},
      {"PGPASSWORD", ticket.text},     {"PGSSLMODE", "verify-full"}};
  if (!ticket.ca_file.empty()) all.emplace_back("PGSSLROOTCERT", ticket.ca_file);
  return all;
}

std::string libpq_url(const Ticket& ticket) {
  const std::string host = ticket.host.contains(':') ? "[" + ticket.host + "]" : ticket.host;
  std::string url = fmt::format("postgresql://{}:{}@{}:{}/{}?sslmode=verify-full",
                                http::url_encode(ticket.user), http::url_encode(ticket.text), host,
                                ticket.port, http::url_encode(ticket.database));
  if (!ticket.ca_file.empty()) url += "&sslrootcert=" + http::url_encode(ticket.ca_file);
  return url;
}

std::string shell_quote(std::string_view text) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+=,";
  if (!text.empty() && text.find_first_not_of(plain) == std::string_view::npos) {
    return std::string(text);
  }
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

void give_up(const Error& error) {
  fmt::print(stderr, "sallyport: {}\n", error.detail);
  switch (error.code) {
    case Errc::denied:
      throw CLI::RuntimeError(exit_not_logged_in);
    case Errc::invalid:
      throw CLI::RuntimeError(exit_usage);
    default:
      throw CLI::RuntimeError(exit_failed);
  }
}

}  // namespace sallyport::cli

#include "app/demo_page.h"

#include <fmt/format.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "http/message.h"

namespace sallyport::app {
namespace {

/// In single quotes for a shell.
std::string quoted(const std::string& text) {
  if (text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                             "_-./:=") == std::string::npos) {
    return text;
  }
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string dsn(const DemoPlan& plan, const std::string& user, const std::string& token) {
  return fmt::format("postgresql://{}%23jwt:{}@127.0.0.1:{}/{}?sslmode=verify-full&sslrootcert={}",
                     user, token, plan.postgres_port, demo_connection,
                     http::url_encode(plan.ca_file().string()));
}

}  // namespace

std::string demo_service_file(const DemoFacts& facts) {
  std::string text = "# psql service=alice; written by `sallyport demo` at every start.\n";
  for (const auto& [user, token] : facts.tokens) {
    text += fmt::format(
        "\n[{0}]\nhost=127.0.0.1\nport={1}\ndbname={2}\nuser={0}#jwt\npassword={3}\n"
        "sslmode=verify-full\nsslrootcert={4}\n",
        user, facts.plan->postgres_port, demo_connection, token, facts.plan->ca_file().string());
  }
  return text;
}

std::string demo_ready_json(const DemoFacts& facts) {
  const DemoPlan& plan = *facts.plan;
  boost::json::object users;
  for (const auto& [user, token] : facts.tokens) {
    users[user] = {{"user", user},
                   {"token", token},
                   {"dsn", dsn(plan, user, token)},
                   {"password", plan.passwords.at(user)}};
  }
  const boost::json::object ready{
      {"host", "127.0.0.1"},
      {"ca_file", plan.ca_file().string()},
      {"postgres", {{"port", plan.postgres_port}}},
      {"admin", {{"url", plan.admin_url()}}},
      {"issuer", plan.admin_url()},
      {"connections", boost::json::array{demo_connection}},
      {"users", std::move(users)},
      {"agents", {{demo_agent, {{"client_id", demo_agent}, {"client_secret", plan.agent_secret}}}}},
      {"ledger",
       {{"dir", facts.ledger.string()},
        {"public_key", plan.public_key_file().string()},
        {"public_key_pem", facts.ledger_public_key}}},
      {"config", plan.config_file().string()},
      {"service_file", plan.service_file().string()},
  };
  return boost::json::serialize(ready) + "\n";
}

std::string demo_page(const DemoFacts& facts) {
  const DemoPlan& plan = *facts.plan;
  std::string passwords;
  for (const auto& [user, password] : plan.passwords) {
    passwords += fmt::format(" {}:{}", user, password);
  }
  // clang-format off: it takes the page for code
  return fmt::format(
      R"page(
Sallyport is ready: a gateway on 127.0.0.1:{port}, a small shop behind it, {admin} beside it.
Paste these into another terminal.

  export PGSERVICEFILE={service_file}
  alias sallyport={program}

# alice (support) reads orders: permitted, an ordinary answer.
  psql service=alice -c "select id, status, total from orders order by id limit 3"

# bob (developers) is turned away when he connects, and told why.
  psql service=bob -c "select 1"

# alice deletes, then reads: the first is refused with the policy's name, the session goes on.
  psql service=alice -c "\set VERBOSITY verbose" -c "delete from orders" -c "select count(*) from orders"

# The shop's credentials are for a dba only, whatever else alice may read.
  psql service=alice -c "\set VERBOSITY verbose" -c "select * from credentials"

# dana may change what alice may not.
  psql service=dana -c "update orders set status = 'paid' where id = 5"

# Everything above was recorded before it happened: who, what, why, how it ended.
  sallyport sessions list --data {data}
  sallyport sessions replay --data {data} "$(sallyport sessions list --data {data} --json | tail -n 1 | sed 's/.*"id":"\([^"]*\)".*/\1/')"

# The records are chained and signed. Verify them; then change one byte of a copy.
  sallyport ledger verify --data {data} --public-key {key}
  rm -rf {copy} && cp -r {ledger} {copy} && printf '\\377' | dd of="$(ls {copy}/*.seg | head -n 1)" bs=1 seek=4500 conv=notrunc status=none
  sallyport ledger verify --dir {copy} --public-key {key}

# As a person would do it: log in once in the browser, then connect with a ticket.
# {passwords}
  sallyport login --gateway {admin} --ca {ca}
  sallyport connect shop

Ctrl-C ends the demo and leaves nothing running.
)page",
      // clang-format on
      fmt::arg("port", plan.postgres_port), fmt::arg("admin", plan.admin_url()),
      fmt::arg("service_file", quoted(plan.service_file().string())),
      fmt::arg("program", quoted(facts.program.string())),
      fmt::arg("data", quoted(plan.data.string())),
      fmt::arg("ledger", quoted(facts.ledger.string())),
      fmt::arg("copy", quoted(plan.data.string() + "/ledger-copy")),
      fmt::arg("key", quoted(plan.public_key_file().string())), fmt::arg("passwords", passwords),
      fmt::arg("ca", quoted(plan.ca_file().string())));
}

}  // namespace sallyport::app

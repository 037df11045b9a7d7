#include "app/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace sallyport::app {
namespace {

namespace fs = std::filesystem;

/// A folder with the files that a good configuration names, removed at the end.
class ConfigTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "sallyport-config-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    fs::create_directory(folder_ / "policies");
    write("server.pem", "certificate");
    write("server.key", "key");
    write("ca.pem", "ca");
    write("password", "from-a-file\n");
    write("empty", "\n");
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
  }
  ConfigResult load(const std::string& text) {
    write("sallyport.yaml", text);
    return load_config(folder_ / "sallyport.yaml",
                       [](const std::string& name) -> std::optional<std::string> {
                         if (name == "SHOP_PASSWORD") return "from-the-environment";
                         if (name == "SLACK_URL") return "https://hooks.slack.com/services/x";
                         return std::nullopt;
                       });
  }

  fs::path folder_;
};

constexpr const char* kGood = R"(data: ./data
log: {level: debug, format: json}
workers: 2
shutdown_grace_s: 5
listeners:
  postgres:
    address: 0.0.0.0
    port: 6432
    tls: {certificate: server.pem, key: server.key}
  admin:
    port: 6480
ledger: {reads: written, segment_bytes: 1048576}
issuers:
  - issuer: https://login.example.com
    audience: sallyport
    algorithms: [ES256, EdDSA]
    agents:
      copilot: {owner: alice, groups: [agents], attested: true}
connections:
  shop:
    protocol: postgres
    host: db.internal
    port: 5433
    databases: [shop, archive]
    tls: {mode: verify-full, ca: ca.pem}
    credential: {user: sallyport, password: env:SHOP_PASSWORD}
    env: production
    tags: {team: payments}
    resource_groups: [pci]
    classification:
      public.customers.email: pii.email
      "*.*.card": pci.card
    statement_timeout_s: 60
policies: policies
limits: {sessions_max: 100}
approvals: {wait_s: 60, pending_s: 3600}
)";

TEST_F(ConfigTest, WebhooksAndSlackAreReadWithTheirSecrets) {
  std::string text = kGood;
  const std::string url = "  - issuer: https://login.example.com\n";
  text.replace(text.find(url), url.size(), url + "    name: corp\n");
  const std::string before = "approvals: {wait_s: 60, pending_s: 3600}\n";
  const auto with = [&](const std::string& section) {
    std::string changed = text;
    changed.replace(changed.find(before), before.size(), "approvals:\n" + section);
    return load(changed);
  };
  const auto config = with(R"(  break_glass_s: 600
  webhooks:
    - {name: pager, url: "https://pager.example.com/x", secret: env:SHOP_PASSWORD, events: [expired]}
    - {name: chat, url: env:SLACK_URL, format: slack}
  slack:
    signing_secret: env:SHOP_PASSWORD
    team: T1
    users:
      U1: {subject: dana}
      U2: {issuer: corp, subject: "8d", groups: [dba]}
)");
  ASSERT_TRUE(config) << to_string(config.error());
  EXPECT_EQ(config->approvals.break_glass_s, 600u);
  ASSERT_EQ(config->approvals.webhooks.size(), 2u);
  EXPECT_EQ(config->approvals.webhooks[0].secret, "from-the-environment");
  EXPECT_EQ(config->approvals.webhooks[0].events.size(), 1u);
  EXPECT_TRUE(config->approvals.webhooks[1].slack);
  EXPECT_EQ(config->approvals.webhooks[1].url, "https://hooks.slack.com/services/x");
  EXPECT_EQ(config->approvals.webhooks[1].events.size(), 4u);
  EXPECT_EQ(config->approvals.slack.users.at("U2").groups, std::vector<std::string>{"dba"});

  const auto told = [&](const std::string& section) {
    const auto bad = with(section);
    return bad ? std::string("accepted") : to_string(bad.error());
  };
  EXPECT_NE(told("  webhooks: [{name: a, url: 'http://example.com', secret: env:SHOP_PASSWORD}]\n")
                .find("no https URL"),
            std::string::npos);
  EXPECT_NE(told("  webhooks: [{name: a, url: 'https://example.com'}]\n").find("secret"),
            std::string::npos);
  EXPECT_NE(told("  webhooks: [{name: a, url: 'https://example.com', secret: short}]\n")
                .find("too short"),
            std::string::npos);
  EXPECT_NE(told("  webhooks: [{name: a, url: 'https://e.com', secret: env:SHOP_PASSWORD, "
                 "events: [all]}]\n")
                .find("no event 'all'"),
            std::string::npos);
  EXPECT_NE(told("  webhooks: [{name: a, url: env:SLACK_URL, format: slack, secret: x}]\n")
                .find("checks no signature"),
            std::string::npos);
  EXPECT_NE(told("  slack: {users: {U1: {subject: dana}}}\n").find("signing_secret"),
            std::string::npos);
  // Else they would be two people: one that votes, and one that asks.
  const std::string slack = "  slack: {signing_secret: env:SHOP_PASSWORD, users: {U1: ";
  EXPECT_NE(told(slack + "{subject: dana, id: dana@example.com}}}\n").find("go by their subject"),
            std::string::npos);
  EXPECT_NE(told(slack + "{issuer: crop, subject: 8d}}}\n").find("no issuer 'crop'"),
            std::string::npos);
  const std::string audience = "    audience: sallyport\n";
  text.replace(text.find(audience), audience.size(), audience + "    id_claim: oid\n");
  EXPECT_NE(told(slack + "{issuer: corp, subject: 8d}}}\n").find("go by their oid"),
            std::string::npos);
  EXPECT_EQ(told(slack + "{issuer: corp, subject: 8d, id: a7}}}\n"), "accepted");
}

TEST_F(ConfigTest, AGoodFileIsReadWhole) {
  const auto config = load(kGood);
  ASSERT_TRUE(config) << to_string(config.error());
  EXPECT_EQ(config->data, folder_ / "data");
  EXPECT_EQ(config->log_level, log::Level::debug);
  EXPECT_EQ(config->log_format, log::Format::json);
  EXPECT_EQ(config->workers, 2u);
  EXPECT_EQ(config->reactor, net::Backend::automatic);
  EXPECT_EQ(config->shutdown_grace_s, 5u);
  EXPECT_EQ(config->postgres->address, "0.0.0.0");
  EXPECT_EQ(config->postgres->tls->certificate, folder_ / "server.pem");
  EXPECT_EQ(config->admin->port, 6480);
  EXPECT_FALSE(config->ledger.reads_durable);
  ASSERT_EQ(config->issuers.size(), 1u);
  EXPECT_EQ(config->issuers[0].algorithms.size(), 2u);
  EXPECT_TRUE(config->issuers[0].agents.at(0).attested);
  const ConnectionConfig* shop = config->connection("shop");
  ASSERT_NE(shop, nullptr);
  EXPECT_EQ(shop->port, 5433);
  EXPECT_EQ(shop->databases, (std::vector<std::string>{"shop", "archive"}));
  EXPECT_EQ(shop->tls, UpstreamTls::verify_full);
  EXPECT_EQ(shop->password.value, "from-the-environment");
  EXPECT_EQ(shop->classification.size(), 2u);
  EXPECT_EQ(shop->classification[1].classification, "pci.card");
  EXPECT_EQ(shop->statement_timeout_s, 60u);
  EXPECT_EQ(config->limits.sessions_max, 100u);
  EXPECT_EQ(config->approvals.wait_s, 60u);
  EXPECT_EQ(config->approvals.pending_s, 3600u);
  EXPECT_TRUE(config->warnings.empty()) << to_string(config->warnings);
}

struct Broken {
  const char* name;
  const char* from;  // what of kGood is replaced, first occurrence
  const char* to;
  const char* where;  // "line:column" of the problem
  const char* what;   // part of the message
  const char* hint;   // part of the hint
};

// Each is the good file with one thing wrong.
constexpr Broken kBroken[] = {
    {"unknown top key", "workers: 2", "worker: 2", "3:1", "unknown key 'worker'",
     "did you mean 'workers'?"},
    {"unknown key with no neighbour", "workers: 2", "zebra: 2", "3:1", "unknown key 'zebra'",
     "known here: "},
    {"unknown nested key", "    port: 6432", "    prot: 6432", "8:5",
     "unknown key 'listeners.postgres.prot'", "did you mean 'port'?"},
    {"swapped letters", "host: db.internal", "hsot: db.internal", "22:5",
     "unknown key 'connections.shop.hsot'", "did you mean 'host'?"},
    {"missing host", "    host: db.internal\n", "", "21:5", "connections.shop.host is missing",
     "host: db.internal"},
    {"duplicate key", "workers: 2", "data: ./other", "3:1", "the key 'data' is there twice",
     "first on line 1"},
    {"not YAML", "workers: 2", "workers: [2", "4:17", "not YAML", "check the indentation"},
    {"a tab as indentation", "workers: 2", "workers:\n\tx: 2", "4:3", "not YAML",
     "check the indentation"},
    {"level", "level: debug", "level: debgu", "2:14", "log.level cannot be 'debgu'",
     "did you mean 'debug'?"},
    {"format", "format: json", "format: xml", "2:29", "log.format cannot be 'xml'",
     "one of text, json"},
    {"an unknown reactor", "workers: 2", "reactor: kqueue", "3:10", "reactor cannot be 'kqueue'",
     "one of auto, io_uring, epoll"},
    {"workers as text", "workers: 2", "workers: two", "3:10", "workers must be a whole number",
     "from 1 to 1024"},
    {"workers quoted", "workers: 2", "workers: \"2\"", "3:10", "workers must be a whole number",
     "without quotes"},
    {"too many workers", "workers: 2", "workers: 5000", "3:10", "workers is out of range",
     "from 1 to 1024"},
    {"negative grace", "shutdown_grace_s: 5", "shutdown_grace_s: -5", "4:19",
     "shutdown_grace_s must be a whole number", "from 0"},
    {"port zero", "port: 6432", "port: 0", "8:11", "listeners.postgres.port is out of range",
     "from 1 to 65535"},
    {"port above", "port: 6432", "port: 65536", "8:11", "listeners.postgres.port is out of range",
     "from 1 to 65535"},
    {"port beyond 64 bits", "port: 6432", "port: 99999999999999999999999", "8:11",
     "listeners.postgres.port is out of range", "from 1 to 65535"},
    {"no address", "address: 0.0.0.0", "address: localhost:1", "7:14",
     "'localhost:1' is no IP address", "127.0.0.1"},
    {"same port twice", "    port: 6480", "    address: 0.0.0.0\n    port: 6432", "11:5",
     "have the same port", "give each its own"},
    {"admin in the clear", "    port: 6480", "    address: 0.0.0.0\n    port: 6480", "11:5",
     "in the clear", "allow_plaintext: true"},
    {"missing certificate", "certificate: server.pem", "certificate: sever.pem", "9:24",
     "there is no file", "relative to the configuration file"},
    {"tls without key", "certificate: server.pem, key: server.key", "certificate: server.pem",
     "9:10", "listeners.postgres.tls.key is missing", "key: tls/server.key"},
    {"reads", "reads: written", "reads: never", "12:17", "ledger.reads cannot be 'never'",
     "one of durable, written"},
    {"segment too small", "segment_bytes: 1048576", "segment_bytes: 10", "12:41",
     "ledger.segment_bytes is out of range", "from 65536"},
    {"issuer without https", "https://login", "http://login", "14:13",
     "cannot be trusted with keys", "https://"},
    {"alg none", "[ES256, EdDSA]", "[none]", "16:18",
     "'none' is no signature algorithm that is accepted", "ES256"},
    {"HMAC", "[ES256, EdDSA]", "[ES256, HS256]", "16:25", "'HS256' is no signature algorithm",
     "RS256"},
    {"audience missing", "    audience: sallyport\n", "", "14:5", "issuers.audience is missing",
     "audience: sallyport"},
    {"issuers as a map", "  - issuer: https://login.example.com\n", "    issuer: x\n", "14:5",
     "issuers must be a list", ""},
    {"agents as a list", "      copilot: {owner: alice, groups: [agents], attested: true}",
     "      - copilot", "18:7", "issuers.agents must be keys and values, not a list", ""},
    {"groups as text", "groups: [agents]", "groups: agents", "18:39",
     "issuers.agents.copilot.groups must be a list", "write groups: [agents]"},
    {"flag", "attested: true", "attested: yes", "18:59",
     "issuers.agents.copilot.attested must be true or false", ""},
    {"protocol", "protocol: postgres", "protocol: postgresql", "21:15",
     "connections.shop.protocol cannot be 'postgresql'", "did you mean 'postgres'?"},
    {"connection name", "  shop:\n", "  shop/x:\n", "20:3",
     "'shop/x' cannot be the name of a connection", "letters, digits"},
    {"tls mode", "mode: verify-full", "mode: verify_full", "25:17",
     "connections.shop.tls.mode cannot be 'verify_full'", "did you mean 'verify-full'?"},
    {"ca without effect", "mode: verify-full", "mode: require", "25:30", "has no effect",
     "verify-full"},
    {"missing ca", "ca: ca.pem", "ca: nowhere.pem", "25:34", "there is no file", "relative"},
    {"unset variable", "env:SHOP_PASSWORD", "env:SHOP_PASWORD", "26:45",
     "the environment variable SHOP_PASWORD is not set", "set it before starting"},
    {"missing password file", "env:SHOP_PASSWORD", "file:nowhere", "26:45",
     "there is no readable file", "relative"},
    {"empty password file", "env:SHOP_PASSWORD", "file:empty", "26:45", "holds no secret",
     "one line"},
    {"no password", ", password: env:SHOP_PASSWORD", "", "26:17",
     "connections.shop.credential.password is missing", "password: env:"},
    {"a way to authenticate", "password: env:SHOP_PASSWORD",
     "password: env:SHOP_PASSWORD, require_auth: [scram]", "26:78",
     "connections.shop.credential.require_auth holds 'scram'", "scram-sha-256"},
    {"a list as user", "user: sallyport", "user: [sallyport]", "26:24",
     "connections.shop.credential.user must be a text, not a list", ""},
    {"column pattern", "public.customers.email: pii.email", "email: pii.email", "31:7",
     "a pattern has two to four parts", "public.customers.email"},
    {"classification", "email: pii.email", "email: pii email", "31:31",
     "'pii email' is no name of a classification", "pii.email"},
    {"key without value", "policies: policies", "policies:", "34:1", "policies has no value",
     "give it one"},
    {"missing folder", "policies: policies", "policies: polices", "34:11", "there is no folder",
     "relative"},
    {"limit", "sessions_max: 100", "sessions_max: 0", "35:24",
     "limits.sessions_max is out of range", "from 1"},
    {"two documents", "limits:", "---\nlimits:", "1:1", "more than one YAML document",
     "remove the '---'"},
};

TEST_F(ConfigTest, EveryBrokenFileIsReportedWithItsPlaceAndAHint) {
  for (const Broken& broken : kBroken) {
    SCOPED_TRACE(broken.name);
    std::string text = kGood;
    const std::size_t at = text.find(broken.from);
    ASSERT_NE(at, std::string::npos);
    text.replace(at, std::string_view(broken.from).size(), broken.to);
    const auto config = load(text);
    ASSERT_FALSE(config);
    const std::string all = to_string(config.error());
    const std::string place = (folder_ / "sallyport.yaml").string() + ":" + broken.where + ": ";
    bool found = false;
    for (const Problem& problem : config.error()) {
      found |= problem.to_string().starts_with(place) &&
               problem.what.find(broken.what) != std::string::npos &&
               problem.hint.find(broken.hint) != std::string::npos;
    }
    EXPECT_TRUE(found) << place << broken.what << "\nbut it says\n" << all;
  }
}

TEST_F(ConfigTest, AllProblemsAreReportedInOneGoInTheOrderOfTheFile) {
  std::string text = kGood;
  text.replace(text.find("level: debug"), 12, "level: loud!");
  text.replace(text.find("port: 6432"), 10, "port: 0");
  text.replace(text.find("sessions_max"), 12, "session_maxx");
  const auto config = load(text);
  ASSERT_FALSE(config);
  ASSERT_EQ(config.error().size(), 3u) << to_string(config.error());
  EXPECT_EQ(config.error()[0].place.line, 2u);
  EXPECT_EQ(config.error()[1].place.line, 8u);
  EXPECT_EQ(config.error()[2].place.line, 35u);
}

TEST_F(ConfigTest, ThePoolOfAConnectionIsReadAndChecked) {
  const auto with_pool = [](const std::string& pool) {
    std::string text = kGood;
    const std::string after = "    statement_timeout_s: 60\n";
    text.insert(text.find(after) + after.size(), "    pool: " + pool + "\n");
    return text;
  };
  const auto good = load(with_pool("{max: 40, wait_s: 3, server_idle_s: 2, reuse: false}"));
  ASSERT_TRUE(good) << to_string(good.error());
  const PoolConfig& pool = good->connection("shop")->pool;
  EXPECT_EQ(pool.max, 40u);
  EXPECT_EQ(pool.wait_s, 3u);
  EXPECT_EQ(pool.server_idle_s, 2u);
  EXPECT_FALSE(pool.reuse);
  EXPECT_TRUE(good->warnings.empty()) << to_string(good->warnings);

  const auto held = load(with_pool("{idle_min: 1}"));
  ASSERT_TRUE(held) << to_string(held.error());
  EXPECT_NE(to_string(held->warnings).find("DROP DATABASE"), std::string::npos);

  for (const auto& [text, problem] : std::vector<std::pair<std::string, std::string>>{
           {"{idle_min: 5, idle_max: 4}", "idle_min is above idle_max"},
           {"{idle_min: 5, max: 4}", "idle_min is above max"},
           {"{server_idle_s: 0}", "server_idle_s is out of range"},
           {"{maximum: 3}", "unknown key 'connections.shop.pool.maximum'"}}) {
    const auto bad = load(with_pool(text));
    ASSERT_FALSE(bad) << text;
    EXPECT_NE(to_string(bad.error()).find(problem), std::string::npos) << to_string(bad.error());
  }
}

TEST_F(ConfigTest, ConnectionsOfProtocolHttpAreReadAndChecked) {
  const auto with = [](const std::string& connections, const std::string& url) {
    std::string text = kGood;
    text.insert(text.find("  admin:\n"), "  http: {port: 6443, public_url: \"" + url + "\"}\n");
    text.insert(text.find("  shop:\n"), connections);
    return text;
  };
  const auto crm = [](const std::string& more) {
    return "  crm: {protocol: http, url: https://crm.internal, " + more + "}\n";
  };
  const std::string gateway = "https://GW.example.com:6443/";
  const auto good = load(with(crm("hosts: [CRM.gw.example.com], request_bytes_per_s_min: 9, "
                                  "credential: {header: X-Api-Key, value: env:SHOP_PASSWORD}"),
                              gateway));
  ASSERT_TRUE(good) << to_string(good.error());
  EXPECT_EQ(good->connection("crm")->http.hosts, std::vector<std::string>{"crm.gw.example.com"});
  EXPECT_EQ(good->connection("crm")->http.request_bytes_per_s_min, 9u);

  const auto credential = [&](const std::string& header, const std::string& value) {
    return crm("credential: {header: " + header + ", value: " + value + "}");
  };
  struct {
    std::string connections, url, problem;
  } const broken[] = {
      {crm("hosts: [a.example.com]") +
           "  erp: {protocol: http, url: https://erp.internal, hosts: [A.example.com]}\n",
       gateway, "connections.erp.hosts: a.example.com leads to connections.crm"},
      {crm("hosts: [a.example.com, a.example.com]"), gateway, "leads to connections.crm"},
      {crm("hosts: [gw.example.com]"), gateway, "is the name of listeners.http itself"},
      {crm("hosts: [localhost]"), "http://127.0.0.1:6443", "is the name of listeners.http itself"},
      {credential("Host", "x"), gateway, "credential.header: Host is the gateway's to write"},
      {credential("content-length", "x"), gateway, "is the gateway's to write"},
      {credential("Transfer-Encoding", "x"), gateway, "is the gateway's to write"},
      {credential("CONNECTION", "x"), gateway, "is the gateway's to write"},
      {credential("Expect", "x"), gateway, "is the gateway's to write"},
      {credential("X-Forwarded-For", "x"), gateway, "is the gateway's to write"},
      {credential("Sallyport-Assertion", "x"), gateway, "is the gateway's to write"},
      {credential("Accept-Encoding", "x"), gateway, "is the gateway's to write"},
      {credential("\"X Key\"", "x"), gateway, "is no name of a field"},
      {credential("X-Api-Key", "\"\""), gateway, "credential.value is empty"},
      {credential("X-Api-Key", "\" \""), gateway, "has a space at its edge"},
      {credential("X-Api-Key", "\"key \""), gateway, "has a space at its edge"},
      {credential("X-Api-Key", "\"\\tkey\""), gateway, "has a space at its edge"},
      {credential("X-Api-Key", "file:empty"), gateway, "holds no secret"},
      {crm("credential: {user: u, password: \"\"}"), gateway, "credential.password is empty"},
      {crm("request_bytes_per_s_min: -1"), gateway, "request_bytes_per_s_min"},
  };
  for (const auto& each : broken) {
    const auto bad = load(with(each.connections, each.url));
    ASSERT_FALSE(bad) << each.connections;
    EXPECT_NE(to_string(bad.error()).find(each.problem), std::string::npos)
        << each.connections << to_string(bad.error());
  }
}

TEST_F(ConfigTest, AMissingFileAndAnEmptyOneAreErrors) {
  const auto missing = load_config(folder_ / "nowhere.yaml");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().size(), 1u);
  EXPECT_NE(to_string(missing.error()).find("nowhere.yaml:1:1: the file cannot be read"),
            std::string::npos);
  const auto empty = load("# nothing\n");
  ASSERT_FALSE(empty);
  const std::string all = to_string(empty.error());
  for (const char* key : {"data", "listeners", "connections", "policies"}) {
    EXPECT_NE(all.find(std::string(key) + " is missing"), std::string::npos) << all;
  }
}

TEST_F(ConfigTest, ASecretInTheFileIsAWarningAndAFileOfItIsNot) {
  std::string text = kGood;
  text.replace(text.find("env:SHOP_PASSWORD"), 17, "hunter2");
  const auto written = load(text);
  ASSERT_TRUE(written) << to_string(written.error());
  EXPECT_EQ(written->connection("shop")->password.value, "hunter2");
  ASSERT_EQ(written->warnings.size(), 1u);
  EXPECT_EQ(written->warnings[0].place.line, 26u);
  EXPECT_EQ(to_string(written->warnings).find("hunter2"), std::string::npos);

  text.replace(text.find("hunter2"), 7, "file:password");
  const auto from_file = load(text);
  ASSERT_TRUE(from_file) << to_string(from_file.error());
  EXPECT_EQ(from_file->connection("shop")->password.value, "from-a-file");
  EXPECT_TRUE(from_file->warnings.empty());
}

TEST_F(ConfigTest, NobodyCanLogInWithoutAnIssuer) {
  std::string text = kGood;
  const std::size_t from = text.find("issuers:");
  text.erase(from, text.find("connections:") - from);
  const auto config = load(text);
  ASSERT_FALSE(config);
  EXPECT_NE(to_string(config.error()).find("nobody could log in"), std::string::npos);
}

TEST_F(ConfigTest, TheBuiltInIssuerIsReadAndItsOwnersMustExist) {
  std::string text = kGood;
  const std::size_t from = text.find("issuers:");
  text.erase(from, text.find("connections:") - from);
  text += R"(builtin_issuer:
  users:
    alice: {name: Alice, groups: [support], password: env:SHOP_PASSWORD}
    bob: {password_hash: "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA"}
  agents:
    copilot: {owner: alice, secret: env:SHOP_PASSWORD}
)";
  const auto config = load(text);
  ASSERT_TRUE(config) << to_string(config.error());
  EXPECT_EQ(config->builtin_issuer->users.size(), 2u);
  EXPECT_EQ(config->builtin_issuer->agents[0].owner, "alice");

  text.replace(text.find("owner: alice"), 12, "owner: alcie");
  const auto broken = load(text);
  ASSERT_FALSE(broken);
  EXPECT_NE(to_string(broken.error()).find("did you mean 'alice'?"), std::string::npos);
}

TEST(Document, AliasesThatGrowWithoutEndAreRefused) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) text += (j ? ", " : "") + before;
    text += "]\n";
  }
  std::vector<Problem> problems;
  parse_document(text, "bomb.yaml", problems);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_NE(problems[0].what.find("too many nested or repeated values"), std::string::npos);
}

TEST(Document, MergingReplacesLeavesAndKeepsTheirPlaces) {
  std::vector<Problem> problems;
  Value base = parse_document("a: {x: 1, y: 2}\nb: [1, 2]\n", "base.yaml", problems);
  Value over = parse_document("a:\n  y: 3\nb: [4]\nc: 5\n", "over.yaml", problems);
  const Value merged = merge(std::move(base), std::move(over));
  ASSERT_TRUE(problems.empty());
  EXPECT_EQ(merged.find("a")->find("x")->scalar, "1");
  EXPECT_EQ(merged.find("a")->find("y")->scalar, "3");
  EXPECT_EQ(merged.find("a")->find("y")->place.to_string(), "over.yaml:2:6");
  EXPECT_EQ(merged.find("a")->find("x")->place.to_string(), "base.yaml:1:8");
  EXPECT_EQ(merged.find("b")->items.size(), 1u);
  EXPECT_EQ(merged.find("c")->scalar, "5");
}

}  // namespace
}  // namespace sallyport::app

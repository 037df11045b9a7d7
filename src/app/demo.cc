#include "app/demo.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "app/config.h"
#include "app/demo_files.h"
#include "app/demo_page.h"
#include "app/embedded.h"
#include "app/embedded_postgres.h"
#include "app/main_loop.h"
#include "app/postgres_options.h"
#include "base/log.h"

namespace sallyport::app {
namespace {

namespace fs = std::filesystem;

constexpr std::uint16_t usual_postgres_port = 6432;
constexpr std::uint16_t usual_admin_port = 6480;
constexpr std::chrono::hours token_lifetime{24 * 7};  // longer than anyone looks at a demo

struct Options {
  std::string data;
  std::string sql;
  std::string policies;
  std::string config;
  std::string ready_file;
  std::string reactor;
  std::uint16_t port_base = 0;  // 0: the usual ports, or free ones
  bool no_wait = false;
};

/// Removes a folder at the end, if it was made for this run only.
struct TemporaryFolder {
  fs::path folder;
  ~TemporaryFolder() {
    std::error_code error;
    if (!folder.empty()) fs::remove_all(folder, error);
  }
};

Result<std::uint16_t> usual_or_free(std::uint16_t usual) {
  if (port_is_free({.address = "127.0.0.1", .port = usual})) return usual;
  return free_port();
}

Result<DemoPlan> make_plan(const Options& options, TemporaryFolder& temporary) {
  DemoPlan plan;
  if (options.data.empty()) {
    std::string name = (fs::temp_directory_path() / "sallyport-demo-XXXXXX").string();
    if (!mkdtemp(name.data())) return fail(Errc::io, "cannot make " + name);
    temporary.folder = plan.data = name;
  } else {
    plan.data = fs::absolute(options.data).lexically_normal();
  }
  if (!options.policies.empty()) plan.policies = fs::absolute(options.policies);
  auto postgres = options.port_base != 0 ? Result<std::uint16_t>(options.port_base)
                                         : usual_or_free(usual_postgres_port);
  if (!postgres) return fail(postgres);
  auto admin = options.port_base != 0
                   ? Result<std::uint16_t>(static_cast<std::uint16_t>(options.port_base + 1))
                   : usual_or_free(usual_admin_port);
  if (!admin) return fail(admin);
  plan.postgres_port = *postgres;
  plan.admin_port = *admin;
  for (const DemoUser& user : demo_users()) {
    plan.passwords[user.name] = random_hex(system_random(), 6);
  }
  plan.agent_secret = random_hex(system_random(), 16);
  return plan;
}

Result<std::string> sample_data(const Options& options) {
  if (!options.sql.empty()) return read_text_file(options.sql);
  for (const EmbeddedFile& file : embedded_demo()) {
    if (file.name == "shop.sql") return std::string(file.text);
  }
  return fail(Errc::invalid, "this build has no sample data");
}

/// The demo's own configuration with the user's file merged over it.
ConfigResult load(const DemoPlan& plan, const Options& options) {
  std::vector<Problem> problems;
  Value document = read_document(plan.config_file(), problems);
  if (!options.config.empty()) {
    document = merge(std::move(document), read_document(options.config, problems));
  }
  ConfigResult config = read_config(document, std::move(problems));
  if (config && !options.reactor.empty()) config->reactor = *net::parse_backend(options.reactor);
  return config;
}

Result<std::unique_ptr<EmbeddedPostgres>> start_target(const DemoPlan& plan,
                                                       const Options& options) {
  auto sql = sample_data(options);
  if (!sql) return fail(sql);
  auto certificate = read_text_file(plan.data / "tls/target.pem");
  auto key = read_text_file(plan.data / "tls/target.key");
  if (!certificate) return fail(certificate);
  if (!key) return fail(key);
  EmbeddedPostgresOptions target;
  target.data = plan.data;
  target.certificate_pem = std::move(*certificate);
  target.key_pem = std::move(*key);
  target.ca_file = plan.ca_file();
  target.sql = std::move(*sql);
  auto postgres = EmbeddedPostgres::start(target, system_random());
  if (!postgres) return fail(postgres, "the throw-away PostgreSQL");
  auto wrote =
      write_demo_config(plan, {(*postgres)->port(), target.login, (*postgres)->password()});
  if (!wrote) return fail(wrote);
  return postgres;
}

Result<void> tell(const DemoPlan& plan, const Options& options, Gateway& gateway) {
  DemoFacts facts;
  facts.plan = &plan;
  std::error_code error;
  facts.program = fs::read_symlink("/proc/self/exe", error);
  facts.ledger = gateway.ledger_directory();
  facts.ledger_public_key = gateway.ledger_public_key();
  for (const DemoUser& user : demo_users()) {
    auto token = gateway.logins().issuer()->mint_token(user.name, token_lifetime);
    if (!token) return fail(token, user.name);
    facts.tokens[user.name] = std::move(*token);
  }
  auto wrote = write_private_file(plan.service_file(), demo_service_file(facts));
  if (!wrote) return wrote;
  wrote = write_private_file(plan.public_key_file(), facts.ledger_public_key);
  if (!wrote) return wrote;
  fmt::print("{}", demo_page(facts));
  std::fflush(stdout);
  if (options.ready_file.empty()) return ok();
  // Renamed, so that whoever waits for it never reads half of it.
  const std::string beside = options.ready_file + ".part";
  wrote = write_private_file(beside, demo_ready_json(facts));
  if (!wrote) return wrote;
  fs::rename(beside, options.ready_file, error);
  if (error) return fail(Errc::io, options.ready_file + ": " + error.message());
  return ok();
}

/// False at the end of input.
bool wait_for_key(const DemoPlan& plan) {
  fmt::print(
      "This starts a throw-away PostgreSQL and a gateway on 127.0.0.1, ports {} and {}, with all\n"
      "of their files in {}. Press Enter to start, Ctrl-C to leave. ",
      plan.postgres_port, plan.admin_port, plan.data.string());
  std::fflush(stdout);
  for (int c = std::getchar(); c != '\n'; c = std::getchar()) {
    if (c == EOF) return false;
  }
  return true;
}

Result<void> demo(const Options& options) {
  TemporaryFolder temporary;
  auto plan = make_plan(options, temporary);
  if (!plan) return fail(plan);
  if (!options.no_wait && isatty(STDIN_FILENO) && !wait_for_key(*plan)) return ok();
  log::configure(log::Level::warn, log::Format::text);

  std::unique_ptr<EmbeddedPostgres> target;  // outlives the loop: sessions end before it
  MainLoop loop;
  if (!options.reactor.empty()) loop.reactor = *net::parse_backend(options.reactor);
  loop.start = [&]() -> Result<std::unique_ptr<Gateway>> {
    if (auto wrote = write_demo_files(*plan, system_clock()); !wrote) return fail(wrote);
    auto started = start_target(*plan, options);
    if (!started) return fail(started);
    target = std::move(*started);
    const Gateway::Load again = [&] { return load(*plan, options); };
    ConfigResult config = again();
    if (!config) return fail(Errc::invalid, "\n" + to_string(config.error()));
    log::configure(config->log_level, config->log_format);
    return Gateway::start(std::move(*config), again);
  };
  loop.ready = [&](Gateway& gateway) { return tell(*plan, options, gateway); };
  auto ended = loop.run();
  std::error_code error;
  if (!options.ready_file.empty()) fs::remove(options.ready_file, error);
  return ended;
}

}  // namespace

void add_demo(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("demo", "Show everything on this machine, with nothing to configure");
  const auto options = std::make_shared<Options>();
  command->add_option("--sql", options->sql, "Other sample data than the shop")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
  command->add_option("--policies", options->policies, "Other policies than the starter ones")
      ->type_name("DIR")
      ->check(CLI::ExistingDirectory);
  command->add_option("--config", options->config, "Configuration to merge over the demo's")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
  command
      ->add_option("--port-base", options->port_base,
                   "PostgreSQL on N, the admin port on N+1 (default: 6432 and 6480 if free)")
      ->type_name("N")
      ->check(CLI::Range(1024, 65000));
  command
      ->add_option("--data", options->data, "Keep the files in DIR (default: a folder that goes)")
      ->type_name("DIR");
  command->add_option("--ready-file", options->ready_file, "Write JSON here when ready")
      ->type_name("FILE");
  add_reactor_option(*command, options->reactor);
  command->add_flag("--no-wait", options->no_wait, "Do not wait for a key before starting");
  command->callback([options] {
    if (auto done = demo(*options); !done) {
      fmt::print(stderr, "sallyport demo: {}\n", done.error().detail);
      throw CLI::RuntimeError(done.error().code == Errc::invalid ? 2 : 1);
    }
  });
}

}  // namespace sallyport::app

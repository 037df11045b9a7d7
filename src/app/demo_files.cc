#include "app/demo_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "app/embedded.h"
#include "app/main_loop.h"
#include "net/certificate.h"

namespace sallyport::app {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::hours certificate_lifetime{24 * 30};

Result<void> write_certificates(const DemoPlan& plan, const Clock& clock) {
  const WallTime now = clock.now();
  auto ca = net::make_ca("Sallyport demo CA", now, certificate_lifetime);
  if (!ca) return fail(ca);
  if (auto wrote = write_private_file(plan.ca_file(), ca->certificate_pem); !wrote) return wrote;
  for (const char* name : {"gateway", "target"}) {
    auto leaf = net::make_certificate(*ca, {.common_name = fmt::format("sallyport demo {}", name),
                                            .names = {"localhost"},
                                            .ips = {"127.0.0.1", "::1"},
                                            .not_before = now - std::chrono::hours(1),
                                            .not_after = now + certificate_lifetime});
    if (!leaf) return fail(leaf);
    const fs::path base = plan.data / "tls" / name;
    if (auto wrote = write_private_file(base.string() + ".pem", leaf->certificate_pem); !wrote) {
      return wrote;
    }
    if (auto wrote = write_private_file(base.string() + ".key", leaf->key_pem); !wrote) {
      return wrote;
    }
  }
  // The CA's own key is not kept: nothing else is ever to be signed by it.
  return ok();
}

Result<void> write_policies(const DemoPlan& plan) {
  if (!plan.policies.empty()) return ok();
  for (const EmbeddedFile& file : embedded_policies()) {
    if (auto wrote = write_private_file(plan.data / "policies" / file.name, file.text); !wrote) {
      return wrote;
    }
  }
  return ok();
}

Result<void> write_secrets(const DemoPlan& plan) {
  for (const auto& [name, password] : plan.passwords) {
    if (auto wrote = write_private_file(plan.data / "secrets" / name, password + "\n"); !wrote) {
      return wrote;
    }
  }
  return write_private_file(plan.data / "secrets" / demo_agent, plan.agent_secret + "\n");
}

std::string users_yaml() {
  std::string text;
  for (const DemoUser& user : demo_users()) {
    text += fmt::format(
        "    {0}: {{name: {1}, email: {0}@example.com, groups: [{2}], password: "
        "\"file:secrets/{0}\"}}\n",
        user.name, user.display_name, user.group);
  }
  return text;
}

}  // namespace

const std::vector<DemoUser>& demo_users() {
  static const std::vector<DemoUser> users{{"alice", "Alice", "support"},
                                           {"bob", "Bob", "developers"},
                                           {"dana", "Dana", "dba"},
                                           {"sam", "Sam", "sre"}};
  return users;
}

std::string DemoPlan::admin_url() const {
  return fmt::format("https://127.0.0.1:{}", admin_port);
}

Result<void> write_private_file(const fs::path& path, std::string_view text) {
  const auto problem = [&] {
    return fail(Errc::io, fmt::format("{}: {}", path.string(), std::strerror(errno)));
  };
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return problem();
  while (!text.empty()) {
    const ssize_t wrote = write(file, text.data(), text.size());
    if (wrote < 0) {
      auto failed = problem();
      close(file);
      return failed;
    }
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  close(file);
  return ok();
}

Result<void> write_demo_files(const DemoPlan& plan, const Clock& clock) {
  for (const char* folder : {"", "tls", "secrets", "policies"}) {
    if (auto made = make_private_folder(plan.data / folder); !made) return made;
  }
  if (auto wrote = write_certificates(plan, clock); !wrote) return fail(wrote, "certificates");
  if (auto wrote = write_policies(plan); !wrote) return fail(wrote, "policies");
  return write_secrets(plan);
}

Result<void> write_demo_config(const DemoPlan& plan, const DemoTarget& target) {
  if (auto wrote = write_private_file(plan.data / "secrets/target", target.password + "\n");
      !wrote) {
    return wrote;
  }
  const std::string text = fmt::format(
      R"(# Written by `sallyport demo` at every start.
data: .
log: {{level: warn}}
shutdown_grace_s: 3
listeners:
  postgres:
    port: {postgres_port}
    tls: {{certificate: tls/gateway.pem, key: tls/gateway.key}}
  admin:
    port: {admin_port}
    tls: {{certificate: tls/gateway.pem, key: tls/gateway.key}}
    public_url: {admin_url}
builtin_issuer:
  users:
{users}  agents:
    {agent}: {{name: Support copilot, owner: alice, groups: [agents], secret: "file:secrets/{agent}"}}
connections:
  {connection}:
    host: 127.0.0.1
    port: {target_port}
    database: shop
    tls: {{mode: verify-full, ca: tls/ca.pem}}
    credential: {{user: {target_user}, password: "file:secrets/target"}}
    env: production
    tags: {{demo: "true"}}
    resource_groups: [shop]
    classification:
      public.customers.email: pii.email
      public.customers.card: pci.card
      public.customers.notes: pii
      public.credentials.secret: secret
policies: {policies}
)",
      fmt::arg("postgres_port", plan.postgres_port), fmt::arg("admin_port", plan.admin_port),
      fmt::arg("admin_url", plan.admin_url()), fmt::arg("users", users_yaml()),
      fmt::arg("agent", demo_agent), fmt::arg("connection", demo_connection),
      fmt::arg("target_port", target.port), fmt::arg("target_user", target.user),
      fmt::arg("policies",
               plan.policies.empty() ? "policies" : fmt::format("\"{}\"", plan.policies.string())));
  return write_private_file(plan.config_file(), text);
}

}  // namespace sallyport::app

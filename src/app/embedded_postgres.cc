#include "app/embedded_postgres.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/numbers.h"

namespace sallyport::app {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds initdb_s_max{60};
constexpr seconds ready_s_max{30};
constexpr seconds stop_s_max{5};
constexpr const char* superuser = "sallyport_admin";

struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
};

/// PostgreSQL refuses to run as root, so as root somebody else has to run it.
Result<Account> account() {
  if (geteuid() != 0) return Account{};
  for (const char* name : {"postgres", "nobody"}) {
    if (const passwd* entry = getpwnam(name)) return Account{entry->pw_uid, entry->pw_gid};
  }
  return fail(Errc::unavailable,
              "running as root, and there is neither a user postgres nor nobody");
}

Result<void> write_file(const fs::path& path, std::string_view text, const Account& owner) {
  {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out << text;
    if (!out.flush()) return fail(Errc::io, "cannot write " + path.string());
  }
  std::error_code error;
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write, error);
  if (error || (owner.uid != 0 && chown(path.c_str(), owner.uid, owner.gid) != 0)) {
    return fail(Errc::io, "cannot give away " + path.string());
  }
  return ok();
}

/// As root the cluster is in the system's folder for such things: the demo's own may lie below one
/// that only root may enter.
Result<fs::path> make_folder(const fs::path& data, const Account& owner) {
  const fs::path parent = owner.uid != 0 ? fs::temp_directory_path() : data;
  std::string name = (parent / "sallyport-postgres-XXXXXX").string();
  if (!mkdtemp(name.data()) || (owner.uid != 0 && chown(name.c_str(), owner.uid, owner.gid) != 0)) {
    return fail(Errc::io, fmt::format("cannot make {}: {}", name, std::strerror(errno)));
  }
  return fs::path(name);
}

std::string last_lines(const fs::path& file) {
  std::ifstream in(file);
  std::ostringstream all;
  all << in.rdbuf();
  std::string text = std::move(all).str();
  constexpr std::size_t kept = 1000;
  return text.size() > kept ? text.substr(text.size() - kept) : text;
}

/// One connection of our own to the new server.
class Client {
 public:
  Client(const EmbeddedPostgresOptions& options, std::uint16_t port, const std::string& user,
         const std::string& password, const std::string& database)
      : connection_(
            PQconnectdb(fmt::format("host=127.0.0.1 port={} user={} password={} dbname={} "
                                    "sslmode=verify-full sslrootcert='{}' connect_timeout=5",
                                    port, user, password, database, options.ca_file.string())
                            .c_str())) {
    PQsetNoticeProcessor(connection_, [](void*, const char*) {}, nullptr);
  }
  ~Client() { PQfinish(connection_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return PQstatus(connection_) == CONNECTION_OK; }
  std::string problem() const { return PQerrorMessage(connection_); }

  Result<void> run(const std::string& sql) {
    PGresult* result = PQexec(connection_, sql.c_str());
    const ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY) {
      return ok();
    }
    return fail(Errc::invalid, problem());
  }

 private:
  PGconn* connection_;
};

struct Cluster {
  fs::path programs;
  fs::path folder;
  fs::path log;
  Account owner;
  std::string admin_password;

  fs::path data() const { return folder / "data"; }
};

std::vector<std::string> child_environment(const Cluster& cluster) {
  return {"LANG=C.UTF-8", "LC_ALL=C.UTF-8", "PATH=/usr/bin:/bin", "TZ=UTC",
          "HOME=" + cluster.folder.string()};
}

Result<void> init_cluster(const Cluster& cluster) {
  const fs::path secret = cluster.folder / "password";
  if (auto written = write_file(secret, cluster.admin_password + "\n", cluster.owner); !written) {
    return fail(written);
  }
  auto initdb = ChildProcess::start(
      {.command = {cluster.programs / "initdb", "--pgdata=" + cluster.data().string(),
                   std::string("--username=") + superuser, "--pwfile=" + secret.string(),
                   "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"},
       .environment = child_environment(cluster),
       .log_file = cluster.log,
       .uid = cluster.owner.uid,
       .gid = cluster.owner.gid});
  if (!initdb) return fail(initdb, "initdb");
  auto status = initdb->wait(initdb_s_max);
  std::error_code error;
  fs::remove(secret, error);
  if (!status) return fail(status, "initdb");
  if (*status != 0) return fail(Errc::unavailable, "initdb failed:\n" + last_lines(cluster.log));
  return ok();
}

Result<void> configure(const Cluster& cluster, const EmbeddedPostgresOptions& options,
                       std::uint16_t port) {
  const auto write = [&](const char* name, const std::string& text) {
    return write_file(cluster.data() / name, text, cluster.owner);
  };
  // What is in it can be made again, so it need not survive a power cut.
  auto written = write("postgresql.auto.conf", fmt::format(R"(listen_addresses = '127.0.0.1'
port = {}
unix_socket_directories = ''
ssl = on
ssl_cert_file = 'server.crt'
ssl_key_file = 'server.key'
password_encryption = 'scram-sha-256'
shared_buffers = 32MB
max_connections = 200
fsync = off
full_page_writes = off
synchronous_commit = off
timezone = 'UTC'
log_timezone = 'UTC'
cluster_name = 'sallyport-demo'
)",
                                                           port));
  if (!written) return fail(written);
  if (auto more = write("pg_hba.conf", "hostssl all all 127.0.0.1/32 scram-sha-256\n"); !more) {
    return fail(more);
  }
  if (auto more = write("server.crt", options.certificate_pem); !more) return fail(more);
  return write("server.key", options.key_pem);
}

Result<ChildProcess> start_server(const Cluster& cluster) {
  return ChildProcess::start({.command = {cluster.programs / "postgres", "-D", cluster.data()},
                              .environment = child_environment(cluster),
                              .log_file = cluster.log,
                              .uid = cluster.owner.uid,
                              .gid = cluster.owner.gid,
                              .parent_death_signal = SIGINT});
}

Result<void> wait_ready(const Cluster& cluster, const EmbeddedPostgresOptions& options,
                        std::uint16_t port, ChildProcess& server) {
  const auto until = std::chrono::steady_clock::now() + ready_s_max;
  std::string problem;
  while (server.running()) {
    Client client(options, port, superuser, cluster.admin_password, "postgres");
    if (client.connected()) return ok();
    problem = client.problem();
    if (std::chrono::steady_clock::now() > until) {
      return fail(Errc::timeout, "PostgreSQL does not become ready: " + problem);
    }
    std::this_thread::sleep_for(milliseconds(50));
  }
  return fail(Errc::unavailable, "PostgreSQL ended:\n" + last_lines(cluster.log));
}

Result<void> fill(const Cluster& cluster, const EmbeddedPostgresOptions& options,
                  std::uint16_t port, const std::string& password) {
  {
    Client admin(options, port, superuser, cluster.admin_password, "postgres");
    if (!admin.connected()) return fail(Errc::unavailable, admin.problem());
    // Both names are ours and the password is hex: nothing in them needs quoting.
    auto role = admin.run(fmt::format(
        "CREATE ROLE {} LOGIN PASSWORD '{}' NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION",
        options.login, password));
    if (!role) return fail(role, "making the gateway's role");
    // A statement of its own: CREATE DATABASE runs in no transaction.
    auto made =
        admin.run(fmt::format("CREATE DATABASE {} OWNER {}", options.database, options.login));
    if (!made) return fail(made, "making the database");
  }
  Client owner(options, port, options.login, password, options.database);
  if (!owner.connected()) return fail(Errc::unavailable, owner.problem());
  auto filled = owner.run(options.sql);
  if (!filled) return fail(filled, "sample data");
  return ok();
}

/// Removes the folder unless the server has taken it over.
struct FolderGuard {
  fs::path folder;
  bool kept = false;
  ~FolderGuard() {
    std::error_code error;
    if (!kept) fs::remove_all(folder, error);
  }
};

}  // namespace

Result<fs::path> find_postgres_programs() {
  std::vector<std::pair<unsigned, fs::path>> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", error)) {
    const auto version = parse_number<unsigned>(entry.path().filename().string());
    if (version && fs::exists(entry.path() / "bin/initdb", error) &&
        fs::exists(entry.path() / "bin/postgres", error)) {
      found.emplace_back(*version, entry.path() / "bin");
    }
  }
  if (!found.empty()) return std::ranges::max(found).second;
  const char* path = std::getenv("PATH");  // NOLINT: nothing sets it
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (fs::exists(fs::path(folder) / "initdb", error) &&
        fs::exists(fs::path(folder) / "postgres", error)) {
      return fs::path(folder);
    }
  }
  return fail(Errc::unavailable,
              "PostgreSQL's initdb and postgres are not there; on Debian: apt install postgresql");
}

Result<std::uint16_t> free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = bind(socket, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(socket);
  if (!bound) return fail(Errc::io, fmt::format("no free port: {}", std::strerror(errno)));
  return ntohs(address.sin_port);
}

EmbeddedPostgres::EmbeddedPostgres(ChildProcess server, fs::path folder, std::uint16_t port,
                                   std::string password)
    : server_(std::move(server)),
      folder_(std::move(folder)),
      port_(port),
      password_(std::move(password)) {}

EmbeddedPostgres::~EmbeddedPostgres() {
  // Fast shutdown, then immediate: the postmaster takes its own children along.
  server_.stop({SIGINT, SIGQUIT}, stop_s_max);
  std::error_code error;
  fs::remove_all(folder_, error);
}

Result<std::unique_ptr<EmbeddedPostgres>> EmbeddedPostgres::start(
    const EmbeddedPostgresOptions& options, Random& random) {
  auto programs = find_postgres_programs();
  if (!programs) return fail(programs);
  auto owner = account();
  if (!owner) return fail(owner);
  auto folder = make_folder(options.data, *owner);
  if (!folder) return fail(folder);
  FolderGuard guard{*folder};
  const Cluster cluster{*programs, *folder, options.data / "postgres.log", *owner,
                        random_hex(random, 24)};
  if (auto made = init_cluster(cluster); !made) return fail(made);
  auto port = free_port();
  if (!port) return fail(port);
  if (auto configured = configure(cluster, options, *port); !configured) return fail(configured);
  auto server = start_server(cluster);
  if (!server) return fail(server);
  std::string password = random_hex(random, 24);
  if (auto ready = wait_ready(cluster, options, *port, *server); !ready) return fail(ready);
  if (auto filled = fill(cluster, options, *port, password); !filled) {
    server->stop({SIGINT, SIGQUIT}, stop_s_max);
    return fail(filled);
  }
  guard.kept = true;
  return std::unique_ptr<EmbeddedPostgres>(
      new EmbeddedPostgres(std::move(*server), *folder, *port, std::move(password)));
}

}  // namespace sallyport::app

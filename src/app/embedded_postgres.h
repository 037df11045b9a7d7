#pragma once
// The demo's throw-away PostgreSQL: the distribution's own server with a cluster of its own, on a
// free loopback port, gone without a trace when it is stopped. Never another cluster of the
// machine.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "app/child_process.h"
#include "base/clock.h"
#include "base/result.h"

namespace sallyport::app {

struct EmbeddedPostgresOptions {
  std::filesystem::path data;   // where its log goes, and the cluster unless we are root
  std::string certificate_pem;  // for 127.0.0.1
  std::string key_pem;
  std::filesystem::path ca_file;  // that signed it
  std::string database = "shop";
  std::string login = "shop_gateway";  // no superuser; owns the database
  std::string sql;                     // run once, as `login`
};

class EmbeddedPostgres {
 public:
  /// Returns when the sample data is in. Call it on the main thread.
  static Result<std::unique_ptr<EmbeddedPostgres>> start(const EmbeddedPostgresOptions& options,
                                                         Random& random);
  /// Stops it and removes its files.
  ~EmbeddedPostgres();

  std::uint16_t port() const { return port_; }
  const std::string& password() const { return password_; }  // of `login`
  bool running() { return server_.running(); }

 private:
  EmbeddedPostgres(ChildProcess server, std::filesystem::path folder, std::uint16_t port,
                   std::string password);

  ChildProcess server_;
  std::filesystem::path folder_;
  std::uint16_t port_;
  std::string password_;
};

/// The newest folder that has initdb and postgres in it.
Result<std::filesystem::path> find_postgres_programs();

/// A TCP port of 127.0.0.1 that nobody listens on. Somebody may take it before it is used.
Result<std::uint16_t> free_port();

}  // namespace sallyport::app

#pragma once
// From the configuration to what the PostgreSQL adapter needs: certificates read, targets made.

#include <memory>

#include "app/config.h"
#include "base/result.h"
#include "net/tls.h"
#include "protocol/postgres/options.h"

namespace sallyport::app {

/// Null without `files`.
Result<std::shared_ptr<const net::TlsServerContext>> make_server_tls(
    const std::optional<TlsFiles>& files, std::vector<std::string> alpn = {});

/// As a connection's `tls` says; not where its mode is disable.
Result<std::shared_ptr<const net::TlsClientContext>> make_client_tls(
    const ConnectionConfig& connection, std::vector<std::string> alpn = {});

/// `sessions_max` of the configuration is shared out over the workers.
Result<std::shared_ptr<const postgres::Options>> make_postgres_options(const Config& config,
                                                                       std::size_t workers);

/// A whole file as text; too_large above 1 MiB.
Result<std::string> read_text_file(const std::filesystem::path& path,
                                   std::size_t bytes_max = std::size_t{1} << 20);

}  // namespace sallyport::app

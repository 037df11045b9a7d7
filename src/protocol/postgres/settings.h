#pragma once
// Settings: which a client may ask for at startup, which reports of the server it gets to see.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "protocol/postgres/wire.h"

namespace sallyport::postgres {

using Setting = std::pair<std::string, std::string>;

/// What the client's startup message asks for, checked. Names are lower case.
struct StartupSettings {
  std::string user;
  std::string database;                               // as the client wrote it, or empty
  std::string application_name;                       // a claim: recorded, decides nothing
  std::vector<Setting> settings;                      // harmless ones, for the target
  std::vector<std::string> unknown_protocol_options;  // "_pq_.*"
};

/// invalid: a parameter or value that a client may not set, in words it may read.
Result<StartupSettings> check_startup(const StartupMessage& startup);

/// `options`: "-c name=value", "-cname=value" and "--name=value", with backslash escapes for
/// spaces, as the server splits it (pg_split_opts).
Result<std::vector<Setting>> parse_options(std::string_view options);

/// ParameterStatus of this name is passed on.
bool is_reported(std::string_view name);

/// A comma-separated list of identifiers as search_path has it; nullopt if it holds anything else.
std::optional<std::vector<std::string>> parse_search_path(std::string_view text);

/// The same as a setting: every name quoted.
std::string to_search_path(const std::vector<std::string>& schemas);

}  // namespace sallyport::postgres
